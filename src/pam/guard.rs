//! Turns a panic into a denial and delays a cancellation of the thread.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

use ::pam::constants::PamResultCode;

use super::syslog_audit::SyslogAudit;
use super::uncancelled::Uncancelled;
use crate::verifier::event::{Event, Severity};
use crate::verifier::ports::Audit;

/// Runs `hook`; a panic in it becomes `PAM_ABORT`.
///
/// The panic hook of this library's runtime is silenced first: the hook would write to standard error of sshd
/// or sudo, with addresses if the caller's environment has `RUST_BACKTRACE`. An application in Rust has its
/// own runtime and keeps its hook.
pub fn guard(hook: impl FnOnce() -> PamResultCode) -> PamResultCode {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| set_hook(Box::new(|_| {})));
    let _whole = Uncancelled::begin();
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|payload| {
        // Dropping a payload may panic again, outside the catch above.
        std::mem::forget(payload);
        tell_the_log();
        PamResultCode::PAM_ABORT
    })
}

/// Logs that there was a panic, without the panic message, which may hold data of the user.
fn tell_the_log() {
    let result = catch_unwind(|| {
        let event = Event::new(Severity::Error, "panic").with("verdict", "deny");
        let audit = SyslogAudit::new("pam", "panic");
        audit.record(&event.saying("a defect of this module; the login is denied; please report it"));
    });
    if let Err(payload) = result {
        std::mem::forget(payload);
    }
}
