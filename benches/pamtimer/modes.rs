//! One after another, side by side, and loading alone.

use std::ffi::CString;
use std::fs::File;
use std::io::{PipeWriter, Read, Write, pipe};
use std::time::{Duration, Instant};

use crate::clock;
use crate::floor::Floor;
use crate::libpam::{Manner, Timing, transaction};
use crate::stacks::Stack;

/// How long all processes get to stand at the start.
const TIME_TO_GATHER: Duration = Duration::from_millis(200);

/// `COUNT` transactions of each stack, in turn. With `fork` each in a process of its own, as sshd does it, so
/// that modules are loaded each time.
pub fn transactions(count: u32, folder: &str, flags: &[&str]) {
    let has = |flag| flags.contains(&flag);
    let manner = Manner { delays: !has("no-delay"), marks: has("mark"), remote: has("remote") };
    clock::start(folder);
    let services = CString::new(folder).expect("no NUL");
    let mut stacks = Stack::read_all();
    print_status("before");
    let mut lines = Vec::new();
    let mut floor = flags.iter().find_map(|flag| flag.strip_prefix("floor=")).map(Floor::open);
    for _ in 0..count {
        if let Some(floor) = &mut floor {
            let nanoseconds = floor.nanoseconds();
            lines.push(format!("floor 0 {nanoseconds} {nanoseconds}"));
        }
        for stack in &mut stacks {
            clock::advance(1);
            let claimant = stack.next_claimant();
            let service = CString::new(stack.service.as_str()).expect("no NUL");
            let run = || transaction(&services, &service, &claimant, manner);
            let Timing { code, authenticate_ns, whole_ns } =
                if has("fork") { in_a_child(run) } else { run() };
            if !has("quiet") {
                lines.push(format!("{} {code} {authenticate_ns} {whole_ns}", stack.name));
            }
        }
    }
    print_status("after");
    clock::keep(folder);
    println!("{}", lines.join("\n"));
}

/// `PROCESSES` processes, each with a user of its own, for `SECONDS`. One line for each:
/// `STACK CODE COUNT NANOSECONDS`.
pub fn parallel(processes: u32, seconds: u32, folder: &str) {
    clock::start(folder);
    let services = CString::new(folder).expect("no NUL");
    let stacks = Stack::read_all();
    for stack in &stacks {
        // Away from the codes of the stacks before it.
        clock::advance(1_000_000);
        let (mut from_children, to_parent) = pipe().expect("a pipe");
        let start = Instant::now() + TIME_TO_GATHER;
        for number in 0..processes {
            fork(|| {
                std::thread::sleep(start.saturating_duration_since(Instant::now()));
                log_in_for(stack, u64::from(number), u64::from(seconds), &services, &to_parent);
            });
        }
        drop(to_parent);
        let mut text = String::new();
        from_children.read_to_string(&mut text).expect("what the children say");
        print!("{text}");
        reap();
    }
    clock::advance(1_000_000);
    clock::keep(folder);
}

fn log_in_for(stack: &Stack, number: u64, seconds: u64, folder: &CString, mut to_parent: &PipeWriter) {
    let service = CString::new(stack.service.as_str()).expect("no NUL");
    let manner = Manner { delays: false, marks: false, remote: false };
    let mut counts = std::collections::BTreeMap::<i32, u64>::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        clock::advance(1);
        let timing = transaction(folder, &service, &stack.claimant(number), manner);
        *counts.entry(timing.code).or_default() += 1;
    }
    let nanoseconds = began.elapsed().as_nanos();
    for (code, count) in counts {
        let line = format!("{} {code} {count} {nanoseconds}\n", stack.name);
        to_parent.write_all(line.as_bytes()).expect("the parent");
    }
}

/// Loads each module `COUNT` times in turn, each time in a process of its own: `MODULE 0 NS NS`.
pub fn load(count: u32, modules: &[&str]) {
    for _ in 0..count {
        for module in modules {
            let path = CString::new(*module).expect("no NUL");
            let timing = in_a_child(|| {
                let began = Instant::now();
                // SAFETY: dlopen(3) with a NUL-terminated path.
                let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
                let loaded = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                assert!(!handle.is_null(), "{module} does not load");
                Timing { code: 0, authenticate_ns: loaded, whole_ns: loaded }
            });
            println!("{module} 0 {} {}", timing.authenticate_ns, timing.whole_ns);
        }
    }
}

fn in_a_child(run: impl FnOnce() -> Timing) -> Timing {
    let (mut from_child, mut to_parent) = pipe().expect("a pipe");
    fork(|| {
        let Timing { code, authenticate_ns, whole_ns } = run();
        let numbers = [u64::from(code.unsigned_abs()), authenticate_ns, whole_ns];
        to_parent.write_all(&numbers.map(u64::to_ne_bytes).concat()).expect("the parent");
    });
    drop(to_parent);
    let mut bytes = [[0; 8]; 3];
    from_child.read_exact(bytes.as_flattened_mut()).expect("the child ended well");
    reap();
    let [code, authenticate_ns, whole_ns] = bytes.map(u64::from_ne_bytes);
    Timing { code: i32::try_from(code).unwrap_or(-1), authenticate_ns, whole_ns }
}

fn fork(run: impl FnOnce()) {
    // SAFETY: fork(2) in a program of one thread.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no process");
    if child == 0 {
        run();
        // SAFETY: _exit(2): what the parent has buffered is not this process's to write.
        unsafe { libc::_exit(0) };
    }
}

fn reap() {
    // SAFETY: waitpid(2) for any child; its status is not wanted.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
}

/// What a guest could leave behind: `status WHEN VmRSS_KB RssAnon_KB THREADS DESCRIPTORS`.
fn print_status(when: &str) {
    let mut text = String::new();
    let mut status = File::open("/proc/self/status").expect("/proc is mounted");
    status.read_to_string(&mut text).expect("/proc is mounted");
    let field = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").to_owned()
    };
    drop(status);
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted").count();
    println!("status {when} {} {} {} {descriptors}", field("VmRSS"), field("RssAnon"), field("Threads"));
}
