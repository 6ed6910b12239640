//! Copies of what the application set in its PAM handle, because a conversation may change the items.

use std::ffi::CStr;

use ::pam::items::{RHost, RUser, Service, Tty, User};
use ::pam::module::PamHandle;

use crate::verifier::request::Request;

/// Copies the items that describe a login. An item that is not set or is not text counts as absent. A name
/// that is not UTF-8 gets replacement characters, so it never equals an enrolled name.
pub fn request(handle: &mut PamHandle) -> Request {
    // Asks for the name if the application did not set one. The result is ignored: for a name that is not
    // UTF-8 the call sets the item and then fails, so the item below decides.
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
