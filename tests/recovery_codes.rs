//! What recovery codes are good for, and how often.
#![cfg(test)]

mod engine_fixture;

use engine_fixture::EngineFixture;
use mfa_chain::verifier::otp::{RecoveryCode, RecoveryHash, RecoverySet};
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use zeroize::Zeroizing;

const TWO: &str = r#"
[[factors]]
id = "phone"
type = "totp"
[[factors]]
id = "token"
type = "totp"
"#;

fn with_recovery(codes: &[u8]) -> EngineFixture {
    let fixture = EngineFixture::new(TWO);
    let hashes = codes.iter().map(|byte| RecoveryHash::of(&recovery_code(*byte), [*byte; 16])).collect();
    fixture.enroll("alice", &["phone", "token"], RecoverySet::new(77, hashes));
    fixture
}

fn recovery_code(byte: u8) -> RecoveryCode {
    RecoveryCode::from_entropy(Zeroizing::new([byte; RecoveryCode::BYTES]))
}

#[test]
fn a_recovery_code_stands_in_for_one_step_once() {
    let fixture = with_recovery(&[1, 2]);
    let first = recovery_code(1).to_groups().to_string();
    let ending = fixture
        .login("alice", |factor| if factor == "phone" { first.clone() } else { fixture.code(factor, 0) });
    assert!(ending.granted(), "{ending:?}");
    let trail = fixture.audit.0.borrow().join("\n");
    assert!(trail.contains("factor=phone outcome=accepted by=recovery-code"), "{trail}");
    let ending = fixture.login("alice", |_| first.clone());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Replay));
    let second = recovery_code(2).to_groups().to_lowercase().replace('-', " ");
    let ending = fixture
        .login("alice", |factor| if factor == "token" { second.clone() } else { fixture.code(factor, 1) });
    assert!(ending.granted(), "{ending:?}");
    let state = fixture.store.state("alice").expect("state");
    assert_eq!(state.recovery.used, 0b11);
}

#[test]
fn one_recovery_code_is_not_good_for_two_steps() {
    for text in ["", "on_wrong_code = \"conceal\"\n"] {
        let fixture = EngineFixture::new(&format!("{text}{TWO}"));
        let hash = RecoveryHash::of(&recovery_code(1), [1; 16]);
        fixture.enroll("alice", &["phone", "token"], RecoverySet::new(77, vec![hash]));
        let ending = fixture.login("alice", |_| recovery_code(1).to_groups().to_string());
        assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Replay));
    }
}

#[test]
fn a_new_recovery_set_voids_the_old_one_and_its_marks() {
    let fixture = with_recovery(&[1]);
    let old = recovery_code(1).to_groups().to_string();
    assert!(
        fixture
            .login("alice", |factor| if factor == "phone" { old.clone() } else { fixture.code(factor, 0) })
            .granted()
    );
    let mut state = fixture.store.state("alice").expect("state");
    let set = RecoverySet::new(78, vec![RecoveryHash::of(&recovery_code(2), [2; 16]); 2]).expect("a set");
    assert_eq!(state.recovery_codes_left(&set), 2);
    state.use_recovery_code(&set, 1, mfa_chain::verifier::time::UnixTime::default());
    assert_eq!(state.recovery_codes_left(&set), 1);
    assert!(!state.recovery_code_is_used(&set, 0), "the mark was of the old set");
}

#[test]
fn a_recovery_code_of_somebody_else_is_refused() {
    let fixture = with_recovery(&[1]);
    let ending = fixture.login("alice", |_| recovery_code(3).to_groups().to_string());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::WrongRecoveryCode));
}
