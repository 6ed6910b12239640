//! Finds the administrator's editor as visudo(8) does, and starts it without a shell.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ChangeError;

/// Opens `file` in the editor and waits until the editor ends.
///
/// # Errors
///
/// [`ChangeError::Refused`] when no editor is found, or the editor ended with an error.
pub fn open(file: &Path) -> Result<(), ChangeError> {
    let words = find(|name| env::var(name).ok(), &search_path())?;
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(ChangeError::Refused("no editor is named".to_owned()));
    };
    let shown = PathBuf::from(program).display().to_string();
    let status = Command::new(program).args(arguments).arg(file).status();
    let status = status.map_err(|error| ChangeError::Refused(format!("cannot start {shown}: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(ChangeError::Refused(format!(
        "the editor {shown} ended with an error ({status}); nothing was changed"
    )))
}

/// The program and its arguments: the first of `SUDO_EDITOR`, `VISUAL` and `EDITOR` that is set, else one of the usual
/// places.
fn find(
    variable: impl Fn(&str) -> Option<String>,
    folders: &[PathBuf],
) -> Result<Vec<OsString>, ChangeError> {
    let named = VARIABLES.iter().find_map(|name| variable(name).filter(|value| !value.trim().is_empty()));
    let Some(named) = named else {
        let usual = USUAL.iter().map(Path::new).find(|path| is_program(path));
        let usual = usual.ok_or_else(|| {
            ChangeError::Refused("no editor is found; name one in the variable EDITOR".to_owned())
        })?;
        return Ok(vec![usual.into()]);
    };
    let words = split(&named);
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(ChangeError::Refused("no editor is named".to_owned()));
    };
    let found = if program.contains('/') {
        Some(PathBuf::from(program)).filter(|path| is_program(path))
    } else {
        folders.iter().map(|folder| folder.join(program)).find(|path| is_program(path))
    };
    let found = found.ok_or_else(|| {
        ChangeError::Refused(format!("the editor `{program}` is not found; look at EDITOR"))
    })?;
    Ok(std::iter::once(found.into_os_string()).chain(arguments.iter().map(OsString::from)).collect())
}

/// Splits at blanks. Quotes and backslashes keep a blank within a word. No other character has a special meaning, so no
/// shell is needed.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, Some(open)) if letter == open => quote = None,
            (' ' | '\t' | '\n', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn search_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    // With a relative folder in PATH, the folder in which the command is started would choose the program.
    env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

const VARIABLES: [&str; 3] = ["SUDO_EDITOR", "VISUAL", "EDITOR"];
const USUAL: [&str; 6] =
    ["/usr/bin/editor", "/usr/bin/vi", "/usr/bin/vim", "/usr/bin/nano", "/bin/vi", "/bin/nano"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_is_split_into_words_and_never_run_by_a_shell() {
        for (text, words) in [
            ("vi", &["vi"][..]),
            ("  vim  -u NONE ", &["vim", "-u", "NONE"]),
            (r#"emacs --eval "(setq x 1)" '' a\ b"#, &["emacs", "--eval", "(setq x 1)", "", "a b"]),
            ("vi; rm -rf / $(id) `id` | sh", &["vi;", "rm", "-rf", "/", "$(id)", "`id`", "|", "sh"]),
            ("", &[]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }

    #[test]
    fn the_first_variable_decides_and_a_missing_program_is_told() {
        let folders = [PathBuf::from("/bin"), PathBuf::from("/usr/bin")];
        let given = |name: &str| match name {
            "VISUAL" => Some("cat -n".to_owned()),
            "EDITOR" => Some("false".to_owned()),
            _ => None,
        };
        let found = find(given, &folders).expect("an editor");
        assert_eq!(found, ["/bin/cat", "-n"]);
        let missing = find(|_| Some("no-such-editor".to_owned()), &folders).expect_err("missing");
        assert!(missing.to_string().contains("`no-such-editor` is not found"), "{missing}");
    }
}
