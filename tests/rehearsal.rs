//! `mfa-chain try` and `mfa-chain demo`: true logins through libpam and the module, with codes that another
//! program computes.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::missing_panics_doc)]

mod failed;
mod rehearsal_host;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use failed::failed;
use mfa_chain::store::SystemClock;
use mfa_chain::verifier::ports::Clock;
use rehearsal_host::{Host, PHONE, POLICY, TOKEN};

#[test]
fn right_codes_are_granted_and_never_shown() {
    let host = host();
    let (phone, token) = (totp(), hotp(0));
    let ended = host.run_with_input(&try_alice(&["--answers", "-"]), &format!("{phone}\n{token}\n"));
    let told = [
        "This is a true attempt of alice",
        "Phone app code (step 1 of 2): (answered)",
        "Key-ring token code (step 2 of 2): (answered)",
        "step 1   phone: accepted\nstep 2   token: accepted\nverdict  granted",
    ];
    ended.assert_tells(0, &told);
    assert!(!ended.out.contains(&phone) && !ended.out.contains(&token), "{}", ended.out);
    assert_eq!((host.state("alice").failures.total(), host.left_behind()), (0, 0));

    let again = host.run_with_input(&try_alice(&["--answers", "-"]), &format!("{phone}\n{token}\n"));
    let told = [
        "Access denied. The chain starts again at step 1.",
        "step 1   phone: replay (the code, or a later one, was used before)\n",
        "verdict  denied: Authentication failure (code 7)",
        "mfa-chain explain alice --service sshd",
        "1 answer was not asked for",
    ];
    again.assert_tells(1, &told);
    // The last accepted code from the same place is refused, and costs nothing.
    assert_eq!(host.state("alice").failures.total(), 0);
}

#[test]
fn answers_come_from_a_file_and_the_verdict_as_json() {
    let host = host();
    let answers = host.path().join("answers");
    std::fs::write(&answers, format!("{}\n{}\n", totp(), hotp(3))).expect("answers");
    let answers = answers.to_str().expect("text");
    let line = try_alice(&["--answers", answers, "--json"]);
    let granted = host.run(&line).json();
    assert_eq!((&granted["granted"], &granted["code"]), (&true.into(), &0.into()));
    assert_eq!(granted["prompts"][1], "Key-ring token code (step 2 of 2): ");
    assert_eq!(granted["notices"], serde_json::json!([]));
    let denied = host.run(&line);
    assert_eq!(denied.code, 1);
    let object = denied.json();
    assert_eq!((&object["granted"], &object["code"]), (&false.into(), &7.into()));
    assert_eq!(object["text"], "Authentication failure");
    let step =
        serde_json::json!({"step": 1, "factor": "phone", "outcome": "replay", "by": null, "charged": false});
    let mut steps = object["steps"].clone();
    let attempt = steps[0].as_object_mut().and_then(|step| step.remove("attempt"));
    assert!(attempt.is_some_and(|id| id.as_str().is_some_and(|id| id.len() == 8)));
    assert_eq!(steps, serde_json::json!([step]));
    assert_eq!(granted["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(object["notices"][0], "Access denied. The chain starts again at step 1.");
}

#[test]
fn each_wrong_answer_is_told_by_its_reason_to_whoever_runs_the_command() {
    let host = host();
    let line = try_alice(&["--answers", "-"]);
    for (answers, told) in [
        ("123".to_owned(), "step 1   phone: malformed (not the shape of a code)\n"),
        ("AAAA-AAAA-AAAA-AAAA-AAAA-AAAA".to_owned(), "phone: wrong-recovery-code by a recovery code (no"),
        (
            format!("{}\n000000", totp()),
            "step 1   phone: accepted\nstep 2   token: wrong-code (no code of the window)",
        ),
    ] {
        host.run_with_input(&line, &format!("{answers}\n")).assert_tells(1, &[told]);
    }
    host.change_state("alice", |_, state| {
        state.failures.strangers = failed(12, SystemClock.now());
    });
    host.run_with_input(&line, "000000\n")
        .assert_tells(1, &["step 1   phone: throttled (nothing was judged;"]);
    host.run_with_input(&line, "000000\n")
        .assert_tells(1, &["step 1   phone: throttled (nothing was judged;"]);
    let elsewhere = try_alice(&["--answers", "-", "--rhost", "192.0.2.7"]);
    let ended = host.run_with_input(&elsewhere, "000000\n");
    assert_eq!(ended.out.matches("step 1   phone").count(), 1, "of this login alone: {}", ended.out);
}

#[test]
fn answers_that_run_out_cancel_the_login_and_cost_nothing() {
    let host = host();
    let ended = host.run(&try_alice(&["--answers", "-"]));
    assert_eq!(ended.code, 4, "{}", ended.out);
    assert_eq!(ended.err, "mfa-chain: the answers ran out before the login ended\n");
    assert_eq!((host.state("alice").failures.total(), host.left_behind()), (0, 0));
    host.run(&try_alice(&["--answers", "/nowhere"]))
        .assert_fails(4, "mfa-chain: /nowhere: cannot read the answers");
}

#[test]
fn an_unenrolled_user_meets_the_same_prompts_and_is_denied() {
    let host = host();
    let line = ["try", "nobody-here", "--service", "sshd", "--module", module(), "--answers", "-"];
    let told =
        ["Phone app code (step 1 of 2): (answered)", "verdict  denied: Authentication failure (code 7)"];
    host.run_with_input(&line, "123456\n123456\n").assert_tells(1, &told);
}

#[test]
fn an_exemption_is_not_taken_for_a_denial() {
    let rule = "[[rules]]\nservices = ['sshd']\nfrom = ['10.0.0.0/8']\naction = 'exempt'\n";
    let host = Host::with_policy(&format!("{POLICY}{rule}"));
    host.enroll("alice", &["phone", "token"]);
    let line = try_alice(&["--answers", "-", "--rhost", "10.1.2.3"]);
    host.run(&line).assert_tells(0, &["verdict  exempt by rule 1 (line 13)"]);
    let line = try_alice(&["--answers", "-", "--rhost", "192.0.2.1"]);
    assert_eq!(host.run(&line).code, 4);
}

#[test]
fn a_rule_by_terminal_is_tried_and_explained_by_it() {
    let rule = "[[rules]]\nttys = ['tty*']\naction = 'exempt'\n";
    let host = Host::with_policy(&format!("{POLICY}{rule}"));
    host.enroll("alice", &["phone", "token"]);
    let explain = |tty: &str| host.run(&["explain", "alice", "--service", "login", "--tty", tty]);
    explain("tty1").assert_tells(0, &["ttys tty* -> exempt"]);
    explain("pts/1").assert_tells(0, &["no rule: the default chain"]);
    let line = try_alice(&["--answers", "-", "--tty", "tty1"]);
    host.run(&line).assert_tells(0, &["verdict  exempt by rule 1 (line 13)"]);
    let line = try_alice(&["--answers", "-", "--tty", "pts/1"]);
    assert_eq!(host.run(&line).code, 4);
}

#[test]
fn explain_says_whose_codes_are_asked() {
    let host = host();
    let explain = |service: &str| host.run(&["explain", "alice", "--service", service]).out;
    assert!(explain("sudo").contains("the codes of who calls it; with `targetpw`"));
    assert!(explain("su").contains("the codes of the account that is entered"));
    assert!(!explain("sshd").contains("the codes of who"));
}

#[test]
fn a_rule_that_denies_asks_nothing() {
    let host = Host::with_policy(&format!("{POLICY}[[rules]]\nservices = ['sshd']\naction = 'deny'\n"));
    host.enroll("alice", &["phone", "token"]);
    host.run(&try_alice(&["--answers", "-"])).assert_tells(1, &["verdict  denied: "]);
}

#[test]
fn a_module_that_is_not_there_is_told_with_where_it_was_looked_for() {
    let host = host();
    let line = ["try", "alice", "--service", "sshd", "--answers", "-", "--module"];
    host.run(&[&line[..], &["/nowhere.so"]].concat()).assert_fails(3, "mfa-chain: /nowhere.so: not a file");
    let text = host.policy();
    let text = text.to_str().expect("text");
    let ended = host.run(&[&line[..], &[text]].concat());
    assert_eq!(ended.code, 3, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("libpam cannot load this module"), "{}", ended.err);
}

#[test]
fn a_broken_policy_or_store_ends_with_3() {
    let host = host();
    std::fs::write(host.store_path().join("state/alice"), vec![0; 8192]).expect("damaged");
    let ended = host.run(&try_alice(&["--answers", "-"]));
    assert_eq!(ended.code, 3, "{}{}", ended.out, ended.err);
    std::fs::write(host.policy(), "version = 2\n").expect("policy");
    let start = format!("mfa-chain: {}:1:11: ", host.policy().display());
    host.run(&try_alice(&["--answers", "-"])).assert_fails(3, &start);
}

#[test]
fn a_name_that_is_no_service_is_refused() {
    let line = ["try", "alice", "--service", "../sshd", "--module", module(), "--answers", "-"];
    host().run(&line).assert_fails(3, "mfa-chain: ../sshd: not a PAM service");
}

#[test]
fn the_demonstration_has_the_six_verdicts_and_leaves_nothing() {
    let host = host();
    let ended = host.run(&["demo", "--module", module()]);
    ended.assert_tells(
        0,
        &["All six verdicts are the expected ones.", "Failures that stand: 3, of logins 2 to 4"],
    );
    let verdicts: Vec<&str> = ended.out.lines().filter_map(|line| line.strip_prefix("  => ")).collect();
    let expected = ["granted", "denied", "denied", "denied", "granted", "granted"];
    assert_eq!(verdicts.len(), expected.len(), "{}", ended.out);
    for (verdict, expected) in verdicts.iter().zip(expected) {
        assert!(verdict.starts_with(expected), "{}", ended.out);
    }
    assert_eq!((host.left_behind(), host.state("alice").failures.strangers.draw), (0, 0));
}

#[test]
fn a_demonstration_that_fails_leaves_nothing() {
    let host = host();
    let text = host.policy();
    let ended = host.run(&["demo", "--module", text.to_str().expect("text")]);
    assert_eq!((ended.code, host.left_behind()), (3, 0), "{}", ended.err);
    assert!(ended.err.contains("libpam cannot load this module"), "{}", ended.err);
}

#[test]
fn a_module_that_grants_everything_fails_the_demonstration() {
    let permit =
        ["/usr/lib/x86_64-linux-gnu/security", "/usr/lib/aarch64-linux-gnu/security", "/usr/lib64/security"];
    let permit =
        permit.map(|folder| Path::new(folder).join("pam_permit.so")).into_iter().find(|path| path.is_file());
    let permit = permit.expect("pam_permit.so of this system");
    let ended = host().run(&["demo", "--module", permit.to_str().expect("text")]);
    ended.assert_tells(1, &["NOT AS EXPECTED", "6 OF 6 VERDICTS ARE NOT THE EXPECTED ONES"]);
}

fn host() -> Host {
    let host = Host::with_policy(POLICY);
    host.enroll("alice", &["phone", "token"]);
    host
}

fn try_alice<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["try", "alice", "--service", "sshd", "--module", module()], more].concat()
}

/// The module as it is installed: without the command.
fn module() -> &'static str {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    let path = MODULE.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("module");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--lib", "--no-default-features", "--features", "pam"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", &target)
            .status()
            .expect("cargo starts");
        assert!(built.success(), "building the module failed; see the errors of cargo above");
        target.join("debug/libmfa_chain.so")
    });
    path.to_str().expect("text")
}

/// The code of the phone, now.
fn totp() -> String {
    oathtool(&["--totp", "--base32", PHONE])
}

/// The code of the token at `counter`.
fn hotp(counter: u64) -> String {
    oathtool(&["--hotp", "--counter", &counter.to_string(), "--base32", TOKEN])
}

fn oathtool(arguments: &[&str]) -> String {
    let ran = Command::new("oathtool").args(arguments).output();
    let ran = ran.expect("oathtool is installed (Debian: apt install oathtool)");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("digits").trim().to_owned()
}
