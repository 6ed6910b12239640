//! `enroll`: what proves an authenticator, and what is stored then.

use mfa_chain::verifier::time::UnixTime;

use super::scratch::{OTHER_SECRET, SECRET, ScratchHost, hotp, now, totp};

#[test]
fn a_right_code_enrolls_and_is_burnt() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    let time = now();
    let line = format!("enroll alice phone --secret-file {path}");
    let finished = scratch.run_with_input(&line, &totp(SECRET, time, &["--totp"])).expect(0);
    assert!(
        finished.stdout.contains("Enrolled factor `phone` (Authenticator app) of alice"),
        "{finished:#?}"
    );
    assert!(finished.stdout.contains("1 enrolled of 2 needed, 1 more of: tablet, token"), "{finished:#?}");
    assert!(finished.stdout.contains(&scratch.advised("recovery alice")), "{finished:#?}");
    let step = time / 30;
    assert!(scratch.secret_file("alice").contains(&format!("first = {}\n", step + 1)), "step {step}");
}

#[test]
fn a_code_may_come_at_the_third_try_and_no_later() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    let line = format!("enroll alice phone --secret-file {path}");
    let code = totp(SECRET, now(), &["--totp"]);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let four = format!("{wrong}\n{wrong}\n{wrong}\n{code}\n");
    let finished = scratch.run_with_input(&line, &four).expect(1);
    assert!(finished.stderr.lines().last().expect("line").contains("no right code in 3 tries"));
    scratch.run("status alice").refused(1, &["`alice` has enrolled nothing"]);
    scratch.run_with_input(&line, &format!("{wrong}\nabc\n{code}\n")).expect(0);
}

#[test]
fn the_end_of_input_cancels() {
    let scratch = ScratchHost::new();
    scratch.run("enroll alice phone").refused(4, &["the input ended; nothing was changed"]);
    scratch.run("status alice").expect(1);
}

#[test]
fn a_factor_is_replaced_only_by_one_that_is_proven() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let path = scratch.write("other", OTHER_SECRET);
    let line = format!("enroll alice phone --secret-file {path}");
    scratch.run_with_input(&line, &totp(SECRET, now(), &["--totp"])).expect(4);
    assert!(scratch.secret_file("alice").contains(SECRET));
    scratch.run_with_input(&line, &totp(OTHER_SECRET, now(), &["--totp"])).expect(0);
    let file = scratch.secret_file("alice");
    assert!(file.contains(OTHER_SECRET) && !file.contains(SECRET));
    assert_eq!(scratch.status("alice")["factors"].as_array().expect("factors").len(), 1);
}

#[test]
fn a_counter_token_is_proven_by_two_consecutive_codes() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", &format!("otpauth://hotp/x?secret={SECRET}&counter=40"));
    let line = format!("enroll alice token --secret-file {path}");
    for (first, second) in [(40, 42), (41, 40), (10_040, 10_041), (38, 39)] {
        let codes = format!("{}\n{}\n", hotp(SECRET, first), hotp(SECRET, second));
        scratch.run_with_input(&line, &codes).expect(4);
    }
    let codes = format!("{}\n{}\n", hotp(SECRET, 43), hotp(SECRET, 44));
    scratch.run_with_input(&line, &codes).expect(0);
    assert!(scratch.secret_file("alice").contains("first = 45\n"));
}

/// What docs/recovery.md advises for a token whose button was pressed too often, and after a reset of the state.
#[test]
fn a_counter_token_far_ahead_is_enrolled_and_enrolled_again() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", &format!("otpauth://hotp/x?secret={SECRET}&counter=0"));
    let line = format!("enroll alice token --secret-file {path}");
    let codes = |at: u64| format!("{}\n{}\n", hotp(SECRET, at), hotp(SECRET, at + 1));
    for at in [9_000, 20_000] {
        scratch.run_with_input(&line, &codes(at)).expect(if at == 9_000 { 0 } else { 4 });
    }
    assert!(scratch.secret_file("alice").contains("first = 9002\n"));
    // A login moved the mark on, from which the search begins.
    scratch.change_state("alice", |record, state| {
        state.mark_used(&record.credentials()[0], 17_000, UnixTime::from_seconds(now()));
    });
    scratch.run_with_input(&line, &codes(18_000)).expect(0);
    scratch.run("unlock alice --reset-state").expect(0);
    // What the enrollment itself used is still known.
    scratch.run_with_input(&line, &codes(28_200)).expect(4);
    scratch.run_with_input(&format!("{line} --counter 28000"), &codes(28_100)).expect(0);
    assert!(scratch.secret_file("alice").contains("first = 28102\n"));
    scratch
        .run(&format!("enroll alice phone --counter 1 --no-confirm --secret-file {path}"))
        .refused(1, &["by the time"]);
}

#[test]
fn a_fresh_secret_is_shown_and_makes_the_codes_that_are_expected() {
    let scratch = ScratchHost::new();
    let finished = scratch.run("enroll alice tablet --no-confirm --json").expect(0);
    let facts = finished.json();
    let secret = facts["secret"].as_str().expect("secret");
    assert_eq!(secret.len(), 32);
    let uri = facts["uri"].as_str().expect("uri");
    assert!(uri.starts_with("otpauth://totp/") && uri.contains("%20%28Tablet%29:alice?"), "{uri}");
    let parameters = format!("secret={secret}&");
    assert!(uri.contains(&parameters) && uri.ends_with("&algorithm=SHA256&digits=8&period=60"), "{uri}");
    let expected = [("user", "alice"), ("factor", "tablet"), ("type", "totp"), ("algorithm", "SHA256")];
    for (key, value) in expected {
        assert_eq!(facts[key], value);
    }
    assert_eq!((facts["digits"].as_u64(), facts["period"].as_u64()), (Some(8), Some(60)));
    let path = scratch.write("again", secret);
    let code = totp(secret, now(), &["--totp=sha256", "--digits", "8", "--time-step-size", "60s"]);
    scratch.run_with_input(&format!("enroll bob tablet --secret-file {path}"), &code).expect(0);
}

#[test]
fn enrolling_a_key_again_without_a_code_gives_no_used_code_back() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    let code = totp(SECRET, now(), &["--totp"]);
    scratch.run_with_input(&format!("enroll alice phone --secret-file {path}"), &code).expect(0);
    let first = scratch.record("alice").credentials()[0].first;
    scratch.enroll("alice", "phone", SECRET);
    assert!(scratch.record("alice").credentials()[0].first >= first);
    let codes = format!("{}\n{}\n", hotp(SECRET, 40), hotp(SECRET, 41));
    scratch.run_with_input(&format!("enroll bob token --secret-file {path}"), &codes).expect(0);
    scratch.enroll("bob", "token", SECRET);
    assert_eq!(scratch.record("bob").credentials()[0].first, 42);
    scratch.enroll("bob", "token", OTHER_SECRET);
    assert_eq!(scratch.record("bob").credentials()[0].first, 0, "another key has used nothing");
}

#[test]
fn without_confirmation_the_present_code_still_works() {
    let scratch = ScratchHost::new();
    let before = now() / 30;
    scratch.enroll("alice", "phone", SECRET);
    let after = now() / 30;
    let file = scratch.secret_file("alice");
    assert!((before..=after).any(|step| file.contains(&format!("first = {step}\n"))), "{before}");
    let path = scratch.write("given", &format!("otpauth://hotp/x?secret={OTHER_SECRET}&counter=7"));
    scratch.run(&format!("enroll alice token --no-confirm --secret-file {path}")).expect(0);
    assert!(scratch.secret_file("alice").contains("first = 7\n"));
}

#[test]
fn a_factor_that_the_policy_does_not_know_is_refused_with_the_known_ones() {
    let scratch = ScratchHost::new();
    scratch.run("enroll alice topt").refused(1, &["no factor `topt`; known: phone, tablet, token"]);
    assert!(!scratch.path("store").exists());
}

#[test]
fn one_secret_is_refused_for_two_factors_of_a_user() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let path = scratch.write("given", SECRET);
    let line = format!("enroll alice tablet --no-confirm --secret-file {path}");
    scratch.run(&line).refused(1, &["factor `phone` has this secret already"]);
    scratch.enroll("bob", "tablet", SECRET);
}

#[test]
fn a_key_that_is_filled_up_with_zeros_is_the_same_key() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let filled = scratch.write("given", &format!("otpauth://totp/a?secret={SECRET}AAAAAAAA"));
    let line = format!("enroll alice tablet --no-confirm --secret-file {filled}");
    scratch.run(&line).refused(1, &["factor `phone` has this secret already"]);
}

#[test]
fn a_code_that_is_shorter_than_the_policy_says_is_told() {
    let scratch = ScratchHost::new();
    let warned = |scratch: &ScratchHost, digits: &str| {
        let uri =
            format!("otpauth://totp/a?secret={OTHER_SECRET}&algorithm=SHA256&digits={digits}&period=60");
        let path = scratch.write("given", &uri);
        let line = format!("enroll alice tablet --no-confirm --secret-file {path}");
        let told =
            scratch.run(&line).expect(0).stderr.contains("shows 6 digits, the policy says 8 for `tablet`");
        let listed = scratch
            .run("check")
            .stdout
            .contains("have an authenticator with fewer digits than the policy says");
        assert_eq!(told, listed);
        told
    };
    assert!(warned(&scratch, "6"));
    assert!(!warned(&scratch, "8"));
}

#[test]
fn a_name_that_the_system_does_not_list_is_enrolled_only_on_demand() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    let rest = format!("phone --no-confirm --secret-file {path}");
    // The command word second: `Scratch::run` adds --unknown-user where it is first.
    let as_typed = |user: &str| scratch.run(&format!("--json enroll {user} {rest}"));
    let refused = ["lists no account `alcie`", "--unknown-user"];
    as_typed("alcie").refused(1, &refused);
    assert!(!scratch.path("store/secrets/alcie.toml").exists());
    scratch.run(&format!("enroll svc@example.org {rest}")).expect(0);
    assert!(!scratch.secret_file("svc@example.org").contains("uid"));
    assert_eq!(as_typed("root").expect(0).stderr, "");
    assert!(scratch.secret_file("root").contains("\nversion = 2\nuser = \"root\"\nuid = 0\n"));
}

#[test]
fn a_lost_login_state_is_not_made_afresh_in_passing() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    std::fs::remove_file(scratch.path("store/state/alice")).expect("remove");
    for line in ["enroll alice tablet --no-confirm", "recovery alice", "revoke alice --yes", "status alice"] {
        scratch.run(line).refused(3, &["login state of `alice` is gone", "--reset-state"]);
    }
    assert!(!scratch.path("store/state/alice").exists());
    scratch.run("unlock --reset-state alice").expect(0);
    scratch.run("enroll alice tablet --no-confirm").expect(0);
}
