//! `odds`: the table that the policy in force amounts to.

use super::scratch::{ScratchHost, run_bare};

#[test]
fn each_guesser_has_odds_and_more_free_failures_let_more_tries_through() {
    let scratch = ScratchHost::new();
    let plain =
        run_bare(&format!("odds --json --policy {}", scratch.path_text("policy.toml"))).expect(0).json();
    let text = std::fs::read_to_string(scratch.path("policy.toml")).expect("the policy");
    scratch.write("policy.toml", &format!("{text}\n[throttle]\nfree_failures = 20\nfailures_a_day = 100\n"));
    let eager =
        run_bare(&format!("odds --json --policy {}", scratch.path_text("policy.toml"))).expect(0).json();
    let tries = |facts: &serde_json::Value, place: usize| facts["guessers"][place]["tries"].clone();
    let names: Vec<&str> =
        (0..3).map(|place| plain["guessers"][place]["guesser"].as_str().expect("a name")).collect();
    assert_eq!(names, ["elsewhere", "same_place", "one_key_stolen"]);
    assert_eq!(tries(&plain, 0), tries(&plain, 2));
    assert!(tries(&plain, 1)["year"].as_u64() > tries(&plain, 0)["year"].as_u64(), "{plain}");
    let chance = |facts: &serde_json::Value, place: usize| {
        facts["guessers"][place]["chains"][0]["within"]["year"].as_f64().expect("a number")
    };
    assert!(chance(&plain, 1) > chance(&plain, 0) && chance(&plain, 2) > chance(&plain, 0), "{plain}");
    assert!(tries(&eager, 0)["day"].as_u64() > tries(&plain, 0)["day"].as_u64(), "{eager} {plain}");
    assert!(
        run_bare(&format!("odds --policy {}", scratch.path_text("policy.toml")))
            .expect(0)
            .mentions("from elsewhere, knowing nothing")
    );
}

/// No figure is typed by hand there.
#[test]
fn the_threat_model_shows_what_is_printed_for_the_shipped_policy() {
    let scratch = ScratchHost::new();
    scratch.write("policy.toml", include_str!("../../conf/policy.toml"));
    let printed = run_bare(&format!("odds --policy {}", scratch.path_text("policy.toml"))).expect(0).stdout;
    let table = printed.split("\n\n").next().expect("a table");
    assert!(table.lines().count() == 7, "{table}");
    assert!(include_str!("../../docs/threat-model.md").contains(&format!("```\n{table}\n```\n")), "{table}");
}

#[test]
fn a_policy_that_is_not_valid_has_no_odds() {
    let scratch = ScratchHost::new();
    scratch.write("policy.toml", "mode = 1\n");
    run_bare(&format!("odds --policy {}", scratch.path_text("policy.toml"))).refused(3, &["policy.toml:1:"]);
}
