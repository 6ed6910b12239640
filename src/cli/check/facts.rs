//! What a policy says, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::verifier::policy::{ChainSpec, Factor, FactorKind, Mode, OnWrongCode, Policy, Unenrolled};

/// The policy in lines.
#[must_use]
pub fn text(policy: &Policy) -> String {
    let mut text = "factors\n".to_owned();
    for factor in policy.factors() {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {}", factor_line(factor));
    }
    text.push_str("\nchains\n");
    for chain in chains(policy) {
        let _ = writeln!(text, "  {}", chain_line(chain));
    }
    text.push_str("\nrules, the first that matches wins\n");
    for (number, rule) in (1_usize..).zip(policy.rules()) {
        let _ = writeln!(text, "  {number} ({}): {rule}", rule.place());
    }
    text.push_str("  else: chain default\n");
    let (shown, typed) = (sample_prompt(policy), if policy.prompt().echo() { "shown" } else { "hidden" });
    let _ = writeln!(text, "\nprompt\n  \"{shown}\", codes are {typed} while they are typed");
    let failure = policy.prompt().failure_message();
    let _ =
        writeln!(text, "  on a denial: {}", failure.map_or("nothing".to_owned(), |it| format!("\"{it}\"")));
    let _ = writeln!(text, "\nthrottle, failures of one user at one place\n{}", throttle_lines(policy));
    text
}

/// Each factor as an object.
pub fn factors_json(policy: &Policy) -> Value {
    let factor = |factor: &Factor| {
        let (window, look_ahead) = match factor.kind {
            FactorKind::Totp { window } => (Some(window), None),
            FactorKind::Hotp { look_ahead } => (None, Some(look_ahead)),
        };
        json!({
            "id": factor.id.as_str(), "label": factor.label.as_str(), "type": factor.kind.name(),
            "window": window, "look_ahead": look_ahead,
            "algorithm": factor.enrollment.algorithm.name(), "digits": factor.enrollment.digits.count(),
            "period": window.map(|_| factor.enrollment.period.seconds()),
        })
    };
    policy.factors().iter().map(factor).collect()
}

/// Each chain as an object, the default one first.
pub fn chains_json(policy: &Policy) -> Value {
    let chain = |chain: &ChainSpec| {
        let ids: Vec<&str> = chain.factors().map(|factor| factor.id.as_str()).collect();
        json!({
            "name": chain.name(), "mode": mode(chain), "required_steps": chain.required_steps(), "factors": ids,
            "on_wrong_code": on_wrong_code(chain), "unenrolled": unenrolled(chain),
        })
    };
    chains(policy).map(chain).collect()
}

/// Each rule as an object, in order.
pub fn rules_json(policy: &Policy) -> Value {
    let rules = (1_usize..).zip(policy.rules());
    rules
        .map(|(number, rule)| json!({"rule": number, "line": rule.line(), "file": rule.file(), "text": rule.to_string()}))
        .collect()
}

/// How codes are asked for.
pub fn prompt_json(policy: &Policy) -> Value {
    let prompt = policy.prompt();
    json!({"sample": sample_prompt(policy), "echo": prompt.echo(), "failure": prompt.failure_message()})
}

/// The numbers of the throttle.
pub fn throttle_json(policy: &Policy) -> Value {
    let throttle = policy.throttle();
    json!({
        "free_failures": throttle.free_failures(),
        "first_wait_seconds": throttle.first_wait_seconds(),
        "longest_wait_seconds": throttle.longest_wait_seconds(),
        "long_after": throttle.long_after(),
        "long_wait_seconds": throttle.long_wait_seconds(),
        "lock_after": throttle.lock_after(),
        "lock_wait_seconds": throttle.lock_wait_seconds(),
        "failures_a_day": throttle.failures_a_day(),
        "fail_delay_seconds": throttle.fail_delay_seconds(),
        "attempt_seconds": throttle.attempt_seconds(),
    })
}

fn chains(policy: &Policy) -> impl Iterator<Item = &ChainSpec> {
    std::iter::once(policy.default_chain()).chain(policy.named_chains())
}

fn factor_line(factor: &Factor) -> String {
    let Factor { id, label, kind, enrollment } = factor;
    let (digits, algorithm) = (enrollment.digits.count(), enrollment.algorithm);
    let (reach, every) = match kind {
        FactorKind::Totp { window } => {
            (format!("window {window}"), format!(", every {} s", enrollment.period.seconds()))
        }
        FactorKind::Hotp { look_ahead } => (format!("look_ahead {look_ahead}"), String::new()),
    };
    format!(
        "{id}: {}, {reach}, \"{label}\"; enrollments get {algorithm}, {digits} digits{every}",
        kind.name()
    )
}

fn chain_line(chain: &ChainSpec) -> String {
    let ids: Vec<&str> = chain.factors().map(|factor| factor.id.as_str()).collect();
    format!(
        "{}: {}, {} of {} factors ({}), on_wrong_code {}, unenrolled {}",
        chain.name(),
        mode(chain),
        chain.required_steps(),
        chain.factor_count(),
        ids.join(", "),
        on_wrong_code(chain),
        unenrolled(chain)
    )
}

fn throttle_lines(policy: &Policy) -> String {
    let throttle = policy.throttle();
    format!(
        "  from {}: wait {} s, doubling up to {} s\n  from {}: wait {} s\n  from {}: wait {} s\n  at most {} a day; places \
         that the user never logged in from count as one, and get half\n  each denial is answered after about {} s",
        throttle.free_failures(),
        throttle.first_wait_seconds(),
        throttle.longest_wait_seconds(),
        throttle.long_after(),
        throttle.long_wait_seconds(),
        throttle.lock_after(),
        throttle.lock_wait_seconds(),
        throttle.failures_a_day(),
        throttle.fail_delay_seconds()
    )
}

/// The first prompt of the default chain's first factor.
fn sample_prompt(policy: &Policy) -> String {
    let chain = policy.default_chain();
    let label = chain.factors().next().map_or("", |factor| factor.label.as_str());
    policy.prompt().render(label, 1, chain.required_steps())
}

fn mode(chain: &ChainSpec) -> &'static str {
    match chain.mode() {
        Mode::Fixed => "fixed",
        Mode::Random => "random",
    }
}

fn on_wrong_code(chain: &ChainSpec) -> &'static str {
    match chain.on_wrong_code() {
        OnWrongCode::Reset => "reset",
        OnWrongCode::Conceal => "conceal",
    }
}

fn unenrolled(chain: &ChainSpec) -> String {
    match chain.unenrolled() {
        Unenrolled::Deny => "deny".to_owned(),
        Unenrolled::ExemptUntil(deadline) => format!("exempt through {} (UTC)", deadline.last_day_before()),
    }
}
