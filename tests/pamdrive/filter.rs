//! A filter of system calls, as a hardened application sets it up before it asks PAM.

use std::mem::offset_of;

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter, sock_fprog};

/// Which system calls the process may still make, by number.
#[derive(Debug, Default)]
pub enum Filter {
    /// All.
    #[default]
    Nothing,
    /// These alone; any other one ends the process.
    Only(Vec<u32>),
    /// All but these, which fail with EPERM.
    AllBut(Vec<u32>),
}

impl Filter {
    /// Puts it in force, for good.
    pub fn enter(&self) {
        let (listed, numbers, otherwise) = match self {
            Self::Nothing => return,
            Self::Only(numbers) => (libc::SECCOMP_RET_ALLOW, numbers, libc::SECCOMP_RET_KILL_PROCESS),
            Self::AllBut(numbers) => {
                let refused = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPERM).unwrap_or(1);
                (refused, numbers, libc::SECCOMP_RET_ALLOW)
            }
        };
        let number_at = u32::try_from(offset_of!(libc::seccomp_data, nr)).unwrap_or(0);
        let mut program = vec![step(BPF_LD | BPF_W | BPF_ABS, number_at, 0)];
        for number in numbers {
            program.push(step(BPF_JMP | BPF_JEQ | BPF_K, *number, 1));
            program.push(step(BPF_RET | BPF_K, listed, 0));
        }
        program.push(step(BPF_RET | BPF_K, otherwise, 0));
        let len = u16::try_from(program.len()).expect("a short filter");
        let program = sock_fprog { len, filter: program.as_mut_ptr() };
        // SAFETY: prctl(2) with integers.
        let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        // SAFETY: seccomp(2): a program that outlives the call and has the length it says.
        let entered =
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
        assert_eq!((promised, entered), (0, 0), "no filter");
    }
}

/// An instruction; a comparison that fails leaps over `otherwise` more.
fn step(code: u32, operand: u32, otherwise: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(0), jt: 0, jf: otherwise, k: operand }
}
