//! What the pages and the JSON share: attempts and enrollments, kept at the server between two requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mfa_chain::{Attempt, Confirmation, Enrollment, EnrollmentError, Next, Request, Response, Verdict};

use crate::bounded::Bounded;
use crate::engine::{Engine, reach};
use crate::sessions::{Claim, Proven, Visitor, random_id};

/// How the app was started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What authenticator apps show above a code.
    pub issuer: String,
    /// Whether every visitor is told codes.
    pub debug_codes: bool,
    /// Whether the store is that of a host. Its names are then not to be had by typing them.
    pub shared: bool,
    /// Whether requests come over loopback alone.
    pub loopback: bool,
}

/// The app. A clone is another handle.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    settings: Settings,
    attempts: Bounded<String, Attempt>,
    enrollments: Bounded<String, Enrollment>,
    claims: Bounded<String, String>,
}

const MOST_ATTEMPTS: usize = 4096;
const MOST_ENROLLMENTS: usize = 1024;
const ENROLLMENT_LIFETIME: Duration = Duration::from_secs(600);
/// The service that the log and the rules of the policy name.
const SERVICE: &str = "web";

/// Where an attempt stands.
#[derive(Debug)]
pub enum Stage {
    /// A code is asked for.
    Asked(Asked),
    /// Every step was right.
    Granted(Proven),
    /// Denied, for whatever reason: the next attempt starts at step 1.
    Reset,
    /// The answer was for another step than the expected one. The attempt is over.
    Breach,
    /// No such attempt is open: it was never begun, is over, or an answer to it is being judged.
    Gone,
}

/// The step that an attempt waits at.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The attempt.
    pub attempt: String,
    /// The step, from 1.
    pub step: usize,
    /// How many there are.
    pub steps: usize,
    /// The factor to answer.
    pub factor: String,
    /// What its user calls it.
    pub label: String,
    /// How far the policy lets its codes drift.
    pub window: u64,
}

impl Asked {
    fn of(id: String, attempt: &Attempt) -> Self {
        let step = attempt.expected();
        Self {
            attempt: id,
            step: step.number,
            steps: attempt.step_count(),
            factor: step.factor.id.as_str().to_owned(),
            label: step.factor.label.as_str().to_owned(),
            window: reach(&step.factor),
        }
    }
}

/// Why nothing is enrolled.
#[derive(Debug)]
pub enum Refused {
    /// The name belongs to somebody: sign in first.
    NotYours,
    /// No enrollment waits for a code.
    NonePending,
    /// The codes are not right. The enrollment still waits.
    WrongCode,
    /// The library says why.
    Library(EnrollmentError),
}

impl From<EnrollmentError> for Refused {
    fn from(error: EnrollmentError) -> Self {
        Self::Library(error)
    }
}

impl App {
    /// An app without a session.
    pub fn new(engine: Arc<dyn Engine>, settings: Settings) -> Self {
        // Longer than an attempt counts: who answers too late hears of a reset, as after a wrong code.
        let lifetime = Duration::from_secs(engine.policy().throttle().attempt_seconds().saturating_mul(2));
        Self(Arc::new(Inner {
            engine,
            settings,
            attempts: Bounded::new(MOST_ATTEMPTS, lifetime),
            enrollments: Bounded::new(MOST_ENROLLMENTS, ENROLLMENT_LIFETIME),
            claims: Bounded::new(MOST_ENROLLMENTS, ENROLLMENT_LIFETIME),
        }))
    }

    /// How it was started.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The factors of the policy: id, label, and how many codes prove an authenticator of it.
    pub fn factors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.engine.policy().factors().iter().map(|factor| (factor.id.as_str(), factor.label.as_str()))
    }

    /// What the user calls `factor`.
    pub fn label(&self, factor: &str) -> String {
        let found = self.0.engine.policy().factor(factor);
        found.map_or_else(|| factor.to_owned(), |found| found.label.as_str().to_owned())
    }

    /// Whether the policy gives `factor` this window; no caller changes it. A factor that the policy does not have has
    /// none, and its answer is a breach.
    pub fn is_window_of(&self, factor: &str, window: u64) -> bool {
        self.0.engine.policy().factor(factor).is_none_or(|factor| reach(factor) == window)
    }

    /// The engine waits for disks, so it runs where waiting is allowed.
    async fn ask<T: Send + 'static>(&self, call: impl FnOnce(&dyn Engine) -> T + Send + 'static) -> T {
        let engine = Arc::clone(&self.0.engine);
        match tokio::task::spawn_blocking(move || call(&*engine)).await {
            Ok(answer) => answer,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl App {
    /// Begins an attempt of `user`, enrolled or not.
    pub async fn start(&self, user: String, address: IpAddr) -> Stage {
        let begun =
            self.ask(move |engine| engine.begin(&Request::from_address(SERVICE, &user, address))).await;
        self.stage(random_id(), begun)
    }

    /// Answers a step. The attempt leaves the map before it is judged, so two answers never meet the same one.
    pub async fn answer(&self, id: String, factor: String, typed: &str) -> Stage {
        let Some(attempt) = self.0.attempts.take(&id) else { return Stage::Gone };
        let response = Response::from_bytes(typed.as_bytes());
        match self.ask(move |engine| engine.submit(attempt, &factor, response)).await {
            Ok(next) => self.stage(id, next),
            Err(_breach) => Stage::Breach,
        }
    }

    fn stage(&self, id: String, next: Next) -> Stage {
        match next {
            Next::Ask(attempt) => {
                let asked = Asked::of(id.clone(), &attempt);
                self.0.attempts.insert(id, attempt);
                Stage::Asked(asked)
            }
            Next::Over(Verdict::Grant(proof)) => Stage::Granted(Proven {
                user: proof.user().to_owned(),
                chain: proof.chain().to_owned(),
                labels: proof.factors().map(|factor| self.label(factor.as_str())).collect(),
            }),
            // An exemption proves nothing: a program that asks for a password before would go on here, and this one
            // asks for nothing else.
            Next::Over(Verdict::Deny(_) | Verdict::Exempt(_)) => Stage::Reset,
        }
    }

    /// The step that the attempt waits at.
    pub fn asked(&self, id: &str) -> Option<Asked> {
        self.0.attempts.read(&id.to_owned(), |attempt| Asked::of(id.to_owned(), attempt))
    }

    /// The factor that the attempt waits for, and a code that would be right.
    pub async fn current_code(&self, id: &str) -> Option<(String, Option<String>)> {
        let waiting = |attempt: &Attempt| (attempt.request().clone(), attempt.expected().factor.clone());
        let (request, factor) = self.0.attempts.read(&id.to_owned(), waiting)?;
        let id = factor.id.as_str().to_owned();
        Some((id, self.ask(move |engine| engine.current_code(&request, &factor)).await))
    }
}

impl App {
    /// The factors of the policy that `user` has not enrolled, after those that are.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] as the library says.
    pub async fn enrolled(&self, user: &str) -> Result<(Vec<String>, Vec<String>), EnrollmentError> {
        let asked = user.to_owned();
        let enrolled = self.ask(move |engine| engine.enrolled(&asked)).await?;
        let all = self.factors().map(|(id, _)| id.to_owned());
        Ok(all.partition(|id| enrolled.contains(id)))
    }

    /// Begins to enroll an authenticator; `visitor` then holds it.
    ///
    /// # Errors
    ///
    /// [`Refused`] for a name of another, and as the library says.
    pub async fn enroll(&self, visitor: &mut Visitor, user: &str, factor: &str) -> Result<(), Refused> {
        if self.0.settings.shared && !visitor.is(user) {
            return Err(Refused::NotYours);
        }
        let (asked, factor) = (user.to_owned(), factor.to_owned());
        let enrollment = self.ask(move |engine| engine.begin_enrollment(&asked, &factor)).await?;
        self.check_is_theirs(visitor, user).await?;
        if let Some(old) = visitor.enrollment.take() {
            self.0.enrollments.take(&old);
        }
        let id = random_id();
        self.0.enrollments.insert(id.clone(), enrollment);
        visitor.enrollment = Some(id);
        Ok(())
    }

    /// Who signed in enrolls for themselves. In a store of its own the app also lets a new name enroll, and then it
    /// belongs to that browser until it is complete. A name of a host cannot be taken.
    async fn check_is_theirs(&self, visitor: &mut Visitor, user: &str) -> Result<(), Refused> {
        if visitor.is(user) || self.holds_claim(visitor, user) {
            return Ok(());
        }
        let token = random_id();
        if !self.0.claims.insert_new(user.to_owned(), token.clone()) {
            return Err(Refused::NotYours);
        }
        // Claimed first and looked at then: two browsers that ask at once can't both find the name free.
        let looked = self.enrolled(user).await;
        if !matches!(&looked, Ok((enrolled, _)) if enrolled.is_empty()) {
            self.0.claims.take(&user.to_owned());
            looked?;
            return Err(Refused::NotYours);
        }
        visitor.claim = Some(Claim { user: user.to_owned(), token });
        Ok(())
    }

    fn holds_claim(&self, visitor: &Visitor, user: &str) -> bool {
        let mine = visitor.claim.as_ref().filter(|claim| claim.user == user);
        mine.is_some_and(|claim| self.0.claims.read(&claim.user, |token| *token == claim.token) == Some(true))
    }

    /// What `look` sees of the enrollment that waits for its code.
    pub fn pending<T>(&self, visitor: &Visitor, look: impl FnOnce(&Enrollment) -> T) -> Option<T> {
        self.0.enrollments.read(visitor.enrollment.as_ref()?, look)
    }

    /// Binds the authenticator that waits, if `codes` prove it. Returns its user.
    ///
    /// # Errors
    ///
    /// [`Refused`]; after a wrong code the enrollment waits on.
    pub async fn confirm(&self, visitor: &mut Visitor, codes: &[&str]) -> Result<String, Refused> {
        let id = visitor.enrollment.clone().ok_or(Refused::NonePending)?;
        let enrollment = self.0.enrollments.take(&id).ok_or(Refused::NonePending)?;
        let user = enrollment.user().to_owned();
        if !visitor.is(&user) && !self.holds_claim(visitor, &user) {
            return Err(Refused::NotYours);
        }
        let codes: Vec<Response> = codes.iter().map(|code| Response::from_bytes(code.as_bytes())).collect();
        match self.ask(move |engine| engine.confirm_enrollment(enrollment, &codes)).await? {
            Confirmation::Wrong(enrollment, _) => {
                self.0.enrollments.insert(id, enrollment);
                Err(Refused::WrongCode)
            }
            Confirmation::Enrolled(_) => {
                visitor.enrollment = None;
                self.end_claim(visitor, &user).await?;
                Ok(user)
            }
        }
    }

    /// A name that is complete is its user's, who signs in by it.
    async fn end_claim(&self, visitor: &mut Visitor, user: &str) -> Result<(), EnrollmentError> {
        if self.enrolled(user).await?.1.is_empty() {
            visitor.claim = None;
            self.0.claims.take(&user.to_owned());
        }
        Ok(())
    }
}
