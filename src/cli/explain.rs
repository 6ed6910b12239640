//! `mfa-chain explain`: which rule and chain a login would meet, and whether the user could pass it now.

mod host;
mod outlook;
mod report;

use self::outlook::Outlook;
use super::Context;
use super::arguments::ExplainArguments;
use super::failure::{Exit, Failure};
use super::output::{print, print_json};
use crate::host::finding::Finding;
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::accounts::{Account, Accounts, AccountsError, Membership};
use crate::verifier::policy::{ChainSpec, Decision, Policy, Rule};
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;
use crate::verifier::time::UnixTime;

/// Explains one login. Nothing is asked of the user, nothing is written.
///
/// # Errors
///
/// [`Failure`] when the policy or the store is missing, unsafe or invalid, or the account databases are silent.
pub fn run(context: &Context, arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let store = FileStore::at(&context.store);
    let (rhost, ruser, tty) = (arguments.rhost.clone(), arguments.ruser.clone(), arguments.tty.clone());
    let request = Request { rhost, ruser, tty, ..Request::local(&arguments.service, &arguments.user) };
    let named = NamedGroups { groups: &arguments.groups, system: context.accounts };
    let accounts: &dyn Accounts = if arguments.groups.is_empty() { context.accounts } else { &named };
    let mut explanation = Explanation::of(&policy, &store, accounts, &request)?;
    explanation.host = host::findings(&policy, &explanation.request, accounts);
    if context.json {
        print_json(&explanation.to_json())?;
    } else {
        print(&explanation.to_text())?;
    }
    Ok(if explanation.can_pass() { Exit::Done } else { Exit::Denied })
}

/// What one login would meet.
pub struct Explanation<'p> {
    request: Request,
    /// The rule that matches, and its number from 1.
    rule: Option<(usize, &'p Rule)>,
    fate: Fate<'p>,
    notes: Vec<String>,
    /// What the host does with such a login beside the policy, where that is something else than to ask for the codes.
    host: Vec<Finding>,
}

/// What the policy does with the login.
enum Fate<'p> {
    /// Denied without being asked.
    Deny,
    /// Nothing is asked.
    Exempt,
    /// Nothing is asked before this time; the log says what the chain would have asked.
    Observe(&'p ChainSpec, Outlook, UnixTime),
    /// A chain is asked for.
    Require(&'p ChainSpec, Outlook),
}

impl<'p> Explanation<'p> {
    /// Explains `request` as the module would decide it now.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the store or the account databases can't be read.
    pub fn of(
        policy: &'p Policy,
        store: &FileStore,
        accounts: &dyn Accounts,
        request: &Request,
    ) -> Result<Self, Failure> {
        let silent = |error: AccountsError| Failure::files(error.to_string());
        let request = request.resolved(accounts).map_err(silent)?;
        let now = SystemClock.now();
        let outlook = |chain| Outlook::of(chain, store, &request, policy.throttle(), now);
        let (fate, rule) = match policy.decide(&request, accounts).map_err(silent)? {
            Decision::Deny { rule } => (Fate::Deny, Some(rule)),
            Decision::Exempt { rule } => (Fate::Exempt, Some(rule)),
            Decision::Observe { chain, rule, until } if now < until && request.account.is_some() => {
                (Fate::Observe(chain, outlook(chain)?, until), rule)
            }
            Decision::Observe { chain, rule, .. } | Decision::Require { chain, rule } => {
                (Fate::Require(chain, outlook(chain)?), rule)
            }
        };
        let rule = rule.and_then(|place| {
            let rule = policy.rules().get(place)?;
            Some((place.saturating_add(1), rule))
        });
        let notes = notes(&request);
        Ok(Self { request, rule, fate, notes, host: Vec::new() })
    }

    /// Whether the user could pass now, with right codes or without any.
    #[must_use]
    pub fn can_pass(&self) -> bool {
        match &self.fate {
            _ if self.host.iter().any(host::keeps_out) => false,
            Fate::Deny => false,
            Fate::Exempt | Fate::Observe(..) => true,
            Fate::Require(_, outlook) => outlook.obstacles.is_empty(),
        }
    }

    /// Why the module would ask nothing, if so.
    #[must_use]
    pub fn exemption(&self) -> Option<String> {
        match (&self.fate, &self.rule) {
            (Fate::Exempt, Some((number, rule))) => Some(format!("rule {number} ({})", rule.place())),
            (Fate::Exempt, None) => Some("a rule".to_owned()),
            (Fate::Observe(_, _, until), _) => Some(format!("`observe` through {}", until.last_day_before())),
            (Fate::Require(_, outlook), _) if outlook.exempt => Some("the roll-out".to_owned()),
            _ => None,
        }
    }
}

/// What changes nothing, and is worth knowing.
fn notes(request: &Request) -> Vec<String> {
    let mut notes = Vec::new();
    match &request.account {
        None => notes.push(format!("this system lists no account `{}`", request.user)),
        Some(account) if account.name != request.user => {
            notes.push(format!("`{}` is another name of the account `{}`", request.user, account.name));
        }
        Some(_) => {}
    }
    notes.extend(whose_codes(&request.service));
    if request.rhost.as_ref().is_some_and(|host| host.parse::<std::net::IpAddr>().is_err()) {
        let sshd = if request.service == "sshd" { "; sshd gives addresses with UseDNS no" } else { "" };
        notes.push(format!("--rhost is no address, so no `from` matches it{sshd}"));
    }
    notes
}

/// Whose codes a service asks for that runs something as another user.
fn whose_codes(service: &str) -> Option<String> {
    match service {
        "sudo" | "sudo-i" => Some(
            "sudo asks for the codes of who calls it; with `targetpw`, `runaspw` or `rootpw` in sudoers for those of the \
             target, of `runas_default`, or of root"
                .to_owned(),
        ),
        "su" | "su-l" => Some("su asks for the codes of the account that is entered, not of who calls it".to_owned()),
        _ => None,
    }
}

/// Group memberships as the command line names them, and the accounts of the system; every name is listed.
struct NamedGroups<'a> {
    groups: &'a [String],
    system: &'a dyn Accounts,
}

impl Accounts for NamedGroups<'_> {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        let unlisted = || Account { name: name.to_owned(), uid: u32::MAX, gid: u32::MAX };
        Ok(Some(self.system.account(name)?.unwrap_or_else(unlisted)))
    }

    fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
        self.system.account_of(uid)
    }

    fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
        Ok(self.groups.iter().any(|named| named == group))
    }

    fn membership(&self, _: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        self.lists_group(group).map(Membership::from)
    }
}
