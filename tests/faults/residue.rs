//! F9: after a login returned, its process holds no copy of a key or of a code.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::process::{Command, Stdio};

use data_encoding::{BASE32_NOPAD, HEXLOWER};

use crate::fault_run::STRICT;
use crate::pam_sandbox::token::Token;
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::Tally;

const COPIES: &str = "copies of a key or a code";

pub fn residue(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[COPIES]);
    // Keys and codes that appear nowhere by chance.
    let phone = Token::counter("phone").with_key(b"\x91kF\xe2Zq\x07w\xb8Jt9\xccV\x1fe\xd3Rh").with_digits(8);
    let token =
        Token::counter("token").with_key(b"\x3eYa\xa5\x10pN\xf7cX\x82ud\xbeG\x15zM\xc9b").with_digits(8);
    let wrong = "90817263".to_owned();
    for at in 0..context.scaled(20) {
        for (name, second) in [("granted", token.code(at * 2)), ("denied", wrong.clone())] {
            let first = phone.code(at * 2 + u64::from(name == "denied"));
            let sandbox = PamSandbox::with_policy(TWO_COUNTERS);
            sandbox.write_service("strict", &context.module, STRICT);
            sandbox.enroll(
                "alice",
                &[phone.clone().starting_at(at * 2), token.clone().starting_at(at * 2)],
                None,
            );
            let mut words = vec![first.clone().into_bytes(), second.clone().into_bytes()];
            for token in [&phone, &token] {
                words.push(token.key.clone());
                words.push(BASE32_NOPAD.encode(&token.key).into_bytes());
                words.push(HEXLOWER.encode(&token.key).into_bytes());
            }
            let found = search(&sandbox, &[first, second], &words);
            tally.count += 1;
            for place in found {
                tally.blame(COPIES, format!("{name}: {place}"));
            }
        }
    }
    tally.figure("words looked for in each process", 8);
    tally
}

/// Runs a login that stays after its end, and looks for the words in all of its memory.
fn search(sandbox: &PamSandbox, codes: &[String; 2], words: &[Vec<u8>]) -> Vec<String> {
    for (place, code) in codes.iter().enumerate() {
        std::fs::write(sandbox.path().join(format!("code-{place}")), format!("{code}\n")).expect("a code");
    }
    let play = sandbox.play_written("strict").switch("--brief").switch("--linger").answers(&["fd:3", "fd:4"]);
    let login = play.command();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 3<code-0 4<code-1", "sh"]);
    crate::trace::under(&mut shell, &login);
    let mut process = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
    let mut report = String::new();
    BufReader::new(process.stdout.as_mut().expect("a pipe")).read_line(&mut report).expect("a report");
    assert!(report.contains("codes"), "{report}");
    let found = words_in_memory(process.id(), words);
    drop(process.stdin.take());
    process.wait().expect("the end of pamdrive");
    found
}

fn words_in_memory(process: u32, words: &[Vec<u8>]) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("its memory");
    let mut memory = File::open(format!("/proc/{process}/mem")).expect("its memory");
    let (mut found, mut searched) = (Vec::new(), 0);
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, mode) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let name = fields.last().unwrap_or("anonymous");
        let bounds = range.split_once('-').map(|(from, to)| (address(from), address(to)));
        let Some((from, to)) = bounds.filter(|_| mode.starts_with("rw")) else { continue };
        let mut bytes = vec![0; usize::try_from(to - from).expect("a size")];
        if memory.seek(SeekFrom::Start(from)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        searched += bytes.len();
        for (number, word) in words.iter().enumerate() {
            for (at, window) in bytes.windows(word.len()).enumerate() {
                if window == word.as_slice() {
                    let around = &bytes[at.saturating_sub(24)..(at + word.len() + 8).min(bytes.len())];
                    found.push(format!("word {number} in {name} at {at:#x}: {}", around.escape_ascii()));
                }
            }
        }
    }
    assert!(searched > 100_000, "no memory was searched");
    found
}

fn address(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("an address")
}
