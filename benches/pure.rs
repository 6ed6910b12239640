//! The pure parts, without files or libpam: `make bench-pure`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // what goes wrong ends the measurement

use std::path::Path;
use std::sync::Arc;

use divan::{Bencher, black_box};
use mfa_chain::store::{FileStore, StoreError};
use mfa_chain::verifier::attempt::{Next, Orchestrator};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::memory_store::MemoryStore;
use mfa_chain::verifier::otp::{Algorithm, Period, Response, SharedSecret};
use mfa_chain::verifier::policy::{FactorId, Policy};
use mfa_chain::verifier::ports::Clock;
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::DrawKey;
use mfa_chain::verifier::time::UnixTime;
use mfa_chain::verifier::username::Username;
use mfa_chain::verifier::verdict::Verdict;
use zeroize::Zeroizing;

fn main() {
    divan::main();
}

/// RFC 4226: one code.
#[divan::bench(args = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512])]
fn hotp(bencher: Bencher, algorithm: Algorithm) {
    let credential = Credential { algorithm, ..totp(1) };
    bencher.bench(|| credential.code(black_box(7)));
}

/// A wrong code against every step of a window.
#[divan::bench(args = [1, 3, 21, 100])]
fn window_scan(bencher: Bencher, candidates: u64) {
    let (credential, answer) = (totp(1), Response::from_bytes(b"000000"));
    bencher.bench(|| credential.matching(black_box(&answer), 1..=candidates));
}

/// A whole login in memory: decide, begin, answer and judge each step.
#[divan::bench(args = [1, 2, 3, 8])]
fn chain(bencher: Bencher, steps: u8) {
    let policy = Arc::new(Policy::parse(&policy_of(steps, 0), "policy.toml").expect("a policy"));
    bencher.with_inputs(|| enrolled(steps)).bench_refs(|store| {
        let orchestrator = Orchestrator::new(Arc::clone(&policy), &*store, Noon);
        let Next::Ask(mut attempt) = orchestrator.begin(&Request::local("sshd", "alice")) else {
            panic!("a chain is asked for")
        };
        loop {
            let factor = attempt.expected().factor.id.as_str().to_owned();
            let number = factor.trim_start_matches('f').parse().expect("a number");
            let code = totp(number).code(NOON / 30);
            match orchestrator.submit(attempt, &factor, Response::from_bytes(code.as_bytes())) {
                Ok(Next::Ask(next)) => attempt = next,
                Ok(Next::Over(Verdict::Grant(proof))) => break proof,
                _ => panic!("right codes"),
            }
        }
    });
}

/// Policies of 10, 200 and 2,000 lines.
#[divan::bench(args = [10, 200, 2_000])]
fn policy_parse(bencher: Bencher, lines: usize) {
    // One line of steps, three a factor, four a rule.
    let text = policy_of(1, (lines - 4) / 4);
    Policy::parse(&text, "policy.toml").expect("a policy");
    bencher.bench(|| Policy::parse(black_box(&text), "policy.toml"));
}

/// Secrets as they stand in files.
#[divan::bench]
fn secret_parse() -> SharedSecret {
    SharedSecret::from_base32(black_box("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")).expect("a secret")
}

/// A secret file, opened, checked, read and parsed; and both slots of a login state. On tmpfs where there is one.
#[divan::bench(args = ["secret file", "slots"])]
fn store_read(bencher: Bencher, what: &str) {
    let folder =
        tempfile::Builder::new().tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" });
    let folder = folder.expect("a folder");
    let (store, alice) = (FileStore::open_or_create(folder.path()), Username::parse("alice"));
    let (store, alice) = (store.expect("a store"), alice.expect("a name"));
    let record = |_| Ok::<_, StoreError>(UserRecord::new(vec![totp(1), totp(2)], None).expect("a record"));
    store.change_record(&alice, record).expect("a record");
    match what {
        "slots" => bencher.bench_local(|| store.login_state(&alice).expect("a state").is_some()),
        _ => bencher.bench_local(|| store.record(&alice).expect("a record").is_some()),
    }
}

const NOON: u64 = 1_800_000_000;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(NOON)
    }
}

fn enrolled(steps: u8) -> MemoryStore {
    let store = MemoryStore::new(DrawKey([7; 32]));
    store.enroll("alice", UserRecord::new((1..=steps).map(totp).collect(), None).expect("a record"));
    store
}

fn totp(number: u8) -> Credential {
    Credential::new(
        FactorId::parse(&format!("f{number}")).expect("an id"),
        OtpType::Totp(Period::default()),
        SharedSecret::from_bytes(Zeroizing::new(vec![number; 20])).expect("a secret"),
    )
}

fn policy_of(factors: u8, rules: usize) -> String {
    let steps = std::iter::once(format!("required_steps = {factors}\n"));
    let factors = (1..=factors).map(|number| format!("[[factors]]\nid = 'f{number}'\ntype = 'totp'\n"));
    let rules = (0..rules).map(|number| format!("[[rules]]\nusers = ['u{number}']\naction = 'deny'\n\n"));
    steps.chain(factors).chain(rules).collect()
}
