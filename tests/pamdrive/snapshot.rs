//! What a guest could leave behind in a process.

use std::fs;

use crate::report::Object;

/// Descriptors, memory, threads, signals, mask, folder and ids of this process.
#[derive(Debug)]
pub struct Snapshot {
    descriptors: Vec<String>,
    folder: String,
    status: Vec<(&'static str, String)>,
}

/// The lines of /proc/self/status that are looked at.
const STATUS: [&str; 11] =
    ["Umask", "Uid", "Gid", "Groups", "Threads", "SigBlk", "SigIgn", "SigCgt", "SigPnd", "CapEff", "VmRSS"];

impl Snapshot {
    pub fn take() -> Self {
        let text = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
        let line = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            found.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let folder = std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default();
        Self {
            descriptors: descriptors(),
            folder,
            status: STATUS.iter().map(|key| (*key, line(key))).collect(),
        }
    }

    pub fn to_json(&self) -> String {
        let mut object = Object::default();
        object.texts("fds", &self.descriptors).text("cwd", &self.folder);
        for (key, value) in &self.status {
            object.text(key, value);
        }
        object.finish()
    }
}

fn descriptors() -> Vec<String> {
    let mut folder = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let mut found: Vec<String> = folder
        .by_ref()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            Some(format!("{} {}", entry.file_name().display(), target.display()))
        })
        // The descriptor that lists them.
        .filter(|line| !line.contains("/proc/"))
        .collect();
    // std panics where close(2) is refused, as a filter of --deny-call may do, and the report is still to come.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(folder)));
    found.sort();
    found
}

/// Pages of this process in memory.
pub fn resident_pages() -> u64 {
    let sizes = fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    sizes.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a size")
}
