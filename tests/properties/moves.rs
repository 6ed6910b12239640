//! The moves of a script. In the corpus of the fuzzer each is one byte.

/// A move of the world, of a claimant at a prompt, or of who logs in next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The clock goes on by a time step.
    NextStep,
    /// It is set back by one.
    StepBack,
    /// It goes on by two days.
    TwoDaysOn,
    /// It is set back by a day.
    DayBack,
    /// It stands at its end.
    EndOfTime,
    /// It stands at 1970.
    Epoch,
    /// It stands where two steps have one code.
    Twins,
    /// It stands at noon again.
    Noon,
    /// A factor is revoked; the next byte says which.
    Revoke,
    /// A factor is enrolled; the next byte says which.
    Enroll,
    /// The store gets a fault; the next byte says which.
    Fault,
    /// The account databases break, or answer again.
    BreakAccounts,
    /// The user joins the group, or leaves it.
    Join,
    /// The system lists the account, or does not.
    List,
    /// Nobody logs in.
    Nobody,
    /// Alice logs in through cron.
    Cron,
    /// Alice logs in through ftp.
    Ftp,
    /// Alice logs in through sudo.
    Sudo,
    /// The claimant is gone.
    HangUp,
    /// The application changes the claimant.
    ChangeUser,
    /// Types the newest right code.
    Newest,
    /// Types the oldest right code.
    Oldest,
    /// Types the used code.
    Used,
    /// Types a code of another factor.
    OfAnother,
    /// Types a wrong code.
    Wrong,
    /// Types a recovery code.
    Recovery,
    /// Types another, in small letters.
    SecondRecovery,
    /// Types a wrong recovery code.
    WrongRecovery,
    /// Types what sshd fills in.
    Filler,
    /// Types raw bytes; the next byte says how many.
    Raw,
    /// Types this byte; between logins, alice logs in.
    Byte(u8),
}

impl Move {
    /// The move that `byte` stands for.
    pub const fn of(byte: u8) -> Self {
        match byte {
            b'+' => Self::NextStep,
            b'-' => Self::StepBack,
            b'*' => Self::TwoDaysOn,
            b'~' => Self::DayBack,
            b'^' => Self::EndOfTime,
            b'_' => Self::Epoch,
            b'!' => Self::Twins,
            b'=' => Self::Noon,
            b'R' => Self::Revoke,
            b'E' => Self::Enroll,
            b'S' => Self::Fault,
            b'A' => Self::BreakAccounts,
            b'T' => Self::Join,
            b'U' => Self::List,
            b'N' => Self::Nobody,
            b'C' => Self::Cron,
            b'F' => Self::Ftp,
            b'G' => Self::Sudo,
            b'q' => Self::HangUp,
            b'c' => Self::ChangeUser,
            b'r' => Self::Newest,
            b'o' => Self::Oldest,
            b'u' => Self::Used,
            b'x' => Self::OfAnother,
            b'w' => Self::Wrong,
            b'y' => Self::Recovery,
            b'z' => Self::SecondRecovery,
            b'v' => Self::WrongRecovery,
            b'j' => Self::Filler,
            b'"' => Self::Raw,
            byte => Self::Byte(byte),
        }
    }
}
