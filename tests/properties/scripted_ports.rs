//! The ports of a login, played from a script: answers, clock steps, faults, enrollments. Each move is one byte, most
//! of them a letter (see [`super::login`]); what the script does not say comes as the end of input.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use mfa_chain::verifier::accounts::{Account, Accounts, AccountsError, Membership};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::event::Event;
use mfa_chain::verifier::otp::{Period, RecoveryCode, RecoveryHash, RecoverySet, Response, SharedSecret};
use mfa_chain::verifier::policy::FactorId;
use mfa_chain::verifier::ports::{
    Audit, Claimant, Clock, Committed, Conversation, NoAnswer, Store, StoreFailure,
};
use mfa_chain::verifier::state::{DrawKey, LoginState};
use mfa_chain::verifier::time::UnixTime;
use zeroize::Zeroizing;

use super::login::{Answer, Fate, Judgement, Ledger, RECOVERY, SETTING_BYTES, Setting, secret};
use super::moves::Move;

/// Hashed once, which takes longer than a login.
static RECOVERY_SET: LazyLock<RecoverySet> = LazyLock::new(|| {
    let code = |text: &str| RecoveryCode::parse(text.as_bytes()).expect("a recovery code");
    let hashes = RECOVERY.iter().map(|text| RecoveryHash::of(&code(text), [1; 16]));
    RecoverySet::new(1, hashes.collect()).expect("two codes")
});

/// Moves beyond it are left out: what needs more of them is found sooner by making other ones.
const LONGEST_SCRIPT: usize = 120;

/// In the step before one that has the same digits for the first factor: 162989 in steps 60397113 and 60397114.
const TWINS: u64 = 1_811_913_405;

/// The world of one script.
pub struct ScriptedPorts {
    pub setting: Setting,
    script: RefCell<Vec<u8>>,
    now: Cell<u64>,
    enrolled: Cell<u8>,
    states: RefCell<BTreeMap<String, LoginState>>,
    /// What goes wrong at the next call of the store.
    fault: Cell<Option<u8>>,
    pub broken_accounts: Cell<bool>,
    pub is_member: Cell<bool>,
    pub is_listed: Cell<bool>,
    pub ledger: RefCell<Ledger>,
}

impl ScriptedPorts {
    pub fn new(setting: Setting, bytes: &[u8]) -> Self {
        // Taken off the end, so reversed.
        let script = bytes.iter().skip(SETTING_BYTES).take(LONGEST_SCRIPT).rev().copied().collect();
        Self {
            enrolled: Cell::new(setting.enrolled),
            setting,
            script: RefCell::new(script),
            now: Cell::new(super::engine_fixture::NOW),
            states: RefCell::default(),
            fault: Cell::default(),
            broken_accounts: Cell::default(),
            is_member: Cell::default(),
            is_listed: Cell::new(true),
            ledger: RefCell::default(),
        }
    }

    /// The next move of the script.
    pub fn next_move(&self) -> Option<Move> {
        self.next_byte().map(Move::of)
    }

    fn next_byte(&self) -> Option<u8> {
        self.script.borrow_mut().pop()
    }

    /// The factors that `user` has, as bits.
    pub fn enrolled(&self, user: &str) -> u8 {
        if user == "alice" { self.enrolled.get() } else { 0 }
    }

    pub fn seconds(&self) -> u64 {
        self.now.get()
    }

    /// Makes a move of the world, if it is one.
    pub fn moved(&self, made: Move) -> bool {
        let now = self.now.get();
        match made {
            Move::NextStep => self.now.set(now.saturating_add(30)),
            Move::StepBack => self.now.set(now.saturating_sub(30)),
            Move::TwoDaysOn => self.now.set(now.saturating_add(2 * 86_400)),
            Move::DayBack => self.now.set(now.saturating_sub(86_400)),
            Move::EndOfTime => self.now.set(u64::MAX - 5),
            Move::Epoch => self.now.set(0),
            Move::Twins => self.now.set(TWINS),
            Move::Noon => self.now.set(super::engine_fixture::NOW),
            Move::Revoke => {
                self.enrolled.set(self.enrolled.get() & !(1 << (self.next_byte().unwrap_or(0) & 3)));
            }
            Move::Enroll => self.enrolled.set(self.enrolled.get() | 1 << (self.next_byte().unwrap_or(0) % 3)),
            Move::Fault => self.fault.set(self.next_byte()),
            Move::BreakAccounts => self.broken_accounts.set(!self.broken_accounts.get()),
            Move::Join => self.is_member.set(!self.is_member.get()),
            Move::List => self.is_listed.set(!self.is_listed.get()),
            _ => return false,
        }
        true
    }

    fn record(&self, user: &str) -> UserRecord {
        let places = (0..3_u8).filter(|place| self.enrolled(user) & 1 << place != 0);
        let credentials = places.map(|place| self.credential(usize::from(place))).collect();
        let set = (user == "alice").then(|| RECOVERY_SET.clone());
        UserRecord::new(credentials, set).expect("a record")
    }

    fn credential(&self, place: usize) -> Credential {
        Credential::new(
            FactorId::parse(&format!("f{place}")).expect("an id"),
            if self.setting.is_hotp(place) { OtpType::Hotp } else { OtpType::Totp(Period::default()) },
            SharedSecret::from_bytes(Zeroizing::new(secret(place))).expect("a secret"),
        )
    }

    fn state(&self, user: &str) -> LoginState {
        let fresh = || LoginState { draw_key: DrawKey([7; 32]), ..LoginState::default() };
        self.states.borrow().get(user).cloned().unwrap_or_else(fresh)
    }
}

impl Store for ScriptedPorts {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        if self.fault.get() == Some(b'f') {
            self.fault.set(None);
            return Err(StoreFailure("no such disk".to_owned()));
        }
        let (record, state) = (self.record(user), self.state(user));
        self.ledger.borrow_mut().begin(self.enrolled(user), &self.setting);
        let enrolled = record.credentials().iter().map(|it| (it.factor.clone(), it.otp_type)).collect();
        let (uid, user) = (record.uid(), user.to_owned());
        Ok(Claimant { user, uid, enrolled, failures: state.failures.clone(), draw_key: state.draw_key })
    }

    fn enrolled_as(&self, _: u32) -> Result<Option<String>, StoreFailure> {
        Ok(None)
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        let fault = self.fault.take();
        if fault == Some(b'b') {
            self.ledger.borrow_mut().lose_answers();
            return Err(StoreFailure("read-only".to_owned()));
        }
        let before = self.state(&claimant.user);
        let mut after = before.clone();
        let outcome = judge(&self.record(&claimant.user), &mut after);
        let failures = before.failures.at(UnixTime::from_seconds(self.seconds()));
        let unjudged = LoginState { failures, ..before };
        let fate = match fault {
            Some(b'k') => Fate::Kept,
            Some(b'l') => Fate::Lost,
            _ => Fate::Told,
        };
        let user = claimant.user.as_str();
        let judgement =
            Judgement { user, enrolled: self.enrolled(user), before: &unjudged, after: &after, fate };
        self.ledger.borrow_mut().judge(&self.setting, &judgement);
        if fate != Fate::Lost {
            self.states.borrow_mut().insert(user.to_owned(), after);
        }
        match fate {
            Fate::Told => Ok(Committed::assertion(outcome)),
            Fate::Kept | Fate::Lost => Err(StoreFailure("the sync failed".to_owned())),
        }
    }
}

impl Clock for ScriptedPorts {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.seconds())
    }
}

impl Accounts for ScriptedPorts {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        if self.broken_accounts.get() {
            return Err(AccountsError("down".to_owned()));
        }
        Ok(self.is_listed.get().then(|| Account { name: name.to_owned(), uid: 1_000, gid: 1_000 }))
    }

    fn account_of(&self, _: u32) -> Result<Option<Account>, AccountsError> {
        Ok(None)
    }

    fn lists_group(&self, _: &str) -> Result<bool, AccountsError> {
        self.answer()
    }

    fn membership(&self, _: Option<&Account>, _: &str) -> Result<Membership, AccountsError> {
        self.answer().map(Membership::from)
    }
}

impl ScriptedPorts {
    fn answer(&self) -> Result<bool, AccountsError> {
        if self.broken_accounts.get() {
            Err(AccountsError("down".to_owned()))
        } else {
            Ok(self.is_member.get())
        }
    }
}

impl Audit for ScriptedPorts {
    fn record(&self, event: &Event) {
        let line = event.line();
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
        let digits = line.split(|letter: char| !letter.is_ascii_digit());
        assert!(digits.map(str::len).max() < Some(6), "a code in the log: {line}");
    }
}

/// The claimant, and the application between.
pub struct Talk<'a> {
    pub ports: &'a ScriptedPorts,
    pub user: &'a str,
    pub is_same: bool,
}

impl Conversation for Talk<'_> {
    fn ask(&mut self, prompt: &str, _: bool) -> Result<Response, NoAnswer> {
        assert!(self.is_same, "asked on behalf of somebody else");
        let factor = self.ports.ledger.borrow_mut().ask(prompt, &self.ports.setting);
        loop {
            let made = self.ports.next_move().ok_or_else(|| NoAnswer("end of input".to_owned()))?;
            match made {
                _ if self.ports.moved(made) => {}
                Move::HangUp => return Err(NoAnswer("cancelled".to_owned())),
                Move::ChangeUser => self.is_same = false,
                _ => {
                    let typed = self.typed(made, factor);
                    let response = Response::from_bytes(&typed);
                    let answer = Answer { factor, typed, at: self.ports.seconds() };
                    self.ports.ledger.borrow_mut().answers.push(answer);
                    return Ok(response);
                }
            }
        }
    }

    fn tell_denied(&mut self, message: &str) {
        assert_eq!(message, "Access denied. The chain starts again at step 1.");
    }

    fn claimant_is(&mut self, user: &str) -> bool {
        self.is_same && self.user == user
    }
}

impl Talk<'_> {
    fn typed(&self, made: Move, factor: usize) -> Vec<u8> {
        let setting = &self.ports.setting;
        let ledger = self.ports.ledger.borrow();
        let fresh = ledger.acceptable(setting, factor, self.ports.seconds());
        let code = |factor: usize, at: u64| super::oracle::code(&secret(factor), at, 6).into_bytes();
        match made {
            Move::Newest => fresh.last().map_or_else(Vec::new, |at| code(factor, *at)),
            Move::Oldest => fresh.first().map_or_else(Vec::new, |at| code(factor, *at)),
            Move::Used => code(factor, ledger.next[factor].saturating_sub(1)),
            Move::OfAnother => code((factor + 1) % 3, self.ports.seconds() / 30),
            Move::Wrong => b"000000".to_vec(),
            Move::Recovery => RECOVERY[0].as_bytes().to_vec(),
            Move::SecondRecovery => RECOVERY[1].to_lowercase().replace('-', " ").into_bytes(),
            Move::WrongRecovery => b"AAAA-AAAA-AAAA-AAAA-AAAA-AAAA".to_vec(),
            Move::Filler => b"\x08\n\r\x7fINCORRECT".to_vec(),
            Move::Raw => {
                let length = usize::from(self.ports.next_byte().unwrap_or(0));
                (0..length).map_while(|_| self.ports.next_byte()).collect()
            }
            Move::Byte(byte) => vec![byte],
            // Moves of the world and of logins are made elsewhere.
            _ => Vec::new(),
        }
    }
}
