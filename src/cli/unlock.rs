//! `mfa-chain unlock`: lifts the wait that failures brought, or replaces a lost login state.

use std::fmt::Write as _;

use serde_json::json;
use zeroize::Zeroizing;

use super::arguments::UnlockArguments;
use super::failure::{Exit, Failure};
use super::who::Who;
use super::{Context, administration, enrolled, output};
use crate::store::{FileStore, SystemClock};
use crate::verifier::enrollment::{OtpType, UserRecord};
use crate::verifier::otp::{BypassCode, RecoveryCode};
use crate::verifier::ports::Clock;
use crate::verifier::shell_word::shell_word;
use crate::verifier::state::LoginState;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a user who has enrolled nothing, or a state that can't be read and is not to be reset.
pub fn run(context: &Context, arguments: &UnlockArguments) -> Result<Exit, Failure> {
    let store = FileStore::at(&context.store);
    let user = Who::enrolled(context, &store, &arguments.user)?;
    if arguments.reset_state {
        reset(context, &store, &user)?;
    } else {
        unlock(context, &store, &user)?;
    }
    Ok(Exit::Done)
}

fn unlock(context: &Context, store: &FileStore, user: &Username) -> Result<(), Failure> {
    let (_, state) = enrolled::find(store, user)?;
    store.clear_failures(user)?;
    administration::record(context, "unlock", user.as_str(), &[]);
    let failures = state.failures.total();
    if context.json {
        return output::print_json(&json!({
            "user": user.as_str(), "failures_cleared": failures, "state_reset": false,
        }));
    }
    output::print(&format!(
        "Unlocked {user}: {failures} failures forgotten, the next attempt is judged at once. Used codes stay used.\n"
    ))
}

fn reset(context: &Context, store: &FileStore, user: &Username) -> Result<(), Failure> {
    let record = store.record(user)?.ok_or_else(|| enrolled::nobody(user))?;
    let now = SystemClock.now();
    if record.credentials().is_empty() {
        store.reset_state(user, None, now)?;
        administration::record(context, "reset-state", user.as_str(), &[]);
        return report(context, user, &record, None);
    }
    let (code, hash) = RecoveryCode::random().map_err(|error| Failure::refused(error.to_string()))?;
    let bypass = BypassCode::new(hash, now);
    store.reset_state(user, Some(bypass), now)?;
    administration::record(context, "reset-state", user.as_str(), &[("bypass_code", "made")]);
    report(context, user, &record, Some((&code, bypass.expires_at)))
}

/// Says what was reset, and hands out the code, which is on disk by now.
fn report(
    context: &Context,
    user: &Username,
    record: &UserRecord,
    bypass: Option<(&RecoveryCode, UnixTime)>,
) -> Result<(), Failure> {
    let groups = bypass.map(|(code, _)| code.to_groups());
    if context.json {
        return output::print_secret_json(json!({
            "user": user.as_str(),
            "failures_cleared": null,
            "state_reset": true,
            "bypass_code": groups.as_ref().map(|groups| groups.as_str()),
            "bypass_expires_at": bypass.map(|(_, expires_at)| expires_at.seconds()),
        }));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_TEXT));
    text.push_str(&meaning(user, record));
    if let (Some(groups), Some((_, expires_at))) = (groups, bypass) {
        for part in ["\nBypass code  ", groups.as_str(), "\n\n"] {
            text.push_str(part);
        }
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "Give it to {user}. It answers every prompt of one login, until {expires_at}, and is not shown again."
        );
    }
    output::print(&text)
}

/// What a reset costs the user.
fn meaning(user: &Username, record: &UserRecord) -> String {
    let mut text = format!(
        "Made a new login state for {user}. What the old one knew is replaced by the safe assumption:\n"
    );
    let word = shell_word(user.as_str());
    // Writing to a String can't fail.
    for credential in record.credentials() {
        let factor = &credential.factor;
        let _ = match credential.otp_type {
            OtpType::Totp(period) => {
                let minutes = period.seconds().saturating_mul(LoginState::VOID_STEPS).div_ceil(60);
                writeln!(text, "- factor `{factor}`: codes of the next {minutes} minutes are void")
            }
            OtpType::Hotp => writeln!(
                text,
                "- factor `{factor}`: void until two codes in a row are shown, `mfa-chain resync {word} {factor}`"
            ),
        };
    }
    if record.recovery().is_some() {
        let _ = writeln!(text, "- recovery codes: void; `mfa-chain recovery {word}` makes new ones");
    }
    text
}

/// Room for the meaning of all factors and the code, so that growing never leaves a copy behind.
const LONGEST_TEXT: usize = 8 * 1_024;
