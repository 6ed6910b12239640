//! `status`: facts for people and scripts.

use mfa_chain::verifier::time::UnixTime;

use super::failed::failed;
use super::scratch::{OTHER_SECRET, SECRET, ScratchHost, now};

#[test]
fn json_has_the_keys_that_scripts_read() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "token", OTHER_SECRET);
    let status = scratch.status("alice");
    let keys: Vec<&str> = status.as_object().expect("object").keys().map(String::as_str).collect();
    let expected = [
        "bypass_expires_at",
        "factors",
        "failures",
        "failures_of_strangers",
        "last_success_at",
        "recovery_codes_left",
        "recovery_codes_total",
        "recovery_failures_today",
        "reset_at",
        "user",
        "wait_seconds",
    ];
    assert_eq!(keys, expected);
    let factor = status["factors"][0].as_object().expect("object");
    let keys: Vec<&str> = factor.keys().map(String::as_str).collect();
    let expected = [
        "algorithm",
        "awaits_resync",
        "digits",
        "enrolled_at",
        "id",
        "last_used_at",
        "period",
        "serial",
        "type",
    ];
    assert_eq!(keys, expected);
    assert!(status["last_success_at"].is_null() && factor["last_used_at"].is_null());
    assert!(status["factors"][1]["period"].is_null());
    assert!(factor["enrolled_at"].as_u64().expect("time").abs_diff(now()) < 60);
    assert_eq!(scratch.run("status --json").expect(0).json(), serde_json::json!({ "users": [status] }));
}

#[test]
fn what_logins_changed_is_shown() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("recovery alice --count 3").expect(0);
    let now = UnixTime::from_seconds(now());
    scratch.change_state("alice", |record, state| {
        state.failures.strangers = failed(7, now);
        state.last_success = Some(UnixTime::from_seconds(1_795_348_800));
        let credential = record.credentials().first().expect("credential");
        state.mark_used(credential, 1, UnixTime::from_seconds(951_782_400));
        state.use_recovery_code(record.recovery().expect("set"), 1, now);
    });
    let status = scratch.status("alice");
    assert_eq!((&status["failures"], &status["last_success_at"]), (&7.into(), &1_795_348_800_u64.into()));
    assert_eq!((&status["recovery_codes_left"], &status["recovery_codes_total"]), (&2.into(), &3.into()));
    assert_eq!(status["factors"][0]["last_used_at"], 951_782_400);
    // Five are free, then 30 s, 60 s, 120 s.
    assert!((60..=120).contains(&status["wait_seconds"].as_u64().expect("wait")), "{status}");
    let text = scratch.run("status alice").expect(0).stdout;
    for part in [
        "factor phone: totp, SHA1, 6 digits, 30 s, enrolled 2",
        "last used 2000-02-29 00:00:00 UTC",
        "last success: 2026-11-22 12:00:00 UTC",
        "recovery codes left: 2 of 3",
        "failures: 7",
        "1 enrolled of 2 needed, 1 more of: tablet, token",
    ] {
        assert!(text.contains(part), "no `{part}`: {text}");
    }
}

#[test]
fn every_user_has_a_line() {
    let scratch = ScratchHost::new();
    scratch.enroll("bob", "phone", SECRET);
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("revoke bob --yes").expect(0);
    let text = scratch.run("status").expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("alice: factors: phone; recovery codes left: 0; failures: 0;"), "{text}");
    assert!(lines[1].starts_with("bob: factors: none;"), "{text}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_damaged_user_does_not_hide_the_others() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("bob", "phone", SECRET);
    std::fs::write(scratch.path("store/state/alice"), "").expect("damage");
    let finished = scratch.run("status").refused(3, &["store/state/alice"]);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(
        lines[0].starts_with("alice: not readable: ") && lines[0].contains("--reset-state alice"),
        "{finished:#?}"
    );
    assert!(lines[1].starts_with("bob: factors: phone;"), "{finished:#?}");
    let rows = scratch.run("status --json").refused(3, &["store/state/alice"]).json()["users"].clone();
    assert_eq!(rows[0]["user"], "alice");
    assert!(rows[0]["error"].as_str().is_some_and(|error| error.contains("store/state/alice")), "{rows}");
    assert_eq!(rows[1]["factors"][0]["id"], "phone");
}

#[test]
fn a_factor_that_no_chain_can_ask_for_is_pointed_out() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "tablet", OTHER_SECRET);
    let policy = "version = 1\nrequired_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"hotp\"\n";
    scratch.write("policy.toml", policy);
    let text = scratch.run("status alice").expect(0).stdout;
    assert!(text.contains("the policy says hotp now"), "{text}");
    assert!(text.contains("(not in the policy)"), "{text}");
    assert!(text.contains("0 enrolled of 1 needed"), "{text}");
}

#[test]
fn files_that_are_missing_or_wrong_have_their_own_exit_code() {
    let scratch = ScratchHost::new();
    let advised = format!("mfa-chain --store {} enroll", scratch.path_text("store"));
    scratch.run("status").refused(3, &["store: not there", &advised]);
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("status bob").refused(1, &["`bob` has enrolled nothing"]);
    scratch.write("policy.toml", "version = 1\nmod = \"random\"\n");
    scratch.run("status").refused(3, &["policy.toml:2:1: "]);
    std::fs::remove_file(scratch.path("policy.toml")).expect("remove");
    scratch.run("status").refused(3, &["policy.toml: not there"]);
}

#[test]
fn a_reset_its_bypass_code_and_where_failures_came_from_are_shown() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("unlock alice --reset-state").expect(0);
    scratch.change_state("alice", |_, state| {
        state.failures.strangers = failed(3, UnixTime::from_seconds(now()));
        state.failures.strangers.recovery = 4;
    });
    let status = scratch.status("alice");
    assert!(status["reset_at"].as_u64().expect("a time").abs_diff(now()) < 60);
    assert!(status["bypass_expires_at"].as_u64() > status["reset_at"].as_u64());
    assert!(status["factors"][0]["last_used_at"].is_null(), "a reset is no use");
    assert_eq!(
        (&status["failures_of_strangers"], &status["recovery_failures_today"]),
        (&3.into(), &4.into())
    );
    let text = scratch.run("status alice").expect(0).stdout;
    for told in
        ["of them 3 from places that are not known; today 4 with recovery codes", "bypass code unused until"]
    {
        assert!(text.contains(told), "{text}");
    }
}
