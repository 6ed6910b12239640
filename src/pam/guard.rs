//! A panic ends here, as a denial.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

use ::pam::constants::PamResultCode;

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
        PamResultCode::PAM_ABORT
    })
}
