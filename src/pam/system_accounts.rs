//! Asks the account and group databases of this host through NSS, so that LDAP and SSSD count too.
//!
//! This file calls libc directly. The available crates fail for groups above a mebibyte, or do not distinguish a
//! database that did not answer from a name that is not listed.

use std::cell::OnceCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use libc::{gid_t, group, passwd};
use nix::errno::Errno;
use nix::unistd::{Gid, getgrouplist};

use crate::verifier::accounts::{Account, Accounts, AccountsError, Membership};

/// `passwd` and `group` as nsswitch.conf(5) says.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        // No database can hold a name with NUL.
        let Ok(wanted) = CString::new(name) else { return Ok(None) };
        // SAFETY: getpwnam_r(3) with a NUL-terminated name and the buffer of `ask`, which lives until `ask` has
        // read the entry.
        let answer = ask(
            |entry, buffer, length, result| unsafe {
                libc::getpwnam_r(wanted.as_ptr(), entry, buffer, length, result)
            },
            to_account,
        );
        answer.map_err(|failure| failure.at("the account", name))
    }

    fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
        // SAFETY: getpwuid_r(3), as above.
        let answer = ask(
            |entry, buffer, length, result| unsafe { libc::getpwuid_r(uid, entry, buffer, length, result) },
            to_account,
        );
        answer.map_err(|failure| failure.at("the account of user id", &uid.to_string()))
    }

    fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
        Ok(find_group(group, |_, _| ())?.is_some())
    }

    fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        membership_with(account, group, &groups_of, &every_directory_answers)
    }
}

/// [`SystemAccounts`] for one login: it remembers the groups of the account, so that many rules cause one lookup.
#[derive(Debug, Default)]
pub struct LoginAccounts {
    /// The groups of the first account that a rule asked about. A login asks about only one account.
    groups: OnceCell<(Account, Result<Vec<Gid>, AccountsError>)>,
    /// Whether every directory answered.
    answers: OnceCell<Result<(), AccountsError>>,
}

impl Accounts for LoginAccounts {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        SystemAccounts.account(name)
    }

    fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
        SystemAccounts.account_of(uid)
    }

    fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
        SystemAccounts.lists_group(group)
    }

    fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        let groups = |account: &Account, name: &CStr| {
            let (known, groups) = self.groups.get_or_init(|| (account.clone(), groups_of(account, name)));
            if known == account { groups.clone() } else { groups_of(account, name) }
        };
        let answers = || self.answers.get_or_init(every_directory_answers).clone();
        membership_with(account, group, &groups, &answers)
    }
}

type GroupsOf<'a> = dyn Fn(&Account, &CStr) -> Result<Vec<Gid>, AccountsError> + 'a;

/// Whether `account` is in `group`. `groups` lists the groups of an account; `answers` fails if a directory is down.
fn membership_with(
    account: Option<&Account>,
    group: &str,
    groups: &GroupsOf<'_>,
    answers: &dyn Fn() -> Result<(), AccountsError>,
) -> Result<Membership, AccountsError> {
    let name = account.and_then(|account| CString::new(account.name.as_str()).ok());
    let entry = find_group(group, |gid, members| {
        (gid, name.as_ref().is_some_and(|name| members.contains(name.as_c_str())))
    })?;
    let Some((gid, is_named)) = entry else { return Ok(Membership::NoSuchGroup) };
    let (Some(account), Some(name)) = (account, name) else { return Ok(Membership::NoMember) };
    // A directory may omit the members of a group and list the groups of a member instead.
    if is_named || gid == account.gid || groups(account, &name)?.contains(&Gid::from_raw(gid)) {
        return Ok(Membership::Member);
    }
    answers().map(|()| Membership::NoMember)
}

fn groups_of(account: &Account, name: &CStr) -> Result<Vec<Gid>, AccountsError> {
    getgrouplist(name, Gid::from_raw(account.gid))
        .map_err(|error| Failure::System(error).at("the groups of", &account.name))
}

/// Fails if a directory is down. getgrouplist(3) silently omits the groups of such a directory, which would look like
/// "no member". libc asks every directory for a group that no file lists, and reports an outage as an error.
fn every_directory_answers() -> Result<(), AccountsError> {
    find_group(NOBODYS_GROUP, |_, _| ()).map(|_| ())
}

const NOBODYS_GROUP: &str = "mfa-chain asks whether you answer";

/// Looks up the group `name`. Returns what `read` returns for its number and its members.
fn find_group<T>(name: &str, read: impl Fn(gid_t, Members<'_>) -> T) -> Result<Option<T>, AccountsError> {
    let Ok(wanted) = CString::new(name) else { return Ok(None) };
    let answer = ask(
        // SAFETY: getgrnam_r(3) with a NUL-terminated name and the buffer of `ask`.
        |entry, buffer, length, result| unsafe {
            libc::getgrnam_r(wanted.as_ptr(), entry, buffer, length, result)
        },
        |entry: &group| Some(read(entry.gr_gid, Members(entry))),
    );
    answer.map_err(|failure| failure.at("the group", name))
}

/// The members that a group names.
struct Members<'a>(&'a group);

impl Members<'_> {
    fn contains(&self, name: &CStr) -> bool {
        let mut member = self.0.gr_mem;
        while !member.is_null() {
            // SAFETY: gr_mem is an array of pointers that ends with null (getgrnam(3)). read_unaligned accepts
            // every alignment.
            let text = unsafe { member.read_unaligned() };
            if text.is_null() {
                break;
            }
            // SAFETY: not null, and NUL-terminated like all texts of an entry.
            if unsafe { CStr::from_ptr(text) } == name {
                return true;
            }
            // SAFETY: the pointer just read was not null, so it was not the last.
            member = unsafe { member.add(1) };
        }
        false
    }
}

fn to_account(entry: &passwd) -> Option<Account> {
    if entry.pw_name.is_null() {
        return None;
    }
    // SAFETY: not null, and NUL-terminated (getpwnam(3)).
    let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_string_lossy().into_owned();
    Some(Account { name, uid: entry.pw_uid, gid: entry.pw_gid })
}

const FIRST_BYTES: usize = 4 * 1_024;
/// Enough for a group of two million members; a larger answer is a fault of the directory.
const MOST_BYTES: usize = 64 * 1_024 * 1_024;

/// Calls a function of the `get..._r` family with a buffer that grows until the answer fits, and reads the entry.
fn ask<E, T>(
    call: impl Fn(*mut E, *mut c_char, usize, *mut *mut E) -> c_int,
    read: impl Fn(&E) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let mut bytes = FIRST_BYTES;
    loop {
        let mut buffer = vec![0_u8; bytes];
        let mut entry = std::mem::MaybeUninit::<E>::zeroed();
        let mut result = ptr::null_mut();
        let code = call(entry.as_mut_ptr(), buffer.as_mut_ptr().cast(), bytes, &raw mut result);
        match code {
            0 if result.is_null() => return Ok(None),
            // SAFETY: after code 0 a `result` that is not null points to the entry, which libc has filled.
            0 => return Ok(read(unsafe { &*result })),
            libc::EINTR => {}
            libc::ERANGE if bytes < MOST_BYTES => bytes = bytes.saturating_mul(4).min(MOST_BYTES),
            libc::ERANGE => return Err(Failure::TooLarge),
            error => return Err(Failure::System(Errno::from_raw(error))),
        }
    }
}

/// Why there is no answer.
enum Failure {
    /// The system's own error.
    System(Errno),
    /// More than [`MOST_BYTES`].
    TooLarge,
}

impl Failure {
    fn at(self, what: &str, name: &str) -> AccountsError {
        let why = match self {
            Self::System(error) => error.desc().to_owned(),
            Self::TooLarge => format!("the answer is larger than {} MiB", MOST_BYTES >> 20),
        };
        AccountsError(format!("the account databases did not answer: looking up {what} `{name}`: {why}"))
    }
}
