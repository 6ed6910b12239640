//! Sets of atoms: an atom is one of the smallest parts into which two policies divide a dimension.

/// A set of atoms; each atom is known by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atoms(Vec<u64>);

const WORD: usize = 64;

impl Atoms {
    /// A set of `count` possible atoms that holds none of them.
    #[must_use]
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(WORD)])
    }

    /// The atoms below `count` for which `holds` returns true.
    #[must_use]
    pub fn which(count: usize, holds: impl Fn(usize) -> bool) -> Self {
        let mut atoms = Self::none(count);
        for atom in (0..count).filter(|atom| holds(*atom)) {
            if let Some(word) = atoms.0.get_mut(atom / WORD) {
                *word |= 1_u64.rotate_left(u32::try_from(atom % WORD).unwrap_or(0));
            }
        }
        atoms
    }

    /// The numbers of the atoms in the set.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len().saturating_mul(WORD)).filter(|atom| self.has(*atom))
    }

    /// Whether the set holds `atom`.
    #[must_use]
    pub fn has(&self, atom: usize) -> bool {
        let bit = 1_u64.rotate_left(u32::try_from(atom % WORD).unwrap_or(0));
        self.0.get(atom / WORD).is_some_and(|word| word & bit != 0)
    }

    /// The atoms that are in both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours & theirs).collect())
    }

    /// The atoms that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours & !theirs).collect())
    }

    /// Adds the atoms of `other`.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours |= theirs;
        }
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether the two sets share an atom.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(ours, theirs)| ours & theirs != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_cut_and_joined() {
        let (even, small) = (Atoms::which(100, |atom| atom % 2 == 0), Atoms::which(100, |atom| atom < 5));
        assert_eq!(even.and(&small).iter().collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(small.without(&even).iter().collect::<Vec<_>>(), [1, 3]);
        assert!(even.has(98) && !even.has(99) && !even.has(1_000));
        let mut joined = small.without(&even);
        joined.add(&Atoms::which(100, |atom| atom == 70));
        assert_eq!(joined.iter().collect::<Vec<_>>(), [1, 3, 70]);
        assert!(Atoms::none(100).is_empty() && !joined.meets(&even.and(&small)));
    }
}
