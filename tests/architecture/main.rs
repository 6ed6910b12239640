//! The rooms of the house, kept apart by reading the source. Each check is shown to find a bad line.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

mod order;
#[path = "../tracked/mod.rs"]
mod tracked;

use std::fs;
use std::path::Path;

/// A file below `src`, without its comments.
struct Source {
    path: String,
    code: String,
}

/// A check returns what is wrong, by file.
type Check = fn(&Source) -> Vec<String>;

/// The rooms, and which others each may name.
const ROOMS: [(&str, &[&str]); 8] = [
    ("verifier", &[]),
    ("store", &["verifier"]),
    ("pam", &["store", "verifier"]),
    ("host", &["store", "verifier"]),
    ("import", &["verifier"]),
    ("rehearsal", &["store", "verifier"]),
    ("changes", &["host", "store", "verifier"]),
    ("cli", &["changes", "host", "import", "rehearsal", "store", "verifier"]),
];

#[test]
fn rooms_name_only_the_rooms_they_may() {
    keeps(names_no_foreign_room);
    catches(names_no_foreign_room, "pam/hooks.rs", "use crate::cli::main;");
    catches(names_no_foreign_room, "cli/demo.rs", "fn f() { crate::pam::hooks::go() }");
    catches(names_no_foreign_room, "store/slot.rs", "use crate::{verifier::time, pam::hooks};");
    catches(names_no_foreign_room, "verifier/chain/judge.rs", "use super::super::super::store::FileStore;");
    catches(names_no_foreign_room, "verifier/policy/mod.rs", "use super::super::pam;");
    catches(names_no_foreign_room, "cli/mod.rs", "use crate::{\n    store::{A, B},\n    pam::C,\n};");
    catches(names_no_foreign_room, "store/mod.rs", "use mfa_chain::cli::Qr;");
    passes(names_no_foreign_room, "verifier/policy/prompt.rs", "use super::super::otp::Response;");
    passes(names_no_foreign_room, "pam/items.rs", "use ::pam::items::User; // crate::cli is not named");
}

fn names_no_foreign_room(source: &Source) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| source.room() == *room) else {
        return Vec::new();
    };
    let named = source.rooms_named();
    let foreign = named.into_iter().filter(|name| *name != source.room() && !allowed.contains(name));
    foreign.map(|name| format!("names the room `{name}`")).collect()
}

#[test]
fn unsafe_stands_at_libpam_alone_and_the_rooms_forbid_it() {
    keeps(has_no_unsafe);
    catches(has_no_unsafe, "store/slot.rs", "fn f() { unsafe { g() } }");
    catches(has_no_unsafe, "bin/mfa-chain.rs", "unsafe extern \"C\" fn f() {}");
    catches(has_no_unsafe, "rehearsal/mod.rs", "fn f() { unsafe { g() } }");
    passes(has_no_unsafe, "pam/items.rs", "fn f() { unsafe { g() } }");
    passes(has_no_unsafe, "store/error.rs", "fn f() -> Problem { Problem::Unsafe } // unsafe");
    keeps(forbids_unsafe_at_its_head);
    catches(forbids_unsafe_at_its_head, "cli/mod.rs", "mod demo;\n#![forbid(unsafe_code)]");
    passes(forbids_unsafe_at_its_head, "cli/mod.rs", "#![forbid(unsafe_code)]\nmod demo;");
}

fn has_no_unsafe(source: &Source) -> Vec<String> {
    // As rustfmt writes it; the bare word stands in texts too.
    let forms =
        ["unsafe {", "unsafe fn", "unsafe extern", "unsafe impl", "unsafe trait", "unsafe(", "unsafe mod"];
    let may =
        source.room() == "pam" || ["libpam.rs", "rehearsal/system_libpam.rs"].contains(&source.path.as_str());
    if may { Vec::new() } else { source.uses(&forms) }
}

fn forbids_unsafe_at_its_head(source: &Source) -> Vec<String> {
    let is_head = matches!(
        source.path.as_str(),
        "changes/mod.rs"
            | "cli/mod.rs"
            | "host/mod.rs"
            | "import/mod.rs"
            | "store/mod.rs"
            | "verifier/mod.rs"
    ) || source.path.starts_with("bin/");
    let first = source.code.lines().map(str::trim).find(|line| !line.is_empty());
    if is_head && first != Some("#![forbid(unsafe_code)]") {
        return vec!["does not begin with #![forbid(unsafe_code)]".to_owned()];
    }
    Vec::new()
}

#[test]
fn no_file_is_longer_than_500_lines() {
    for folder in ["src", "tests", "examples", "benches", "fuzz"] {
        for (path, text) in files(folder) {
            assert!(
                text.lines().count() <= 500 || LONG.contains(&path.as_str()),
                "{folder}/{path} is too long"
            );
        }
    }
}

/// Files of the tests that wait to be split.
const LONG: &[&str] = &["engine.rs"];

#[test]
fn the_clock_is_read_at_one_place() {
    keeps(reads_no_clock);
    catches(reads_no_clock, "verifier/login.rs", "let now = SystemTime::now();");
    catches(reads_no_clock, "store/file_store.rs", "std::time::SystemTime::now()");
    passes(reads_no_clock, "store/system_clock.rs", "let now = SystemTime::now();");
}

fn reads_no_clock(source: &Source) -> Vec<String> {
    if source.path == "store/system_clock.rs" { Vec::new() } else { source.uses(&["SystemTime::now"]) }
}

#[test]
fn success_and_ignore_are_made_where_the_table_of_codes_says() {
    keeps(makes_codes_in_their_places);
    catches(makes_codes_in_their_places, "pam/items.rs", "return PamResultCode::PAM_SUCCESS;");
    catches(makes_codes_in_their_places, "pam/hooks.rs", "PamResultCode::PAM_IGNORE");
    catches(
        makes_codes_in_their_places,
        "pam/code.rs",
        "PamResultCode::PAM_IGNORE; PamResultCode::PAM_IGNORE",
    );
    catches(makes_codes_in_their_places, "pam/code.rs", "PamResultCode::PAM_USER_UNKNOWN");
    catches(makes_codes_in_their_places, "pam/authenticate.rs", "PamResultCode::PAM_CRED_ERR");
    catches(makes_codes_in_their_places, "verifier/verdict.rs", "StepProof::assertion(step, 1)");
    catches(makes_codes_in_their_places, "pam/code.rs", "Committed::assertion(1)");
}

/// A word, the files that may hold it, and how often.
const PLACES: [(&str, &[(&str, usize)]); 9] = [
    // The grant and the exempt login with a key; the account stage after a grant; setcred
    // and the sessions, which decide nothing.
    ("PamResultCode::PAM_SUCCESS", &[("pam/code.rs", 2), ("pam/authenticate.rs", 1), ("pam/hooks.rs", 3)]),
    ("PAM_IGNORE", &[("pam/code.rs", 1)]),
    ("PAM_USER_UNKNOWN", &[]),
    ("PAM_AUTHINFO_UNAVAIL", &[]),
    ("PAM_CRED_", &[]),
    ("StepProof::assertion", &[("verifier/chain/judge.rs", 1)]),
    ("ChainProof {", &[("verifier/chain/steps.rs", 3)]),
    // The field, and the place that makes it.
    ("_made_here:", &[("pam/accepted_key.rs", 2)]),
    ("Committed::assertion", &[("store/file_store.rs", 1), ("verifier/memory_store.rs", 1)]),
];

fn makes_codes_in_their_places(source: &Source) -> Vec<String> {
    let too_often = PLACES.iter().filter_map(|(word, places)| {
        let allowed = places.iter().find(|(path, _)| *path == source.path).map_or(0, |(_, count)| *count);
        let found = source.code_before_tests().matches(word).count();
        (found > allowed).then(|| format!("holds `{word}` {found} times, {allowed} allowed"))
    });
    too_often.collect()
}

#[test]
fn the_module_is_a_guest_of_its_process() {
    keeps(behaves_as_a_guest);
    catches(behaves_as_a_guest, "pam/hooks.rs", "eprintln!(\"x\");");
    catches(behaves_as_a_guest, "store/slot.rs", "std::process::exit(1)");
    catches(behaves_as_a_guest, "verifier/chain/draw.rs", "std::thread::spawn(|| 1)");
    catches(behaves_as_a_guest, "store/slot.rs", "std::env::var(\"HOME\")");
    catches(behaves_as_a_guest, "pam/items.rs", "let _ = Command::new(\"sh\");");
    passes(behaves_as_a_guest, "cli/demo.rs", "println!(\"x\"); std::process::exit(1)");
}

fn behaves_as_a_guest(source: &Source) -> Vec<String> {
    if !matches!(source.room(), "pam" | "store" | "verifier") {
        return Vec::new();
    }
    source.uses(&[
        "println!",
        "eprintln!",
        "print!",
        "eprint!",
        "dbg!",
        "stdout",
        "stderr",
        "stdin",
        "thread::spawn",
        "thread::Builder",
        "process::exit",
        "process::abort",
        "Command::new",
        "env::",
        "set_current_dir",
        "chdir",
        "umask",
        "sigaction",
        "signal(",
        "fork(",
        "set_logger",
    ])
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let lines = text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
        Self { path: path.to_owned(), code: lines.collect::<Vec<_>>().join("\n") }
    }

    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    fn code_before_tests(&self) -> &str {
        self.code.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// Which of the words stand in the code as whole words.
    fn uses(&self, words: &[&str]) -> Vec<String> {
        let stands = |word: &&&str| {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
            self.code.match_indices(**word).any(|(at, _)| {
                let (before, after) = (&self.code[..at], &self.code[at + word.len()..]);
                let open = word.ends_with(|letter| !is_part(letter));
                !before.ends_with(is_part) && (open || !after.starts_with(is_part))
            })
        };
        words.iter().filter(stands).map(|word| format!("uses `{word}`")).collect()
    }

    /// The rooms that paths from the root of the crate lead into.
    fn rooms_named(&self) -> Vec<&'static str> {
        let mut tops = Vec::new();
        for root in ["crate::", "mfa_chain::"] {
            for (at, _) in self.code.match_indices(root) {
                tops.extend(first_names(&self.code[at + root.len()..]));
            }
        }
        // `super` often enough to leave the room.
        let depth = self.path.trim_end_matches("/mod.rs").split('/').count();
        let root = "super::".repeat(depth);
        for (at, _) in self.code.match_indices(&root) {
            tops.extend(first_names(self.code[at + root.len()..].trim_start_matches("super::")));
        }
        let rooms = ROOMS.iter().map(|(room, _)| *room);
        rooms.filter(|room| tops.iter().any(|top| top == room)).collect()
    }
}

/// The first name of a path, or of each path in braces.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| {
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        text[..end].to_owned()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(group[start..at].trim_start()));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn keeps(check: Check) {
    let mut wrong = Vec::new();
    for (path, text) in files("src") {
        let source = Source::new(&path, &text);
        wrong.extend(check(&source).into_iter().map(|what| format!("src/{path} {what}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn catches(check: Check, path: &str, snippet: &str) {
    assert!(!check(&Source::new(path, snippet)).is_empty(), "not caught in {path}: {snippet}");
}

fn passes(check: Check, path: &str, snippet: &str) {
    assert_eq!(check(&Source::new(path, snippet)), Vec::<String>::new(), "{path}: {snippet}");
}

/// Every Rust file below a folder of the project, with its path from there.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let rust = tracked::files_below(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let found: Vec<_> = rust
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below").display().to_string();
            (name, fs::read_to_string(&path).expect("UTF-8"))
        })
        .collect();
    assert!(!found.is_empty() || folder != "src", "no source found");
    found
}
