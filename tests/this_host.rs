//! The accounts, groups and clock of this host, as other programs see them.
#![cfg(test)]

use std::process::Command;
use std::time::SystemTime;

use mfa_chain::pam::{LoginAccounts, SystemAccounts};
use mfa_chain::store::SystemClock;
use mfa_chain::verifier::accounts::{Accounts, Membership};
use mfa_chain::verifier::ports::Clock;

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
        let account = SystemAccounts.account(user).expect("an answer");
        let of_a_login = LoginAccounts::default();
        for group in &groups {
            let expected = Membership::from(mine.contains(&group.as_str()));
            let found = SystemAccounts.membership(account.as_ref(), group).expect("an answer");
            assert_eq!(found, expected, "{user} in {group}");
            let found = of_a_login.membership(account.as_ref(), group).expect("an answer");
            assert_eq!(found, expected, "{user} in {group}, asked of one login");
        }
    }
}

/// What is remembered of one account says nothing of another.
#[test]
fn a_login_that_is_asked_about_two_accounts_answers_for_each() {
    let of_a_login = LoginAccounts::default();
    for user in ["root", "daemon", "root"] {
        let account = of_a_login.account(user).expect("an answer");
        for group in ["root", "daemon", "no-such-group-here"] {
            assert_eq!(
                of_a_login.membership(account.as_ref(), group),
                SystemAccounts.membership(account.as_ref(), group),
                "{user} in {group}"
            );
        }
    }
}

#[test]
fn an_account_is_listed_or_not_and_that_is_no_error() {
    for user in names("passwd") {
        let account = SystemAccounts.account(&user).expect("an answer").expect("an account");
        let told = ["-u", "-g"].map(|which| output("id", &[which, &user]).trim().to_owned());
        assert_eq!((account.name, [account.uid.to_string(), account.gid.to_string()]), (user, told));
    }
    for user in ["no-such-user-here", "", "root\0", "ro\0ot"] {
        assert_eq!(SystemAccounts.account(user), Ok(None), "{user:?}");
    }
    assert_eq!(SystemAccounts.membership(None, "root"), Ok(Membership::NoMember));
    let root = SystemAccounts.account_of(0).expect("an answer");
    assert_eq!(root.as_ref().map(|account| account.name.as_str()), Some("root"));
    assert_eq!(SystemAccounts.membership(root.as_ref(), "no-such-group-here"), Ok(Membership::NoSuchGroup));
    assert_eq!(SystemAccounts.lists_group("no-such-group-here"), Ok(false));
}

#[test]
fn the_clock_is_that_of_the_host() {
    let seconds = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let before = seconds();
    let now = SystemClock.now().seconds();
    assert!((before..=seconds()).contains(&now), "{now}");
}
