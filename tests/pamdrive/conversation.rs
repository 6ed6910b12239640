//! The conversation function: answers as scripted, and remembers what it was shown.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;

use mfa_chain::libpam::numbers::{
    PAM_BUF_ERR, PAM_CONV_ERR, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_SUCCESS, PAM_USER,
};
use mfa_chain::libpam::{PamMessage, PamResponse};

use crate::answer::{Act, Answer, Prelude};
use crate::gate::Gate;
use crate::libpam;

/// The claimant, as the application plays it.
#[derive(Debug)]
pub struct Claimant<'a> {
    pub answers: &'a [Answer],
    pub next: usize,
    pub shown: Vec<Shown>,
    pub gate: Option<&'a Gate>,
    /// Says at once what it is shown: a process that is killed later has shown it.
    pub tells: bool,
    /// The transaction that is going on, for an application that changes it at a prompt.
    pub handle: *mut c_void,
}

/// A prompt or message.
#[derive(Debug)]
pub struct Shown {
    pub style: c_int,
    pub text: Vec<u8>,
}

impl<'a> Claimant<'a> {
    pub const fn new(answers: &'a [Answer], gate: Option<&'a Gate>, tells: bool) -> Self {
        Self { answers, next: 0, shown: Vec::new(), gate, tells, handle: ptr::null_mut() }
    }

    fn prepare(&self, answer: &Answer) {
        for prelude in &answer.first {
            match prelude {
                Prelude::Gate => self.gate.expect("a gate needs --sessions").wait(),
                Prelude::Mark => mark(c"pamdrive:prompt"),
                Prelude::ChangeUser(name) => {
                    let name = CString::new(name.as_str()).expect("a name without NUL");
                    libpam::set_text(self.handle, PAM_USER, &name);
                }
            }
        }
    }
}

/// A system call that does nothing and stands out in a trace.
pub fn mark(name: &CStr) {
    // SAFETY: access(2) of a NUL-terminated name.
    unsafe { libc::access(name.as_ptr(), libc::F_OK) };
}

/// What libpam calls with messages for the claimant.
pub unsafe extern "C" fn converse(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    appdata: *mut c_void,
) -> c_int {
    // SAFETY: `appdata` is the claimant that the transaction was started with, borrowed for its length.
    let claimant = unsafe { &mut *appdata.cast::<Claimant<'_>>() };
    assert_eq!(count, 1, "one message a call is all that every application passes on");
    // SAFETY: pam_conv(3): an array of `count` pointers to messages.
    let message = unsafe { *messages };
    // SAFETY: as above; the text is NUL-terminated.
    let PamMessage { style, text } = unsafe { message.read() };
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes().to_vec();
    claimant.shown.push(Shown { style, text });
    if claimant.tells {
        crate::report::print(&format!("{{\"told\":{style}}}"));
    }
    let (code, array) = if matches!(style, PAM_PROMPT_ECHO_OFF | PAM_PROMPT_ECHO_ON) {
        let answers = claimant.answers;
        let Some(answer) = answers.get(claimant.next) else { return PAM_CONV_ERR };
        claimant.next += 1;
        claimant.prepare(answer);
        act(&answer.then)
    } else {
        (PAM_SUCCESS, response(ptr::null_mut()))
    };
    if code == PAM_SUCCESS || !array.is_null() {
        // SAFETY: pam_conv(3): a place for one pointer.
        unsafe { responses.write(array) };
    }
    code
}

fn act(act: &Act) -> (c_int, *mut PamResponse) {
    match act {
        Act::Bytes(bytes) => (PAM_SUCCESS, response(copy(bytes))),
        Act::FromDescriptor(descriptor) => (PAM_SUCCESS, response(read_line(*descriptor))),
        Act::NullArray => (PAM_SUCCESS, ptr::null_mut()),
        Act::NullAnswer => (PAM_SUCCESS, response(ptr::null_mut())),
        Act::Code(code) => (*code, ptr::null_mut()),
        // Nobody frees what comes with an error, so it must not reach anybody: the test leaks it knowingly.
        Act::CodeWith(code, bytes) => (*code, response(copy(bytes))),
        Act::Hang => loop {
            // SAFETY: pause(2) takes nothing.
            unsafe { libc::pause() };
        },
        // SAFETY: _exit(2) ends the process at once, as a crash of the application would.
        Act::Exit => unsafe { libc::_exit(0) },
    }
}

/// An array of one response, which the module frees.
fn response(text: *mut libc::c_char) -> *mut PamResponse {
    // SAFETY: calloc(3) of one response.
    let array: *mut PamResponse = unsafe { libc::calloc(1, size_of::<PamResponse>()) }.cast();
    assert!(!array.is_null(), "out of memory ({PAM_BUF_ERR})");
    // SAFETY: the array has room for one.
    unsafe { array.write(PamResponse { text, code: 0 }) };
    array
}

/// A copy from malloc(3), NUL-terminated, with whatever NUL bytes stand in it.
fn copy(bytes: &[u8]) -> *mut libc::c_char {
    // SAFETY: calloc(3); one byte more than is copied, so it ends in NUL.
    let text: *mut u8 = unsafe { libc::calloc(bytes.len() + 1, 1) }.cast();
    assert!(!text.is_null(), "out of memory");
    // SAFETY: both are valid for that length and do not overlap.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), text, bytes.len()) };
    text.cast()
}

/// A line, read byte by byte into the memory that is handed over, so that no other copy of it exists here.
fn read_line(descriptor: c_int) -> *mut libc::c_char {
    const LONGEST: usize = 512;
    // SAFETY: calloc(3); one byte more than is read.
    let text: *mut u8 = unsafe { libc::calloc(LONGEST + 1, 1) }.cast();
    assert!(!text.is_null(), "out of memory");
    for place in 0..LONGEST {
        // SAFETY: `place` is below the size of the allocation.
        let byte = unsafe { text.add(place) };
        // SAFETY: room for one byte.
        let read = unsafe { libc::read(descriptor, byte.cast(), 1) };
        // SAFETY: the byte is inside the allocation and initialised by calloc.
        if read != 1 || unsafe { *byte } == b'\n' {
            // SAFETY: as above.
            unsafe { *byte = 0 };
            break;
        }
    }
    text.cast()
}
