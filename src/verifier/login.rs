//! One login: asks for each step of the chain through a conversation and ends in a verdict.

use super::accounts::Accounts;
use super::attempt::{Attempt, Next, Orchestrator};
use super::otp::Response;
use super::ports::{Audit, Clock, Conversation, Store};
use super::reason::DenyReason;
use super::request::Request;
use super::verdict::Verdict;

/// Runs one pass of the chain that the policy asks of `request`. The application decides whether to try
/// again: the next call starts at step 1.
pub fn authenticate<S: Store, C: Clock, N: Accounts, A: Audit>(
    orchestrator: &Orchestrator<S, C, N, A>,
    request: &Request,
    conversation: &mut impl Conversation,
) -> Verdict {
    let mut next = orchestrator.begin(request);
    if let Next::Ask(attempt) = &next {
        conversation.begins(attempt.rule());
    }
    let mut was_asked = false;
    loop {
        let attempt = match next {
            Next::Ask(attempt) => attempt,
            Next::Over(Verdict::Deny(reason)) if was_asked => {
                return refuse(orchestrator, conversation, reason);
            }
            Next::Over(verdict) => return verdict,
        };
        let response = match ask(orchestrator, &attempt, conversation) {
            Ok(response) => response,
            Err(verdict) => return verdict,
        };
        was_asked = true;
        let factor = attempt.expected().factor.id.clone();
        next = match orchestrator.submit(attempt, factor.as_str(), response) {
            Ok(next) => next,
            Err(_) => return refuse(orchestrator, conversation, DenyReason::Breach),
        };
    }
}

/// Asks for the expected step. While the claimant is at the prompt no lock is held and no secret is in
/// memory.
fn ask<S: Store, C: Clock, N: Accounts, A: Audit>(
    orchestrator: &Orchestrator<S, C, N, A>,
    attempt: &Attempt,
    conversation: &mut impl Conversation,
) -> Result<Response, Verdict> {
    let (step, request) = (attempt.expected(), attempt.request());
    let style = orchestrator.policy().prompt();
    let prompt = style.render(step.factor.label.as_str(), step.number, attempt.step_count());
    let response = conversation.ask(&prompt, style.echo()).map_err(|cause| {
        let hint = if step.number > 1 { ONE_PROMPT } else { "" };
        orchestrator.deny(request, Some(attempt.id()), DenyReason::Conversation(cause.0 + hint))
    })?;
    if conversation.claimant_is(&request.user) {
        Ok(response)
    } else {
        // If the application or another module changed PAM_USER at the prompt, a proof of one user must not
        // count for another.
        Err(orchestrator.deny(request, Some(attempt.id()), DenyReason::ClaimantChanged))
    }
}

/// Added if the first prompt was answered and a later one was not.
const ONE_PROMPT: &str =
    ", or it is a program that answers one prompt only: give its service a chain of one step";

/// The claimant reads one calm sentence, the same for every cause.
fn refuse<S, C, N, A>(
    orchestrator: &Orchestrator<S, C, N, A>,
    conversation: &mut impl Conversation,
    reason: DenyReason,
) -> Verdict {
    if let Some(message) = orchestrator.policy().prompt().failure_message() {
        conversation.tell_denied(message);
    }
    Verdict::Deny(reason)
}
