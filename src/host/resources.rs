//! What a login needs of the machine beside files of its own: room, a log, a clock.

use std::path::Path;
use std::process::Command;

use nix::sys::statvfs::statvfs;

use super::file_systems;
use super::finding::Finding;

/// A judgement writes in place, so a full disk stops enrollments first; with this much left there is time to act.
const LEAST_BYTES: u64 = 8 * 1024 * 1024;
const LEAST_FILES: u64 = 200;

/// What the file system of the store at `path` lacks.
#[must_use]
pub fn on_store(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    let mut findings = Vec::new();
    if let Some(kind) = file_systems::unfit(path) {
        let what = format!("the store lies on {kind}");
        let cure = "move it to a disk of this machine, and name the place with `store=` in the stacks";
        findings.push(Finding::warning("store-file-system", what, cure).at(shown));
    }
    let place = path.ancestors().find(|place| place.exists()).unwrap_or(path);
    if let Ok(room) = statvfs(place) {
        // Of 32 bits on some machines.
        #[allow(clippy::useless_conversion)]
        let (bytes, files) = (
            u64::from(room.blocks_available()).saturating_mul(u64::from(room.fragment_size())),
            (room.files() > 0).then(|| u64::from(room.files_available())),
        );
        findings.extend(on_room(bytes, files, place));
    }
    findings
}

/// A file system that counts no files has room for as many as it has bytes.
fn on_room(bytes: u64, files: Option<u64>, place: &Path) -> Option<Finding> {
    let what = if bytes < LEAST_BYTES {
        format!("{bytes} bytes are left on the file system of the store")
    } else {
        let left = files.filter(|left| *left < LEAST_FILES)?;
        format!("{left} files more fit on the file system of the store")
    };
    let shown = place.display();
    Some(
        Finding::error("store-full", what, format!("make room there: `df -h {shown}; df -i {shown}`"))
            .at(shown),
    )
}

/// Whether the log can be written to at `socket`.
#[must_use]
pub fn on_log(socket: &Path) -> Option<Finding> {
    (!socket.exists()).then(|| {
        let what = "there is no log daemon, so nothing tells why a login was denied but `mfa-chain why`";
        Finding::warning("log-missing", what, "start one: systemd-journald, rsyslog").at(socket.display())
    })
}

/// Whether the clock is kept by a time server, as systemd tells; `None` where it says nothing.
#[must_use]
pub fn on_clock() -> Option<Finding> {
    let told =
        Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output().ok()?;
    let is_off = told.status.success() && told.stdout.starts_with(b"no");
    is_off.then(|| {
        let what =
            "no time server keeps the clock, and codes of the time are refused where it is a minute off";
        Finding::warning("clock-unsynchronised", what, "run `timedatectl set-ntp true`, or start chrony")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_told_before_there_is_none() {
        let place = Path::new("/x");
        let id = |bytes, files| on_room(bytes, files, place).map(|finding| finding.id);
        assert_eq!(id(LEAST_BYTES, Some(LEAST_FILES)), None);
        assert_eq!(id(LEAST_BYTES - 1, Some(LEAST_FILES)), Some("store-full"));
        assert_eq!(id(LEAST_BYTES, Some(LEAST_FILES - 1)), Some("store-full"));
        assert_eq!(id(LEAST_BYTES, None), None);
    }

    #[test]
    fn a_log_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("log");
        assert_eq!(on_log(&socket).map(|finding| finding.id), Some("log-missing"));
        std::fs::write(&socket, "").expect("a log");
        assert_eq!(on_log(&socket), None);
    }
}
