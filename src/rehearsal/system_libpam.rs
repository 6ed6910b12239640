//! Runs real PAM transactions with service files from a scratch folder. A rehearsal and the demonstration therefore run
//! the same code as sshd and sudo, and change no file of the system.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use zeroize::Zeroizing;

use super::{Applicant, Libpam, LibpamError, Login, Outcome};
use crate::libpam::numbers::{
    PAM_BUF_ERR, PAM_CONV_ERR, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_RHOST, PAM_SUCCESS, PAM_TTY,
};
use crate::libpam::{
    PamConv, PamMessage, PamResponse, StartConfdir, pam_authenticate, pam_end, pam_set_item, pam_strerror,
};

/// The libpam that this program is linked to.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLibpam;

impl Libpam for SystemLibpam {
    fn authenticate(&self, login: &Login<'_>, applicant: &mut dyn Applicant) -> Result<Outcome, LibpamError> {
        let start = pam_start_confdir()?;
        let (service, user) = (c_text(login.services.service())?, c_text(login.user)?);
        let folder = c_text(&login.services.path().to_string_lossy())?;
        let rhost = login.rhost.map(c_text).transpose()?;
        let tty = login.tty.map(c_text).transpose()?;
        let mut applicant = applicant;
        let conversation = PamConv { converse, appdata: (&raw mut applicant).cast() };
        let mut handle = ptr::null_mut();
        // SAFETY: pam_start_confdir(3): NUL-terminated texts, and a conversation that outlives the handle, which
        // ends below.
        let code = unsafe {
            start(service.as_ptr(), user.as_ptr(), &raw const conversation, folder.as_ptr(), &raw mut handle)
        };
        if code != PAM_SUCCESS || handle.is_null() {
            return Err(LibpamError(format!("libpam could not start: {}", words(handle, code))));
        }
        for (item, text) in [(PAM_RHOST, rhost), (PAM_TTY, tty)] {
            if let Some(text) = text {
                // SAFETY: pam_set_item(3) copies the NUL-terminated text.
                let _ = unsafe { pam_set_item(handle, item, text.as_ptr().cast()) };
            }
        }
        // SAFETY: the handle came from pam_start_confdir and was not ended.
        let code = unsafe { pam_authenticate(handle, 0) };
        let outcome = Outcome { code, text: words(handle, code) };
        // SAFETY: the same handle, ended once and not used again.
        let _ = unsafe { pam_end(handle, code) };
        Ok(outcome)
    }
}

fn c_text(text: &str) -> Result<CString, LibpamError> {
    CString::new(text).map_err(|_| LibpamError("a name with a NUL byte in it".to_owned()))
}

/// Looks the function up at run time. Linux-PAM has it since 1.4, and the other commands also work with older versions.
fn pam_start_confdir() -> Result<StartConfdir, LibpamError> {
    // SAFETY: dlsym(3) with a NUL-terminated name; libpam is linked, so its symbols are in the default scope.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pam_start_confdir".as_ptr()) };
    if symbol.is_null() {
        let what = "this libpam has no pam_start_confdir; a rehearsal needs Linux-PAM 1.4 or later";
        return Err(LibpamError(what.to_owned()));
    }
    // SAFETY: the symbol is the function of that name in security/pam_appl.h, whose signature this is.
    Ok(unsafe { std::mem::transmute::<*mut c_void, StartConfdir>(symbol) })
}

fn words(handle: *mut c_void, code: c_int) -> String {
    // SAFETY: pam_strerror(3) ignores the handle and returns a static text for every code.
    let text = unsafe { pam_strerror(handle, code) };
    if text.is_null() {
        return format!("code {code}");
    }
    // SAFETY: not null, NUL-terminated and static, as above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Answers each message with a text from malloc(3), which libpam's modules free.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    appdata: *mut c_void,
) -> c_int {
    let Ok(count) = usize::try_from(count) else { return PAM_CONV_ERR };
    // SAFETY: calloc(3) of a small array; freed by the module, or below.
    let array: *mut PamResponse = unsafe { libc::calloc(count.max(1), size_of::<PamResponse>()) }.cast();
    if array.is_null() {
        return PAM_BUF_ERR;
    }
    for place in 0..count {
        // SAFETY: pam_conv(3): an array of `count` pointers to messages.
        let message = unsafe { messages.add(place) };
        // SAFETY: as above.
        let message = unsafe { *message };
        // SAFETY: `appdata` points to the `&mut dyn Applicant` of `authenticate`, which outlives the call.
        let applicant = unsafe { &mut *appdata.cast::<&mut dyn Applicant>() };
        // SAFETY: as above, a valid message.
        let Some(answer) = (unsafe { respond(message, *applicant) }) else {
            // SAFETY: the array from above; its first `place` responses are written, and libpam does not have it.
            unsafe { release(array, place) };
            return PAM_CONV_ERR;
        };
        // SAFETY: `place` is below `count`, the size of the array.
        let slot = unsafe { array.add(place) };
        // SAFETY: as above.
        unsafe { slot.write(PamResponse { text: answer, code: 0 }) };
    }
    // SAFETY: pam_conv(3): a place for one pointer.
    unsafe { responses.write(array) };
    PAM_SUCCESS
}

/// Wipes and frees the answers of a conversation that ended early.
///
/// # Safety
///
/// `array` comes from calloc(3), and its first `written` responses hold null or a text from strdup(3).
unsafe fn release(array: *mut PamResponse, written: usize) {
    for place in 0..written {
        // SAFETY: the caller's promise: `place` is inside the array.
        let response = unsafe { array.add(place) };
        // SAFETY: the caller's promise: this response is written.
        let text = unsafe { response.read() }.text;
        if !text.is_null() {
            // SAFETY: NUL-terminated by strdup(3).
            let length = unsafe { libc::strlen(text) };
            // SAFETY: strdup(3) allocated these bytes and the NUL. The compiler never removes explicit_bzero.
            unsafe { libc::explicit_bzero(text.cast(), length) };
            // SAFETY: from strdup(3), freed once.
            unsafe { libc::free(text.cast()) };
        }
    }
    // SAFETY: from calloc(3), freed once.
    unsafe { libc::free(array.cast()) };
}

/// The answer to one message: a text from strdup(3), null for a message that needs no answer, or `None` to end the
/// conversation.
///
/// # Safety
///
/// `message` points to a message of libpam with a NUL-terminated text.
unsafe fn respond(message: *const PamMessage, applicant: &mut dyn Applicant) -> Option<*mut c_char> {
    // SAFETY: the caller's promise.
    let PamMessage { style, text } = unsafe { message.read() };
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    match style {
        PAM_PROMPT_ECHO_OFF | PAM_PROMPT_ECHO_ON => {
            let answer = applicant.answer(&text, style == PAM_PROMPT_ECHO_ON)?;
            let mut bytes = Zeroizing::new(Vec::with_capacity(answer.len().saturating_add(1)));
            bytes.extend(answer.bytes().take_while(|byte| *byte != 0));
            bytes.push(0);
            // SAFETY: NUL-terminated just above.
            let copy = unsafe { libc::strdup(bytes.as_ptr().cast()) };
            (!copy.is_null()).then_some(copy)
        }
        _ => {
            applicant.notice(&text);
            Some(ptr::null_mut())
        }
    }
}
