//! How an explanation is shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::output::one_line;
use super::host::keeps_out;
use super::{Explanation, Fate, Outlook};
use crate::host::finding::{Finding, Severity};
use crate::verifier::policy::{ChainSpec, Factor, Mode, OnWrongCode};
use crate::verifier::time::UnixTime;

impl Explanation<'_> {
    /// The explanation in lines.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let source = self.request.rhost.as_ref().map(|rhost| format!(" from {}", one_line(rhost)));
        let (user, service) = (one_line(&self.request.user), one_line(&self.request.service));
        // Writing to a String can't fail.
        let _ = writeln!(text, "login    {user} through {service}{}", source.unwrap_or_default());
        let _ = match &self.rule {
            Some((number, rule)) => writeln!(text, "rule     {number} ({}): {rule}", rule.place()),
            None => writeln!(text, "rule     no rule: the default chain"),
        };
        match &self.fate {
            Fate::Deny => text.push_str(DENIED),
            Fate::Exempt => text.push_str(EXEMPT),
            Fate::Observe(spec, outlook, until) => {
                show_chain(&mut text, spec, outlook);
                show_observed(&mut text, outlook, *until);
            }
            Fate::Require(spec, outlook) => {
                show_chain(&mut text, spec, outlook);
                show_verdict(&mut text, outlook, &self.host);
            }
        }
        for finding in &self.host {
            let _ = writeln!(text, "host     {}", one_line(&finding.to_string()));
        }
        for note in &self.notes {
            let _ = writeln!(text, "note     {}", one_line(note));
        }
        text
    }

    /// The explanation as one object.
    pub fn to_json(&self) -> Value {
        let (number, line) = self.rule.as_ref().map(|(number, rule)| (*number, rule.line())).unzip();
        let mut object = json!({
            "user": self.request.user,
            "service": self.request.service,
            "rhost": self.request.rhost,
            "rule": number,
            "rule_line": line,
            "rule_file": self.rule.as_ref().and_then(|(_, rule)| rule.file()),
            "decision": self.decision(),
            "chain": null,
            "mode": null,
            "required_steps": null,
            "steps": [],
            "enrolled": [],
            "missing": [],
            "can_pass": self.can_pass(),
            "reasons": self.reasons(),
            "notes": self.notes,
            "host": self.host,
        });
        if let (Fate::Require(spec, outlook) | Fate::Observe(spec, outlook, _), Some(members)) =
            (&self.fate, object.as_object_mut())
        {
            members.extend(chain_members(spec, outlook));
        }
        object
    }

    const fn decision(&self) -> &'static str {
        match self.fate {
            Fate::Deny => "deny",
            Fate::Exempt => "exempt",
            Fate::Observe(..) => "observe",
            Fate::Require(..) => "require",
        }
    }

    /// Why the user passes or does not, as far as it is no matter of codes.
    pub fn reasons(&self) -> Vec<String> {
        match &self.fate {
            Fate::Deny => vec!["denied by the rule".to_owned()],
            Fate::Exempt => vec!["exempt by the rule".to_owned()],
            Fate::Observe(_, outlook, until) => {
                std::iter::once(observed(*until)).chain(outlook.obstacles.iter().cloned()).collect()
            }
            Fate::Require(_, outlook) if outlook.exempt => vec![ROLL_OUT.to_owned()],
            Fate::Require(_, outlook) => outlook.obstacles.clone(),
        }
    }
}

fn show_chain(text: &mut String, spec: &ChainSpec, outlook: &Outlook) {
    let (name, steps) = (spec.name(), spec.required_steps());
    let mode = mode_name(spec.mode());
    let _ = writeln!(text, "chain    {name}: {mode}, {steps} of {} factors", spec.factor_count());
    match spec.mode() {
        Mode::Fixed => {
            for (number, factor) in (1..).zip(&outlook.steps) {
                let _ = writeln!(text, "  step {number}  {} ({})", factor.id, factor.label);
            }
        }
        Mode::Random => {
            let _ = writeln!(
                text,
                "  steps  {steps} of {} in a draw per attempt: {}",
                outlook.steps.len(),
                ids(&outlook.steps).join(", ")
            );
        }
    }
    let told = match spec.on_wrong_code() {
        OnWrongCode::Reset => "denied at once; the next attempt starts at step 1",
        OnWrongCode::Conceal => "told after all steps; the next attempt starts at step 1",
    };
    let _ = writeln!(text, "wrong    {told}");
    let _ = writeln!(text, "enrolled {}", list(&outlook.enrolled));
    if !outlook.missing.is_empty() {
        let _ = writeln!(text, "missing  {}", list(&outlook.missing));
    }
    if let Some(left) = outlook.recovery_codes {
        let _ = writeln!(text, "recovery {left} codes left; each stands in for one code");
    }
}

fn observed(until: UnixTime) -> String {
    format!("exempt and observed through {} (UTC): no code is asked", until.last_day_before())
}

fn show_observed(text: &mut String, outlook: &Outlook, until: UnixTime) {
    let could = if outlook.obstacles.is_empty() && !outlook.exempt { "could" } else { "could not" };
    let _ = writeln!(text, "verdict  {}; the user {could} pass the chain now", observed(until));
    for obstacle in &outlook.obstacles {
        let _ = writeln!(text, "reason   {obstacle}");
    }
}

fn show_verdict(text: &mut String, outlook: &Outlook, host: &[Finding]) {
    let verdict = match (outlook.exempt, outlook.obstacles.is_empty()) {
        _ if host.iter().any(keeps_out) => "cannot pass now: the host stands in the way",
        (false, true) if host.iter().any(|finding| finding.severity == Severity::Error) => {
            "could pass the chain now, but not every login comes to it"
        }
        (true, _) => ROLL_OUT,
        (false, true) => "could pass now, with right codes",
        (false, false) => "cannot pass now",
    };
    let _ = writeln!(text, "verdict  {verdict}");
    for obstacle in &outlook.obstacles {
        let _ = writeln!(text, "reason   {obstacle}");
    }
}

fn chain_members(spec: &ChainSpec, outlook: &Outlook) -> serde_json::Map<String, Value> {
    let fixed = spec.mode() == Mode::Fixed;
    let step = |(number, factor): (usize, &Factor)| {
        json!({
            "step": fixed.then_some(number),
            "factor": factor.id.as_str(),
            "label": factor.label.as_str(),
        })
    };
    let members = [
        ("chain", json!(spec.name())),
        ("mode", json!(mode_name(spec.mode()))),
        ("required_steps", json!(spec.required_steps())),
        ("steps", (1..).zip(&outlook.steps).map(step).collect()),
        ("enrolled", json!(ids(&outlook.enrolled))),
        ("missing", json!(ids(&outlook.missing))),
        ("recovery_codes", json!(outlook.recovery_codes)),
    ];
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn ids(factors: &[Factor]) -> Vec<&str> {
    factors.iter().map(|factor| factor.id.as_str()).collect()
}

fn list(factors: &[Factor]) -> String {
    if factors.is_empty() { "nothing".to_owned() } else { ids(factors).join(", ") }
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Fixed => "fixed",
        Mode::Random => "random",
    }
}

const ROLL_OUT: &str = "exempt: not enrolled enough, and the roll-out deadline has not passed";
const DENIED: &str = "verdict  denied by the rule, without being asked\n";
const EXEMPT: &str = "verdict  exempt: no code is asked, the rest of the stack decides\n";
