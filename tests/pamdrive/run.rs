//! Transactions, one after another or side by side.

use std::ffi::c_int;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use crate::conversation::{Claimant, mark};
use crate::gate::{Gate, close, pipe};
use mfa_chain::libpam::numbers::{PAM_RHOST, PAM_RUSER, PAM_SILENT, PAM_SUCCESS, PAM_TTY, PAM_USER};

use crate::libpam::Transaction;
use crate::options::{Job, Options};
use crate::report::{self, Object, Sums, nanoseconds};
use crate::services::Services;
use crate::snapshot::Snapshot;

/// Plays what the options say and prints the report.
pub fn run(options: &Options) {
    let services = Services::prepare(options);
    let before = Snapshot::take();
    let mut sums = Sums::new(options.flags.no_times);
    if options.jobs {
        for line in std::io::stdin().lines() {
            let line = line.expect("standard input");
            let job = Job::parse(&line).unwrap_or_else(|what| panic!("{what}: {line}"));
            run_job(options, &services, &job, &mut sums);
        }
    } else {
        for _ in 0..options.repeat {
            run_job(options, &services, &options.job, &mut sums);
        }
    }
    if options.flags.brief {
        let mut object = sums.summed();
        object.raw("before", &before.to_json()).raw("after", &Snapshot::take().to_json());
        report::print(&object.finish());
    }
    services.remove();
    if options.flags.linger {
        std::io::stdin().read_to_end(&mut Vec::new()).expect("standard input");
    }
}

fn run_job(options: &Options, services: &Services, job: &Job, sums: &mut Sums) {
    for (from, to) in &options.restore {
        restore(from, to);
    }
    if options.sessions > 1 {
        side_by_side(options, services, job, sums);
    } else {
        let played = play(options, services, job);
        sums.add(played.code, played.auth, played.whole);
    }
}

/// In place, so that a process that holds the file open sees it too.
fn restore(from: &Path, to: &Path) {
    let bytes = std::fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    let to = std::fs::OpenOptions::new().write(true).open(to).expect("a file to restore");
    std::os::unix::fs::FileExt::write_all_at(&to, &bytes, 0).expect("a file to restore");
}

/// As many processes as there are sessions, all let go at once. Each is forked from a started transaction, as
/// sshd does it.
fn side_by_side(options: &Options, services: &Services, job: &Job, sums: &mut Sums) {
    let gate = Gate::new();
    let results = pipe();
    let mut claimant = Claimant::new(&job.answers, Some(&gate), false);
    let user = job.user.as_deref();
    let mut transaction = Transaction::start(services.path(), &options.service, user, &mut claimant)
        .unwrap_or_else(|code| panic!("pam_start: {code}"));
    let mut children = Vec::new();
    for _ in 0..options.sessions {
        // SAFETY: fork(2) in a program of one thread.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "no process");
        if child == 0 {
            be_a_session(options, job, &mut transaction, &gate, results);
        }
        children.push(child);
    }
    close(results[1]);
    gate.open_when_here(options.sessions);
    let mut round = Sums::default();
    while let Some(played) = receive(results[0]) {
        sums.add(played.code, played.auth, played.whole);
        round.add(played.code, played.auth, played.whole);
    }
    close(results[0]);
    for child in children {
        // SAFETY: waitpid(2) for a child of ours; its status is not wanted.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    }
    if !options.flags.brief {
        let mut object = Object::default();
        object.raw("round", &round.summed().finish());
        report::print(&object.finish());
    }
}

fn be_a_session(
    options: &Options,
    job: &Job,
    transaction: &mut Transaction<'_, '_>,
    gate: &Gate,
    results: [c_int; 2],
) -> ! {
    gate.enter();
    close(results[0]);
    set_items(options, job, transaction);
    let played = call_all(options, transaction, &mut Vec::new());
    send(results[1], &played);
    gate.leave();
    // SAFETY: _exit(2); the parent's clean-up is not this session's.
    unsafe { libc::_exit(0) }
}

/// What came of one transaction.
struct Played {
    code: c_int,
    auth: u64,
    whole: u64,
}

fn send(descriptor: c_int, played: &Played) {
    let numbers = [u64::from(played.code.unsigned_abs()), played.auth, played.whole];
    // SAFETY: 24 bytes of this frame; shorter than PIPE_BUF, so it arrives whole.
    unsafe { libc::write(descriptor, numbers.as_ptr().cast(), 24) };
}

fn receive(descriptor: c_int) -> Option<Played> {
    let mut numbers = [0_u64; 3];
    // SAFETY: room for 24 bytes.
    let read = unsafe { libc::read(descriptor, numbers.as_mut_ptr().cast(), 24) };
    let code = c_int::try_from(numbers[0]).ok()?;
    (read == 24).then_some(Played { code, auth: numbers[1], whole: numbers[2] })
}

/// One transaction, reported unless sums are wanted.
fn play(options: &Options, services: &Services, job: &Job) -> Played {
    let full = !options.flags.brief;
    let before = full.then(Snapshot::take);
    let mut claimant = Claimant::new(&job.answers, None, options.flags.tell);
    let began = Instant::now();
    let mut calls = Vec::new();
    let mut after = Object::default();
    let mut played =
        match Transaction::start(services.path(), &options.service, job.user.as_deref(), &mut claimant) {
            Err(code) => Played { code, auth: 0, whole: 0 },
            Ok(mut transaction) => {
                set_items(options, job, &transaction);
                set_limits(&options.limits);
                options.filter.enter();
                let played = call_all(options, &mut transaction, &mut calls);
                call_more(options, &mut transaction, &mut after);
                played
            }
        };
    played.whole = nanoseconds(began.elapsed());
    if let Some(before) = before {
        let mut object = Object::default();
        object.number("code", played.code).number("whole_ns", played.whole);
        object.raw("calls", &format!("[{}]", calls.join(","))).raw("after_auth", &after.finish());
        object.number("unused_answers", job.answers.len() - claimant.next);
        object.raw("before", &before.to_json()).raw("after", &Snapshot::take().to_json());
        report::print(&object.finish());
    }
    played
}

fn set_limits(limits: &[(u32, u64)]) {
    for (resource, most) in limits {
        let limit = libc::rlimit { rlim_cur: *most, rlim_max: *most };
        // SAFETY: setrlimit(2) reads the limit of this frame; an unknown resource is an error.
        unsafe { libc::setrlimit(*resource, &raw const limit) };
    }
}

fn set_items(options: &Options, job: &Job, transaction: &Transaction<'_, '_>) {
    transaction.set_text(PAM_RHOST, job.rhost.as_ref());
    transaction.set_text(PAM_RUSER, options.ruser.as_ref());
    transaction.set_text(PAM_TTY, options.tty.as_ref());
}

/// The calls of `pam_authenticate`; the last one's code and time.
fn call_all(options: &Options, transaction: &mut Transaction<'_, '_>, calls: &mut Vec<String>) -> Played {
    let mut played = Played { code: PAM_SUCCESS, auth: 0, whole: 0 };
    if options.flags.no_auth {
        return played;
    }
    for _ in 0..options.calls {
        mark(c"pamdrive:begin");
        let began = Instant::now();
        played.code = transaction.authenticate(flags(options));
        played.auth = nanoseconds(began.elapsed());
        mark(c"pamdrive:end");
        let shown = std::mem::take(&mut transaction.claimant.shown);
        if !options.flags.brief {
            let mut call = Object::default();
            call.number("code", played.code).number("ns", played.auth).raw("shown", &report::shown(&shown));
            calls.push(call.finish());
        }
    }
    played
}

/// What comes after, in the order of login(1).
fn call_more(options: &Options, transaction: &mut Transaction<'_, '_>, after: &mut Object) {
    transaction.set_text(PAM_USER, options.account_user.as_ref());
    if options.flags.acct {
        after.number("acct", transaction.account(flags(options)));
    }
    if options.flags.setcred {
        after.number("setcred", transaction.set_credentials(flags(options)));
    }
}

const fn flags(options: &Options) -> c_int {
    if options.flags.silent { PAM_SILENT } else { 0 }
}
