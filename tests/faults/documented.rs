//! The stacks that the documents show, read from them and made ready to be played.

use std::fs;
use std::path::Path;

/// A stack as a document shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The document, and the line of it where the module stands.
    pub place: String,
    /// Its `auth` lines, with `MODULE` for ours, the words of [`STAND_INS`] for what looks a password up, and `FOLDER`
    /// where
    /// [`INCLUDED`] lies.
    pub lines: String,
}

/// Each has to show a stack, at least.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "docs/logins.md",
    "docs/man/pam_mfa_chain.8",
    "conf/pam.d/sshd.example",
    "conf/pam.d/sudo.example",
    "packaging/debian/README.Debian",
    "packaging/authselect/authselect.md",
];
/// What pam-auth-update puts behind the password of common-auth.
const PROFILE: &str = "packaging/pam-configs/mfa-chain";
/// The features of authselect that say which lines of a template count.
const FEATURES: [&[&str]; 2] = [&["with-mfa-chain"], &["with-mfa-chain", "with-faillock"]];
/// Modules that change nothing here, and those that say in a play what they are told.
const STAND_INS: [(&str, &str); 9] = [
    ("pam_env.so", "pam_permit.so"),
    ("pam_faildelay.so", "pam_permit.so"),
    ("pam_permit.so", "pam_permit.so"),
    ("pam_deny.so", "pam_deny.so"),
    ("pam_unix.so", "pam_debug.so auth=UNIX"),
    ("pam_sss.so", "pam_debug.so auth=SSS"),
    ("pam_faillock.so authfail", "pam_debug.so auth=ignore"),
    ("pam_faillock.so preauth", "pam_debug.so auth=LOCK"),
    ("pam_mfa_chain.so", "MODULE"),
];
/// The files of distributions that stacks include, as they come.
pub const INCLUDED: [(&str, &str); 4] = [
    ("common-auth", DEBIAN),
    ("system-auth", FEDORA),
    ("password-auth", FEDORA),
    ("postlogin", "auth optional pam_permit.so\n"),
];
const DEBIAN: &str = "auth [success=2 default=ignore] pam_unix.so nullok\nauth [success=1 default=ignore] pam_sss.so\n\
                      auth requisite pam_deny.so\nauth required pam_permit.so\n";
const FEDORA: &str = "auth required pam_env.so\nauth sufficient pam_unix.so nullok\n\
                          auth sufficient pam_sss.so forward_pass\nauth required pam_deny.so\n";

/// Every stack of the documents, or what is wrong with a document.
pub fn stacks() -> Vec<Result<Stack, String>> {
    let mut stacks = Vec::new();
    for document in DOCUMENTS {
        let found =
            FEATURES.iter().flat_map(|features| in_text(document, &chosen(&text(document), features)));
        let mut found: Vec<Result<Stack, String>> = found.collect();
        let mut seen = Vec::new();
        found.retain(|stack| {
            let is_new = !seen.contains(&stack.clone().ok());
            seen.push(stack.clone().ok());
            is_new || stack.is_err()
        });
        if found.is_empty() {
            found.push(Err(format!("{document} shows no stack")));
        }
        stacks.extend(found);
    }
    let profile = text(PROFILE);
    let (_, lines) = profile.split_once("\nAuth:\n").unwrap_or_default();
    let mut stack = DEBIAN.to_owned();
    for line in lines.lines().map_while(|line| line.strip_prefix('\t')) {
        stack.extend(["auth ", line, "\n"]);
    }
    stacks.extend(in_text(PROFILE, &stack));
    stacks
}

/// The lines of a distribution's file as they are played.
pub fn played(lines: &str) -> String {
    lines.lines().map(|line| stand_in(line).unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn text(document: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// A template of authselect with these features. Lines that are left out stay as empty ones, so that numbers hold.
fn chosen(text: &str, features: &[&str]) -> String {
    let chosen = |line: &str| {
        let Some((line, condition)) = line.split_once('{') else { return line.to_owned() };
        let has = features.iter().any(|feature| condition.contains(&format!("\"{feature}\"")));
        let counts = match condition.split(' ').next() {
            Some("include") => has,
            Some("exclude") => !has,
            _ => true,
        };
        if counts { line.to_owned() } else { String::new() }
    };
    text.lines().map(|line| chosen(line) + "\n").collect()
}

/// Lines that follow each other make a stack; remarks and empty lines don't part them, anything else does.
fn in_text(document: &str, text: &str) -> Vec<Result<Stack, String>> {
    let (mut stacks, mut lines, mut place) = (Vec::new(), Vec::new(), String::new());
    for (number, line) in (1..).zip(text.lines().chain(["the end"])) {
        let line = line.trim_start();
        if is_of_a_stack(line) {
            if line.contains("pam_mfa_chain.so") && place.is_empty() {
                place = format!("{document}:{number}");
            }
            lines.push(line);
        } else if !(line.is_empty() || line == "#" || line.starts_with("# ")) || line.contains("----") {
            stacks.extend(as_played(&place, &lines));
            lines.clear();
            place.clear();
        }
    }
    stacks
}

fn is_of_a_stack(line: &str) -> bool {
    let mut words = line.trim_start_matches('#').split_whitespace();
    let first = words.next().unwrap_or_default();
    let is_module = line.contains(".so") && !line.contains('`');
    match first {
        "@include" => words.count() == 1,
        "auth" | "account" | "password" | "session" => {
            is_module || matches!(words.next(), Some("include" | "substack"))
        }
        _ => false,
    }
}

/// Where all lines are remarks, they are an example; where some are, they are switched off, and the stack is played as
/// it stands and with them.
fn as_played(place: &str, lines: &[&str]) -> Vec<Result<Stack, String>> {
    if !lines.iter().any(|line| asks(line) && line.contains("pam_mfa_chain.so")) {
        return Vec::new();
    }
    let bare: Vec<&str> = lines.iter().map(|line| line.trim_start_matches('#')).collect();
    let live: Vec<&str> = lines.iter().filter(|line| !line.starts_with('#')).copied().collect();
    let ways = if live.is_empty() || live.len() == lines.len() { vec![bare] } else { vec![live, bare] };
    let stack = |lines: Vec<&str>| {
        let lines: Result<String, String> =
            lines.into_iter().filter(|line| asks(line)).map(stand_in).collect();
        lines
            .map(|lines| Stack { place: place.to_owned(), lines })
            .map_err(|error| format!("{place}: {error}"))
    };
    ways.into_iter().map(stack).collect()
}

fn asks(line: &str) -> bool {
    let line = line.trim_start_matches('#');
    line.starts_with("auth") || line.starts_with("@include common-auth")
}

fn stand_in(line: &str) -> Result<String, String> {
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    // libpam looks for what a stack includes in /etc/pam.d, wherever the stack lies.
    if let Some((before, file)) = words.rsplit_once("include ").or_else(|| words.rsplit_once("substack ")) {
        let how = words.strip_suffix(file).unwrap_or(before);
        let known = INCLUDED.iter().any(|(name, _)| *name == file);
        return if known {
            Ok(format!("{how}FOLDER/{file}\n"))
        } else {
            Err(format!("can't be played: {line}"))
        };
    }
    let found =
        STAND_INS.iter().find_map(|(module, played)| Some((words.split_once(module)?, module, played)));
    let ((before, after), module, played) = found.ok_or_else(|| format!("can't be played: {line}"))?;
    // Ours keeps its arguments.
    let after = if *module == "pam_mfa_chain.so" { after } else { "" };
    Ok(format!("{before}{played}{after}\n"))
}
