//! One transaction of libpam, timed.

use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::ptr;
use std::time::Instant;

use mfa_chain::libpam::numbers::{
    PAM_CONV_ERR, PAM_FAIL_DELAY, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_RHOST,
};
use mfa_chain::libpam::{
    PamConv, PamMessage, PamResponse, pam_authenticate, pam_end, pam_set_item, pam_start_confdir,
};

use crate::stacks::Claimant;

/// What one transaction came to.
#[derive(Clone, Copy)]
pub struct Timing {
    pub code: c_int,
    pub authenticate_ns: u64,
    pub whole_ns: u64,
}

/// How transactions are run.
#[derive(Clone, Copy)]
pub struct Manner {
    /// The application waits after a failure as libpam asks it to.
    pub delays: bool,
    /// A system call before and after `pam_authenticate` that stands out in a trace.
    pub marks: bool,
    /// The claimant comes over the network.
    pub remote: bool,
}

/// Runs one transaction of `service` in `folder`.
pub fn transaction(folder: &CStr, service: &CStr, claimant: &Claimant, manner: Manner) -> Timing {
    let user = CString::new(claimant.user.as_str()).expect("no NUL");
    let mut answers = claimant.answers.iter();
    let conversation = PamConv { converse, appdata: (&raw mut answers).cast() };
    let mut handle = ptr::null_mut();
    let began = Instant::now();
    // SAFETY: pam_start_confdir(3): NUL-terminated texts, and a conversation that outlives the handle.
    let code = unsafe {
        pam_start_confdir(
            service.as_ptr(),
            user.as_ptr(),
            &raw const conversation,
            folder.as_ptr(),
            &raw mut handle,
        )
    };
    assert_eq!(code, 0, "libpam starts");
    if manner.remote {
        // SAFETY: an open handle; pam_set_item(3) copies texts.
        unsafe { pam_set_item(handle, PAM_RHOST, c"192.0.2.7".as_ptr().cast()) };
    }
    if !manner.delays {
        // SAFETY: an open handle; the item is a function of this signature (pam_fail_delay(3)).
        unsafe { pam_set_item(handle, PAM_FAIL_DELAY, no_delay as *const c_void) };
    }
    mark(manner, c"pamtimer:begin");
    let asked = Instant::now();
    // SAFETY: an open handle.
    let code = unsafe { pam_authenticate(handle, 0) };
    let authenticate_ns = nanoseconds(asked);
    mark(manner, c"pamtimer:end");
    // SAFETY: the handle, ended once.
    unsafe { pam_end(handle, code) };
    Timing { code, authenticate_ns, whole_ns: nanoseconds(began) }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn mark(manner: Manner, name: &CStr) {
    if manner.marks {
        // SAFETY: access(2) of a NUL-terminated name.
        unsafe { libc::access(name.as_ptr(), libc::F_OK) };
    }
}

extern "C" fn no_delay(_code: c_int, _microseconds: c_uint, _appdata: *mut c_void) {}

type Answers<'a> = std::slice::Iter<'a, String>;

unsafe extern "C" fn converse(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    appdata: *mut c_void,
) -> c_int {
    assert_eq!(count, 1, "one message a call");
    // SAFETY: the answers that the transaction was started with.
    let answers = unsafe { &mut *appdata.cast::<Answers<'_>>() };
    // SAFETY: pam_conv(3): an array of one pointer to a message.
    let message = unsafe { *messages };
    // SAFETY: as above.
    let style = unsafe { (*message).style };
    // SAFETY: calloc(3) of one response, which the module frees.
    let response: *mut PamResponse = unsafe { libc::calloc(1, size_of::<PamResponse>()) }.cast();
    if style == PAM_PROMPT_ECHO_OFF || style == PAM_PROMPT_ECHO_ON {
        let Some(answer) = answers.next() else { return PAM_CONV_ERR };
        let answer = CString::new(answer.as_str()).expect("no NUL");
        // SAFETY: NUL-terminated; the module frees the copy.
        let text = unsafe { libc::strdup(answer.as_ptr()) };
        // SAFETY: calloc gave a whole response.
        unsafe { response.write(PamResponse { text, code: 0 }) };
    }
    // SAFETY: pam_conv(3): a place for one pointer.
    unsafe { responses.write(response) };
    0
}
