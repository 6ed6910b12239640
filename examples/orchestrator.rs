//! The engine without PAM: two claimants pass the same chain side by side, one of them out of order.
//!
//! Run it with `cargo run --example orchestrator`. A real program would keep enrolments with `FileStore`, make
//! secrets from random bytes, and read answers from its users.
#![allow(clippy::print_stdout)] // showing is all it does
#![allow(clippy::too_many_lines)] // read from top to bottom

use pam_mfa_chain::pam::SystemAccounts;
use pam_mfa_chain::store::SystemClock;
use pam_mfa_chain::verifier::attempt::{Begin, Orchestrator, Submission};
use pam_mfa_chain::verifier::credential::{Credential, MovingFactor};
use pam_mfa_chain::verifier::login_state::DrawKey;
use pam_mfa_chain::verifier::memory_store::MemoryStore;
use pam_mfa_chain::verifier::otp::{Algorithm, Digits, Period};
use pam_mfa_chain::verifier::policy::{FactorId, Policy};
use pam_mfa_chain::verifier::ports::{Clock, NoAudit};
use pam_mfa_chain::verifier::record::UserRecord;
use pam_mfa_chain::verifier::request::Request;
use pam_mfa_chain::verifier::response::Response;
use pam_mfa_chain::verifier::secret::SharedSecret;
use pam_mfa_chain::verifier::time::UnixTime;

const POLICY: &str = r#"
mode = "fixed"
required_steps = 2
[[factors]]
id = "phone"
type = "totp"
[[factors]]
id = "tablet"
type = "totp"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::parse(POLICY, "the policy above")?;
    let store = MemoryStore::new(DrawKey([1; 32]));
    for user in ["ada", "grace"] {
        let record =
            UserRecord::new(vec![authenticator(user, "phone")?, authenticator(user, "tablet")?], None)?;
        store.enrol(user, record);
    }
    let orchestrator = Orchestrator {
        policy: &policy,
        store: &store,
        clock: &SystemClock,
        accounts: &SystemAccounts,
        audit: &NoAudit,
    };

    let begin = |user| orchestrator.begin(&Request::new("example", user));
    let (Begin::Attempt(ada), Begin::Attempt(grace)) = (begin("ada"), begin("grace")) else {
        return Err("the policy asks everybody for a chain".into());
    };
    println!("ada and grace begin; both are asked for `{}` first", ada.expected().factor.id);

    // Each attempt is on its own: what one claimant answers moves nobody else.
    let Submission::NextStep(ada) = ada.submit("phone", code("ada", "phone")?)? else {
        return Err("a right code leads to the next step".into());
    };
    println!("ada: `phone` is right; next step: `{}`", ada.expected().factor.id);

    match grace.submit("tablet", code("grace", "tablet")?) {
        Err(breach) => println!("grace: {breach}"),
        Ok(_) => return Err("an answer to another step is a breach".into()),
    }

    match ada.submit("tablet", code("ada", "tablet")?)? {
        Submission::Complete(proof) => {
            let factors: Vec<String> = proof.factors().map(ToString::to_string).collect();
            println!("ada: complete with {}", factors.join(", then "));
        }
        Submission::NextStep(_) | Submission::Reset(_) => {
            return Err("two right codes complete the chain".into());
        }
    }

    let Begin::Attempt(grace) = begin("grace") else { return Err("she may try again".into()) };
    println!("grace tries again and starts at step {}", grace.expected().number);
    match grace.submit("phone", Response::from_bytes(b"000000"))? {
        Submission::Reset(reason) => println!("grace: reset ({reason})"),
        Submission::NextStep(_) | Submission::Complete(_) => {
            return Err("a wrong code resets the chain".into());
        }
    }
    Ok(())
}

/// A credential whose key follows from names, so that the example needs no phone.
fn authenticator(user: &str, factor: &str) -> Result<Credential, Box<dyn std::error::Error>> {
    let key: Vec<u8> =
        user.bytes().chain(factor.bytes()).cycle().take(SharedSecret::RECOMMENDED_BYTES).collect();
    Ok(Credential {
        factor: FactorId::parse(factor)?,
        moving: MovingFactor::Totp(Period::default()),
        algorithm: Algorithm::default(),
        digits: Digits::default(),
        secret: SharedSecret::from_bytes(key.into())?,
        first: 0,
        enrolled_at: UnixTime::default(),
    })
}

/// The code that the authenticator shows now.
fn code(user: &str, factor: &str) -> Result<Response, Box<dyn std::error::Error>> {
    let authenticator = authenticator(user, factor)?;
    let step = authenticator.step_at(SystemClock.now()).ok_or("a time step")?;
    Ok(Response::from_bytes(authenticator.code(step).as_bytes()))
}
