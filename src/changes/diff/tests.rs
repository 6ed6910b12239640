use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::{collection, option};

use super::*;
use crate::verifier::accounts::{Account, AccountsError, Membership, NoAccounts};
use crate::verifier::policy::Decision;
use crate::verifier::request::Request;

const HEAD: &str = "required_steps = 2\n[[factors]]\nid = 'phone'\ntype = 'totp'\n[[factors]]\nid = 'token'\ntype = 'totp'\n\
                    [chains.one]\nrequired_steps = 1\n";

fn policy(rules: &str) -> Policy {
    Policy::parse(&format!("{HEAD}{rules}"), "p").unwrap_or_else(|error| panic!("{error}\n{rules}"))
}

fn diff(old: &str, new: &str) -> PolicyDiff {
    PolicyDiff::of(&policy(old), &policy(new), &[], &NoAccounts)
}

fn rule(conditions: &str, action: &str) -> String {
    format!("[[rules]]\n{conditions}\naction = '{action}'\n")
}

#[test]
fn the_same_policy_answers_nothing_otherwise() {
    let rules = two_hundred_rules();
    assert!(diff(&rules, &rules).is_empty());
    // The order of two rules does not matter where no login meets both.
    let (one, two) = (rule("users = ['a']", "deny"), rule("users = ['b']", "exempt"));
    assert!(diff(&format!("{one}{two}"), &format!("{two}{one}")).is_empty());
}

#[test]
fn a_widened_exemption_is_found_among_two_hundred_rules() {
    let old = two_hundred_rules();
    let new = old.replace("from = ['10.117.0.0/16']", "from = ['10.116.0.0/15']");
    assert_ne!(old, new);
    let found = diff(&old, &new);
    assert!(found.is_weaker() && !found.is_incomplete);
    // The rules behind it lose these logins too; the widest change comes first.
    assert_eq!((found.logins[0].rule_before, found.logins[0].services.len()), (None, 0));
    for login in &found.logins {
        assert_eq!((login.change, login.rule_after), (Change::Exempt, Some(117)), "{login:#?}");
        assert_eq!(
            (&login.users[..], &login.sources[..]),
            (&["user117".to_owned()][..], &["10.116.0.0/16".to_owned()][..])
        );
    }
}

#[test]
fn each_kind_of_change_is_told() {
    for (old, new, expected) in [
        ("", "users = ['a']\naction = 'exempt'", &[Change::Exempt][..]),
        ("users = ['a']\naction = 'exempt'", "", &[Change::Stricter]),
        ("", "users = ['a']\naction = 'deny'", &[Change::Stricter]),
        ("users = ['a']\naction = 'deny'", "", &[Change::Weaker]),
        ("", "services = ['sudo']\nchain = 'one'", &[Change::Weaker]),
        ("services = ['sudo']\nchain = 'one'", "", &[Change::Stricter]),
        ("", "services = ['sudo']\nchain = 'default'", &[]),
        ("", "users = ['a']\naction = 'observe'\nuntil = 2026-12-31", &[Change::Exempt]),
        ("users = ['a']\naction = 'observe'\nuntil = 2026-12-31", "", &[Change::Stricter]),
        (
            "users = ['a']\naction = 'exempt'",
            "users = ['a']\naction = 'observe'\nuntil = 2026-12-31",
            &[Change::Stricter],
        ),
        (
            "users = ['a']\naction = 'observe'\nuntil = 2026-12-31",
            "users = ['a']\naction = 'observe'\nuntil = 2027-12-31",
            &[Change::Exempt],
        ),
        // A rule changes nothing where a wider rule before it takes all of its logins.
        ("action = 'deny'", "action = 'deny'\n[[rules]]\nusers = ['a']\naction = 'exempt'", &[]),
        (
            "from = ['10.0.0.0/9', '10.128.0.0/9']\naction = 'exempt'",
            "from = ['10.0.0.0/8']\naction = 'exempt'",
            &[],
        ),
        ("ttys = ['pts/*']\naction = 'deny'", "ttys = ['pts/1']\naction = 'deny'", &[Change::Weaker]),
    ] {
        let text =
            |rules: &str| if rules.is_empty() { String::new() } else { format!("[[rules]]\n{rules}\n") };
        let found = diff(&text(old), &text(new));
        let changes: Vec<Change> = found.logins.iter().map(|login| login.change).collect();
        assert_eq!(changes, expected, "{old} -> {new}: {found:#?}");
    }
}

#[test]
fn what_every_login_meets_is_compared_too() {
    let found = diff(
        "[throttle]\nfailures_a_day = 24\n",
        "[throttle]\nfailures_a_day = 100\nfail_delay_seconds = 4\n",
    );
    let told: Vec<(Change, &str)> =
        found.everywhere.iter().map(|(change, what)| (*change, what.as_str())).collect();
    assert_eq!(
        told,
        [
            (Change::Weaker, "throttle: failures_a_day 24 -> 100"),
            (Change::Stricter, "throttle: fail_delay_seconds 2 -> 4")
        ]
    );
    assert!(found.is_weaker());
    let wider = HEAD.replacen("type = 'totp'\n", "type = 'totp'\nwindow = 5\n", 1);
    let new = Policy::parse(&wider, "p").expect("a policy");
    let found = PolicyDiff::of(&policy(""), &new, &[], &NoAccounts);
    assert_eq!(found.logins[0].details, ["factor phone takes 11 codes at a time, 3 before"]);
    assert!(found.is_weaker());
}

#[test]
fn a_user_who_could_pass_and_no_longer_can_is_named() {
    let enrolled = [("carol".to_owned(), UserRecord::default()), ("dave".to_owned(), UserRecord::default())];
    let old = policy(&rule("users = ['carol', 'dave']", "exempt"));
    let new = policy(&rule("users = ['dave']", "exempt"));
    let found = PolicyDiff::of(&old, &new, &enrolled, &NoAccounts);
    let [out] = &found.locked_out[..] else { panic!("{found:#?}") };
    assert_eq!((out.user.as_str(), out.answer.as_str()), ("carol", "chain default (2 of phone, token)"));
    assert!(!found.is_weaker());
}

#[test]
fn groups_count_as_the_host_lists_them() {
    let enrolled = [("carol".to_owned(), UserRecord::default()), ("dave".to_owned(), UserRecord::default())];
    let compare = |old: &str, new: &str| PolicyDiff::of(&policy(old), &policy(new), &enrolled, &CarolInOps);
    let found = compare("", &rule("groups = ['ops', 'web']", "exempt"));
    let ops = found.logins.iter().find(|login| login.groups == ["ops"]).expect("ops");
    assert_eq!((ops.change, &ops.enrolled[..]), (Change::Exempt, &["carol".to_owned()][..]));
    // dave is in neither group, and an earlier part took carol's logins.
    let web = found.logins.iter().find(|login| login.groups == ["web"]).expect("web");
    assert_eq!((&web.enrolled[..], &web.outside_groups[..]), (&[][..], &["ops".to_owned()][..]));
    // The module denies every login that reaches a rule whose group the host does not list.
    let found = compare("", &rule("groups = ['gone']", "exempt"));
    assert_eq!((found.logins[0].change, found.logins[0].after.as_str()), (Change::Stricter, "deny"));
}

/// Rules with users, networks and services of their own, and some for everybody.
fn two_hundred_rules() -> String {
    (0..200)
        .map(|number| match number % 4 {
            0 | 1 => rule(&format!("users = ['user{number}']\nfrom = ['10.{number}.0.0/16']"), "exempt"),
            2 => rule(&format!("services = ['service{number}', 'sudo']\nusers = ['user{number}']"), "deny"),
            _ => format!(
                "[[rules]]\nservices = ['service{number}']\nttys = ['pts/{number}*']\nchain = 'one'\n"
            ),
        })
        .collect()
}

struct CarolInOps;

impl Accounts for CarolInOps {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        Ok(Some(Account { name: name.to_owned(), uid: 1_000, gid: 1_000 }))
    }

    fn account_of(&self, _: u32) -> Result<Option<Account>, AccountsError> {
        Ok(None)
    }

    fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
        Ok(group != "gone")
    }

    fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        let is_member = group == "ops" && account.is_some_and(|account| account.name == "carol");
        Ok(Membership::from(is_member))
    }
}

proptest! {
    #[test]
    fn no_login_gets_another_answer_that_is_not_found(
        old in rules(), new in rules(), service in 0..3_usize, user in 0..3_usize, from in 0..4_usize, tty in 0..3_usize
    ) {
        let (old, new) = (policy(&old), policy(&new));
        let pick = |from: &[&str], place: usize| from.get(place).map(|text| (*text).to_owned());
        let user = ["carol", "dave", "erin"][user];
        let request = Request {
            rhost: pick(&["10.1.2.3", "10.9.9.9", "::1"], from),
            tty: pick(&["pts/0", "tty1"], tty),
            ..Request::local(["sshd", "sudo", "su"][service], user)
        };
        let request = request.resolved(&CarolInOps).expect("resolved");
        let (before, after) = (answer(&old, &request), answer(&new, &request));
        let enrolled = [("carol".to_owned(), UserRecord::default())];
        let found = PolicyDiff::of(&old, &new, &enrolled, &CarolInOps);
        if before.1.change_to(&after.1).is_some() {
            let is_this = |login: &LoginChange| (login.rule_before, login.rule_after) == (before.0, after.0);
            prop_assert!(found.logins.iter().any(is_this), "{before:?} {after:?} {found:#?}");
        }
        prop_assert!(PolicyDiff::of(&old, &old, &enrolled, &CarolInOps).is_empty());
    }
}

fn answer<'p>(policy: &'p Policy, request: &Request) -> (Option<usize>, Answer<'p>) {
    match policy.decide(request, &CarolInOps).expect("an answer") {
        Decision::Deny { rule } => (Some(rule), Answer::Deny),
        Decision::Exempt { rule } => (Some(rule), Answer::Exempt),
        Decision::Observe { chain, rule, until } => (rule, Answer::Observe(chain, until)),
        Decision::Require { chain, rule } => (rule, Answer::Require(chain)),
    }
}

const ACTIONS: &[&str] = &[
    "action = 'exempt'",
    "action = 'deny'",
    "action = 'observe'\nchain = 'one'\nuntil = 2026-12-31",
    "action = 'observe'\nuntil = 2027-12-31",
    "chain = 'one'",
    "chain = 'default'",
];

/// Up to five rules with so few possible names that the rules overlap.
fn rules() -> impl Strategy<Value = String> {
    let list = |key: &'static str, world: &'static [&'static str]| {
        let some = subsequence(world, 1..=world.len());
        option::of(some)
            .prop_map(move |names| names.map_or(String::new(), |names| format!("{key} = {names:?}\n")))
    };
    let conditions = (
        list("services", &["sshd", "sudo"]),
        list("users", &["carol", "dave"]),
        list("groups", &["ops", "web"]),
        list("from", &["10.0.0.0/8", "10.1.0.0/16", "::/0"]),
        list("ttys", &["pts/*", "pts/0", "tty1"]),
    );
    let action = select(ACTIONS);
    let rule = (conditions, action)
        .prop_map(|((a, b, c, d, e), action)| format!("[[rules]]\n{a}{b}{c}{d}{e}{action}\n"));
    collection::vec(rule, 0..5).prop_map(|rules| rules.concat())
}
