//! The accounts, groups and clock of this host, as other programs see them.
#![cfg(test)]

use std::process::Command;
use std::time::SystemTime;

use pam_mfa_chain::store::{SystemAccounts, SystemClock};
use pam_mfa_chain::verifier::ports::{Accounts, Clock};

fn output(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).output().expect(program);
    String::from_utf8(run.stdout).expect("text")
}

/// The first field of each line.
fn names(database: &str) -> Vec<String> {
    let lines = output("getent", &[database]);
    lines.lines().filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
}

#[test]
fn a_user_is_in_the_groups_that_id_tells_and_in_no_other() {
    let groups = names("group");
    for user in ["root", "daemon", "nobody"] {
        let told = output("id", &["-Gn", user]);
        let mine: Vec<&str> = told.split_whitespace().collect();
        assert!(!mine.is_empty(), "{user} is in no group");
        for group in &groups {
            let found = SystemAccounts.is_member(user, group).expect("an answer");
            assert_eq!(found, mine.contains(&group.as_str()), "{user} in {group}");
        }
    }
}

#[test]
fn an_account_is_listed_or_not_and_that_is_no_error() {
    for user in names("passwd") {
        assert_eq!(SystemAccounts.lists(&user), Ok(true), "{user}");
    }
    for user in ["no-such-user-here", "", "root\0", "ro\0ot"] {
        assert_eq!(SystemAccounts.lists(user), Ok(false), "{user:?}");
        assert_eq!(SystemAccounts.is_member(user, "root"), Ok(false), "{user:?}");
    }
    assert_eq!(SystemAccounts.is_member("root", "no-such-group-here"), Ok(false));
}

#[test]
fn the_clock_is_that_of_the_host() {
    let seconds = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let before = seconds();
    let now = SystemClock.now().seconds();
    assert!((before..=seconds()).contains(&now), "{now}");
}
