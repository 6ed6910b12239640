//! `mfa-chain recovery`: makes recovery codes and shows them once.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::arguments::RecoveryArguments;
use super::failure::{Exit, Failure};
use super::who::Who;
use super::{Context, administration, enrolled, output};
use crate::store::FileStore;
use crate::verifier::enrolling::make_recovery_codes;
use crate::verifier::enrollment::UserRecord;
use crate::verifier::otp::RecoveryCode;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a user without an authenticator, or when the codes can't be stored. They are shown only
/// once their hashes are on disk.
pub fn run(context: &Context, arguments: &RecoveryArguments) -> Result<Exit, Failure> {
    let RecoveryArguments { user, count } = arguments;
    let store = FileStore::at(&context.store);
    let who = Who::of(context, user)?;
    let user = &who.user;
    let (record, _) = enrolled::find(&store, user)?;
    check(&record, &who)?;
    let codes = make_recovery_codes(&store, &who.subscriber(), usize::from(*count))
        .map_err(|error| Failure::of_enrollment(error, user.as_str()))?;
    administration::record(context, "recovery", user.as_str(), &[("codes", &count.to_string())]);
    show(context, user, &codes, record.recovery().is_some()).map(|()| Exit::Done)
}

/// A recovery code stands in for an authenticator at one step; without any there is no step to pass.
fn check(record: &UserRecord, who: &Who) -> Result<(), Failure> {
    if record.credentials().is_empty() {
        return Err(enrolled::nobody(&who.user));
    }
    who.check_is_same(record)
}

fn show(context: &Context, user: &Username, codes: &[RecoveryCode], replaced: bool) -> Result<(), Failure> {
    if context.json {
        let codes: Vec<Value> = codes.iter().map(|code| code.to_groups().as_str().into()).collect();
        return output::print_secret_json(json!({ "user": user.as_str(), "codes": codes }));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_TEXT));
    for (number, code) in (1_u8..).zip(codes) {
        for part in [&format!("{number:2}  "), code.to_groups().as_str(), "\n"] {
            text.push_str(part);
        }
    }
    text.push_str(
        "Each code stands in once, for one step, at that step's prompt. They are not shown again.\n",
    );
    if replaced {
        text.push_str("The codes made before are void.\n");
    }
    output::print(&text)
}

/// Room for 64 codes with words around them, so that growing never leaves a copy behind.
const LONGEST_TEXT: usize = 8 * 1_024;
