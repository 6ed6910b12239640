//! Authenticators in somebody's hand. Their codes come from oathtool: our own arithmetic must not vouch for
//! itself.

use std::process::Command;

use mfa_chain::verifier::enrollment::{Credential, OtpType};
use mfa_chain::verifier::otp::{Digits, Period, SharedSecret};
use mfa_chain::verifier::policy::FactorId;
use zeroize::Zeroizing;

/// A token with a key of its own.
#[derive(Clone, Debug)]
pub struct Token {
    pub factor: String,
    pub key: Vec<u8>,
    otp_type: OtpType,
    first: u64,
    digits: u64,
}

impl Token {
    /// A counter (HOTP) whose key follows from its name.
    pub fn counter(factor: &str) -> Self {
        Self::of(factor, OtpType::Hotp)
    }

    /// A clock (TOTP) whose key follows from its name.
    pub fn clock(factor: &str) -> Self {
        Self::of(factor, OtpType::Totp(Period::default()))
    }

    fn of(factor: &str, otp_type: OtpType) -> Self {
        Self { factor: factor.to_owned(), key: key_of(factor), otp_type, first: 0, digits: 6 }
    }

    /// Counters or time steps below `first` are past.
    pub fn starting_at(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Longer codes.
    pub fn with_digits(self, digits: u64) -> Self {
        Self { digits, ..self }
    }

    /// Another key.
    pub fn with_key(self, key: &[u8]) -> Self {
        Self { key: key.to_vec(), ..self }
    }

    pub fn credential(&self) -> Credential {
        Credential {
            digits: Digits::new(self.digits).expect("6 to 8 digits"),
            first: self.first,
            ..Credential::new(
                FactorId::parse(&self.factor).expect("a factor"),
                self.otp_type,
                SharedSecret::from_bytes(Zeroizing::new(self.key.clone())).expect("a key"),
            )
        }
    }

    /// The code of a counter, or of the time step at `at` seconds.
    pub fn code(&self, at: u64) -> String {
        self.codes(at, 1).remove(0)
    }

    /// So many codes from `at` on.
    pub fn codes(&self, at: u64, count: u64) -> Vec<String> {
        let hexadecimal = data_encoding::HEXLOWER.encode(&self.key);
        let window = count.saturating_sub(1);
        let mut oathtool = Command::new("oathtool");
        match self.otp_type {
            OtpType::Hotp => oathtool.arg("--hotp").arg(format!("--counter={at}")),
            OtpType::Totp(_) => oathtool.arg("--totp").arg(format!("--now=@{at}")),
        };
        oathtool.arg(format!("--digits={}", self.digits));
        let output = oathtool.arg(format!("--window={window}")).arg(hexadecimal).output();
        let output = output.expect("oathtool must be installed (apt-get install oathtool)");
        assert!(output.status.success(), "oathtool: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("ASCII");
        text.lines().map(str::to_owned).collect()
    }

    /// A well-formed code that is none of the first codes of a counter.
    pub fn wrong_code(&self) -> String {
        let near = self.codes(0, 100);
        let mut wrong = (0..).map(|number| format!("{number:06}"));
        wrong.find(|code| !near.contains(code)).expect("a code")
    }
}

fn key_of(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(20).collect()
}
