//! A panic ends here, as a denial.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

use ::pam::constants::PamResultCode;

use super::syslog_audit::SyslogAudit;
use crate::verifier::event::{Event, Severity};
use crate::verifier::ports::Audit;

/// Runs `hook`; a panic in it becomes `PAM_ABORT`.
///
/// The panic hook of this library's own runtime is silenced first: it would write to standard error of sshd or
/// sudo, with addresses if `RUST_BACKTRACE` stands in the caller's environment. A Rust host has a runtime of
/// its own and keeps its hook.
pub fn guard(hook: impl FnOnce() -> PamResultCode) -> PamResultCode {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| set_hook(Box::new(|_| {})));
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|payload| {
        // Dropping a payload may panic again, out of reach of the catch above.
        std::mem::forget(payload);
        tell_the_log();
        PamResultCode::PAM_ABORT
    })
}

/// Says that there was a panic, and nothing of what it said: it may hold data of the user.
fn tell_the_log() {
    let told = catch_unwind(|| {
        let event = Event::new(Severity::Error, "panic").with("verdict", "deny");
        let audit = SyslogAudit::new("pam", "panic", false);
        audit.record(&event.saying("a defect of this module; the login is denied; please report it"));
    });
    if let Err(payload) = told {
        std::mem::forget(payload);
    }
}
