//! Builds of the module and of the programs that play it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The module as it is, built without the command's crates, and without optimisation.
pub fn module() -> PathBuf {
    variant("none")
}

/// The module with a fault built in by `cfg(mfa_fault = "...")`, to show that a test can fail.
pub fn variant(fault: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    built.entry(fault.to_owned()).or_insert_with(|| build_variant(fault)).clone()
}

/// The program that plays PAM applications.
pub fn pamdrive() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_program(&["--example", "pamdrive"]).join("examples/pamdrive"))
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
    // One folder for all: the crates below are the same, and are built once.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("module");
    fs::create_dir_all(&folder).expect("a folder");
    // Other test programs build there too.
    let alone = File::create(folder.join("lock")).expect("a lock");
    alone.lock().expect("a lock");
    let mut cargo = cargo(&["rustc", "--lib", "--no-default-features", "--crate-type", "cdylib"]);
    cargo.arg("--target-dir").arg(&folder).arg("--").arg("--cfg").arg(format!("mfa_fault=\"{fault}\""));
    run(&mut cargo);
    let module = folder.join(format!("pam_mfa_chain-{fault}.so"));
    // Renamed into place: a process that has the old one mapped keeps it.
    let fresh = module.with_extension("new");
    fs::copy(folder.join("debug/libpam_mfa_chain.so"), &fresh).expect("the module");
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
