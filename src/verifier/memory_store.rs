//! A store in memory, for tests and for programs that keep enrollments elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::enrollment::{Credential, UserRecord};
use super::otp::{NoRandomness, keyed_hash, keyed_number};
use super::ports::{Claimant, Committed, Enrollments, Store, StoreFailure};
use super::state::{DrawKey, LoginState};
use super::time::UnixTime;
use super::username::Username;

/// Keeps records and states in memory. Replay marks end with the process: a program that restarts must keep them
/// itself, or use a store on disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    draw_key: DrawKey,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    users: BTreeMap<String, (UserRecord, LoginState)>,
    /// States of names without an enrollment, by their places: the number is fixed, however many names are
    /// tried.
    decoys: BTreeMap<u64, LoginState>,
}

impl MemoryStore {
    /// Two names in one place change each other's draws, but nobody can find out which names share a place.
    const PLACES: u64 = 65_535;

    /// An empty store with a random draw key.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when the kernel gives no random bytes.
    pub fn random() -> Result<Self, NoRandomness> {
        Ok(Self::new(DrawKey::random()?))
    }

    /// An empty store whose draws depend on `draw_key`, which should be random.
    #[must_use]
    pub fn new(draw_key: DrawKey) -> Self {
        Self { draw_key, held: Mutex::default() }
    }

    /// Enrolls `user` with `record`. Keeps an existing login state: used codes of a key that is enrolled
    /// again stay used.
    pub fn enroll(&self, user: &str, record: UserRecord) {
        let state = self.fresh_state(user);
        let mut held = self.held();
        let state = held.users.remove(user).map_or(state, |(_, state)| state);
        held.users.insert(user.to_owned(), (record, state));
    }

    /// The state of `user`, as it would be on disk.
    #[must_use]
    pub fn state(&self, user: &str) -> Option<LoginState> {
        let held = self.held();
        let decoy = || held.decoys.get(&self.place_of(user)).cloned();
        held.users.get(user).map(|(_, state)| state.clone()).or_else(decoy)
    }

    fn fresh_state(&self, user: &str) -> LoginState {
        let draw_key = DrawKey(keyed_hash(&self.draw_key.0, &[user.as_bytes()]));
        LoginState { draw_key, ..LoginState::default() }
    }

    fn place_of(&self, user: &str) -> u64 {
        let number = keyed_number(&self.draw_key.0, &[b"place", user.as_bytes()]);
        number.checked_rem(Self::PLACES).unwrap_or(0)
    }

    /// The state of a name without an enrollment, as if enrolled.
    fn decoy_state(&self, held: &Held, user: &str) -> LoginState {
        let fresh = self.fresh_state(user);
        match held.decoys.get(&self.place_of(user)) {
            Some(state) => LoginState { draw_key: fresh.draw_key, ..state.clone() },
            None => fresh,
        }
    }

    /// Ignores the poison: a judgement that panicked left the state unchanged and reported no outcome.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        let held = self.held();
        let claimant = |uid, enrolled, state: LoginState| Claimant {
            user: user.to_owned(),
            uid,
            enrolled,
            failures: state.failures,
            draw_key: state.draw_key,
        };
        Ok(match held.users.get(user) {
            Some((record, state)) => {
                let enrolled =
                    record.credentials().iter().map(|it| (it.factor.clone(), it.otp_type)).collect();
                claimant(record.uid(), enrolled, state.clone())
            }
            None => claimant(None, Vec::new(), self.decoy_state(&held, user)),
        })
    }

    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure> {
        let held = self.held();
        let mut holders = held
            .users
            .iter()
            .filter(|(_, (record, _))| record.uid() == Some(uid) && !record.credentials().is_empty());
        Ok(holders.next().map(|(user, _)| user.clone()))
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        let mut held = self.held();
        let user = claimant.user.as_str();
        let outcome = if let Some((record, state)) = held.users.get_mut(user) {
            let mut judged = state.clone();
            let outcome = judge(record, &mut judged);
            *state = judged;
            outcome
        } else {
            let mut state = self.decoy_state(&held, user);
            let outcome = judge(&UserRecord::default(), &mut state);
            held.decoys.insert(self.place_of(user), state);
            outcome
        };
        Ok(Committed::assertion(outcome))
    }
}

impl Enrollments for MemoryStore {
    fn enrollment(&self, user: &Username) -> Result<Option<(UserRecord, LoginState)>, StoreFailure> {
        Ok(self.held().users.get(user.as_str()).map(copied))
    }

    fn change_record<E: From<StoreFailure>>(
        &self,
        user: &Username,
        change: impl FnOnce(UserRecord) -> Result<UserRecord, E>,
    ) -> Result<(), E> {
        let mut held = self.held();
        let known = held.users.get(user.as_str()).map(copied);
        let (record, state) =
            known.unwrap_or_else(|| (UserRecord::default(), self.fresh_state(user.as_str())));
        let changed = change(record)?;
        held.users.insert(user.as_str().to_owned(), (changed, state));
        Ok(())
    }

    fn set_counter(
        &self,
        user: &Username,
        credential: &Credential,
        next: u64,
        now: UnixTime,
    ) -> Result<(), StoreFailure> {
        if let Some((_, state)) = self.held().users.get_mut(user.as_str()) {
            state.set_counter(credential, next, now);
        }
        Ok(())
    }
}

fn copied((record, state): &(UserRecord, LoginState)) -> (UserRecord, LoginState) {
    (record.copied(), state.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(store: &MemoryStore, user: &str) -> u64 {
        let claimant = store.find(user).expect("a claimant");
        let judged = store.update(&claimant, |_, state| {
            let draw = &mut state.failures.strangers.draw;
            *draw = draw.saturating_add(1);
            *draw
        });
        judged.expect("judged").into_inner()
    }

    #[test]
    fn however_many_names_are_tried_no_more_states_are_kept_than_there_are_places() {
        let store = MemoryStore::new(DrawKey([7; 32]));
        for name in 0..70_000 {
            judge(&store, &format!("nobody-{name}"));
        }
        let held = store.held();
        assert!(held.users.is_empty() && held.decoys.len() <= 65_535, "{}", held.decoys.len());
    }

    #[test]
    fn a_name_that_nobody_enrolled_keeps_its_count_and_its_draws() {
        let store = MemoryStore::new(DrawKey([7; 32]));
        let key = store.find("mallory").expect("a claimant").draw_key;
        assert_eq!([judge(&store, "mallory"), judge(&store, "mallory")], [1, 2]);
        assert!(store.find("mallory").expect("a claimant").draw_key == key);
        assert!(store.find("eve").expect("a claimant").draw_key != key);
    }

    /// A program that enrolls a key again must not make its used codes good.
    #[test]
    fn a_record_that_is_replaced_leaves_the_state() {
        let store = MemoryStore::new(DrawKey([7; 32]));
        store.enroll("alice", UserRecord::default());
        judge(&store, "alice");
        store.enroll("alice", UserRecord::default());
        assert_eq!(judge(&store, "alice"), 2);
    }
}
