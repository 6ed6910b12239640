//! The user of the demonstration: reads a prompt, takes the authenticator it names, types what the scene says.

use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::super::output::print;
use super::devices;
use super::scenes::Typing;
use super::scratch::Scratch;
use crate::rehearsal::Applicant;
use crate::store::SystemClock;
use crate::verifier::policy::{Factor, Policy};
use crate::verifier::ports::Clock;

/// Answers one login and shows it, codes included: they are good for nothing but this demonstration.
pub struct Hands<'a> {
    scratch: &'a Scratch,
    policy: &'a Policy,
    typing: Typing,
    earlier: &'a [Zeroizing<String>],
    seen: Seen,
    failure: Option<Failure>,
}

/// What a login asked for and was told.
#[derive(Default)]
pub struct Seen {
    /// The factors asked for, in order.
    pub asked: Vec<String>,
    /// The codes typed.
    pub typed: Vec<Zeroizing<String>>,
}

impl<'a> Hands<'a> {
    /// Hands that type as `typing` says; `earlier` are the codes of the first login.
    #[must_use]
    pub fn new(
        scratch: &'a Scratch,
        policy: &'a Policy,
        typing: Typing,
        earlier: &'a [Zeroizing<String>],
    ) -> Self {
        Self { scratch, policy, typing, earlier, seen: Seen::default(), failure: None }
    }

    /// What the login was like.
    ///
    /// # Errors
    ///
    /// [`Failure`] when no code could be typed.
    pub fn finish(self) -> Result<Seen, Failure> {
        self.failure.map_or(Ok(self.seen), Err)
    }

    /// What is typed at a prompt.
    fn code_for(&self, prompt: &str, place: usize) -> Result<Typed, Failure> {
        let factors = self.policy.factors();
        let named = factors.iter().find(|factor| prompt.starts_with(factor.label.as_str()));
        let named = named.ok_or_else(|| Failure::refused(format!("no authenticator for `{prompt}`")))?;
        let now = SystemClock.now();
        let (code, remark) = match self.typing {
            Typing::WrongAt(step) if step == place.saturating_add(1) => {
                (devices::wrong_code(self.scratch, named, now)?, "   <- not a code of it".to_owned())
            }
            Typing::Right | Typing::WrongAt(_) => {
                (devices::fresh_code(self.scratch, named, now)?, String::new())
            }
            Typing::Again => {
                (self.earlier.get(place).cloned().unwrap_or_default(), "   <- as in login 1".to_owned())
            }
            Typing::Backwards => {
                let held: &Factor = factors.iter().rev().nth(place).unwrap_or(named);
                let code = devices::code_of_another(self.scratch, held, named, now)?;
                (code, format!("   <- the code of the {}", held.label))
            }
        };
        Ok(Typed { factor: named.id.to_string(), code, remark })
    }
}

/// One answer.
struct Typed {
    factor: String,
    code: Zeroizing<String>,
    remark: String,
}

impl Applicant for Hands<'_> {
    fn answer(&mut self, prompt: &str, _: bool) -> Option<Zeroizing<String>> {
        let shown = self.code_for(prompt, self.seen.asked.len()).and_then(|typed| {
            print(&format!("    {prompt}{}{}\n", *typed.code, typed.remark)).map(|()| typed)
        });
        match shown {
            Ok(Typed { factor, code, .. }) => {
                self.seen.asked.push(factor);
                self.seen.typed.push(code.clone());
                Some(code)
            }
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }

    fn notice(&mut self, message: &str) {
        if let Err(failure) = print(&format!("    {message}\n")) {
            self.failure.get_or_insert(failure);
        }
    }
}
