//! The stacks to time, and what their claimants answer.

use std::io::Read;

use mfa_chain::verifier::enrollment::{Credential, OtpType};
use mfa_chain::verifier::otp::{Period, SharedSecret};
use mfa_chain::verifier::policy::FactorId;

use crate::clock;

/// One stack.
pub struct Stack {
    pub name: String,
    pub service: String,
    user: String,
    users: u64,
    answers: Vec<Answer>,
    draws: Draws,
}

enum Answer {
    Totp(Credential),
    Text(String),
}

/// Who logs in, with the answers of this moment.
pub struct Claimant {
    pub user: String,
    pub answers: Vec<String>,
}

impl Stack {
    /// Reads all stacks from standard input.
    pub fn read_all() -> Vec<Self> {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).expect("standard input");
        text.lines().map(Self::parse).collect()
    }

    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, service, user, users, answers @ ..] = words.as_slice() else {
            panic!("`{line}` is no stack")
        };
        Self {
            name: (*name).to_owned(),
            service: (*service).to_owned(),
            user: (*user).to_owned(),
            users: users.parse().expect("a number of users"),
            answers: answers.iter().map(|answer| Answer::parse(answer)).collect(),
            draws: Draws::default(),
        }
    }

    /// Who comes next: any of the users, the same in every run.
    pub fn next_claimant(&mut self) -> Claimant {
        let draw = self.draws.next().expect("draws don't end");
        self.claimant(draw % self.users)
    }

    /// The user of this number.
    pub fn claimant(&self, number: u64) -> Claimant {
        let answers = self.answers.iter().map(Answer::now).collect();
        Claimant { user: self.user.replace('%', &number.to_string()), answers }
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("totp", secret)) => Self::Totp(Credential::new(
                FactorId::parse("any").expect("an id"),
                OtpType::Totp(Period::default()),
                SharedSecret::from_base32(secret).expect("a secret"),
            )),
            Some(("text", text)) => Self::Text(text.to_owned()),
            _ => panic!("`{text}` is no answer"),
        }
    }

    fn now(&self) -> String {
        match self {
            Self::Totp(credential) => credential.code(clock::time_step()).to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Numbers that look drawn and are the same in every run.
#[derive(Default)]
pub struct Draws(u64);

impl Iterator for Draws {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(self.0 >> 33)
    }
}
