//! The demonstration with codes typed by hand.

use std::path::Path;

use super::super::failure::{Exit, Failure};
use crate::store::rehearsal::Libpam;

/// Later.
pub fn run(module: &Path, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let _ = (module, libpam);
    Err(Failure::refused("not built yet"))
}
