//! One user with a real store and a real engine, beside the reference.

use std::cell::Cell;
use std::fs;
use std::sync::{Arc, Barrier};

use mfa_chain::store::{FileStore, StoreError};
use mfa_chain::verifier::attempt::{Attempt, Next, Orchestrator};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::otp::Algorithm;
use mfa_chain::verifier::policy::{FactorId, Policy};
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::time::UnixTime;
use mfa_chain::verifier::verdict::Verdict;

use crate::batch::{Batch, Judged};
use crate::engine_fixture::{Listed, NOW, SetClock, totp, typed as response};
use crate::histories::{Crash, Move, Typed};
use crate::oracle;
use crate::reference::Reference;
use crate::scratch_store::{ScratchStore, name};

const SLOT: usize = 4096;
const FACTORS: &str = "[[factors]]\nid = \"f0\"\ntype = \"totp\"\n[[factors]]\nid = \"f1\"\ntype = \"totp\"\n\
                       [[factors]]\nid = \"f2\"\ntype = \"hotp\"\n\
                       [throttle]\nfree_failures = 3\nlong_after = 8\nlock_after = 10\nfailures_a_day = 10\n";

pub struct ModelRun {
    scratch: ScratchStore,
    policy: Arc<Policy>,
    conceal: bool,
}

/// What a login needs; each process has its own.
struct Ports {
    store: FileStore,
    clock: SetClock,
    accounts: Listed,
}

type Engine<'a> = Orchestrator<&'a FileStore, &'a SetClock, &'a Listed>;

impl ModelRun {
    pub fn new(conceal: bool) -> Self {
        let scratch = ScratchStore::new();
        let word = if conceal { "conceal" } else { "reset" };
        let policy = format!("required_steps = 2\non_wrong_code = \"{word}\"\n{FACTORS}");
        Self { scratch, policy: Arc::new(Policy::parse(&policy, "policy.toml").expect("a policy")), conceal }
    }

    /// Makes the moves, and compares with the reference after each. `spoil` is given the reference before.
    pub fn live_through(&self, moves: &[Move], spoil: fn(&mut Reference)) {
        let ports = self.ports(NOW);
        let engine = self.engine(&ports);
        let mut life = Life {
            run: self,
            engine: &engine,
            clock: &ports.clock,
            reference: Reference::default(),
            open: [None, None],
        };
        life.make(Move::Enroll { factor: 0, key: 0 });
        life.make(Move::Enroll { factor: 1, key: 0 });
        for (place, next) in moves.iter().enumerate() {
            spoil(&mut life.reference);
            life.make(*next);
            life.compare(&format!("after move {place}, {next:?}"));
        }
    }

    fn ports(&self, now: u64) -> Ports {
        Ports { store: self.scratch.store(), clock: SetClock(Cell::new(now)), accounts: Listed::default() }
    }

    fn engine<'a>(&'a self, ports: &'a Ports) -> Engine<'a> {
        let Ports { store, clock, accounts } = ports;
        Orchestrator::new(Arc::clone(&self.policy), store, clock).with_accounts(accounts)
    }

    fn state_bytes(&self) -> Vec<u8> {
        fs::read(self.scratch.file("state/alice")).expect("the state")
    }

    /// Two processes give the same first answers at once.
    fn race(&self, batch: &Batch) -> [Judged; 2] {
        let barrier = Barrier::new(2);
        let login = || {
            let ports = self.ports(batch.now);
            let engine = self.engine(&ports);
            let mut attempt = begin(&engine, batch.source);
            barrier.wait();
            for (factor, text, _) in &batch.answers {
                match engine
                    .submit(attempt, &format!("f{factor}"), response(text))
                    .expect("the factor expected")
                {
                    Next::Ask(next) => attempt = next,
                    Next::Over(Verdict::Grant(_)) => return Judged::Right,
                    Next::Over(Verdict::Deny(reason)) => return judged_as(&reason),
                    Next::Over(verdict) => panic!("{verdict:?}"),
                }
            }
            Judged::Right
        };
        let mut judged = std::thread::scope(|scope| {
            [scope.spawn(login), scope.spawn(login)].map(|thread| thread.join().expect("a login"))
        });
        judged.sort_unstable();
        judged
    }
}

fn begin(engine: &Engine<'_>, source: usize) -> Attempt {
    let address = ["198.51.100.7", "203.0.113.9"].get(source).map(ToString::to_string);
    match engine.begin(&Request { rhost: address, ..Request::local("sshd", "alice") }) {
        Next::Ask(attempt) => attempt,
        Next::Over(verdict) => panic!("{verdict:?}"),
    }
}

/// Compares what came of a batch with what the reference expects; the attempt, if it goes on.
fn went_on(next: Next, expected: Judged, batch: &Batch) -> Option<Attempt> {
    match next {
        Next::Over(Verdict::Deny(reason)) => assert_eq!(judged_as(&reason), expected, "{reason}, {batch:?}"),
        Next::Over(Verdict::Grant(_)) => {
            assert!(expected == Judged::Right && batch.is_last, "granted: {batch:?}");
        }
        Next::Over(verdict) => panic!("{verdict:?}"),
        Next::Ask(attempt) => {
            assert!(expected == Judged::Right && !batch.is_last, "went on: {batch:?}");
            return Some(attempt);
        }
    }
    None
}

fn judged_as(reason: &DenyReason) -> Judged {
    match reason {
        DenyReason::Step(Refusal::Throttled { .. }) => Judged::Throttled,
        DenyReason::Step(_) => Judged::Wrong,
        other => panic!("{other:?}"),
    }
}

/// An open login, and what the reference knows of it.
struct Terminal {
    attempt: Attempt,
    source: usize,
    /// The factors it must ask for, and whether the user has them.
    asked: Vec<usize>,
    can_pass: bool,
    begun: u64,
    step: usize,
    waiting: Vec<(usize, String, u64)>,
}

struct Life<'a> {
    run: &'a ModelRun,
    engine: &'a Engine<'a>,
    clock: &'a SetClock,
    reference: Reference,
    open: [Option<Terminal>; 2],
}

impl Life<'_> {
    fn make(&mut self, next: Move) {
        match next {
            Move::Begin { terminal, source } => self.open[terminal] = Some(self.begin(source)),
            Move::Answer { terminal, typed, crash } => {
                if let Some(open) = self.open[terminal].take() {
                    self.open[terminal] = self.answer(open, typed, crash);
                }
            }
            Move::Login { source, typed } => {
                let begun = Some(self.begin(source));
                typed.iter().fold(begun, |open, typed| self.answer(open?, *typed, Crash::No));
            }
            Move::Race { source, typed } => self.race(source, typed),
            Move::Clock(seconds) => {
                let clock = &self.clock.0;
                clock.set(clock.get().saturating_add_signed(seconds).max(86_400));
            }
            Move::Enroll { factor, key } => {
                self.reference.keys.insert(factor, factor * 10 + key);
                self.enroll();
            }
            Move::Revoke(factor) => {
                self.reference.keys.remove(&factor);
                self.enroll();
            }
            Move::Unlock => {
                self.run.scratch.store().clear_failures(&name("alice")).expect("unlocked");
                self.reference.unlock();
            }
            Move::Reset => self.reset(),
        }
    }

    fn now(&self) -> u64 {
        self.clock.0.get()
    }

    fn begin(&self, source: usize) -> Terminal {
        let mine: Vec<usize> = self.reference.keys.keys().copied().take(2).collect();
        let can_pass = mine.len() == 2;
        let asked = if can_pass { mine } else { vec![0, 1] };
        Terminal {
            attempt: begin(self.engine, source),
            source,
            asked,
            can_pass,
            begun: self.now(),
            step: 0,
            waiting: Vec::new(),
        }
    }

    /// Answers the next prompt; what is left of the login.
    fn answer(&mut self, mut open: Terminal, typed: Typed, crash: Crash) -> Option<Terminal> {
        let factor = open.asked[open.step];
        assert_eq!(open.attempt.expected().factor.id.as_str(), format!("f{factor}"));
        let text = self.text(factor, open.asked[1 - open.step], typed);
        open.waiting.push((factor, text.clone(), self.now()));
        let before = self.run.state_bytes();
        let submitted = self
            .engine
            .submit(open.attempt, &format!("f{factor}"), response(&text))
            .expect("the factor expected");
        let after = self.run.state_bytes();
        if self.is_too_late(open.begun, &submitted, before == after) {
            return None;
        }
        open.step += 1;
        if self.run.conceal && open.step == 1 {
            let Next::Ask(attempt) = submitted else { panic!("judged before its time: {submitted:?}") };
            assert_eq!(before, after, "written before anything was judged");
            return Some(Terminal { attempt, ..open });
        }
        let (answers, is_last) = (std::mem::take(&mut open.waiting), open.step == 2);
        let batch = Batch { answers, source: open.source, now: self.now(), can_pass: open.can_pass, is_last };
        let mut next = self.reference.clone();
        let expected = next.judge(&batch, code);
        if self.is_on_disk_after(crash, &before, &after) {
            self.reference = next;
        }
        if !matches!(crash, Crash::No) {
            return None;
        }
        let attempt = went_on(submitted, expected, &batch)?;
        Some(Terminal { attempt, ..open })
    }

    /// An attempt older than five minutes is over, and nothing was judged.
    fn is_too_late(&self, begun: u64, submitted: &Next, unchanged: bool) -> bool {
        let too_late = self.now().abs_diff(begun) > 300;
        let refused = matches!(submitted, Next::Over(Verdict::Deny(DenyReason::TooLate)));
        assert_eq!(too_late, refused, "{submitted:?}");
        assert!(!too_late || unchanged, "too late, and judged");
        too_late
    }

    /// Does to the file what the crash does; whether the judgement survives it.
    fn is_on_disk_after(&self, crash: Crash, before: &[u8], after: &[u8]) -> bool {
        let mut left = after.to_vec();
        match crash {
            Crash::No | Crash::Untold => return true,
            Crash::Lost => left.copy_from_slice(before),
            Crash::Torn(written) => {
                let slot = if before[..SLOT] == after[..SLOT] { SLOT } else { 0 };
                left[slot + written..].copy_from_slice(&before[slot + written..]);
                left[..slot].copy_from_slice(&after[..slot]);
                if slot == 0 {
                    left[SLOT..].copy_from_slice(&after[SLOT..]);
                }
            }
        }
        fs::write(self.run.scratch.file("state/alice"), &left).expect("crashed");
        left == after
    }

    fn race(&mut self, source: usize, typed: [Typed; 2]) {
        let Terminal { asked, can_pass, .. } = self.begin(source);
        let count = if self.run.conceal { 2 } else { 1 };
        let now = self.now();
        let answer = |step: usize| (asked[step], self.text(asked[step], asked[1 - step], typed[step]), now);
        let answers = (0..count).map(answer).collect();
        let batch = Batch { answers, source, now, can_pass, is_last: self.run.conceal };
        let mut expected = [(); 2].map(|()| self.reference.judge(&batch, code));
        expected.sort_unstable();
        assert_eq!(self.run.race(&batch), expected, "{batch:?}");
    }

    /// What is typed for `factor`; `other` is the chain's other one.
    fn text(&self, factor: usize, other: usize, typed: Typed) -> String {
        let key = |factor: usize| self.reference.keys.get(&factor).copied().unwrap_or(factor * 10);
        let next = |factor: usize| self.reference.next.get(&key(factor)).copied().unwrap_or(0);
        let present = self.now() / 30;
        let newest = |factor: usize| if factor == 2 { next(2) } else { present + 1 };
        match typed {
            Typed::Right => code(key(factor), newest(factor)),
            Typed::Oldest if factor == 2 => code(key(2), next(2).saturating_add(9)),
            Typed::Oldest => code(key(factor), next(factor).max(present - 1)),
            Typed::Used => code(key(factor), next(factor).saturating_sub(1)),
            Typed::Swapped => code(key(other), newest(other)),
            Typed::TooEarly if factor == 2 => code(key(2), next(2).saturating_add(10)),
            Typed::TooEarly => code(key(factor), present + 2),
            Typed::Wrong => "000000".to_owned(),
        }
    }

    /// Writes the record that the reference has.
    fn enroll(&self) {
        let credentials = self.reference.keys.iter().map(|(factor, key)| credential(*factor, *key)).collect();
        let record = UserRecord::new(credentials, None).expect("a record");
        let store = self.run.scratch.store();
        store.change_record::<StoreError>(&name("alice"), |_| Ok(record)).expect("enrolled");
    }

    /// After a lost state the present counts as used, and a counter for good.
    fn reset(&mut self) {
        let now = self.now();
        self.run
            .scratch
            .store()
            .reset_state(&name("alice"), None, UnixTime::from_seconds(now))
            .expect("reset");
        let keys = std::mem::take(&mut self.reference.keys);
        let next =
            keys.iter().map(|(factor, key)| (*key, if *factor == 2 { u64::MAX } else { now / 30 + 11 }));
        self.reference = Reference { next: next.collect(), keys: keys.clone(), ..Reference::default() };
    }

    fn compare(&self, when: &str) {
        let store = self.run.scratch.store();
        let state = store.login_state(&name("alice")).expect(when).expect("a state");
        let record = store.record(&name("alice")).expect(when).expect("a record");
        assert_eq!(state.failures.total(), self.reference.failures(), "failures {when}");
        assert_eq!(state.failures.known.len(), self.reference.known.len(), "known sources {when}");
        let enrolled: Vec<String> = record.credentials().iter().map(|it| it.factor.to_string()).collect();
        let keys = &self.reference.keys;
        assert_eq!(enrolled, keys.keys().map(|factor| format!("f{factor}")).collect::<Vec<_>>(), "{when}");
        for ((factor, key), credential) in keys.iter().zip(record.credentials()) {
            let next = self.reference.next.get(key).copied().unwrap_or(0);
            assert_eq!(state.next_acceptable(credential), next, "the next code of f{factor} {when}");
        }
    }
}

fn secret(key: usize) -> Vec<u8> {
    vec![u8::try_from(key + 65).expect("few"); 20]
}

fn code(key: usize, step: u64) -> String {
    oracle::code(&secret(key), step, 6)
}

fn credential(factor: usize, key: usize) -> Credential {
    let base = totp(&secret(key), Algorithm::Sha1, 6, 30);
    let id = FactorId::parse(&format!("f{factor}")).expect("an id");
    Credential { factor: id, otp_type: if factor == 2 { OtpType::Hotp } else { base.otp_type }, ..base }
}
