//! `report`: who has what, and what a login asks.

use super::scratch::{OTHER_SECRET, SECRET, ScratchHost};

const POLICY: &str = "required_steps = 2\nunenrolled = \"exempt\"\nuntil = 2999-12-31\n\
    [[factors]]\nid = \"phone\"\ntype = \"totp\"\n[[factors]]\nid = \"token\"\ntype = \"hotp\"\n\
    [[rules]]\nusers = [\"carol\"]\naction = \"exempt\"\n[[rules]]\nusers = [\"mallory\"]\naction = \"deny\"\n";

fn host() -> (ScratchHost, String) {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.enroll("alice", "token", OTHER_SECRET);
    scratch.enroll("daemon", "phone", SECRET);
    scratch.run("recovery alice --count 3").expect(0);
    scratch.write("policy.toml", POLICY);
    let users = scratch.write("users", "# staff\nalice\ndaemon\ncarol\n\nmallory\n");
    (scratch, users)
}

#[test]
fn each_user_has_a_line_with_the_decision_and_the_enrollment_and_a_roll_out_its_progress() {
    let (scratch, users) = host();
    let text = scratch.run(&format!("report --users {users}")).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("alice: require chain default, can pass; enrolled: phone, token; since "),
        "{text}"
    );
    assert!(lines[0].ends_with("last success never; recovery codes left: 3"), "{text}");
    assert!(
        lines[1].starts_with("daemon: exempt-until-enrolled chain default, cannot pass yet; enrolled: phone"),
        "{text}"
    );
    assert_eq!(lines[2], "carol: exempt by rule 1; enrolled: nothing");
    assert_eq!(lines[3], "mallory: deny by rule 2; enrolled: nothing");
    assert!(lines[4].starts_with("roll-out: 1 of 2 left to enroll, "), "{text}");
}

#[test]
fn programs_get_json_and_spreadsheets_csv_of_the_same() {
    let (scratch, users) = host();
    let facts = scratch.run(&format!("report --users {users} --json")).expect(0).json();
    assert_eq!(facts["service"], "sshd");
    let decisions: Vec<&str> = facts["users"]
        .as_array()
        .expect("users")
        .iter()
        .map(|user| user["decision"].as_str().expect("text"))
        .collect();
    assert_eq!(decisions, ["require", "exempt-until-enrolled", "exempt", "deny"]);
    let csv = scratch.run(&format!("report --users {users} --form csv")).expect(0).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "{csv}");
    assert!(lines[0].starts_with("user,uid,decision,rule,chain,ready,factors,"), "{csv}");
    assert!(lines[3].starts_with("carol,,exempt,1,,,,"), "{csv}");
}

#[test]
fn everybody_who_enrolled_is_in_it_and_a_wrong_list_is_refused_by_its_line() {
    let (scratch, _) = host();
    let all = scratch.run("report").expect(0).stdout;
    assert!(
        all.lines().any(|line| line.starts_with("alice: "))
            && all.lines().any(|line| line.starts_with("root: ")),
        "{all}"
    );
    scratch.run("report --users /nowhere").refused(1, &["cannot read the list of users /nowhere"]);
    std::fs::write(scratch.path("state"), "").expect("a file");
    std::fs::write(scratch.path("store/state/daemon"), "rubbish").expect("damage");
    let damaged = scratch.run("report").expect(0).stdout;
    assert!(
        damaged.lines().any(|line| line.starts_with("daemon: ") && line.contains("not readable: ")),
        "{damaged}"
    );
}

#[test]
fn an_observed_user_is_told_with_the_chain_and_whether_it_could_be_passed() {
    let (scratch, users) = host();
    let observed = format!(
        "action = \"observe\"\nuntil = 2999-12-31\n{}",
        POLICY.replace("unenrolled = \"exempt\"\nuntil = 2999-12-31\n", "")
    );
    scratch.write("policy.toml", &observed);
    let text = scratch.run(&format!("report --users {users}")).expect(0).stdout;
    assert!(text.contains("daemon: observe chain default, cannot pass yet; enrolled: phone"), "{text}");
    // The module asks a name that the system does not list, so the report says so.
    assert!(text.contains("alice: require chain default, can pass"), "{text}");
}

#[test]
fn figures_for_a_monitoring_system_name_nobody_and_count_what_needs_a_hand() {
    let (scratch, _) = host();
    let value = |text: &str, name: &str| -> Option<f64> {
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    let text = scratch.run("metrics").expect(0).stdout;
    for (name, expected) in [
        ("mfa_chain_policy_valid", 1.0),
        ("mfa_chain_store_usable", 1.0),
        ("mfa_chain_users", 2.0),
        ("mfa_chain_users_lacking_factors", 1.0),
        ("mfa_chain_users_waiting", 0.0),
        ("mfa_chain_users_few_recovery_codes", 0.0),
        ("mfa_chain_users_unreadable", 0.0),
    ] {
        assert_eq!(value(&text, name), Some(expected), "{name} in {text}");
    }
    assert!(value(&text, "mfa_chain_roll_out_end_timestamp_seconds").is_some(), "{text}");
    assert!(!text.contains("alice") && !text.contains("daemon"), "{text}");
    scratch.change_state("alice", |_, state| {
        state.failures.strangers = super::failed::failed(
            50,
            mfa_chain::verifier::time::UnixTime::from_seconds(super::scratch::now()),
        );
    });
    std::fs::write(scratch.path("store/state/daemon"), "rubbish").expect("damage");
    let text = scratch.run("metrics").expect(0).stdout;
    assert_eq!(value(&text, "mfa_chain_users_waiting"), Some(1.0), "{text}");
    assert_eq!(value(&text, "mfa_chain_users_unreadable"), Some(1.0), "{text}");
    assert_eq!(value(&text, "mfa_chain_failures"), Some(50.0), "{text}");
}

#[test]
fn a_policy_that_is_not_valid_is_a_figure_and_the_file_is_exchanged_as_a_whole() {
    use std::os::unix::fs::PermissionsExt;
    let (scratch, _) = host();
    let page = scratch.path("mfa-chain.prom");
    std::fs::write(&page, "old").expect("written");
    scratch.write("policy.toml", "required_steps = 7\n");
    scratch.run(&format!("metrics --output {}", page.display())).expect(0);
    let text = std::fs::read_to_string(&page).expect("figures");
    assert!(
        text.contains("mfa_chain_policy_valid 0\n") && text.contains("mfa_chain_store_usable 1\n"),
        "{text}"
    );
    assert_eq!(std::fs::metadata(&page).expect("it").permissions().mode() & 0o777, 0o644);
    scratch.run("metrics --output /nowhere/x.prom").refused(1, &["cannot write beside /nowhere/x.prom"]);
    scratch.run("metrics --json").expect(2);
}
