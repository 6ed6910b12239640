//! What the demonstration shows: the policy, and six logins with the verdict each must have.

use std::fmt;

use crate::rehearsal::Outcome;

/// One login.
pub struct Scene {
    /// What is tried.
    pub title: &'static str,
    /// The PAM service, which a rule of the policy sends to a chain.
    pub service: &'static str,
    /// What is typed.
    pub typing: Typing,
    /// How it must end.
    pub expected: Expected,
    /// How many failures the store must have counted then.
    pub failures: u32,
    /// Why it ends so.
    pub why: &'static str,
}

/// What the user types at the prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// The fresh code of the authenticator that the prompt names.
    Right,
    /// The same, but digits that are no code at this step.
    WrongAt(usize),
    /// The codes of the first login once more.
    Again,
    /// Fresh codes, from the last authenticator to the first.
    Backwards,
}

/// How a login must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// In, after this many prompts.
    Granted(usize),
    /// Out, after this many prompts.
    Denied(usize),
}

impl Expected {
    /// Whether a login that asked `prompts` times and ended in `outcome` went as it must.
    #[must_use]
    pub fn is_met(self, outcome: &Outcome, prompts: usize) -> bool {
        match self {
            Self::Granted(steps) => outcome.is_success() && prompts == steps,
            Self::Denied(steps) => outcome.code == PAM_AUTH_ERR && prompts == steps,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted(steps) => write!(formatter, "granted after {steps} prompts"),
            Self::Denied(steps) => write!(formatter, "denied after {steps} prompts"),
        }
    }
}

/// `security/_pam_types.h`: the code of a denial. Any other tells of something broken.
const PAM_AUTH_ERR: i32 = 7;

/// The six logins.
pub const SCENES: [Scene; 6] = [
    Scene {
        title: "the right codes in the right order",
        service: FIXED,
        typing: Typing::Right,
        expected: Expected::Granted(3),
        failures: 0,
        why: "Every code was right and in its place, so the chain is complete.",
    },
    Scene {
        title: "a wrong code at step 2",
        service: FIXED,
        typing: Typing::WrongAt(2),
        expected: Expected::Denied(2),
        failures: 1,
        why: "One wrong code denies the login. Chain reset: the next attempt starts at step 1.",
    },
    Scene {
        title: "the codes of login 1 once more",
        service: FIXED,
        typing: Typing::Again,
        expected: Expected::Denied(1),
        failures: 2,
        why: "A code is good for one login. Somebody who saw it typed cannot use it again (a replay).",
    },
    Scene {
        title: "right and unused codes in the wrong order",
        service: FIXED,
        typing: Typing::Backwards,
        expected: Expected::Denied(1),
        failures: 3,
        why: "The code is right for step 3, but this is step 1. The order of the chain is part of it.",
    },
    Scene {
        title: "a chain whose order is drawn",
        service: RANDOM,
        typing: Typing::Right,
        expected: Expected::Granted(2),
        failures: 3,
        why: "Two of the three authenticators, in an order that nobody knew before the prompts.",
    },
    Scene {
        title: "the same chain again",
        service: RANDOM,
        typing: Typing::Right,
        expected: Expected::Granted(2),
        failures: 3,
        why: "Each attempt has a draw of its own.",
    },
];

/// The service whose chain has a fixed order.
const FIXED: &str = "demo-fixed";
/// The service whose chain is drawn per attempt.
pub const RANDOM: &str = "demo-random";

/// The policy of the demonstration.
pub const POLICY: &str = r#"version = 1
required_steps = 3

[[factors]]
id = "phone"
label = "Phone app"
type = "totp"
window = 2            # 1 is the default; 2 saves this demo the wait for new codes

[[factors]]
id = "tablet"
label = "Tablet app"
type = "totp"
algorithm = "SHA256"
digits = 8
window = 2

[[factors]]
id = "token"
label = "Key-ring token"
type = "hotp"

[chains.in-order]
mode = "fixed"        # phone, then tablet, then token

[chains.drawn]
mode = "random"
required_steps = 2    # two of the three, drawn for each attempt

[[rules]]
services = ["demo-fixed"]
chain = "in-order"

[[rules]]
services = ["demo-random"]
chain = "drawn"

[throttle]
fail_delay_seconds = 0
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::policy::Policy;

    #[test]
    fn every_scene_has_a_chain_of_its_own_rule() {
        let policy = Policy::parse(POLICY, "policy.toml").expect("valid");
        for scene in SCENES {
            let rules = policy.rules().iter().map(ToString::to_string);
            assert_eq!(rules.filter(|rule| rule.contains(scene.service)).count(), 1, "{}", scene.title);
        }
    }

    #[test]
    fn a_denial_for_another_cause_is_not_the_expected_one() {
        let outcome = |code| Outcome { code, text: String::new() };
        assert!(Expected::Denied(1).is_met(&outcome(7), 1));
        assert!(!Expected::Denied(1).is_met(&outcome(3), 1), "a broken store");
        assert!(!Expected::Denied(1).is_met(&outcome(7), 2), "one prompt too many");
        assert!(!Expected::Denied(1).is_met(&outcome(0), 1), "let in");
        assert!(Expected::Granted(2).is_met(&outcome(0), 2));
        assert!(!Expected::Granted(2).is_met(&outcome(0), 1), "let in by half a chain");
    }
}
