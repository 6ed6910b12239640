//! The module as a file: what it exports, needs and promises to the linker.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

mod stage;

use std::path::Path;
use std::process::Command;

use stage::build;

#[test]
fn the_exported_symbols_are_the_six_hooks_alone() {
    let listing = output_of("nm", &["--dynamic", "--defined-only"], &build::module());
    let mut exported: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
    exported.sort_unstable();
    let hooks = [
        "pam_sm_acct_mgmt",
        "pam_sm_authenticate",
        "pam_sm_chauthtok",
        "pam_sm_close_session",
        "pam_sm_open_session",
        "pam_sm_setcred",
    ];
    assert_eq!(exported, hooks);
}

#[test]
fn it_needs_libpam_and_the_c_library_alone() {
    let dynamic = output_of("readelf", &["--dynamic", "--wide"], &build::module());
    let mut needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.split_once(".so"))
        .map(|(name, _)| name)
        .collect();
    needed.sort_unstable();
    // The loader names itself where thread-local storage is used.
    needed.retain(|name| !name.starts_with("ld-linux"));
    assert_eq!(needed, ["libc", "libgcc_s", "libpam"]);
}

#[test]
fn it_is_bound_at_load_stays_loaded_and_is_named() {
    let dynamic = output_of("readelf", &["--dynamic", "--wide"], &build::module());
    let flags = |tag: &str| dynamic.lines().find(|line| line.contains(tag)).unwrap_or_default().to_owned();
    assert!(flags("(FLAGS)").contains("BIND_NOW"), "{dynamic}");
    assert!(flags("(FLAGS_1)").contains("NOW") && flags("(FLAGS_1)").contains("NODELETE"), "{dynamic}");
    assert!(flags("(SONAME)").contains("[pam_mfa_chain.so]"), "{dynamic}");
    assert!(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
}

#[test]
fn its_stack_cannot_be_executed_and_its_tables_become_read_only() {
    let headers = output_of("readelf", &["--program-headers", "--wide"], &build::module());
    let stack = headers.lines().find(|line| line.contains("GNU_STACK")).expect("a GNU_STACK header");
    assert!(stack.contains(" RW ") && !stack.contains("RWE"), "{stack}");
    assert!(headers.contains("GNU_RELRO"), "{headers}");
    assert!(!headers.lines().any(|line| line.contains("LOAD") && line.contains("RWE")), "{headers}");
}

#[test]
fn no_crate_of_the_command_reaches_the_module() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--no-default-features", "--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains(&"pam-bindings"), "{tree}");
    for foreign in
        ["clap", "png", "qrcode", "rpassword", "serde_json", "url", "idna", "image", "tempfile", "proptest"]
    {
        assert!(!crates.contains(&foreign), "{foreign} is in the module:\n{tree}");
    }
}

fn output_of(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{program} (binutils): {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
