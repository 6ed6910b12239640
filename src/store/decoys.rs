//! Login states of names that nobody enrolled, so that they behave as enrolled ones do.
//!
//! A host keeps [`BUCKETS`] tables of [`DecoyTable::MAX_ENTRIES`] names each. A name that was pushed out starts
//! afresh; until then its draws and waits move as those of an enrolled user would.

use super::layout::{Reader, Writer};
use crate::verifier::failures::{FailureCounts, Failures};
use crate::verifier::keyed_hash::{keyed_hash, keyed_number};
use crate::verifier::login_state::{DrawKey, LoginState};
use crate::verifier::time::UnixTime;

/// How many tables there are.
pub const BUCKETS: u8 = 64;

/// The file name of the table that `user` falls into.
#[must_use]
pub fn bucket_of(user: &str) -> String {
    let [first, ..] = keyed_hash(b"mfa-chain decoy bucket v1", &[user.as_bytes()]);
    bucket_name(first % BUCKETS)
}

/// The file name of a table.
#[must_use]
pub fn bucket_name(number: u8) -> String {
    format!("{number:02x}")
}

/// States of names in one bucket, the most recently used last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoyTable {
    key: DrawKey,
    entries: Vec<Decoy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decoy {
    fingerprint: u64,
    attempt: u64,
    failures: Failures,
}

impl Decoy {
    fn failures(&self) -> FailureCounts {
        FailureCounts { strangers: self.failures, ..FailureCounts::default() }
    }
}

impl DecoyTable {
    /// The most names of one table.
    pub const MAX_ENTRIES: usize = 128;

    /// An empty table. `key` is random and hides which names are in it.
    #[must_use]
    pub const fn new(key: DrawKey) -> Self {
        Self { key, entries: Vec::new() }
    }

    /// The state that `user` has, as if enrolled.
    #[must_use]
    pub fn state_of(&self, user: &str) -> LoginState {
        let fingerprint = self.fingerprint(user);
        let known = self.entries.iter().find(|entry| entry.fingerprint == fingerprint);
        LoginState {
            attempt: known.map_or(0, |entry| entry.attempt),
            failures: known.map_or_else(FailureCounts::default, Decoy::failures),
            draw_key: DrawKey(keyed_hash(&self.key.0, &[b"draw", user.as_bytes()])),
            ..LoginState::default()
        }
    }

    /// Keeps the state of `user`; drops the name unused for longest where there is no room.
    pub fn keep(&mut self, user: &str, state: &LoginState) {
        let fingerprint = self.fingerprint(user);
        self.entries.retain(|entry| entry.fingerprint != fingerprint);
        while self.entries.len() >= Self::MAX_ENTRIES {
            self.entries.remove(0);
        }
        // Nobody logs in under such a name, so every source is a stranger's; and the schedule alone lets fewer
        // than the cap of a day pass.
        self.entries.push(Decoy { fingerprint, attempt: state.attempt, failures: state.failures.strangers });
    }

    fn fingerprint(&self, user: &str) -> u64 {
        keyed_number(&self.key.0, &[b"name", user.as_bytes()])
    }

    /// The key in it.
    pub(super) const fn key(&self) -> &DrawKey {
        &self.key
    }

    pub(super) fn encode(&self, writer: &mut Writer) -> Option<()> {
        writer.bytes(&self.key.0).u16(u16::try_from(self.entries.len()).ok()?);
        for entry in &self.entries {
            writer.u64(entry.fingerprint).u64(entry.attempt);
            writer.u32(entry.failures.count).u64(entry.failures.last_at.seconds());
        }
        Some(())
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let key = DrawKey(reader.array()?);
        let count = usize::from(reader.u16()?);
        if count > Self::MAX_ENTRIES {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(Decoy {
                fingerprint: reader.u64()?,
                attempt: reader.u64()?,
                failures: Failures { count: reader.u32()?, last_at: UnixTime::from_seconds(reader.u64()?) },
            });
        }
        Some(Self { key, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u64) -> LoginState {
        LoginState {
            attempt: number,
            failures: FailureCounts {
                strangers: Failures::default().and_one(UnixTime::from_seconds(number)),
                ..FailureCounts::default()
            },
            ..LoginState::default()
        }
    }

    #[test]
    fn a_name_keeps_its_state_until_as_many_others_as_fit_came_after_it() {
        let mut table = DecoyTable::new(DrawKey([1; 32]));
        table.keep("first", &attempt(7));
        for number in 1..DecoyTable::MAX_ENTRIES {
            table.keep(&format!("user{number}"), &attempt(1));
        }
        assert_eq!(table.state_of("first").attempt, 7);
        table.keep("one more", &attempt(1));
        assert_eq!(table.state_of("first").attempt, 0);
        assert_eq!(table.state_of("user1").attempt, 1);
    }

    #[test]
    fn a_full_table_reads_back_as_it_was_written() {
        let mut table = DecoyTable::new(DrawKey([1; 32]));
        for number in 0..200 {
            table.keep(&format!("user{number}"), &attempt(number));
        }
        let mut writer = Writer::default();
        table.encode(&mut writer).expect("it fits");
        let bytes = writer.into_bytes();
        assert_eq!(DecoyTable::decode(&mut Reader::new(&bytes)), Some(table));
    }

    #[test]
    fn every_name_falls_into_a_table_that_exists() {
        let tables: Vec<String> = (0..BUCKETS).map(bucket_name).collect();
        for number in 0..1000 {
            assert!(tables.contains(&bucket_of(&format!("user{number}"))));
        }
    }
}
