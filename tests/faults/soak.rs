//! F15: very many logins in one process.

use crate::fault_run;
use crate::pam_sandbox::TWO_COUNTERS;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::Tally;

const REFUSED: &str = "right codes refused";
const LEFT: &str = "things left behind";
const LOGINS: u64 = 100_000;

pub fn soak(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[REFUSED, LEFT]);
    let count = context.scaled(LOGINS).max(3_000);
    let sandbox = fault_run::sandbox(context);
    // Looking one counter ahead: among so many codes, two of a longer look-ahead have the same digits, and then
    // those between them are burnt too (F3).
    sandbox.write_policy(&TWO_COUNTERS.replace("type = \"hotp\"", "type = \"hotp\"\nlook_ahead = 1"));
    let phone = Token::counter("phone").codes(0, count);
    let token = Token::counter("token").codes(0, count);
    let line = |(phone, token): (&String, &String)| format!("alice\ttext:{phone}\ttext:{token}");
    let jobs: Vec<String> = phone.iter().zip(&token).map(line).collect();
    let folder_before = files_of(&sandbox.store());
    let play = sandbox.play_written("strict").switch("--brief").switch("--no-times");
    let began = std::time::Instant::now();
    let played = play.jobs(&jobs).run_here();
    let seconds = began.elapsed().as_secs_f64();
    let report = played.report();
    tally.count = count;
    let granted = report["codes"]["0"].as_u64().unwrap_or(0);
    tally.blame_if(granted != count, REFUSED, &report["codes"].to_string());
    for key in
        ["fds", "cwd", "Umask", "Uid", "Gid", "Groups", "Threads", "SigBlk", "SigIgn", "SigCgt", "SigPnd"]
    {
        let (before, after) = (&report["before"][key], &report["after"][key]);
        tally.blame_if(before != after, LEFT, &format!("{key}: {before} then {after}"));
    }
    let pages = played.resident_pages();
    let (first, last) = (pages[pages.len().min(2) - 1], pages[pages.len() - 1]);
    tally.blame_if(last > first + 16, LEFT, &format!("{} KiB", (last - first.min(last)) * 4));
    tally.blame_if(files_of(&sandbox.store()) != folder_before, LEFT, "files in the store");
    tally.figure("memory grew by", format!("{} KiB after the first 2,000", last.saturating_sub(first) * 4));
    tally.figure("logins a second", format!("{:.0}", count as f64 / seconds));
    tally
}

/// Every file below a folder with its size.
fn files_of(folder: &std::path::Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_of(&path));
        } else {
            found.push((path.clone(), path.metadata().expect("a file").len()));
        }
    }
    found.sort();
    found
}
