//! The types, numbers and functions of `security/pam_appl.h` and `security/pam_modules.h` that pam-bindings lacks. This
//! file only declares them.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// `struct pam_message`
#[repr(C)]
pub struct PamMessage {
    /// `msg_style`
    pub style: c_int,
    /// `msg`: NUL-terminated.
    pub text: *const c_char,
}

/// `struct pam_response`
#[repr(C)]
pub struct PamResponse {
    /// `resp`: from malloc(3), freed by the caller; null for none.
    pub text: *mut c_char,
    /// `resp_retcode`: unused, always 0.
    pub code: c_int,
}

/// The conversation function of an application, `pam_conv(3)`. Modules send their prompts to it.
pub type Converse =
    unsafe extern "C" fn(c_int, *const *const PamMessage, *mut *mut PamResponse, *mut c_void) -> c_int;

/// `struct pam_conv`
#[repr(C)]
pub struct PamConv {
    /// `conv`
    pub converse: Converse,
    /// `appdata_ptr`: the last argument of each call of `converse`.
    pub appdata: *mut c_void,
}

/// `pam_start_confdir(3)`, which Linux-PAM has since 1.4.
pub type StartConfdir = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const PamConv,
    *const c_char,
    *mut *mut c_void,
) -> c_int;

#[allow(missing_docs)] // each as its manual page says
#[link(name = "pam")]
unsafe extern "C" {
    pub fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const PamConv,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    pub fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    pub fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    pub fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    pub fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    pub fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
    pub fn pam_strerror(handle: *mut c_void, code: c_int) -> *const c_char;
    pub fn pam_fail_delay(handle: *mut c_void, microseconds: c_uint) -> c_int;
}

/// The numbers of `security/_pam_types.h`.
#[allow(missing_docs)]
pub mod numbers {
    use std::ffi::c_int;

    pub const PAM_SUCCESS: c_int = 0;
    pub const PAM_BUF_ERR: c_int = 5;
    pub const PAM_CONV_ERR: c_int = 19;
    pub const PAM_SILENT: c_int = 0x8000;
    pub const PAM_ESTABLISH_CRED: c_int = 0x2;
    pub const PAM_USER: c_int = 2;
    pub const PAM_TTY: c_int = 3;
    pub const PAM_RHOST: c_int = 4;
    pub const PAM_RUSER: c_int = 8;
    pub const PAM_FAIL_DELAY: c_int = 10;
    pub const PAM_PROMPT_ECHO_OFF: c_int = 1;
    pub const PAM_PROMPT_ECHO_ON: c_int = 2;
}
