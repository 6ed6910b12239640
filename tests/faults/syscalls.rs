//! F1: an error at every system call of a login.

use crate::fault_run::{self, Answers, Codes, IGNORE, UNCHARGED, UNREADABLE, UNRECORDED, UNSAFE_GRANT};
use crate::plan::Context;
use crate::tally::{Tally, share_out};
use crate::trace::{self, Point};

const ERRORS: [&str; 8] = ["EIO", "ENOSPC", "EACCES", "EMFILE", "EINTR", "ENOMEM", "EROFS", "EDQUOT"];

/// Fails every call with every error, for right and for wrong answers.
pub fn errors(context: &Context) -> Tally {
    let codes = Codes::new(1);
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT, UNRECORDED, IGNORE, UNCHARGED, UNREADABLE]);
    let mut injections = Vec::new();
    let sandbox = fault_run::sandbox(context);
    let fresh = sandbox.take_state("alice");
    for answers in Answers::ALL {
        let points = trace::points(&sandbox, &fault_run::login(&sandbox, &codes.answers(answers, 0)));
        sandbox.put_state("alice", &fresh);
        if answers == Answers::Right {
            tally.figure("calls of a login", points.len());
        }
        for point in &points {
            injections.extend(ERRORS.iter().map(|error| (answers, point.clone(), *error)));
        }
    }
    let injections = context.sampled(&injections);
    let make = || {
        let sandbox = fault_run::sandbox(context);
        let fresh = sandbox.take_state("alice");
        (sandbox, fresh)
    };
    tally.add(share_out(&injections, make, |(sandbox, fresh), (answers, point, error), tally| {
        sandbox.put_state("alice", fresh);
        let login = fault_run::login(sandbox, &codes.answers(*answers, 0));
        let (seen, _) = fault_run::run(&mut trace::tamper(&login, point, &format!("error={error}")));
        let example = point.example(error);
        fault_run::examine(sandbox, *answers, &seen, 0, &example, tally);
        tally.blame_if(seen.code == Some(0) && is_lost(point, error), UNSAFE_GRANT, &example);
    }));
    tally
}

/// Whether a login must not be granted over this error: the state did not get to disk. An interrupted call is
/// made again.
fn is_lost(point: &Point, error: &str) -> bool {
    matches!(point.name.as_str(), "fdatasync" | "fsync" | "pwrite64") && error != "EINTR"
}
