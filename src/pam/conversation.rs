//! The conversation function of the application, which may be hostile or broken.

use ::pam::constants::{PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PamResultCode};
use ::pam::conv::Conv;
use ::pam::module::PamHandle;

use super::items;
use crate::verifier::otp::Response;
use crate::verifier::ports::{Conversation, NoAnswer};

/// Asks through `PAM_CONV`, one prompt per call, because sshd passes on one prompt per request.
pub struct PamConversation<'a> {
    handle: &'a PamHandle,
    silent: bool,
    rule: Option<usize>,
}

impl<'a> PamConversation<'a> {
    /// Talks through `handle`. `silent` is the flag `PAM_SILENT`: only prompts are sent.
    pub const fn new(handle: &'a PamHandle, silent: bool) -> Self {
        Self { handle, silent, rule: None }
    }

    /// The rule that chose the chain.
    pub const fn rule(&self) -> Option<usize> {
        self.rule
    }

    fn channel(&self) -> Result<Conv<'_>, NoAnswer> {
        let item = self.handle.get_item::<Conv<'_>>().map_err(|code| failed(&code))?;
        item.ok_or_else(|| NoAnswer("the application gave no conversation function".to_owned()))
    }
}

impl Conversation for PamConversation<'_> {
    fn begins(&mut self, rule: Option<usize>) {
        self.rule = rule;
    }

    fn ask(&mut self, prompt: &str, echo: bool) -> Result<Response, NoAnswer> {
        let style = if echo { PAM_PROMPT_ECHO_ON } else { PAM_PROMPT_ECHO_OFF };
        // pam-bindings wipes and frees what the application hands over, and wipes its own copy on drop.
        match self.channel()?.send(style, prompt) {
            Ok(Some(answer)) => Ok(Response::from_bytes(answer.as_bytes())),
            // End of input in misc_conv(3) is success without an answer. The claimant left, so this is not a
            // wrong code.
            Ok(None) => Err(NoAnswer("the prompt was left without an answer".to_owned())),
            Err(code) => Err(failed(&code)),
        }
    }

    fn tell_denied(&mut self, message: &str) {
        if !self.silent {
            // The result is ignored: applications may drop the message, and some answer it with an error.
            let _ = self.channel().map(|channel| channel.send(PAM_ERROR_MSG, message));
        }
    }

    fn claimant_is(&mut self, user: &str) -> bool {
        items::user(self.handle).as_deref() == Some(user)
    }
}

fn failed(code: &PamResultCode) -> NoAnswer {
    NoAnswer(format!(
        "the conversation with the claimant failed ({code:?}): cancelled, or the client went away"
    ))
}
