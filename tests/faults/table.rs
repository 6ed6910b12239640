//! The table: on the terminal row by row, and in `docs/figures.md` at the end.

use std::fmt::Write as _;
use std::process::Command;

use crate::plan::{Outcome, Plan};

pub fn print_head() {
    println!("{:<5} {:<44} {:>9} {:>7}  verdict  result", "row", "what", "count", "seconds");
}

pub fn print(outcome: &Outcome) {
    let Outcome { name, what, tally, seconds } = outcome;
    let verdict = if outcome.passed() { "pass" } else { "FAIL" };
    println!("{name:<5} {what:<44} {:>9} {seconds:>7.1}  {verdict:<7}  {}", tally.count, tally.to_words());
    for (kind, example) in tally.wrong.iter().take(10) {
        println!("        {kind}: {example}");
    }
}

/// Writes the figures of a whole run to the file that `FAULTS_FIGURES` names.
pub fn write_figures(plan: &Plan, outcomes: &[Outcome]) {
    let Some(path) = std::env::var_os("FAULTS_FIGURES").filter(|path| !path.is_empty()) else { return };
    if !plan.is_whole() {
        return;
    }
    let mut text = String::from(
        "# Figures\n\nWritten by `make faults`, which prints them again on your machine; no figure here was typed. The\n\
         rows are those of the fault plan in `tests/faults`; `SECURITY.md` says which promise each one checks.\n\n",
    );
    for line in machine() {
        let _ = writeln!(text, "- {line}");
    }
    let _ = writeln!(text, "- scale {} of the full counts\n", plan.context.scale);
    text.push_str("| Row | What | Count | Result | Verdict | Seconds |\n|---|---|---:|---|---|---:|\n");
    for outcome in outcomes {
        let Outcome { name, what, tally, seconds } = outcome;
        let verdict = if outcome.passed() { "pass" } else { "**fail**" };
        let _ = writeln!(
            text,
            "| {name} | {what} | {} | {} | {verdict} | {seconds:.0} |",
            tally.count,
            tally.to_words().replace('|', "\\|")
        );
    }
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The machine and the versions that the figures belong to.
fn machine() -> Vec<String> {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once([':', '='])
            .map_or_else(String::new, |(_, value)| value.trim_matches([' ', '"']).to_owned())
    };
    let cpu = file("/proc/cpuinfo");
    let processors = cpu.matches("processor\t").count();
    vec![
        format!(
            "{} with Linux {}",
            value(&file("/etc/os-release"), "PRETTY_NAME"),
            file("/proc/sys/kernel/osrelease").trim()
        ),
        format!("{processors} processors, {}", value(&cpu, "model name")),
        format!(
            "Linux-PAM {}, {}, mfa-chain {}",
            pam_version(),
            first_line("rustc", "--version"),
            env!("CARGO_PKG_VERSION")
        ),
    ]
}

fn pam_version() -> String {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${Version}", "libpam0g"]).output();
    output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or(program).to_owned()
}
