//! The application's side of libpam.

use std::ffi::{CStr, CString, c_int, c_void};
use std::path::Path;
use std::ptr;

use mfa_chain::libpam::numbers::{PAM_ESTABLISH_CRED, PAM_SUCCESS};
use mfa_chain::libpam::{
    PamConv, pam_acct_mgmt, pam_authenticate, pam_end, pam_set_item, pam_setcred, pam_start_confdir,
};

use crate::conversation::{Claimant, converse};

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
        let conversation = Box::new(PamConv { converse, appdata });
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
