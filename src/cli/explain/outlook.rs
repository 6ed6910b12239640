//! Whether a user could pass a chain now, and what stands in the way.

use super::super::failure::Failure;
use super::super::who::{another_account, renamed};
use crate::store::FileStore;
use crate::verifier::attempt_id::AttemptId;
use crate::verifier::chain::{Chain, DrawSeed};
use crate::verifier::enrollment::{Credential, UserRecord, same_account};
use crate::verifier::policy::{ChainSpec, Factor, FactorKind, Mode, OnWrongCode, ThrottlePolicy, Unenrolled};
use crate::verifier::ports::{Claimant, Store};
use crate::verifier::request::Request;
use crate::verifier::state::{Budget, LoginState, SourceKey};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// What a user would meet at a chain.
#[derive(Debug)]
pub struct Outlook {
    /// The prompts of a fixed chain, in order; of a random one, what the draw is made of.
    pub steps: Vec<Factor>,
    /// The factors of the chain that the user has enrolled.
    pub enrolled: Vec<Factor>,
    /// Those that are missing.
    pub missing: Vec<Factor>,
    /// Whether the roll-out lets the user in without a code.
    pub exempt: bool,
    /// What a right code can't overcome.
    pub obstacles: Vec<String>,
    /// How many recovery codes are left, where a set was made.
    pub recovery_codes: Option<usize>,
}

impl Outlook {
    /// Looks at what the account of `request` has enrolled and at the login state.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the store can't be read: the module denies then.
    pub fn of(
        spec: &ChainSpec,
        store: &FileStore,
        request: &Request,
        throttle: &ThrottlePolicy,
        now: UnixTime,
    ) -> Result<Self, Failure> {
        let claimant = store.find(request.name())?;
        let same = same_account(claimant.uid, request.uid());
        let (enrolled, missing): (Vec<Factor>, Vec<Factor>) =
            spec.factors().cloned().partition(|factor| same && claimant.has_enrolled(factor));
        let can_pass = enrolled.len() >= spec.required_steps();
        let other = other_account(store, request, &claimant)?;
        let unenrolled_may = roll_out_holds(spec, now) && request.account.is_some();
        let exempt = !can_pass && other.is_none() && unenrolled_may;
        let mut outlook = Self {
            steps: steps(spec, &claimant, if can_pass { &enrolled } else { &[] }),
            enrolled,
            missing,
            exempt,
            obstacles: Vec::new(),
            recovery_codes: None,
        };
        let (record, login_state) = files_of(store, request)?;
        outlook.obstacles.extend(other.filter(|_| !can_pass));
        if !can_pass && !exempt {
            outlook.obstacles.push(outlook.unenrolled(spec));
        }
        if let (false, Some(state)) = (exempt, login_state) {
            outlook.recovery_codes = record.recovery().map(|set| state.recovery_codes_left(set));
            outlook.obstacles.extend(throttled(&state, request, throttle, now));
            let steps = outlook.steps.iter().filter(|_| can_pass);
            let outdated: Vec<String> =
                steps.filter_map(|factor| unusable(factor, &record, &state, now)).collect();
            outlook.obstacles.extend(outdated);
        }
        Ok(outlook)
    }

    fn unenrolled(&self, spec: &ChainSpec) -> String {
        let missing: Vec<&str> = self.missing.iter().map(|factor| factor.id.as_str()).collect();
        format!(
            "unenrolled: {} of the {} factors needed are enrolled; missing: {}. The prompts are shown all the \
             same, so that nobody learns who is enrolled; no answer passes them",
            self.enrolled.len(),
            spec.required_steps(),
            missing.join(", ")
        )
    }
}

/// The steps as this user would meet them. The draw of a random chain is not told: somebody who reads this over
/// a shoulder would know which code to ask for.
fn steps(spec: &ChainSpec, claimant: &Claimant, drawn_from: &[Factor]) -> Vec<Factor> {
    if spec.mode() == Mode::Random {
        let all = || spec.factors().cloned().collect();
        return if drawn_from.is_empty() { all() } else { drawn_from.to_vec() };
    }
    // The module's own chain, asked for as one batch so that it can be seen whole.
    let whole = spec.clone().with_on_wrong_code(OnWrongCode::Conceal);
    // A fixed chain is the same in every draw.
    let seed = DrawSeed::new(&claimant.draw_key, &claimant.user, (0, 0), spec.name());
    let chain = Chain::begin(&whole, |factor| claimant.has_enrolled(factor), AttemptId::default(), &seed);
    chain.map(|chain| chain.next_batch().map(|step| step.factor.clone()).collect()).unwrap_or_default()
}

/// That the account is not the one that enrolled, if so.
fn other_account(
    store: &FileStore,
    request: &Request,
    claimant: &Claimant,
) -> Result<Option<String>, Failure> {
    let user = request.name();
    if !same_account(claimant.uid, request.uid()) {
        return Ok(Username::parse(user)
            .ok()
            .map(|user| another_account(user.as_str(), claimant.uid, request.uid())));
    }
    let holder = request.uid().map(|uid| store.holder_of(uid)).transpose()?.flatten();
    Ok(holder.filter(|holder| holder.as_str() != user).map(|holder| renamed(&holder, user)))
}

fn roll_out_holds(spec: &ChainSpec, now: UnixTime) -> bool {
    matches!(spec.unenrolled(), Unenrolled::ExemptUntil(deadline) if now < deadline)
}

fn files_of(store: &FileStore, request: &Request) -> Result<(UserRecord, Option<LoginState>), Failure> {
    let Some(user) = request.username() else { return Ok((UserRecord::default(), None)) };
    Ok((store.record(&user)?.unwrap_or_default(), store.login_state(&user)?))
}

/// The wait of the place that the login comes from, where one was named; else the longest of all.
fn throttled(
    state: &LoginState,
    request: &Request,
    throttle: &ThrottlePolicy,
    now: UnixTime,
) -> Option<String> {
    let wait = if request.rhost.is_some() || request.ruser.is_some() {
        let source = SourceKey::of(request, &state.draw_key);
        state.failures.clone().at(now).wait_seconds(source, Budget::Codes, throttle, now)
    } else {
        state.failures.longest_wait_seconds(throttle, now)
    };
    let failures = state.failures.total();
    (wait > 0).then(|| {
        format!(
            "throttled: {failures} failures stand, the next attempt is judged in {wait} s; `mfa-chain unlock` \
             ends the wait"
        )
    })
}

/// Why no code of `factor` is taken now, though it is enrolled.
fn unusable(factor: &Factor, record: &UserRecord, state: &LoginState, now: UnixTime) -> Option<String> {
    let credential = record.credential(factor)?;
    let next = state.next_acceptable(credential);
    let id = &factor.id;
    match (factor.kind, credential.step_at(now)) {
        (FactorKind::Hotp { .. }, None) if next == u64::MAX => Some(format!(
            "`{id}`: void since the login state was reset, until `mfa-chain resync` finds its counter"
        )),
        (FactorKind::Totp { window }, Some(step)) => {
            let highest = step.saturating_add(u64::from(window));
            (highest < next).then(|| {
                let seconds = seconds_of(credential, next.saturating_sub(highest));
                if state.mark(credential.id()).is_some_and(|mark| mark.by_reset) {
                    return format!("`{id}`: void since the login state was reset, for about {seconds} s");
                }
                format!(
                    "`{id}`: its codes are used up for about {seconds} s, or the clock of this host is behind"
                )
            })
        }
        _ => None,
    }
}

fn seconds_of(credential: &Credential, steps: u64) -> u64 {
    use crate::verifier::enrollment::OtpType;
    match credential.otp_type {
        OtpType::Totp(period) => period.seconds().saturating_mul(steps),
        OtpType::Hotp => 0,
    }
}
