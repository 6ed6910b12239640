//! `pam_fail_delay(3)`, which pam-bindings lacks.

use std::time::Duration;

use ::pam::module::PamHandle;
use libc::{c_int, c_uint};

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_fail_delay(handle: *mut PamHandle, microseconds: c_uint) -> c_int;
}

/// Asks libpam to wait about this long before it tells the application of a failure. libpam takes the longest
/// wish of all modules, spreads it by half, and skips it on success.
pub fn request_fail_delay(handle: &mut PamHandle, delay: Duration) {
    let microseconds = c_uint::try_from(delay.as_micros()).unwrap_or(c_uint::MAX);
    // SAFETY: pam_fail_delay(3) takes the handle that libpam passed to this hook, which is valid until it
    // returns, and keeps nothing of it.
    let _ = unsafe { pam_fail_delay(handle, microseconds) };
}
