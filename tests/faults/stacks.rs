//! F13: what the stacks of the documentation make of each outcome.

use crate::plan::Context;
use crate::scene::{self, Answers, Codes};
use crate::stage::{Stage, TWO_COUNTERS};
use crate::tally::Tally;

const WRONG: &str = "outcomes that the stack turns into something else";

/// The module alone, and after a password that was right, as distributions write it; and whether a login that
/// is exempt passes there: where the module stands alone, or `default=bad` counts its "ignore", nobody else says yes.
const STACKS: [(&str, bool, &str); 7] = [
    ("required", false, "auth required MODULE\n"),
    // This program is not sshd, so nothing that it says is a key.
    ("exempt by key", false, "auth required MODULE exempt=publickey\n"),
    ("requisite before others", true, "auth requisite MODULE\nauth required pam_permit.so\n"),
    ("after a password", true, "auth required pam_debug.so auth=success\nauth required MODULE\n"),
    (
        "after the common-auth of Debian",
        true,
        "auth [success=1 default=ignore] pam_debug.so auth=success\nauth requisite pam_deny.so\n\
         auth required pam_permit.so\nauth required MODULE\n",
    ),
    ("as SUSE recommends", false, "auth [success=ok default=bad] MODULE\nauth required pam_permit.so\n"),
    ("sufficient, then deny", false, "auth sufficient MODULE\nauth required pam_deny.so\n"),
];

/// Ways for a login to end, and what breaks the stage for it.
type Ending = (&'static str, fn(&Stage), &'static str);
const DENIALS: [Ending; 5] = [
    ("wrong code", |_| (), "text:000000"),
    ("unknown user", |_| (), "text:000000"),
    ("cancelled", |_| (), "code:19"),
    ("no policy", |stage| std::fs::remove_file(stage.policy()).expect("gone"), "text:000000"),
    ("damaged state", |stage| stage.put_state("alice", &[0; 8_192]), "text:000000"),
];

pub fn stacks(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[WRONG]);
    let codes = Codes::new(1);
    for (stack, exempt_passes, lines) in STACKS {
        let login = |stage: &Stage, user: &str, answers: &[String]| {
            stage.write_service("stack", &context.module, lines);
            stage.play_written("stack").user(user).answers(answers).run_here().code()
        };
        let stage = scene::stage(context);
        let granted = login(&stage, "alice", &codes.answers(Answers::Right, 0));
        tally.blame_if(granted != 0, WRONG, &format!("{stack}: right codes end in {granted}"));
        tally.count += 1;
        for (ending, spoil, answer) in DENIALS {
            let stage = scene::stage(context);
            spoil(&stage);
            let user = if ending == "unknown user" { "nobody-here" } else { "alice" };
            let code = login(&stage, user, &[answer.to_owned()]);
            tally.blame_if(code == 0, WRONG, &format!("{stack}: {ending} is let in"));
            tally.count += 1;
        }
        // Exempt: the rest of the stack decides, and alone the module lets nobody in.
        let stage = scene::stage(context);
        stage.write_policy(&format!("{TWO_COUNTERS}[[rules]]\nusers = [\"alice\"]\naction = \"exempt\"\n"));
        let exempt = login(&stage, "alice", &[]);
        tally.blame_if((exempt == 0) != exempt_passes, WRONG, &format!("{stack}: exempt ends in {exempt}"));
        tally.count += 1;
    }
    tally.figure("stacks", STACKS.len());
    tally
}
