//! Whether a user passed a chain since a moment: what shows that a change locks nobody out.

use serde::{Deserialize, Serialize};

use crate::store::FileStore;
use crate::verifier::accounts::Accounts;
use crate::verifier::ports::Enrollments;
use crate::verifier::request::Request;
use crate::verifier::state::{LoginState, NameKey, OutcomeNumber, PastOutcome, SourceKey};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// A user whose login counts, and what the login state last held of that user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The name of the account.
    pub user: String,
    last: Option<[u64; 5]>,
}

impl Witness {
    /// Notes what the login state of `user` holds now.
    #[must_use]
    pub fn of(user: &str, store: &FileStore, accounts: &dyn Accounts) -> Self {
        let user =
            accounts.account(user).ok().flatten().map_or_else(|| user.to_owned(), |account| account.name);
        let last = state_of(&user, store).and_then(|state| state.outcomes.last().map(mark));
        Self { user, last }
    }

    /// Whether the user passed a chain since then, after `began`. With `service` only through that service, and not by
    /// a rehearsal, which tells no source.
    #[must_use]
    pub fn has_passed(&self, store: &FileStore, began: UnixTime, service: Option<&str>) -> bool {
        let Some(state) = state_of(&self.user, store) else { return false };
        let known = self.last.and_then(|last| state.outcomes.iter().position(|past| mark(past) == last));
        let later: Vec<&PastOutcome> = match known {
            Some(place) => state.outcomes.iter().skip(place.saturating_add(1)).collect(),
            // Pushed out by newer ones, or there was none.
            None => state.outcomes.iter().filter(|past| self.last.is_none() || past.at > began).collect(),
        };
        let local = |service: &str| SourceKey::of(&Request::local(service, ""), &state.draw_key);
        let counts = |past: &PastOutcome| {
            let is_there = |service: &str| {
                let told = !WITH_SOURCE.contains(&service) || past.source != local(service);
                told && past.service == NameKey::of_service(service, &state.draw_key)
            };
            past.step == past.steps && past.at >= began && service.is_none_or(is_there)
        };
        later.iter().any(|end| counts(end) && is_whole(end, &later))
    }
}

/// Whether each step of the attempt that ended so was accepted: a chain that conceals which code was wrong judges them
/// all.
fn is_whole(end: &PastOutcome, outcomes: &[&PastOutcome]) -> bool {
    let accepted = OutcomeNumber::of(None);
    let same = |past: &&&PastOutcome| {
        (past.attempt, past.source, past.service, past.steps)
            == (end.attempt, end.source, end.service, end.steps)
    };
    (1..=end.steps).all(|step| {
        let newest = outcomes.iter().rev().filter(same).find(|past| past.step == step);
        newest.is_some_and(|past| past.outcome == accepted)
    })
}

/// Services that say who runs them or from where, which a rehearsal does not.
const WITH_SOURCE: [&str; 5] = ["sshd", "sudo", "sudo-i", "su", "su-l"];

fn state_of(user: &str, store: &FileStore) -> Option<LoginState> {
    let user = Username::parse(user).ok()?;
    Enrollments::enrollment(store, &user).ok().flatten().map(|(_, state)| state)
}

fn mark(past: &PastOutcome) -> [u64; 5] {
    [
        past.at.seconds(),
        past.attempt.to_number(),
        past.step.into(),
        past.outcome.to_number().into(),
        past.service.to_number(),
    ]
}
