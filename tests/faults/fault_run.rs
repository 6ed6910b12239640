//! What was seen of a login that a fault met, and what is on disk after it.

use std::process::{Command, Output};

use serde_json::Value;

use crate::pam_sandbox::token::Token;
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::Tally;

/// The service of every scene: its stack turns `PAM_IGNORE` into a code that nothing else makes.
pub const STRICT: &str = "auth [success=done ignore=ignore default=die] MODULE\n\
                          auth required pam_debug.so auth=module_unknown\n";
const IGNORED: i64 = 28;

pub const UNSAFE_GRANT: &str = "unsafe grants";
pub const IGNORE: &str = "PAM_IGNORE";
pub const UNRECORDED: &str = "accepted but unrecorded";
pub const UNCHARGED: &str = "judged but uncharged";
pub const UNREADABLE: &str = "unreadable states";
pub const UNUSABLE: &str = "unusable afterwards";
pub const UNTOUCHED: &str = "faults that never came";

/// alice with two counters, and the strict service.
pub fn sandbox(context: &Context) -> PamSandbox {
    let sandbox = PamSandbox::with_policy(TWO_COUNTERS);
    furnish(&sandbox, context);
    sandbox
}

/// The same on a stage that is there.
pub fn furnish(sandbox: &PamSandbox, context: &Context) {
    sandbox.enroll("alice", &[phone(), token()], None);
    sandbox.write_service("strict", &context.module, STRICT);
}

pub fn phone() -> Token {
    Token::counter("phone")
}

pub fn token() -> Token {
    Token::counter("token")
}

/// How alice answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    Right,
    WrongAtStep1,
    WrongAtStep2,
}

impl Answers {
    pub const ALL: [Self; 3] = [Self::Right, Self::WrongAtStep1, Self::WrongAtStep2];
}

/// The codes of a counter, and a wrong one, computed once.
#[derive(Clone, Debug)]
pub struct Codes {
    phone: Vec<String>,
    token: Vec<String>,
    wrong: String,
}

impl Codes {
    pub fn new(count: u64) -> Self {
        Self { phone: phone().codes(0, count), token: token().codes(0, count), wrong: phone().wrong_code() }
    }

    pub fn answers(&self, answers: Answers, at: usize) -> [String; 2] {
        let text = |code: &String| format!("text:{code}");
        match answers {
            Answers::Right => [text(&self.phone[at]), text(&self.token[at])],
            Answers::WrongAtStep1 => [text(&self.wrong), text(&self.token[at])],
            Answers::WrongAtStep2 => [text(&self.phone[at]), text(&self.wrong)],
        }
    }
}

/// What an onlooker saw of a run: prompts, the message of a denial, the code, if it came so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub prompts: usize,
    pub told_denied: bool,
    pub code: Option<i64>,
    /// How long `pam_authenticate` took.
    pub nanoseconds: u64,
}

impl Seen {
    /// Reads the lines of `pamdrive --tell --brief`.
    pub fn read(output: &[u8]) -> Self {
        let mut seen = Self::default();
        for line in String::from_utf8_lossy(output).lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            match line["told"].as_i64() {
                Some(1 | 2) => seen.prompts += 1,
                Some(_) => seen.told_denied = true,
                None => {}
            }
            let codes = line["codes"].as_object();
            if let Some(code) = codes.and_then(|codes| codes.keys().next()) {
                seen.code = code.parse().ok();
                seen.nanoseconds = line["auth_ns"]["max"].as_u64().unwrap_or(0);
            }
        }
        seen
    }
}

/// The arguments of a login of alice that tells what it sees.
pub fn login(sandbox: &PamSandbox, answers: &[String]) -> Command {
    sandbox.play_written("strict").switch("--tell").switch("--brief").answers(answers).command()
}

pub fn run(command: &mut Command) -> (Seen, Output) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    (Seen::read(&output.stdout), output)
}

/// Compares what was seen with what is on disk. The state was fresh before, and the codes those of `at`.
pub fn examine(
    sandbox: &PamSandbox,
    answers: Answers,
    seen: &Seen,
    at: u64,
    example: &str,
    tally: &mut Tally,
) {
    let state = match sandbox.state("alice") {
        Ok(state) => state,
        Err(error) => return tally.blame(UNREADABLE, format!("{example}: {error}")),
    };
    let burnt = |token: &Token| state.mark(token.credential().id()).is_some_and(|mark| mark.next > at);
    tally.blame_if(seen.code == Some(IGNORED), IGNORE, example);
    if seen.code == Some(0) {
        tally.blame_if(answers != Answers::Right, UNSAFE_GRANT, example);
        tally.blame_if(!burnt(&phone()) || !burnt(&token()), UNRECORDED, example);
    }
    // The second prompt tells that the first code was right.
    tally.blame_if(seen.prompts > 1 && !burnt(&phone()), UNRECORDED, example);
    // A store that failed is a denial in the same words, with a code of its own, and judged nothing.
    let refused = seen.code == Some(7) || (seen.told_denied && seen.code.is_none());
    let wrong = answers != Answers::Right;
    tally.blame_if(wrong && refused && state.failures.total() == 0, UNCHARGED, example);
}
