//! The answer of a claimant: read as a code, a recovery code, sshd's filler or nothing of these, whatever bytes come.

use mfa_chain::verifier::attempt::Next;
use mfa_chain::verifier::otp::{RecoveryCode, RecoveryHash, RecoverySet, Response};
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::verdict::Verdict;

use super::engine_fixture::EngineFixture;
use super::oracle::{Shape, shape};

/// The first byte says how many digits codes have and whether what follows is repeated up to 1 MiB; what follows is
/// the answer.
pub fn check(bytes: &[u8]) {
    let Some((setting, answer)) = bytes.split_first() else { return };
    let digits = usize::from(6 + setting % 3);
    let long;
    let answer = if setting & 0x40 != 0 && !answer.is_empty() {
        long = answer.repeat((1 << 20) / answer.len());
        &long
    } else {
        answer
    };
    let world = world(digits);
    let code = world.code("phone", 0);
    let expected = match shape(answer, digits) {
        Shape::Code(text) if text == code => None,
        Shape::Code(_) => Some(Refusal::WrongCode),
        Shape::Recovery(text) if text == RECOVERY.replace('-', "") => None,
        Shape::Recovery(_) => Some(Refusal::WrongRecoveryCode),
        Shape::Junk => Some(Refusal::SshdJunk),
        Shape::Malformed => Some(Refusal::Malformed),
    };
    let engine = world.engine();
    let Next::Ask(attempt) = engine.begin(&Request::local("sshd", "alice")) else { panic!("a chain") };
    let refusal = match engine.submit(attempt, "phone", Response::from_bytes(answer)) {
        Ok(Next::Over(Verdict::Grant(_))) => None,
        Ok(Next::Over(Verdict::Deny(DenyReason::Step(refusal)))) => Some(refusal),
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal, expected, "{:?} with {digits} digits", &answer[..answer.len().min(80)]);
    let charged = matches!(expected, Some(Refusal::WrongCode | Refusal::Malformed));
    assert_eq!(world.failures("alice"), u32::from(charged), "what was judged and wrong is charged");
}

fn world(digits: usize) -> EngineFixture {
    let world = EngineFixture::new(&format!(
        "[[factors]]\nid = \"phone\"\ntype = \"totp\"\nwindow = 0\ndigits = {digits}\nlabel = \"x\"\n"
    ));
    let code = RecoveryCode::parse(RECOVERY.as_bytes()).expect("a recovery code");
    let set = RecoverySet::new(1, vec![RecoveryHash::of(&code, [1; 16])]);
    world.enroll("alice", &["phone"], set);
    world
}

/// The one recovery code that is right.
pub const RECOVERY: &str = "ABCD-EFGH-IJKL-MNOP-QRST-UV27";
