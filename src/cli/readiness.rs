//! Whether what a user enrolled is enough for a chain.

use std::fmt;

use crate::verifier::enrollment::UserRecord;
use crate::verifier::policy::{ChainSpec, FactorId};

/// The factors of one chain, counted for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    chain: String,
    enrolled: usize,
    required: usize,
    missing: Vec<FactorId>,
}

impl Readiness {
    /// Counts what `record` holds of `chain`.
    #[must_use]
    pub fn of(chain: &ChainSpec, record: &UserRecord) -> Self {
        let missing = chain.factors().filter(|factor| record.credential(factor).is_none());
        let missing: Vec<FactorId> = missing.map(|factor| factor.id.clone()).collect();
        Self {
            chain: chain.name().to_owned(),
            enrolled: chain.factor_count().saturating_sub(missing.len()),
            required: chain.required_steps(),
            missing,
        }
    }

    /// Whether the user can pass the chain.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.enrolled >= self.required
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, enrolled, required, missing } = self;
        if self.is_enough() {
            return write!(formatter, "chain `{chain}`: {enrolled} enrolled of {required} needed, complete");
        }
        let more = required.saturating_sub(*enrolled);
        let missing: Vec<&str> = missing.iter().map(FactorId::as_str).collect();
        write!(
            formatter,
            "chain `{chain}`: {enrolled} enrolled of {required} needed, {more} more of: {}",
            missing.join(", ")
        )
    }
}
