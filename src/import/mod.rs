//! What other systems export, read into tokens. Pure: text in, tokens and complaints out; `cli/import.rs` opens the
//! file, shows the plan and asks, the store writes.
//!
//! Each format reads the whole file and collects everything that is wrong with it, so that an administrator corrects
//! a file once. No complaint and no remark holds a word of the file other than names and numbers: a line may be a
//! secret as a whole.

#![forbid(unsafe_code)]

pub mod csv;
mod fields;
pub mod google_authenticator;
pub mod migration;
pub mod oath;
pub mod otpauth;
mod plan;
pub mod pskc;
mod seed;
mod token;
pub mod yubico;

pub use plan::{Candidate, KnownKeys, Planned, Wishes, plan};
pub use token::{Complaint, Encoding, MovesBy, Place, Reading, Remark, Token};
