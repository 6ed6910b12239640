//! A world for the engine: a clock that is set, accounts that are listed, codes that are computed.
#![allow(dead_code)] // each test binary uses its part

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mfa_chain::verifier::accounts::{Account, Accounts, AccountsError, Membership};
use mfa_chain::verifier::attempt::{Next, Orchestrator};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::event::Event;
use mfa_chain::verifier::memory_store::MemoryStore;
use mfa_chain::verifier::otp::{Algorithm, Digits, Period, RecoverySet, Response, SharedSecret};
use mfa_chain::verifier::policy::{FactorId, Policy};
use mfa_chain::verifier::ports::{Audit, Clock};
use mfa_chain::verifier::reason::DenyReason;
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::DrawKey;
use mfa_chain::verifier::time::UnixTime;
use mfa_chain::verifier::verdict::Verdict;
use zeroize::Zeroizing;

/// Noon of a day in 2026, in the middle of a time step.
pub const NOW: u64 = 1_790_000_010;

pub struct EngineFixture {
    pub policy: Arc<Policy>,
    pub store: MemoryStore,
    pub clock: SetClock,
    pub accounts: Listed,
    pub audit: Trail,
}

pub type Engine<'a> = Orchestrator<&'a MemoryStore, &'a SetClock, &'a Listed, &'a Trail>;

impl EngineFixture {
    /// A world under `policy`; nobody is enrolled. One that does not say how many steps there are asks for all of
    /// its factors.
    pub fn new(policy: &str) -> Self {
        let said = policy.split('[').next().is_some_and(|top| top.contains("required_steps"));
        let steps = format!("required_steps = {}\n", policy.matches("[[factors]]").count());
        let policy = if said { policy.to_owned() } else { steps + policy };
        Self {
            policy: Arc::new(Policy::parse(&policy, "policy.toml").unwrap_or_else(|error| panic!("{error}"))),
            store: MemoryStore::new(DrawKey([9; 32])),
            clock: SetClock(Cell::new(NOW)),
            accounts: Listed::default(),
            audit: Trail::default(),
        }
    }

    /// Enrolls `user` in every factor of the policy, each with a key of its own.
    pub fn enroll_all(&self, user: &str) {
        let ids: Vec<String> = self.policy.factors().iter().map(|factor| factor.id.to_string()).collect();
        self.enroll(user, &ids.iter().map(String::as_str).collect::<Vec<_>>(), None);
    }

    /// Enrolls `user` in some factors.
    pub fn enroll(&self, user: &str, factors: &[&str], recovery: Option<RecoverySet>) {
        let credentials = factors.iter().map(|id| self.credential(id)).collect();
        self.store.enroll(user, UserRecord::new(credentials, recovery).expect("record"));
    }

    /// The credential that `enroll` makes for a factor.
    pub fn credential(&self, id: &str) -> Credential {
        let factor = self.policy.factor(id).expect("a factor of the policy");
        let otp_type = match factor.kind.name() {
            "totp" => OtpType::Totp(factor.enrollment.period),
            _ => OtpType::Hotp,
        };
        Credential {
            algorithm: factor.enrollment.algorithm,
            digits: factor.enrollment.digits,
            ..Credential::new(factor.id.clone(), otp_type, key_of(id))
        }
    }

    /// The code of `factor` for a time step so many steps from now, or for a counter.
    pub fn code(&self, factor: &str, offset: i64) -> String {
        let credential = self.credential(factor);
        let at = match credential.step_at(self.clock.now()) {
            Some(step) => step.checked_add_signed(offset).expect("step"),
            None => u64::try_from(offset).expect("counter"),
        };
        credential.code(at).to_string()
    }

    pub fn engine(&self) -> Engine<'_> {
        let engine = Orchestrator::new(Arc::clone(&self.policy), &self.store, &self.clock);
        engine.with_accounts(&self.accounts).with_audit(&self.audit)
    }

    /// Passes or fails one attempt: `answer` says what is typed for each factor asked.
    pub fn login(&self, user: &str, answer: impl FnMut(&str) -> String) -> Ending {
        self.login_through("sshd", user, answer)
    }

    pub fn login_through(&self, service: &str, user: &str, answer: impl FnMut(&str) -> String) -> Ending {
        self.attempt(&Request::local(service, user), answer)
    }

    /// A login over the network.
    pub fn login_from(&self, address: &str, user: &str, answer: impl FnMut(&str) -> String) -> Ending {
        self.attempt(&Request { rhost: Some(address.to_owned()), ..Request::local("sshd", user) }, answer)
    }

    pub fn attempt(&self, request: &Request, mut answer: impl FnMut(&str) -> String) -> Ending {
        let engine = self.engine();
        let mut asked = Vec::new();
        let mut next = engine.begin(request);
        loop {
            let attempt = match next {
                Next::Over(verdict) => return Ending { asked, verdict },
                Next::Ask(attempt) => attempt,
            };
            let factor = attempt.expected().factor.id.to_string();
            asked.push(factor.clone());
            next = engine.submit(attempt, &factor, typed(&answer(&factor))).expect("the expected factor");
        }
    }

    pub fn failures(&self, user: &str) -> u32 {
        self.store.state(user).expect("a state").failures.total()
    }
}

/// How a login ended, and the factors it asked for on the way.
#[derive(Debug)]
pub struct Ending {
    pub asked: Vec<String>,
    pub verdict: Verdict,
}

impl Ending {
    pub fn granted(&self) -> bool {
        matches!(self.verdict, Verdict::Grant(_))
    }

    pub fn reason(&self) -> &DenyReason {
        match &self.verdict {
            Verdict::Deny(reason) => reason,
            other => panic!("not denied: {other:?}"),
        }
    }
}

pub fn typed(text: &str) -> Response {
    Response::from_bytes(text.as_bytes())
}

/// A key that follows from the factor's name.
pub fn key_of(id: &str) -> SharedSecret {
    let bytes: Vec<u8> = id.bytes().cycle().take(20).collect();
    SharedSecret::from_bytes(Zeroizing::new(bytes)).expect("160 bits")
}

pub fn totp(secret: &[u8], algorithm: Algorithm, digits: u64, period: u64) -> Credential {
    Credential {
        algorithm,
        digits: Digits::new(digits).expect("digits"),
        ..Credential::new(
            FactorId::parse("phone").expect("id"),
            OtpType::Totp(Period::from_seconds(period).expect("period")),
            SharedSecret::from_bytes(Zeroizing::new(secret.to_vec())).expect("secret"),
        )
    }
}

#[derive(Debug)]
pub struct SetClock(pub Cell<u64>);

impl SetClock {
    pub fn advance(&self, seconds: u64) {
        self.0.set(self.0.get().saturating_add(seconds));
    }
}

impl Clock for SetClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.0.get())
    }
}

/// Accounts that the system lists, under other names too; group membership as `user:group`.
#[derive(Debug, Default)]
pub struct Listed {
    pub users: RefCell<BTreeSet<String>>,
    /// Numbers of accounts; those without have 1000.
    pub uids: RefCell<BTreeMap<String, u32>>,
    /// Other spellings, and the account that each leads to.
    pub spellings: RefCell<BTreeMap<String, String>>,
    /// The names that were asked for.
    pub asked: RefCell<Vec<String>>,
    pub members: RefCell<BTreeSet<String>>,
    pub broken: Cell<bool>,
}

impl Listed {
    fn answer(&self) -> Result<(), AccountsError> {
        if self.broken.get() { Err(AccountsError("down".to_owned())) } else { Ok(()) }
    }
}

impl Accounts for Listed {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        self.asked.borrow_mut().push(name.to_owned());
        self.answer()?;
        let spellings = self.spellings.borrow();
        let name = spellings.get(name).map_or(name, String::as_str);
        let uid = self.uids.borrow().get(name).copied().unwrap_or(1_000);
        let listed = self.users.borrow().contains(name);
        Ok(listed.then(|| Account { name: name.to_owned(), uid, gid: uid }))
    }

    fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
        let name = self.uids.borrow().iter().find(|(_, its)| **its == uid).map(|(name, _)| name.clone());
        name.map_or(Ok(None), |name| self.account(&name))
    }

    fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
        self.answer()?;
        Ok(self.members.borrow().iter().any(|member| member.ends_with(&format!(":{group}"))))
    }

    fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        self.answer()?;
        let members = self.members.borrow();
        Ok(account.is_some_and(|account| members.contains(&format!("{}:{group}", account.name))).into())
    }
}

/// The audit trail, kept to look at.
#[derive(Debug, Default)]
pub struct Trail(pub RefCell<Vec<String>>);

impl Audit for Trail {
    fn record(&self, event: &Event) {
        self.0.borrow_mut().push(event.line().to_owned());
    }
}
