//! Linker settings of the module; they touch the `cdylib` alone.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for setting in [
        // A thread of the host may outlive pam_end(3), which unloads modules, and still run a
        // destructor that lives in this object (rust-lang/rust#59629).
        "-Wl,-z,nodelete",
        "-Wl,-z,relro,-z,now",
        "-Wl,-z,noexecstack",
        "-Wl,-soname,pam_mfa_chain.so",
    ] {
        println!("cargo:rustc-cdylib-link-arg={setting}");
    }
    link_the_unwinder_in();
    // An unresolved symbol must fail here, not as "adding faulty module" at somebody's login. The targets of fuzz/
    // bring those of the sanitizers themselves, and leave the module that cargo builds beside them alone.
    if std::env::var_os("CARGO_CFG_FUZZING").is_none() {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    }
}

/// Links the static unwinder of the compiler in. `libgcc_s.so`, which no other part of a login needs, costs more to load than
/// the module. A linker script of its name leads to the static library. That one finds the frames of all objects through
/// `dl_iterate_phdr(3)` or `_dl_find_object(3)`, so a `libgcc_s` that the host has loaded does not disturb it.
fn link_the_unwinder_in() {
    let is_gnu = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    let Some(folder) = std::env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    let script = folder.join("libgcc_s.so");
    // Left by an earlier build with another linker.
    let _ = std::fs::remove_file(&script);
    if is_gnu && has_static_unwinder() && std::fs::write(&script, "INPUT(-lgcc_eh)\n").is_ok() {
        println!("cargo:rustc-cdylib-link-arg=-L{}", folder.display());
    }
}

/// Whether the linker's compiler knows where `libgcc_eh.a` is: it answers with a path, and with the bare name if not.
fn has_static_unwinder() -> bool {
    let linker = std::env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let answer = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    answer.is_ok_and(|answer| answer.status.success() && answer.stdout.contains(&b'/'))
}
