//! `mfa-chain adopt`: says that the account of today is the one that enrolled.

use std::fmt::Write as _;

use serde_json::json;

use super::arguments::AdoptArguments;
use super::failure::{Exit, Failure};
use super::who::Who;
use super::{Context, administration, enrolled, output};
use crate::store::FileStore;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a user who has enrolled nothing or whom the system does not list. Those before stay adopted.
pub fn run(context: &Context, arguments: &AdoptArguments) -> Result<Exit, Failure> {
    let store = FileStore::at(&context.store);
    let users = if arguments.all { without_uid(context, &store)? } else { arguments.users.clone() };
    let mut adopted = Vec::new();
    for user in &users {
        adopted.push(adopt(context, &store, user)?);
    }
    if context.json {
        let adopted = adopted.iter().map(|(user, uid)| json!({"user": user.as_str(), "uid": uid}));
        output::print_json(&json!({ "adopted": adopted.collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (user, uid) in &adopted {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{user}: the account of user id {uid} is the one that enrolled.");
    }
    if adopted.is_empty() {
        text.push_str("Every record of an account that is listed holds its user id; nothing to do.\n");
    }
    output::print(&text).map(|()| Exit::Done)
}

/// The users with accounts whose records hold no user id.
fn without_uid(context: &Context, store: &FileStore) -> Result<Vec<Username>, Failure> {
    let mut users = Vec::new();
    for user in store.users()? {
        let record = store.record(&user)?.unwrap_or_default();
        let account = context.accounts.account(user.as_str());
        let account = account.map_err(|error| Failure::refused(error.to_string()))?;
        let is_own = account.is_some_and(|account| account.name == user.as_str());
        if is_own && record.uid().is_none() && !record.credentials().is_empty() {
            users.push(user);
        }
    }
    Ok(users)
}

fn adopt(context: &Context, store: &FileStore, typed: &Username) -> Result<(Username, u32), Failure> {
    let who = Who::of(context, typed)?;
    let uid = who.uid().ok_or_else(|| {
        Failure::refused(format!("this system lists no account `{typed}`, so there is none to adopt"))
    })?;
    let (record, _) = enrolled::find(store, &who.user)?;
    if record.credentials().is_empty() {
        return Err(enrolled::nobody(&who.user));
    }
    store.change_record(&who.user, |current| Ok::<_, Failure>(who.subscriber().bind(current)))?;
    administration::record(context, "adopt", who.user.as_str(), &[("uid", &uid.to_string())]);
    Ok((who.user, uid))
}
