//! The files of the project: what git tracks, so that nothing else that lies about changes what a test says. An
//! unpacked archive has no git, and nothing but the project's files.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every file below `folder` of the project, in the order of names.
pub fn files_below(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = tracked(root, folder).unwrap_or_else(|| walk(&root.join(folder)));
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// `None` where git does not answer, or for another tree than this one.
fn tracked(root: &Path, folder: &str) -> Option<Vec<PathBuf>> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let top = PathBuf::from(String::from_utf8(top).ok()?.trim_end());
    (top.canonicalize().ok()? == root.canonicalize().ok()?).then_some(())?;
    let listed = git(&["ls-files", "-z", "--", folder])?;
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| root.join(std::ffi::OsString::from_vec(name.to_vec()))).collect())
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let made = name == "target" || name == "build" || name.as_encoded_bytes().starts_with(b".");
        if path.is_dir() && !made {
            found.extend(walk(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}
