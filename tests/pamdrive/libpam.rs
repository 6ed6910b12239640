//! The application's side of libpam.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use crate::conversation::{Claimant, converse};

pub const PAM_SUCCESS: c_int = 0;
pub const PAM_BUF_ERR: c_int = 5;
pub const PAM_CONV_ERR: c_int = 19;
pub const PAM_SILENT: c_int = 0x8000;
pub const PAM_ESTABLISH_CRED: c_int = 0x2;
pub const PAM_USER: c_int = 2;
pub const PAM_TTY: c_int = 3;
pub const PAM_RHOST: c_int = 4;
pub const PAM_RUSER: c_int = 8;
pub const PAM_PROMPT_ECHO_OFF: c_int = 1;
pub const PAM_PROMPT_ECHO_ON: c_int = 2;

#[repr(C)]
pub struct PamMessage {
    pub style: c_int,
    pub text: *const c_char,
}

#[repr(C)]
pub struct PamResponse {
    pub text: *mut c_char,
    pub code: c_int,
}

#[repr(C)]
struct PamConv {
    conv: unsafe extern "C" fn(c_int, *const *const PamMessage, *mut *mut PamResponse, *mut c_void) -> c_int,
    appdata: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const PamConv,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

/// A PAM transaction, from `pam_start` to `pam_end`.
pub struct Transaction<'c, 'a> {
    handle: *mut c_void,
    pub claimant: &'c mut Claimant<'a>,
    // libpam copies it, but not what it points to.
    _conversation: Box<PamConv>,
    last: c_int,
}

impl<'c, 'a> Transaction<'c, 'a> {
    /// Starts one. The code of libpam if that fails.
    pub fn start(
        folder: &Path,
        service: &str,
        user: Option<&[u8]>,
        claimant: &'c mut Claimant<'a>,
    ) -> Result<Self, c_int> {
        let folder = c_text(folder.to_str().expect("a folder in UTF-8").as_bytes());
        let (service, user) = (c_text(service.as_bytes()), user.map(c_text));
        let appdata = ptr::from_mut(claimant).cast();
        let conversation = Box::new(PamConv { conv: converse, appdata });
        let user = user.as_ref().map_or(ptr::null(), |user| user.as_ptr());
        let mut handle = ptr::null_mut();
        // SAFETY: pam_start_confdir(3): NUL-terminated texts or null, and a conversation that outlives the handle.
        let code = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user,
                &raw const *conversation,
                folder.as_ptr(),
                &raw mut handle,
            )
        };
        if code != PAM_SUCCESS {
            return Err(code);
        }
        claimant.handle = handle;
        Ok(Self { handle, claimant, _conversation: conversation, last: code })
    }

    pub fn set_text(&self, item: c_int, value: Option<&String>) {
        if let Some(value) = value {
            set_text(self.handle, item, &c_text(value.as_bytes()));
        }
    }

    pub fn authenticate(&mut self, flags: c_int) -> c_int {
        // SAFETY: the handle of this transaction, not ended yet.
        self.last = unsafe { pam_authenticate(self.handle, flags) };
        self.last
    }

    pub fn account(&mut self, flags: c_int) -> c_int {
        // SAFETY: as above.
        self.last = unsafe { pam_acct_mgmt(self.handle, flags) };
        self.last
    }

    pub fn set_credentials(&mut self, flags: c_int) -> c_int {
        // SAFETY: as above.
        self.last = unsafe { pam_setcred(self.handle, flags | PAM_ESTABLISH_CRED) };
        self.last
    }
}

impl Drop for Transaction<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the handle of this transaction, ended once.
        unsafe { pam_end(self.handle, self.last) };
    }
}

/// Sets an item that is a text.
pub fn set_text(handle: *mut c_void, item: c_int, value: &CStr) {
    // SAFETY: a handle that is not ended; pam_set_item(3) copies the NUL-terminated text.
    unsafe { pam_set_item(handle, item, value.as_ptr().cast()) };
}

fn c_text(bytes: &[u8]) -> CString {
    CString::new(bytes).expect("no NUL in an item")
}
