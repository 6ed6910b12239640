//! Prevents the application from cancelling its thread inside the module.

use libc::c_int;

unsafe extern "C" {
    // pthread.h; the libc crate does not have it for Linux.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

/// The value in pthread.h of glibc and of musl.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Delays a cancellation of this thread, as by `pthread_cancel`, until this guard drops. glibc cancels a
/// thread by unwinding its stack; unwinding through Rust would abort the whole application.
#[derive(Debug)]
pub struct Uncancelled(Option<c_int>);

impl Uncancelled {
    /// Disables cancellation.
    pub fn begin() -> Self {
        let mut before = 0;
        // SAFETY: pthread_setcancelstate(3) with a place for the previous state.
        let failed = unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
        Self((failed == 0).then_some(before))
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            // SAFETY: the state comes from pthread_setcancelstate(3), which accepts null for the previous state.
            unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
        }
    }
}
