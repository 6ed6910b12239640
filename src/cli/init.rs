//! `mfa-chain init`: makes the store, and what it lacks.

use serde_json::json;

use super::arguments::InitArguments;
use super::failure::{Exit, Failure};
use super::{Context, output};
use crate::store::FileStore;

/// Runs the command. What is there stays as it is, so packages run it at each installation: in a roll-out the first
/// login may come before the first enrollment.
///
/// # Errors
///
/// [`Failure`] when the store is not safe to use, or can't be made.
pub fn run(context: &Context, _: &InitArguments) -> Result<Exit, Failure> {
    let users = FileStore::open_or_create(&context.store)?.users()?.len();
    let store = context.store.display().to_string();
    if context.json {
        output::print_json(&json!({ "store": store, "users": users }))?;
    } else {
        output::print(&format!("The store {store} is there; users with a record: {users}.\n"))?;
    }
    Ok(Exit::Done)
}
