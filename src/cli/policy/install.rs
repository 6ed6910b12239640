//! How a new policy is put in force: shown, asked about, written down, and replaced by a rename.

use super::super::failure::{Exit, Failure};
use super::super::terminal::ask_for_yes;
use super::super::{Context, administration, output};
use super::arguments::Guard;
use super::candidate::Candidate;
use super::effect::Effect;
use crate::changes::history::{self, Entry};
use crate::changes::pending::{Pending, Plan};
use crate::changes::policy_files::PolicyFiles;
use crate::changes::witness::Witness;
use crate::changes::{ChangesFolder, FileCopy};
use crate::host::stacks::Stacks;
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::policy::{Decision, Policy};
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;

/// A change of the policy before it is made.
pub struct Installation<'a> {
    context: &'a Context,
    action: &'static str,
    folder: ChangesFolder,
    by: String,
    present: Option<PolicyFiles>,
}

impl<'a> Installation<'a> {
    /// Looks at the policy in force, and keeps it where no command put it there.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the policy or the store can't be read or written, or another change waits.
    pub fn begin(context: &'a Context, action: &'static str) -> Result<Self, Failure> {
        FileStore::open_or_create(&context.store)?;
        let folder = ChangesFolder::open(&context.store)?;
        if let Some(other) = Pending::waiting(&folder)? {
            return Err(other.stands_in_the_way().into());
        }
        let by = administration::in_words(context);
        let present = Self::look(context)?;
        let installation = Self { context, action, folder, by, present };
        if let Some(files) = installation.present.clone() {
            installation.keep("found", None, files)?;
        }
        Ok(installation)
    }

    /// The files in force; `None` where the policy is missing or no text.
    fn look(context: &Context) -> Result<Option<PolicyFiles>, Failure> {
        let copy = FileCopy::of(&context.policy)?;
        let text = copy.bytes().and_then(|bytes| String::from_utf8(bytes.to_owned()).ok());
        Ok(text.map(|text| PolicyFiles::beside(&context.policy, text)).transpose()?)
    }

    /// Where changes are kept.
    #[must_use]
    pub const fn folder(&self) -> &ChangesFolder {
        &self.folder
    }

    /// Who changes it, in words.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The files in force, where there are any.
    #[must_use]
    pub fn present(&self) -> Option<&PolicyFiles> {
        self.present.as_ref()
    }

    /// Shows what `new` changes, asks, and puts it in force.
    ///
    /// # Errors
    ///
    /// [`Failure`] when nobody said yes, or it can't be put in force; the old policy stays then.
    pub fn put_in_force(&self, new: &Candidate, guard: &Guard) -> Result<Exit, Failure> {
        if self.present.as_ref() == Some(&new.files) {
            if self.context.json {
                output::print_json(&serde_json::json!({ "applied": false, "until": null }))?;
            } else {
                output::print("The policy is the one in force; nothing was changed.\n")?;
            }
            return Ok(Exit::Done);
        }
        let weaker = self.show(&new.policy, guard)?;
        let lock = self.folder.lock()?;
        if Self::look(self.context)? != self.present {
            return Err(Failure::refused(
                "the policy was changed by somebody else meanwhile; look at it again",
            ));
        }
        let action = format!("policy-{}", self.action);
        let plan = self.plan(new, guard);
        // Before the change: a kill behind it must not leave a policy that no line tells of.
        let until = if guard.r#final { "confirmed".to_owned() } else { format!("{}s", guard.within) };
        let details = [("within", until.as_str())];
        administration::record_change(self.context, &action, &details, weaker.as_deref());
        let pending = match (guard.r#final, plan.writes.len()) {
            (true, 0 | 1) => plan.make_for_good(&self.folder).map(|()| None)?,
            (true, _) => {
                // With a timer for the moment between two files.
                plan.make(&self.folder, SECONDS_BETWEEN_FILES, SystemClock.now())?.forget(&self.folder)?;
                None
            }
            (false, _) => Some(plan.make(&self.folder, guard.within, SystemClock.now())?),
        };
        self.keep(self.action, weaker, new.files.clone())?;
        drop(lock);
        self.tell(pending.as_ref())?;
        Ok(Exit::Done)
    }

    /// Shows the effect and asks where it is worth a question; what becomes weaker, in short.
    fn show(&self, new: &Policy, guard: &Guard) -> Result<Option<String>, Failure> {
        let old = match load_policy(&self.context.policy) {
            Ok(old) => old,
            Err(error) => {
                output::warn(&format!("every login is denied now, so nothing is compared: {error}"));
                return Ok(None);
            }
        };
        let effect = Effect::of(&old, new, &FileStore::at(&self.context.store), self.context.accounts)?;
        if !self.context.json {
            output::print(&effect.to_text())?;
        }
        if !guard.yes && (effect.diff.is_weaker() || !effect.diff.locked_out.is_empty()) {
            ask_for_yes("Put this policy in force?")?;
        }
        Ok(effect.weaker_in_short())
    }

    fn plan(&self, new: &Candidate, guard: &Guard) -> Plan {
        let store = FileStore::at(&self.context.store);
        let accounts = self.context.accounts;
        let at_keyboard = administration::at_keyboard(self.context);
        let users = std::iter::once(&at_keyboard).chain(&guard.must_pass);
        let witnesses: Vec<Witness> = users.map(|user| Witness::of(user, &store, accounts)).collect();
        let asks_nobody = !witnesses.iter().any(|witness| self.is_asked(&new.policy, &witness.user));
        Plan {
            what: "the policy".to_owned(),
            by: self.by.clone(),
            services: Vec::new(),
            one_of: Vec::new(),
            asks_nobody,
            witnesses,
            reload_sshd: false,
            policy: Some(self.context.policy.clone()),
            writes: new.files.writes_over(self.present.as_ref(), &self.context.policy),
            program: None,
        }
    }

    /// Whether a service of this host asks `user` for a chain, as far as that hangs on no source.
    fn is_asked(&self, policy: &Policy, user: &str) -> bool {
        let stacks = Stacks::of_system();
        let asks = |service: &String| stacks.standing(service).is_some_and(|standing| standing.auth);
        let services = stacks.services().into_iter().filter(asks);
        services.chain(USUAL.map(str::to_owned)).any(|service| {
            let request = Request::local(&service, user).resolved(self.context.accounts);
            let decision = request.and_then(|request| {
                policy
                    .decide(&request, &self.context.accounts)
                    .map(|decision| matches!(decision, Decision::Require { .. }))
            });
            decision.unwrap_or(true)
        })
    }

    fn keep(&self, action: &str, weaker: Option<String>, files: PolicyFiles) -> Result<(), Failure> {
        let by = if action == "found" { "unknown" } else { &self.by };
        Ok(history::keep(&self.folder, Entry::new(action, by, weaker, files, SystemClock.now()))?)
    }

    fn tell(&self, pending: Option<&Pending>) -> Result<(), Failure> {
        let until = pending.map(|pending| pending.until().seconds());
        if self.context.json {
            return output::print_json(&serde_json::json!({ "applied": true, "until": until }));
        }
        let Some(pending) = pending else { return output::print("The policy is in force.\n") };
        let who: Vec<&str> = pending.witnesses.iter().map(|witness| witness.user.as_str()).collect();
        let first = if pending.asks_nobody {
            String::new()
        } else {
            format!("Log in on another terminal as {}, then run", who.join(" or "))
        };
        let first = if first.is_empty() { "Run".to_owned() } else { first };
        output::print(&format!(
            "The policy is in force until {}.\n{first} `mfa-chain confirm` to keep it; else the old policy comes back.\n",
            pending.until()
        ))
    }
}

const SECONDS_BETWEEN_FILES: u64 = 60;
/// Services that ask where no stack can be read.
const USUAL: [&str; 2] = ["sshd", "sudo"];
