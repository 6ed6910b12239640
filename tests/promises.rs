//! `SECURITY.md` says of each promise which tests show it. Every name there has to exist, so that the page can't
//! promise what nothing checks any more.
#![cfg(test)]

mod tracked;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The promises are numbered, so that other pages and reports can name them.
const PROMISES: usize = 37;

#[test]
fn every_check_that_security_md_names_exists() {
    let page = read("SECURITY.md");
    assert_eq!(wrong_in(&page, &checks()), Vec::<String>::new());
}

#[test]
fn a_page_that_names_what_is_not_there_is_told() {
    let checks = checks();
    let row = "| S1 | A promise. | F3, `codes_of_rfc_4226_appendix_d`, `make faults`, `tests/e2e` |";
    for (change, expected) in [
        (("F3", "F99"), "S1: F99 is no row"),
        (("appendix_d", "appendix_x"), "S1: `codes_of_rfc_4226_appendix_x` is no test"),
        (("`make faults`", "`make nothing`"), "S1: `make nothing` is no target"),
        (("tests/e2e", "tests/none"), "S1: `tests/none` is not there"),
        (("S1", "S2"), "S2 stands where S1 should"),
        (
            ("F3, `codes_of_rfc_4226_appendix_d`, `make faults`, `tests/e2e`", "trust us"),
            "S1: no check and no `Not ",
        ),
    ] {
        let wrong = wrong_in(&row.replace(change.0, change.1), &checks);
        assert!(wrong.iter().any(|line| line.starts_with(expected)), "{change:?}: {wrong:?}");
    }
    assert_eq!(wrong_in(row, &checks), ["1 promises, 37 are wanted"]);
}

/// A table that rots would show nothing, and nobody builds the variants daily.
#[test]
fn every_promise_has_a_wrong_variant_that_applies() {
    let table = read("tests/variants/table.toml");
    assert_eq!(wrong_in_table(&table, &read("SECURITY.md")), Vec::<String>::new());
}

#[test]
fn a_table_of_variants_that_has_rotted_is_told() {
    let (page, table) = ("| S1 | A promise. | F1 |\n| S2 | Not offered. | |", VARIANT);
    assert_eq!(wrong_in_table(table, page), Vec::<String>::new());
    for (change, expected) in [
        (("S1", "S7"), ["S7: no such promise", "S1: no variant"]),
        (("[package]", "no such text"), ["S1: the text to be replaced stands 0 times in Cargo.toml", ""]),
        (
            ("every_check_that", "no_check_that"),
            ["S1: `no_check_that_security_md_names_exists` is no test", ""],
        ),
    ] {
        let expected: Vec<&str> = expected.into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(wrong_in_table(&table.replace(change.0, change.1), page), expected);
    }
    let of_plan = "[[variant]]\npromise = 'S1'\nrow = 'F1'\nfault = 'nothing'\n";
    assert_eq!(wrong_in_table(of_plan, page), ["S1: the fault plan has no variant `nothing` for F1"]);
}

/// A comment beside a fault is enough to make its patch fail, and the fault plan takes a quarter of an hour to say so.
#[test]
fn every_patch_of_the_fault_plan_applies() {
    let folder = "tests/faults/variants";
    let patches = std::fs::read_dir(folder).expect("patches").map(|entry| entry.expect("a patch").path());
    let (mut count, mut wrong) = (0, Vec::new());
    for patch in patches {
        count += 1;
        let applied = Command::new("patch")
            .args(["-p1", "--dry-run", "--fuzz=0", "--silent", "--force", "-i"])
            .arg(&patch)
            .output()
            .expect("patch must be installed (apt-get install patch)");
        if !applied.status.success() {
            wrong.push(patch.display().to_string());
        }
    }
    assert!(count > 20, "{count}");
    assert_eq!(wrong, [""; 0]);
}

const VARIANT: &str = "[[variant]]\npromise = 'S1'\nfile = 'Cargo.toml'\nold = '[package]'\nnew = ''\n\
                       test = 'promises every_check_that_security_md_names_exists'\n";

/// What a table of wrong variants gets wrong.
fn wrong_in_table(table: &str, page: &str) -> Vec<String> {
    let table: toml::Table = table.parse().expect("a table");
    let variants = table["variant"].as_array().expect("variants");
    let promises: Vec<(&str, &str)> = page
        .lines()
        .filter(|line| line.starts_with("| S"))
        .filter_map(|line| line.trim_start_matches("| ").split_once(" | "))
        .collect();
    let (checks, plan) = (checks(), read("tests/faults/variants.rs"));
    let mut wrong = Vec::new();
    let mut broken = BTreeSet::new();
    for variant in variants {
        let text = |key: &str| variant.get(key).and_then(toml::Value::as_str);
        let promise = text("promise").expect("a promise");
        broken.insert(promise);
        let fault = match (text("row"), text("fault"), text("file")) {
            _ if promises.iter().all(|(name, _)| *name != promise) => Some("no such promise".to_owned()),
            (Some(row), Some(fault), None) => fault_of_plan(&plan, row, fault),
            (None, None, Some(file)) => fault_of_text(file, text("old"), text("test"), &checks),
            _ => Some("neither of the plan nor of a file".to_owned()),
        };
        wrong.extend(fault.map(|fault| format!("{promise}: {fault}")));
    }
    let is_kept = |text: &str| !text.starts_with("Not ");
    let lacking = promises.iter().filter(|(name, text)| is_kept(text) && !broken.contains(name));
    wrong.extend(lacking.map(|(name, _)| format!("{name}: no variant")));
    wrong
}

fn fault_of_plan(plan: &str, row: &str, fault: &str) -> Option<String> {
    let fault_there = plan.contains(&format!("variant(\"{fault}\", \"{row}\""))
        || plan.contains(&format!("= \"{fault}\""))
            && ["REVOKE_FIRST", "ONE_BY_ONE"]
                .iter()
                .any(|name| plan.contains(&format!("variant({name}, \"{row}\"")));
    (!fault_there).then(|| format!("the fault plan has no variant `{fault}` for {row}"))
}

fn fault_of_text(file: &str, old: Option<&str>, test: Option<&str>, checks: &Checks) -> Option<String> {
    let times = read(file).matches(old.expect("a text")).count();
    let name = test.and_then(|test| test.split(' ').nth(1)).expect("a test");
    match checks.lack(&format!("`{name}`")) {
        _ if times != 1 => Some(format!("the text to be replaced stands {times} times in {file}")),
        lack => lack,
    }
}

/// What a page of promises gets wrong.
fn wrong_in(page: &str, checks: &Checks) -> Vec<String> {
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| S"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let mut wrong = Vec::new();
    for (number, row) in (1..).zip(&rows) {
        let [name, promise, shown_by] = row[..] else {
            wrong.push(format!("{} has {} cells", row[0], row.len()));
            continue;
        };
        if name != format!("S{number}") {
            wrong.push(format!("{name} stands where S{number} should"));
        }
        let named = names(shown_by);
        if named.is_empty() && !promise.starts_with("Not ") {
            wrong.push(format!("{name}: no check and no `Not built` or `Not offered`"));
        }
        wrong.extend(
            named.iter().filter_map(|check| checks.lack(check)).map(|what| format!("{name}: {what}")),
        );
    }
    if rows.len() != PROMISES {
        wrong.push(format!("{} promises, {PROMISES} are wanted", rows.len()));
    }
    wrong
}

/// Rows of the fault plan as they are, tests, targets and folders in their backquotes.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2).map(|name| format!("`{name}`"));
    let plain =
        cell.split('`').step_by(2).flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()));
    let rows = plain.filter(|word| {
        word.starts_with('F') && word[1..].starts_with(|letter: char| letter.is_ascii_digit())
    });
    rows.map(str::to_owned).chain(quoted).collect()
}

/// What there is to name.
struct Checks {
    tests: BTreeSet<String>,
    rows: BTreeSet<String>,
    targets: BTreeSet<String>,
}

impl Checks {
    fn lack(&self, name: &str) -> Option<String> {
        let bare = name.trim_matches('`');
        let (there, kind) = if bare == name {
            (self.rows.contains(bare), "no row of the fault plan")
        } else if let Some(target) = bare.strip_prefix("make ") {
            (self.targets.contains(target), "no target")
        } else if bare.contains('/') {
            (root().join(bare).exists(), "not there")
        } else {
            (self.tests.contains(bare), "no test")
        };
        (!there).then(|| format!("{name} is {kind}"))
    }
}

fn checks() -> Checks {
    let (mut tests, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for folder in ["src", "tests"] {
        for path in tracked::files_below(folder) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            match path.extension().and_then(|kind| kind.to_str()) {
                Some("rs") => tests.extend(rust_tests(&text)),
                Some("py") => {
                    tests.extend(words_after(&text, "def ").filter(|name| name.starts_with("test_")));
                }
                _ => {}
            }
        }
    }
    let rules = tracked::files_below(".")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "mk"));
    for path in rules.chain([root().join("Makefile")]) {
        let text = fs::read_to_string(&path).expect("rules of make");
        targets.extend(text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())));
    }
    let rows = words_after(&read("tests/faults/plan.rs"), "Row { name: \"").collect();
    let found = Checks { tests, rows, targets };
    assert!(found.tests.len() > 200 && found.rows.len() > 10, "the search itself is broken");
    found
}

/// The functions below `#[test]`, whatever attributes stand between.
fn rust_tests(text: &str) -> Vec<String> {
    let below = text.split("#[test]").skip(1);
    below.filter_map(|text| words_after(text, "fn ").next()).collect()
}

fn words_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = String> + 'a {
    let name = |rest: &str| {
        rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
    };
    text.split(before).skip(1).filter_map(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
