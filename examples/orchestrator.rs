//! The engine without PAM: two users enroll two authenticators each and pass the same chain side by side, one of them
//! out of order.
//!
//! Run it with `cargo run --example orchestrator --no-default-features`. The example plays the authenticators too; a
//! real program reads the codes from its users.
#![allow(clippy::print_stdout)] // showing is all it does

use std::error::Error;

use data_encoding::BASE32_NOPAD;
use mfa_chain::ports::Clock;
use mfa_chain::{
    Attempt, Confirmation, Factor, MemoryStore, Next, Orchestrator, Policy, Request, Response, SystemClock,
    Verdict,
};

use totp_rs::{Builder, Totp};

type Mfa = Orchestrator<MemoryStore, SystemClock>;
type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let policy = Policy::builder()
        .factor(Factor::totp("phone")?.with_label("Phone app")?)
        .factor(Factor::totp("tablet")?.with_label("Tablet app")?)
        .build()?;
    let mfa = Orchestrator::new(policy, MemoryStore::random()?, SystemClock);
    let [ada, grace] = [enroll(&mfa, "ada")?, enroll(&mfa, "grace")?];

    let (of_ada, of_grace) = (begin(&mfa, "ada")?, begin(&mfa, "grace")?);
    println!("ada and grace begin; both are asked for `{}` first", of_ada.expected().factor.id);

    // Each attempt is on its own: what one user answers moves nobody else.
    let Next::Ask(of_ada) = mfa.submit(of_ada, "phone", ada.code("phone"))? else {
        return Err("a right code leads to the next step".into());
    };
    println!("ada: `phone` is right; next step: `{}`", of_ada.expected().factor.id);

    match mfa.submit(of_grace, "tablet", grace.code("tablet")) {
        Err(breach) => println!("grace: {breach}"),
        Ok(_) => return Err("an answer to another step is a breach".into()),
    }

    match mfa.submit(of_ada, "tablet", ada.code("tablet"))? {
        Next::Over(Verdict::Grant(proof)) => {
            let factors: Vec<String> = proof.factors().map(ToString::to_string).collect();
            println!("{}: complete with {}", proof.user(), factors.join(", then "));
        }
        _ => return Err("two right codes complete the chain".into()),
    }

    let of_grace = begin(&mfa, "grace")?;
    println!("grace tries again and starts at step {}", of_grace.expected().number);
    match mfa.submit(of_grace, "phone", Response::from_bytes(b"000000"))? {
        Next::Over(Verdict::Deny(reason)) => println!("grace: reset ({reason})"),
        _ => return Err("a wrong code resets the chain".into()),
    }
    Ok(())
}

fn begin(mfa: &Mfa, user: &str) -> Result<Attempt, Box<dyn Error>> {
    match mfa.begin(&Request::local("example", user)) {
        Next::Ask(attempt) => Ok(attempt),
        Next::Over(verdict) => Err(format!("the policy asks everybody for a chain: {verdict:?}").into()),
    }
}

/// Enrolls both authenticators of `user`, each proven by its first code.
fn enroll(mfa: &Mfa, user: &str) -> Result<Authenticators, Box<dyn Error>> {
    let mut authenticators = Vec::new();
    for factor in ["phone", "tablet"] {
        let enrollment = mfa.begin_enrollment(user, factor)?;
        let app = authenticator_app(&enrollment.secret())?;
        let shown = move |seconds_ahead: u64| {
            let time = SystemClock.now().seconds().saturating_add(seconds_ahead);
            Response::from_bytes(app.generate(time).to_string().as_bytes())
        };
        let Confirmation::Enrolled(_) = mfa.confirm_enrollment(enrollment, &[shown(0)])? else {
            return Err("the code of the authenticator proves it".into());
        };
        // The code that proved it is used. The next one is good already: the window reaches one step ahead.
        authenticators.push((factor, Box::new(move || shown(30)) as Shown));
    }
    Ok(Authenticators(authenticators))
}

/// An authenticator app that was given the secret.
fn authenticator_app(secret: &str) -> Result<Totp, Box<dyn Error>> {
    let secret = BASE32_NOPAD.decode(secret.as_bytes())?;
    Ok(Builder::new().with_secret(secret).with_step_duration(30).build()?)
}

/// What the user holds.
struct Authenticators(Vec<(&'static str, Shown)>);

/// What an authenticator shows.
type Shown = Box<dyn Fn() -> Response>;

impl Authenticators {
    /// The code that the authenticator of `factor` shows next.
    fn code(&self, factor: &str) -> Response {
        let found = self.0.iter().find(|(name, _)| *name == factor);
        found.map_or_else(|| Response::from_bytes(b""), |(_, shown)| shown())
    }
}
