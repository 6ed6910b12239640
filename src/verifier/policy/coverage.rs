//! Rules that can never match, because one before them matches all that they would.

use super::{Policy, Rule};

impl Policy {
    /// Each rule that can never match, and the first one before it that takes all of its logins. No login looks at
    /// this: such a rule is harmless, and hardly what was meant.
    #[must_use]
    pub fn covered_rules(&self) -> Vec<(&Rule, &Rule)> {
        let rules = self.rules();
        let covering = |place: usize, later: &Rule| {
            rules.iter().take(place).find(|earlier| earlier.conditions().cover(later.conditions()))
        };
        rules
            .iter()
            .enumerate()
            .filter_map(|(place, later)| covering(place, later).map(|earlier| (later, earlier)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_covered_by_one_before_it_that_takes_all_of_its_logins() {
        let cases = [
            ("", "users = ['a']", true),
            ("", "", true),
            ("users = ['a']", "", false),
            ("users = ['a', 'b']", "users = ['b']", true),
            ("users = ['b']", "users = ['a', 'b']", false),
            ("users = ['a']", "groups = ['a']", false),
            ("groups = ['a']", "groups = ['a'], services = ['x']", true),
            ("groups = ['a'], services = ['x']", "groups = ['a']", false),
            ("from = ['10.0.0.0/8']", "from = ['10.1.0.0/16', '10.2.3.4']", true),
            ("from = ['10.0.0.0/8']", "from = ['10.1.0.0/16', '11.2.3.4']", false),
            ("ttys = ['pts/*']", "ttys = ['/dev/pts/1', 'pts/2*']", true),
            ("ttys = ['pts/1']", "ttys = ['pts/*']", false),
        ];
        for (earlier, later, expected) in cases {
            let rule = |conditions: &str| {
                format!("[[rules]]\naction = 'deny'\n{}\n", conditions.replace("], ", "]\n"))
            };
            let text = format!(
                "required_steps = 1\n[[factors]]\nid = 'phone'\ntype = 'totp'\n{}{}",
                rule(earlier),
                rule(later)
            );
            let policy = Policy::parse(&text, "policy.toml").expect("a policy");
            let [first, second] = policy.rules() else { panic!("two rules") };
            let found = policy.covered_rules();
            assert_eq!(
                found,
                if expected { vec![(second, first)] } else { Vec::new() },
                "{earlier} before {later}"
            );
        }
    }
}
