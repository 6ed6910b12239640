//! The tables and keys of `policy.toml`, with their places, before their values are judged.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::position::Problem;
use super::{KNOWN_VERSION, reword};
use crate::verifier::policy::Policy;
use crate::verifier::toml_values::{self as values, Key, Misread, Value};

pub(super) use crate::verifier::toml_values::Text;

/// Parses the text of a policy.
pub(super) fn parse(text: &str) -> Result<DeTable<'_>, Problem> {
    if text.len() > Policy::MAX_BYTES {
        let message = format!("the file has {} bytes; at most {} are read", text.len(), Policy::MAX_BYTES);
        return Err(Problem::at_start(message));
    }
    let table = DeTable::parse(text).map_err(|error| reword::reword(&error, text))?.into_inner();
    // A policy of another version has other keys; the version is the better news then.
    check_version(&table)?;
    Ok(table)
}

fn check_version(table: &DeTable<'_>) -> Result<(), Problem> {
    match table.get("version").map(|version| (version.span(), version.get_ref())) {
        Some((at, DeValue::Integer(version))) if version.as_str() != KNOWN_VERSION => {
            Err(Problem::at(&at, format!("unknown version {version}; known: {KNOWN_VERSION}")).of_all())
        }
        _ => Ok(()),
    }
}

pub(super) type Number = Spanned<i64>;
pub(super) type List<'t> = Spanned<Vec<Text<'t>>>;

#[derive(Default)]
pub(super) struct RawPolicy<'t> {
    settings: RawSettings<'t>,
    pub(super) factors: Option<Spanned<Vec<RawFactor<'t>>>>,
    /// In the order of their names.
    pub(super) chains: Vec<(Text<'t>, RawChain<'t>)>,
    pub(super) rules: Vec<Spanned<RawRule<'t>>>,
    pub(super) prompt: Option<RawPrompt<'t>>,
    pub(super) throttle: Option<RawThrottle>,
}

impl<'t> RawPolicy<'t> {
    const KEYS: &'static [&'static str] = &[
        "version",
        "mode",
        "required_steps",
        "on_wrong_code",
        "unenrolled",
        "until",
        "factors",
        "chains",
        "rules",
        "prompt",
        "throttle",
    ];

    /// Takes the keys of a parsed policy.
    pub(super) fn of(table: &'t DeTable<'t>) -> Result<Self, Problem> {
        refuse_shapes(table)?;
        Self::read(table).map_err(|misread| {
            let problem = Problem::at(&misread.at, misread.to_string());
            match misread.missing() {
                Some(key) => problem.lacking(key),
                None => problem,
            }
        })
    }

    fn read(table: &'t DeTable<'t>) -> Result<Self, Misread> {
        let mut raw = Self::default();
        for (key, value) in values::entries(table) {
            match key.get_ref().as_ref() {
                "version" => {
                    values::number::<i64>(value)?;
                }
                "factors" => raw.factors = Some(values::list(value, RawFactor::read)?),
                "chains" => raw.chains = read_chains(value)?,
                "rules" => raw.rules = values::list(value, RawRule::read)?.into_inner(),
                "prompt" => raw.prompt = Some(RawPrompt::read(value)?),
                "throttle" => raw.throttle = Some(RawThrottle::read(value)?),
                _ => raw.settings.take(key, value, Self::KEYS)?,
            }
        }
        Ok(raw)
    }

    pub(super) fn settings(&self) -> &RawSettings<'t> {
        &self.settings
    }
}

/// The keys that the top level and every chain share.
#[derive(Default)]
pub(super) struct RawSettings<'t> {
    pub(super) mode: Option<Text<'t>>,
    pub(super) required_steps: Option<Number>,
    pub(super) on_wrong_code: Option<Text<'t>>,
    pub(super) unenrolled: Option<Text<'t>>,
    pub(super) until: Option<Spanned<Datetime>>,
}

impl<'t> RawSettings<'t> {
    fn take(
        &mut self,
        key: &Key<'_>,
        value: &'t Value<'t>,
        known: &'static [&'static str],
    ) -> Result<(), Misread> {
        match key.get_ref().as_ref() {
            "mode" => self.mode = Some(values::text(value)?),
            "required_steps" => self.required_steps = Some(values::number(value)?),
            "on_wrong_code" => self.on_wrong_code = Some(values::text(value)?),
            "unenrolled" => self.unenrolled = Some(values::text(value)?),
            "until" => self.until = Some(values::date(value)?),
            _ => return Err(Misread::unknown_key(key, known)),
        }
        Ok(())
    }
}

/// Refuses a table where a list of tables stands, and the other way round, with the heading that is meant.
fn refuse_shapes(table: &DeTable<'_>) -> Result<(), Problem> {
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let cure = match (key, value.get_ref()) {
            ("factors", DeValue::Table(_)) => {
                "a table; it must be a list: write `[[factors]]`, and the name as `id`"
            }
            ("rules", DeValue::Table(_)) => "a table; it must be a list: write `[[rules]]`",
            ("prompt", DeValue::Array(_)) => "a list; it must be a table: write `[prompt]`",
            ("throttle", DeValue::Array(_)) => "a list; it must be a table: write `[throttle]`",
            ("chains", DeValue::Array(_)) => "a list; it must be a table: write `[chains.NAME]`",
            ("chains", DeValue::Table(chains)) => match chains.iter().find(|(_, it)| it.get_ref().is_array())
            {
                Some((name, chain)) => {
                    let message = format!("a list; it must be a table: write `[chains.{}]`", name.get_ref());
                    return Err(Problem::at(&chain.span(), message));
                }
                None => continue,
            },
            _ => continue,
        };
        return Err(Problem::at(&value.span(), cure));
    }
    Ok(())
}

fn read_chains<'t>(value: &'t Value<'t>) -> Result<Vec<(Text<'t>, RawChain<'t>)>, Misread> {
    let entries = values::table(value)?;
    let mut chains = Vec::with_capacity(entries.len());
    for (name, chain) in entries {
        chains.push((Text::new(name.span(), name.get_ref().as_ref()), RawChain::read(chain)?));
    }
    Ok(chains)
}

#[derive(Default)]
pub(super) struct RawChain<'t> {
    pub(super) factors: Option<List<'t>>,
    settings: RawSettings<'t>,
}

impl<'t> RawChain<'t> {
    const KEYS: &'static [&'static str] =
        &["factors", "mode", "required_steps", "on_wrong_code", "unenrolled", "until"];

    fn read(value: &'t Value<'t>) -> Result<Self, Misread> {
        let mut raw = Self::default();
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "factors" => raw.factors = Some(values::list(value, values::text)?),
                _ => raw.settings.take(key, value, Self::KEYS)?,
            }
        }
        Ok(raw)
    }

    pub(super) fn settings(&self) -> &RawSettings<'t> {
        &self.settings
    }
}

pub(super) struct RawFactor<'t> {
    pub(super) id: Text<'t>,
    pub(super) kind: Text<'t>,
    pub(super) more: RawFactorOptions<'t>,
}

#[derive(Default)]
pub(super) struct RawFactorOptions<'t> {
    pub(super) label: Option<Text<'t>>,
    pub(super) window: Option<Number>,
    pub(super) look_ahead: Option<Number>,
    pub(super) algorithm: Option<Text<'t>>,
    pub(super) digits: Option<Number>,
    pub(super) period: Option<Number>,
}

impl<'t> RawFactor<'t> {
    const KEYS: &'static [&'static str] =
        &["id", "label", "type", "window", "look_ahead", "algorithm", "digits", "period"];

    fn read(value: &'t Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut id, mut kind, mut more) = (None, None, RawFactorOptions::default());
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "id" => id = Some(values::text(value)?),
                "label" => more.label = Some(values::text(value)?),
                "type" => kind = Some(values::text(value)?),
                "window" => more.window = Some(values::number(value)?),
                "look_ahead" => more.look_ahead = Some(values::number(value)?),
                "algorithm" => more.algorithm = Some(values::text(value)?),
                "digits" => more.digits = Some(values::number(value)?),
                "period" => more.period = Some(values::number(value)?),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            }
        }
        let id = id.ok_or_else(|| Misread::missing_key(at.clone(), "id"))?;
        let kind = kind.ok_or_else(|| Misread::missing_key(at, "type"))?;
        Ok(Self { id, kind, more })
    }
}

#[derive(Default)]
pub(super) struct RawRule<'t> {
    pub(super) services: Option<List<'t>>,
    pub(super) users: Option<List<'t>>,
    pub(super) groups: Option<List<'t>>,
    pub(super) from: Option<List<'t>>,
    pub(super) ttys: Option<List<'t>>,
    pub(super) chain: Option<Text<'t>>,
    pub(super) action: Option<Text<'t>>,
    pub(super) fail_delay_seconds: Option<Number>,
}

impl<'t> RawRule<'t> {
    const KEYS: &'static [&'static str] =
        &["services", "users", "groups", "from", "ttys", "chain", "action", "fail_delay_seconds"];

    fn read(value: &'t Value<'t>) -> Result<Spanned<Self>, Misread> {
        let at = value.span();
        let mut raw = Self::default();
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "services" => raw.services = Some(values::list(value, values::text)?),
                "users" => raw.users = Some(values::list(value, values::text)?),
                "groups" => raw.groups = Some(values::list(value, values::text)?),
                "from" => raw.from = Some(values::list(value, values::text)?),
                "ttys" => raw.ttys = Some(values::list(value, values::text)?),
                "chain" => raw.chain = Some(values::text(value)?),
                "action" => raw.action = Some(values::text(value)?),
                "fail_delay_seconds" => raw.fail_delay_seconds = Some(values::number(value)?),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            }
        }
        Ok(Spanned::new(at, raw))
    }
}

#[derive(Default)]
pub(super) struct RawPrompt<'t> {
    pub(super) text: Option<Text<'t>>,
    pub(super) echo: Option<bool>,
    pub(super) failure: Option<Text<'t>>,
}

impl<'t> RawPrompt<'t> {
    const KEYS: &'static [&'static str] = &["text", "echo", "failure"];

    fn read(value: &'t Value<'t>) -> Result<Self, Misread> {
        let mut raw = Self::default();
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "text" => raw.text = Some(values::text(value)?),
                "echo" => raw.echo = Some(values::flag(value)?),
                "failure" => raw.failure = Some(values::text(value)?),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            }
        }
        Ok(raw)
    }
}

#[derive(Default)]
pub(super) struct RawThrottle {
    pub(super) free_failures: Option<Number>,
    pub(super) first_wait_seconds: Option<Number>,
    pub(super) longest_wait_seconds: Option<Number>,
    pub(super) long_after: Option<Number>,
    pub(super) long_wait_seconds: Option<Number>,
    pub(super) lock_after: Option<Number>,
    pub(super) lock_wait_seconds: Option<Number>,
    pub(super) failures_a_day: Option<Number>,
    pub(super) fail_delay_seconds: Option<Number>,
    pub(super) attempt_seconds: Option<Number>,
}

impl RawThrottle {
    const KEYS: &'static [&'static str] = &[
        "free_failures",
        "first_wait_seconds",
        "longest_wait_seconds",
        "long_after",
        "long_wait_seconds",
        "lock_after",
        "lock_wait_seconds",
        "failures_a_day",
        "fail_delay_seconds",
        "attempt_seconds",
    ];

    fn read(value: &Value<'_>) -> Result<Self, Misread> {
        let mut raw = Self::default();
        for (key, value) in values::table(value)? {
            let place = match key.get_ref().as_ref() {
                "free_failures" => &mut raw.free_failures,
                "first_wait_seconds" => &mut raw.first_wait_seconds,
                "longest_wait_seconds" => &mut raw.longest_wait_seconds,
                "long_after" => &mut raw.long_after,
                "long_wait_seconds" => &mut raw.long_wait_seconds,
                "lock_after" => &mut raw.lock_after,
                "lock_wait_seconds" => &mut raw.lock_wait_seconds,
                "failures_a_day" => &mut raw.failures_a_day,
                "fail_delay_seconds" => &mut raw.fail_delay_seconds,
                "attempt_seconds" => &mut raw.attempt_seconds,
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            };
            *place = Some(values::number(value)?);
        }
        Ok(raw)
    }
}
