//! The edge to libpam, and the only room with `unsafe`: everything that comes in is untrusted C, everything
//! that goes out is a code of the table in `docs/return-codes.md`.

mod accepted_key;
mod arguments;
mod authenticate;
mod code;
mod conversation;
mod fail_delay;
mod guard;
mod hooks;
mod items;
mod syslog_audit;
mod system_accounts;
mod transaction;

#[cfg(feature = "cli")]
pub mod application;

pub use system_accounts::SystemAccounts;
