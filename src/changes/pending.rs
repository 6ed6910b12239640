//! A change that waits for its confirmation, written down with everything that it replaced.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::witness::Witness;
use super::{ChangeError, ChangesFolder, FileCopy, timer};
use crate::store::FileStore;
use crate::verifier::time::UnixTime;

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    version: u32,
    /// A name for the timer.
    pub id: String,
    /// What is changed, in words: `policy`, `enable sshd`.
    pub what: String,
    /// Who changed it.
    pub by: String,
    /// The services that were switched on; none for a policy.
    pub services: Vec<String>,
    /// Services of which one is enough.
    pub one_of: Vec<String>,
    /// Whether nobody has to pass a chain for the confirmation, since nobody is asked for one.
    pub asks_nobody: bool,
    /// Whose logins count.
    pub witnesses: Vec<Witness>,
    began: u64,
    until: u64,
    /// The boot that it was made in: a reboot undoes it at once.
    boot: String,
    /// Whether sshd has to read its settings again.
    pub reload_sshd: bool,
    /// The policy, where one is changed.
    pub policy: Option<PathBuf>,
    /// The files as they were.
    pub files: Vec<FileCopy>,
}

/// What is to be done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The file.
    pub path: PathBuf,
    /// What it will hold; `None` to remove it.
    pub bytes: Option<Vec<u8>>,
}

/// A program of the distribution that keeps stacks of its own.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its words.
    pub command: &'static [&'static str],
    /// The files that it may write.
    pub files: Vec<PathBuf>,
}

/// A change before it is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is changed, in words.
    pub what: String,
    /// Who changes it.
    pub by: String,
    /// The services that are switched on; a chain has to be passed through each.
    pub services: Vec<String>,
    /// Services of which one is enough.
    pub one_of: Vec<String>,
    /// Whether nobody is asked for a chain afterwards.
    pub asks_nobody: bool,
    /// Whose logins count.
    pub witnesses: Vec<Witness>,
    /// Whether sshd has to read its settings again.
    pub reload_sshd: bool,
    /// The policy, where one is changed.
    pub policy: Option<PathBuf>,
    /// What is done.
    pub writes: Vec<Write>,
    /// A program that does more, with the files that it writes.
    pub program: Option<Program>,
}

impl Program {
    fn run(&self) -> Result<(), ChangeError> {
        let shown = self.command.join(" ");
        let refused = |why: &str| ChangeError::Refused(format!("`{shown}`: {why}"));
        let [program, arguments @ ..] = self.command else { return Err(refused("there is no such program")) };
        let output = Command::new(program)
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output();
        let output = output.map_err(|error| refused(&error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(refused(said.lines().last().unwrap_or("it ended with an error")))
    }
}

impl Plan {
    /// Makes the change, to be rolled back `within` so many seconds. The caller holds the lock.
    ///
    /// The timer comes first, then the copies of the files, then the files: a kill at any step leaves the old files, or
    /// the new ones with a timer.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when another change waits, or the files can't be replaced; they are put back then.
    pub fn make(self, folder: &ChangesFolder, within: u64, now: UnixTime) -> Result<Pending, ChangeError> {
        if let Some(other) = Pending::waiting(folder)? {
            return Err(other.stands_in_the_way());
        }
        let files = self.copies()?;
        let id = format!("{}-{}", now.seconds(), std::process::id());
        timer::start(folder, &id, within)?;
        let pending = Pending {
            version: VERSION,
            id,
            what: self.what,
            by: self.by,
            services: self.services,
            one_of: self.one_of,
            asks_nobody: self.asks_nobody,
            witnesses: self.witnesses,
            began: now.seconds(),
            until: now.seconds().saturating_add(within),
            boot: boot_id(),
            reload_sshd: self.reload_sshd,
            policy: self.policy,
            files,
        };
        pending.write(folder)?;
        let program = self.program;
        let run = || program.map_or(Ok(()), |program| program.run());
        let made = pending.files.iter().try_for_each(FileCopy::change).and_then(|()| run());
        if let Err(error) = made {
            pending.put_back(folder)?;
            return Err(error);
        }
        Ok(pending)
    }

    /// Makes the change for good. The caller holds the lock. More than one file needs [`make`](Self::make).
    ///
    /// # Errors
    ///
    /// As [`make`](Self::make).
    pub fn make_for_good(&self, folder: &ChangesFolder) -> Result<(), ChangeError> {
        if let Some(other) = Pending::waiting(folder)? {
            return Err(other.stands_in_the_way());
        }
        for copy in self.copies()? {
            copy.change()?;
            copy.forget()?;
        }
        Ok(())
    }

    /// The files as they are, each with what is put there.
    fn copies(&self) -> Result<Vec<FileCopy>, ChangeError> {
        let copy = |write: &Write| Ok(FileCopy::of(&write.path)?.before(write.bytes.as_deref()));
        let mut copies = self.writes.iter().map(copy).collect::<Result<Vec<_>, ChangeError>>()?;
        for path in self.program.iter().flat_map(|program| &program.files) {
            copies.push(FileCopy::of(path)?.before_program());
        }
        Ok(copies)
    }
}

impl Pending {
    /// The change that waits, if one does.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the file can't be read, or another version wrote it.
    pub fn waiting(folder: &ChangesFolder) -> Result<Option<Self>, ChangeError> {
        let Some(bytes) = folder.read_file(FILE)? else { return Ok(None) };
        let found: Self =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(folder, &error.to_string()))?;
        if found.version != VERSION {
            return Err(unreadable(folder, "another version of this program wrote it"));
        }
        Ok(Some(found))
    }

    fn write(&self, folder: &ChangesFolder) -> Result<(), ChangeError> {
        let bytes = serde_json::to_vec(self).map_err(|error| unreadable(folder, &error.to_string()))?;
        folder.write(FILE, &bytes)
    }

    /// Whether it has to be undone: its time is over, or the host was booted since.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        now.seconds() >= self.until || self.boot != boot_id()
    }

    /// When it is undone.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        UnixTime::from_seconds(self.until)
    }

    /// Puts every file back, then forgets the change. A kill in between leaves the change, so that the next one puts
    /// them back once more. The caller holds the lock, and reloads sshd. What somebody else wrote meanwhile is
    /// kept in the folder of changes.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when a file can't be put back; the others are.
    pub fn put_back(&self, folder: &ChangesFolder) -> Result<(), ChangeError> {
        let mut failed = None;
        for (number, copy) in (1_usize..).zip(&self.files) {
            if let Some(foreign) = copy.foreign() {
                // Without room for it the old file is worth more.
                let _ = folder.write(&format!("replaced-{}-{number}", self.id), &foreign);
            }
            if let Err(error) = copy.restore() {
                failed = Some(error);
            }
        }
        match failed {
            Some(error) => Err(error),
            None => self.forget(folder),
        }
    }

    /// Makes it stay.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when that can't be written.
    pub fn forget(&self, folder: &ChangesFolder) -> Result<(), ChangeError> {
        // A kill in between leaves the change, which can still be undone by its copies.
        self.files.iter().try_for_each(FileCopy::forget)?;
        folder.remove(FILE)?;
        timer::stop(&self.id);
        Ok(())
    }

    /// Checks that somebody passed a chain since the change: through each service that was switched on, or anywhere for
    /// a policy.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Refused`] with what is missing.
    pub fn check_proven(&self, store: &FileStore) -> Result<(), ChangeError> {
        let began = UnixTime::from_seconds(self.began);
        let passed = |service: Option<&str>| {
            self.witnesses.iter().any(|witness| witness.has_passed(store, began, service))
        };
        let who: Vec<&str> = self.witnesses.iter().map(|witness| witness.user.as_str()).collect();
        let who = who.join(" or ");
        if self.asks_nobody {
            return Ok(());
        }
        if self.services.is_empty() {
            let by_one = |service: &String| passed(Some(service));
            if if self.one_of.is_empty() { passed(None) } else { self.one_of.iter().any(by_one) } {
                return Ok(());
            }
            return Err(ChangeError::Refused(format!(
                "{who} has not passed a chain since the change; log in on another terminal, then confirm. Without it \
                 everything is as before at {}",
                self.until()
            )));
        }
        let missing: Vec<&str> =
            self.services.iter().map(String::as_str).filter(|service| !passed(Some(service))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ChangeError::Refused(format!(
            "{who} has not passed a chain through {} since the change; do so on another terminal, then confirm. Without \
             it everything is as before at {}",
            missing.join(", "),
            self.until()
        )))
    }

    /// That a second change has to wait.
    #[must_use]
    pub fn stands_in_the_way(&self) -> ChangeError {
        ChangeError::Refused(format!(
            "{} was changed by {} and waits for its confirmation until {}; run `mfa-chain confirm` or `mfa-chain \
             rollback` first",
            self.what,
            self.by,
            self.until()
        ))
    }
}

/// Whether the change `id` is still to be confirmed.
#[must_use]
pub fn is_waiting(folder: &ChangesFolder, id: &str) -> bool {
    // A file that can't be read is no reason to give up.
    Pending::waiting(folder).map_or(true, |pending| pending.is_some_and(|pending| pending.id == id))
}

/// Whether a change is written down: a look that costs nothing where none is.
#[must_use]
pub fn is_there(folder: &ChangesFolder) -> bool {
    folder.path_of(FILE).exists()
}

fn unreadable(folder: &ChangesFolder, why: &str) -> ChangeError {
    ChangeError::Files(crate::store::StoreError::invalid(&folder.path_of(FILE), why))
}

/// The kernel's number for this boot; empty where it gives none.
fn boot_id() -> String {
    std::fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

const FILE: &str = "pending.json";
const VERSION: u32 = 1;
