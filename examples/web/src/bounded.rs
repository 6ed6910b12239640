//! What a server keeps for a while, never more of it than it can bear.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A map whose entries end `lifetime` after they were put in. When it is full, the oldest entry makes room: a flood
/// ends what others have begun, and is over when it is over.
#[derive(Debug)]
pub struct Bounded<K, V> {
    most: usize,
    lifetime: Duration,
    held: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    /// An empty map for at most `most` entries.
    pub fn new(most: usize, lifetime: Duration) -> Self {
        Self { most, lifetime, held: Mutex::default() }
    }

    /// Puts `value` under `key`, in place of what was there.
    pub fn insert(&self, key: K, value: V) {
        let mut held = self.held();
        self.make_room(&mut held, &key);
        held.insert(key, (Instant::now(), value));
    }

    /// Puts `value` under `key` unless something is there; says whether it did.
    pub fn insert_new(&self, key: K, value: V) -> bool {
        let mut held = self.held();
        self.make_room(&mut held, &key);
        if held.contains_key(&key) {
            return false;
        }
        held.insert(key, (Instant::now(), value));
        true
    }

    /// Removes what is under `key` and hands it over: of two who ask, one gets it.
    pub fn take(&self, key: &K) -> Option<V> {
        let (begun, value) = self.held().remove(key)?;
        self.lives(begun).then_some(value)
    }

    /// What `look` sees of the entry under `key`.
    pub fn read<T>(&self, key: &K, look: impl FnOnce(&V) -> T) -> Option<T> {
        self.held().get(key).filter(|(begun, _)| self.lives(*begun)).map(|(_, value)| look(value))
    }

    fn make_room(&self, held: &mut HashMap<K, (Instant, V)>, key: &K) {
        if held.get(key).is_some_and(|(begun, _)| !self.lives(*begun)) {
            held.remove(key);
        }
        if held.len() < self.most || held.contains_key(key) {
            return;
        }
        held.retain(|_, (begun, _)| self.lives(*begun));
        if held.len() >= self.most {
            let oldest = held.iter().min_by_key(|(_, (begun, _))| *begun).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| held.remove(&oldest));
        }
    }

    fn lives(&self, begun: Instant) -> bool {
        begun.elapsed() < self.lifetime
    }

    /// A thread that panicked left the map whole: each change is one call of it.
    fn held(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn an_entry_is_handed_over_once() {
        let map = Bounded::new(2, LONG);
        map.insert("a", 1);
        assert_eq!(
            (map.read(&"a", |value| *value), map.take(&"a"), map.take(&"a")),
            (Some(1), Some(1), None)
        );
    }

    #[test]
    fn a_full_map_drops_the_oldest_entry() {
        let map = Bounded::new(2, LONG);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            map.insert(key, value);
        }
        assert_eq!([map.take(&"a"), map.take(&"b"), map.take(&"c")], [None, Some(2), Some(3)]);
    }

    #[test]
    fn an_entry_whose_time_is_over_is_gone() {
        let map = Bounded::new(2, Duration::ZERO);
        map.insert("a", 1);
        assert_eq!((map.read(&"a", |value| *value), map.take(&"a")), (None, None));
        map.insert("a", 1);
        assert!(map.insert_new("a", 2), "nobody holds it any more");
    }

    #[test]
    fn what_is_held_is_not_replaced_by_a_newcomer() {
        let map = Bounded::new(2, LONG);
        assert!(map.insert_new("a", 1));
        assert!(!map.insert_new("a", 2));
        assert_eq!(map.take(&"a"), Some(1));
    }
}
