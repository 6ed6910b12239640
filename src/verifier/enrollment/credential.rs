//! One enrolled authenticator and the arithmetic on its codes (RFC 4226, RFC 6238).

use std::fmt;
use std::ops::RangeInclusive;

use subtle::{Choice, ConditionallySelectable};
use totp_rs::{Builder, Totp};

use super::serial::Serial;
use crate::verifier::otp::{Algorithm, Digits, Period, keyed_number};
use crate::verifier::policy::{FactorId, FactorKind};

use crate::verifier::otp::{Code, Response, Shape, SharedSecret};
use crate::verifier::time::UnixTime;

/// An authenticator of one user, bound to a factor of the policy.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its factor.
    pub factor: FactorId,
    /// What moves its codes.
    pub otp_type: OtpType,
    /// The HMAC's hash function.
    pub algorithm: Algorithm,
    /// The length of its codes.
    pub digits: Digits,
    /// The key.
    pub secret: SharedSecret,
    /// The lowest time step or counter that may be accepted: the enrollment itself used the earlier ones.
    pub first: u64,
    /// When it was enrolled.
    pub enrolled_at: UnixTime,
    /// The serial number of a hardware token, where it is known.
    pub serial: Option<Serial>,
    /// Whether nobody knows where the counter of the token stands. None of its codes is good before two in a row have
    /// shown that. Without meaning for TOTP.
    pub awaits_resync: bool,
}

/// What moves the codes of a credential (RFC 6238 §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OtpType {
    /// The time, in steps of this length.
    Totp(Period),
    /// A counter.
    Hotp,
}

impl OtpType {
    /// `totp` or `hotp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Hotp => "hotp",
        }
    }

    /// The length of a time step, in seconds; 0 for a counter.
    #[must_use]
    pub const fn period_seconds(self) -> u64 {
        match self {
            Self::Totp(period) => period.seconds(),
            Self::Hotp => 0,
        }
    }

    /// Whether a factor of the policy is of this kind.
    #[must_use]
    pub const fn fits(self, kind: FactorKind) -> bool {
        matches!(
            (self, kind),
            (Self::Totp(_), FactorKind::Totp { .. }) | (Self::Hotp, FactorKind::Hotp { .. })
        )
    }
}

/// A name for a credential that follows from its key, so that enrolling a key again keeps its replay marks.
/// Stored beside the marks; reveals nothing about the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialId(u64);

impl CredentialId {
    /// The number as it is stored.
    #[must_use]
    pub const fn to_number(self) -> u64 {
        self.0
    }

    /// The name stored as `number`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CredentialId({:016x})", self.0)
    }
}

impl Credential {
    /// An authenticator for `factor` with the parameters that every app assumes: SHA-1, 6 digits. All of its codes are
    /// good, from the first time step or counter on.
    #[must_use]
    pub fn new(factor: FactorId, otp_type: OtpType, secret: SharedSecret) -> Self {
        Self {
            factor,
            otp_type,
            algorithm: Algorithm::default(),
            digits: Digits::default(),
            secret,
            first: 0,
            enrolled_at: UnixTime::default(),
            serial: None,
            awaits_resync: false,
        }
    }

    /// A copy with its secret.
    pub(crate) fn copied(&self) -> Self {
        let (factor, secret, serial) = (self.factor.clone(), self.secret.copied(), self.serial.clone());
        Self { factor, secret, serial, ..*self }
    }

    /// Its name in the login state.
    #[must_use]
    pub fn id(&self) -> CredentialId {
        let (kind, period) = match self.otp_type {
            OtpType::Totp(period) => (b't', period.seconds()),
            OtpType::Hotp => (b'h', 0),
        };
        let parts: [&[u8]; 3] = [b"mfa-chain credential v1", &[kind], &period.to_le_bytes()];
        CredentialId(keyed_number(self.secret.expose(), &parts))
    }

    /// Whether both make the same codes: the keys are equal, or HMAC treats them as equal.
    #[must_use]
    pub fn shares_its_key_with(&self, other: &Self) -> bool {
        self.secret == other.secret
            || self.algorithm == other.algorithm
                && self.secret.for_hmac(self.algorithm) == other.secret.for_hmac(other.algorithm)
    }

    /// The time step (RFC 6238 §4.2 `T`) at `time`; `None` for a counter.
    #[must_use]
    pub fn step_at(&self, time: UnixTime) -> Option<u64> {
        match self.otp_type {
            OtpType::Totp(period) => time.seconds().checked_div(period.seconds()),
            OtpType::Hotp => None,
        }
    }

    /// When the time step `step` begins; `None` for a counter.
    #[must_use]
    pub(crate) fn time_of(&self, step: u64) -> Option<UnixTime> {
        match self.otp_type {
            OtpType::Totp(period) => Some(UnixTime::from_seconds(step.saturating_mul(period.seconds()))),
            OtpType::Hotp => None,
        }
    }

    /// The code of the time step or counter `moving_factor`, as the authenticator shows it.
    #[must_use]
    pub fn code(&self, moving_factor: u64) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(self.calculator().generate(moving_factor).to_string())
    }

    /// Compares `code` with the code of every candidate. Candidates below `next` are compared too, so that a
    /// replay is recognized; they are never accepted.
    pub(crate) fn scan(&self, code: &Code, candidates: RangeInclusive<u64>, next: u64) -> Scan {
        let calculator = self.calculator();
        let (mut unused, mut unused_at, mut used) = (Choice::from(0), 0, Choice::from(0));
        // No early exit, and the highest match wins: the same digits can belong to two steps of one window,
        // and recording the lower one would leave the code usable a second time.
        for candidate in candidates {
            let hit = Choice::from(u8::from(calculator.check(code.as_str(), candidate).is_some()));
            // `u64::MAX` is never accepted: no higher mark could void its code. It also marks the counter of
            // a token that a reset made void.
            let new = Choice::from(u8::from(candidate >= next && candidate < u64::MAX));
            unused_at.conditional_assign(&candidate, hit & new);
            unused |= hit & new;
            used |= hit & !new;
        }
        match (bool::from(unused), bool::from(used)) {
            (true, _) => Scan::Match(unused_at),
            (false, true) => Scan::Replay,
            (false, false) => Scan::NoMatch,
        }
    }

    /// The highest of `candidates` with this code; for the proof of an enrollment. Does not check whether the
    /// code was used before.
    #[must_use]
    pub fn matching(&self, answer: &Response, candidates: RangeInclusive<u64>) -> Option<u64> {
        let Shape::Code(code) = answer.shape(self.digits) else { return None };
        match self.scan(&code, candidates, 0) {
            Scan::Match(moving_factor) => Some(moving_factor),
            Scan::Replay | Scan::NoMatch => None,
        }
    }

    /// The one of `candidates` nearest to `present` whose code was answered. Of two as near, the later one.
    #[must_use]
    pub fn nearest(&self, answer: &Response, candidates: RangeInclusive<u64>, present: u64) -> Option<u64> {
        let matching =
            candidates.filter(|candidate| self.matching(answer, *candidate..=*candidate).is_some());
        matching.min_by_key(|candidate| (candidate.abs_diff(present), std::cmp::Reverse(*candidate)))
    }

    /// The time steps or counters to compare for an answer at `time`; `next` is the lowest that may still be
    /// accepted.
    #[must_use]
    pub(crate) fn candidates(&self, kind: FactorKind, time: UnixTime, next: u64) -> RangeInclusive<u64> {
        match (kind, self.step_at(time)) {
            (FactorKind::Totp { window }, Some(step)) => {
                let window = u64::from(window);
                step.saturating_sub(window)..=step.saturating_add(window)
            }
            // Starts one counter back, so that the log can distinguish a replay from a wrong code. Look-ahead
            // `s` means `s` codes (RFC 4226 §7.4).
            (FactorKind::Hotp { look_ahead }, None) => {
                next.saturating_sub(1)..=next.saturating_add(u64::from(look_ahead).saturating_sub(1))
            }
            // No candidates if the kinds differ.
            (FactorKind::Totp { .. }, None) | (FactorKind::Hotp { .. }, Some(_)) =>
            {
                #[allow(clippy::reversed_empty_ranges)]
                (1..=0)
            }
        }
    }

    /// A credential that no user holds, for the same work if the user is not enrolled.
    pub(crate) fn decoy(factor: FactorId, kind: FactorKind) -> Option<Self> {
        let otp_type = match kind {
            FactorKind::Totp { .. } => OtpType::Totp(Period::default()),
            FactorKind::Hotp { .. } => OtpType::Hotp,
        };
        let bytes = zeroize::Zeroizing::new(vec![0; SharedSecret::RECOMMENDED_BYTES]);
        Some(Self::new(factor, otp_type, SharedSecret::from_bytes(bytes).ok()?))
    }

    /// totp-rs with a step of one "second", so that its time is the moving factor itself: RFC 6238 §4.2 is
    /// RFC 4226 with `T` for the counter. Length and digits were validated when the credential was made.
    fn calculator(&self) -> Totp {
        Builder::new()
            .with_algorithm(match self.algorithm {
                Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
                Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
                Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
            })
            .with_digits(self.digits.count())
            .with_secret(self.secret.expose())
            .with_skew(0)
            .with_step_duration(1)
            .build_noncompliant()
    }
}

/// The result of a scan of all candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The unused code of this time step or counter.
    Match(u64),
    /// A code of the window that was used, or is older than a used one.
    Replay,
    /// No code of the window.
    NoMatch,
}
