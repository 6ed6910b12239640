//! What an import will do: which token becomes which authenticator of which user. Decided as a whole, before anything
//! changes.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::token::{Complaint, MovesBy, Place, Token};
use crate::verifier::enrollment::{Credential, OtpType, Serial, Subscriber, UserRecord};
use crate::verifier::otp::Algorithm;
use crate::verifier::policy::{Factor, FactorId, FactorKind};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// A token whose user and factor are known.
#[derive(Debug)]
pub struct Candidate {
    /// The token.
    pub token: Token,
    /// Its user.
    pub subscriber: Subscriber,
    /// Its factor of the policy.
    pub factor: Factor,
}

/// An authenticator that will be enrolled.
#[derive(Debug)]
pub struct Planned {
    /// Where it stands in the file.
    pub place: Place,
    /// Its user.
    pub subscriber: Subscriber,
    /// What will be in the user's record.
    pub credential: Credential,
    /// Whether it takes the place of an authenticator of the same factor.
    pub replaces: bool,
}

/// What the caller asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Whether factors that are enrolled are replaced.
    pub replace: bool,
    /// Where counter tokens stand whose file does not say (`--counter`).
    pub counter: Option<u64>,
    /// The present.
    pub now: UnixTime,
}

/// The keys that are enrolled, and whose they are.
#[derive(Debug, Default)]
pub struct KnownKeys(HashMap<KeyForm, Holder>);

/// A digest, so that the table holds no secret.
type KeyForm = (Option<Algorithm>, [u8; 32]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    user: Username,
    factor: String,
}

impl KnownKeys {
    /// Adds the keys of a user.
    pub fn add(&mut self, user: &Username, record: &UserRecord) {
        for credential in record.credentials() {
            let _ = self.claim(user, credential);
        }
    }

    /// Says that `user` has the key of `credential`. Returns another user or factor that has it.
    fn claim(&mut self, user: &Username, credential: &Credential) -> Option<Holder> {
        let holder = Holder { user: user.clone(), factor: credential.factor.to_string() };
        let mut other = None;
        for form in forms(credential) {
            let held = self.0.entry(form).or_insert_with(|| holder.clone());
            if *held != holder {
                other.get_or_insert_with(|| held.clone());
            }
        }
        other
    }
}

/// Two credentials share a key if they share one of these (`Credential::shares_its_key_with`).
fn forms(credential: &Credential) -> [KeyForm; 2] {
    let (secret, algorithm) = (&credential.secret, credential.algorithm);
    let as_hmac_takes_it = Sha256::digest(&*secret.for_hmac(algorithm));
    [(None, Sha256::digest(secret.expose()).into()), (Some(algorithm), as_hmac_takes_it.into())]
}

/// Plans what becomes of `candidates`. `record` gives the record of a user as it is now.
///
/// # Errors
///
/// The error of `record`. What is wrong with candidates is in the second list, and they are not in the first.
pub fn plan<E>(
    candidates: Vec<Candidate>,
    mut keys: KnownKeys,
    wishes: Wishes,
    mut record: impl FnMut(&Username) -> Result<UserRecord, E>,
) -> Result<(Vec<Planned>, Vec<Complaint>), E> {
    let (mut planned, mut complaints) = (Vec::new(), Vec::new());
    let mut taken: HashMap<(Username, FactorId), Place> = HashMap::new();
    for candidate in candidates {
        let place = candidate.token.place.clone();
        let slot = (candidate.subscriber.user.clone(), candidate.factor.id.clone());
        if let Some(first) = taken.get(&slot) {
            let what = format!("{} would get `{}` twice; {first} is the first", slot.0, slot.1);
            complaints.push(Complaint { place, what });
            continue;
        }
        let current = record(&candidate.subscriber.user)?;
        match plan_one(candidate, &current, &mut keys, wishes) {
            Ok(one) => {
                taken.insert(slot, place);
                planned.push(one);
            }
            Err(what) => complaints.push(Complaint { place, what }),
        }
    }
    Ok((planned, complaints))
}

fn plan_one(
    candidate: Candidate,
    current: &UserRecord,
    keys: &mut KnownKeys,
    wishes: Wishes,
) -> Result<Planned, String> {
    let Candidate { token, subscriber, factor } = candidate;
    let user = subscriber.user.clone();
    let place = token.place.clone();
    check_kind(&token, &factor)?;
    if !subscriber.owns(current) {
        return Err(format!(
            "{user}: the record belongs to an account with another user id; see `mfa-chain check`"
        ));
    }
    let replaces = current.credentials().iter().any(|old| old.factor == factor.id);
    if replaces && !wishes.replace {
        return Err(format!(
            "{user} has enrolled `{}` already; --replace puts this one in its place",
            factor.id
        ));
    }
    let credential = credential(token, &factor, current, wishes)?;
    if let Some(other) = keys.claim(&user, &credential) {
        return Err(format!(
            "{user} would get the secret that {} has for `{}`; a secret is of one user and one factor",
            other.user, other.factor
        ));
    }
    Ok(Planned { place, subscriber, credential, replaces })
}

fn check_kind(token: &Token, factor: &Factor) -> Result<(), String> {
    let kind = token.moves_by.kind();
    if kind == factor.kind.name() {
        return Ok(());
    }
    Err(format!("the token is {kind}, but factor `{}` is {}", factor.id, factor.kind.name()))
}

fn credential(
    token: Token,
    factor: &Factor,
    current: &UserRecord,
    wishes: Wishes,
) -> Result<Credential, String> {
    let serial = token.serial.as_deref().map(|text| {
        Serial::parse(text)
            .ok_or("the serial number is not 1 to 64 printable letters without quotation marks")
    });
    let otp_type = match token.moves_by {
        MovesBy::Time { period, .. } => OtpType::Totp(period),
        MovesBy::Counter { .. } => OtpType::Hotp,
    };
    let mut credential = Credential {
        algorithm: token.algorithm,
        digits: token.digits,
        enrolled_at: wishes.now,
        serial: serial.transpose()?,
        ..Credential::new(factor.id.clone(), otp_type, token.secret)
    };
    let (told, awaits_resync) = match token.moves_by {
        MovesBy::Time { last_used, .. } => {
            // A code of the present step may have been used on the old system a moment ago.
            let present = credential.step_at(wishes.now).unwrap_or_default();
            (last_used.unwrap_or_default().max(present).saturating_add(1), false)
        }
        MovesBy::Counter { next } => {
            let next = next.or(wishes.counter);
            (next.unwrap_or_default(), next.is_none())
        }
    };
    check_floor(told, &credential, factor, wishes.now)?;
    let same = current.credentials().iter().find(|other| other.id() == credential.id());
    credential.first = same.map_or(told, |other| other.first.max(told));
    credential.awaits_resync = awaits_resync;
    Ok(credential)
}

/// A floor in the far future would keep the user out without a word.
fn check_floor(told: u64, credential: &Credential, factor: &Factor, now: UnixTime) -> Result<(), String> {
    match (credential.step_at(now), factor.kind) {
        (Some(present), FactorKind::Totp { .. }) if told > present.saturating_add(FARTHEST_STEPS) => {
            Err(format!(
                "the last used time step lies {} steps in the future; one of the two clocks is wrong",
                told.saturating_sub(present).saturating_sub(1)
            ))
        }
        _ if i64::try_from(told).is_err() => Err("the counter is larger than any token counts".to_owned()),
        _ => Ok(()),
    }
}

/// How far the last used step of an old system may be ahead: half of the widest window there, 100 codes.
const FARTHEST_STEPS: u64 = 51;
