//! The text of a secret, as apps, tokens and web pages give it: base32, hexadecimal or an `otpauth://` URI on one line.
//!
//! What can be read in two ways is refused. A key that was read wrongly makes codes that are never right, and
//! `--no-confirm` would not notice.

use zeroize::Zeroizing;

use super::secret_forms;
use crate::verifier::enrollment::Authenticator;
use crate::verifier::enrollment::otpauth::{Refusal, SCHEME};
use crate::verifier::otp::{InvalidSecret, SharedSecret};
use crate::verifier::policy::Factor;

/// Reads the only line of `text`.
///
/// # Errors
///
/// Line and column, what is wrong and the cure, never a word of the text.
pub fn parse(text: &str, factor: &Factor) -> Result<Authenticator, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (number, line) = only_line(text)?;
    let (begin, inner) = unquoted(line);
    read_line(inner, factor).map_err(|refusal| {
        let column = refusal.column.saturating_add(begin);
        format!("line {number}, column {column}: {}", refusal.message)
    })
}

fn read_line(line: &str, factor: &Factor) -> Result<Authenticator, Refusal> {
    if let Some((at, control)) =
        line.char_indices().find(|(_, letter)| letter.is_control() && *letter != '\t')
    {
        let code = u32::from(control);
        return Err(Refusal::at(line, at, format!("a control character, U+{code:04X}; delete it")));
    }
    let scheme = line.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) {
        return Authenticator::parse(line, factor);
    }
    secret_forms::refuse_foreign(line)?;
    Ok(Authenticator { secret: read_secret(line)?, parameters: factor.enrollment, counter: 0 })
}

/// The line that is not blank, with its number.
fn only_line(text: &str) -> Result<(usize, &str), String> {
    let mut lines =
        (1_usize..).zip(text.split('\n')).filter(|(_, line)| !line.trim_matches(is_unseen).is_empty());
    let (number, line) = lines.next().ok_or("the secret file is empty")?;
    match lines.next() {
        None => Ok((number, line.trim_end_matches('\r'))),
        Some((second, next)) => {
            Err(format!("line {second}, column 1: {}", secret_forms::explain_lines(line, next)))
        }
    }
}

/// What stands within blanks and a pair of quotes, and how many characters stand before it.
fn unquoted(line: &str) -> (usize, &str) {
    let inner = line.trim_matches(is_unseen);
    let quotes =
        |letter: char| "\"'`\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{201a}\u{ab}\u{bb}".contains(letter);
    let bare = inner.strip_prefix(quotes).and_then(|rest| rest.strip_suffix(quotes)).unwrap_or(inner);
    let bare = bare.trim_matches(is_unseen);
    let at = line.find(bare).unwrap_or_default();
    (line.get(..at).unwrap_or_default().chars().count(), bare)
}

/// Reads base32 or hexadecimal, grouped or not.
fn read_secret(line: &str) -> Result<SharedSecret, Refusal> {
    let (form, begin) = Form::of(line);
    let key = line.get(begin..).unwrap_or_default();
    let letters = Letters::of(key);
    let secret = match form.unwrap_or_else(|| letters.form()) {
        Form::Base32 => letters.base32(),
        Form::Hex => letters.hex(HEX),
        Form::Modhex => letters.hex(MODHEX),
        Form::Ambiguous(message) => Err((0, message.to_owned())),
    };
    secret.map_err(|(at, message)| Refusal::at(line, begin.saturating_add(at), message))
}

/// How the bytes of a key are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Base32,
    Hex,
    /// Hexadecimal in the letters that every keyboard has at the same keys (Yubico).
    Modhex,
    Ambiguous(&'static str),
}

impl Form {
    /// The form that a word in front names, and where the key begins.
    fn of(line: &str) -> (Option<Self>, usize) {
        let lower = line.to_ascii_lowercase();
        for (word, form) in WORDS {
            if let Some(rest) = lower.strip_prefix(word) {
                return (Some(form), line.len().saturating_sub(rest.len()));
            }
        }
        (None, 0)
    }
}

/// The letters of a key without what groups them, each with its place in bytes.
struct Letters<'t> {
    text: &'t str,
    plain: Zeroizing<String>,
    /// Whether colons, `\x` or `0x` stand between pairs, as only hexadecimal has them.
    in_pairs: bool,
}

impl<'t> Letters<'t> {
    fn of(text: &'t str) -> Self {
        let mut plain = Zeroizing::new(String::with_capacity(text.len()));
        let in_pairs = is_in_pairs(text);
        if in_pairs {
            let mut groups = text.split(is_separator_of_pairs).filter(|group| !group.is_empty());
            groups.by_ref().for_each(|group| plain.push_str(without_mark(group)));
        } else {
            plain.extend(text.chars().filter(|letter| !is_separator(*letter)));
        }
        Self { text, plain, in_pairs }
    }

    fn form(&self) -> Form {
        let letters = self.plain.trim_end_matches('=');
        let all = |set: &str| letters.chars().all(|letter| set.contains(letter.to_ascii_lowercase()));
        let is_long = letters.len() >= LEAST_HEX_DIGITS;
        if letters.chars().all(|letter| letter.is_ascii_digit()) && is_long && !self.in_pairs {
            return Form::Ambiguous(
                "a text of digits can be hexadecimal or the key as text; write `hex:` in front, or encode it: `base32 FILE`",
            );
        }
        if all(HEX) && is_long && (self.in_pairs || letters.contains(['0', '1', '8', '9'])) {
            return Form::Hex;
        }
        if all(HEX) && is_long {
            return Form::Ambiguous(
                "the key can be hexadecimal or base32; write `hex:` or `base32:` in front of it",
            );
        }
        if all(MODHEX) && is_long {
            return Form::Ambiguous(
                "the key can be modhex or base32; write `modhex:` or `base32:` in front of it",
            );
        }
        Form::Base32
    }

    fn base32(&self) -> Result<SharedSecret, (usize, String)> {
        let letters = self.plain.trim_end_matches('=');
        let known = |letter: char| matches!(letter.to_ascii_uppercase(), 'A'..='Z' | '2'..='7');
        if let Some((at, letter)) = self.foreign(|letter| known(letter) || letter == '=') {
            let hint = match letter {
                '0' | '1' | '8' | '9' => "it has no 0, 1, 8 or 9: those may be the letters O, I, B or G",
                '+' | '/' => "base64 is converted by `base64 -d FILE | base32`",
                _ => "letters A to Z and digits 2 to 7; blanks and dashes may group them",
            };
            return Err((at, format!("not base32: {hint}; copy the secret again")));
        }
        SharedSecret::from_letters(letters).map_err(|error| {
            let is_cut_off = matches!(error, InvalidSecret::CutOff { .. });
            (if is_cut_off { self.text.len() } else { 0 }, error.to_string())
        })
    }

    fn hex(&self, digits: &str) -> Result<SharedSecret, (usize, String)> {
        let value = |letter: char| digits.find(letter.to_ascii_lowercase());
        if let Some((at, _)) =
            self.foreign(|letter| value(letter).is_some() || self.in_pairs && "xX\\".contains(letter))
        {
            return Err((at, format!("not hexadecimal: the digits are {digits}; copy the secret again")));
        }
        let count = self.plain.chars().count();
        if !count.is_multiple_of(2) {
            return Err((
                self.text.len(),
                format!("{count} digits are no whole bytes; copy all of the secret"),
            ));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(count));
        let mut values = self.plain.chars().filter_map(|letter| u8::try_from(value(letter)?).ok());
        while let (Some(high), Some(low)) = (values.next(), values.next()) {
            bytes.push(high << 4 | low);
        }
        SharedSecret::from_bytes(bytes).map_err(|error| (0, error.to_string()))
    }

    /// The first letter that is not `known` and groups nothing.
    fn foreign(&self, known: impl Fn(char) -> bool) -> Option<(usize, char)> {
        let groups = |letter: char| is_separator(letter) || self.in_pairs && is_separator_of_pairs(letter);
        self.text.char_indices().find(|(_, letter)| !groups(*letter) && !known(*letter))
    }
}

fn is_in_pairs(text: &str) -> bool {
    let mut groups = text.split(is_separator_of_pairs).filter(|group| !group.is_empty());
    let is_marked = text.contains(':') || text.contains("0x") || text.contains("0X") || text.contains("\\x");
    is_marked && groups.all(|group| without_mark(group).chars().count() == 2)
}

/// A pair without `0x` in front of it.
fn without_mark(group: &str) -> &str {
    let rest = group.strip_prefix("0x").or_else(|| group.strip_prefix("0X"));
    rest.or_else(|| group.strip_prefix('x')).filter(|rest| rest.len() == 2).unwrap_or(group)
}

fn is_separator_of_pairs(letter: char) -> bool {
    is_separator(letter) || matches!(letter, ':' | ',' | '\\')
}

/// What groups letters for the eye: blanks and dashes of any kind, and what is not seen at all.
fn is_separator(letter: char) -> bool {
    is_unseen(letter) || matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn is_unseen(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}')
        || letter == '\u{feff}'
}

const HEX: &str = "0123456789abcdef";
const MODHEX: &str = "cbdefghijklnrtuv";
/// 80 bits, the least that is taken. A shorter text is not hexadecimal, since it could not be a key.
const LEAST_HEX_DIGITS: usize = 20;
const WORDS: [(&str, Form); 4] =
    [("hex:", Form::Hex), ("0x", Form::Hex), ("base32:", Form::Base32), ("modhex:", Form::Modhex)];
