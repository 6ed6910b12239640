//! Whose each token is, and for which factor of the policy.

use std::collections::HashMap;
use std::path::Path;

use super::arguments::ImportArguments;
use super::input;
use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::import::{Candidate, Complaint, MovesBy, Token};
use crate::verifier::accounts::{Account, AccountsError};
use crate::verifier::enrollment::Subscriber;
use crate::verifier::policy::{Factor, Policy};
use crate::verifier::username::Username;

/// Assigns tokens to the accounts of this host.
pub struct Assigner<'a> {
    context: &'a Context,
    policy: &'a Policy,
    arguments: &'a ImportArguments,
    factors: Vec<Factor>,
    map: Map,
    accounts: HashMap<String, Option<Account>>,
    /// How many tokens each user has so far, by the name of the account.
    counts: HashMap<Username, Vec<usize>>,
}

impl<'a> Assigner<'a> {
    /// Reads `--factor` and `--map`.
    ///
    /// # Errors
    ///
    /// [`Failure`] for a factor that the policy does not have, or a map that can't be read.
    pub fn new(
        context: &'a Context,
        policy: &'a Policy,
        arguments: &'a ImportArguments,
    ) -> Result<Self, Failure> {
        let factors: Result<Vec<Factor>, Failure> =
            arguments.factor.iter().map(|id| find_factor(policy, id).map_err(Failure::refused)).collect();
        let map = arguments.map.as_deref().map(Map::read).transpose()?.unwrap_or_default();
        let (accounts, counts) = (HashMap::new(), HashMap::new());
        Ok(Self { context, policy, arguments, factors: factors?, map, accounts, counts })
    }

    /// The candidates of `tokens`; what has no user, no account or no factor becomes a complaint.
    ///
    /// # Errors
    ///
    /// [`Failure`] where the account databases do not answer.
    pub fn assign(
        &mut self,
        tokens: Vec<Token>,
        complaints: &mut Vec<Complaint>,
    ) -> Result<Vec<Candidate>, Failure> {
        let mut candidates = Vec::with_capacity(tokens.len());
        for token in tokens {
            let place = token.place.clone();
            match self.assign_one(token).map_err(|error| Failure::refused(error.to_string()))? {
                Ok(candidate) => candidates.push(candidate),
                Err(what) => complaints.push(Complaint { place, what }),
            }
        }
        Ok(candidates)
    }

    fn assign_one(&mut self, token: Token) -> Result<Result<Candidate, String>, AccountsError> {
        let mapped = self.map.entry(&token).cloned();
        let named = mapped.as_ref().map(|(user, _)| user.clone()).or_else(|| self.user_of(&token));
        let Some(named) = named else {
            return Ok(Err("names no user; say whose it is with --map or --user".to_owned()));
        };
        let Some(account) = self.account(&named)? else {
            let named = named.escape_debug();
            return Ok(Err(format!("this host lists no account `{named}`; --map says which one is meant")));
        };
        let Ok(user) = Username::parse(&account.name) else {
            return Ok(Err(format!(
                "the account `{}` has a name that no record can have",
                named.escape_debug()
            )));
        };
        let wanted = mapped.and_then(|(_, factor)| factor);
        let factor = match wanted {
            Some(id) => find_factor(self.policy, &id),
            None => self.next_factor(&user, token.moves_by),
        };
        let subscriber = Subscriber { user, uid: Some(account.uid) };
        Ok(factor.map(|factor| Candidate { token, subscriber, factor }))
    }

    /// The name that the file or the command line gives.
    fn user_of(&self, token: &Token) -> Option<String> {
        let given = || self.arguments.user.as_ref().map(|user| user.as_str().to_owned());
        let named = token.user.as_deref().map(|name| match name.split_once('@') {
            Some((before, _)) if self.arguments.strip_domain => before.to_owned(),
            _ => name.to_owned(),
        });
        named.or_else(given)
    }

    /// Asked once for each name.
    fn account(&mut self, name: &str) -> Result<Option<Account>, AccountsError> {
        if let Some(known) = self.accounts.get(name) {
            return Ok(known.clone());
        }
        let account = self.context.accounts.account(name)?;
        self.accounts.insert(name.to_owned(), account.clone());
        Ok(account)
    }

    /// The first factor of the command line that fits and that the user does not get from this file already. Without
    /// `--factor` the only one of the policy that fits.
    fn next_factor(&mut self, user: &Username, moves_by: MovesBy) -> Result<Factor, String> {
        let kind = moves_by.kind();
        if self.factors.is_empty() {
            let mut fitting = self.policy.factors().iter().filter(|factor| factor.kind.name() == kind);
            return match (fitting.next(), fitting.next()) {
                (Some(factor), None) => Ok(factor.clone()),
                (None, _) => Err(format!("the policy has no factor of type {kind}")),
                (Some(_), Some(_)) => {
                    Err(format!("the policy has several factors of type {kind}; say which one with --factor"))
                }
            };
        }
        let taken = self.counts.entry(user.clone()).or_default();
        let fitting = |(_, factor): &(usize, &Factor)| factor.kind.name() == kind;
        let mut places = self.factors.iter().enumerate().filter(fitting);
        let Some((place, factor)) = places.clone().find(|(place, _)| !taken.contains(place)) else {
            return Err(if places.next().is_none() {
                format!("the token is {kind}, and no --factor is of that type")
            } else {
                format!("{user} has more tokens of type {kind} in the file than there are --factor options")
            });
        };
        taken.push(place);
        Ok(factor.clone())
    }
}

fn find_factor(policy: &Policy, id: &str) -> Result<Factor, String> {
    policy.factor(id).cloned().ok_or_else(|| {
        let known: Vec<&str> = policy.factors().iter().map(|factor| factor.id.as_str()).collect();
        format!("the policy has no factor `{}`; known: {}", id.escape_debug(), known.join(", "))
    })
}

/// `--map`: a user, and perhaps a factor, by serial number or by the name in the file.
#[derive(Debug, Default)]
struct Map(HashMap<String, (String, Option<String>)>);

impl Map {
    fn read(path: &Path) -> Result<Self, Failure> {
        let input = input::read(path)?;
        let mut map = HashMap::new();
        for (number, line) in (1..).zip(input.text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| Failure::refused(format!("{}:{number}: {what}", path.display()));
            let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
            let (key, user, factor) = match fields[..] {
                [key, user] => (key, user, None),
                [key, user, factor] => (key, user, Some(factor.to_owned())),
                _ => return Err(wrong("not SERIAL-OR-NAME,USER or SERIAL-OR-NAME,USER,FACTOR")),
            };
            if key.is_empty() || user.is_empty() {
                return Err(wrong("a serial number, a name or a user is empty"));
            }
            if map.insert(key.to_owned(), (user.to_owned(), factor)).is_some() {
                return Err(wrong("the same serial number or name stands in a line before"));
            }
        }
        Ok(Self(map))
    }

    fn entry(&self, token: &Token) -> Option<&(String, Option<String>)> {
        let by_serial = token.serial.as_deref().and_then(|serial| self.0.get(serial));
        // `line 3` where a token has no number of its own.
        let by_place = || self.0.get(&token.place.to_string());
        let by_user = || token.user.as_deref().and_then(|user| self.0.get(user));
        by_serial.or_else(by_place).or_else(by_user)
    }
}
