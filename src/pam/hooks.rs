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

    /// The backstop: refuses a login in whose PAM transaction no chain was granted though the policy asks for
    /// one, as after a public key alone.
    fn acct_mgmt(handle: &mut PamHandle, arguments: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        guard(|| account(handle, &arguments))
    }

    /// Always a success: cron and the monitor of sshd call this without having called authenticate.
    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    /// Nothing to do, which is no reason to stop a session.
    fn sm_open_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    /// As opening; login(1) calls this after failures too.
    fn sm_close_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    /// This module keeps no password, so a `password` line for it is a mistake of the stack.
    fn sm_chauthtok(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SERVICE_ERR
    }
}
