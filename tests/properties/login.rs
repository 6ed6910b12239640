//! A whole login with scripted ports: nobody is granted but by right codes, unused, in the order asked; nobody is
//! exempt but by the policy; every failure that was judged is charged.
//!
//! Four digits set the scene: which factors are HOTP (a bit each), which are enrolled, how many steps are required
//! less one, and `random` (1), `conceal` (2), a roll-out (4). Then each byte is a [`Move`]; between logins any that is
//! none of the world's lets alice log in.

use mfa_chain::verifier::attempt::Orchestrator;
use mfa_chain::verifier::login::authenticate;
use mfa_chain::verifier::policy::Policy;
use mfa_chain::verifier::reason::DenyReason;
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::{FailureCounts, LoginState};
use mfa_chain::verifier::verdict::{Exemption, Verdict};

use super::moves::Move;
use super::oracle::{Shape, code, shape};
use super::scripted_ports::{ScriptedPorts, Talk};

/// How many bytes the scene takes.
pub const SETTING_BYTES: usize = 4;
pub const RECOVERY: [&str; 2] = ["ABCD-EFGH-IJKL-MNOP-QRST-UV27", "ZZZZ-YYYY-XXXX-WWWW-VVVV-UUUU"];
/// The end of 2026-12-31.
const DEADLINE: u64 = 1_798_761_600;

/// The bytes are a script.
pub fn check(bytes: &[u8]) {
    let Some([kinds, enrolled, required, flags]) = bytes.first_chunk::<SETTING_BYTES>() else { return };
    let setting = Setting {
        kinds: kinds & 7,
        enrolled: enrolled & 7,
        required: usize::from(required % 3) + 1,
        flags: flags & 7,
    };
    let policy = Policy::parse(&setting.policy(), "policy.toml").expect("a policy");
    let ports = ScriptedPorts::new(setting, bytes);
    while let Some(made) = ports.next_move() {
        let (service, user) = match made {
            _ if ports.moved(made) => continue,
            Move::Nobody => ("sshd", "nobody"),
            Move::Cron => ("cron", "alice"),
            Move::Ftp => ("ftp", "alice"),
            Move::Sudo => ("sudo", "alice"),
            _ => ("sshd", "alice"),
        };
        login(&ports, &policy, service, user);
    }
}

fn login(ports: &ScriptedPorts, policy: &Policy, service: &str, user: &str) {
    let engine = Orchestrator::new(policy.clone(), ports, ports).with_accounts(ports).with_audit(ports);
    ports.ledger.borrow_mut().start();
    let exempt = exemption(ports, service, user);
    let mut talk = Talk { ports, user, is_same: true };
    let verdict = authenticate(&engine, &Request::local(service, user), &mut talk);
    let ledger = ports.ledger.borrow();
    match &verdict {
        Verdict::Grant(proof) => {
            assert_eq!(ledger.passed, ports.setting.required, "granted after {} right steps", ledger.passed);
            assert!(talk.is_same && user == "alice" && ledger.can_pass, "granted to somebody else");
            let proven: Vec<String> = proof.factors().map(ToString::to_string).collect();
            let asked: Vec<String> = ledger.asked.iter().map(|place| format!("f{place}")).collect();
            assert_eq!(proven, asked);
        }
        Verdict::Exempt(found) => assert_eq!(exempt, Some(*found)),
        Verdict::Deny(reason) => {
            assert!(
                ledger.passed < ports.setting.required,
                "right answers in order are granted, not {reason}"
            );
            let excused = matches!(reason, DenyReason::Accounts(_) | DenyReason::Store(_));
            assert!(exempt.is_none() || excused, "the policy exempts, and {reason} came");
        }
    }
    if exempt.is_some() || service == "ftp" {
        assert!(ledger.asked.is_empty(), "asked though nothing is to be asked");
    }
}

/// What the policy exempts, read by hand.
fn exemption(ports: &ScriptedPorts, service: &str, user: &str) -> Option<Exemption> {
    let broken = ports.broken_accounts.get();
    let setting = &ports.setting;
    match service {
        "cron" => Some(Exemption::Rule(0)),
        "sudo" if ports.is_member.get() && !broken => Some(Exemption::Rule(2)),
        "ftp" => None,
        "sudo" if broken => None,
        _ => {
            let has_too_few =
                usize::try_from(ports.enrolled(user).count_ones()).expect("few") < setting.required;
            let in_time = ports.seconds() < DEADLINE;
            let rolls_out =
                setting.flags & 4 != 0 && has_too_few && in_time && ports.is_listed.get() && !broken;
            rolls_out.then_some(Exemption::RollOut)
        }
    }
}

/// The scene of a script.
#[derive(Clone, Debug)]
pub struct Setting {
    kinds: u8,
    pub enrolled: u8,
    pub required: usize,
    flags: u8,
}

impl Setting {
    pub fn is_hotp(&self, place: usize) -> bool {
        self.kinds & 1 << place != 0
    }

    fn is_random(&self) -> bool {
        self.flags & 1 != 0
    }

    fn policy(&self) -> String {
        let mode = if self.is_random() { "random" } else { "fixed" };
        let conceal = if self.flags & 2 != 0 { "conceal" } else { "reset" };
        let roll_out = if self.flags & 4 != 0 { "unenrolled = 'exempt'\nuntil = 2026-12-31\n" } else { "" };
        let factor = |place| {
            format!(
                "[[factors]]\nid='f{place}'\ntype='{}'\n",
                if self.is_hotp(place) { "hotp" } else { "totp" }
            )
        };
        let factors: String = (0..3).map(factor).collect();
        format!(
            "mode = '{mode}'\nrequired_steps = {}\non_wrong_code = '{conceal}'\n{roll_out}{factors}\
             [prompt]\ntext = '{{label}} {{step}} {{steps}}'\n\
             [[rules]]\nservices=['cron']\naction='exempt'\n[[rules]]\nservices=['ftp']\naction='deny'\n\
             [[rules]]\nservices=['sudo']\ngroups=['trusted']\naction='exempt'\n",
            self.required
        )
    }
}

pub fn secret(place: usize) -> Vec<u8> {
    vec![b'a' + u8::try_from(place).expect("few"); 20]
}

/// One answer, as it was typed.
#[derive(Clone, Debug)]
pub struct Answer {
    pub factor: usize,
    pub typed: Vec<u8>,
    pub at: u64,
}

/// What was asked, typed, right and used, kept apart from the engine.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The lowest counter or time step of each factor that is still good.
    pub next: [u64; 3],
    recovery_used: [bool; 2],
    /// Factors asked for in this login.
    pub asked: Vec<usize>,
    /// Answers that were not judged yet.
    pub answers: Vec<Answer>,
    /// Right answers of this login, judged and recorded.
    pub passed: usize,
    /// Whether the user had enrolled enough when the login began.
    pub can_pass: bool,
    mine: Vec<usize>,
}

impl Ledger {
    fn start(&mut self) {
        *self = Self { next: self.next, recovery_used: self.recovery_used, ..Self::default() };
    }

    pub fn begin(&mut self, enrolled: u8, setting: &Setting) {
        self.mine = (0..3).filter(|place| enrolled & 1 << place != 0).collect();
        self.can_pass = self.mine.len() >= setting.required;
    }

    /// Takes a prompt for what it must be: the right step, of a factor that was not asked yet.
    pub fn ask(&mut self, prompt: &str, setting: &Setting) -> usize {
        let (step, pool) = (self.asked.len(), if self.can_pass { self.mine.clone() } else { vec![0, 1, 2] });
        let expected = |place: &usize| prompt == format!("f{place} {} {}", step + 1, setting.required);
        let factor = *pool.iter().find(|place| expected(place)).unwrap_or_else(|| panic!("asked {prompt}"));
        assert!(!self.asked.contains(&factor), "f{factor} was asked twice");
        assert!(setting.is_random() || pool[step] == factor, "f{factor} at step {step} of a fixed chain");
        self.asked.push(factor);
        factor
    }

    pub fn lose_answers(&mut self) {
        self.answers.clear();
    }

    /// What is good now for `factor`: in the window, and after the last one used.
    pub fn acceptable(&self, setting: &Setting, factor: usize, at: u64) -> Vec<u64> {
        let next = self.next[factor];
        let window = if setting.is_hotp(factor) {
            next..=next.saturating_add(9)
        } else {
            (at / 30).saturating_sub(1)..=at / 30 + 1
        };
        window.filter(|step| *step >= next).collect()
    }

    /// Checks a judgement of the engine on the answers since the last one.
    pub fn judge(&mut self, setting: &Setting, judgement: &Judgement<'_>) {
        let Judgement { user, enrolled, before, after, fate } = *judgement;
        let answers = std::mem::take(&mut self.answers);
        assert!(!answers.is_empty(), "judged without an answer");
        let mut moved = self.clone();
        let shapes: Vec<Shape> = answers.iter().map(|answer| shape(&answer.typed, 6)).collect();
        let has = |answer: &Answer| self.can_pass && enrolled & 1 << answer.factor != 0;
        let right = moved.uses_all(setting, &answers, &shapes, user, enrolled);
        let junk = shapes.contains(&Shape::Junk);
        // Who repeats the last accepted code where it was accepted is not charged.
        let repeated = answers.iter().zip(&shapes).zip(&right).all(|((answer, shape), right)| {
            *right || matches!(shape, Shape::Code(text) if has(answer) && self.is_last(&moved, answer, text))
        });
        let repeated = repeated && !right.iter().all(|right| *right);
        let judged = without_outcomes(after) != without_outcomes(before)
            && !(repeated && before.failures == after.failures);
        let stopped = repeated || waits(before, junk);
        assert!(judged || stopped, "not judged, and nothing stood in the way");
        if !judged {
            return;
        }
        if junk {
            assert_filler_charged(before, after);
            return;
        }
        let wrong = |recovery: bool| {
            let of_kind = shapes.iter().map(|shape| matches!(shape, Shape::Recovery(_)) == recovery);
            of_kind.zip(&right).any(|(of_kind, right)| of_kind && !right)
        };
        let passed = self.passed + answers.len() == setting.required;
        assert_charged(before, after, [wrong(false), wrong(true)], passed);
        if fate != Fate::Lost {
            self.next = moved.next;
            self.recovery_used = moved.recovery_used;
        }
        if fate == Fate::Told && right.iter().all(|right| *right) {
            self.passed += answers.len();
        }
    }

    /// Which answers are right; their codes are used then.
    fn uses_all(
        &mut self,
        setting: &Setting,
        answers: &[Answer],
        shapes: &[Shape],
        user: &str,
        enrolled: u8,
    ) -> Vec<bool> {
        let right = answers.iter().zip(shapes).map(|(answer, shape)| {
            let has = self.can_pass && enrolled & 1 << answer.factor != 0;
            match shape {
                Shape::Code(text) => has && self.uses_code(setting, answer, text),
                // It is not used up where its step can't pass: the user may need it in another minute.
                Shape::Recovery(letters) => user == "alice" && has && self.uses_recovery(letters),
                Shape::Junk | Shape::Malformed => false,
            }
        });
        right.collect()
    }

    /// Whether `text` is the last code that was accepted of a factor, before these answers or among them.
    fn is_last(&self, moved: &Self, answer: &Answer, text: &str) -> bool {
        let ends = [self.next[answer.factor], moved.next[answer.factor]];
        ends.iter().any(|next| *next > 0 && code(&secret(answer.factor), next - 1, 6) == text)
    }

    fn uses_code(&mut self, setting: &Setting, answer: &Answer, text: &str) -> bool {
        let good = self.acceptable(setting, answer.factor, answer.at);
        let hit = good.into_iter().rev().find(|step| code(&secret(answer.factor), *step, 6) == text);
        hit.inspect(|step| self.next[answer.factor] = step + 1).is_some()
    }

    fn uses_recovery(&mut self, letters: &str) -> bool {
        let place = RECOVERY.iter().position(|known| known.replace('-', "") == letters);
        place.is_some_and(|place| !std::mem::replace(&mut self.recovery_used[place], true))
    }
}

/// The state but for what is kept of outcomes, which every judgement adds to.
fn without_outcomes(state: &LoginState) -> LoginState {
    LoginState { outcomes: Vec::new(), ..state.clone() }
}

/// What the engine made of some answers.
pub struct Judgement<'a> {
    pub user: &'a str,
    pub enrolled: u8,
    pub before: &'a LoginState,
    pub after: &'a LoginState,
    pub fate: Fate,
}

/// What became of a judgement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// On disk, and told.
    Told,
    /// On disk, but the sync failed: nobody is told.
    Kept,
    /// Not on disk.
    Lost,
}

/// Whether the lane that is charged has failed often enough for a wait.
fn waits(before: &LoginState, junk: bool) -> bool {
    let FailureCounts { strangers, fillers, known } = &before.failures;
    let known = known.iter().map(|known| &known.lane);
    let mut lanes = known.chain([strangers]).chain(junk.then_some(fillers));
    lanes.any(|lane| lane.failures() >= 5 || lane.today >= 12)
}

fn today(counts: &FailureCounts) -> u32 {
    counts.known.iter().map(|known| known.lane.today).sum::<u32>() + counts.strangers.today
}

fn draws(counts: &FailureCounts) -> u64 {
    counts.known.iter().map(|known| known.lane.draw).sum::<u64>() + counts.strangers.draw
}

/// What sshd sends is counted apart, and moves the draw as a failure does.
fn assert_filler_charged(before: &LoginState, after: &LoginState) {
    let (before, after) = (&before.failures, &after.failures);
    assert_eq!(after.fillers.failures(), before.fillers.failures() + 1, "charged");
    assert_eq!((after.total(), today(after)), (before.total(), today(before)), "no count of codes moves");
    assert_eq!(draws(after), draws(before) + 1);
}

/// One failure for codes if any was wrong, one for recovery codes if any was; none otherwise. The draw moves with the
/// former, and with a chain that was passed.
fn assert_charged(before: &LoginState, after: &LoginState, [codes, recovery]: [bool; 2], passed: bool) {
    let (before, after) = (&before.failures, &after.failures);
    if codes || recovery {
        assert_eq!(after.total(), before.total() + u32::from(codes), "charged");
        assert_eq!(today(after), today(before) + u32::from(codes), "charged");
        assert_eq!(after.recovery_today(), before.recovery_today() + u32::from(recovery));
        assert_eq!(draws(after), draws(before) + u64::from(codes), "the draw");
    } else {
        assert!(after.total() <= before.total(), "right answers were charged");
        assert!(passed || draws(after) == draws(before), "the draw moved for nothing");
    }
}
