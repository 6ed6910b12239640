//! `conf/policy.toml` as shipped: it is valid, so is every line that is switched off in it, and the defaults it
//! shows are the defaults. The policies in the manual are valid too.
#![cfg(test)]

use mfa_chain::verifier::policy::Policy;

const SHIPPED: &str = include_str!("../conf/policy.toml");

#[test]
fn the_shipped_policy_asks_for_two_factors() {
    let policy = parse(SHIPPED);
    let chain = policy.default_chain();
    assert_eq!((chain.required_steps(), chain.factor_count()), (2, 2));
    assert_eq!((policy.rules().len(), policy.named_chains().count()), (1, 0));
}

/// The first recipe of the README.
#[test]
fn the_policy_of_one_code_asks_everybody_but_lockers_for_it() {
    let policy = parse(include_str!("../conf/one-code.toml"));
    let chain = policy.default_chain();
    assert_eq!((chain.required_steps(), chain.factor_count(), policy.rules().len()), (1, 1, 1));
    assert_eq!(policy.rules()[0].to_string(), parse(SHIPPED).rules()[0].to_string());
}

#[test]
fn every_option_that_is_switched_off_is_valid_when_switched_on() {
    let policy = parse(&switch_on(SHIPPED, |_| true));
    assert_eq!((policy.rules().len(), policy.named_chains().count(), policy.factors().len()), (5, 1, 3));
}

#[test]
fn options_switched_off_in_a_table_in_use_show_the_defaults() {
    let written_out = switch_on(SHIPPED, |header| header.is_some_and(|header| header.starts_with('[')));
    assert_ne!(written_out, SHIPPED);
    assert_eq!(parse(&written_out), parse(SHIPPED));
}

#[test]
fn the_policies_in_the_manual_are_valid() {
    let page = include_str!("../docs/man/mfa-chain.toml.5");
    let blocks = page.split(".Bd -literal").skip(1).filter_map(|block| block.split_once('\n'));
    let policies: Vec<&str> = blocks.filter_map(|(_, text)| text.split(".Ed").next()).collect();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        parse(policy);
    }
}

fn parse(text: &str) -> Policy {
    Policy::parse(text, "conf/policy.toml").unwrap_or_else(|error| panic!("{error}"))
}

/// Takes the `#` off the options below those table headers that `chosen` takes; `None` is the top level. A
/// header that is switched off is shown to it with its `#`.
fn switch_on(text: &str, chosen: impl Fn(Option<&str>) -> bool) -> String {
    let mut header = None;
    let lines = text.lines().map(|line| {
        if line.starts_with('[') || line.starts_with("#[") {
            header = Some(line);
        }
        match line.strip_prefix('#') {
            Some(option) if is_option(option) && chosen(header) => option,
            _ => line,
        }
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn is_option(text: &str) -> bool {
    text.starts_with(|first: char| first == '[' || first.is_ascii_lowercase())
}
