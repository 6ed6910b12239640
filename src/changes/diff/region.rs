//! A part of all logins: for each dimension, such as services, the atoms that it holds.

use super::atoms::Atoms;

/// Logins whose value in each dimension belongs to one of the atoms listed for that dimension.
#[derive(Clone, Debug)]
pub struct Region(pub Vec<Atoms>);

/// The conditions of a rule: the atoms that it accepts, for each dimension that it looks at.
pub type Conditions = Vec<(usize, Atoms)>;

impl Region {
    /// The logins of the region that meet `conditions`; `None` where no login does.
    #[must_use]
    pub fn within(&self, conditions: &Conditions) -> Option<Self> {
        // Most rules share no login with a region, so check that before copying anything.
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

    /// The logins of the region that do not meet `conditions`, in parts that do not overlap.
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
