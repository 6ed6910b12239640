//! `docs/doctor.md` lists every finding, and no other.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../docs/doctor.md");

/// What the code names as a finding: the first text of each call that makes one.
fn names_in(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut names = BTreeSet::new();
    for call in ["Finding::error(", "Finding::warning(", "Finding::note(", "split("] {
        let arguments = code.split(call).skip(1).map(str::trim_start);
        let texts = arguments.filter_map(|text| text.strip_prefix('"')?.split('"').next());
        names.extend(texts.filter(|name| name.len() > 2).map(str::to_owned));
    }
    names
}

#[test]
fn the_page_and_the_code_name_the_same_findings() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<_> =
        fs::read_dir(source.join("host")).expect("a folder").map(|it| it.expect("a file").path()).collect();
    files.push(source.join("cli/doctor.rs"));
    let mut named = BTreeSet::new();
    for file in files {
        named.extend(names_in(&fs::read_to_string(file).expect("text")));
    }
    // These two come of one call.
    named.extend(["policy-missing".to_owned(), "policy-invalid".to_owned()]);
    let listed: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert!(listed.len() > 30, "{listed:?}");
    assert_eq!(named, listed);
}

#[test]
fn a_finding_that_the_page_lacks_is_noticed() {
    assert_eq!(
        names_in("x(Finding::error(\n    \"new-one\", what))"),
        BTreeSet::from(["new-one".to_owned()])
    );
    assert_eq!(
        names_in("a.split(\",\"); split(\"enrollments\", text)"),
        BTreeSet::from(["enrollments".to_owned()])
    );
}

/// The room of the module can't be named by those that read a host.
#[test]
fn the_arguments_that_are_checked_are_those_that_the_module_takes() {
    let module = include_str!("../src/pam/arguments.rs");
    let (_, known) = module.split_once("KNOWN: [&'static str; 5] = [").expect("the arguments");
    let known: Vec<&str> =
        known.split(']').next().expect("an end").split(", ").map(|it| it.trim_matches('"')).collect();
    assert_eq!(mfa_chain::host::lines::ARGUMENTS.to_vec(), known);
}
