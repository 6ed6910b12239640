//! The library as a server uses it: the names at the root of the crate alone, attempts in a map, requests on many
//! threads.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE32_NOPAD;
use mfa_chain::ports::Clock;
use mfa_chain::{
    Attempt, Confirmation, Enrollment, Factor, FileStore, MemoryStore, Next, Orchestrator, Policy, Request,
    Response, SystemClock, Verdict,
};

type Mfa = Orchestrator<MemoryStore, SystemClock>;

#[test]
fn what_a_server_shares_and_keeps_can_be_shared_and_kept() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn kept<T: Send + Sync + 'static>() {}
    shared::<Arc<Orchestrator<FileStore, SystemClock>>>();
    kept::<Mfa>();
    kept::<Orchestrator<FileStore, SystemClock>>();
    kept::<Attempt>();
    kept::<Enrollment>();
    kept::<Verdict>();
}

/// An attempt that could be copied could be answered twice. Of two methods of one name the one for values that can be
/// cloned is found first.
#[test]
fn an_attempt_can_be_neither_copied_nor_written_down() {
    struct Of<T>(PhantomData<T>);
    trait Copies {
        fn copies(&self) -> bool;
    }
    impl<T: Clone> Copies for Of<T> {
        fn copies(&self) -> bool {
            true
        }
    }
    impl<T> Copies for &Of<T> {
        fn copies(&self) -> bool {
            false
        }
    }
    let (text, attempt) = (&Of::<String>(PhantomData), &Of::<Attempt>(PhantomData));
    assert!(text.copies(), "the check sees what can be cloned");
    assert!(!attempt.copies());
    let enrollment = &Of::<Enrollment>(PhantomData);
    assert!(!enrollment.copies());
}

#[test]
fn attempts_of_many_users_wait_in_a_map_across_requests() {
    let policy = Policy::builder()
        .factor(Factor::totp("phone").expect("a factor"))
        .factor(Factor::totp("tablet").expect("a factor"))
        .build()
        .expect("a policy");
    let mfa: Arc<Mfa> =
        Arc::new(Orchestrator::new(policy, MemoryStore::random().expect("a store"), SystemClock));
    let sessions: Arc<Mutex<HashMap<String, Attempt>>> = Arc::default();
    let users: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    let devices: HashMap<String, [Shown; 2]> = users
        .iter()
        .map(|user| (user.clone(), ["phone", "tablet"].map(|factor| enroll(&mfa, user, factor))))
        .collect();

    // Three requests of each user, each on a thread of its own: begin, phone, tablet.
    on_threads(&users, |user| {
        let request = Request::from_address("web", user, [192, 0, 2, 7].into());
        let Next::Ask(attempt) = mfa.begin(&request) else { panic!("asked") };
        sessions.lock().unwrap().insert(user.to_owned(), attempt);
    });
    on_threads(&users, |user| {
        let attempt = sessions.lock().unwrap().remove(user).expect("an attempt");
        let Ok(Next::Ask(attempt)) = mfa.submit(attempt, "phone", devices[user][0]()) else {
            panic!("right")
        };
        assert_eq!(attempt.expected().number, 2);
        sessions.lock().unwrap().insert(user.to_owned(), attempt);
    });
    on_threads(&users, |user| {
        let attempt = sessions.lock().unwrap().remove(user).expect("an attempt");
        let Ok(Next::Over(Verdict::Grant(proof))) = mfa.submit(attempt, "tablet", devices[user][1]()) else {
            panic!("right")
        };
        assert_eq!((proof.user(), proof.chain()), (user, "default"));
    });
}

type Shown = Box<dyn Fn() -> Response + Send + Sync>;

/// Enrolls an authenticator; returns what shows its next code.
fn enroll(mfa: &Mfa, user: &str, factor: &str) -> Shown {
    let enrollment = mfa.begin_enrollment(user, factor).expect("begun");
    let secret = BASE32_NOPAD.decode(enrollment.secret().as_bytes()).expect("base32");
    let app = totp_rs::Builder::new().with_secret(secret).with_step_duration(30).build().expect("an app");
    let now = SystemClock.now().seconds();
    let code = move |ahead: u64| Response::from_bytes(app.generate(now + ahead).to_string().as_bytes());
    let confirmed = mfa.confirm_enrollment(enrollment, &[code(0)]).expect("a store");
    assert!(matches!(confirmed, Confirmation::Enrolled(_)));
    Box::new(move || code(30))
}

fn on_threads(users: &[String], request: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for user in users {
            let request = &request;
            scope.spawn(move || request(user));
        }
    });
}
