//! Counts failed chains, so that a guesser has to wait and the user does not. RFC 4226 §7.3 wants a limit that spans
//! sessions, so the counts are part of the login state.
//!
//! Each source that a user logged in from lately has a lane of its own. All other sources share one lane. A guesser
//! elsewhere makes strangers wait, but not the user at the usual place. A success does not reduce the count of
//! strangers, which falls only by one a day. In a known lane a success gives back a few tries of the chain that was
//! passed, or of an easier one, so a guesser at the user's own place gains little from the user's logins.

use std::net::IpAddr;

use super::draw_key::DrawKey;
use crate::verifier::otp::keyed_number;
use crate::verifier::policy::ThrottlePolicy;
use crate::verifier::request::Request;
use crate::verifier::time::UnixTime;

/// The counts of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureCounts {
    /// Sources that are not known.
    pub strangers: Lane,
    /// What sshd sends in place of answers, from anywhere.
    pub fillers: Lane,
    /// Sources the user logged in from, the most recent last.
    pub known: Vec<KnownSource>,
}

/// The failures and the draw of one known source, or of all unknown sources together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The number of the draw that is open here. It moves when a failure is charged or, at a known place, a chain is
    /// passed.
    pub draw: u64,
    /// Failures that stand, by chain.
    pub chains: Vec<ChainFailures>,
    /// When the last one was; meaningless while there is none.
    pub last_at: UnixTime,
    /// The day that the next three are about: days since 1970-01-01 (UTC).
    pub day: u64,
    /// Failures with codes.
    pub today: u32,
    /// How many were given back by successes.
    pub forgiven: u32,
    /// Failures with recovery codes.
    pub recovery: u32,
}

/// Failures of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainFailures {
    /// Which chain.
    pub chain: ChainMark,
    /// How many stand.
    pub count: u32,
}

/// A source that a chain was passed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSource {
    /// Which source.
    pub key: SourceKey,
    /// When a chain was last passed from there.
    pub success_at: UnixTime,
    /// What failed there.
    pub lane: Lane,
}

/// What was typed, which decides what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Codes. They can be guessed, so failures bring waits.
    Codes,
    /// Recovery codes. They have 120 bits, so waits would add nothing, and a user who has to wait can use one.
    RecoveryCodes,
    /// The filler that sshd sends for users whom it bars. Nobody guesses with it, and such a user must see the same
    /// as others.
    Fillers,
}

/// A chain, as failures know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainMark {
    /// Which one, as a keyed hash of its name.
    pub key: u64,
    /// How hard one guess is: bits, rounded down.
    pub hardness: u8,
}

/// A source as it is stored: a number from which nobody learns the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceKey(u64);

const SECONDS_A_DAY: u64 = 86_400;
const KNOWN_FOR_SECONDS: u64 = 30 * SECONDS_A_DAY;

impl SourceKey {
    /// The source of a request. That is the address (of IPv6 the network of 64 bits, which one subscriber has) or the
    /// name of the remote host. For a local login it is the user who runs the application, or the service. The
    /// source only chooses the count. It permits nothing.
    #[must_use]
    pub fn of(request: &Request, key: &DrawKey) -> Self {
        let source = match (&request.rhost, &request.ruser) {
            (Some(rhost), _) => match rhost.parse::<IpAddr>().map(|address| address.to_canonical()) {
                Ok(IpAddr::V6(address)) => format!("net {:x}", address.to_bits() >> 64),
                Ok(IpAddr::V4(address)) => format!("addr {address}"),
                Err(_) => format!("host {rhost}"),
            },
            (None, Some(ruser)) => format!("user {ruser}"),
            // Each service of this host has a source of its own, so that a guesser at one service does not block the others.
            (None, None) => format!("local {}", request.service),
        };
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
    /// The most known sources; of those without failures the one unused for longest goes first.
    pub const MAX_KNOWN: usize = 12;

    /// Every failure with codes that stands, over all sources.
    #[must_use]
    pub fn total(&self) -> u32 {
        let known = self.known.iter().map(|source| source.lane.failures());
        known.fold(self.strangers.failures(), u32::saturating_add)
    }

    /// Failures with recovery codes today, over all sources.
    #[must_use]
    pub fn recovery_today(&self) -> u32 {
        let known = self.known.iter().map(|source| source.lane.recovery);
        known.fold(self.strangers.recovery, u32::saturating_add)
    }

    /// The number of the draw that is open for `source`, and a number of its lane to tell draws apart.
    #[must_use]
    pub fn draw(&self, source: SourceKey, now: UnixTime) -> (u64, u64) {
        let known = self.known.iter().find(|known| known.is_at(source, now));
        known.map_or((0, self.strangers.draw), |known| (known.key.0, known.lane.draw))
    }

    /// Seconds from `now` until answers of the kind `budget` are judged again from `source`; 0 if they are judged now.
    #[must_use]
    pub fn wait_seconds(
        &self,
        source: SourceKey,
        budget: Budget,
        throttle: &ThrottlePolicy,
        now: UnixTime,
    ) -> u64 {
        let known = self.known.iter().find(|known| known.is_at(source, now));
        match (budget, known) {
            (Budget::RecoveryCodes, _) => 0,
            (Budget::Fillers, _) => {
                self.fillers.wait_seconds(throttle, throttle.failures_of_strangers(), now)
            }
            (Budget::Codes, Some(known)) => known.lane.wait_seconds(throttle, throttle.failures_a_day(), now),
            (Budget::Codes, None) => {
                self.strangers.wait_seconds(throttle, throttle.failures_of_strangers(), now)
            }
        }
    }

    /// The longest wait of any source, for reports.
    #[must_use]
    pub fn longest_wait_seconds(&self, throttle: &ThrottlePolicy, now: UnixTime) -> u64 {
        let counts = self.clone().at(now);
        let known = counts
            .known
            .iter()
            .map(|source| source.lane.wait_seconds(throttle, throttle.failures_a_day(), now));
        known.max().unwrap_or(0).max(counts.strangers.wait_seconds(
            throttle,
            throttle.failures_of_strangers(),
            now,
        ))
    }

    /// Counts one failed try at `chain`.
    pub fn charge(&mut self, source: SourceKey, budget: Budget, chain: ChainMark, now: UnixTime) {
        match budget {
            Budget::RecoveryCodes => {
                let lane = self.lane_of(source, now);
                lane.recovery = lane.recovery.saturating_add(1);
                return;
            }
            Budget::Codes => self.lane_of(source, now).charge(chain, now),
            Budget::Fillers => self.fillers.charge(chain, now),
        }
        let draw = &mut self.lane_of(source, now).draw;
        *draw = draw.wrapping_add(1);
    }

    /// `chain` was passed from `source`, which is known from now on. The counts of others stand, or each login of the
    /// user would give a guesser elsewhere a fresh start.
    pub fn pass(&mut self, source: SourceKey, chain: ChainMark, now: UnixTime) {
        let place = self.known.iter().position(|known| known.key == source);
        let place = place.or_else(|| self.place_to_leave());
        // The new source takes over the lane of the one that it displaces, so that those failures still count.
        let lane = place.map(|place| self.known.remove(place).lane);
        let mut lane = lane.unwrap_or_else(|| Lane { day: days(now), ..Lane::default() });
        lane.forgive(chain);
        lane.draw = lane.draw.wrapping_add(1);
        self.known.push(KnownSource { key: source, success_at: now, lane });
    }

    /// When a chain was passed from `source`, if none was passed from elsewhere since.
    #[must_use]
    pub fn last_passed_from(&self, source: SourceKey, now: UnixTime) -> Option<UnixTime> {
        self.known.last().filter(|known| known.is_at(source, now)).map(|known| known.success_at)
    }

    /// Forgets every failure; the sources stay known and the draws as they are.
    pub fn forget(&mut self) {
        for lane in self.lanes() {
            *lane = Lane { draw: lane.draw, ..Lane::default() };
        }
    }

    /// The same counts at `now`: each new day takes one failure away, and what a clock that once stood ahead left in
    /// the future is moved to the present, so that it locks nobody out for longer than the wait itself. Nothing
    /// becomes more permissive by a clock that is turned back.
    #[must_use]
    pub fn at(mut self, now: UnixTime) -> Self {
        for lane in self.lanes() {
            lane.move_to(now);
        }
        for known in &mut self.known {
            known.success_at = known.success_at.min(now);
        }
        self
    }

    /// The known source that goes for a new one: of those with the fewest failures the one unused for longest. A place
    /// where somebody guesses stays, or the user's logins elsewhere would give the guesser fresh starts.
    fn place_to_leave(&self) -> Option<usize> {
        let places = (0..).zip(&self.known).filter(|_| self.known.len() >= Self::MAX_KNOWN);
        places.min_by_key(|(_, known)| known.lane.failures()).map(|(place, _)| place)
    }

    fn lanes(&mut self) -> impl Iterator<Item = &mut Lane> {
        let known = self.known.iter_mut().map(|known| &mut known.lane);
        [&mut self.strangers, &mut self.fillers].into_iter().chain(known)
    }

    fn lane_of(&mut self, source: SourceKey, now: UnixTime) -> &mut Lane {
        let known = self.known.iter_mut().find(|known| known.is_at(source, now));
        known.map_or(&mut self.strangers, |known| &mut known.lane)
    }
}

impl KnownSource {
    fn is_at(&self, source: SourceKey, now: UnixTime) -> bool {
        self.key == source && now.seconds_since(self.success_at) < KNOWN_FOR_SECONDS
    }
}

impl Lane {
    /// The most chains with a count of their own in one lane.
    pub const MAX_CHAINS: usize = 3;
    /// How many failures one success gives back.
    pub const FORGIVEN_AT_ONCE: u32 = 3;
    /// How many failures all successes of a day give back.
    pub const FORGIVEN_A_DAY: u32 = 6;

    /// Failures that stand.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.chains.iter().map(|chain| chain.count).fold(0, u32::saturating_add)
    }

    /// Seconds from `now` until codes are judged again here, with so many failures a day; 0 if they are judged now.
    ///
    /// While the clock stands before the last failure the whole wait is still to come: a clock that was turned back
    /// never makes the throttle more permissive.
    fn wait_seconds(&self, throttle: &ThrottlePolicy, a_day: u32, now: UnixTime) -> u64 {
        let wait =
            throttle.wait_seconds_after(self.failures()).saturating_sub(now.seconds_since(self.last_at));
        let tomorrow = UnixTime::from_seconds(self.day.saturating_add(1).saturating_mul(SECONDS_A_DAY));
        wait.max(if self.today >= a_day { tomorrow.seconds_since(now) } else { 0 })
    }

    fn charge(&mut self, chain: ChainMark, now: UnixTime) {
        self.today = self.today.saturating_add(1);
        self.last_at = now;
        let same = self.chains.iter().position(|known| known.chain.key == chain.key);
        let full = self.chains.len() >= Self::MAX_CHAINS;
        let hardest =
            (0..).zip(&self.chains).max_by_key(|(_, known)| known.chain.hardness).map(|(place, _)| place);
        // Where there is no room it is counted where it is forgiven last.
        match same.or(hardest.filter(|_| full)).and_then(|place| self.chains.get_mut(place)) {
            Some(known) => {
                known.count = known.count.saturating_add(1);
                known.chain.hardness = known.chain.hardness.max(chain.hardness);
                known.chain.key = if same.is_some() { known.chain.key } else { 0 };
            }
            None => self.chains.push(ChainFailures { chain, count: 1 }),
        }
    }

    /// Gives back a few failures of `chain`, which was passed, or of easier ones.
    fn forgive(&mut self, chain: ChainMark) {
        let left_today = Self::FORGIVEN_A_DAY.saturating_sub(self.forgiven);
        let mut left = Self::FORGIVEN_AT_ONCE.min(left_today);
        for known in &mut self.chains {
            if known.chain.key == chain.key || known.chain.hardness < chain.hardness {
                let taken = left.min(known.count);
                known.count = known.count.saturating_sub(taken);
                left = left.saturating_sub(taken);
                self.forgiven = self.forgiven.saturating_add(taken);
            }
        }
        self.chains.retain(|known| known.count > 0);
    }

    fn move_to(&mut self, now: UnixTime) {
        self.last_at = self.last_at.min(now);
        let today = days(now);
        if self.day < today {
            let mut passed = u32::try_from(today.saturating_sub(self.day)).unwrap_or(u32::MAX);
            for known in &mut self.chains {
                let taken = passed.min(known.count);
                known.count = known.count.saturating_sub(taken);
                passed = passed.saturating_sub(taken);
            }
            self.chains.retain(|known| known.count > 0);
            (self.today, self.forgiven, self.recovery) = (0, 0, 0);
        }
        self.day = today;
    }
}

const fn days(time: UnixTime) -> u64 {
    time.seconds() / SECONDS_A_DAY
}
