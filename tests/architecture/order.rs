//! The engine reads from the bottom up: each file names only files below it, and no two name each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::files;

/// What stands in `src/verifier`, from the bottom up. A room is one level; its files name each other without a circle.
const LEVELS: [&[&str]; 12] = [
    &["time", "shell_word"],
    &["otp"],
    &["username", "accounts", "attempt_id", "reason"],
    &["request"],
    &["event", "policy"],
    &["enrollment"],
    &["state"],
    &["ports"],
    &["chain"],
    &["verdict"],
    &["attempt"],
    &["login", "enrolling", "memory_store"],
];

#[test]
fn no_file_of_the_engine_names_one_above_it() {
    assert_eq!(upward_arrows(&engine()), [""; 0]);
    let with = |path: &str, line: &str| {
        let mut files = engine();
        files.get_mut(path).expect("a file").push_str(line);
        upward_arrows(&files)
    };
    let caught = with("otp/secret.rs", "use crate::verifier::enrollment::Credential;");
    assert_eq!(caught, ["otp/secret.rs names enrollment/credential.rs"]);
    assert_eq!(with("request.rs", "fn f() { super::event::g() }"), ["request.rs names event.rs"]);
    assert_eq!(with("event.rs", "use super::policy::FactorId;"), ["event.rs names policy/factor_id.rs"]);
    assert_eq!(with("login.rs", "use super::otp::SharedSecret;"), [""; 0]);
}

#[test]
fn no_two_files_of_the_engine_name_each_other() {
    assert_eq!(circle(&engine()), None);
    let mut files = engine();
    files.get_mut("otp/parameters.rs").expect("a file").push_str("use super::secret::SharedSecret;");
    let found = circle(&files).expect("a circle");
    assert!(found.contains("otp/parameters.rs") && found.contains("otp/secret.rs"), "{found}");
    let mut files = engine();
    files.get_mut("policy/document/raw.rs").expect("a file").push_str("use super::read;");
    assert!(circle(&files).is_some(), "through several files");
}

/// The files of the engine without comments and tests, by their paths in `src/verifier`.
fn engine() -> BTreeMap<String, String> {
    let of_tests = |path: &str| path.ends_with("/tests.rs");
    let inside = files("src").into_iter().filter_map(|(path, text)| {
        let path = path.strip_prefix("verifier/")?.to_owned();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
        Some((path, lines.collect::<Vec<_>>().join("\n")))
    });
    inside.filter(|(path, _)| !of_tests(path) && path != "mod.rs").collect()
}

fn upward_arrows(files: &BTreeMap<String, String>) -> Vec<String> {
    let level = |path: &str| {
        let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        LEVELS.iter().position(|names| names.contains(&room)).unwrap_or_else(|| panic!("{path} has no level"))
    };
    let room = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for (path, named) in arrows(files) {
        let above = named.iter().filter(|other| room(other) != room(&path) && level(other) >= level(&path));
        found.extend(above.map(|other| format!("{path} names {other}")));
    }
    found
}

/// The files of a circle, one after the other.
fn circle(files: &BTreeMap<String, String>) -> Option<String> {
    let mut left = arrows(files);
    // Whatever names nobody that is left can be in no circle.
    loop {
        let ends: Vec<String> =
            left.iter().filter(|(_, named)| named.is_empty()).map(|(path, _)| path.clone()).collect();
        if ends.is_empty() {
            break;
        }
        left.retain(|path, _| !ends.contains(path));
        for named in left.values_mut() {
            named.retain(|other| !ends.contains(other));
        }
    }
    let mut at = left.keys().next()?;
    let mut way = Vec::new();
    while !way.contains(&at) {
        way.push(at);
        at = left.get(at)?.first()?;
    }
    Some(way.into_iter().skip_while(|path| *path != at).cloned().collect::<Vec<_>>().join(" -> "))
}

/// Which files each file names.
fn arrows(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let named = files.iter().map(|(path, code)| {
        let mut found = BTreeSet::new();
        for name in names_in(code) {
            found.extend(absolute(path, &name).and_then(|name| file_of(files, &name)));
        }
        found.remove(path);
        (path.clone(), found)
    });
    named.collect()
}

/// The paths of modules in `code`, those in braces each on its own.
fn names_in(code: &str) -> Vec<Vec<String>> {
    let mut names = Vec::new();
    for start in ["crate::verifier::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let is_inside = code[..at]
                .ends_with(|before: char| before.is_alphanumeric() || before == ':' || before == '_');
            if !is_inside {
                expand(&code[at..], &mut Vec::new(), &mut names);
            }
        }
    }
    names
}

/// Takes the path at the beginning of `rest` apart. Returns how much of it was read.
fn expand(rest: &str, before: &mut Vec<String>, names: &mut Vec<Vec<String>>) -> usize {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let depth = before.len();
    let mut at = 0;
    loop {
        let end = rest[at..].find(|letter| !is_part(letter)).map_or(rest.len(), |end| at + end);
        if rest[at..].starts_with('{') {
            at += 1;
            loop {
                at += rest[at..].find(|letter: char| !letter.is_whitespace() && letter != ',').unwrap_or(0);
                if rest[at..].starts_with('}') || at >= rest.len() {
                    break;
                }
                at += expand(&rest[at..], before, names).max(1);
            }
            before.truncate(depth);
            return at + 1;
        }
        before.push(rest[at..end].to_owned());
        if !rest[end..].starts_with("::") {
            names.push(before.clone());
            before.truncate(depth);
            return end;
        }
        at = end + 2;
    }
}

/// The path from `src/verifier` on; `None` where it leads out of it.
fn absolute(path: &str, name: &[String]) -> Option<Vec<String>> {
    let mut place: Vec<String> =
        path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').map(str::to_owned).collect();
    let mut rest = name;
    if rest.first()? == "crate" {
        return Some(rest.get(2..)?.to_vec());
    }
    while let Some(first) = rest.first() {
        match first.as_str() {
            "self" => {}
            "super" => drop(place.pop()?),
            _ => break,
        }
        rest = &rest[1..];
    }
    place.extend(rest.iter().cloned());
    Some(place)
}

/// The file that the path leads to, through what rooms hand on.
fn file_of(files: &BTreeMap<String, String>, name: &[String]) -> Option<String> {
    for length in (1..=name.len()).rev() {
        let module = name[..length].join("/");
        let rest = &name[length..];
        if files.contains_key(&format!("{module}.rs")) {
            return Some(format!("{module}.rs"));
        }
        let room = format!("{module}/mod.rs");
        let Some(code) = files.get(&room) else { continue };
        let Some(item) = rest.first() else { return Some(room) };
        let handed_on = names_handed_on(code).into_iter().find(|path| path.last() == Some(item));
        return match handed_on {
            Some(path) => file_of(files, &[&name[..length], &path[..]].concat()),
            None => Some(room),
        };
    }
    None
}

/// The paths behind `pub use`.
fn names_handed_on(code: &str) -> Vec<Vec<String>> {
    let mut names = Vec::new();
    for word in ["pub use ", "pub(crate) use ", "pub(super) use "] {
        for (at, _) in code.match_indices(word) {
            expand(&code[at + word.len()..], &mut Vec::new(), &mut names);
        }
    }
    names
}
