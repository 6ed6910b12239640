//! What the reader of a format hands over.

use std::fmt;

use crate::verifier::otp::{Algorithm, Digits, Period, SharedSecret};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Reading {
    /// The tokens that can be enrolled.
    pub tokens: Vec<Token>,
    /// What is wrong with the file. One complaint refuses the file, unless its token may be left out (`--skip-bad`).
    pub complaints: Vec<Complaint>,
    /// What is not taken over, or what an administrator should know.
    pub remarks: Vec<Remark>,
}

impl Reading {
    /// Adds a complaint.
    pub fn complain(&mut self, place: Place, what: impl Into<String>) {
        self.complaints.push(Complaint { place, what: what.into() });
    }

    /// Adds a remark.
    pub fn remark(&mut self, place: Place, what: impl Into<String>) {
        self.remarks.push(Remark { place, what: what.into() });
    }
}

impl Reading {
    /// Adds what `file` holds; each place says that it is of this file.
    pub fn extend_from(&mut self, file: &str, other: Self) {
        let at = |place: Place| match place {
            Place::File => Place::Path(file.to_owned()),
            place => Place::Path(format!("{file}, {place}")),
        };
        self.tokens.extend(other.tokens.into_iter().map(|it| Token { place: at(it.place), ..it }));
        let complaints = other.complaints.into_iter();
        self.complaints.extend(complaints.map(|it| Complaint { place: at(it.place), ..it }));
        let remarks = other.remarks.into_iter();
        self.remarks.extend(remarks.map(|it| Remark { place: at(it.place), ..it }));
    }
}

/// How the seeds of a list are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base32 (RFC 4648 §6).
    Base32,
}

/// An authenticator as a file describes it.
#[derive(Debug)]
pub struct Token {
    /// Where it stands.
    pub place: Place,
    /// Whose it is, as the file names the user; `None` where the file names nobody.
    pub user: Option<String>,
    /// The serial number of a hardware token.
    pub serial: Option<String>,
    /// What moves its codes, and which of them were used.
    pub moves_by: MovesBy,
    /// The HMAC's hash function.
    pub algorithm: Algorithm,
    /// The length of its codes.
    pub digits: Digits,
    /// The key.
    pub secret: SharedSecret,
}

/// What moves the codes of a token (RFC 6238 §1.1), and how far they were used on the old system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovesBy {
    /// The time.
    Time {
        /// The length of a time step.
        period: Period,
        /// The last time step whose code the old system accepted, where the file tells.
        last_used: Option<u64>,
    },
    /// A counter.
    Counter {
        /// The next counter that may be accepted; `None` where the format carries none.
        next: Option<u64>,
    },
}

impl MovesBy {
    /// The type as policies name it: `totp` or `hotp`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Time { .. } => "totp",
            Self::Counter { .. } => "hotp",
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line, counted from 1.
    Line(usize),
    /// A token, by its serial number or the id of its key.
    Serial(String),
    /// A file of several, and the place in it.
    Path(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => formatter.write_str("the file"),
            Self::Line(number) => write!(formatter, "line {number}"),
            Self::Path(place) => write!(formatter, "{}", place.escape_debug()),
            Self::Serial(serial) => write!(formatter, "serial {}", serial.escape_debug()),
        }
    }
}

/// What is wrong at a place of a file, with the cure. Holds no word of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub what: String,
}

/// What an administrator should know of a place of a file. Holds no word of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
}
