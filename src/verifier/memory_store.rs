//! A store in memory, for tests and for programs that keep enrolments elsewhere.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::keyed_hash::keyed_hash;
use super::login_state::{DrawKey, LoginState};
use super::ports::{Claimant, Committed, Store, StoreFailure};
use super::record::UserRecord;

/// Keeps records and states in memory. Replay marks end with the process, so a program that restarts must
/// keep them itself or use a store on disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    draw_key: DrawKey,
    users: RefCell<BTreeMap<String, (UserRecord, LoginState)>>,
}

impl MemoryStore {
    /// An empty store whose draws follow from `draw_key`, which should be random.
    #[must_use]
    pub fn new(draw_key: DrawKey) -> Self {
        Self { draw_key, users: RefCell::default() }
    }

    /// Enrols `user` with `record`, with a fresh state.
    pub fn enrol(&self, user: &str, record: UserRecord) {
        let state = self.fresh_state(user);
        self.users.borrow_mut().insert(user.to_owned(), (record, state));
    }

    /// The state of `user`, as it would be on disk.
    #[must_use]
    pub fn state(&self, user: &str) -> Option<LoginState> {
        self.users.borrow().get(user).map(|(_, state)| state.clone())
    }

    fn fresh_state(&self, user: &str) -> LoginState {
        let draw_key = DrawKey(keyed_hash(&self.draw_key.0, &[user.as_bytes()]));
        LoginState { draw_key, ..LoginState::default() }
    }
}

impl Store for MemoryStore {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        let mut users = self.users.borrow_mut();
        let unknown = || (UserRecord::default(), self.fresh_state(user));
        let (record, state) = users.entry(user.to_owned()).or_insert_with(unknown);
        let enrolled = record.credentials().iter().map(|it| (it.factor.clone(), it.moving)).collect();
        let (uid, user) = (record.uid(), user.to_owned());
        Ok(Claimant { user, uid, enrolled, failures: state.failures.clone(), draw_key: state.draw_key })
    }

    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure> {
        let users = self.users.borrow();
        let mut holders = users
            .iter()
            .filter(|(_, (record, _))| record.uid() == Some(uid) && !record.credentials().is_empty());
        Ok(holders.next().map(|(user, _)| user.clone()))
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        let mut users = self.users.borrow_mut();
        let (record, state) =
            users.get_mut(&claimant.user).ok_or_else(|| StoreFailure("no such claimant".to_owned()))?;
        Ok(Committed::assertion(judge(record, state)))
    }
}
