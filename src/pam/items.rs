//! What the application set in its PAM handle, copied out: a conversation may change it.

use std::ffi::CStr;

use ::pam::items::{RHost, RUser, Service, Tty, User};
use ::pam::module::PamHandle;

use crate::verifier::request::Request;

/// Copies the items that describe a login. An item that is not set, or is not text, is as good as none; a
/// name that is not UTF-8 can't be enrolled, and its replacement characters keep it from looking like one.
pub fn request(handle: &mut PamHandle) -> Request {
    // Asks for the name if the application did not set one. Its error for a name that is not UTF-8 comes
    // after the item is set, so the item tells.
    let _ = handle.get_user(None);
    Request {
        service: text(handle.get_item::<Service>().ok().flatten().map(|item| item.0)).unwrap_or_default(),
        user: user(handle).unwrap_or_default(),
        account: None,
        rhost: text(handle.get_item::<RHost>().ok().flatten().map(|item| item.0)),
        ruser: text(handle.get_item::<RUser>().ok().flatten().map(|item| item.0)),
        tty: text(handle.get_item::<Tty>().ok().flatten().map(|item| item.0)),
    }
}

/// `PAM_USER` as it is now.
pub fn user(handle: &PamHandle) -> Option<String> {
    text(handle.get_item::<User>().ok().flatten().map(|item| item.0))
}

fn text(item: Option<&CStr>) -> Option<String> {
    item.map(|item| item.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}
