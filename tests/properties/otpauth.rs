//! `otpauth://` URIs: what is read reads back from what we write, and no complaint quotes a secret.

use mfa_chain::verifier::enrollment::Authenticator;
use mfa_chain::verifier::enrollment::otpauth::to_uri;
use mfa_chain::verifier::otp::Period;
use mfa_chain::verifier::policy::{CodeParameters, Factor, FactorId, FactorKind, Label};
use mfa_chain::verifier::time::UnixTime;

use super::oracle::secret_quoted;

/// The bytes are a URI.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for kind in [FactorKind::Totp { window: 1 }, FactorKind::Hotp { look_ahead: 10 }] {
        let id = FactorId::parse("phone").expect("an id");
        let factor = Factor { label: Label::from(&id), id, kind, enrollment: CodeParameters::default() };
        match Authenticator::parse(&text, &factor) {
            Ok(read) => assert_reads_back(read, &factor, &text),
            Err(error) => assert_eq!(secret_quoted(bytes, &error.message), None, "{error:?}"),
        }
    }
}

fn assert_reads_back(read: Authenticator, factor: &Factor, text: &str) {
    assert!((80..=1024).contains(&read.secret.bits()), "{} bits", read.secret.bits());
    assert!((15..=120).contains(&read.parameters.period.seconds()));
    let (parameters, counter) = (read.parameters, read.counter);
    if matches!(factor.kind, FactorKind::Hotp { .. }) {
        assert_eq!(parameters.period, Period::default(), "a counter has no period");
    }
    let credential = read.into_credential(factor, counter, UnixTime::default());
    // As issuer and account whatever came in: both are texts of others.
    let (issuer, user) = (head(text, 131), head(text, 128));
    let written = to_uri(&credential, issuer, user, counter);
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{}", *written);
    assert!(
        written.len() <= written.capacity() && written.capacity() == 2048,
        "no copy was left behind by growing"
    );
    let again = Authenticator::parse(&written, factor).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(again.parameters, parameters);
    assert_eq!(again.counter, counter);
    assert!(again.secret == credential.secret, "the secret changed on the way");
}

fn head(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
