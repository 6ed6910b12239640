//! F13: what the stacks of the documentation make of each outcome.

use crate::documented::{self, Stack};
use crate::fault_run::{self, Answers, Codes};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::Tally;

const WRONG: &str = "outcomes that the stack turns into something else";
const ASKED: &str = "asked without the password";
const UNREAD: &str = "documents that show no stack that can be played";
const UNNOTICED: &str = "stacks that ask after a wrong password, unnoticed";

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
type Ending = (&'static str, fn(&PamSandbox), &'static str);
const DENIALS: [Ending; 5] = [
    ("wrong code", |_| (), "text:000000"),
    ("unknown user", |_| (), "text:000000"),
    ("cancelled", |_| (), "code:19"),
    ("no policy", |sandbox| std::fs::remove_file(sandbox.policy()).expect("gone"), "text:000000"),
    ("damaged state", |sandbox| sandbox.put_state("alice", &[0; 8_192]), "text:000000"),
];

pub fn stacks(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[WRONG]);
    let codes = Codes::new(1);
    for (stack, exempt_passes, lines) in STACKS {
        let login = |sandbox: &PamSandbox, user: &str, answers: &[String]| {
            sandbox.write_service("stack", &context.module, lines);
            sandbox.play_written("stack").user(user).answers(answers).run_here().code()
        };
        let sandbox = fault_run::sandbox(context);
        let granted = login(&sandbox, "alice", &codes.answers(Answers::Right, 0));
        tally.blame_if(granted != 0, WRONG, &format!("{stack}: right codes end in {granted}"));
        tally.count += 1;
        for (ending, spoil, answer) in DENIALS {
            let sandbox = fault_run::sandbox(context);
            spoil(&sandbox);
            let user = if ending == "unknown user" { "nobody-here" } else { "alice" };
            let code = login(&sandbox, user, &[answer.to_owned()]);
            tally.blame_if(code == 0, WRONG, &format!("{stack}: {ending} is let in"));
            tally.count += 1;
        }
        // Exempt: the rest of the stack decides, and alone the module lets nobody in.
        let sandbox = fault_run::sandbox(context);
        sandbox.write_policy(&format!("{TWO_COUNTERS}[[rules]]\nusers = [\"alice\"]\naction = \"exempt\"\n"));
        let exempt = login(&sandbox, "alice", &[]);
        tally.blame_if((exempt == 0) != exempt_passes, WRONG, &format!("{stack}: exempt ends in {exempt}"));
        tally.count += 1;
    }
    tally.figure("stacks", STACKS.len());
    tally.add(documents(context));
    tally
}

/// What modules say that look a password up: `pam_unix`, `pam_sss` and the count of faillock.
type Word = [(&'static str, &'static str); 3];
const RIGHT: [Word; 2] = [
    [("UNIX", "success"), ("SSS", "user_unknown"), ("LOCK", "success")],
    [("UNIX", "user_unknown"), ("SSS", "success"), ("LOCK", "success")],
];
const WRONG_PASSWORD: [Word; 4] = [
    [("UNIX", "auth_err"), ("SSS", "auth_err"), ("LOCK", "success")],
    [("UNIX", "auth_err"), ("SSS", "ignore"), ("LOCK", "ignore")],
    [("UNIX", "user_unknown"), ("SSS", "authinfo_unavail"), ("LOCK", "success")],
    // SSSD is not installed.
    [("UNIX", "auth_err"), ("SSS", "module_unknown"), ("LOCK", "success")],
];
const LOCKED: Word = [("UNIX", "success"), ("SSS", "user_unknown"), ("LOCK", "auth_err")];
/// What the documents warn of: these ask users who do not know the password.
const ASKING: [&str; 4] = [
    "auth substack FOLDER/system-auth\nauth required MODULE\n",
    "auth include FOLDER/system-auth\nauth required MODULE\n",
    "auth required pam_debug.so auth=UNIX\nauth required MODULE\n",
    "auth required MODULE\n@include FOLDER/common-auth\n",
];

/// Every stack that a document shows: the right password and codes get in, and nobody is asked without the password.
fn documents(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[ASKED, UNREAD, UNNOTICED]);
    let (mut played, mut bare) = (0, Vec::new());
    for stack in documented::stacks() {
        match stack {
            Ok(stack) => {
                played += 1;
                tally.add(play_documented(context, &stack));
                if !takes_a_password(&stack.lines) {
                    bare.push(stack.place);
                }
            }
            Err(error) => tally.blame(UNREAD, error),
        }
    }
    for lines in ASKING {
        let asked =
            WRONG_PASSWORD.iter().all(|word| Login::run(context, lines, *word, Answers::Right).prompts > 0);
        tally.blame_if(!asked, UNNOTICED, lines);
        tally.count += 1;
    }
    tally.figure("documented stacks", played);
    tally.figure("of them without a password", format!("{} ({})", bare.len(), bare.join(" ")));
    tally
}

fn takes_a_password(lines: &str) -> bool {
    ["UNIX", "SSS", "common-auth", "system-auth", "password-auth"].iter().any(|word| lines.contains(word))
}

fn play_documented(context: &Context, stack: &Stack) -> Tally {
    let mut tally = Tally::default();
    let Stack { place, lines } = stack;
    for word in
        RIGHT.iter().filter(|word| lines.contains("SSS") || lines.contains("include") || **word == RIGHT[0])
    {
        let login = Login::run(context, lines, *word, Answers::Right);
        let passed = login.code == Some(0) && login.prompts == 2;
        tally.blame_if(!passed, WRONG, &format!("{place}: {word:?} and right codes: {login:?}\n{lines}"));
        for answers in [Answers::WrongAtStep1, Answers::WrongAtStep2] {
            let login = Login::run(context, lines, *word, answers);
            let denied = login.code != Some(0) && login.prompts > 0 && login.changed;
            tally.blame_if(!denied, WRONG, &format!("{place}: {word:?}, {answers:?}: {login:?}\n{lines}"));
            tally.count += 1;
        }
        tally.count += 1;
    }
    let locked = lines.contains("LOCK").then_some(LOCKED);
    let words = WRONG_PASSWORD.into_iter().chain(locked).filter(|_| takes_a_password(lines));
    let sandbox = fault_run::sandbox(context);
    for word in words {
        let login = Login::on(&sandbox, context, lines, word, Answers::Right);
        let refused = login.code != Some(0) && login.prompts == 0 && !login.changed;
        tally.blame_if(!refused, ASKED, &format!("{place}: {word:?}: {login:?}\n{lines}"));
        tally.count += 1;
    }
    tally
}

/// A login of alice by a documented stack.
#[derive(Debug)]
struct Login {
    code: Option<i64>,
    /// Those of our module; the stand-ins for passwords have none.
    prompts: usize,
    /// Whether her state on disk is another than before.
    changed: bool,
}

impl Login {
    fn run(context: &Context, lines: &str, word: Word, answers: Answers) -> Self {
        Self::on(&fault_run::sandbox(context), context, lines, word, answers)
    }

    fn on(sandbox: &PamSandbox, context: &Context, lines: &str, word: Word, answers: Answers) -> Self {
        let folder = ("FOLDER", sandbox.services().to_str().expect("UTF-8").to_owned());
        let words: Vec<(&str, String)> =
            word.iter().map(|(who, says)| (*who, (*says).to_owned())).chain([folder]).collect();
        let say =
            |lines: &str| words.iter().fold(lines.to_owned(), |lines, (who, says)| lines.replace(who, says));
        for (name, lines) in documented::INCLUDED {
            sandbox.write_service(name, &context.module, &say(&documented::played(lines)));
        }
        sandbox.write_service("stack", &context.module, &say(lines));
        let before = sandbox.take_state("alice");
        let play = sandbox.play_written("stack").switch("--tell").switch("--brief");
        let (seen, _) = fault_run::run(&mut play.answers(&Codes::new(1).answers(answers, 0)).command());
        Self { code: seen.code, prompts: seen.prompts, changed: sandbox.take_state("alice") != before }
    }
}
