//! F17s: nobody learns who is enrolled from a sequence of tries, or from tries side by side.
//!
//! An onlooker without a code acts in the same way on names that enrolled and on names that did not, and looks at what
//! is shown: words, codes, and when the draw of a random chain moves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use mfa_chain::verifier::otp::{RecoveryCode, RecoveryHash, RecoverySet};
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::fault_run::STRICT;
use crate::pam_sandbox::PamSandbox;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::Tally;

const TOLD_BY_WORDS: &str = "names told apart by what is shown";
const TOLD_BY_DRAWS: &str = "names told apart by when a draw moves";
const POLICY: &str = "version = 1\nmode = \"random\"\nrequired_steps = 2\non_wrong_code = \"conceal\"\n\
                      [[factors]]\nid = \"phone\"\ntype = \"hotp\"\n[[factors]]\nid = \"token\"\ntype = \"hotp\"\n\
                      [[factors]]\nid = \"tablet\"\ntype = \"hotp\"\n[throttle]\nfail_delay_seconds = 0\n";
/// Names of each kind.
const NAMES: u64 = 120;
const FEWEST: u64 = 60;
/// Names that nobody enrolled, tried in between.
const CROWD: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Wrong,
    HangUp,
    HangUpAtStep2,
    /// What sshd sends in place of a barred user's answers.
    Filler,
    Backspace,
    Malformed,
    Recovery,
    /// Many other names are tried; nothing is seen of it.
    Crowd,
    /// The user logs in at home, who is there only where the name is enrolled; nothing is seen of it.
    Home,
}

use Act::{Backspace, Crowd, Filler, HangUp, HangUpAtStep2, Home, Malformed, Recovery, Wrong};

const SCRIPTS: [(&str, &[Act]); 8] = [
    ("wrong codes", &[Wrong, Wrong, Wrong, Wrong, Wrong, Wrong, HangUp]),
    ("hang-ups", &[HangUp, HangUpAtStep2, HangUp, Wrong, HangUpAtStep2, HangUp]),
    ("fillers", &[HangUp, Filler, HangUp, Filler, Wrong, Filler, HangUp]),
    ("backspaces", &[HangUp, Backspace, HangUp, Backspace, Backspace, HangUp]),
    ("malformed", &[HangUp, Malformed, HangUp, Malformed, HangUp]),
    ("recovery codes", &[HangUp, Recovery, HangUp, Recovery, Recovery, HangUp]),
    ("evictions", &[HangUp, Wrong, HangUp, Crowd, HangUp, Wrong, Crowd, HangUp]),
    ("logins of the user", &[HangUp, Home, HangUp, Wrong, Home, HangUp, Home, HangUp]),
];

pub fn onlooker(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[TOLD_BY_WORDS, TOLD_BY_DRAWS]);
    let names = context.scaled(NAMES).max(FEWEST);
    for (script, acts) in SCRIPTS {
        tally.add(compare(context, script, acts, names));
    }
    tally.figure("names of each kind in each sequence", names);
    tally
}

/// Plays `acts` on as many names of each kind, and compares what was seen.
fn compare(context: &Context, script: &str, acts: &[Act], names: u64) -> Tally {
    let mut tally = Tally::default();
    let sandbox = PamSandbox::with_policy(POLICY);
    sandbox.write_service("strict", &context.module, STRICT);
    let cast = Cast::enroll(&sandbox, names);
    // The crowd of one act is tried once for all names: they all act in step.
    let mut seen: BTreeMap<(bool, usize), Vec<Seen>> = BTreeMap::new();
    let mut homes = 0;
    for act in acts {
        let jobs = cast.jobs(*act, homes);
        homes += usize::from(*act == Home);
        let lines: Vec<String> = jobs.iter().map(|(_, line)| line.clone()).collect();
        let played = sandbox.play_written("strict").jobs(&lines).run_here();
        assert_eq!(played.reports.len(), lines.len(), "{}", played.stderr);
        for ((whom, _), report) in jobs.iter().zip(&played.reports) {
            assert!(*act != Home || report["code"] == 0, "the user gets in: {report}");
            if let Some(whom) = whom {
                seen.entry(*whom).or_default().push(Seen::of(report));
            }
        }
        tally.count += lines.len() as u64;
    }
    let of =
        |kind: bool| seen.iter().filter(move |((enrolled, _), _)| *enrolled == kind).map(|(_, seen)| seen);
    let first = of(false).next().map(|seen| words_of(seen)).unwrap_or_default();
    let odd = of(true).chain(of(false)).find(|seen| words_of(seen) != first);
    tally.blame_if(odd.is_some(), TOLD_BY_WORDS, &format!("{script}: {odd:?}, not {first}"));
    let moves = |kind: bool| Moves::of(&of(kind).collect::<Vec<_>>());
    let (enrolled, others) = (moves(true), moves(false));
    for place in enrolled.apart(&others) {
        let example =
            format!("{script}, at sight {place}: {enrolled} of the enrolled, {others} of the others");
        tally.blame(TOLD_BY_DRAWS, example);
    }
    tally.figure(format!("moved after {script}"), format!("{enrolled} | {others}"));
    tally
}

/// How many logins at home a user makes, with two codes each.
const HOMES: usize = 8;

fn home_code(at: usize) -> RecoveryCode {
    RecoveryCode::from_entropy(Zeroizing::new([at as u8 + 1; RecoveryCode::BYTES]))
}

/// Whom each line is about, where the onlooker sees what comes of it, and the line.
type Job = (Option<(bool, usize)>, String);

/// The names that are tried.
struct Cast {
    enrolled: Vec<String>,
    others: Vec<String>,
    crowd: Vec<String>,
}

impl Cast {
    /// Enrolls the first kind. Nothing but the name differs, and its length does not. Names that share a place of the
    /// decoys move each other's draws (SECURITY.md, what is not promised), so no two that do are taken.
    fn enroll(sandbox: &PamSandbox, names: u64) -> Self {
        let file = std::fs::read(sandbox.store().join("decoys/states")).expect("the decoys");
        let (key, places) = (&file[10..42], (file.len() as u64 - 64) / 64);
        let mut taken = BTreeSet::new();
        let mut apart = |kind: &str, count: u64| -> Vec<String> {
            let all = (0..100_000).map(|number| format!("{kind}{number:05}"));
            all.filter(|name| taken.insert(place(key, name) % places)).take(count as usize).collect()
        };
        let (others, crowd) = (apart("bob", names), apart("crowd", CROWD));
        let enrolled: Vec<String> = (0..names).map(|number| format!("ann{number:05}")).collect();
        for (number, name) in (1..).zip(&enrolled) {
            let hashes = (0..HOMES).map(|at| RecoveryHash::of(&home_code(at), [1; 16])).collect();
            let factors = ["phone", "token", "tablet"].map(Token::counter);
            sandbox.enroll(name, &factors, RecoverySet::new(number, hashes));
        }
        Self { enrolled, others, crowd }
    }

    fn jobs(&self, act: Act, homes: usize) -> Vec<Job> {
        match act {
            Crowd => {
                let tried = |name: &String| (None, line(name, "203.0.113.9", &["text:000000"; 2]));
                self.crowd.iter().map(tried).collect()
            }
            Home => {
                let codes =
                    [0, 1].map(|step| format!("text:{}", home_code(homes * 2 + step).to_groups().as_str()));
                let words: Vec<&str> = codes.iter().map(String::as_str).collect();
                self.enrolled.iter().map(|name| (None, line(name, "198.51.100.1", &words))).collect()
            }
            _ => {
                // In turns, so that the machine is the same for both.
                let pairs = self.enrolled.iter().zip(&self.others).enumerate();
                let tried = |kind, at, name| (Some((kind, at)), line(name, "203.0.113.7", act.answers()));
                pairs.flat_map(|(at, (one, other))| [tried(true, at, one), tried(false, at, other)]).collect()
            }
        }
    }
}

/// Where the file of decoys under `key` keeps `name`, before the remainder by the count of its places.
fn place(key: &[u8], name: &str) -> u64 {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    for part in ["place", name] {
        mac.update(part.as_bytes());
    }
    u64::from_le_bytes(mac.finalize().into_bytes()[..8].try_into().expect("8 bytes"))
}

fn line(user: &str, from: &str, answers: &[&str]) -> String {
    format!("{user}\trhost={from}\t{}", answers.join("\t"))
}

impl Act {
    const fn answers(self) -> &'static [&'static str] {
        match self {
            Wrong => &["text:000000", "text:000000"],
            HangUp => &["code:19"],
            HangUpAtStep2 => &["text:000000", "code:19"],
            // "\b\n\r\177INCORRECT" as auth-pam.c of OpenSSH has it.
            Filler => &["hex:080a0d7f494e434f5252454354", "hex:080a0d7f494e434f5252454354"],
            Backspace => &["hex:08", "hex:08"],
            Malformed => &["text:12", "text:password"],
            Recovery => &["text:AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", "text:AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"],
            Crowd | Home => &[],
        }
    }
}

/// What the onlooker sees of one try.
#[derive(Debug)]
struct Seen {
    /// The factor that is asked first.
    first: String,
    /// Everything but the factors.
    rest: String,
}

impl Seen {
    fn of(report: &Value) -> Self {
        let shown = report["calls"][0]["shown"].as_array().expect("what was shown");
        let texts: Vec<&str> = shown.iter().map(|shown| shown["text"].as_str().expect("a text")).collect();
        let factor = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let rest: Vec<String> = texts
            .iter()
            .map(|text| {
                if text.contains("(step") {
                    text.replacen(&factor(text), "FACTOR", 1)
                } else {
                    (*text).to_owned()
                }
            })
            .collect();
        let first = texts.first().map(|text| factor(text)).unwrap_or_default();
        Self { first, rest: format!("{} {rest:?}", report["code"]) }
    }
}

fn words_of(seen: &[Seen]) -> String {
    seen.iter().map(|seen| seen.rest.as_str()).collect::<Vec<_>>().join("; ")
}

/// For how many names, out of how many, the factor that is asked first was another one than at the sight before.
struct Moves(Vec<u64>, u64);

impl Moves {
    fn of(seen: &[&Vec<Seen>]) -> Self {
        let sights = seen.first().map_or(0, |seen| seen.len());
        let moved = |sight: usize| {
            seen.iter().filter(|seen| seen[sight].first != seen[sight - 1].first).count() as u64
        };
        Self((1..sights).map(moved).collect(), seen.len() as u64)
    }

    /// The sights at which the two differ: one never moves and the other does, or by more than four standard deviations
    /// of what chance does.
    fn apart(&self, other: &Self) -> Vec<usize> {
        let bound = 4.0 * (self.1 as f64 / 2.0).sqrt();
        let differ =
            |(one, two): (&u64, &u64)| (*one == 0) != (*two == 0) || one.abs_diff(*two) as f64 > bound;
        self.0
            .iter()
            .zip(&other.0)
            .enumerate()
            .filter(|(_, pair)| differ(*pair))
            .map(|(place, _)| place + 1)
            .collect()
    }
}

impl fmt::Display for Moves {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        write!(formatter, "{}", numbers.join(" "))
    }
}
