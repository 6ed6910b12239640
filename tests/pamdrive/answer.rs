//! How one prompt is answered.

use crate::options::bytes_of_hex;

/// What happens at a prompt.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Done before it, in this order.
    pub first: Vec<Prelude>,
    /// The answer itself.
    pub then: Act,
}

/// What may come before an answer.
#[derive(Clone, Debug)]
pub enum Prelude {
    /// Wait until every session stands here.
    Gate,
    /// Set `PAM_USER`.
    ChangeUser(String),
    /// A system call that a trace can find: access(2) of this name.
    Mark,
}

/// What the conversation function does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Hands over these bytes and a NUL.
    Bytes(Vec<u8>),
    /// Hands over one line read from a descriptor, of which this program keeps no copy.
    FromDescriptor(i32),
    /// Success, and the array is null.
    NullArray,
    /// Success, and the text in the array is null.
    NullAnswer,
    /// An error, and nothing handed over.
    Code(i32),
    /// An error, and an answer all the same.
    CodeWith(i32, Vec<u8>),
    /// Waits for ever.
    Hang,
    /// Ends the process without a word.
    Exit,
}

impl Answer {
    pub fn parse(spec: &str) -> Result<Self, String> {
        let mut first = Vec::new();
        let mut rest = spec;
        while let Some((word, after)) = rest.split_once('+') {
            match (word, word.strip_prefix("user=")) {
                ("gate", _) => first.push(Prelude::Gate),
                ("mark", _) => first.push(Prelude::Mark),
                (_, Some(name)) => first.push(Prelude::ChangeUser(name.to_owned())),
                _ => break,
            }
            rest = after;
        }
        Ok(Self { first, then: Act::parse(rest)? })
    }
}

impl Act {
    fn parse(spec: &str) -> Result<Self, String> {
        let (word, value) = spec.split_once(':').unwrap_or((spec, ""));
        let number = |text: &str| text.parse::<i32>().map_err(|_| format!("`{spec}` wants a number"));
        Ok(match word {
            "text" => Self::Bytes(value.as_bytes().to_vec()),
            "hex" => Self::Bytes(bytes_of_hex(value)?),
            "empty" => Self::Bytes(Vec::new()),
            "big" => Self::Bytes(vec![b'1'; usize::try_from(number(value)?).unwrap_or(0)]),
            "fd" => Self::FromDescriptor(number(value)?),
            "null-array" => Self::NullArray,
            "null-answer" => Self::NullAnswer,
            "code" => Self::Code(number(value)?),
            "code-with" => {
                let (code, text) = value.split_once(':').ok_or("code-with wants NUMBER:TEXT")?;
                Self::CodeWith(number(code)?, text.as_bytes().to_vec())
            }
            "hang" => Self::Hang,
            "exit" => Self::Exit,
            _ => return Err(format!("`{spec}` is no answer")),
        })
    }
}
