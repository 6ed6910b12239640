//! A gate for processes: closed until all of them stand before it.

use std::ffi::c_int;

/// Two pipes: one counts who has arrived, the other opens by its end.
#[derive(Debug)]
pub struct Gate {
    arrived: [c_int; 2],
    open: [c_int; 2],
}

impl Gate {
    pub fn new() -> Self {
        Self { arrived: pipe(), open: pipe() }
    }

    /// In each session, after the fork: keeps its ends only.
    pub fn enter(&self) {
        close(self.arrived[0]);
        close(self.open[1]);
    }

    /// In a session: says that it is here, and waits until the gate opens.
    pub fn wait(&self) {
        let mut byte = [0_u8];
        // SAFETY: one byte of this frame.
        let written = unsafe { libc::write(self.arrived[1], byte.as_ptr().cast(), 1) };
        assert_eq!(written, 1, "the parent is gone");
        // SAFETY: one byte of this frame; returns 0 when the parent closes its end.
        unsafe { libc::read(self.open[0], byte.as_mut_ptr().cast(), 1) };
    }

    /// In the parent: waits for `count` sessions, or the end of all that will never come, and opens.
    pub fn open_when_here(&self, count: usize) {
        close(self.arrived[1]);
        close(self.open[0]);
        let mut byte = [0_u8];
        for _ in 0..count {
            // SAFETY: one byte of this frame; returns 0 when no session is left that could come.
            if unsafe { libc::read(self.arrived[0], byte.as_mut_ptr().cast(), 1) } != 1 {
                break;
            }
        }
        close(self.open[1]);
        close(self.arrived[0]);
    }

    /// In a session that ends without having come here.
    pub fn leave(&self) {
        close(self.arrived[1]);
    }
}

/// A pipe: its ends for reading and writing.
pub fn pipe() -> [c_int; 2] {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    let made = unsafe { libc::pipe(ends.as_mut_ptr()) };
    assert_eq!(made, 0, "no pipe");
    ends
}

pub fn close(descriptor: c_int) {
    // SAFETY: close(2) takes any number.
    unsafe { libc::close(descriptor) };
}
