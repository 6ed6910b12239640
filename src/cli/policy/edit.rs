//! `mfa-chain policy edit`: the manners of visudo(8) for the policy.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufRead, Write as _};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::super::failure::{Exit, Failure};
use super::super::{Context, output};
use super::arguments::PolicyEditArguments;
use super::candidate::Candidate;
use super::install::Installation;
use crate::changes::policy_files::PolicyFiles;
use crate::changes::{ChangeError, editor};
use crate::store::folder_of_included;

/// Runs the command: the editor gets a copy, and the policy is replaced only by a copy that is valid.
///
/// # Errors
///
/// [`Failure`] while somebody else edits, when the editor fails, or the copy is thrown away.
pub fn run(context: &Context, arguments: &PolicyEditArguments) -> Result<Exit, Failure> {
    let included = arguments.file.as_deref().map(included_name).transpose()?;
    let installation = Installation::begin(context, "edit")?;
    let _alone = installation.folder().lock_editing(installation.by())?;
    let present = installation.present().cloned().unwrap_or_default();
    let text = included.map_or(Some(present.text.as_str()), |name| present.included(name));
    let folder = installation.folder().path_of("edit");
    let copy = Copy::make(&folder, included.unwrap_or("policy.toml"), text.unwrap_or_default())?;
    let new = edit_until_valid(context, &copy, &present, included)?;
    if included.is_some() {
        make_folder_of_included(context)?;
    }
    let exit = installation.put_in_force(&new, &arguments.guard)?;
    copy.discard()?;
    Ok(exit)
}

/// Opens the editor until the copy is valid.
fn edit_until_valid(
    context: &Context,
    copy: &Copy,
    present: &PolicyFiles,
    included: Option<&str>,
) -> Result<Candidate, Failure> {
    loop {
        editor::open(&copy.file)?;
        let read = match included {
            None => Candidate::read_file(&copy.file, &context.policy),
            Some(name) => Candidate::text_of(&copy.file).and_then(|text| {
                let files = present.clone().with_included(name, text);
                Candidate::of(files, &context.policy.display().to_string(), &context.policy)
            }),
        };
        let failure = match read {
            Ok(new) => return Ok(new),
            Err(failure) => failure,
        };
        output::complain(&failure.line().unwrap_or_default());
        match ask()? {
            Answer::Edit => {}
            Answer::Discard => {
                copy.discard()?;
                return Err(Failure::cancelled("the changes were thrown away; the policy is as it was"));
            }
            Answer::Quit => {
                return Err(Failure::cancelled(format!(
                    "the policy is as it was; the copy stays in {}, and the next `mfa-chain policy edit` begins with it",
                    copy.file.display()
                )));
            }
        }
    }
}

/// Everybody may read a policy, so also what is included into it.
fn make_folder_of_included(context: &Context) -> Result<(), Failure> {
    let folder = folder_of_included(&context.policy);
    if folder.exists() {
        return Ok(());
    }
    let made =
        fs::create_dir(&folder).and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o755)));
    Ok(made.map_err(|error| ChangeError::io(&folder, "make the folder", error))?)
}

/// A name that is included.
fn included_name(name: &str) -> Result<&str, Failure> {
    let is_toml = Path::new(name).extension().is_some_and(|extension| extension == "toml");
    if name.contains('/') || name.starts_with('.') || !is_toml {
        return Err(Failure::refused(format!(
            "`{name}` would not be included; write a name that ends in .toml, such as 50-site.toml"
        )));
    }
    Ok(name)
}

/// The copy that is edited, in a folder of its own: editors put files of theirs beside it.
struct Copy {
    folder: PathBuf,
    file: PathBuf,
}

impl Copy {
    /// Writes `text` into it. One that is left from an edit that was broken off stays.
    fn make(folder: &Path, name: &str, text: &str) -> Result<Self, Failure> {
        let copy = Self { folder: folder.to_owned(), file: folder.join(name) };
        let made = DirBuilder::new().mode(0o700).create(folder);
        let is_left = made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
        if is_left && copy.file.exists() {
            output::warn(
                "the changes of an edit that was broken off are still there; this edit goes on with them",
            );
            return Ok(copy);
        }
        let made = if is_left { Ok(()) } else { made };
        made.and_then(|()| fs::write(&copy.file, text))
            .map_err(|error| ChangeError::io(&copy.file, "write", error))?;
        Ok(copy)
    }

    fn discard(&self) -> Result<(), Failure> {
        Ok(fs::remove_dir_all(&self.folder)
            .map_err(|error| ChangeError::io(&self.folder, "remove the folder", error))?)
    }
}

/// What to do with a copy that is not valid.
enum Answer {
    Edit,
    Discard,
    Quit,
}

/// Asks until an answer is known.
fn ask() -> Result<Answer, Failure> {
    loop {
        let mut line = String::new();
        // Without an end of line, as a prompt.
        let _ = write!(
            io::stderr(),
            "What now? e: edit again, x: throw the changes away, q: quit and keep the copy: "
        );
        let read = io::stdin().lock().read_line(&mut line);
        match (read, line.trim()) {
            (Ok(0) | Err(_), _) | (_, "q" | "Q") => return Ok(Answer::Quit),
            (_, "e" | "E") => return Ok(Answer::Edit),
            (_, "x" | "X") => return Ok(Answer::Discard),
            _ => {}
        }
    }
}
