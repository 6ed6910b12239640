//! The library behind one face, whichever store it keeps enrollments in.

use std::io::Write as _;

use mfa_chain::ports::{Accounts, Audit, Clock as _, Enrollments, Event};
use mfa_chain::{
    Attempt, ChainBreached, Confirmation, Enrollment, EnrollmentError, Factor, FactorKind, Next,
    Orchestrator, Policy, Request, Response, SystemClock,
};

/// What the app asks of the library. Calls may wait for a disk.
pub trait Engine: Send + Sync {
    /// The policy in force.
    fn policy(&self) -> &Policy;
    /// Begins an attempt.
    fn begin(&self, request: &Request) -> Next;
    /// Submits the answer to a step.
    ///
    /// # Errors
    ///
    /// [`ChainBreached`] for the answer to another step.
    fn submit(&self, attempt: Attempt, factor: &str, response: Response) -> Result<Next, ChainBreached>;
    /// Begins to enroll an authenticator.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] as the library says.
    fn begin_enrollment(&self, user: &str, factor: &str) -> Result<Enrollment, EnrollmentError>;
    /// Binds an authenticator that its codes prove.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] as the library says.
    fn confirm_enrollment(
        &self,
        enrollment: Enrollment,
        codes: &[Response],
    ) -> Result<Confirmation, EnrollmentError>;
    /// The ids of the factors that `user` has enrolled.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] as the library says.
    fn enrolled(&self, user: &str) -> Result<Vec<String>, EnrollmentError>;
    /// The code that the authenticator behind `factor` shows, or the next one where that is used; `None` where no code
    /// counts now. For `--debug-codes`.
    fn current_code(&self, request: &Request, factor: &Factor) -> Option<String>;
}

impl<S, N, A> Engine for Orchestrator<S, SystemClock, N, A>
where
    S: Enrollments + Send + Sync,
    N: Accounts + Send + Sync,
    A: Audit + Send + Sync,
{
    fn policy(&self) -> &Policy {
        Self::policy(self)
    }

    fn begin(&self, request: &Request) -> Next {
        Self::begin(self, request)
    }

    fn submit(&self, attempt: Attempt, factor: &str, response: Response) -> Result<Next, ChainBreached> {
        Self::submit(self, attempt, factor, response)
    }

    fn begin_enrollment(&self, user: &str, factor: &str) -> Result<Enrollment, EnrollmentError> {
        Self::begin_enrollment(self, user, factor)
    }

    fn confirm_enrollment(
        &self,
        enrollment: Enrollment,
        codes: &[Response],
    ) -> Result<Confirmation, EnrollmentError> {
        Self::confirm_enrollment(self, enrollment, codes)
    }

    fn enrolled(&self, user: &str) -> Result<Vec<String>, EnrollmentError> {
        Ok(Self::enrolled(self, user)?.into_iter().map(|it| it.factor.as_str().to_owned()).collect())
    }

    fn current_code(&self, request: &Request, factor: &Factor) -> Option<String> {
        let (record, state) = self.store().enrollment(&request.username()?).ok()??;
        let credential = record.credential(factor)?;
        let first = state.lowest_counter(credential);
        let shown = match credential.step_at(SystemClock.now()) {
            Some(now) if first > now.saturating_add(reach(factor)) => return None,
            Some(now) => now.max(first),
            None => first,
        };
        Some(credential.code(shown).to_string())
    }
}

/// How far verification looks: the time steps on each side of now, or the counters.
pub fn reach(factor: &Factor) -> u64 {
    match factor.kind {
        FactorKind::Totp { window } => u64::from(window),
        FactorKind::Hotp { look_ahead } => u64::from(look_ahead),
    }
}

/// The audit trail on standard error: one line for each step and verdict, as the PAM module writes to syslog. It holds
/// no secret and no code.
#[derive(Clone, Copy, Debug)]
pub struct Trail;

impl Audit for Trail {
    fn record(&self, event: &Event) {
        // A trail that can't be written changes no outcome.
        let _ = writeln!(std::io::stderr().lock(), "{event}");
    }
}
