//! `[[rules]]`.

use std::iter;

use toml::Spanned;

use super::position::{Problem, Source};
use super::raw::{List, RawRule, Text};
use super::words::{choose, number, unknown};
use super::{deadline, names};
use crate::verifier::policy::conditions::{Conditions, Names};
use crate::verifier::policy::network::Network;
use crate::verifier::policy::terminal::TerminalPattern;
use crate::verifier::policy::{ChainSpec, Policy, Rule, RuleAction};

/// Reads the rules.
pub(super) fn read_rules(
    given: &[Spanned<RawRule>],
    chains: &[ChainSpec],
    source: &Source<'_>,
) -> Result<Vec<Rule>, Problem> {
    let mut rules: Vec<Rule> = Vec::with_capacity(given.len());
    for raw in given {
        let conditions = read_conditions(raw.get_ref())?;
        let action = read_action(raw, chains)?;
        let delay = read_delay(raw.get_ref())?;
        let (file, line) = source.place(raw.span().start);
        rules.push(Rule::new(line, conditions, action, delay).in_file(file));
    }
    Ok(rules)
}

/// The delay of a denial, where the rule asks for codes.
fn read_delay(raw: &RawRule) -> Result<Option<u64>, Problem> {
    let Some(given) = &raw.fail_delay_seconds else { return Ok(None) };
    if raw.chain.is_none() {
        let message = "`fail_delay_seconds` is for rules with `chain`: no other asks for codes";
        return Err(Problem::at(&given.span(), message));
    }
    number("fail_delay_seconds", given, 0..=30).map(Some)
}

fn read_conditions(raw: &RawRule) -> Result<Conditions, Problem> {
    Ok(Conditions {
        services: read_list("services", raw.services.as_ref(), names::service)?.map(Names::from),
        users: read_list("users", raw.users.as_ref(), names::user)?.map(Names::from),
        groups: read_list("groups", raw.groups.as_ref(), names::group)?.map(Names::from),
        skips_unlisted_groups: read_unlisted(raw)?,
        from: read_list("from", raw.from.as_ref(), Network::parse)?,
        ttys: read_list("ttys", raw.ttys.as_ref(), TerminalPattern::parse)?,
    })
}

fn read_unlisted(raw: &RawRule) -> Result<bool, Problem> {
    let Some(given) = &raw.unlisted_groups else { return Ok(false) };
    if raw.groups.is_none() {
        return Err(Problem::at(&given.span(), "`unlisted_groups` is for rules with `groups`"));
    }
    choose("unlisted_groups", given, &[("deny", false), ("skip", true)])
}

fn read_list<T>(
    key: &str,
    given: Option<&List>,
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
        entries.push(read(text.get_ref()).map_err(|message| Problem::at(&text.span(), message))?);
    }
    Ok(Some(entries))
}

fn read_action(raw: &Spanned<RawRule>, chains: &[ChainSpec]) -> Result<RuleAction, Problem> {
    let RawRule { chain, action, until, .. } = raw.get_ref();
    let verdict = action.as_ref().map(|word| choose("action", word, VERDICTS)).transpose()?;
    if let (Some(until), Some(Verdict::Exempt | Verdict::Deny) | None) = (until, verdict) {
        let message = "`until` means something with `action = \"observe\"` only";
        return Err(Problem::at(&until.span(), message).following(&["action"]));
    }
    match (chain, action.as_ref().zip(verdict)) {
        (Some(chain), None) => read_chain(chain, chains).map(RuleAction::Chain),
        (chain, Some((action, Verdict::Observe))) => Ok(RuleAction::Observe {
            chain: chain
                .as_ref()
                .map_or(Ok(Policy::DEFAULT_CHAIN.to_owned()), |it| read_chain(it, chains))?,
            until: deadline::of_observation(action, until.as_ref())?,
        }),
        (None, Some((_, Verdict::Exempt))) => Ok(RuleAction::Exempt),
        (None, Some((_, Verdict::Deny))) => Ok(RuleAction::Deny),
        (Some(_), Some((action, _))) => {
            Err(Problem::at(&action.span(), "this rule has both `chain` and `action`; write one of them"))
        }
        (None, None) => {
            Err(Problem::at(&raw.span(), "this rule does nothing; write either `chain` or `action`")
                .lacking("action"))
        }
    }
}

/// The words of `action`.
#[derive(Clone, Copy)]
enum Verdict {
    Exempt,
    Deny,
    Observe,
}

const VERDICTS: &[(&str, Verdict)] =
    &[("exempt", Verdict::Exempt), ("deny", Verdict::Deny), ("observe", Verdict::Observe)];

fn read_chain(chain: &Text, chains: &[ChainSpec]) -> Result<String, Problem> {
    let name = chain.get_ref();
    if name != Policy::DEFAULT_CHAIN && chains.iter().all(|chain| chain.name() != name) {
        let known = iter::once(Policy::DEFAULT_CHAIN).chain(chains.iter().map(ChainSpec::name));
        return Err(unknown("chain", chain, known).following(&["chains"]));
    }
    Ok(name.clone())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, FACTOR, check, parsed};

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

    const RULES: &[Case] = &[
        ("nothing", "users = ['a']", "6:1: this rule does nothing; write either `chain` or `action`"),
        (
            "both",
            "chain = 'admin'\naction = 'deny'",
            "8:10: this rule has both `chain` and `action`; write one of them",
        ),
        (
            "observe without an end",
            "action = 'observe'",
            "7:10: `observe` needs an end; write `until = 2026-12-31` or another day, after which codes are asked",
        ),
        (
            "an end of an exemption",
            "action = 'exempt'\nuntil = 2026-12-31",
            "8:9: `until` means something with `action = \"observe\"` only",
        ),
        (
            "an end of a chain",
            "chain = 'admin'\nuntil = 2026-12-31",
            "8:9: `until` means something with `action = \"observe\"` only",
        ),
        (
            "observe of an unknown chain",
            "action = 'observe'\nchain = 'x'\nuntil = 2026-12-31",
            "8:9: unknown chain `x`; known: default, admin",
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
        ("action", "action = 'allow'", "7:10: unknown action `allow`; known: exempt, deny, observe"),
        ("chain", "chain = 'admim'", "7:9: unknown chain `admim`; known: default, admin"),
        (
            "key",
            "user = ['a']",
            "7:1: unknown key `user`; known: services, users, groups, unlisted_groups, from, ttys, chain, action, \
             until, fail_delay_seconds",
        ),
        (
            "unlisted groups without groups",
            "unlisted_groups = 'skip'\naction = 'deny'",
            "7:19: `unlisted_groups` is for rules with `groups`",
        ),
        (
            "unlisted groups",
            "groups = ['a']\nunlisted_groups = 'ignore'\naction = 'deny'",
            "8:19: unknown unlisted_groups `ignore`; known: deny, skip",
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
