//! `why` and `verify`: what kept a user out, and what a code is.

use mfa_chain::verifier::time::UnixTime;

use super::failed::failed;
use super::scratch::{OTHER_SECRET, SECRET, ScratchHost, hotp, now, totp};

#[test]
fn a_code_is_told_by_its_factor_and_how_far_its_clock_is_off_and_is_not_used_up() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "token", OTHER_SECRET);
    let before = std::fs::read(scratch.path("store/state/alice")).expect("the state");
    for (shift, said) in
        [(0, "its clock agrees"), (-180, "about 180 s behind"), (1_200, "about 1200 s ahead")]
    {
        let code = totp(SECRET, now().saturating_add_signed(shift), &["--totp=SHA1"]);
        let text = scratch.run_with_input("verify alice", &format!("{code}\n")).expect(0).stdout;
        // A time step may end between the two looks at the clock.
        let near = [
            said.to_owned(),
            said.replace("180", "210").replace("1200", "1170").replace("agrees", "is about 30 s"),
        ];
        assert!(text.contains("`phone`") && near.iter().any(|said| text.contains(said)), "{shift}: {text}");
    }
    let ahead = scratch
        .run_with_input("verify alice token", &format!("{}\n", hotp(OTHER_SECRET, 700)))
        .expect(0)
        .stdout;
    assert!(ahead.contains("700 counters ahead") && ahead.contains("resync"), "{ahead}");
    assert_eq!(
        std::fs::read(scratch.path("store/state/alice")).expect("the state"),
        before,
        "uses nothing up"
    );
}

#[test]
fn a_used_code_a_foreign_one_and_one_of_another_factor_are_told_apart() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "token", SECRET);
    scratch.change_state("alice", |record, state| {
        state.mark_used(&record.credentials()[0], 5, UnixTime::from_seconds(now()));
    });
    let verify = |line: &str, code: String| scratch.run_with_input(line, &format!("{code}\n"));
    let used = verify("verify alice --json", hotp(SECRET, 5)).expect(0).json();
    assert_eq!((&used["match"]["outcome"], &used["match"]["ahead"]), (&"used".into(), &(-1).into()));
    let earlier = verify("verify alice", hotp(SECRET, 3)).expect(0).stdout;
    assert!(earlier.contains("3 counters behind the next one"), "{earlier}");
    let next = verify("verify alice --json", hotp(SECRET, 6)).expect(0).json();
    assert_eq!((&next["match"]["outcome"], &next["match"]["ahead"]), (&"accepted".into(), &0.into()));
    assert_eq!(
        verify("verify alice --json", hotp(SECRET, 1_900)).expect(1).json()["match"],
        serde_json::Value::Null
    );
    verify("verify alice phone", hotp(SECRET, 6))
        .refused(1, &["has not enrolled that factor", "enrolled: token"]);
    verify("verify bob", hotp(SECRET, 6)).refused(1, &["`bob` has enrolled nothing"]);
    scratch.run("verify alice").refused(4, &[]);
}

#[test]
fn what_keeps_a_user_out_now_is_said_with_the_command_that_helps() {
    let scratch = ScratchHost::new();
    let why = |user: &str| scratch.run(&format!("why {user}")).expect(0).stdout;
    scratch.run("init").expect(0);
    let nothing = why("bob");
    assert!(
        nothing.contains("bob has enrolled nothing")
            && nothing.contains(&scratch.advised("enroll bob FACTOR")),
        "{nothing}"
    );
    assert!(nothing.contains("no login of this user was judged"), "{nothing}");
    scratch.enroll("alice", "phone", SECRET);
    let lacking = why("alice");
    assert!(lacking.contains("chain `default`: 1 enrolled of 2 needed, 1 more of: "), "{lacking}");
    scratch.enroll("alice", "token", OTHER_SECRET);
    assert!(!why("alice").contains("of 2 needed"));
    scratch.change_state("alice", |_, state| {
        state.failures.strangers = failed(50, UnixTime::from_seconds(now()));
    });
    let waiting = why("alice");
    assert!(
        waiting.contains("failures brought a wait") && waiting.contains(&scratch.advised("unlock alice")),
        "{waiting}"
    );
}

#[test]
fn a_policy_that_is_not_valid_is_why_everybody_is_denied() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.write("policy.toml", "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"topt\"\n");
    scratch.run("why alice").refused(3, &["every login is denied", "policy.toml:4:8"]);
    std::fs::remove_file(scratch.path("policy.toml")).expect("a policy");
    let missing = scratch.run("why alice").expect(3).stderr;
    assert!(!missing.contains("every login is denied"), "a policy that is not there says nothing: {missing}");
}

#[test]
fn codes_that_a_reset_made_void_are_not_called_used() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "token", OTHER_SECRET);
    scratch.run("unlock --reset-state alice").expect(0);
    let phone = totp(SECRET, now(), &["--totp=SHA1"]);
    for (code, advice) in [
        (phone, "good again some minutes after the reset"),
        (hotp(OTHER_SECRET, 4), "resync` with two codes"),
    ] {
        let text = scratch.run_with_input("verify alice", &format!("{code}\n")).expect(0).stdout;
        assert!(text.contains("void since the login state was reset") && text.contains(advice), "{text}");
    }
}

#[test]
fn a_code_of_a_factor_that_the_policy_dropped_is_called_so() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.write("policy.toml", "required_steps = 1\n[[factors]]\nid = \"token\"\ntype = \"hotp\"\n");
    let found = scratch
        .run_with_input("verify alice --json", &format!("{}\n", totp(SECRET, now(), &["--totp=SHA1"])))
        .expect(0)
        .json();
    assert_eq!(found["match"]["outcome"], "not-in-policy");
}

#[test]
fn a_roll_out_is_no_reason_for_a_denial() {
    let scratch = ScratchHost::new();
    scratch.run("init").expect(0);
    let policy = "required_steps = 1\nunenrolled = \"exempt\"\nuntil = 2100-01-01\n\
                  [[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
    scratch.write("policy.toml", policy);
    let text = scratch.run("why bob").expect(0).stdout;
    assert!(text.contains("without codes until 2100-01-02") && !text.contains("denies"), "{text}");
}
