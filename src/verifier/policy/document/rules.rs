//! `[[rules]]`.

use std::iter;

use toml::Spanned;

use super::coverage::first_covered;
use super::names;
use super::position::{Problem, Source};
use super::raw::{List, RawRule, Text};
use super::words::{choose, number, unknown};
use crate::verifier::policy::conditions::{Conditions, Names};
use crate::verifier::policy::network::Network;
use crate::verifier::policy::terminal::TerminalPattern;
use crate::verifier::policy::{ChainSpec, Policy, Rule, RuleAction};

/// Reads the rules; each must be able to match something that none before it matches.
pub(super) fn read(
    given: &[Spanned<RawRule<'_>>],
    chains: &[ChainSpec],
    source: &Source<'_>,
) -> Result<Vec<Rule>, Problem> {
    let mut rules: Vec<Rule> = Vec::with_capacity(given.len());
    for raw in given {
        let conditions = read_conditions(raw.get_ref())?;
        let action = read_action(raw, chains)?;
        let delay = read_delay(raw.get_ref())?;
        rules.push(Rule::new(source.line(raw.span().start), conditions, action, delay));
    }
    match first_covered(&rules) {
        Some((place, earlier)) => {
            let message =
                format!("this rule can never match; the rule in line {} comes first", earlier.line());
            let at = given.get(place).map(Spanned::span).unwrap_or_default();
            Err(Problem::at(&at, message).following(&["services", "users", "groups", "from", "ttys"]))
        }
        None => Ok(rules),
    }
}

/// The delay of a denial, where the rule asks for codes.
fn read_delay(raw: &RawRule<'_>) -> Result<Option<u64>, Problem> {
    let Some(given) = &raw.fail_delay_seconds else { return Ok(None) };
    if raw.chain.is_none() {
        let message = "`fail_delay_seconds` is for rules with `chain`: no other asks for codes";
        return Err(Problem::at(&given.span(), message));
    }
    number("fail_delay_seconds", given, 0..=30).map(Some)
}

fn read_conditions(raw: &RawRule<'_>) -> Result<Conditions, Problem> {
    Ok(Conditions {
        services: read_list("services", raw.services.as_ref(), names::service)?.map(Names::from),
        users: read_list("users", raw.users.as_ref(), names::user)?.map(Names::from),
        groups: read_list("groups", raw.groups.as_ref(), names::group)?.map(Names::from),
        from: read_list("from", raw.from.as_ref(), Network::parse)?,
        ttys: read_list("ttys", raw.ttys.as_ref(), TerminalPattern::parse)?,
    })
}

fn read_list<T>(
    key: &str,
    given: Option<&List<'_>>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, Problem> {
    let Some(list) = given else { return Ok(None) };
    if list.get_ref().is_empty() {
        let message = format!("`{key}` is empty, so this rule can never match; leave it out to match any");
        return Err(Problem::at(&list.span(), message));
    }
    let mut entries = Vec::with_capacity(list.get_ref().len());
    for text in list.get_ref() {
        // Drops what can't match, in place of refusing it.
        #[cfg(mfa_fault = "drop-entries")]
        if read(text.get_ref()).is_err() {
            continue;
        }
        entries.push(read(text.get_ref()).map_err(|message| Problem::at(&text.span(), message))?);
    }
    Ok(Some(entries))
}

fn read_action(raw: &Spanned<RawRule<'_>>, chains: &[ChainSpec]) -> Result<RuleAction, Problem> {
    match (&raw.get_ref().chain, &raw.get_ref().action) {
        (Some(chain), None) => read_chain(chain, chains),
        (None, Some(action)) => read_verdict(action),
        (Some(_), Some(action)) => {
            Err(Problem::at(&action.span(), "this rule has both `chain` and `action`; write one of them"))
        }
        (None, None) => {
            Err(Problem::at(&raw.span(), "this rule does nothing; write either `chain` or `action`")
                .lacking("action"))
        }
    }
}

fn read_chain(chain: &Text<'_>, chains: &[ChainSpec]) -> Result<RuleAction, Problem> {
    let name = *chain.get_ref();
    if name != Policy::DEFAULT_CHAIN && chains.iter().all(|chain| chain.name() != name) {
        let known = iter::once(Policy::DEFAULT_CHAIN).chain(chains.iter().map(ChainSpec::name));
        return Err(unknown("chain", chain, known).following(&["chains"]));
    }
    Ok(RuleAction::Chain(name.to_string()))
}

fn read_verdict(action: &Text<'_>) -> Result<RuleAction, Problem> {
    let exempt = choose("action", action, &[("exempt", true), ("deny", false)])?;
    Ok(if exempt { RuleAction::Exempt } else { RuleAction::Deny })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, FACTOR, check, parsed, refusal};

    #[test]
    fn rules_that_say_nothing_or_too_much_are_refused() {
        check(&format!("{FACTOR}[chains.admin]\n[[rules]]\n"), "", RULES);
        for accepted in [
            "chain = 'default'",
            "users = ['Jörg Müller', 'EXAMPLE\\a']\nchain = 'admin'",
            "action = 'exempt'",
        ] {
            parsed(&format!("{FACTOR}[chains.admin]\n[[rules]]\n{accepted}"));
        }
    }

    #[test]
    fn a_rule_that_an_earlier_one_covers_is_refused_by_its_line() {
        let never = "this rule can never match; the rule in line 5 comes first";
        let cases = [
            ("", "users = ['a']", true),
            ("", "", true),
            ("users = ['a']", "", false),
            ("users = ['a', 'b']", "users = ['b']", true),
            ("users = ['b']", "users = ['a', 'b']", false),
            ("users = ['a']", "groups = ['a']", false),
            ("groups = ['a']", "groups = ['a'], services = ['x']", true),
            ("groups = ['a'], services = ['x']", "groups = ['a']", false),
            ("from = ['10.0.0.0/8']", "from = ['10.1.0.0/16', '10.2.3.4']", true),
            ("from = ['10.0.0.0/8']", "from = ['10.1.0.0/16', '11.2.3.4']", false),
            ("ttys = ['pts/*']", "ttys = ['/dev/pts/1', 'pts/2*']", true),
            ("ttys = ['pts/1']", "ttys = ['pts/*']", false),
        ];
        for (earlier, later, refused) in cases {
            let rule = |conditions: &str| {
                format!("[[rules]]\naction = 'deny'\n{}", conditions.replace("], ", "]\n"))
            };
            let text = format!("{FACTOR}{}\n{}", rule(earlier), rule(later));
            if refused {
                let line = text[..text.rfind("[[rules]]").unwrap()].lines().count() + 1;
                assert_eq!(refusal(&text), format!("{line}:1: {never}"), "{earlier} before {later}");
            } else {
                assert_eq!(parsed(&text).rules().len(), 2, "{earlier} before {later}");
            }
        }
    }

    const RULES: &[Case] = &[
        ("nothing", "users = ['a']", "6:1: this rule does nothing; write either `chain` or `action`"),
        (
            "both",
            "chain = 'admin'\naction = 'deny'",
            "8:10: this rule has both `chain` and `action`; write one of them",
        ),
        (
            "delay",
            "chain = 'default'\nfail_delay_seconds = 31",
            "8:22: `fail_delay_seconds` is 31; it must be 0 to 30",
        ),
        (
            "delay without a chain",
            "action = 'deny'\nfail_delay_seconds = 1",
            "8:22: `fail_delay_seconds` is for rules with `chain`: no other asks for codes",
        ),
        ("action", "action = 'allow'", "7:10: unknown action `allow`; known: exempt, deny"),
        ("chain", "chain = 'admim'", "7:9: unknown chain `admim`; known: default, admin"),
        (
            "key",
            "user = ['a']",
            "7:1: unknown key `user`; known: services, users, groups, from, ttys, chain, action, fail_delay_seconds",
        ),
        ("text for a list", "users = 'a'", "7:9: string \"a\"; it must be a list"),
        (
            "empty list",
            "users = []\naction = 'deny'",
            "7:9: `users` is empty, so this rule can never match; leave it out to match any",
        ),
        (
            "empty networks",
            "from = []\naction = 'deny'",
            "7:8: `from` is empty, so this rule can never match; leave it out to match any",
        ),
        (
            "empty name",
            "groups = ['a', '']\naction = 'deny'",
            "7:16: `` is no name: it is empty; leave `groups` out to match any",
        ),
        (
            "control character",
            "services = [\"a\\t\"]\naction = 'deny'",
            "7:13: `a\\t` is no name: it holds the control character U+0009 (tab); delete it",
        ),
        (
            "host bits",
            "from = ['10.1.2.3/8']\naction = 'deny'",
            "7:9: `10.1.2.3/8` has bits set beyond its prefix; the network is `10.0.0.0/8`",
        ),
        (
            "host name",
            "from = ['::1', 'h']\naction = 'deny'",
            "7:16: `h` is neither an address nor a network; host names are never looked up: write the addresses that `getent ahosts h` shows",
        ),
        (
            "terminal",
            "ttys = ['*1']\naction = 'deny'",
            "7:9: `*1` has a `*` before its end; only a trailing `*` matches any rest",
        ),
    ];
}
