//! `revoke`: one factor or all.

use super::scratch::{OTHER_SECRET, SECRET, ScratchHost};

fn scratch() -> ScratchHost {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "tablet", OTHER_SECRET);
    scratch.run("recovery alice").expect(0);
    scratch
}

#[test]
fn one_factor_goes_and_the_rest_stays() {
    let scratch = scratch();
    let text = scratch.run("revoke alice phone --yes").expect(0).stdout;
    assert!(text.contains("Revoked phone of alice"), "{text}");
    assert!(text.contains("Remaining factors: tablet"), "{text}");
    assert!(text.contains("can no longer pass the default chain"), "{text}");
    let status = scratch.status("alice");
    assert_eq!(status["factors"].as_array().expect("factors").len(), 1);
    assert_eq!(status["recovery_codes_left"], 10);
    assert!(!scratch.secret_file("alice").contains(SECRET));
}

#[test]
fn all_factors_go_with_the_recovery_codes_and_the_files_stay() {
    let scratch = scratch();
    let facts = scratch.run("revoke alice --yes --json").expect(0).json();
    let expected = serde_json::json!({
        "user": "alice",
        "revoked": ["phone", "tablet"],
        "recovery_codes_revoked": true,
        "remaining": [],
        "enough_for_default_chain": false,
    });
    assert_eq!(facts, expected);
    assert_eq!(scratch.status("alice")["recovery_codes_total"], 0);
    assert!(scratch.path("store/secrets/alice.toml").exists() && scratch.path("store/state/alice").exists());
}

#[test]
fn nothing_goes_unasked() {
    let scratch = scratch();
    for line in ["revoke alice", "revoke alice phone"] {
        for input in ["", "yes\n"] {
            scratch.run_with_input(line, input).refused(4, &["not confirmed", "--yes"]);
        }
    }
    assert_eq!(scratch.status("alice")["factors"].as_array().expect("factors").len(), 2);
}

#[test]
fn what_is_not_enrolled_is_refused_with_what_is() {
    let scratch = scratch();
    let line = "revoke alice token --yes";
    scratch.run(line).refused(1, &["factor `token` is not enrolled; enrolled: phone, tablet"]);
    scratch.run("revoke bob --yes").refused(1, &["`bob` has enrolled nothing"]);
    assert!(!scratch.path("store/secrets/bob.toml").exists());
}

#[test]
fn a_broken_policy_does_not_keep_a_lost_token_alive() {
    let scratch = scratch();
    scratch.write("policy.toml", "version = 2\n");
    let finished = scratch.run("revoke alice phone --yes --json").expect(0);
    assert!(finished.json()["enough_for_default_chain"].is_null());
    assert!(finished.stderr.contains("policy.toml:1"), "{finished:#?}");
    assert!(!scratch.secret_file("alice").contains(SECRET));
}

#[test]
fn a_record_that_is_damaged_or_of_somebody_else_is_revoked_whole() {
    let scratch = ScratchHost::new();
    for (user, spoil) in [("alice", "not toml"), ("bob", "")] {
        scratch.enroll(user, "phone", SECRET);
        let foreign = scratch.secret_file(user).replace(&format!("user = \"{user}\""), "user = \"carol\"");
        scratch.write(&format!("store/secrets/{user}.toml"), if spoil.is_empty() { &foreign } else { spoil });
        scratch.run(&format!("status {user}")).expect(3);
        scratch.run(&format!("revoke {user} phone --yes")).expect(3);
        let told = scratch.run(&format!("revoke {user} --yes")).expect(0).stdout;
        assert!(told.contains("could not be read"), "{told}");
        scratch.run(&format!("status {user}")).expect(0);
        scratch.enroll(user, "phone", SECRET);
    }
}
