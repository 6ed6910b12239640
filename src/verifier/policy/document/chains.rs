//! The default chain and `[chains.NAME]`.

use toml::Spanned;
use toml::value::Datetime;

use super::deadline;
use super::factors::ReadFactor;
use super::position::Problem;
use super::raw::{List, Number, RawChain, RawPolicy, RawSettings, Text};
use super::words::{choose, number, unknown};
use crate::verifier::policy::factor_id::{IDENTIFIER, is_identifier};
use crate::verifier::policy::{ChainSpec, Factor, Mode, OnWrongCode, Policy, Unenrolled};
use crate::verifier::time::UnixTime;

/// What a chain says beside its factors; named chains start with that of the top level.
#[derive(Clone, Default)]
pub(super) struct Settings {
    mode: Mode,
    required_steps: Option<Number>,
    on_wrong_code: OnWrongCode,
    unenrolled: Unenrolled,
}

/// The settings of the top level, and until when it observes.
pub(super) fn read_top_level(raw: &RawPolicy) -> Result<(Settings, Option<UnixTime>), Problem> {
    let mut settings = raw.settings();
    let Some(action) = &raw.action else {
        return Ok((Settings::default().overridden_by(&settings)?, None));
    };
    choose("action", action, &[("observe", ())])
        .map_err(|problem| problem.adding("; `exempt` and `deny` are for rules"))?;
    let until = deadline::of_observation(action, settings.until)?;
    // Both have one end: users who are not enrolled by then are denied.
    if settings.unenrolled.is_none() {
        settings.until = None;
    }
    Ok((Settings::default().overridden_by(&settings)?, Some(until)))
}

impl Settings {
    fn overridden_by(&self, raw: &RawSettings<'_>) -> Result<Self, Problem> {
        let mode = raw.mode.map(|word| choose("mode", word, MODES));
        let on_wrong_code = raw.on_wrong_code.map(|word| choose("on_wrong_code", word, ON_WRONG_CODE));
        Ok(Self {
            mode: mode.transpose()?.unwrap_or(self.mode),
            required_steps: raw.required_steps.or(self.required_steps.as_ref()).cloned(),
            on_wrong_code: on_wrong_code.transpose()?.unwrap_or(self.on_wrong_code),
            unenrolled: read_unenrolled(raw, self.unenrolled)?,
        })
    }

    fn apply(&self, chain: ChainSpec) -> ChainSpec {
        chain.with_mode(self.mode).with_on_wrong_code(self.on_wrong_code).with_unenrolled(self.unenrolled)
    }
}

/// The chain of the top level, over all factors.
pub(super) fn read_default(settings: &Settings, factors: &[ReadFactor]) -> Result<ChainSpec, Problem> {
    let all = factors.iter().map(|read| read.factor.clone()).collect();
    let chain = settings.apply(assemble(Policy::DEFAULT_CHAIN, all).ok_or_else(empty)?);
    match &settings.required_steps {
        Some(steps) => with_own_steps(chain, steps),
        None => Err(missing_steps(chain.factor_count())),
    }
}

/// Counted from the factors instead, a policy that was cut off between two of them would ask for fewer codes.
fn missing_steps(factors: usize) -> Problem {
    let example = format!("`required_steps = {factors}` above the first table takes one of each factor");
    Problem::at_start(format!("missing key `required_steps`, how many codes a login takes; {example}"))
        .lacking("required_steps")
}

/// A chain of `[chains.NAME]`, which inherits what it leaves out.
pub(super) fn read_named(
    name: &Text,
    raw: &RawChain,
    inherited: &Settings,
    factors: &[ReadFactor],
) -> Result<ChainSpec, Problem> {
    check_name(name)?;
    let chosen = match &raw.factors {
        Some(list) => choose_factors(list, factors)?,
        None => factors.iter().map(|read| read.factor.clone()).collect(),
    };
    let own = raw.settings();
    let settings = inherited.overridden_by(&own)?;
    let chain = settings.apply(assemble(name.get_ref(), chosen).ok_or_else(empty)?);
    match (own.required_steps, &settings.required_steps) {
        (Some(steps), _) => with_own_steps(chain, steps),
        (None, Some(steps)) => with_inherited_steps(chain, steps, name),
        (None, None) => Err(missing_steps(factors.len())),
    }
}

fn check_name(name: &Text) -> Result<(), Problem> {
    if *name.get_ref() == Policy::DEFAULT_CHAIN {
        let message = "`default` is the chain of the top level; write its keys there";
        return Err(Problem::at(&name.span(), message));
    }
    if !is_identifier(name.get_ref()) {
        let message = format!("`{}` is not a chain name: {IDENTIFIER}", name.get_ref());
        return Err(Problem::at(&name.span(), message));
    }
    Ok(())
}

fn choose_factors(list: &List, factors: &[ReadFactor]) -> Result<Vec<Factor>, Problem> {
    if list.get_ref().is_empty() {
        return Err(Problem::at(&list.span(), "an empty chain: no factors"));
    }
    let mut chosen: Vec<Factor> = Vec::new();
    for id in list.get_ref() {
        let named =
            factors.iter().map(|read| &read.factor).find(|factor| factor.id.as_str() == *id.get_ref());
        let known = || factors.iter().map(|read| read.factor.id.as_str());
        let factor = named.ok_or_else(|| unknown("factor", id, known()).following(&["id", "factors"]))?;
        if chosen.iter().any(|earlier| earlier.id == factor.id) {
            return Err(Problem::at(&id.span(), format!("`{}` is in this chain already", factor.id)));
        }
        chosen.push(factor.clone());
    }
    Ok(chosen)
}

fn assemble(name: &str, factors: Vec<Factor>) -> Option<ChainSpec> {
    let mut factors = factors.into_iter();
    factors.next().map(|first| ChainSpec::fixed(name, first, factors.collect()))
}

fn empty() -> Problem {
    Problem::at_start("an empty chain: no factors")
}

fn with_own_steps(chain: ChainSpec, steps: &Number) -> Result<ChainSpec, Problem> {
    let count = chain.factor_count();
    let most = u32::try_from(count).unwrap_or(u32::MAX);
    let required = usize::try_from(number("required_steps", steps, 1..=most).map_err(|problem| {
        problem.adding(&format!(", as many as the chain has factors ({count})")).following(&["factors"])
    })?);
    required
        .ok()
        .and_then(|required| chain.with_required_steps(required))
        .ok_or_else(|| Problem::at(&steps.span(), "`required_steps` is out of range"))
}

fn with_inherited_steps(chain: ChainSpec, steps: &Number, name: &Text) -> Result<ChainSpec, Problem> {
    let count = chain.factor_count();
    let changed =
        usize::try_from(*steps.get_ref()).ok().and_then(|required| chain.with_required_steps(required));
    changed.ok_or_else(|| {
        let message = format!(
            "`{}` has fewer factors ({count}) than the `required_steps` of the top level ({}); \
             write its own `required_steps`",
            name.get_ref(),
            steps.get_ref()
        );
        Problem::at(&name.span(), message).following(&["required_steps", "factors"])
    })
}

fn read_unenrolled(raw: &RawSettings<'_>, inherited: Unenrolled) -> Result<Unenrolled, Problem> {
    let exempt = match raw.unenrolled {
        Some(word) => choose("unenrolled", word, UNENROLLED)?,
        None => inherited != Unenrolled::Deny,
    };
    match (exempt, raw.until, raw.unenrolled) {
        (true, Some(until), _) => deadline::end_of_day(until).map(Unenrolled::ExemptUntil),
        (true, None, Some(word)) if inherited == Unenrolled::Deny => Err(missing_until(word)),
        (true, None, _) => Ok(inherited),
        (false, Some(until), _) => Err(stray_until(until)),
        (false, None, _) => Ok(Unenrolled::Deny),
    }
}

fn missing_until(word: &Text) -> Problem {
    Problem::at(&word.span(), "`exempt` needs a deadline; write `until = 2026-12-31` or another day")
        .following(DEADLINE)
}

fn stray_until(until: &Spanned<Datetime>) -> Problem {
    Problem::at(&until.span(), "`until` means something with `unenrolled = \"exempt\"` only")
        .following(DEADLINE)
}

const DEADLINE: &[&str] = &["unenrolled", "until"];

const MODES: &[(&str, Mode)] = &[("fixed", Mode::Fixed), ("random", Mode::Random)];
const ON_WRONG_CODE: &[(&str, OnWrongCode)] =
    &[("reset", OnWrongCode::Reset), ("conceal", OnWrongCode::Conceal)];
const UNENROLLED: &[(&str, bool)] = &[("deny", false), ("exempt", true)];

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, TWO, TWO_FACTORS, check, parsed, refusal};

    #[test]
    fn chains_that_nobody_could_pass_or_write_are_refused() {
        check("", TWO_FACTORS, TOP_LEVEL);
        check(TWO, "", NAMED);
        let inherited = refusal(&format!("{TWO}[chains.x]\nfactors = ['a']"));
        assert_eq!(
            inherited,
            "8:9: `x` has fewer factors (1) than the `required_steps` of the top level (2); write its own `required_steps`"
        );
        parsed(&format!("{TWO}[chains.x]\nfactors = ['b']\nrequired_steps = 1"));
        parsed(&format!("{TWO}[chains.x]\nunenrolled = 'exempt'\nuntil = 2026-12-31"));
    }

    const TOP_LEVEL: &[Case] = &[
        (
            "an exemption of everybody",
            "action = 'exempt'",
            "1:10: unknown action `exempt`; known: observe; `exempt` and `deny` are for rules",
        ),
        (
            "observe without an end",
            "action = 'observe'",
            "1:10: `observe` needs an end; write `until = 2026-12-31` or another day, after which codes are asked",
        ),
        (
            "steps not said",
            "mode = 'random'",
            "1:1: missing key `required_steps`, how many codes a login takes; `required_steps = 2` above the first \
             table takes one of each factor",
        ),
        ("mode", "mode = 'Random'", "1:8: unknown mode `Random`; known: fixed, random"),
        ("on_wrong_code", "on_wrong_code = 'x'", "1:17: unknown on_wrong_code `x`; known: reset, conceal"),
        ("unenrolled", "unenrolled = 'x'", "1:14: unknown unenrolled `x`; known: deny, exempt"),
        (
            "no steps",
            "required_steps = 0",
            "1:18: `required_steps` is 0; it must be 1 to 2, as many as the chain has factors (2)",
        ),
        (
            "too many steps",
            "required_steps = 3",
            "1:18: `required_steps` is 3; it must be 1 to 2, as many as the chain has factors (2)",
        ),
        (
            "no deadline",
            "unenrolled = 'exempt'",
            "1:14: `exempt` needs a deadline; write `until = 2026-12-31` or another day",
        ),
        (
            "a lone deadline",
            "until = 2026-12-31",
            "1:9: `until` means something with `unenrolled = \"exempt\"` only",
        ),
        (
            "a deadline for denying",
            "unenrolled = 'deny'\nuntil = 2026-12-31",
            "2:9: `until` means something with `unenrolled = \"exempt\"` only",
        ),
        (
            "a time",
            "unenrolled = 'exempt'\nuntil = 2026-12-31T12:00:00",
            "2:9: `until` is a date such as 2026-12-31, without a time",
        ),
    ];

    const NAMED: &[Case] = &[
        ("default", "[chains.default]", "8:9: `default` is the chain of the top level; write its keys there"),
        (
            "name",
            "[chains.Admin]",
            "8:9: `Admin` is not a chain name: 1 to 32 of the characters a-z, 0-9, `_` and `-`",
        ),
        ("no factors", "[chains.x]\nfactors = []", "9:11: an empty chain: no factors"),
        ("unknown factor", "[chains.x]\nfactors = ['a', 'c']", "9:17: unknown factor `c`; known: a, b"),
        ("factor twice", "[chains.x]\nfactors = ['a', 'a']", "9:17: `a` is in this chain already"),
        (
            "own steps",
            "[chains.x]\nfactors = ['a']\nrequired_steps = 2",
            "10:18: `required_steps` is 2; it must be 1 to 1, as many as the chain has factors (1)",
        ),
        (
            "lone deadline",
            "[chains.x]\nuntil = 2026-12-31",
            "9:9: `until` means something with `unenrolled = \"exempt\"` only",
        ),
        (
            "no deadline",
            "[chains.x]\nunenrolled = 'exempt'",
            "9:14: `exempt` needs a deadline; write `until = 2026-12-31` or another day",
        ),
        ("no table", "[chains]\nx = 3", "9:5: integer `3`; it must be a table"),
    ];
}
