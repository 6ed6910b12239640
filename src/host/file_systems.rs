//! Which file system a store lies on.

use std::path::{Path, PathBuf};

use nix::sys::statfs::statfs;

/// What is wrong with the file system that holds `path`, or would hold it: a word for it, and what it means. `None`
/// for one that keeps what it was given, as far as can be told.
#[must_use]
pub fn unfit(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    unfit_among(path, &mounts, MAX_LAYERS)
}

fn unfit_among(path: &Path, mounts: &str, layers: usize) -> Option<String> {
    let path = path.ancestors().find(|path| path.exists())?.canonicalize().ok()?;
    let mount = Mount::of(&path, mounts);
    // What an overlay is given lies in its upper folder.
    if let Some(upper) = mount.as_ref().and_then(Mount::upper_folder).filter(|_| layers > 0) {
        let below = unfit_among(&upper, mounts, layers.saturating_sub(1));
        return below.map(|kind| format!("an overlay whose changes lie on {kind}"));
    }
    // A program's own name says more than the number that all of them share.
    if let Some(program) = mount.as_ref().and_then(|mount| mount.kind.strip_prefix("fuse.")) {
        let network = NETWORK_PROGRAMS.contains(&program);
        return Some(if network {
            format!("{program}, {NETWORK}")
        } else {
            format!("fuse.{program}: {PROGRAM}")
        });
    }
    // The numbers are of 32 bits, whatever the width of the field is here.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, clippy::cast_possible_truncation)]
    let kind = statfs(&path).ok()?.filesystem_type().0 as u32;
    KINDS.iter().find(|(number, _)| *number == kind).map(|(_, word)| (*word).to_owned())
}

/// A line of `/proc/self/mountinfo` (proc(5)).
struct Mount {
    point: PathBuf,
    kind: String,
    options: String,
}

impl Mount {
    /// The mount that `path` lies in: the deepest, and of those the newest.
    fn of(path: &Path, mounts: &str) -> Option<Self> {
        let holding = mounts.lines().filter_map(Self::parse).filter(|mount| path.starts_with(&mount.point));
        holding.max_by_key(|mount| mount.point.components().count())
    }

    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let point = unescaped(place.split(' ').nth(4)?);
        let mut kind = kind.split(' ');
        let (kind, options) = (kind.next()?.to_owned(), kind.nth(1)?.to_owned());
        Some(Self { point: PathBuf::from(point), kind, options })
    }

    fn upper_folder(&self) -> Option<PathBuf> {
        let upper = self.options.split(',').find_map(|option| option.strip_prefix("upperdir="))?;
        (self.kind == "overlay").then(|| PathBuf::from(unescaped(upper)))
    }
}

/// The kernel writes blanks and their like as three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, letter)| text.replace(escape, letter))
}

/// Overlays may lie on overlays; this ends a walk that something odd would make endless.
const MAX_LAYERS: usize = 4;
/// Programs behind FUSE that reach over a network.
const NETWORK_PROGRAMS: [&str; 9] =
    ["sshfs", "glusterfs", "ceph", "ceph-fuse", "s3fs", "rclone", "davfs", "curlftpfs", "gcsfuse"];
const NETWORK: &str = "a network file system: its locks and syncs do not hold what a login needs";
const PROGRAM: &str = "whether its locks and syncs hold is up to that program";

const FORGETS: &str = "a file system in memory, which forgets at reboot: every enrollment is gone then";

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
        assert_eq!(unfit(Path::new("/dev/shm/not-there/store")).as_deref(), Some(FORGETS));
        assert_eq!(unfit(Path::new("/proc")), None);
    }

    #[test]
    fn an_overlay_is_judged_by_where_its_changes_go_and_fuse_by_its_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().canonicalize().expect("a path");
        let line = |rest: &str| {
            format!("1 0 0:1 / / rw - ext4 /dev/sda rw\n9 1 0:9 / {} rw - {rest}\n", at.display())
        };
        for (mount, expected) in [
            (
                "overlay overlay rw,lowerdir=/,upperdir=/dev/shm,workdir=/x",
                "an overlay whose changes lie on a file system in memory",
            ),
            ("fuse.sshfs alice@host:/ rw,user_id=0", "sshfs, a network file system"),
            ("fuse.glusterfs host:/v rw", "glusterfs, a network file system"),
            ("fuse.mergerfs /a:/b rw", "fuse.mergerfs: whether"),
        ] {
            let told = unfit_among(&at.join("store"), &line(mount), MAX_LAYERS).unwrap_or_default();
            assert!(told.starts_with(expected), "{mount}: {told}");
        }
        let kept = line("overlay overlay rw,lowerdir=/,upperdir=/proc,workdir=/x");
        assert_eq!(unfit_among(&at, &kept, MAX_LAYERS), None);
    }

    #[test]
    fn a_mount_with_a_blank_in_its_name_is_found() {
        let mounts =
            "1 0 0:1 / / rw - ext4 /dev/sda rw\n9 1 0:9 / /mnt/a\\040b rw shared:1 - nfs4 host:/ rw\n";
        let mount = Mount::of(Path::new("/mnt/a b/store"), mounts).expect("a mount");
        assert_eq!((mount.kind.as_str(), mount.point.as_path()), ("nfs4", Path::new("/mnt/a b")));
    }
}
