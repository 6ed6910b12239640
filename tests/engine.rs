//! What one attempt after another does, on a clock that is set.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;

use engine_fixture::{EngineFixture, typed};
use mfa_chain::verifier::attempt::Next;
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::verdict::{Exemption, Verdict};

const TWO: &str = r#"
[[factors]]
id = "phone"
type = "totp"
[[factors]]
id = "token"
type = "totp"
"#;

fn two() -> EngineFixture {
    let fixture = EngineFixture::new(TWO);
    fixture.enroll_all("alice");
    fixture
}

fn conceal() -> EngineFixture {
    let fixture = EngineFixture::new(&format!("on_wrong_code = \"conceal\"\n{TWO}"));
    fixture.enroll_all("alice");
    fixture
}

#[test]
fn right_codes_in_order_are_granted() {
    let fixture = two();
    let ending = fixture.login("alice", |factor| fixture.code(factor, 0));
    assert!(ending.granted(), "{ending:?}");
    assert_eq!(ending.asked, ["phone", "token"]);
}

#[test]
fn a_wrong_code_ends_the_attempt_at_once_and_the_next_starts_at_step_1() {
    let fixture = two();
    let ending = fixture
        .login("alice", |factor| if factor == "phone" { "000000".into() } else { fixture.code(factor, 0) });
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::WrongCode));
    assert_eq!(ending.asked, ["phone"]);
    let ending = fixture
        .login("alice", |factor| if factor == "token" { "000000".into() } else { fixture.code(factor, 0) });
    assert_eq!(ending.asked, ["phone", "token"]);
    assert!(!ending.granted());
    let ending = fixture.login("alice", |factor| fixture.code(factor, 1));
    assert_eq!(ending.asked, ["phone", "token"]);
    assert!(ending.granted());
}

#[test]
fn conceal_asks_every_step_before_it_denies() {
    for wrong in ["phone", "token"] {
        let fixture = conceal();
        let ending = fixture
            .login("alice", |factor| if factor == wrong { "000000".into() } else { fixture.code(factor, 0) });
        assert_eq!(ending.asked, ["phone", "token"], "{wrong}");
        assert_eq!(*ending.reason(), DenyReason::Step(Refusal::WrongCode));
    }
    let fixture = conceal();
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
}

#[test]
fn right_codes_in_the_wrong_order_are_denied() {
    for fixture in [two(), conceal()] {
        let ending = fixture
            .login("alice", |factor| fixture.code(if factor == "phone" { "token" } else { "phone" }, 0));
        assert!(!ending.granted());
        // Each was compared with the factor of its step alone, so neither is burnt.
        assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
    }
}

#[test]
fn codes_are_taken_from_the_window_and_not_beyond() {
    for (offset, granted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let fixture = two();
        let ending = fixture.login("alice", |factor| fixture.code(factor, offset));
        assert_eq!(ending.granted(), granted, "offset {offset}");
    }
}

#[test]
fn a_window_of_zero_takes_the_present_step_alone_and_a_wide_one_what_it_says() {
    for (window, offset, granted) in
        [(0, 0, true), (0, 1, false), (0, -1, false), (10, 10, true), (10, 11, false), (10, -10, true)]
    {
        let fixture =
            EngineFixture::new(&format!("[[factors]]\nid = \"phone\"\ntype = \"totp\"\nwindow = {window}\n"));
        fixture.enroll_all("alice");
        assert_eq!(
            fixture.login("alice", |factor| fixture.code(factor, offset)).granted(),
            granted,
            "{window} {offset}"
        );
    }
}

#[test]
fn an_accepted_code_and_all_before_it_are_never_accepted_again() {
    let fixture = two();
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
    for (offset, refusal) in [(0, Refusal::ReplayFromSource), (-1, Refusal::Replay)] {
        let ending = fixture.login("alice", |factor| fixture.code(factor, offset));
        assert_eq!(*ending.reason(), DenyReason::Step(refusal), "offset {offset}");
    }
    assert!(fixture.login("alice", |factor| fixture.code(factor, 1)).granted());
}

#[test]
fn a_right_code_is_burnt_though_the_chain_failed_after_it() {
    for fixture in [two(), conceal()] {
        let codes = [fixture.code("phone", 0), fixture.code("token", 0)];
        let ending = fixture
            .login("alice", |factor| if factor == "phone" { codes[0].clone() } else { "000000".into() });
        assert!(!ending.granted());
        let ending = fixture.login("alice", |factor| codes[usize::from(factor == "token")].clone());
        assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Replay));
    }
}

#[test]
fn of_two_steps_with_the_same_digits_the_later_one_is_recorded() {
    // The secret of RFC 4226 has the code 468457 at the time steps 153567 and 153569.
    let fixture = EngineFixture::new("[[factors]]\nid = \"1234567890\"\ntype = \"totp\"\nwindow = 1\n");
    fixture.enroll_all("alice");
    fixture.clock.0.set(153_568 * 30);
    assert_eq!(fixture.code("1234567890", -1), "468457");
    assert_eq!(fixture.code("1234567890", 1), "468457");
    assert!(fixture.login("alice", |_| "468457".into()).granted());
    fixture.clock.advance(30);
    let again = fixture.login("alice", |_| "468457".into());
    assert_eq!(*again.reason(), DenyReason::Step(Refusal::ReplayFromSource));
}

#[test]
fn a_clock_that_is_turned_back_replays_nothing_and_says_so() {
    let fixture = two();
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
    let old = fixture.code("phone", 0);
    fixture.clock.advance(3600);
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
    fixture.clock.0.set(engine_fixture::NOW);
    assert_eq!(*fixture.login("alice", |_| old.clone()).reason(), DenyReason::Step(Refusal::Replay));
    assert_eq!(*fixture.login("alice", |_| "123456".into()).reason(), DenyReason::Step(Refusal::ClockBehind));
}

#[test]
fn hotp_looks_ahead_as_far_as_the_policy_says_and_never_back() {
    let policy = "[[factors]]\nid = \"token\"\ntype = \"hotp\"\nlook_ahead = 10\n";
    for (counter, granted) in [(0, true), (9, true), (10, false)] {
        let fixture = EngineFixture::new(policy);
        fixture.enroll_all("alice");
        assert_eq!(
            fixture.login("alice", |factor| fixture.code(factor, counter)).granted(),
            granted,
            "counter {counter}"
        );
    }
    let fixture = EngineFixture::new(policy);
    fixture.enroll_all("alice");
    assert!(fixture.login("alice", |factor| fixture.code(factor, 5)).granted());
    assert_eq!(
        *fixture.login("alice", |factor| fixture.code(factor, 5)).reason(),
        DenyReason::Step(Refusal::ReplayFromSource)
    );
    assert!(!fixture.login("alice", |factor| fixture.code(factor, 4)).granted());
    assert!(fixture.login("alice", |factor| fixture.code(factor, 6)).granted());
}

#[test]
fn a_wrong_hotp_code_leaves_the_counter_where_it_is() {
    let fixture = EngineFixture::new("[[factors]]\nid = \"token\"\ntype = \"hotp\"\nlook_ahead = 1\n");
    fixture.enroll_all("alice");
    for _ in 0..3 {
        assert!(!fixture.login("alice", |_| "000000".into()).granted());
    }
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
}

#[test]
fn eight_digits_are_asked_of_a_credential_that_has_eight() {
    let fixture = EngineFixture::new(
        "[[factors]]\nid = \"phone\"\ntype = \"totp\"\ndigits = 8\nalgorithm = \"SHA512\"\nperiod = 60\n",
    );
    fixture.enroll_all("alice");
    let code = fixture.code("phone", 0);
    assert_eq!(code.len(), 8);
    assert_eq!(
        *fixture.login("alice", |_| code[2..].to_owned()).reason(),
        DenyReason::Step(Refusal::Malformed)
    );
    assert!(fixture.login("alice", |_| format!(" {} {} ", &code[..4], &code[4..])).granted());
}

#[test]
fn each_failed_chain_is_charged_once_and_a_success_there_gives_three_back() {
    let fixture = two();
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted(), "known from now on");
    for count in 1..=4 {
        assert!(!fixture.login("alice", |_| "000000".into()).granted());
        assert_eq!(fixture.failures("alice"), count);
    }
    assert!(fixture.login("alice", |factor| fixture.code(factor, 1)).granted());
    assert_eq!(fixture.failures("alice"), 1);
    fixture.clock.advance(60);
    assert!(
        !fixture
            .login("alice", |factor| if factor == "token" { "1".into() } else { fixture.code(factor, 1) })
            .granted()
    );
    assert_eq!(fixture.failures("alice"), 2);
}

#[test]
fn after_five_failures_right_codes_wait_thirty_seconds() {
    let fixture = two();
    for _ in 0..5 {
        assert!(!fixture.login("alice", |_| "000000".into()).granted());
    }
    let ending = fixture.login("alice", |factor| fixture.code(factor, 0));
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Throttled { wait_seconds: 30 }));
    assert_eq!(ending.asked, ["phone"], "a throttled user sees the prompts of every other");
    fixture.clock.advance(29);
    assert!(!fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
    assert_eq!(fixture.failures("alice"), 5, "what was not judged is not charged");
    fixture.clock.advance(1);
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
}

#[test]
fn waits_follow_the_published_schedule() {
    let fixture = EngineFixture::new(
        "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n[[factors]]\nid = \"token\"\ntype = \"totp\"\n\
         [throttle]\nfailures_a_day = 1000\n",
    );
    fixture.enroll_all("alice");
    let mut waits = Vec::new();
    for _ in 0..140 {
        assert!(!fixture.login("alice", |_| "000000".into()).granted());
        let ending = fixture.login("alice", |_| "000000".into());
        if let DenyReason::Step(Refusal::Throttled { wait_seconds }) = ending.reason() {
            waits.push((fixture.failures("alice"), *wait_seconds));
            fixture.clock.advance(*wait_seconds);
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
    let fixture = two();
    for _ in 0..5 {
        fixture.login("alice", |_| "000000".into());
    }
    fixture.clock.0.set(engine_fixture::NOW - 10_000);
    let throttled = |wait_seconds| DenyReason::Step(Refusal::Throttled { wait_seconds });
    assert_eq!(*fixture.login("alice", |_| "000000".into()).reason(), throttled(30));
    fixture.clock.advance(30);
    assert!(
        fixture.login("alice", |factor| fixture.code(factor, 0)).granted(),
        "30 s after the clock was seen to be back"
    );
}

#[test]
fn the_filler_of_sshd_is_refused_and_not_charged() {
    let fixture = two();
    let ending = fixture.login("alice", |_| "\x08\n\r\x7fINCORRECT".into());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::SshdJunk));
    assert_eq!(fixture.failures("alice"), 0);
}

#[test]
fn an_answer_to_another_step_is_a_breach_and_costs_a_failure() {
    for fixture in [two(), conceal()] {
        let engine = fixture.engine();
        let Next::Ask(attempt) = engine.begin(&Request::local("app", "alice")) else { panic!("a chain") };
        let breach = engine.submit(attempt, "token", typed(&fixture.code("token", 0))).expect_err("a breach");
        assert_eq!((breach.expected.as_str(), breach.answered.as_str()), ("phone", "token"));
        assert_eq!(fixture.failures("alice"), 1);
        let trail = fixture.audit.0.borrow().join("\n");
        assert!(trail.contains("reason=breach"), "{trail}");
    }
}

#[test]
fn a_breach_after_a_right_step_loses_that_step() {
    let fixture = two();
    let engine = fixture.engine();
    let request = Request::local("app", "alice");
    let Next::Ask(attempt) = engine.begin(&request) else { panic!("a chain") };
    let Ok(Next::Ask(attempt)) = engine.submit(attempt, "phone", typed(&fixture.code("phone", 0))) else {
        panic!("step 2")
    };
    assert!(engine.submit(attempt, "phone", typed(&fixture.code("phone", 1))).is_err());
    let Next::Ask(attempt) = engine.begin(&request) else { panic!("a chain") };
    assert_eq!(attempt.expected().number, 1);
}

#[test]
fn halves_of_two_attempts_make_no_whole() {
    let fixture = two();
    let engine = fixture.engine();
    let request = Request::local("app", "alice");
    let (Next::Ask(first), Next::Ask(second)) = (engine.begin(&request), engine.begin(&request)) else {
        panic!()
    };
    assert!(matches!(engine.submit(first, "phone", typed(&fixture.code("phone", 0))), Ok(Next::Ask(_))));
    assert!(engine.submit(second, "token", typed(&fixture.code("token", 0))).is_err());
}

#[test]
fn one_code_in_two_open_attempts_passes_one() {
    let fixture = EngineFixture::new("[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    fixture.enroll_all("alice");
    let engine = fixture.engine();
    let request = Request::local("app", "alice");
    let (Next::Ask(first), Next::Ask(second)) = (engine.begin(&request), engine.begin(&request)) else {
        panic!()
    };
    let code = fixture.code("phone", 0);
    assert!(matches!(engine.submit(first, "phone", typed(&code)), Ok(Next::Over(Verdict::Grant(_)))));
    assert!(matches!(
        engine.submit(second, "phone", typed(&code)),
        Ok(Next::Over(Verdict::Deny(DenyReason::Step(Refusal::ReplayFromSource))))
    ));
}

#[test]
fn unknown_and_unenrolled_users_are_asked_the_same_and_always_denied() {
    for fixture in [two(), conceal()] {
        fixture.enroll("carol", &["phone"], None);
        let wrong = |_: &str| "000000".to_owned();
        let expected = fixture.login("alice", wrong).asked;
        for user in ["nobody", "carol", "", "../alice", "a\nb"] {
            let ending = fixture.login(user, wrong);
            assert_eq!(ending.asked, expected, "{user}");
            assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Unenrolled), "{user}");
        }
        let ending = fixture
            .login("carol", |factor| if factor == "phone" { fixture.code("phone", 0) } else { "1".into() });
        assert!(!ending.granted(), "one of two factors");
    }
}

#[test]
fn nobody_passes_with_the_codes_of_the_decoy() {
    let fixture = EngineFixture::new("[[factors]]\nid = \"phone\"\ntype = \"totp\"\nwindow = 10\n");
    let zeros = engine_fixture::totp(&[0; 20], mfa_chain::verifier::otp::Algorithm::Sha1, 6, 30);
    let step = engine_fixture::NOW / 30;
    for offset in 0..3 {
        let code = zeros.code(step + offset).to_string();
        assert_eq!(
            *fixture.login("nobody", |_| code.clone()).reason(),
            DenyReason::Step(Refusal::Unenrolled)
        );
    }
}

#[test]
fn a_fixed_chain_takes_the_first_factors_that_the_user_has() {
    let policy = "required_steps = 2\n[[factors]]\nid = \"a\"\ntype = \"totp\"\n[[factors]]\nid = \"b\"\ntype = \"totp\"\n[[factors]]\nid = \"c\"\ntype = \"hotp\"\n";
    let fixture = EngineFixture::new(policy);
    fixture.enroll("alice", &["c", "b"], None);
    fixture.enroll("bob", &["a", "b", "c"], None);
    assert_eq!(fixture.login("alice", |factor| fixture.code(factor, 0)).asked, ["b", "c"]);
    assert_eq!(fixture.login("bob", |factor| fixture.code(factor, 0)).asked, ["a", "b"]);
}

#[test]
fn a_factor_whose_kind_changed_in_the_policy_counts_as_not_enrolled() {
    let hotp = EngineFixture::new("[[factors]]\nid = \"phone\"\ntype = \"hotp\"\n");
    let totp = EngineFixture::new("[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    totp.enroll_all("alice");
    let moved = EngineFixture { policy: hotp.policy, ..totp };
    let ending = moved.login("alice", |_| "000000".into());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Unenrolled));
}

const ROLL_OUT: &str =
    "unenrolled = \"exempt\"\nuntil = 2026-12-31\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";

#[test]
fn a_roll_out_exempts_listed_users_who_are_not_enrolled_until_its_deadline() {
    let fixture = EngineFixture::new(ROLL_OUT);
    fixture.accounts.users.borrow_mut().extend(["alice".to_owned(), "bob".to_owned()]);
    fixture.enroll_all("alice");
    assert_eq!(fixture.login("bob", |_| panic!("asked")).verdict, Verdict::Exempt(Exemption::RollOut));
    assert!(!fixture.login("alice", |_| "000000".into()).granted(), "who is enrolled is asked");
    assert!(
        !fixture.login("nobody", |_| "000000".into()).granted(),
        "whom the system does not list is asked"
    );
    fixture.clock.0.set(1_798_761_599);
    assert_eq!(fixture.login("bob", |_| panic!("asked")).verdict, Verdict::Exempt(Exemption::RollOut));
    fixture.clock.0.set(1_798_761_600);
    assert!(!fixture.login("bob", |_| "000000".into()).granted());
}

const OBSERVE: &str =
    "action = \"observe\"\nuntil = 2026-12-31\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";

#[test]
fn observed_logins_of_listed_users_pass_unasked_until_the_day_and_the_log_says_who_could_have_passed() {
    let fixture = EngineFixture::new(OBSERVE);
    fixture.accounts.users.borrow_mut().extend(["alice".to_owned(), "bob".to_owned()]);
    fixture.enroll_all("alice");
    for (user, could_pass) in [("alice", "could_pass=yes"), ("bob", "could_pass=no")] {
        let ending = fixture.login(user, |_| panic!("asked"));
        assert_eq!(ending.verdict, Verdict::Exempt(Exemption::Observed));
        let trail = fixture.audit.0.borrow();
        let line = trail.iter().rfind(|line| line.contains("verdict=exempt")).expect("a line");
        assert!(line.contains("reason=observe chain=default") && line.contains(could_pass), "{line}");
    }
    assert!(
        !fixture.login("nobody", |_| "000000".into()).granted(),
        "whom the system does not list is asked"
    );
    fixture.clock.0.set(1_798_761_600);
    assert!(!fixture.login("bob", |_| "000000".into()).granted(), "the next day codes are asked");
}

#[test]
fn databases_that_do_not_answer_deny() {
    let fixture = EngineFixture::new(ROLL_OUT);
    fixture.accounts.broken.set(true);
    let ending = fixture.login("bob", |_| panic!("asked"));
    assert!(matches!(ending.reason(), DenyReason::Accounts(_)), "{ending:?}");
}

#[test]
fn rules_exempt_deny_or_choose_the_chain() {
    let fixture = EngineFixture::new(&format!(
        "{TWO}\n[chains.one]\nfactors = [\"token\"]\nrequired_steps = 1\n\
         [[rules]]\nservices = [\"cron\"]\naction = \"exempt\"\n\
         [[rules]]\nservices = [\"ftp\"]\naction = \"deny\"\n\
         [[rules]]\nservices = [\"sudo\"]\ngroups = [\"wheel\"]\nchain = \"one\"\n"
    ));
    fixture.enroll_all("alice");
    fixture.accounts.users.borrow_mut().insert("alice".to_owned());
    fixture.accounts.members.borrow_mut().insert("alice:wheel".to_owned());
    assert_eq!(
        fixture.login_through("cron", "alice", |_| panic!("asked")).verdict,
        Verdict::Exempt(Exemption::Rule(0))
    );
    assert_eq!(*fixture.login_through("ftp", "alice", |_| panic!("asked")).reason(), DenyReason::Rule(1));
    assert_eq!(fixture.login_through("sudo", "alice", |factor| fixture.code(factor, 0)).asked, ["token"]);
    assert_eq!(
        fixture.login_through("sshd", "alice", |factor| fixture.code(factor, 1)).asked,
        ["phone", "token"]
    );
}

/// The line without its `attempt=`, and that.
fn without_attempt(line: &str) -> (String, String) {
    let (before, after) = line.split_once(" attempt=").expect(line);
    let (id, after) = after.split_once(' ').unwrap_or((after, ""));
    (format!("{before} {after}"), id.to_owned())
}

#[test]
fn the_trail_has_a_line_for_each_step_and_the_verdict_and_no_code() {
    let fixture = two();
    let code = fixture.code("phone", 0);
    fixture.login("alice", |factor| if factor == "phone" { code.clone() } else { "424242".into() });
    let (lines, attempts): (Vec<String>, Vec<String>) =
        fixture.audit.0.borrow().iter().map(|line| without_attempt(line)).unzip();
    assert!(attempts.iter().all(|id| id.len() == 8 && *id == attempts[0]), "one attempt: {attempts:?}");
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
