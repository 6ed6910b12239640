//! `mfa-chain confirm`: makes the change stay that waits.

use super::enable::arguments::ConfirmArguments;
use super::failure::{Exit, Failure};
use super::{Context, administration, output};
use crate::changes::ChangesFolder;
use crate::changes::pending::Pending;
use crate::store::FileStore;

/// Runs the command. It counts only if a chain was passed since the change.
///
/// # Errors
///
/// [`Failure`] when nothing waits, or nobody passed a chain.
pub fn run(context: &Context, _: &ConfirmArguments) -> Result<Exit, Failure> {
    let folder = ChangesFolder::open(&context.store)?;
    let lock = folder.lock()?;
    let pending =
        Pending::waiting(&folder)?.ok_or_else(|| Failure::refused("no change waits for a confirmation"))?;
    pending.check_proven(&FileStore::at(&context.store))?;
    pending.forget(&folder)?;
    drop(lock);
    administration::record_change(context, "confirm", &[("what", &pending.what)], None);
    if context.json {
        output::print_json(&serde_json::json!({ "confirmed": pending.what }))?;
    } else {
        output::print(&format!("Confirmed: {} stays as it is now.\n", pending.what))?;
    }
    Ok(Exit::Done)
}
