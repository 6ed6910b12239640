//! One login: asks for each step of the chain through a conversation and ends in a verdict.

use super::attempt::{Attempt, Begin, Orchestrator, Submission};
use super::ports::{Accounts, Audit, Clock, Conversation, Store};
use super::request::Request;
use super::verdict::{DenyReason, Verdict};

/// Runs one pass of the chain that the policy asks of `request`. Trying again is the application's affair:
/// the next call starts at step 1.
pub fn authenticate<S: Store, C: Clock, N: Accounts, A: Audit>(
    orchestrator: &Orchestrator<'_, S, C, N, A>,
    request: &Request,
    conversation: &mut impl Conversation,
) -> Verdict {
    let mut attempt = match orchestrator.begin(request) {
        Begin::Over(verdict) => return verdict,
        Begin::Attempt(attempt) => attempt,
    };
    conversation.begins(attempt.rule());
    loop {
        match ask(orchestrator, &attempt, conversation) {
            Err(verdict) => return verdict,
            Ok(response) => {
                let factor = attempt.expected().factor.id.clone();
                match attempt.submit(factor.as_str(), response) {
                    Ok(Submission::NextStep(next)) => attempt = next,
                    Ok(Submission::Complete(proof)) => return Verdict::Grant(proof),
                    Ok(Submission::Reset(reason)) => return refuse(orchestrator, conversation, reason),
                    Err(_) => return refuse(orchestrator, conversation, DenyReason::Breach),
                }
            }
        }
    }
}

/// Asks for the expected step. No lock is held and no secret is in memory while the claimant thinks.
fn ask<S: Store, C: Clock, N: Accounts, A: Audit>(
    orchestrator: &Orchestrator<'_, S, C, N, A>,
    attempt: &Attempt<'_, S, C, N, A>,
    conversation: &mut impl Conversation,
) -> Result<super::response::Response, Verdict> {
    let (step, request) = (attempt.expected(), attempt.request());
    let style = orchestrator.policy.prompt();
    let prompt = style.render(step.factor.label.as_str(), step.number, attempt.step_count());
    let response = conversation.ask(&prompt, style.echo()).map_err(|cause| {
        let hint = if step.number > 1 { ONE_PROMPT } else { "" };
        orchestrator.deny(request, DenyReason::Conversation(cause.0 + hint))
    })?;
    if conversation.claimant_is(&request.user) {
        Ok(response)
    } else {
        // An application or another module that changes PAM_USER at the prompt must not move a proof.
        Err(orchestrator.deny(request, DenyReason::ClaimantChanged))
    }
}

/// The first prompt was answered and a later one was not.
const ONE_PROMPT: &str =
    ", or it is a program that answers one prompt only: give its service a chain of one step";

/// The claimant reads one calm sentence, the same for every cause.
fn refuse<S, C, N, A>(
    orchestrator: &Orchestrator<'_, S, C, N, A>,
    conversation: &mut impl Conversation,
    reason: DenyReason,
) -> Verdict {
    if let Some(message) = orchestrator.policy.prompt().failure_message() {
        conversation.tell_denied(message);
    }
    Verdict::Deny(reason)
}
