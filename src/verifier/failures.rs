//! Failed chains, counted so that nobody can guess on and nobody can be kept out (RFC 4226 §7.3: the limit spans
//! sessions, so the counts are kept with the login state).
//!
//! Sources that a user logged in from lately have a count each; all others share one. Whoever hammers from
//! elsewhere makes strangers wait, not the user at the usual place. A cap per day holds over all of them.

use std::net::IpAddr;

use super::keyed_hash::keyed_number;
use super::login_state::DrawKey;
use super::policy::ThrottlePolicy;
use super::request::Request;
use super::time::UnixTime;

/// The counts of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureCounts {
    /// Failures from sources that are not known.
    pub strangers: Failures,
    /// Sources the user logged in from lately, the most recent last.
    pub known: Vec<KnownSource>,
    /// Failures of this day.
    pub today: DayCount,
}

/// Consecutive failed chains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many since the last success.
    pub count: u32,
    /// When the last one was; meaningless while `count` is 0.
    pub last_at: UnixTime,
}

/// A source with a success in the last thirty days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownSource {
    /// Which source.
    pub key: SourceKey,
    /// Failures from there since the last success from there.
    pub failures: Failures,
    /// When a chain was last passed from there.
    pub success_at: UnixTime,
}

/// Failures of one day (UTC), whatever succeeded in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCount {
    /// Days since 1970-01-01.
    pub day: u64,
    /// From sources that are not known.
    pub strangers: u32,
    /// From anywhere, with codes.
    pub codes: u32,
    /// From anywhere, with recovery codes.
    pub recovery: u32,
}

/// What was typed, which decides the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Codes: guessable, so failures bring waits.
    Codes,
    /// Recovery codes: 120 bits, so waits add nothing, and they are the way in for a user who has to wait.
    RecoveryCodes,
}

/// A source as it is stored: a number that tells nothing of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceKey(u64);

const SECONDS_A_DAY: u64 = 86_400;
const KNOWN_FOR_SECONDS: u64 = 30 * SECONDS_A_DAY;

impl SourceKey {
    /// The source of a request: the address (of IPv6 the network of 64 bits, which one subscriber has), the name
    /// of the remote host, or for a local login who runs the application. It only chooses the count; it permits
    /// nothing.
    #[must_use]
    pub fn of(request: &Request, key: &DrawKey) -> Self {
        let source = match (&request.rhost, &request.ruser) {
            (Some(rhost), _) => match rhost.parse::<IpAddr>().map(|address| address.to_canonical()) {
                Ok(IpAddr::V6(address)) => format!("net {:x}", address.to_bits() >> 64),
                Ok(IpAddr::V4(address)) => format!("addr {address}"),
                Err(_) => format!("host {rhost}"),
            },
            (None, Some(ruser)) => format!("user {ruser}"),
            (None, None) => "local".to_owned(),
        };
        #[cfg(mfa_fault = "one-count")]
        let source = String::new();
        Self(keyed_number(&key.0, &[b"source", source.as_bytes()]))
    }

    /// The number as it is stored.
    #[must_use]
    pub const fn to_number(self) -> u64 {
        self.0
    }

    /// The source stored as `number`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl FailureCounts {
    /// The most sources with a count of their own; the one unused for longest goes first.
    pub const MAX_KNOWN: usize = 8;
    /// Failed tries with recovery codes in a day before the next day has to come. Only load asks for a limit: so
    /// many tries at ten codes of 120 bits hit one with a probability below 10⁻³⁰.
    pub const RECOVERY_CODES_A_DAY: u32 = 100_000;

    /// Every failure that stands, over all sources.
    #[must_use]
    pub fn total(&self) -> u32 {
        let known = self.known.iter().map(|source| source.failures.count);
        known.fold(self.strangers.count, u32::saturating_add)
    }

    /// Seconds from `now` until an attempt from `source` with what `budget` says is judged again; 0 when it is.
    #[must_use]
    pub fn wait_seconds(
        &self,
        source: SourceKey,
        budget: Budget,
        throttle: &ThrottlePolicy,
        now: UnixTime,
    ) -> u64 {
        let cap = throttle.failures_a_day();
        let (spent, failures) = match (budget, self.known_at(source, now)) {
            (Budget::RecoveryCodes, _) => {
                return self.until_tomorrow(self.today.recovery >= Self::RECOVERY_CODES_A_DAY, now);
            }
            (Budget::Codes, Some(known)) => (self.today.codes >= cap, known.failures),
            // Strangers get half of the cap, so that they never use up what the user's own places have.
            (Budget::Codes, None) => (self.today.strangers >= cap.div_ceil(2), self.strangers),
        };
        failures.remaining_wait_seconds(throttle, now).max(self.until_tomorrow(spent, now))
    }

    /// The longest wait of anybody, for those who look.
    #[must_use]
    pub fn longest_wait_seconds(&self, throttle: &ThrottlePolicy, now: UnixTime) -> u64 {
        let counts = self.known.iter().map(|source| source.failures).chain([self.strangers]);
        let waits = counts.map(|failures| failures.anchored(now).remaining_wait_seconds(throttle, now));
        waits.max().unwrap_or(0).max(self.until_tomorrow(self.today.codes >= throttle.failures_a_day(), now))
    }

    /// Counts one failed chain.
    pub fn charge(&mut self, source: SourceKey, budget: Budget, now: UnixTime) {
        if budget == Budget::RecoveryCodes {
            self.today.recovery = self.today.recovery.saturating_add(1);
            return;
        }
        self.today.codes = self.today.codes.saturating_add(1);
        if let Some(known) = self.known.iter_mut().find(|known| known.is_at(source, now)) {
            known.failures = known.failures.and_one(now);
        } else {
            self.strangers = self.strangers.and_one(now);
            self.today.strangers = self.today.strangers.saturating_add(1);
        }
    }

    /// A chain was passed from `source`: its count is cleared, and it is known from now on. The counts of others
    /// stand, or each login of the user would give a guesser elsewhere a fresh start.
    pub fn pass(&mut self, source: SourceKey, now: UnixTime) {
        if self.known_at(source, now).is_none() {
            self.strangers = Failures::default();
        }
        self.known.retain(|known| known.key != source);
        while self.known.len() >= Self::MAX_KNOWN {
            self.known.remove(0);
        }
        self.known.push(KnownSource { key: source, failures: Failures::default(), success_at: now });
    }

    /// When a chain was passed from `source`, if none was passed from elsewhere since.
    #[must_use]
    pub fn last_passed_from(&self, source: SourceKey, now: UnixTime) -> Option<UnixTime> {
        self.known.last().filter(|known| known.is_at(source, now)).map(|known| known.success_at)
    }

    /// Forgets every failure; the sources stay known.
    pub fn forget(&mut self) {
        self.strangers = Failures::default();
        self.today = DayCount::default();
        for known in &mut self.known {
            known.failures = Failures::default();
        }
    }

    /// The same counts at `now`: a new day begins at none, and what a clock that once stood ahead left in the
    /// future is moved to the present, so that it locks nobody out for longer than the wait itself. Nothing
    /// becomes more permissive by a clock that is turned back.
    #[must_use]
    pub fn at(mut self, now: UnixTime) -> Self {
        self.strangers = self.strangers.anchored(now);
        for known in &mut self.known {
            known.failures = known.failures.anchored(now);
            known.success_at = known.success_at.min(now);
        }
        let day = now.seconds() / SECONDS_A_DAY;
        if self.today.day < day {
            self.today = DayCount { day, ..DayCount::default() };
        }
        self.today.day = day;
        self
    }

    fn known_at(&self, source: SourceKey, now: UnixTime) -> Option<&KnownSource> {
        self.known.iter().find(|known| known.is_at(source, now))
    }

    fn until_tomorrow(&self, spent: bool, now: UnixTime) -> u64 {
        let tomorrow = self.today.day.saturating_add(1).saturating_mul(SECONDS_A_DAY);
        if spent { UnixTime::from_seconds(tomorrow).seconds_since(now) } else { 0 }
    }
}

impl KnownSource {
    fn is_at(&self, source: SourceKey, now: UnixTime) -> bool {
        self.key == source && now.seconds_since(self.success_at) < KNOWN_FOR_SECONDS
    }
}

impl Failures {
    /// Counts one more.
    #[must_use]
    pub const fn and_one(self, now: UnixTime) -> Self {
        Self { count: self.count.saturating_add(1), last_at: now }
    }

    /// Seconds from `now` until an attempt is judged again; 0 when it is.
    ///
    /// While the clock stands before the last failure the whole wait is still to come: a clock that was
    /// turned back never makes the throttle more permissive.
    #[must_use]
    pub fn remaining_wait_seconds(self, throttle: &ThrottlePolicy, now: UnixTime) -> u64 {
        throttle.wait_seconds_after(self.count).saturating_sub(now.seconds_since(self.last_at))
    }

    /// The same failures with a last one in the future moved to `now`.
    #[must_use]
    pub fn anchored(self, now: UnixTime) -> Self {
        Self { last_at: self.last_at.min(now), ..self }
    }
}
