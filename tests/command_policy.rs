//! `mfa-chain policy` and `check FILE`: what a policy changes before it is in force.
#![allow(clippy::expect_used)]

mod failed;
mod rehearsal_host;

use std::fs;
use std::path::PathBuf;

use mfa_chain::store::SystemClock;
use mfa_chain::verifier::attempt_id::AttemptId;
use mfa_chain::verifier::otp::AnsweredBy;
use mfa_chain::verifier::ports::Clock;
use mfa_chain::verifier::reason::Refusal;
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::{NameKey, OutcomeNumber, PastOutcome, SourceKey};
use rehearsal_host::{Host, POLICY};

fn beside(host: &Host, text: &str) -> PathBuf {
    let file = host.policy().with_file_name("new.toml");
    fs::write(&file, text).expect("written");
    file
}

#[test]
fn a_diff_tells_who_gets_another_answer_and_ends_with_5_where_it_is_weaker() {
    let host = Host::with_policy(POLICY);
    host.enroll("alice", &["phone", "token"]);
    let same = beside(&host, POLICY).display().to_string();
    host.run(&["policy", "diff", &same]).assert_tells(0, &["No login gets another answer."]);
    let rule = "[[rules]]\nservices = ['sshd']\nfrom = ['10.0.0.0/8']\naction = 'exempt'\n";
    let weaker = beside(&host, &format!("{POLICY}{rule}")).display().to_string();
    let told = [
        "no code is asked any more",
        "chain default (2 of phone, token) (no rule) -> exempt (rule 1, line ",
        "services sshd; from 10.0.0.0/8",
        "enrolled: alice",
        "Something becomes weaker.",
    ];
    host.run(&["policy", "diff", &weaker]).assert_tells(5, &told);
    let json = host.run(&["policy", "diff", &weaker, "--json"]);
    assert!(
        json.out.contains(r#""change":"exempt""#) && json.out.contains(r#""weaker":true"#),
        "{}",
        json.out
    );
    let stricter =
        beside(&host, &format!("{POLICY}{}", rule.replace("exempt", "deny"))).display().to_string();
    let told = [
        "stricter",
        "can no longer pass, though enrolled",
        "alice through sshd: deny",
        "Nothing becomes weaker.",
    ];
    host.run(&["policy", "diff", &stricter]).assert_tells(0, &told);
}

#[test]
fn a_file_is_checked_before_it_is_in_force() {
    let host = Host::with_policy("broken");
    host.enroll("alice", &[]);
    let good = beside(&host, POLICY).display().to_string();
    host.run(&["check", &good]).assert_tells(3, &["new.toml: valid"]);
    host.run_with_input(&["check", "-"], POLICY).assert_tells(3, &["standard input: valid"]);
    let wrong = beside(&host, "version = 2\n").display().to_string();
    host.run(&["check", &wrong]).assert_fails(3, &format!("mfa-chain: {wrong}:1:11: unknown version 2"));
    host.run(&["policy", "diff", &good]).assert_fails(3, "mfa-chain: ");
}

/// A rule that is weaker, and one that is not.
const EXEMPT: &str = "[[rules]]\nservices = ['imap']\naction = 'exempt'\n";
const DENY: &str = "[[rules]]\nusers = ['mallory']\naction = 'deny'\n";

fn in_force(host: &Host) -> String {
    fs::read_to_string(host.policy()).expect("a policy")
}

#[test]
fn a_policy_that_is_applied_comes_back_unless_it_is_confirmed() {
    let host = Host::with_policy(POLICY);
    host.enroll("root", &["phone", "token"]);
    let new = format!("{POLICY}{DENY}");
    let file = beside(&host, &new).display().to_string();
    host.run(&["policy", "apply", &file, "--within", "1h"])
        .assert_tells(0, &["Nothing becomes weaker.", "in force until"]);
    assert_eq!(in_force(&host), new);
    // Nobody passed a chain, so it does not stay, and a second change has to wait.
    host.run(&["confirm"]).assert_fails(1, "mfa-chain: root has not passed a chain since the change");
    host.run(&["policy", "apply", &file]).assert_fails(1, "mfa-chain: the policy was changed by root");
    host.run(&["rollback", "--due"]).assert_tells(0, &[]);
    assert_eq!(in_force(&host), new, "it was not due");
    host.run(&["rollback"]).assert_tells(0, &["the policy is as it was before"]);
    assert_eq!(in_force(&host), POLICY);
    host.run(&["rollback"]).assert_fails(1, "mfa-chain: no change waits");
    host.run(&["confirm"]).assert_fails(1, "mfa-chain: no change waits");
}

#[test]
fn a_timer_of_its_own_brings_the_old_policy_back() {
    let host = Host::with_policy(POLICY);
    host.enroll("root", &["phone", "token"]);
    let file = beside(&host, &format!("{POLICY}{DENY}")).display().to_string();
    host.run(&["policy", "apply", &file, "--within", "1s"]).assert_tells(0, &[]);
    // The guard ends a test that would wait for ever; how long it takes is not looked at.
    let is_back = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        in_force(&host) == POLICY && !host.store_path().join("changes/pending.json").exists()
    });
    assert!(is_back);
}

#[test]
fn what_is_weaker_is_asked_about_and_kept_in_the_log() {
    let host = Host::with_policy(POLICY);
    let file = beside(&host, &format!("{POLICY}{EXEMPT}")).display().to_string();
    let asked = host.run(&["policy", "apply", &file, "--final"]);
    assert!(asked.code == 4 && asked.err.starts_with("mfa-chain: not confirmed"), "{}", asked.err);
    assert_eq!(in_force(&host), POLICY);
    host.run(&["policy", "apply", &file, "--final", "--yes"])
        .assert_tells(0, &["Something becomes weaker.", "is in force"]);
    host.run(&["policy", "log"])
        .assert_tells(0, &["2  ", "apply by root", "weaker: chain default", "1  ", "found by unknown"]);
    host.run(&["policy", "log", "1"]).assert_tells(0, &["required_steps"]);
    host.run(&["policy", "undo", "--final"]).assert_tells(0, &["Nothing becomes weaker."]);
    assert_eq!(in_force(&host), POLICY);
    host.run(&["policy", "undo", "9", "--final"]).assert_fails(1, "mfa-chain: no such policy is kept");
}

#[test]
fn a_policy_that_is_not_valid_is_never_put_in_force() {
    let host = Host::with_policy(POLICY);
    let file = beside(&host, "version = 2\n").display().to_string();
    host.run(&["policy", "apply", &file, "--final", "--yes"]).assert_fails(3, &format!("mfa-chain: {file}:"));
    assert_eq!(in_force(&host), POLICY);
    assert!(
        !host.store_path().join("changes").exists()
            || !host.store_path().join("changes/pending.json").exists()
    );
}

#[test]
fn files_beside_the_policy_are_included_in_the_order_of_their_names() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let host = Host::with_policy(POLICY);
    host.enroll("alice", &["phone", "token"]);
    let folder = host.policy().with_extension("d");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("20-site.toml"), DENY).expect("written");
    fs::write(folder.join("10-mail.toml"), format!("# mail\n{EXEMPT}")).expect("written");
    fs::write(folder.join("README"), "not a policy").expect("written");
    fs::write(folder.join(".30.toml.swp"), "not a policy").expect("written");
    let told = [
        format!("1 (line 2 of {}/10-mail.toml): services imap -> exempt", folder.display()),
        format!("2 (line 1 of {}/20-site.toml): users mallory -> deny", folder.display()),
    ];
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    host.run(&["check"]).assert_tells(0, &told);
    // A new policy includes them too, so its diff knows their rules.
    let new = beside(&host, &format!("{POLICY}{EXEMPT}")).display().to_string();
    host.run(&["policy", "diff", &new]).assert_tells(0, &["No login gets another answer."]);
    let site = folder.join("20-site.toml");
    fs::write(&site, "[[rules]]\naction = 'allow'\n").expect("written");
    host.run(&["check"]).assert_fails(3, &format!("mfa-chain: {}:2:10: unknown action", site.display()));
    fs::write(&site, DENY).expect("written");
    fs::set_permissions(&site, PermissionsExt::from_mode(0o666)).expect("mode");
    host.run(&["check"]).assert_fails(3, &format!("mfa-chain: {}: not safe to use", site.display()));
    fs::remove_file(&site).expect("removed");
    symlink(folder.join("10-mail.toml"), &site).expect("a link");
    host.run(&["check"]).assert_fails(3, &format!("mfa-chain: {}: not safe to use", site.display()));
    fs::remove_file(&site).expect("removed");
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).expect("mode");
    host.run(&["check"]).assert_fails(3, &format!("mfa-chain: {}: not safe to use", folder.display()));
    // Also where others took everything away.
    fs::remove_file(folder.join("10-mail.toml")).expect("removed");
    host.run(&["check"]).assert_fails(3, &format!("mfa-chain: {}: not safe to use", folder.display()));
}

#[test]
fn a_chain_counts_for_the_confirmation_only_as_a_whole() {
    let accepted = OutcomeNumber::of(None);
    let wrong = OutcomeNumber::of(Some(Refusal::WrongCode));
    // The outcomes of the two steps, whether they are of one attempt, and whether they confirm. A chain that conceals
    // which code was wrong judges the second one too.
    for (outcomes, is_one_attempt, is_confirmed) in [
        ([accepted, accepted], true, true),
        ([wrong, accepted], true, false),
        ([accepted, wrong], true, false),
        ([accepted, accepted], false, false),
    ] {
        let host = Host::with_policy(POLICY);
        host.enroll("root", &["phone", "token"]);
        let file = beside(&host, &format!("{POLICY}{DENY}")).display().to_string();
        host.run(&["policy", "apply", &file]).assert_tells(0, &[]);
        host.change_state("root", |_, state| {
            for (number, outcome) in (1_u8..).zip(outcomes) {
                state.outcomes.push(PastOutcome {
                    at: SystemClock.now(),
                    attempt: AttemptId::from_number(if is_one_attempt { 1 } else { number.into() }),
                    source: SourceKey::of(&Request::local("sudo", "root"), &state.draw_key),
                    service: NameKey::of_service("sudo", &state.draw_key),
                    factor: NameKey::default(),
                    step: number,
                    steps: 2,
                    outcome,
                    by: AnsweredBy::Code,
                    charged: false,
                });
            }
        });
        let code = host.run(&["confirm"]).code;
        assert_eq!(code == 0, is_confirmed, "{outcomes:?} {is_one_attempt}");
        host.run(&["rollback"]);
    }
}
