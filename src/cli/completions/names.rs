//! What may stand at a place of the command line that only the files of this host know: users, factors, services.
//!
//! A shell asks as the user who presses the key. That user learns what the files tell any reader, and not who has
//! enrolled: only root can list the store. Nothing is said of errors, which would end up in a line that somebody types.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use clap_complete::CompletionCandidate;

use crate::host::stacks::Stacks;
use crate::store::{DEFAULT_POLICY, DEFAULT_STORE, FileStore, load_policy};
use crate::verifier::policy::Policy;
use crate::verifier::shell_word::shell_word;

/// Users of the store.
pub fn enrolled() -> Vec<CompletionCandidate> {
    let users = FileStore::at(&given("--store", DEFAULT_STORE)).users().unwrap_or_default();
    typed(users.iter().map(|user| user.as_str().to_owned()))
}

/// Accounts of this machine that log in. A directory is not asked: it may be large, slow or down.
pub fn people() -> Vec<CompletionCandidate> {
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let logs_in = |line: &&str| !line.ends_with("/nologin") && !line.ends_with("/false");
    let names = accounts.lines().filter(logs_in).filter_map(|line| line.split(':').next());
    typed(names.map(str::to_owned))
}

/// Factors of the policy.
pub fn factors() -> Vec<CompletionCandidate> {
    let policy = load_policy(&given("--policy", DEFAULT_POLICY)).ok();
    let factors = policy.iter().flat_map(Policy::factors);
    typed(factors.map(|factor| factor.id.as_str().to_owned()))
}

/// Services that have a file.
pub fn services() -> Vec<CompletionCandidate> {
    typed(Stacks::of_system().services().into_iter())
}

/// Forms of `--qr`.
pub fn forms_of_qr() -> Vec<CompletionCandidate> {
    typed(["utf8", "ascii", "none", "png=", "svg="].map(str::to_owned).into_iter())
}

/// A name that a shell would take apart is not offered: bash puts a candidate into the line as it is.
fn typed(names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let plain = names.filter(|name| matches!(shell_word(name), Cow::Borrowed(_)));
    plain.map(CompletionCandidate::new).collect()
}

/// The value that the unfinished line has for `option`.
fn given(option: &str, default: &str) -> PathBuf {
    let words: Vec<_> = std::env::args_os().collect();
    let apart = words.windows(2).filter(|pair| matches!(pair, [name, _] if name == option));
    let apart = apart.filter_map(|pair| pair.last().map(PathBuf::from));
    words
        .iter()
        .filter_map(|word| word.to_str()?.strip_prefix(option)?.strip_prefix('='))
        .map(PathBuf::from)
        .chain(apart)
        .next()
        .unwrap_or_else(|| default.into())
}
