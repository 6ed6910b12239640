//! Which rule holds for a login.

use super::conditions::Login;
use super::{ChainSpec, Policy, Rule, RuleAction};
use crate::verifier::accounts::{Accounts, AccountsError};
use crate::verifier::request::Request;
use crate::verifier::time::UnixTime;

/// What the policy says about one login. `rule` counts in [`Policy::rules`], from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'p> {
    /// Deny it, without asking.
    Deny {
        /// The rule that says so.
        rule: usize,
    },
    /// Ask for nothing; the rest of the PAM stack decides.
    Exempt {
        /// The rule that says so.
        rule: usize,
    },
    /// Ask for nothing before `until`, and log what the chain would have asked; then ask for it.
    Observe {
        /// What to ask for later.
        chain: &'p ChainSpec,
        /// The rule that says so; `None` when no rule matched.
        rule: Option<usize>,
        /// The first moment of asking.
        until: UnixTime,
    },
    /// Ask for this chain.
    Require {
        /// What to ask for.
        chain: &'p ChainSpec,
        /// The rule that says so; `None` when no rule matched.
        rule: Option<usize>,
    },
}

impl Policy {
    /// What this policy says about `request`: the first rule whose conditions hold, or else the default chain.
    /// Groups are asked for only in rules whose other conditions hold.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when the group databases did not answer, or list no group of a name. The caller denies: going
    /// on to the next rule would let an outage choose the chain.
    pub fn decide<'p>(
        &'p self,
        request: &Request,
        accounts: &dyn Accounts,
    ) -> Result<Decision<'p>, AccountsError> {
        let login = Login::new(request);
        for (index, rule) in self.rules.iter().enumerate() {
            let holds = rule.conditions().hold(&login, accounts);
            if holds.map_err(|error| AccountsError(format!("the rule in {}: {}", rule.place(), error.0)))? {
                return Ok(self.apply(index, rule));
            }
        }
        let chain = &self.default_chain;
        Ok(match self.observed_until {
            Some(until) => Decision::Observe { chain, rule: None, until },
            None => Decision::Require { chain, rule: None },
        })
    }

    fn apply<'p>(&'p self, index: usize, rule: &Rule) -> Decision<'p> {
        // The parser knows every name; should one be missing, nobody gets in by it.
        let by_chain = |name: &str, decide: &dyn Fn(&'p ChainSpec) -> Decision<'p>| {
            self.chain(name).map_or(Decision::Deny { rule: index }, decide)
        };
        let rule_index = Some(index);
        match rule.action() {
            RuleAction::Exempt => Decision::Exempt { rule: index },
            RuleAction::Deny => Decision::Deny { rule: index },
            RuleAction::Chain(name) => by_chain(name, &|chain| Decision::Require { chain, rule: rule_index }),
            RuleAction::Observe { chain, until } => {
                by_chain(chain, &|chain| Decision::Observe { chain, rule: rule_index, until: *until })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::verifier::accounts::Account;
    use crate::verifier::accounts::Membership::{self, Member, NoMember, NoSuchGroup};

    #[test]
    fn the_first_rule_that_holds_decides() {
        let policy = parse(
            "[[rules]]\nservices=['sudo']\nusers=['bob', 'eve']\naction='deny'\n\
             [[rules]]\nservices=['sshd']\nfrom=['10.0.0.0/8', 'fe80::/10']\naction='exempt'\n\
             [[rules]]\nttys=['tty*']\nchain='default'\n\
             [[rules]]\nservices=['sudo']\nchain='admin'\n",
        );
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (name, service, user, rhost, tty, expected) in LOGINS {
            let request = Request { rhost: given(rhost), tty: given(tty), ..Request::local(service, user) };
            let decision = policy.decide(&request, &Groups::new(&[])).expect(name);
            assert_eq!(shown(&policy, &decision), *expected, "{name}");
        }
    }

    #[test]
    fn an_observed_login_is_told_with_the_chain_and_the_end() {
        let policy =
            parse("[[rules]]\nservices=['sudo']\naction='observe'\nchain='admin'\nuntil=1970-01-01\n");
        let decided = |service| {
            policy.decide(&login(service, "alice"), &Groups::new(&[])).map(|it| shown(&policy, &it))
        };
        assert_eq!(decided("sudo").as_deref(), Ok("rule Some(0): observe admin until 86400"));
        assert_eq!(decided("sshd").as_deref(), Ok("chain default"));
        let policy = Policy::parse(
            "required_steps=1\naction='observe'\nuntil=1970-01-02\n[[factors]]\nid='phone'\ntype='totp'\n",
            "policy.toml",
        );
        let policy = policy.unwrap();
        let decision = policy.decide(&login("sshd", "alice"), &Groups::new(&[])).unwrap();
        assert_eq!(shown(&policy, &decision), "rule None: observe default until 172800");
    }

    #[test]
    fn groups_are_asked_only_when_everything_else_holds() {
        let policy = parse("[[rules]]\nservices=['sudo']\ngroups=['wheel']\naction='deny'\n");
        let decision = policy.decide(&login("sshd", "alice"), &Groups::new(&[])).unwrap();
        assert_eq!(shown(&policy, &decision), "chain default");
        let asked = Groups::new(&[("alice", "wheel", Ok(Member))]);
        let decision = policy.decide(&login("sudo", "alice"), &asked).unwrap();
        assert_eq!(shown(&policy, &decision), "rule 0: deny");
        asked.assert_all_asked();
    }

    #[test]
    fn any_group_of_a_rule_is_enough_and_ends_the_asking() {
        let policy = parse("[[rules]]\ngroups=['a', 'b', 'c']\naction='exempt'\n");
        let asked = Groups::new(&[("alice", "a", Ok(NoMember)), ("alice", "b", Ok(Member))]);
        let decision = policy.decide(&login("sshd", "alice"), &asked).unwrap();
        assert_eq!(decision, Decision::Exempt { rule: 0 });
        asked.assert_all_asked();
    }

    #[test]
    fn no_member_of_any_group_means_the_next_rule() {
        let policy = parse("[[rules]]\ngroups=['a']\naction='exempt'\n[[rules]]\naction='deny'\n");
        let asked = Groups::new(&[("alice", "a", Ok(NoMember))]);
        let decision = policy.decide(&login("sshd", "alice"), &asked).unwrap();
        assert_eq!(decision, Decision::Deny { rule: 1 });
        asked.assert_all_asked();
    }

    #[test]
    fn an_outage_of_the_group_databases_is_passed_up() {
        let policy = parse("[[rules]]\ngroups=['a']\naction='deny'\n[[rules]]\naction='exempt'\n");
        let outage = AccountsError("sssd".to_owned());
        let asked = Groups::new(&[("alice", "a", Err(outage.clone()))]);
        let told = AccountsError("the rule in line 7: sssd".to_owned());
        assert_eq!(policy.decide(&login("sshd", "alice"), &asked), Err(told));
        asked.assert_all_asked();
    }

    #[test]
    fn a_group_that_is_not_listed_denies_unless_the_rule_skips_it() {
        let rule =
            |more| format!("[[rules]]\ngroups=['a', 'b']\n{more}action='deny'\n[[rules]]\naction='exempt'\n");
        let asked = Groups::new(&[("alice", "a", Ok(NoSuchGroup))]);
        for more in ["", "unlisted_groups='deny'\n"] {
            let refused = parse(&rule(more)).decide(&login("sshd", "alice"), &asked).map(|_| ());
            let AccountsError(told) = refused.unwrap_err();
            assert!(told.starts_with("the rule in line 7: the system lists no group `a`"), "{told}");
            asked.0.borrow_mut().push(("alice", "a", Ok(NoSuchGroup)));
        }
        let asked = Groups::new(&[("alice", "a", Ok(NoSuchGroup)), ("alice", "b", Ok(NoMember))]);
        let skips = parse(&rule("unlisted_groups='skip'\n"));
        assert_eq!(skips.decide(&login("sshd", "alice"), &asked), Ok(Decision::Exempt { rule: 1 }));
        let asked = Groups::new(&[("alice", "a", Ok(Member))]);
        assert_eq!(parse(&rule("")).decide(&login("sshd", "alice"), &asked), Ok(Decision::Deny { rule: 0 }));
    }

    /// Name, service, user, remote host, terminal, and what becomes of it.
    const LOGINS: &[(&str, &str, &str, &str, &str, &str)] = &[
        ("no rule", "su", "alice", "", "", "chain default"),
        ("service and user", "sudo", "bob", "", "", "rule 0: deny"),
        ("service without the user", "sudo", "alice", "", "", "rule 3: chain admin"),
        ("a network", "sshd", "alice", "10.2.3.4", "ssh", "rule 1: exempt"),
        ("a mapped address", "sshd", "alice", "::ffff:10.2.3.4", "ssh", "rule 1: exempt"),
        ("an address with its zone", "sshd", "alice", "fe80::1%eth0", "ssh", "rule 1: exempt"),
        ("an address beyond", "sshd", "alice", "192.0.2.1", "ssh", "chain default"),
        ("a host name", "sshd", "alice", "10.2.3.4.example.org", "ssh", "chain default"),
        ("no host", "sshd", "alice", "", "ssh", "chain default"),
        ("a terminal", "login", "alice", "", "/dev/tty3", "rule 2: chain default"),
        ("a terminal beyond", "login", "alice", "", "/dev/pts/3", "chain default"),
        ("services are exact", "sudo-i", "bob", "", "", "chain default"),
        ("users are exact", "sudo", "Bob", "", "", "rule 3: chain admin"),
    ];

    /// A login of an account that is listed under its own name.
    fn login(service: &str, user: &str) -> Request {
        let account = Account { name: user.to_owned(), uid: 1_000, gid: 1_000 };
        Request { account: Some(account), ..Request::local(service, user) }
    }

    /// Answers exactly the expected questions, in their order.
    struct Groups(RefCell<Vec<Answer>>);

    type Answer = (&'static str, &'static str, Result<Membership, AccountsError>);

    impl Groups {
        fn new(answers: &[Answer]) -> Self {
            Self(RefCell::new(answers.iter().rev().cloned().collect()))
        }

        fn assert_all_asked(&self) {
            assert_eq!(*self.0.borrow(), [], "not asked");
        }
    }

    impl Accounts for Groups {
        fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
            panic!("asked about the account {name}")
        }

        fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
            panic!("asked about the account {uid}")
        }

        fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
            panic!("asked about the group {group}")
        }

        fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
            let user = account.map_or("", |account| &account.name);
            let Some((known_user, known_group, answer)) = self.0.borrow_mut().pop() else {
                panic!("asked whether {user} is in {group}")
            };
            assert_eq!((user, group), (known_user, known_group));
            answer
        }
    }

    fn parse(rules: &str) -> Policy {
        let head = "required_steps=1\n[[factors]]\nid='phone'\ntype='totp'\n[chains.admin]\nmode='random'\n";
        Policy::parse(&format!("{head}{rules}"), "policy.toml").unwrap()
    }

    fn shown(policy: &Policy, decision: &Decision<'_>) -> String {
        match decision {
            Decision::Deny { rule } => format!("rule {rule}: deny"),
            Decision::Exempt { rule } => format!("rule {rule}: exempt"),
            Decision::Observe { chain, rule, until } => {
                format!("rule {rule:?}: observe {} until {}", chain.name(), until.seconds())
            }
            Decision::Require { chain, rule: None } => format!("chain {}", chain.name()),
            Decision::Require { chain, rule: Some(rule) } => {
                assert_eq!(policy.chain(chain.name()), Some(*chain));
                format!("rule {rule}: chain {}", chain.name())
            }
        }
    }
}
