//! The application's side of libpam: a real transaction against a scratch folder of service files, so that a
//! rehearsal and the demonstration run what sshd and sudo run, and touch nothing of the system.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::path::Path;
use std::ptr;

/// What an application answers when the stack talks to it.
pub trait Dialogue {
    /// Answers a prompt; `None` hangs up. The answer is wiped after it was passed on.
    fn answer(&mut self, prompt: &str, echo: bool) -> Option<zeroize::Zeroizing<String>>;

    /// Takes a message that wants no answer.
    fn notice(&mut self, message: &str);
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// The folder with the service file.
    pub folder: &'a Path,
    /// The service, which is the name of that file.
    pub service: &'a str,
    /// The claimant.
    pub user: &'a str,
    /// `PAM_RHOST`, if any.
    pub rhost: Option<&'a str>,
}

/// A code that libpam returned, with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PamOutcome {
    /// The number in `security/_pam_types.h`.
    pub code: i32,
    /// What pam_strerror(3) calls it.
    pub text: String,
}

impl PamOutcome {
    /// Whether libpam let the claimant in.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.code == PAM_SUCCESS
    }
}

/// libpam could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionError(String);

impl fmt::Display for TransactionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for TransactionError {}

/// Runs `pam_authenticate` as an application would, between `pam_start_confdir` and `pam_end`.
///
/// # Errors
///
/// [`TransactionError`] when libpam is older than 1.4, or can't start.
pub fn authenticate(
    transaction: &Transaction<'_>,
    dialogue: &mut dyn Dialogue,
) -> Result<PamOutcome, TransactionError> {
    let start = pam_start_confdir()?;
    let text = |what: &str| CString::new(what).map_err(|_| TransactionError(format!("`{what}` holds a NUL")));
    let (service, user) = (text(transaction.service)?, text(transaction.user)?);
    let folder = text(&transaction.folder.to_string_lossy())?;
    let mut dialogue = dialogue;
    let conversation = PamConv { conv: converse, appdata: (&raw mut dialogue).cast() };
    let mut handle = ptr::null_mut();
    // SAFETY: pam_start_confdir(3): NUL-terminated texts, and a conversation that outlives the handle, which
    // ends below.
    let code = unsafe { start(service.as_ptr(), user.as_ptr(), &raw const conversation, folder.as_ptr(), &raw mut handle) };
    if code != PAM_SUCCESS || handle.is_null() {
        return Err(TransactionError(format!("libpam could not start ({code}): {}", words(handle, code))));
    }
    if let Some(rhost) = transaction.rhost {
        let rhost = text(rhost)?;
        // SAFETY: pam_set_item(3) copies the text.
        let _ = unsafe { pam_set_item(handle, PAM_RHOST, rhost.as_ptr().cast()) };
    }
    // SAFETY: the handle came from pam_start_confdir and was not ended.
    let code = unsafe { pam_authenticate(handle, 0) };
    let outcome = PamOutcome { code, text: words(handle, code) };
    // SAFETY: the same handle, ended once and not used again.
    let _ = unsafe { pam_end(handle, code) };
    Ok(outcome)
}

#[repr(C)]
struct PamMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct PamResponse {
    text: *mut c_char,
    code: c_int,
}

type Converse =
    unsafe extern "C" fn(c_int, *const *const PamMessage, *mut *mut PamResponse, *mut c_void) -> c_int;

#[repr(C)]
struct PamConv {
    conv: Converse,
    appdata: *mut c_void,
}

type StartConfdir = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const PamConv,
    *const c_char,
    *mut *mut c_void,
) -> c_int;

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_strerror(handle: *mut c_void, code: c_int) -> *const c_char;
}

const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_CONV_ERR: c_int = 19;
const PAM_RHOST: c_int = 4;
const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;

/// Found at run time: it is younger (Linux-PAM 1.4) than what the rest of the command needs.
fn pam_start_confdir() -> Result<StartConfdir, TransactionError> {
    // SAFETY: dlsym(3) with a NUL-terminated name; libpam is linked, so its symbols are in the default scope.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pam_start_confdir".as_ptr()) };
    if symbol.is_null() {
        let what = "this libpam has no pam_start_confdir; a rehearsal needs Linux-PAM 1.4 or later";
        return Err(TransactionError(what.to_owned()));
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
        // SAFETY: `appdata` is the `&mut dyn Dialogue` that authenticate() put there and that outlives the call.
        let dialogue = unsafe { &mut *appdata.cast::<&mut dyn Dialogue>() };
        // SAFETY: as above, a valid message.
        let Some(answer) = (unsafe { respond(message, *dialogue) }) else {
            // SAFETY: the array from above, not handed over. Answers in it are left to the end of the process,
            // which is at hand: the caller hung up.
            unsafe { libc::free(array.cast()) };
            return PAM_CONV_ERR;
        };
        // SAFETY: `place` is below the `count` that calloc got.
        let slot = unsafe { array.add(place) };
        // SAFETY: as above.
        unsafe { slot.write(PamResponse { text: answer, code: 0 }) };
    }
    // SAFETY: pam_conv(3): a place for one pointer.
    unsafe { responses.write(array) };
    PAM_SUCCESS
}

/// The answer to one message: a text from strdup(3), null where none is wanted, `None` to hang up.
///
/// # Safety
///
/// `message` points to a message of libpam with a NUL-terminated text.
unsafe fn respond(message: *const PamMessage, dialogue: &mut dyn Dialogue) -> Option<*mut c_char> {
    // SAFETY: the caller's promise.
    let PamMessage { style, text } = unsafe { message.read() };
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    match style {
        PAM_PROMPT_ECHO_OFF | PAM_PROMPT_ECHO_ON => {
            let answer = dialogue.answer(&text, style == PAM_PROMPT_ECHO_ON)?;
            let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(answer.len().saturating_add(1)));
            bytes.extend(answer.bytes().take_while(|byte| *byte != 0));
            bytes.push(0);
            // SAFETY: NUL-terminated just above.
            let copy = unsafe { libc::strdup(bytes.as_ptr().cast()) };
            (!copy.is_null()).then_some(copy)
        }
        _ => {
            dialogue.notice(&text);
            Some(ptr::null_mut())
        }
    }
}
