//! Which file system a store lies on.

use std::path::Path;

use nix::sys::statfs::statfs;

/// What is wrong with the file system that holds `path`, or would hold it: a word for it, and what it means. `None`
/// for one that keeps what it was given, as far as can be told.
#[must_use]
pub fn unfit(path: &Path) -> Option<&'static str> {
    let there = path.ancestors().find_map(|path| statfs(path).ok())?;
    // The numbers are of 32 bits, whatever the width of the field is here.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, clippy::cast_possible_truncation)]
    let kind = there.filesystem_type().0 as u32;
    KINDS.iter().find(|(number, _)| *number == kind).map(|(_, word)| *word)
}

const FORGETS: &str = "a file system in memory, which forgets at reboot: every enrolment is gone then";

/// Numbers of statfs(2) and of the kernel's `magic.h`.
const KINDS: [(u32, &str); 11] = [
    (0x0102_1994, FORGETS), // tmpfs
    (0x8584_58f6, FORGETS), // ramfs
    (0x0000_6969, "NFS, a network file system: its locks and syncs do not hold what a login needs"),
    (0xff53_4d42, "CIFS, a network file system: its locks and syncs do not hold what a login needs"),
    (0xfe53_4d42, "SMB, a network file system: its locks and syncs do not hold what a login needs"),
    (0x0000_517b, "SMB, a network file system: its locks and syncs do not hold what a login needs"),
    (0x00c3_6400, "Ceph, a network file system: its locks and syncs do not hold what a login needs"),
    (0x0102_1997, "9P, a network file system: its locks and syncs do not hold what a login needs"),
    (0x5346_414f, "AFS, a network file system: its locks and syncs do not hold what a login needs"),
    (0x0bd0_0bd0, "Lustre, a network file system: its locks and syncs do not hold what a login needs"),
    (0x6573_5546, "FUSE: whether its locks and syncs hold is up to the program behind it, such as sshfs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_what_keeps() {
        assert_eq!(unfit(Path::new("/dev/shm/not-there/store")), Some(FORGETS));
        assert_eq!(unfit(Path::new("/proc")), None);
    }
}
