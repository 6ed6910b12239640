//! A part of all logins: for each dimension, such as services, the atoms that it holds.

use super::atoms::Atoms;

/// Logins that have, in every dimension, one of the atoms there.
#[derive(Clone, Debug)]
pub struct Region(pub Vec<Atoms>);

/// What a rule asks of logins: atoms of the dimensions that it looks at.
pub type Conditions = Vec<(usize, Atoms)>;

impl Region {
    /// The part of it where `conditions` hold; `None` where there is none.
    #[must_use]
    pub fn within(&self, conditions: &Conditions) -> Option<Self> {
        // Most rules do not meet a region, so nothing is copied before that is known.
        let meets = |(dimension, atoms): &(usize, Atoms)| {
            self.0.get(*dimension).is_some_and(|ours| ours.meets(atoms))
        };
        if !conditions.iter().all(meets) {
            return None;
        }
        let mut part = self.clone();
        for (dimension, atoms) in conditions {
            let ours = part.0.get_mut(*dimension)?;
            *ours = ours.and(atoms);
        }
        Some(part)
    }

    /// The rest of it, where `conditions` do not hold, in parts that do not meet.
    #[must_use]
    pub fn beyond(&self, conditions: &Conditions) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut inside = self.clone();
        for (dimension, atoms) in conditions {
            let Some(ours) = inside.0.get_mut(*dimension) else { continue };
            let (held, left) = (ours.and(atoms), ours.without(atoms));
            if !left.is_empty() {
                *ours = left;
                parts.push(inside.clone());
            }
            if let Some(ours) = inside.0.get_mut(*dimension) {
                *ours = held;
            }
        }
        parts
    }
}
