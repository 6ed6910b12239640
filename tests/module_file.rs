//! The module as a file: what it exports, needs and promises to the linker.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

mod pam_sandbox;
mod tracked;

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::ptr;

use pam_sandbox::{PamSandbox, build};

#[test]
fn the_exported_symbols_are_the_six_hooks_alone() {
    let listing = output_of("nm", &["--dynamic", "--defined-only"], &build::module());
    let mut exported: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
    exported.sort_unstable();
    assert_eq!(exported, HOOKS);
}

const HOOKS: [&str; 6] = [
    "pam_sm_acct_mgmt",
    "pam_sm_authenticate",
    "pam_sm_chauthtok",
    "pam_sm_close_session",
    "pam_sm_open_session",
    "pam_sm_setcred",
];

/// libpam calls no hook so; a host of another make might.
#[test]
fn every_hook_ends_in_an_abort_at_null_pointers_and_wrong_counts() {
    const ABORT: c_int = 26;
    let sandbox = PamSandbox::new();
    let module = open(&build::module());
    let handle = started_handle(module, &sandbox.services());
    let holes: [*const c_char; 2] = [c"debug".as_ptr(), ptr::null()];
    let calls = [
        ("no handle", ptr::null_mut(), 0, ptr::null()),
        ("a negative count", handle, -1, holes.as_ptr()),
        ("no arguments where two are counted", handle, 2, ptr::null()),
        ("a null among the arguments", handle, 2, holes.as_ptr()),
    ];
    for name in HOOKS {
        // SAFETY: each hook has this signature (pam_sm_authenticate(3) and its neighbours).
        let hook = unsafe { std::mem::transmute::<*mut c_void, Hook>(symbol(module, name)) };
        for (case, handle, count, arguments) in calls {
            // SAFETY: the handle is null or one of libpam; what else is wrong is what the hook has to bear.
            assert_eq!(unsafe { hook(handle, 0, count, arguments) }, ABORT, "{name}: {case}");
        }
    }
}

type Hook = unsafe extern "C" fn(*mut c_void, c_int, c_int, *const *const c_char) -> c_int;
type Start = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_void,
    *const c_char,
    *mut *mut c_void,
) -> c_int;

fn open(module: &Path) -> *mut c_void {
    let path = CString::new(module.as_os_str().as_bytes()).expect("a path");
    // SAFETY: a NUL-terminated path; the module stays loaded.
    let opened = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!opened.is_null(), "{}", module.display());
    opened
}

fn symbol(module: *mut c_void, name: &str) -> *mut c_void {
    let text = CString::new(name).expect("a name");
    // SAFETY: what dlopen(3) gave, and a NUL-terminated name.
    let found = unsafe { libc::dlsym(module, text.as_ptr()) };
    assert!(!found.is_null(), "{name}");
    found
}

/// A handle of the libpam that the module brought along. It is left to the end of the process.
fn started_handle(module: *mut c_void, services: &Path) -> *mut c_void {
    // SAFETY: the signature in security/pam_appl.h.
    let start = unsafe { std::mem::transmute::<*mut c_void, Start>(symbol(module, "pam_start_confdir")) };
    let folder = CString::new(services.as_os_str().as_bytes()).expect("a path");
    let (conversation, mut handle) = ([ptr::null_mut::<c_void>(); 2], ptr::null_mut());
    let (service, user) = (c"other".as_ptr(), c"alice".as_ptr());
    // SAFETY: NUL-terminated texts, and a struct pam_conv of two pointers, which libpam copies.
    let code =
        unsafe { start(service, user, conversation.as_ptr().cast(), folder.as_ptr(), &raw mut handle) };
    assert!(code == 0 && !handle.is_null(), "{code}");
    handle
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
    assert_eq!(needed, ["libc", "libpam"], "the unwinder is linked in");
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
    let crates = crates_with("pam");
    assert!(crates.iter().any(|name| name == "pam-bindings"), "{crates:?}");
    for foreign in ["clap", "png", "qrcode", "rpassword", "serde_json", "image", "tempfile", "proptest"] {
        assert!(!crates.iter().any(|name| name == foreign), "{foreign} is in the module: {crates:?}");
    }
}

#[test]
fn the_library_alone_needs_no_libpam() {
    let crates = crates_with("");
    assert!(crates.iter().any(|name| name == "totp-rs"), "{crates:?}");
    for foreign in ["pam-bindings", "syslog", "clap"] {
        assert!(!crates.iter().any(|name| name == foreign), "{foreign} is in the library: {crates:?}");
    }
}

/// The crates that are built for the library with `features` and no default ones.
fn crates_with(features: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--no-default-features", "--features", features, "--edges", "normal"])
        .args(["--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn output_of(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{program} (binutils): {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
