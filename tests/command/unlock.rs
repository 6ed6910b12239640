//! `unlock`: waits are lifted and lost states replaced.

use mfa_chain::verifier::otp::{RecoveryCode, RecoveryHash};
use mfa_chain::verifier::time::UnixTime;
use mfa_chain::verifier::username::Username;

use super::failed::failed;
use super::scratch::{OTHER_SECRET, SECRET, ScratchHost, hotp, now};

#[test]
fn failures_are_forgotten_and_used_codes_stay_used() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let now = UnixTime::from_seconds(now());
    scratch.change_state("alice", |record, state| {
        state.failures.strangers = failed(50, now);
        state.mark_used(record.credentials().first().expect("credential"), 5, now);
    });
    assert_ne!(scratch.status("alice")["wait_seconds"], 0);
    let facts = scratch.run("unlock alice --json").expect(0).json();
    let expected = serde_json::json!({"user": "alice", "failures_cleared": 50, "state_reset": false});
    assert_eq!(facts, expected);
    let status = scratch.status("alice");
    assert_eq!((&status["wait_seconds"], &status["failures"]), (&0.into(), &0.into()));
    assert_eq!(status["factors"][0]["last_used_at"], now.seconds());
}

#[test]
fn a_damaged_state_is_told_and_made_anew_on_demand_alone() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "token", OTHER_SECRET);
    scratch.run("recovery alice --count 2").expect(0);
    std::fs::write(scratch.path("store/state/alice"), "rubbish").expect("damage");
    scratch.run("unlock alice").refused(3, &["store/state/alice"]);
    let text = scratch.run("unlock alice --reset-state").expect(0).stdout;
    assert!(text.contains("factor `phone`: codes of the next 6 minutes are void"), "{text}");
    assert!(text.contains(&scratch.advised("resync alice token")), "{text}");
    assert!(text.contains("recovery codes: void"), "{text}");
    assert_eq!(scratch.status("alice")["recovery_codes_left"], 0);
    let facts = scratch.run("unlock alice --reset-state --json").expect(0).json();
    assert_eq!(facts["state_reset"], true);
    let other = facts["bypass_code"].as_str().expect("a code");
    assert!(!text.contains(other), "each reset makes a code of its own");
    let left = facts["bypass_expires_at"].as_u64().expect("a time") - now();
    assert!((86_300..=86_400).contains(&left), "{left}");
}

/// What was handed out, read from what people see.
fn bypass_code(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("Bypass code  "));
    line.unwrap_or_else(|| panic!("no bypass code: {text}")).to_owned()
}

#[test]
fn a_reset_hands_out_one_bypass_code_that_revoking_everything_takes_back() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let text = scratch.run("unlock alice --reset-state").expect(0).stdout;
    let code = RecoveryCode::parse(bypass_code(&text).as_bytes()).expect("of the shape of a recovery code");
    let kept = || {
        let user = Username::parse("alice").expect("a name");
        scratch.store().login_state(&user).expect("a store").expect("a state").bypass
    };
    let bypass = kept().expect("kept");
    assert_eq!(RecoveryHash::of(&code, bypass.hash.salt), bypass.hash);
    let state = std::fs::read(scratch.path("store/state/alice")).expect("the state");
    let letters = bypass_code(&text);
    assert!(!state.windows(letters.len()).any(|part| part == letters.as_bytes()), "only its hash is kept");
    scratch.enroll("alice", "token", OTHER_SECRET);
    scratch.run("revoke alice token --yes").expect(0);
    assert!(kept().is_some(), "alice still has an authenticator");
    scratch.run("revoke alice --yes").expect(0);
    assert_eq!(kept(), None);
}

#[test]
fn a_record_that_is_discarded_takes_its_bypass_code_along() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("unlock alice --reset-state").expect(0);
    std::fs::write(scratch.path("store/secrets/alice.toml"), "rubbish").expect("damage");
    scratch.run("revoke alice --yes").expect(0);
    let user = Username::parse("alice").expect("a name");
    assert_eq!(scratch.store().login_state(&user).expect("a store").expect("a state").bypass, None);
}

#[test]
fn who_has_nothing_enrolled_any_more_gets_no_bypass_code() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("revoke alice --yes").expect(0);
    let text = scratch.run("unlock alice --reset-state").expect(0).stdout;
    assert!(!text.contains("Bypass"), "{text}");
    let facts = scratch.run("unlock alice --reset-state --json").expect(0).json();
    assert!(facts["bypass_code"].is_null() && facts["bypass_expires_at"].is_null());
}

#[test]
fn a_token_of_a_fixed_secret_counts_again_once_it_is_proven_anew() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "token", SECRET);
    scratch.run("unlock alice --reset-state").expect(0);
    let lowest = || {
        let record = scratch.store().record(&Username::parse("alice").expect("name")).expect("store");
        let mut next = 0;
        scratch.change_state("alice", |_, state| {
            next = state.next_acceptable(&record.expect("record").credentials()[0]);
        });
        next
    };
    scratch.enroll("alice", "token", SECRET);
    assert_eq!(lowest(), u64::MAX, "not proven");
    let path = scratch.write("given", SECRET);
    let codes = format!("{}\n{}\n", hotp(SECRET, 2), hotp(SECRET, 3));
    scratch.run_with_input(&format!("enroll alice token --secret-file {path}"), &codes).expect(0);
    assert_eq!(lowest(), 4);
}

#[test]
fn who_has_enrolled_nothing_is_refused() {
    let scratch = ScratchHost::new();
    scratch.run("unlock alice").refused(3, &["store: not there"]);
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("unlock bob").refused(1, &["`bob` has enrolled nothing"]);
    scratch.run("unlock bob --reset-state").refused(1, &["`bob` has enrolled nothing"]);
    assert!(!scratch.path("store/state/bob").exists());
}
