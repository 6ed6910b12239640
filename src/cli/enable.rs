//! `mfa-chain enable SERVICE...`: switches codes on so that a mistake undoes itself.

pub mod arguments;

use self::arguments::{EnableArguments, FirstProof};
use super::explain::Explanation;
use super::failure::{Exit, Failure};
use super::terminal::ask_for_yes;
use super::{Context, administration, module_path, output};
use crate::changes::pending::{Pending, Plan, Program, Write};
use crate::changes::stack::{First, Switch};
use crate::changes::witness::Witness;
use crate::changes::{ChangesFolder, all_logins, services, sshd};
use crate::host::doors::Doors;
use crate::host::finding::{Finding, Severity};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;
use crate::verifier::shell_word::shell_word;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when something stands against it, nobody said yes, or sshd does not take its settings; everything is as
/// it was then.
pub fn run(context: &Context, arguments: &EnableArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let folder = ChangesFolder::open(&context.store)?;
    if let Some(other) = Pending::waiting(&folder)? {
        return Err(other.stands_in_the_way().into());
    }
    module_path::find(None)?;
    let program = arguments.all_logins.then(|| all_logins::program(true)).transpose()?;
    let writes = arguments.planned()?;
    if writes.is_empty() && (program.is_none() || all_logins::is_on()) {
        if context.json {
            output::print_json(&serde_json::json!({ "enabled": [], "until": null }))?;
        } else {
            output::print("Codes are asked for there already; nothing was changed.\n")?;
        }
        return Ok(Exit::Done);
    }
    let through = arguments.through();
    let guard =
        Guarded { context, arguments, through, policy: &policy, store: FileStore::at(&context.store) };
    guard.check(&folder, &writes)?;
    if !context.json {
        let runs = program.iter().map(|program| format!("runs `{}`\n", program.command.join(" ")));
        output::print(&(services::shown(&writes)? + &runs.collect::<String>()))?;
    }
    guard.warn_of_siblings();
    if !arguments.yes {
        ask_for_yes("Switch the codes on?")?;
    }
    let pending = guard.make(&folder, writes, program)?;
    guard.tell(&pending)?;
    Ok(Exit::Done)
}

/// A switch before it is made.
struct Guarded<'a> {
    context: &'a Context,
    arguments: &'a EnableArguments,
    /// The services that will ask.
    through: Vec<String>,
    policy: &'a Policy,
    store: FileStore,
}

impl Guarded<'_> {
    /// Whose logins count: the person at the keyboard, and those of `--must-pass`. Where nobody logged in, as on a
    /// console in rescue mode, the latter are enough.
    fn administrators(&self) -> Vec<String> {
        let named = &self.arguments.must_pass;
        let at_keyboard = administration::at_keyboard(self.context);
        let is_unknown = !administration::knows_keyboard() && !named.is_empty();
        let mut users: Vec<String> = if is_unknown { Vec::new() } else { vec![at_keyboard] };
        users.extend(named.iter().cloned());
        users.dedup();
        users
    }

    /// Refuses where the stacks would not ask, or an administrator could not pass.
    fn check(&self, folder: &ChangesFolder, writes: &[Write]) -> Result<(), Failure> {
        let mut found = services::objections(folder, &self.arguments.services, writes)?;
        found.extend(super::check::unsound(self.context, self.policy));
        if self.arguments.root_key {
            let root = Request::local("sshd", "root");
            let explanation = Explanation::of(self.policy, &self.store, self.context.accounts, &root)?;
            if explanation.exemption().is_none() {
                found.push(ROOT_IS_REFUSED.to_owned());
            }
        }
        for service in &self.through {
            for user in self.administrators() {
                let request = Request::local(service, &user);
                let explanation = Explanation::of(self.policy, &self.store, self.context.accounts, &request)?;
                if !explanation.can_pass() {
                    found.push(format!(
                        "{user} could not pass through {service}; `mfa-chain explain {} --service {}` says why",
                        shell_word(&user),
                        shell_word(service)
                    ));
                }
            }
        }
        let Some((last, others)) = found.split_last() else { return Ok(()) };
        for objection in others {
            output::warn(objection);
        }
        Err(Failure::refused(format!("{last}; nothing was changed")))
    }

    /// A second service of the same program is a second door.
    fn warn_of_siblings(&self) {
        let chosen = &self.arguments.services;
        for service in super::check::siblings(chosen) {
            output::warn(&format!(
                "{service} is another door of the same program, and would not ask; enable it too"
            ));
        }
    }

    /// Writes the files and has sshd read them. Whatever fails, all of them are put back.
    fn make(
        &self,
        folder: &ChangesFolder,
        writes: Vec<Write>,
        program: Option<Program>,
    ) -> Result<Pending, Failure> {
        let lock = folder.lock()?;
        services::check_unchanged(&writes, &self.arguments.planned()?)?;
        let plan = self.plan(writes, program);
        let names = self.through.join(", ");
        let within = format!("{}s", self.arguments.within);
        let details = [("services", names.as_str()), ("within", within.as_str())];
        administration::record_change(self.context, "enable", &details, None);
        let pending = plan.make(folder, self.arguments.within, SystemClock.now())?;
        if let Err(error) = self.check_made(&pending) {
            pending.put_back(folder)?;
            administration::record_change(self.context, "rollback", &[("what", &pending.what)], None);
            return Err(error);
        }
        if pending.reload_sshd {
            sshd::reload();
        }
        drop(lock);
        Ok(pending)
    }

    /// Checks what came of it before anybody relies on it.
    fn check_made(&self, pending: &Pending) -> Result<(), Failure> {
        if pending.reload_sshd {
            sshd::check_enabled()?;
        }
        let is_ours = |finding: &Finding| {
            self.through.iter().any(|service| finding.what.starts_with(&format!("{service}:")))
        };
        let findings = Doors::of_system().findings(self.policy);
        let wrong = findings.into_iter().find(|it| it.severity == Severity::Error && is_ours(it));
        if let Some(Finding { what, cure, .. }) = wrong {
            let message = if cure.is_empty() { what } else { format!("{what}; {cure}") };
            return Err(Failure::refused(format!("{message}. Nothing was changed")));
        }
        let silent = all_logins::not_asking(&self.through);
        if silent.is_empty() {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "{} would not ask for codes, for their stacks were written by hand; name the services in place of --all-logins",
            silent.join(", ")
        )))
    }

    fn plan(&self, writes: Vec<Write>, program: Option<Program>) -> Plan {
        let names = self.through.join(", ");
        let is_all = self.arguments.all_logins;
        let reload_sshd = self.through.iter().any(|service| service == "sshd");
        let witnesses: Vec<Witness> = self
            .administrators()
            .iter()
            .map(|user| Witness::of(user, &self.store, self.context.accounts))
            .collect();
        Plan {
            what: format!("the login through {names}"),
            by: administration::in_words(self.context),
            services: self.arguments.services.clone(),
            one_of: if is_all { self.through.clone() } else { Vec::new() },
            asks_nobody: self.asks_nobody(&witnesses),
            witnesses,
            reload_sshd,
            policy: None,
            writes,
            program,
        }
    }

    /// Whether the policy exempts all who could confirm, so that no chain can be passed.
    fn asks_nobody(&self, witnesses: &[Witness]) -> bool {
        let is_exempt = |service: &String, user: &str| {
            let request = Request::local(service, user);
            let explanation = Explanation::of(self.policy, &self.store, self.context.accounts, &request);
            explanation.is_ok_and(|explanation| explanation.exemption().is_some())
        };
        self.through.iter().all(|service| witnesses.iter().all(|witness| is_exempt(service, &witness.user)))
    }

    fn tell(&self, pending: &Pending) -> Result<(), Failure> {
        let services = &self.through;
        if self.context.json {
            let facts = serde_json::json!({ "enabled": services, "until": pending.until().seconds() });
            return output::print_json(&facts);
        }
        let who: Vec<&str> = pending.witnesses.iter().map(|witness| witness.user.as_str()).collect();
        output::print(&format!(
            "Codes are asked for through {} until {}.\nLog in there on another terminal as {}, then run `mfa-chain confirm` to \
             keep it; else everything is as before.\n",
            services.join(", "),
            pending.until(),
            who.join(" or ")
        ))
    }
}

impl EnableArguments {
    /// The services that will ask.
    fn through(&self) -> Vec<String> {
        if self.all_logins { all_logins::services() } else { self.services.clone() }
    }

    /// What has to be written. sshd includes the stack of all logins, and has to be set to ask its questions.
    fn planned(&self) -> Result<Vec<Write>, Failure> {
        if self.all_logins && self.through().iter().any(|service| service == "sshd") {
            return Ok(sshd::enable(self.switch())?);
        }
        Ok(services::enable(&self.services, self.switch())?)
    }

    fn switch(&self) -> Switch {
        let first = match self.first {
            FirstProof::Key => First::Key,
            FirstProof::Password => First::Password,
        };
        Switch { first, root_key: self.root_key }
    }
}

const ROOT_IS_REFUSED: &str = "the account line would refuse root's key, for the policy does not exempt root in sshd; docs/logins.md \
                               has the rule";
