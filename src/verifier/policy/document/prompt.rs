//! `[prompt]`.

use super::factors::ReadFactor;
use super::position::Problem;
use super::raw::{RawPrompt, Text};
use crate::verifier::policy::PromptPolicy;
use crate::verifier::policy::prompt::{PromptText, is_printable};

/// Reads the words of the prompts and tries them with every factor.
pub(super) fn read_prompt(
    given: Option<&RawPrompt>,
    factors: &[ReadFactor],
) -> Result<PromptPolicy, Problem> {
    let mut prompt = PromptPolicy::default();
    if let Some(raw) = given {
        prompt.echo = raw.echo.unwrap_or(prompt.echo);
        if let Some(text) = &raw.text {
            prompt.text =
                PromptText::parse(text.get_ref()).map_err(|message| Problem::at(&text.span(), message))?;
        }
        if let Some(failure) = &raw.failure {
            prompt.failure = read_failure(failure)?;
        }
    }
    try_prompts(&prompt, given.and_then(|raw| raw.text.as_ref()), factors)?;
    Ok(prompt)
}

fn read_failure(failure: &Text) -> Result<Option<String>, Problem> {
    let text = failure.get_ref();
    if text.len() > FAILURE_BYTES || !is_printable(text) {
        let message = format!("`failure` must be printable ASCII, at most {FAILURE_BYTES} characters");
        return Err(Problem::at(&failure.span(), message));
    }
    Ok((!text.is_empty()).then(|| text.clone()))
}

fn try_prompts(prompt: &PromptPolicy, text: Option<&Text>, factors: &[ReadFactor]) -> Result<(), Problem> {
    for read in factors {
        let at = text.map_or_else(|| read.label_at.clone(), Text::span);
        let shown = prompt.render(read.factor.label.as_str(), factors.len(), factors.len());
        if shown.len() > PromptPolicy::MAX_BYTES {
            let (length, most) = (shown.len(), PromptPolicy::MAX_BYTES);
            let message = format!("the prompt for `{}` has {length} bytes; at most {most}", read.factor.id);
            return Err(Problem::at(&at, message).following(SHOWN));
        }
        // sudo(8) takes such a prompt for the one of pam_unix and shows its own instead.
        if shown.trim_start().to_ascii_lowercase().starts_with("password") {
            let message = format!(
                "the prompt for `{}` begins with \"password\"; sudo would replace it",
                read.factor.id
            );
            return Err(Problem::at(&at, message).following(SHOWN));
        }
    }
    Ok(())
}

const SHOWN: &[&str] = &["id", "label", "text"];

const FAILURE_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Case, FACTOR, check, parsed, refusal};
    use crate::verifier::policy::{Policy, PromptPolicy};

    #[test]
    fn prompts_that_mislead_are_refused() {
        let long = format!("text = '{}{{label}}'", "x".repeat(508));
        check(&format!("{FACTOR}[prompt]\n"), "", PROMPTS);
        let refused = refusal(&format!("{FACTOR}[prompt]\n{long}"));
        assert_eq!(refused, "6:8: the prompt for `phone` has 513 bytes; at most 512");
        for accepted in ["text = 'Code: '", "text = 'Your password app: '", &long.replacen("xx", "x", 1)] {
            parsed(&format!("{FACTOR}[prompt]\n{accepted}"));
        }
        let named =
            parsed(&format!("{FACTOR}label = 'Password app'\n[prompt]\ntext = 'Code of {{label}}: '"));
        assert_eq!(named.prompt().render("Password app", 1, 1), "Code of Password app: ");
    }

    proptest! {
        #[test]
        fn whatever_the_policy_says_prompts_are_printable_and_short(
            texts in (text(), text(), text()),
            count in 1_usize..=32,
        ) {
            let (label, prompt, failure) = texts;
            let factor = |number: usize| {
                let label = if number == 0 { label.clone() } else { format!("Token {number}") };
                format!("[[factors]]\nid = 'f{number}'\ntype = 'totp'\nlabel = {}\n", quoted(&label))
            };
            let factors: String = (0..count).map(factor).collect();
            let (text, failure) = (quoted(&prompt), quoted(&failure));
            let policy = format!("required_steps = {count}\n{factors}[prompt]\ntext = {text}\nfailure = {failure}\n");
            let Ok(policy) = Policy::parse(&policy, "p") else { return Ok(()) };
            let mut shown: Vec<String> = policy.prompt().failure_message().map(str::to_owned).into_iter().collect();
            for (step, factor) in (1..).zip(policy.factors()) {
                shown.push(policy.prompt().render(factor.label.as_str(), step, count));
            }
            for text in shown {
                prop_assert!(text.len() <= PromptPolicy::MAX_BYTES && !text.is_empty(), "{text:?}");
                prop_assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)), "{text:?}");
            }
        }
    }

    /// Mostly what is taken, with now and then a character that must not be.
    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            8 => "[ -~]{0,12}".prop_map(|plain| plain.replace(['{', '}'], "")),
            4 => proptest::sample::select(vec!["{label}", "{step}", "{steps}"]).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
            1 => (0_u8..0x20).prop_map(|byte| char::from(byte).to_string()),
        ];
        proptest::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
    }

    fn quoted(text: &str) -> String {
        let escaped = text.chars().map(|letter| format!("\\U{:08x}", u32::from(letter)));
        format!("\"{}\"", escaped.collect::<String>())
    }

    const PROMPTS: &[Case] = &[
        ("empty", "text = ''", "6:8: the prompt is empty"),
        (
            "placeholder",
            "text = '{user}'",
            "6:8: unknown placeholder `{user}`; known: {label}, {step}, {steps}",
        ),
        ("control character", "text = \"a\\n\"", "6:8: the prompt holds more than printable ASCII"),
        (
            "like a password's",
            "text = 'PASSWORD: '",
            "6:8: the prompt for `phone` begins with \"password\"; sudo would replace it",
        ),
        ("echo", "echo = 'no'", "6:8: string \"no\"; it must be true or false, without quotes"),
        ("failure", "failure = 'é'", "6:11: `failure` must be printable ASCII, at most 200 characters"),
        ("key", "txt = ''", "6:1: unknown key `txt`; known: text, echo, failure"),
    ];
}
