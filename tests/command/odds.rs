//! `odds`: the table that the policy in force amounts to.

use super::scratch::Scratch;

#[test]
fn a_wider_window_is_easier_to_guess_and_a_shorter_wait_lets_more_tries_through() {
    let scratch = Scratch::new();
    let plain = scratch.run("odds --json").expect(0).json();
    let text = std::fs::read_to_string(scratch.path("policy.toml")).expect("the policy");
    scratch.write("policy.toml", &format!("{text}\n[throttle]\nfree_failures = 20\n"));
    let eager = scratch.run("odds --json").expect(0).json();
    assert_eq!(
        (&plain["tries"]["hour"], &plain["tries"]["day"], &plain["tries"]["year"]),
        (&12.into(), &41.into(), &461.into())
    );
    assert!(eager["tries"]["hour"].as_u64() > plain["tries"]["hour"].as_u64(), "{eager}");
    let chance = |facts: &serde_json::Value| facts["chains"][0]["within"]["day"].as_f64().expect("a number");
    assert!(chance(&eager) > chance(&plain), "{eager} {plain}");
    assert!(scratch.run("odds").expect(0).mentions("tries judged"));
}

/// No figure is typed by hand there.
#[test]
fn the_threat_model_shows_what_is_printed_for_the_shipped_policy() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", include_str!("../../conf/policy.toml"));
    let printed = scratch.run("odds").expect(0).stdout;
    let table = printed.split("\n\n").next().expect("a table");
    assert!(table.lines().count() == 3, "{table}");
    assert!(include_str!("../../docs/threat-model.md").contains(&format!("```\n{table}\n```\n")), "{table}");
}

#[test]
fn a_policy_that_is_not_valid_has_no_odds() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", "mode = 1\n");
    scratch.run("odds").refused(3, &["policy.toml:1:"]);
}
