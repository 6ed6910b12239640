//! `mfa-chain revoke`: removes an authenticator, or everything a user enrolled.

use std::fmt::Write as _;

use serde_json::json;

use super::arguments::RevokeArguments;
use super::enrolled::factor_list;
use super::failure::{Exit, Failure};
use super::readiness::Readiness;
use super::terminal::ask_for_yes;
use super::who::Who;
use super::{Context, administration, enrolled, output};
use crate::store::{FileStore, StoreError, load_policy};
use crate::verifier::enrolling::revoke;
use crate::verifier::enrollment::UserRecord;
use crate::verifier::policy::FactorId;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when there is nothing of that name to remove, or nobody says yes.
pub fn run(context: &Context, arguments: &RevokeArguments) -> Result<Exit, Failure> {
    let RevokeArguments { user, factor, yes } = arguments;
    let store = FileStore::at(&context.store);
    let user = &Who::enrolled(context, &store, user)?;
    if let (Err(error), None) = (store.record(user), factor) {
        return discard(context, &store, user, &error, *yes);
    }
    let (record, _) = enrolled::find(&store, user)?;
    let revoked = select(&record, factor.as_deref())?;
    if !yes {
        let recovery = if factor.is_none() { " and all recovery codes" } else { "" };
        ask_for_yes(&format!("Revoke {}{recovery} of {user}?", names(&revoked).join(", ")))?;
    }
    revoke(&store, user, factor.as_deref()).map_err(|error| Failure::of_enrollment(error, user.as_str()))?;
    administration::record(
        context,
        "revoke",
        user.as_str(),
        &[("factor", factor.as_deref().unwrap_or("all"))],
    );
    let (remaining, _) = enrolled::find(&store, user)?;
    report(context, user, factor.is_none(), &revoked, &remaining).map(|()| Exit::Done)
}

/// Revokes all of a record that can't be read: whose it is and what is in it does not matter then.
fn discard(
    context: &Context,
    store: &FileStore,
    user: &Username,
    error: &StoreError,
    yes: bool,
) -> Result<Exit, Failure> {
    if !yes {
        ask_for_yes(&format!("{error}. Revoke whatever {user} has enrolled?"))?;
    }
    store.discard_record(user)?;
    administration::record(context, "revoke", user.as_str(), &[("factor", "all")]);
    if context.json {
        output::print_json(&json!({
            "user": user.as_str(), "revoked": [], "recovery_codes_revoked": true, "remaining": [],
            "enough_for_default_chain": false,
        }))?;
    } else {
        output::print(&format!("Revoked the record of {user}, which could not be read: {error}.\n"))?;
    }
    Ok(Exit::Done)
}

/// The factors to revoke: the named one, or all.
fn select(record: &UserRecord, factor: Option<&str>) -> Result<Vec<FactorId>, Failure> {
    let Some(factor) = factor else {
        return Ok(record.credentials().iter().map(|credential| credential.factor.clone()).collect());
    };
    let found = record.credentials().iter().find(|credential| credential.factor.as_str() == factor);
    found.map(|credential| vec![credential.factor.clone()]).ok_or_else(|| {
        let enrolled = factor_list(record.credentials());
        Failure::refused(format!("factor `{factor}` is not enrolled; enrolled: {enrolled}"))
    })
}

fn report(
    context: &Context,
    user: &Username,
    all: bool,
    revoked: &[FactorId],
    remaining: &UserRecord,
) -> Result<(), Failure> {
    // A lost token has to be revoked whatever state the policy is in.
    let readiness = match load_policy(&context.policy) {
        Ok(policy) => Some(Readiness::of(policy.default_chain(), remaining)),
        Err(error) => {
            output::warn(&format!("revoked; whether the rest is enough is not known: {error}"));
            None
        }
    };
    if context.json {
        let remaining: Vec<&str> =
            remaining.credentials().iter().map(|credential| credential.factor.as_str()).collect();
        return output::print_json(&json!({
            "user": user.as_str(),
            "revoked": names(revoked),
            "recovery_codes_revoked": all,
            "remaining": remaining,
            "enough_for_default_chain": readiness.as_ref().map(Readiness::is_enough),
        }));
    }
    let recovery = if all { " and all recovery codes" } else { "" };
    let mut text = format!(
        "Revoked {}{recovery} of {}.\nRemaining factors: {}\n",
        if revoked.is_empty() { "nothing".to_owned() } else { names(revoked).join(", ") },
        user,
        factor_list(remaining.credentials()),
    );
    if let Some(readiness) = readiness {
        let verdict = if readiness.is_enough() { "can still pass" } else { "can no longer pass" };
        // Writing to a String can't fail.
        let _ = writeln!(text, "{user} {verdict} the default chain ({readiness}).");
    }
    output::print(&text)
}

fn names(factors: &[FactorId]) -> Vec<&str> {
    factors.iter().map(FactorId::as_str).collect()
}
