//! Names and paths in commands that are advised: as printed, a command has to work.

use std::borrow::Cow;

/// `text` as one word of a shell (POSIX, 2.2 Quoting): in quotes if it has characters with a meaning to the shell.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_@%+=:,./-".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        for (text, word) in [
            ("alice", "alice"),
            ("/srv/a-b_c.toml", "/srv/a-b_c.toml"),
            ("domain users", "'domain users'"),
            ("o'neil", r"'o'\''neil'"),
            ("$HOME;x", "'$HOME;x'"),
            ("", "''"),
            ("Zoë", "'Zoë'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
