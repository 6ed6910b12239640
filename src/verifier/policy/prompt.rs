//! How codes are asked for.

/// The words of the prompts. What matters stands in the prompt itself: sshd and sudo drop or delay other
/// messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptPolicy {
    pub(super) text: PromptText,
    pub(super) echo: bool,
    pub(super) failure: Option<String>,
}

impl PromptPolicy {
    /// The longest rendered prompt, in bytes (Linux-PAM `PAM_MAX_MSG_SIZE`).
    pub const MAX_BYTES: usize = 512;

    /// The prompt for the factor `label`, at `step` (from 1) of `steps`.
    #[must_use]
    pub fn render(&self, label: &str, step: usize, steps: usize) -> String {
        let mut prompt = String::with_capacity(Self::MAX_BYTES);
        for part in &self.text.0 {
            match part {
                Part::Text(text) => prompt.push_str(text),
                Part::Label => prompt.push_str(label),
                Part::Step => prompt.push_str(&step.to_string()),
                Part::Steps => prompt.push_str(&steps.to_string()),
            }
        }
        prompt
    }

    /// Whether the terminal shows the code while it is typed.
    #[must_use]
    pub fn echo(&self) -> bool {
        self.echo
    }

    /// What the claimant is told on a denial, the same for every cause; `None` for nothing.
    #[must_use]
    pub fn failure_message(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

impl Default for PromptPolicy {
    fn default() -> Self {
        Self {
            text: PromptText::default(),
            echo: false,
            failure: Some("Access denied. The chain starts again at step 1.".to_owned()),
        }
    }
}

/// The text of a prompt with the places for `{label}`, `{step}` and `{steps}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PromptText(Vec<Part>);

impl PromptText {
    /// Takes printable ASCII with the three placeholders; otherwise tells what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the prompt is empty".to_owned());
        }
        if !is_printable(text) {
            return Err("the prompt holds more than printable ASCII".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, behind) = after.split_once('}').ok_or_else(|| unpaired('{'))?;
            push_text(&mut parts, before)?;
            parts.push(placeholder(word)?);
            rest = behind;
        }
        push_text(&mut parts, rest)?;
        Ok(Self(parts))
    }
}

impl Default for PromptText {
    /// `{label} code (step {step} of {steps}): `
    fn default() -> Self {
        let text = |text: &str| Part::Text(text.to_owned());
        Self(vec![Part::Label, text(" code (step "), Part::Step, text(" of "), Part::Steps, text("): ")])
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Label,
    Step,
    Steps,
}

/// Whether a terminal shows all of `text` as it is.
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> Result<(), String> {
    if text.contains('}') {
        return Err(unpaired('}'));
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

fn placeholder(word: &str) -> Result<Part, String> {
    match word {
        "label" => Ok(Part::Label),
        "step" => Ok(Part::Step),
        "steps" => Ok(Part::Steps),
        _ => Err(format!("unknown placeholder `{{{word}}}`; {KNOWN}")),
    }
}

fn unpaired(brace: char) -> String {
    format!("a lone `{brace}` in the prompt; {KNOWN}")
}

const KNOWN: &str = "known: {label}, {step}, {steps}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_prompt_is_the_documented_one() {
        let documented = PromptText::parse("{label} code (step {step} of {steps}): ").unwrap();
        assert_eq!(PromptText::default(), documented);
        let prompt = PromptPolicy::default();
        assert_eq!(prompt.render("Authenticator app", 1, 2), "Authenticator app code (step 1 of 2): ");
        assert!(!prompt.echo());
        assert_eq!(prompt.failure_message(), Some("Access denied. The chain starts again at step 1."));
    }

    #[test]
    fn a_label_that_looks_like_a_placeholder_stays_as_it_is() {
        let prompt = PromptPolicy { text: PromptText::parse("{label}:").unwrap(), ..PromptPolicy::default() };
        assert_eq!(prompt.render("{step}", 1, 2), "{step}:");
    }

    #[test]
    fn prompts_with_unknown_places_are_refused() {
        let cases = [
            ("", "the prompt is empty"),
            ("  ", "the prompt is empty"),
            ("a\n", "the prompt holds more than printable ASCII"),
            ("{user}: ", "unknown placeholder `{user}`; known: {label}, {step}, {steps}"),
            ("{{label}}", "unknown placeholder `{{label}`; known: {label}, {step}, {steps}"),
            ("{label", "a lone `{` in the prompt; known: {label}, {step}, {steps}"),
            ("label}", "a lone `}` in the prompt; known: {label}, {step}, {steps}"),
            ("}{label}", "a lone `}` in the prompt; known: {label}, {step}, {steps}"),
        ];
        for (text, message) in cases {
            assert_eq!(PromptText::parse(text), Err(message.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn plain_prompts_are_taken() {
        for text in ["Code: ", "{step}", "{label}{step}{steps}"] {
            assert!(PromptText::parse(text).is_ok(), "{text}");
        }
    }
}
