//! A policy: what is understood is sound in every part, and nothing in it is passed over.

use mfa_chain::verifier::accounts::{Account, Accounts, AccountsError, Membership};
use mfa_chain::verifier::policy::{ChainSpec, Decision, Policy, RuleAction};
use mfa_chain::verifier::request::Request;

/// The bytes are the text of a policy.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Policy::parse(text, "policy.toml") {
        Ok(policy) => {
            assert_sound(&policy);
            assert_decides_as_written(&policy);
            assert_nothing_is_passed_over(text, &policy);
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("policy.toml:") && !said.chars().any(char::is_control), "{said:?}");
            assert!((1..=text.matches('\n').count() + 1).contains(&error.line()), "{said}");
            assert!(error.column() <= text.chars().count() + 1, "{said}");
        }
    }
}

fn assert_sound(policy: &Policy) {
    for chain in policy.named_chains().chain([policy.default_chain()]) {
        let ids: Vec<&str> = chain.factors().map(|factor| factor.id.as_str()).collect();
        assert!((1..=ids.len()).contains(&chain.required_steps()), "{chain:?}");
        for (place, id) in ids.iter().enumerate() {
            assert!(policy.factor(id).is_some() && !ids[place + 1..].contains(id), "{chain:?}");
        }
        assert_prompts_are_plain(policy, chain);
    }
    let failure = policy.prompt().failure_message().unwrap_or("-");
    assert!(!failure.is_empty() && failure.len() <= 200 && is_plain(failure), "{failure:?}");
    let throttle = policy.throttle();
    let waits: Vec<u64> =
        (0..=throttle.lock_after() + 1).map(|count| throttle.wait_seconds_after(count)).collect();
    assert!(waits.is_sorted(), "a failure more shortens a wait: {waits:?}");
    assert!(waits.last().is_some_and(|longest| (1..=604_800).contains(longest)), "{waits:?}");
    assert!(throttle.wait_seconds_after(20) > 0, "twenty failures without a wait");
    assert!((10..=10_000).contains(&throttle.failures_a_day()));
}

fn assert_prompts_are_plain(policy: &Policy, chain: &ChainSpec) {
    let steps = chain.required_steps();
    for factor in chain.factors() {
        for step in 1..=steps {
            let prompt = policy.prompt().render(factor.label.as_str(), step, steps);
            assert!(!prompt.trim().is_empty() && prompt.len() <= 512 && is_plain(&prompt), "{prompt:?}");
            assert!(!prompt.trim_start().to_ascii_lowercase().starts_with("password"), "{prompt}");
        }
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// Nobody is exempt, denied or sent to a chain but by a rule that says so, and an outage exempts nobody whom the
/// answer "no member" would not.
fn assert_decides_as_written(policy: &Policy) {
    for (service, user, rhost, tty) in LOGINS {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let request = Request { rhost: given(rhost), tty: given(tty), ..Request::local(service, user) };
        for answer in [Some(true), Some(false), None] {
            let Ok(decision) = policy.decide(&request, &Groups(answer)) else {
                assert_eq!(answer, None, "an error nobody made");
                continue;
            };
            let rule = |place: usize| policy.rules()[place].action();
            match decision {
                Decision::Exempt { rule: place } => assert_eq!(*rule(place), RuleAction::Exempt),
                Decision::Deny { rule: place } => assert_eq!(*rule(place), RuleAction::Deny),
                Decision::Observe { chain, rule: None, until } => {
                    assert_eq!((chain, Some(until)), (policy.default_chain(), policy.observed_until()));
                }
                Decision::Observe { chain, rule: Some(place), until } => {
                    let chain = chain.name().to_owned();
                    assert_eq!(*rule(place), RuleAction::Observe { chain, until });
                }
                Decision::Require { chain, rule: None } => assert_eq!(chain, policy.default_chain()),
                Decision::Require { chain, rule: Some(place) } => {
                    assert_eq!(*rule(place), RuleAction::Chain(chain.name().to_owned()));
                }
            }
        }
    }
}

const LOGINS: &[(&str, &str, &str, &str)] = &[
    ("sshd", "alice", "192.0.2.1", "ssh"),
    ("sshd", "backup", "2001:db8::1", "ssh"),
    ("sshd", "alice", "host.example", "ssh"),
    ("sudo", "alice", "", "/dev/pts/0"),
    ("login", "root", "", "ttyS0"),
    ("", "", "", ""),
];

/// Every user is in every group, in none, or nobody knows.
struct Groups(Option<bool>);

impl Accounts for Groups {
    fn account(&self, _: &str) -> Result<Option<Account>, AccountsError> {
        Ok(None)
    }

    fn account_of(&self, _: u32) -> Result<Option<Account>, AccountsError> {
        Ok(None)
    }

    fn lists_group(&self, _: &str) -> Result<bool, AccountsError> {
        self.0.ok_or_else(|| AccountsError("down".to_owned()))
    }

    fn membership(&self, _: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        self.lists_group(group).map(Membership::from)
    }
}

/// A remark or a byte order mark changes nothing; a key that nobody knows, or one that is there twice, is refused.
fn assert_nothing_is_passed_over(text: &str, policy: &Policy) {
    let parse = |text: &str| Policy::parse(text, "policy.toml");
    // A longer file than Policy::MAX_BYTES is another matter.
    if text.len() + 20 <= Policy::MAX_BYTES {
        assert_eq!(parse(&format!("{text}\n# a remark\n")).as_ref(), Ok(policy));
        assert!(parse(&format!("{text}\n[unknown]\n")).is_err(), "an unknown table is passed over");
        if !text.starts_with('\u{feff}') {
            assert_eq!(parse(&format!("\u{feff}{text}")).as_ref(), Ok(policy));
            assert!(parse(&format!("unknown = 1\n{text}")).is_err(), "an unknown key is passed over");
            assert!(parse(&format!("version = 2\n{text}")).is_err(), "another version is passed over");
        }
    }
}
