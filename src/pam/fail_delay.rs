//! `pam_fail_delay(3)`, which pam-bindings lacks.

use std::time::Duration;

use ::pam::module::PamHandle;
use libc::c_uint;

use crate::libpam::pam_fail_delay;

/// Asks libpam to wait about this long before it reports a failure to the application. libpam takes the
/// longest delay of all modules, varies it randomly by up to half, and skips it on success.
pub fn request_fail_delay(handle: &mut PamHandle, delay: Duration) {
    let microseconds = c_uint::try_from(delay.as_micros()).unwrap_or(c_uint::MAX);
    // SAFETY: pam_fail_delay(3) takes the handle that libpam passed to this hook. The handle is valid until the
    // hook returns, and the call keeps no pointer to it.
    let _ = unsafe { pam_fail_delay(std::ptr::from_mut(handle).cast(), microseconds) };
}
