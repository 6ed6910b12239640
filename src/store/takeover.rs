//! Takes a login state over from a login that holds the lock for too long, for example because it is frozen.
//! The new login fences the holder off instead of waiting for it.
//!
//! 1. The taker makes a new file. It holds no state, only the number of the file that will hold the state after the
//!    exchange: the displaced file.
//! 2. The taker exchanges the names of the new and the current file in one step (renameat2) and syncs the folder. The
//!    file that was current is now the displaced file.
//! 3. The taker reads the displaced file, judges, and writes the first whole state into the new file.
//! 4. The taker removes the displaced file.
//!
//! The holder of the displaced file syncs its write and then checks whether the file still has its name. If the file
//! has its name, the write came before the exchange, and step 3 reads it. Otherwise the holder reports no outcome. If
//! the taker dies or freezes before step 3 is done, the next login finds the new file without a state and reads the
//! displaced file, which stays until a later state is durable.

use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::error::{Problem, StoreError};
use super::owner::{DECOYS, Owner, STATE};
use super::slot::{SLOT_BYTES, encode_unsettled};
use super::state_file::{Locked, STATE_BYTES, StateFile};
use super::trusted::{Readers, TrustedDir, TrustedFile};
use super::undisturbed::Undisturbed;
use crate::verifier::username::Username;

const NUMBER_DIGITS: usize = 16;

/// The name of the displaced file `number` of a user. No user's file name begins with a dot, so the names
/// never collide.
#[must_use]
pub fn displaced_name(owner: &Owner, number: u64) -> String {
    format!("{STATE}/{}{number:0NUMBER_DIGITS$x}", displaced_prefix(owner))
}

fn displaced_prefix(owner: &Owner) -> String {
    format!(".{}.displaced-", owner.0.to_file_name())
}

/// Puts a new file in place of `held_up`, whose lock another login holds for too long, and returns the new
/// file locked. `None` if another login took over first.
///
/// # Errors
///
/// [`Problem::Busy`] where the file system can't exchange two names; any other [`StoreError`] of the files.
pub fn take_over(
    dir: &TrustedDir,
    held_up: &StateFile,
    undisturbed: Undisturbed,
) -> Result<Option<Locked>, StoreError> {
    let owner = held_up.owner();
    sweep(dir, owner);
    let key = held_up.read_newest(dir)?.state.draw_key;
    let number = random_number(dir)?;
    let unsettled = encode_unsettled(owner, &key, number);
    let unsettled = unsettled.ok_or_else(|| StoreError::invalid(held_up.path(), "outgrew its slot"))?;
    let name = displaced_name(owner, number);
    let file = make(dir, &name, &unsettled)?;
    match exchange(dir, held_up, &name) {
        // After the exchange `name` is the displaced file, which must stay until a whole state is durable. So this
        // arm does not remove `name` on an error. The two arms below remove it.
        Ok(true) => dir.sync_folder(STATE)?,
        Ok(false) => return dir.remove(&name).map(|()| None),
        Err(error) => return dir.remove(&name).and(Err(error)),
    }
    let state_file = StateFile::of(file.renamed(dir, &owner.file_name()), owner.clone());
    Ok(Some(state_file.locked(undisturbed)))
}

/// Does the same work as [`take_over`] without a state, so that logins of names without an enrollment take as
/// long.
///
/// # Errors
///
/// [`StoreError`] of the files.
pub fn take_over_nothing(dir: &TrustedDir) -> Result<(), StoreError> {
    let number = random_number(dir)?;
    sweep(dir, &Owner(Username::nobody()));
    let (name, renamed) = (format!("{DECOYS}/.{number:016x}"), format!("{DECOYS}/.{number:016x}.displaced"));
    let file = make(dir, &name, &[0; SLOT_BYTES])?;
    nix::fcntl::renameat(dir, name.as_str(), dir, renamed.as_str())
        .map_err(|error| StoreError::io(&file.path, "rename", error))?;
    dir.sync_folder(DECOYS)?;
    dir.open_file(&renamed, OFlag::O_RDONLY, Readers::Owner)?.read_whole(STATE_BYTES)?;
    dir.remove(&renamed)
}

/// Removes displaced files that fenced-off or killed takers left behind. It removes a file only if no login has
/// locked it and the current file has a whole state. Otherwise the file may be the only record of used codes.
pub fn sweep(dir: &TrustedDir, owner: &Owner) {
    let prefix = displaced_prefix(owner);
    let Ok(entries) = std::fs::read_dir(dir.path_of(STATE)) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        if name.strip_prefix(&prefix).is_none_or(|number| number.len() != NUMBER_DIGITS) {
            continue;
        }
        let name = format!("{STATE}/{name}");
        let Ok(displaced) = dir.open_file(&name, OFlag::O_RDWR, Readers::Owner) else { continue };
        let is_held = displaced.file.try_lock().is_err();
        if !is_held && StateFile::open(dir, owner.clone()).is_ok_and(|state| state.is_settled()) {
            let _ = dir.remove(&name);
        }
    }
}

/// Makes a new locked file in its final size, so that a full disk can't stop the judgement later.
fn make(dir: &TrustedDir, name: &str, slot: &[u8; SLOT_BYTES]) -> Result<TrustedFile, StoreError> {
    let mut bytes = [0; STATE_BYTES];
    if let Some(first) = bytes.first_chunk_mut() {
        *first = *slot;
    }
    dir.create_file(name, |file| {
        file.try_lock()?;
        file.write_all_at(&bytes, 0).and_then(|()| file.sync_all())
    })
}

/// Exchanges the names of `held_up` and the file at `name`. `false` if `held_up` had lost its name before.
/// After an error both files have their old names.
fn exchange(dir: &TrustedDir, held_up: &StateFile, name: &str) -> Result<bool, StoreError> {
    if !held_up.has_its_name(dir)? {
        return Ok(false);
    }
    exchange_names(dir, name, &held_up.owner().file_name()).map_err(|error| match error {
        Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP => StoreError::new(held_up.path(), Problem::Busy),
        error => StoreError::io(held_up.path(), "exchange", error),
    })?;
    Ok(true)
}

#[cfg(target_env = "gnu")]
fn exchange_names(dir: &TrustedDir, one: &str, other: &str) -> nix::Result<()> {
    nix::fcntl::renameat2(dir, one, dir, other, nix::fcntl::RenameFlags::RENAME_EXCHANGE)
}

/// nix has the call only for glibc. With another libc a login waits and is then denied, as on a file system that can't
/// exchange names.
#[cfg(not(target_env = "gnu"))]
fn exchange_names(_: &TrustedDir, _: &str, _: &str) -> nix::Result<()> {
    Err(Errno::ENOSYS)
}

fn random_number(dir: &TrustedDir) -> Result<u64, StoreError> {
    getrandom::u64().map_err(|_| StoreError::invalid(dir.path(), "the kernel gave no random bytes"))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::store::error::StoreError;
    use crate::store::file_store::FileStore;
    use crate::verifier::enrollment::UserRecord;

    struct Scene {
        folder: TempDir,
        dir: TrustedDir,
    }

    impl Scene {
        fn new() -> Self {
            let folder = TempDir::new().expect("a folder");
            std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("chmod");
            let store = FileStore::open_or_create(folder.path()).expect("a store");
            let enrolled = store.change_record::<StoreError>(&alice().0, |_| Ok(UserRecord::default()));
            enrolled.expect("enrolled");
            let dir = TrustedDir::open(folder.path()).expect("a folder");
            Self { folder, dir }
        }

        fn open(&self) -> StateFile {
            StateFile::open(&self.dir, alice()).expect("the state")
        }

        fn draw(&self) -> u64 {
            self.open().read_newest(&self.dir).expect("a state").state.failures.strangers.draw
        }

        /// Takes the state over and dies at once.
        fn die_as_taker(&self) {
            let taken = take_over(&self.dir, &self.open(), Undisturbed::begin());
            assert!(taken.expect("taken over").is_some());
        }

        fn judge(&self, draw: u64) {
            let locked = self.open().lock(&self.dir).expect("a lock").expect("current");
            let mut newest = locked.read_newest(&self.dir).expect("a state");
            newest.state.failures.strangers.draw = draw;
            locked.commit(&self.dir, &newest).expect("written");
        }

        fn files(&self) -> usize {
            std::fs::read_dir(self.folder.path().join(STATE)).expect("the folder").count()
        }
    }

    fn alice() -> Owner {
        Owner(Username::parse("alice").expect("a name"))
    }

    #[test]
    fn a_taker_that_dies_before_its_judgement_loses_nothing() {
        let scene = Scene::new();
        scene.judge(5);
        for takers in 1..=3 {
            scene.die_as_taker();
            assert_eq!((scene.draw(), scene.files()), (5, 1 + takers));
            assert!(!scene.open().is_settled());
        }
        scene.judge(6);
        assert_eq!((scene.draw(), scene.files()), (6, 1));
        scene.judge(7);
        assert_eq!(scene.draw(), 7);
    }

    #[test]
    fn the_only_file_that_knows_used_codes_is_never_swept() {
        let scene = Scene::new();
        scene.judge(5);
        scene.die_as_taker();
        sweep(&scene.dir, &alice());
        assert_eq!((scene.draw(), scene.files()), (5, 2));
    }

    #[test]
    fn a_file_that_lost_its_name_is_not_taken_over() {
        let scene = Scene::new();
        let before = scene.open();
        scene.die_as_taker();
        scene.judge(5);
        assert!(take_over(&scene.dir, &before, Undisturbed::begin()).expect("looked at").is_none());
        assert_eq!((scene.draw(), scene.files()), (5, 1));
    }

    #[test]
    fn a_lost_displaced_file_denies() {
        let scene = Scene::new();
        scene.die_as_taker();
        let folder = scene.folder.path().join(STATE);
        for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
            if entry.file_name().to_string_lossy().starts_with('.') {
                std::fs::remove_file(entry.path()).expect("removed");
            }
        }
        let refused = scene.open().read_newest(&scene.dir).expect_err("nothing to judge by").to_string();
        assert!(refused.contains("damaged") && refused.contains("--reset-state alice"), "{refused}");
    }
}
