//! `mfa-chain check` and `mfa-chain explain`: what they tell, and how they end.
#![allow(clippy::expect_used, clippy::indexing_slicing)]

mod failed;
mod rehearsal_host;

use failed::failed;
use mfa_chain::store::SystemClock;
use mfa_chain::verifier::ports::Clock;
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::{ChainMark, FailureCounts, SourceKey};
use rehearsal_host::{Host, POLICY};

#[test]
fn a_valid_policy_is_told_in_full() {
    let host = Host::with_policy(POLICY);
    host.enroll("alice", &["phone", "token"]);
    let told = [
        "policy.toml: valid",
        "phone: totp, window 1, \"Phone app\"; enrollments get SHA1, 6 digits, every 30 s",
        "token: hotp, look_ahead 10",
        "default: fixed, 2 of 2 factors (phone, token), on_wrong_code reset, unenrolled deny",
        "else: chain default",
        "\"Phone app code (step 1 of 2): \"",
        "from 5: wait 30 s, doubling up to 900 s",
        "1 user",
        "no warnings",
    ];
    host.run(&["check"]).assert_tells(0, &told);
}

#[test]
fn a_wrong_policy_is_told_with_its_place() {
    let host = Host::with_policy("required_steps = 1\n[[factors]]\nid = 'phone'\ntype = 'topt'\n");
    let start = format!("mfa-chain: {}:4:8: ", host.policy().display());
    host.run(&["check"]).assert_fails(3, &start);
    assert!(host.run(&["check", "--json"]).err.starts_with(&start));
    host.run(&["explain", "root", "--service", "sshd"]).assert_fails(3, &start);
}

#[test]
fn check_tells_every_mistake_of_a_policy_and_other_commands_how_many() {
    let host =
        Host::with_policy("required_steps = 1\n[[factors]\nid = 'phone'\ntype = 'topt'\nwindow = 99\n");
    let policy = host.policy().display().to_string();
    let checked = host.run(&["check"]);
    let lines: Vec<&str> = checked.err.lines().collect();
    let starts = ["2:11: a bracket is missing", "4:8: unknown type", "5:10: `window` is 99"];
    assert_eq!((checked.code, lines.len()), (3, starts.len()), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&format!("mfa-chain: {policy}:{start}")), "{line}");
    }
    let explained = host.run(&["explain", "root", "--service", "sshd"]);
    explained.assert_fails(3, &format!("mfa-chain: {policy}:2:11: "));
    let more = format!("; and 2 more; `mfa-chain --policy {policy} check` lists them\n");
    assert!(explained.err.ends_with(&more), "{}", explained.err);
}

#[test]
fn a_missing_or_unsafe_policy_is_told_with_its_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::with_policy(POLICY);
    std::fs::set_permissions(host.policy(), PermissionsExt::from_mode(0o666)).expect("mode");
    let start = format!("mfa-chain: {}: not safe to use: ", host.policy().display());
    host.run(&["check"]).assert_fails(3, &start);
    std::fs::remove_file(host.policy()).expect("removed");
    let start = format!("mfa-chain: {}: not there; write a policy there", host.policy().display());
    host.run(&["check"]).assert_fails(3, &start);
}

#[test]
fn what_is_likely_not_meant_is_a_warning() {
    let rules = "[chains.spare]\n[[rules]]\nfrom = ['10.0.0.0/8']\nservices = ['sshd']\naction = 'exempt'\n";
    let host = Host::with_policy(&format!("{POLICY}{rules}"));
    let told = ["chain spare: no rule uses it", "not there, so every login that asks for codes is denied"];
    host.run(&["check"]).assert_tells(3, &told);
}

#[test]
fn rules_that_no_login_of_this_host_matches_are_warnings() {
    let rules = "[[rules]]\nusers = ['alcie-typo', 'root']\ngroups = ['admin-typo']\naction = 'deny'\n\
                 [[rules]]\nservices = ['no-such-service']\naction = 'deny'\n\
                 [[rules]]\nfrom = ['0.0.0.0/0', '::/0']\naction = 'exempt'\n";
    let host = Host::with_policy(&format!("{POLICY}{rules}"));
    host.enroll("alice", &["phone", "token"]);
    let told = [
        "rule 1 (line 13): this host lists no user `alcie-typo`",
        "rule 1 (line 13): this host lists no group `admin-typo`",
        "rule 2 (line 17): no service `no-such-service` has a file in /etc/pam.d",
        "with the rule in line 20 logins from everywhere are exempt",
    ];
    host.run(&["check"]).assert_tells(0, &told);
}

#[test]
fn users_who_cannot_pass_are_counted_and_named() {
    let host = Host::with_policy(POLICY);
    host.enroll("alice", &["phone", "token"]);
    host.enroll("bob", &["phone"]);
    host.run(&["check"]).assert_tells(0, &["1 of 2 enrolled users cannot pass the default chain", ": bob\n"]);
    for user in ["c1", "c2", "c3", "c4", "c5"] {
        host.enroll(user, &["token"]);
    }
    host.run(&["check"]).assert_tells(0, &["6 of 7 enrolled users", ": bob, c1, c2, c3, c4, …\n"]);
}

#[test]
fn files_that_are_damaged_or_lost_end_check_with_1() {
    let host = Host::with_policy(POLICY);
    for user in ["alice", "bob", "carol", "dave"] {
        host.enroll(user, &["phone", "token"]);
    }
    let state = host.store_path().join("state");
    std::fs::write(state.join("alice"), vec![0; 8192]).expect("damaged");
    std::fs::remove_file(state.join("bob")).expect("removed");
    std::fs::write(host.store_path().join("secrets/carol.toml"), "version = 1\nx = 2\n").expect("damaged");
    let told = [
        "state/alice: the login state is damaged",
        "bob: the login state is gone",
        "secrets/carol.toml: 2:1: ",
        "--reset-state",
    ];
    host.run(&["check"]).assert_tells(1, &told);
    assert_eq!(host.run(&["check", "--json"]).json()["store"], "damaged");
    // The last whole user's file too: nobody is left.
    std::fs::remove_file(state.join("dave")).expect("removed");
    host.run(&["check"]).assert_tells(3, &told);
}

#[test]
fn a_policy_that_is_not_valid_is_an_object_too() {
    let host =
        Host::with_policy("required_steps = 1\n[[factors]]\nid = \"a\"\ntype = \"tot\"\nwindow = 99\n");
    let ended = host.run(&["check", "--json"]);
    assert_eq!(ended.code, 3);
    let object = ended.json();
    assert_eq!(object["valid"], false);
    let mistakes = object["error"]["mistakes"].as_array().expect("a list");
    assert_eq!(
        (mistakes.len(), &mistakes[0]["line"], &object["error"]["code"]),
        (2, &4.into(), &"policy-invalid".into())
    );
}

#[test]
fn users_who_all_lack_a_factor_end_check_with_3() {
    let host = Host::with_policy(POLICY);
    host.enroll("root", &["phone"]);
    host.run(&["check"]).assert_tells(3, &["1 of 1 enrolled users cannot pass the default chain"]);
    let other = host.run(&["check", "--json"]).json();
    assert_eq!(other["store"], "nobody-passes");
    // A chain that a rule gives may be enough.
    let short = Host::with_policy(&format!(
        "{POLICY}[chains.short]\nrequired_steps = 1\n[[rules]]\nservices = ['sudo']\nchain = 'short'\n"
    ));
    short.enroll("root", &["phone"]);
    short.run(&["check"]).assert_tells(0, &["1 of 1 enrolled users cannot pass the default chain"]);
}

#[test]
fn a_folder_of_the_store_that_is_gone_is_one_line_with_its_cure() {
    for (folder, told) in [
        ("secrets", "its folder `secrets` is gone, so no authenticator is known"),
        ("state", "folder `state` is gone, so used codes are not known"),
    ] {
        let host = Host::with_policy(POLICY);
        for user in ["root", "daemon", "bin"] {
            host.enroll(user, &["phone", "token"]);
        }
        std::fs::rename(host.store_path().join(folder), host.store_path().join("aside")).expect("moved");
        let ended = host.run(&["check"]);
        ended.assert_tells(3, &[told]);
        let gone = ended.out.lines().filter(|line| line.contains("gone")).count();
        assert_eq!(gone, 1, "{}", ended.out);
        if folder == "state" {
            host.run(&["unlock", "root", "--reset-state"]).assert_tells(0, &["Bypass code"]);
            assert!(host.store_path().join("state/root").exists(), "the cure works as printed");
        }
    }
}

#[test]
fn a_store_that_lets_nobody_pass_ends_check_with_3() {
    let host = Host::with_policy(POLICY);
    host.run(&["check"]).assert_tells(3, &["not there, so every login that asks for codes is denied"]);
    host.enroll("alice", &["phone", "token"]);
    host.run(&["check"]).assert_tells(0, &["1 user"]);
    std::fs::rename(host.store_path().join("secrets"), host.store_path().join("aside")).expect("moved");
    host.run(&["check"]).assert_tells(3, &["its folder `secrets` is gone"]);
    assert_eq!(host.run(&["check", "--json"]).json()["store"], "nobody-passes");
    std::fs::rename(host.store_path().join("aside"), host.store_path().join("secrets")).expect("moved back");
    std::fs::remove_file(host.store_path().join("decoys/states")).expect("removed");
    host.run(&["check"]).assert_tells(1, &["decoys/states: "]);
    std::fs::copy(host.store_path().join("state/alice"), host.store_path().join("state/ghost"))
        .expect("copied");
    host.run(&["check"]).assert_tells(1, &["state/ghost: belongs to a user whose secret file is gone"]);
    std::fs::remove_dir_all(host.store_path().join("decoys")).expect("removed");
    host.run(&["check"]).assert_tells(1, &["decoys"]);
    std::fs::remove_dir_all(host.store_path()).expect("removed");
    host.run(&["check"]).assert_tells(3, &["restore it from a backup"]);
    // Nobody is asked, so nobody is kept out.
    let asks_nobody = Host::with_policy(&format!("{POLICY}[[rules]]\naction = 'exempt'\n"));
    asks_nobody.run(&["check"]).assert_tells(0, &["exempts every login"]);
}

#[test]
fn check_as_json_is_one_object() {
    let host = Host::with_policy(POLICY);
    host.enroll("bob", &["phone"]);
    let object = host.run(&["check", "--json"]).json();
    assert_eq!(object["valid"], true);
    assert_eq!(object["chains"][0]["factors"], serde_json::json!(["phone", "token"]));
    assert_eq!(object["throttle"]["lock_after"], 100);
    assert_eq!(object["users"], 1);
    assert_eq!(object["warnings"].as_array().map(Vec::len), Some(1));
}

#[test]
fn explain_tells_the_rule_that_matches() {
    let rules = "[chains.admin]\nmode = 'random'\n[[rules]]\nusers = ['eve']\naction = 'deny'\n[[rules]]\n\
                 from = ['10.0.0.0/8']\naction = 'exempt'\n[[rules]]\ngroups = ['daemon']\nchain = 'admin'\n";
    let host = Host::with_policy(&format!("{POLICY}{rules}"));
    host.enroll("root", &["phone", "token"]);
    let cases: [(&[&str], i32, &[&str]); 5] = [
        (&["eve"], 1, &["1 (line 15): users eve -> deny", "denied by the rule"]),
        (&["root", "--rhost", "10.1.2.3"], 0, &["2 (line 18): from 10.0.0.0/8 -> exempt", "exempt: no code"]),
        (
            &["root", "--group", "daemon"],
            0,
            &["3 (line 21)", "admin: random", "2 of 2 in a draw per attempt"],
        ),
        (&["root", "--rhost", "host.example"], 0, &["no rule: the default chain", "--rhost is no address"]),
        (&["root", "--group", "users"], 0, &["step 1  phone (Phone app)", "step 2  token (Key-ring token)"]),
    ];
    for (arguments, code, told) in cases {
        let line = [&["explain", "--service", "sshd"], arguments].concat();
        host.run(&line).assert_tells(code, told);
    }
    let object = host.run(&["explain", "eve", "--service", "sshd", "--json"]).json();
    assert_eq!((&object["rule"], &object["rule_line"]), (&1.into(), &15.into()));
    assert_eq!((&object["decision"], &object["can_pass"]), (&"deny".into(), &false.into()));
}

#[test]
fn explain_tells_what_an_enrolled_user_would_meet() {
    let host = Host::with_policy(POLICY);
    host.enroll("root", &["phone", "token"]);
    let told = ["enrolled phone, token", "could pass now, with right codes"];
    host.run(&["explain", "root", "--service", "sshd"]).assert_tells(0, &told);
    let object = host.run(&["explain", "root", "--service", "sshd", "--json"]).json();
    assert_eq!(object["rule"], serde_json::Value::Null);
    assert_eq!((&object["chain"], &object["mode"]), (&"default".into(), &"fixed".into()));
    assert_eq!(object["steps"][1]["factor"], "token");
    assert_eq!(object["reasons"], serde_json::json!([]));
}

#[test]
fn explain_tells_an_unenrolled_user_from_one_who_can_pass() {
    let host = Host::with_policy(POLICY);
    host.enroll("root", &["phone"]);
    let told =
        ["missing  token", "1 of the 2 factors needed", "prompts are shown all the same", "cannot pass"];
    host.run(&["explain", "root", "--service", "sshd"]).assert_tells(1, &told);
    let told = ["0 of the 2 factors needed", "lists no account `nobody-here`"];
    host.run(&["explain", "nobody-here", "--service", "sshd"]).assert_tells(1, &told);
}

#[test]
fn explain_tells_a_roll_out() {
    let host = Host::with_policy(&format!("unenrolled = 'exempt'\nuntil = 2999-12-31\n{POLICY}"));
    host.enroll("alice", &["phone", "token"]);
    host.run(&["explain", "root", "--service", "sshd"])
        .assert_tells(0, &["the roll-out deadline has not passed"]);
    // Nobody lists the account, so nobody is let in.
    host.run(&["explain", "nobody-here", "--service", "sshd"]).assert_tells(1, &["cannot pass"]);
}

#[test]
fn explain_tells_an_observed_login_with_what_it_would_meet() {
    let rule = "[[rules]]\nservices = ['sudo']\naction = 'observe'\nuntil = 2999-12-31\n";
    let host = Host::with_policy(&format!("{POLICY}{rule}"));
    host.enroll("root", &["phone"]);
    let told = ["exempt and observed through 2999-12-31", "could not pass the chain now", "missing  token"];
    host.run(&["explain", "root", "--service", "sudo"]).assert_tells(0, &told);
    host.run(&["explain", "root", "--service", "sshd"]).assert_tells(1, &["cannot pass now"]);
    host.run(&["explain", "nobody-here", "--service", "sudo"]).assert_tells(1, &["cannot pass now"]);
}

#[test]
fn explain_tells_what_right_codes_cannot_overcome() {
    let host = Host::with_policy(POLICY);
    host.enroll("root", &["phone", "token"]);
    let now = SystemClock.now();
    host.change_state("root", |_, state| state.failures.strangers = failed(7, now));
    host.run(&["explain", "root", "--service", "sshd"]).assert_tells(1, &["throttled: 7 failures"]);
    // At a place of its own somebody else's failures make nobody wait.
    host.change_state("root", |_, state| {
        let request = Request { ruser: Some("alice".to_owned()), ..Request::local("sudo", "root") };
        let key = SourceKey::of(&request, &state.draw_key);
        state.failures.pass(key, ChainMark { key: 1, hardness: 18 }, now);
    });
    let at = |ruser: &str| host.run(&["explain", "root", "--service", "sudo", "--ruser", ruser]);
    at("alice").assert_tells(0, &["could pass now"]);
    at("mallory").assert_tells(1, &["throttled: 7 failures"]);
    host.change_state("root", |record, state| {
        state.failures = FailureCounts::default();
        let next = record.credentials()[0].step_at(now).expect("a step");
        state.mark_used(&record.credentials()[0], next.saturating_add(9), now);
    });
    let told = ["`phone`: its codes are used up for about", "cannot pass now"];
    host.run(&["explain", "root", "--service", "sshd"]).assert_tells(1, &told);
    host.store().reset_state(&rehearsal_host::name("root"), None, now).expect("reset");
    let told = [
        "`phone`: void since the login state was reset, for about",
        "`token`: void since the login state was reset, until `mfa-chain",
        "cannot pass now",
    ];
    host.run(&["explain", "root", "--service", "sshd"]).assert_tells(1, &told);
}

#[test]
fn explain_ends_with_3_where_the_module_could_not_decide() {
    let host = Host::with_policy(POLICY);
    host.run(&["explain", "root", "--service", "sshd"])
        .assert_fails(3, &format!("mfa-chain: {}: not there; ", host.store_path().display()));
    host.enroll("root", &["phone", "token"]);
    std::fs::remove_file(host.store_path().join("state/root")).expect("removed");
    host.run(&["explain", "root", "--service", "sshd"]).assert_fails(
        3,
        &format!("mfa-chain: {}/state/root: the login state is gone", host.store_path().display()),
    );
}
