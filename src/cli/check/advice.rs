//! What in a valid policy is likely not meant.

use crate::verifier::policy::{ChainSpec, Policy, RuleAction, Unenrolled};
use crate::verifier::time::UnixTime;

/// Warnings about `policy`, which is valid all the same.
#[must_use]
pub fn on_policy(policy: &Policy, now: UnixTime) -> Vec<String> {
    let mut warnings: Vec<String> = policy
        .named_chains()
        .filter(|chain| !is_used(policy, chain))
        .map(|chain| format!("chain {}: no rule uses it", chain.name()))
        .collect();
    if policy.default_chain().required_steps() == 1 {
        warnings.push("chain default: 1 step, so one code is enough where no rule asks for more".to_owned());
    }
    warnings.extend(policy.covered_rules().iter().map(|(covered, earlier)| {
        format!(
            "rule in {}: it never matches, for the rule in {} takes all of its logins; put it before that one, or \
             delete it",
            covered.place(),
            earlier.place()
        )
    }));
    let default = policy.default_chain();
    // What a chain inherits is told once.
    let own = policy.named_chains().filter(|chain| chain.unenrolled() != default.unenrolled());
    warnings.extend(std::iter::once(default).chain(own).filter_map(|chain| on_roll_out(chain, now)));
    warnings.extend(on_observations(policy, now));
    warnings
}

fn is_used(policy: &Policy, chain: &ChainSpec) -> bool {
    policy.rules().iter().any(|rule| rule.action().chain() == Some(chain.name()))
}

/// Each observation is an exemption, so each is told with its end.
fn on_observations(policy: &Policy, now: UnixTime) -> Vec<String> {
    let told = |place: &str, until: UnixTime| {
        let day = until.last_day_before();
        if until <= now {
            format!(
                "{place}: `observe` ended with {day} (UTC) and codes are asked; write the chain in its place"
            )
        } else {
            format!(
                "{place}: `observe` exempts its logins through {day} (UTC); codes are asked from the next day on"
            )
        }
    };
    let of_rules = policy.rules().iter().filter_map(|rule| match rule.action() {
        RuleAction::Observe { until, .. } => Some(told(&format!("line {}", rule.line()), *until)),
        RuleAction::Chain(_) | RuleAction::Exempt | RuleAction::Deny => None,
    });
    let default = policy.observed_until().map(|until| told("top level", until));
    of_rules.chain(default).collect()
}

fn on_roll_out(chain: &ChainSpec, now: UnixTime) -> Option<String> {
    let Unenrolled::ExemptUntil(deadline) = chain.unenrolled() else { return None };
    let (name, day) = (chain.name(), deadline.last_day_before());
    if deadline <= now {
        return Some(format!(
            "chain {name}: the roll-out ended with {day} (UTC); unenrolled users are denied, so write `unenrolled = \"deny\"`"
        ));
    }
    (deadline.seconds_since(now) <= SOON_SECONDS).then(|| {
        format!("chain {name}: the roll-out ends with {day} (UTC); unenrolled users are denied from the next day on")
    })
}

/// 14 days.
const SOON_SECONDS: u64 = 14 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_348_800); // 2026-11-22 12:00:00 UTC

    #[test]
    fn a_policy_that_means_what_it_says_gets_no_advice() {
        let policy = policy("[chains.admin]\nmode='random'\n[[rules]]\nservices=['sudo']\nchain='admin'\n");
        assert_eq!(on_policy(&policy, NOW), [""; 0]);
    }

    #[test]
    fn what_is_likely_not_meant_is_told_once() {
        let deny = "[[rules]]\nusers=['a']\naction='deny'\n";
        let covered = format!("{deny}{deny}");
        let cases = [
            ("[chains.admin]\nmode='random'\n", "chain admin: no rule uses it"),
            (
                covered.as_str(),
                "rule in line 12: it never matches, for the rule in line 9 takes all of its logins",
            ),
        ];
        for (text, expected) in cases {
            let warnings = on_policy(&policy(text), NOW);
            assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:?}");
        }
    }

    #[test]
    fn a_roll_out_that_ends_soon_or_ended_is_told() {
        for (day, expected) in [
            ("2026-11-21", Some("chain default: the roll-out ended with 2026-11-21 (UTC);")),
            ("2026-11-30", Some("chain default: the roll-out ends with 2026-11-30 (UTC);")),
            ("2026-12-31", None),
        ] {
            let text = format!("unenrolled='exempt'\nuntil={day}\nrequired_steps=2\n{FACTORS}");
            let warnings = on_policy(&Policy::parse(&text, "p").expect("valid"), NOW);
            let told = warnings.first().and_then(|first| first.split_inclusive(';').next());
            assert_eq!(told, expected, "{day}: {warnings:?}");
        }
    }

    #[test]
    fn every_observation_is_told_with_its_end() {
        let rule = |day| format!("[[rules]]\nservices=['sudo']\naction='observe'\nuntil={day}\n");
        for (day, expected) in [
            ("2026-11-21", "line 9: `observe` ended with 2026-11-21 (UTC) and codes are asked"),
            ("2027-06-30", "line 9: `observe` exempts its logins through 2027-06-30 (UTC)"),
        ] {
            let warnings = on_policy(&policy(&rule(day)), NOW);
            assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:?}");
        }
        let text = format!("required_steps=2\naction='observe'\nuntil=2027-06-30\n{FACTORS}");
        let warnings = on_policy(&Policy::parse(&text, "p").expect("valid"), NOW);
        assert!(warnings[0].starts_with("top level: `observe` exempts"), "{warnings:?}");
    }

    #[test]
    fn one_step_is_told() {
        let text = format!("required_steps=1\n{FACTORS}");
        let warnings = on_policy(&Policy::parse(&text, "p").expect("valid"), NOW);
        assert!(warnings[0].starts_with("chain default: 1 step"), "{warnings:?}");
    }

    const FACTORS: &str = "[[factors]]\nid='a'\ntype='totp'\n[[factors]]\nid='b'\ntype='totp'\n";

    fn policy(more: &str) -> Policy {
        Policy::parse(&format!("version=1\nrequired_steps=2\n{FACTORS}{more}"), "policy.toml").expect("valid")
    }
}
