//! The module itself, which libpam calls. All input comes from untrusted C code, and all output is a code of the
//! table in `docs/return-codes.md`. No other room of the module contains unsafe code.

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
mod uncancelled;

pub use syslog_audit::SyslogAudit;
pub use system_accounts::{LoginAccounts, SystemAccounts};
