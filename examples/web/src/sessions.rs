//! The sessions behind the cookie: the cookie holds a random number, and all else stays here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Result as StoreResult;
use tower_sessions::{Session, SessionStore};

use crate::bounded::Bounded;

/// Sessions in memory. The store that comes with the crate grows without end.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Bounded<Id, Record>>);

impl Sessions {
    const MOST: usize = 4096;
    /// Signed in for so long, at most.
    const LIFETIME: Duration = Duration::from_secs(30 * 60);

    /// No session yet.
    pub fn new() -> Self {
        Self(Arc::new(Bounded::new(Self::MOST, Self::LIFETIME)))
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        while !self.0.insert_new(record.id, record.clone()) {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> StoreResult<()> {
        self.0.insert(record.id, record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> StoreResult<Option<Record>> {
        Ok(self.0.read(id, Record::clone))
    }

    async fn delete(&self, id: &Id) -> StoreResult<()> {
        self.0.take(id);
        Ok(())
    }
}

/// What the server knows of one browser.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// Who signed in, and by what.
    pub proven: Option<Proven>,
    /// The attempt that is open in this browser.
    pub attempt: Option<String>,
    /// The enrollment that waits for its code.
    pub enrollment: Option<String>,
    /// The name that this browser enrolls before anybody can sign in by it.
    pub claim: Option<Claim>,
}

/// A name that one browser enrolls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The name.
    pub user: String,
    /// What tells this browser from another that wants the name.
    pub token: String,
}

/// A name for something that is kept, which nobody guesses: 128 bits.
pub fn random_id() -> String {
    Id::default().to_string()
}

/// What a chain proved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proven {
    /// The user, by the name that the account goes by.
    pub user: String,
    /// The chain of the policy.
    pub chain: String,
    /// The labels of its factors, in the order of the steps.
    pub labels: Vec<String>,
}

const VISITOR: &str = "visitor";

impl Visitor {
    /// The visitor whose cookie came with the request; an unknown one without a cookie.
    pub async fn of(session: &Session) -> SessionResult<Self> {
        Ok(session.get(VISITOR).await?.unwrap_or_default())
    }

    /// Keeps what changed.
    pub async fn keep(&self, session: &Session) -> SessionResult<()> {
        session.insert(VISITOR, self).await
    }

    /// Signs in under a new session id: an attacker who planted the old one in this browser gains nothing (session
    /// fixation).
    pub async fn sign_in(session: &Session, proven: Proven) -> SessionResult<()> {
        session.cycle_id().await?;
        Self { proven: Some(proven), ..Self::default() }.keep(session).await
    }

    /// Whether the browser has signed in as `user`.
    pub fn is(&self, user: &str) -> bool {
        self.proven.as_ref().is_some_and(|proven| proven.user == user)
    }
}

/// What the session layer answers.
pub type SessionResult<T> = Result<T, tower_sessions::session::Error>;
