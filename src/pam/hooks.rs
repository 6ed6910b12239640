//! The six functions that libpam calls.

use std::ffi::CStr;

use ::pam::constants::{PamFlag, PamResultCode};
use ::pam::module::{PamHandle, PamHooks};

use super::authenticate::{account, authenticate};
use super::guard::guard;

/// The module, as pam-bindings exports it.
pub struct MfaChain;

::pam::pam_hooks!(MfaChain);

impl PamHooks for MfaChain {
    /// Runs one pass of the chain.
    fn sm_authenticate(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guard(|| authenticate(handle, &arguments, flags))
    }

    /// The backstop: refuses a login that passed no chain in this PAM transaction although the policy asks
    /// for one, such as a login with only a public key.
    fn acct_mgmt(handle: &mut PamHandle, arguments: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        guard(|| account(handle, &arguments))
    }

    /// Always succeeds: cron and the monitor process of sshd call this without calling authenticate first.
    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    /// Succeeds, since there is nothing to do and an error would end the session.
    fn sm_open_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    /// Succeeds, as on opening; login(1) calls this after failures too.
    fn sm_close_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    /// Fails: this module keeps no password, so a `password` line for it is a mistake in the stack.
    fn sm_chauthtok(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SERVICE_ERR
    }
}
