//! Prevents all users except root from pausing or interrupting a judgement.

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::unistd::{Uid, getresuid, setresuid};

/// Blocks signals, so that ^Z or ^C at a terminal can't pause a judgement. Some signals can't be blocked, and
/// the real user of a set-user-id program may send them (kill(2)). So root also becomes the real user of the program.
/// Dropping this value restores both.
#[derive(Debug)]
pub struct Undisturbed {
    signals: Option<SigSet>,
    real: Option<Uid>,
}

impl Undisturbed {
    /// Blocks signals and makes root the real user.
    #[must_use]
    pub fn begin() -> Self {
        let mut before = SigSet::empty();
        let result = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
        Self { signals: result.ok().map(|()| before), real: become_root() }
    }

    /// Whether the program runs for a user who is not root.
    #[must_use]
    pub const fn is_for_a_user(&self) -> bool {
        self.real.is_some()
    }
}

/// Makes root the real user. Returns the previous real user if it was another one. The effective user stays.
fn become_root() -> Option<Uid> {
    let ids = getresuid().ok().filter(|ids| ids.effective.is_root() && !ids.real.is_root())?;
    set_real(ids.effective).ok().map(|()| ids.real)
}

fn set_real(user: Uid) -> nix::Result<()> {
    /// For this value setresuid(2) leaves an id unchanged.
    const AS_IT_IS: Uid = Uid::from_raw(u32::MAX);
    setresuid(user, AS_IT_IS, AS_IT_IS)
}

impl Undisturbed {
    /// Restores the real user. On an error the outcome must not be reported, because the program would
    /// continue as another user.
    ///
    /// # Errors
    ///
    /// The error of setresuid(2), which fails for root only if the kernel has no memory.
    pub fn end(mut self) -> nix::Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> nix::Result<()> {
        if let Some(real) = self.real {
            set_real(real)?;
            self.real = None;
        }
        Ok(())
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        let _ = self.put_back();
        if let Some(before) = &self.signals {
            let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(before), None);
        }
    }
}
