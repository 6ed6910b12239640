//! Linker settings of the module; they touch the `cdylib` alone.

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
    // An unresolved symbol must fail here, not as "adding faulty module" at somebody's login. The targets of fuzz/
    // bring those of the sanitizers themselves, and leave the module that cargo builds beside them alone.
    if std::env::var_os("CARGO_CFG_FUZZING").is_none() {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    }
    // benches/pamtimer: its clock must be the one that modules find.
    for function in ["time", "clock_gettime", "gettimeofday"] {
        println!("cargo:rustc-link-arg-examples=-Wl,--export-dynamic-symbol={function}");
    }
}
