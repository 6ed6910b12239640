//! What one attempt after another does, on a clock that is set.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod world;

use pam_mfa_chain::verifier::attempt::{Begin, Submission};
use pam_mfa_chain::verifier::request::Request;
use pam_mfa_chain::verifier::verdict::{DenyReason, Exemption, Refusal, Verdict};
use world::{World, typed};

const TWO: &str = r#"
[[factors]]
id = "phone"
type = "totp"
[[factors]]
id = "token"
type = "totp"
"#;

fn two() -> World {
    let world = World::new(TWO);
    world.enrol_all("alice");
    world
}

fn conceal() -> World {
    let world = World::new(&format!("on_wrong_code = \"conceal\"\n{TWO}"));
    world.enrol_all("alice");
    world
}

#[test]
fn right_codes_in_order_are_granted() {
    let world = two();
    let ending = world.login("alice", |factor| world.code(factor, 0));
    assert!(ending.granted(), "{ending:?}");
    assert_eq!(ending.asked, ["phone", "token"]);
}

#[test]
fn a_wrong_code_ends_the_attempt_at_once_and_the_next_starts_at_step_1() {
    let world = two();
    let ending = world
        .login("alice", |factor| if factor == "phone" { "000000".into() } else { world.code(factor, 0) });
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::WrongCode));
    assert_eq!(ending.asked, ["phone"]);
    let ending = world
        .login("alice", |factor| if factor == "token" { "000000".into() } else { world.code(factor, 0) });
    assert_eq!(ending.asked, ["phone", "token"]);
    assert!(!ending.granted());
    let ending = world.login("alice", |factor| world.code(factor, 1));
    assert_eq!(ending.asked, ["phone", "token"]);
    assert!(ending.granted());
}

#[test]
fn conceal_asks_every_step_before_it_denies() {
    for wrong in ["phone", "token"] {
        let world = conceal();
        let ending = world
            .login("alice", |factor| if factor == wrong { "000000".into() } else { world.code(factor, 0) });
        assert_eq!(ending.asked, ["phone", "token"], "{wrong}");
        assert_eq!(*ending.reason(), DenyReason::Step(Refusal::WrongCode));
    }
    let world = conceal();
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
}

#[test]
fn right_codes_in_the_wrong_order_are_denied() {
    for world in [two(), conceal()] {
        let ending =
            world.login("alice", |factor| world.code(if factor == "phone" { "token" } else { "phone" }, 0));
        assert!(!ending.granted());
        // Each was compared with the factor of its step alone, so neither is burnt.
        assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
    }
}

#[test]
fn codes_are_taken_from_the_window_and_not_beyond() {
    for (offset, granted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let world = two();
        let ending = world.login("alice", |factor| world.code(factor, offset));
        assert_eq!(ending.granted(), granted, "offset {offset}");
    }
}

#[test]
fn a_window_of_zero_takes_the_present_step_alone_and_a_wide_one_what_it_says() {
    for (window, offset, granted) in
        [(0, 0, true), (0, 1, false), (0, -1, false), (10, 10, true), (10, 11, false), (10, -10, true)]
    {
        let world = World::new(&format!("[[factors]]\nid = \"phone\"\ntype = \"totp\"\nwindow = {window}\n"));
        world.enrol_all("alice");
        assert_eq!(
            world.login("alice", |factor| world.code(factor, offset)).granted(),
            granted,
            "{window} {offset}"
        );
    }
}

#[test]
fn an_accepted_code_and_all_before_it_are_never_accepted_again() {
    let world = two();
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
    for (offset, refusal) in [(0, Refusal::ReplayFromSource), (-1, Refusal::Replay)] {
        let ending = world.login("alice", |factor| world.code(factor, offset));
        assert_eq!(*ending.reason(), DenyReason::Step(refusal), "offset {offset}");
    }
    assert!(world.login("alice", |factor| world.code(factor, 1)).granted());
}

#[test]
fn a_right_code_is_burnt_though_the_chain_failed_after_it() {
    for world in [two(), conceal()] {
        let codes = [world.code("phone", 0), world.code("token", 0)];
        let ending =
            world.login("alice", |factor| if factor == "phone" { codes[0].clone() } else { "000000".into() });
        assert!(!ending.granted());
        let ending = world.login("alice", |factor| codes[usize::from(factor == "token")].clone());
        assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Replay));
    }
}

#[test]
fn of_two_steps_with_the_same_digits_the_later_one_is_recorded() {
    // The secret of RFC 4226 has the code 468457 at the time steps 153567 and 153569.
    let world = World::new("[[factors]]\nid = \"1234567890\"\ntype = \"totp\"\nwindow = 1\n");
    world.enrol_all("alice");
    world.clock.0.set(153_568 * 30);
    assert_eq!(world.code("1234567890", -1), "468457");
    assert_eq!(world.code("1234567890", 1), "468457");
    assert!(world.login("alice", |_| "468457".into()).granted());
    world.clock.advance(30);
    let again = world.login("alice", |_| "468457".into());
    assert_eq!(*again.reason(), DenyReason::Step(Refusal::ReplayFromSource));
}

#[test]
fn a_clock_that_is_turned_back_replays_nothing_and_says_so() {
    let world = two();
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
    let old = world.code("phone", 0);
    world.clock.advance(3600);
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
    world.clock.0.set(world::NOW);
    assert_eq!(*world.login("alice", |_| old.clone()).reason(), DenyReason::Step(Refusal::Replay));
    assert_eq!(*world.login("alice", |_| "123456".into()).reason(), DenyReason::Step(Refusal::ClockBehind));
}

#[test]
fn hotp_looks_ahead_as_far_as_the_policy_says_and_never_back() {
    let policy = "[[factors]]\nid = \"token\"\ntype = \"hotp\"\nlook_ahead = 10\n";
    for (counter, granted) in [(0, true), (9, true), (10, false)] {
        let world = World::new(policy);
        world.enrol_all("alice");
        assert_eq!(
            world.login("alice", |factor| world.code(factor, counter)).granted(),
            granted,
            "counter {counter}"
        );
    }
    let world = World::new(policy);
    world.enrol_all("alice");
    assert!(world.login("alice", |factor| world.code(factor, 5)).granted());
    assert_eq!(
        *world.login("alice", |factor| world.code(factor, 5)).reason(),
        DenyReason::Step(Refusal::ReplayFromSource)
    );
    assert!(!world.login("alice", |factor| world.code(factor, 4)).granted());
    assert!(world.login("alice", |factor| world.code(factor, 6)).granted());
}

#[test]
fn a_wrong_hotp_code_leaves_the_counter_where_it_is() {
    let world = World::new("[[factors]]\nid = \"token\"\ntype = \"hotp\"\nlook_ahead = 1\n");
    world.enrol_all("alice");
    for _ in 0..3 {
        assert!(!world.login("alice", |_| "000000".into()).granted());
    }
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
}

#[test]
fn eight_digits_are_asked_of_a_credential_that_has_eight() {
    let world = World::new(
        "[[factors]]\nid = \"phone\"\ntype = \"totp\"\ndigits = 8\nalgorithm = \"SHA512\"\nperiod = 60\n",
    );
    world.enrol_all("alice");
    let code = world.code("phone", 0);
    assert_eq!(code.len(), 8);
    assert_eq!(
        *world.login("alice", |_| code[2..].to_owned()).reason(),
        DenyReason::Step(Refusal::Malformed)
    );
    assert!(world.login("alice", |_| format!(" {} {} ", &code[..4], &code[4..])).granted());
}

#[test]
fn each_failed_chain_is_charged_once_and_a_success_there_gives_three_back() {
    let world = two();
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted(), "known from now on");
    for count in 1..=4 {
        assert!(!world.login("alice", |_| "000000".into()).granted());
        assert_eq!(world.failures("alice"), count);
    }
    assert!(world.login("alice", |factor| world.code(factor, 1)).granted());
    assert_eq!(world.failures("alice"), 1);
    world.clock.advance(60);
    assert!(
        !world
            .login("alice", |factor| if factor == "token" { "1".into() } else { world.code(factor, 1) })
            .granted()
    );
    assert_eq!(world.failures("alice"), 2);
}

#[test]
fn after_five_failures_right_codes_wait_thirty_seconds() {
    let world = two();
    for _ in 0..5 {
        assert!(!world.login("alice", |_| "000000".into()).granted());
    }
    let ending = world.login("alice", |factor| world.code(factor, 0));
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Throttled { wait_seconds: 30 }));
    assert_eq!(ending.asked, ["phone"], "a throttled user sees the prompts of every other");
    world.clock.advance(29);
    assert!(!world.login("alice", |factor| world.code(factor, 0)).granted());
    assert_eq!(world.failures("alice"), 5, "what was not judged is not charged");
    world.clock.advance(1);
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
}

#[test]
fn waits_follow_the_published_schedule() {
    let world = World::new(
        "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n[[factors]]\nid = \"token\"\ntype = \"totp\"\n\
         [throttle]\nfailures_a_day = 1000\n",
    );
    world.enrol_all("alice");
    let mut waits = Vec::new();
    for _ in 0..140 {
        assert!(!world.login("alice", |_| "000000".into()).granted());
        let ending = world.login("alice", |_| "000000".into());
        if let DenyReason::Step(Refusal::Throttled { wait_seconds }) = ending.reason() {
            waits.push((world.failures("alice"), *wait_seconds));
            world.clock.advance(*wait_seconds);
        }
    }
    let at = |failures| waits.iter().find(|(count, _)| *count == failures).map(|(_, wait)| *wait);
    for (failures, wait) in
        [(5, 30), (7, 120), (9, 480), (11, 900), (19, 900), (21, 3600), (99, 3600), (100, 86_400)]
    {
        assert_eq!(at(failures), Some(wait), "after {failures} failures");
    }
}

#[test]
fn turning_the_clock_back_shortens_no_wait_and_forward_and_back_lengthens_none() {
    let world = two();
    for _ in 0..5 {
        world.login("alice", |_| "000000".into());
    }
    world.clock.0.set(world::NOW - 10_000);
    let throttled = |wait_seconds| DenyReason::Step(Refusal::Throttled { wait_seconds });
    assert_eq!(*world.login("alice", |_| "000000".into()).reason(), throttled(30));
    world.clock.advance(30);
    assert!(
        world.login("alice", |factor| world.code(factor, 0)).granted(),
        "30 s after the clock was seen to be back"
    );
}

#[test]
fn the_filler_of_sshd_is_refused_and_not_charged() {
    let world = two();
    let ending = world.login("alice", |_| "\x08\n\r\x7fINCORRECT".into());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::SshdJunk));
    assert_eq!(world.failures("alice"), 0);
}

#[test]
fn an_answer_to_another_step_is_a_breach_and_costs_a_failure() {
    for world in [two(), conceal()] {
        let engine = world.engine();
        let Begin::Attempt(attempt) = engine.begin(&Request::new("app", "alice")) else { panic!("a chain") };
        let breach = attempt.submit("token", typed(&world.code("token", 0))).expect_err("a breach");
        assert_eq!((breach.expected.as_str(), breach.answered.as_str()), ("phone", "token"));
        assert_eq!(world.failures("alice"), 1);
        let trail = world.audit.0.borrow().join("\n");
        assert!(trail.contains("reason=breach"), "{trail}");
    }
}

#[test]
fn a_breach_after_a_right_step_loses_that_step() {
    let world = two();
    let engine = world.engine();
    let request = Request::new("app", "alice");
    let Begin::Attempt(attempt) = engine.begin(&request) else { panic!("a chain") };
    let Ok(Submission::NextStep(attempt)) = attempt.submit("phone", typed(&world.code("phone", 0))) else {
        panic!("step 2")
    };
    assert!(attempt.submit("phone", typed(&world.code("phone", 1))).is_err());
    let Begin::Attempt(attempt) = engine.begin(&request) else { panic!("a chain") };
    assert_eq!(attempt.expected().number, 1);
}

#[test]
fn halves_of_two_attempts_make_no_whole() {
    let world = two();
    let engine = world.engine();
    let request = Request::new("app", "alice");
    let (Begin::Attempt(first), Begin::Attempt(second)) = (engine.begin(&request), engine.begin(&request))
    else {
        panic!()
    };
    assert!(matches!(first.submit("phone", typed(&world.code("phone", 0))), Ok(Submission::NextStep(_))));
    assert!(second.submit("token", typed(&world.code("token", 0))).is_err());
}

#[test]
fn one_code_in_two_open_attempts_passes_one() {
    let world = World::new("[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    world.enrol_all("alice");
    let engine = world.engine();
    let request = Request::new("app", "alice");
    let (Begin::Attempt(first), Begin::Attempt(second)) = (engine.begin(&request), engine.begin(&request))
    else {
        panic!()
    };
    let code = world.code("phone", 0);
    assert!(matches!(first.submit("phone", typed(&code)), Ok(Submission::Complete(_))));
    assert!(matches!(
        second.submit("phone", typed(&code)),
        Ok(Submission::Reset(DenyReason::Step(Refusal::ReplayFromSource)))
    ));
}

#[test]
fn unknown_and_unenrolled_users_are_asked_the_same_and_always_denied() {
    for world in [two(), conceal()] {
        world.enrol("carol", &["phone"], None);
        let wrong = |_: &str| "000000".to_owned();
        let expected = world.login("alice", wrong).asked;
        for user in ["nobody", "carol", "", "../alice", "a\nb"] {
            let ending = world.login(user, wrong);
            assert_eq!(ending.asked, expected, "{user}");
            assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Unenrolled), "{user}");
        }
        let ending = world
            .login("carol", |factor| if factor == "phone" { world.code("phone", 0) } else { "1".into() });
        assert!(!ending.granted(), "one of two factors");
    }
}

#[test]
fn nobody_passes_with_the_codes_of_the_decoy() {
    let world = World::new("[[factors]]\nid = \"phone\"\ntype = \"totp\"\nwindow = 10\n");
    let zeros = world::totp(&[0; 20], pam_mfa_chain::verifier::otp::Algorithm::Sha1, 6, 30);
    let step = world::NOW / 30;
    for offset in 0..3 {
        let code = zeros.code(step + offset).to_string();
        assert_eq!(*world.login("nobody", |_| code.clone()).reason(), DenyReason::Step(Refusal::Unenrolled));
    }
}

#[test]
fn a_fixed_chain_takes_the_first_factors_that_the_user_has() {
    let policy = "required_steps = 2\n[[factors]]\nid = \"a\"\ntype = \"totp\"\n[[factors]]\nid = \"b\"\ntype = \"totp\"\n[[factors]]\nid = \"c\"\ntype = \"hotp\"\n";
    let world = World::new(policy);
    world.enrol("alice", &["c", "b"], None);
    world.enrol("bob", &["a", "b", "c"], None);
    assert_eq!(world.login("alice", |factor| world.code(factor, 0)).asked, ["b", "c"]);
    assert_eq!(world.login("bob", |factor| world.code(factor, 0)).asked, ["a", "b"]);
}

#[test]
fn a_factor_whose_kind_changed_in_the_policy_counts_as_not_enrolled() {
    let hotp = World::new("[[factors]]\nid = \"phone\"\ntype = \"hotp\"\n");
    let totp = World::new("[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    totp.enrol_all("alice");
    let moved = World { policy: hotp.policy, ..totp };
    let ending = moved.login("alice", |_| "000000".into());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Unenrolled));
}

const ROLL_OUT: &str =
    "unenrolled = \"exempt\"\nuntil = 2026-12-31\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";

#[test]
fn a_roll_out_exempts_listed_users_who_are_not_enrolled_until_its_deadline() {
    let world = World::new(ROLL_OUT);
    world.accounts.users.borrow_mut().extend(["alice".to_owned(), "bob".to_owned()]);
    world.enrol_all("alice");
    assert_eq!(world.login("bob", |_| panic!("asked")).verdict, Verdict::Exempt(Exemption::RollOut));
    assert!(!world.login("alice", |_| "000000".into()).granted(), "who is enrolled is asked");
    assert!(!world.login("nobody", |_| "000000".into()).granted(), "whom the system does not list is asked");
    world.clock.0.set(1_798_761_599);
    assert_eq!(world.login("bob", |_| panic!("asked")).verdict, Verdict::Exempt(Exemption::RollOut));
    world.clock.0.set(1_798_761_600);
    assert!(!world.login("bob", |_| "000000".into()).granted());
}

#[test]
fn databases_that_do_not_answer_deny() {
    let world = World::new(ROLL_OUT);
    world.accounts.broken.set(true);
    let ending = world.login("bob", |_| panic!("asked"));
    assert!(matches!(ending.reason(), DenyReason::Accounts(_)), "{ending:?}");
}

#[test]
fn rules_exempt_deny_or_choose_the_chain() {
    let world = World::new(&format!(
        "{TWO}\n[chains.one]\nfactors = [\"token\"]\nrequired_steps = 1\n\
         [[rules]]\nservices = [\"cron\"]\naction = \"exempt\"\n\
         [[rules]]\nservices = [\"ftp\"]\naction = \"deny\"\n\
         [[rules]]\nservices = [\"sudo\"]\ngroups = [\"wheel\"]\nchain = \"one\"\n"
    ));
    world.enrol_all("alice");
    world.accounts.users.borrow_mut().insert("alice".to_owned());
    world.accounts.members.borrow_mut().insert("alice:wheel".to_owned());
    assert_eq!(
        world.login_through("cron", "alice", |_| panic!("asked")).verdict,
        Verdict::Exempt(Exemption::Rule(0))
    );
    assert_eq!(*world.login_through("ftp", "alice", |_| panic!("asked")).reason(), DenyReason::Rule(1));
    assert_eq!(world.login_through("sudo", "alice", |factor| world.code(factor, 0)).asked, ["token"]);
    assert_eq!(
        world.login_through("sshd", "alice", |factor| world.code(factor, 1)).asked,
        ["phone", "token"]
    );
}

#[test]
fn the_trail_has_a_line_for_each_step_and_the_verdict_and_no_code() {
    let world = two();
    let code = world.code("phone", 0);
    world.login("alice", |factor| if factor == "phone" { code.clone() } else { "424242".into() });
    let lines = world.audit.0.borrow().clone();
    let find = |needle: &str| lines.iter().filter(|line| line.contains(needle)).count();
    assert_eq!(
        find(
            "event=step user=alice service=sshd source=unknown chain=default step=1 steps=2 factor=phone outcome=accepted"
        ),
        1
    );
    assert_eq!(find("step=2 steps=2 factor=token outcome=wrong-code failures=1"), 1);
    assert_eq!(
        find("event=verdict user=alice service=sshd source=unknown verdict=deny reason=wrong-code"),
        1
    );
    assert!(lines.iter().all(|line| !line.contains(&code) && !line.contains("424242")), "{lines:?}");
}
