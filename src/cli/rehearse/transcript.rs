//! What a login shows, written down as it happens.

use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::super::output::print;
use super::answers::Answers;
use crate::rehearsal::Applicant;

/// Answers the prompts of one login and keeps what was shown; never what was typed.
pub struct Transcript {
    answers: Answers,
    shown: bool,
    prompts: Vec<String>,
    notices: Vec<String>,
    failure: Option<Failure>,
}

impl Transcript {
    /// A transcript of a login that `answers` answers; `shown` prints it along the way.
    #[must_use]
    pub const fn new(answers: Answers, shown: bool) -> Self {
        Self { answers, shown, prompts: Vec::new(), notices: Vec::new(), failure: None }
    }

    /// The prompts, in order.
    #[must_use]
    pub fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// The messages that want no answer.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// How many answers nobody asked for.
    #[must_use]
    pub fn answers_left(&self) -> usize {
        self.answers.left()
    }

    /// Ends with what went wrong on this side of the conversation, if anything did.
    ///
    /// # Errors
    ///
    /// [`Failure`] when an answer was wanted and there was none.
    pub fn check(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn show(&mut self, text: &str) {
        if self.shown
            && let Err(failure) = print(text)
        {
            self.failure.get_or_insert(failure);
        }
    }
}

impl Applicant for Transcript {
    fn answer(&mut self, prompt: &str, echo: bool) -> Option<Zeroizing<String>> {
        self.prompts.push(prompt.to_owned());
        // At the terminal the prompt stands there already.
        let in_lines = matches!(self.answers, Answers::Lines(_));
        match self.answers.next(prompt, echo) {
            Ok(answer) => {
                if in_lines {
                    self.show(&format!("  {prompt}(answered)\n"));
                }
                Some(answer)
            }
            Err(failure) => {
                // At the terminal ^C and ^D leave the cursor behind the prompt.
                let ended = if in_lines { format!("  {prompt}(no answer)\n") } else { "\n".to_owned() };
                self.show(&ended);
                self.failure.get_or_insert(failure);
                None
            }
        }
    }

    fn notice(&mut self, message: &str) {
        self.notices.push(message.to_owned());
        self.show(&format!("  {message}\n"));
    }
}
