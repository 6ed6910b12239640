//! Builds of the module and of the programs that play it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The module as it is, built without the command's crates, and without optimisation.
pub fn module() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_module(Path::new(env!("CARGO_MANIFEST_DIR")), "none")).clone()
}

/// The module with a fault in it, to show that a test can fail: `tests/faults/variants/FAULT.patch`, applied to a copy
/// of the source. One that does not apply any more ends the test.
pub fn variant(fault: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    built.entry(fault.to_owned()).or_insert_with(|| build_variant(fault)).clone()
}

/// The program that plays PAM applications.
pub fn pamdrive() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_program(&["-p", "pamdrive"]).join("pamdrive"))
}

/// The command.
pub fn command() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_program(&["--bin", "mfa-chain"]).join("mfa-chain"))
}

/// Under `cargo test` it is there already; under `cargo test --test NAME` it is not, or is old.
fn build_program(which: &[&str]) -> PathBuf {
    let profile = profile_folder();
    let mut cargo = cargo(&["build"]);
    cargo.args(which);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(profile.parent().expect("a target folder"));
    run(&mut cargo);
    profile
}

fn build_variant(fault: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patch = root.join(format!("tests/faults/variants/{fault}.patch"));
    let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for file in ["Cargo.toml", "Cargo.lock", "build.rs"] {
        fs::copy(root.join(file), copy.path().join(file)).expect("a file");
    }
    for folder in ["src", "tests/pamdrive", "benches"] {
        for file in crate::tracked::files_below(folder) {
            let place = copy.path().join(file.strip_prefix(root).expect("below the root"));
            fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            fs::copy(&file, &place).expect("a file");
        }
    }
    run(Command::new("patch")
        .args(["--strip=1", "--fuzz=0", "--quiet", "--input"])
        .arg(&patch)
        .current_dir(copy.path()));
    build_module(copy.path(), fault)
}

fn build_module(root: &Path, name: &str) -> PathBuf {
    // One folder for all faults: the crates below are the same, and are built once. Another one for the module as it
    // is, for cargo names the files of both alike, and would take one for the other.
    let of_faults = root != Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(if of_faults { "faults" } else { "module" });
    fs::create_dir_all(&folder).expect("a folder");
    // Other test programs build there too.
    let alone = File::create(folder.join("lock")).expect("a lock");
    alone.lock().expect("a lock");
    let mut cargo =
        cargo(&["rustc", "--lib", "--no-default-features", "--features", "pam", "--crate-type", "cdylib"]);
    run(cargo.current_dir(root).arg("--target-dir").arg(&folder));
    let module = folder.join(format!("pam_mfa_chain-{name}.so"));
    // Renamed into place: a process that has the old one mapped keeps it.
    let fresh = module.with_extension("new");
    fs::copy(folder.join("debug/libmfa_chain.so"), &fresh).expect("the module");
    fs::rename(&fresh, &module).expect("the module");
    module
}

fn cargo(words: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(words).arg("--locked").current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo
}

fn run(cargo: &mut Command) {
    let output = cargo.output().unwrap_or_else(|error| panic!("{cargo:?}: {error}"));
    assert!(output.status.success(), "{cargo:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// `target/debug` or its like: this test lies in `deps` below it.
fn profile_folder() -> PathBuf {
    let here = std::env::current_exe().expect("this program");
    let folder = here.parent().expect("deps or examples");
    folder.parent().expect("a profile").to_owned()
}
