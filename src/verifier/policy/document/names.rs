//! Names in the conditions of rules. What can't be a name is refused, because a rule that no login matches does
//! nothing, and a `deny` that does nothing lets people in.
//!
//! A directory has names with blanks, dots, accents, `EXAMPLE\alice`, `alice@example.org` and `svc$`, so only two kinds
//! are refused: what no account database can hold or libpam can pass on, and the syntax of other tools.

use super::marks::{Mark, code_point, first_mark};

/// Takes the name of a PAM service.
pub(super) fn service(text: &str) -> Result<String, String> {
    // Nearly every name, told without a look at the rest: a policy is read at each login.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let is_plain = text.bytes().all(plain) && !text.is_empty() && text.starts_with(|it| it != '-');
    if !is_plain || text == OTHER || text.starts_with("common-") {
        refuse_service(text)?;
    }
    Ok(text.to_owned())
}

/// Takes the name of an account.
pub(super) fn user(text: &str) -> Result<String, String> {
    if !is_plain(text) {
        refuse_for_all(text, "users")?;
        refuse_account(text)?;
        if let Some(name) = text.strip_prefix(['%', '@']) {
            return Err(format!("`{text}` names a group; groups go into `groups`: {}", list_of([name])));
        }
    }
    Ok(text.to_owned())
}

/// Takes the name of a group.
pub(super) fn group(text: &str) -> Result<String, String> {
    if !is_plain(text) {
        refuse_for_all(text, "groups")?;
        refuse_account(text)?;
        if let Some(name) = text.strip_prefix(['%', '@']) {
            return Err(format!("`{text}` is no group; write only the name: {}", list_of([name])));
        }
    }
    Ok(text.to_owned())
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    text.bytes().all(plain) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cold]
fn refuse_service(text: &str) -> Result<(), String> {
    let base = text.rsplit('/').next().unwrap_or(text);
    if text.contains('/') && !base.is_empty() {
        return Err(format!("`{text}` is a path; services are called as their file: {}", list_of([base])));
    }
    refuse_for_all(text, "services")?;
    if let Some((name, suffix)) =
        text.rsplit_once('.').filter(|(name, it)| !name.is_empty() && UNITS.contains(it))
    {
        let cure = list_of([name.trim_end_matches('@')]);
        return Err(format!("`{text}` is a .{suffix}, not a PAM service; write its name: {cure}"));
    }
    if text.contains(' ') {
        return Err(several(text, text.split(' ')));
    }
    if text.contains(|letter: char| letter.is_ascii_uppercase()) {
        // pam_start(3) turns the name to lower case.
        let lower = list_of([text.to_ascii_lowercase().as_str()]);
        return Err(format!("`{text}` matches no service; libpam has them in lower case: {lower}"));
    }
    if text == OTHER || INCLUDED.contains(&text) {
        return Err(format!(
            "`{text}` is a file of /etc/pam.d that stands for other services; name those, such as {}",
            list_of(["sshd"])
        ));
    }
    if text.starts_with(['%', '@', '-', '+']) {
        return Err(format!("`{text}` is no service; services are called as their file in /etc/pam.d"));
    }
    Ok(())
}

/// What no name of any kind is.
#[cold]
fn refuse_for_all(text: &str, key: &str) -> Result<(), String> {
    refuse_unseen(text, key)?;
    if text.contains("{{") || text.contains("{%") || text.contains("${") || text.contains("<%") {
        return Err(format!("`{text}` is a place in a template that was not filled in; render the template"));
    }
    if ["*", "ALL", "ANY"].contains(&text) {
        return Err(format!("`{text}` is no name; leave `{key}` out to match any"));
    }
    if text == "NONE" {
        return Err(format!("`{text}` is no name; delete the rule if it shall match no login"));
    }
    if let Some(name) = text.strip_prefix('!').or_else(|| after_except(text)) {
        let name = name.trim();
        return Err(format!(
            "`{text}` is no name; a rule excludes nobody: write a rule for {} before this one",
            list_of([name])
        ));
    }
    let inner = text.trim_matches(['"', '\'', '`']);
    if inner != text && (text.starts_with(['"', '\'', '`']) || text.contains('"')) {
        return Err(format!("`{text}` has quotes within its quotes; write {}", list_of([inner])));
    }
    if text.contains('=') {
        return Err(format!("`{text}` is no name; write the name that `id` shows, not an entry of LDAP"));
    }
    if let Some(letter) = text.chars().find(|letter| [',', ';', '|'].contains(letter)) {
        return Err(several(text, text.split(letter)));
    }
    if text.contains(['*', '?', '[', ']']) || text.starts_with('^') {
        return Err(format!("`{text}` is a pattern; names are compared as a whole, so write each name"));
    }
    Ok(())
}

/// What is not seen: nothing at all, blanks at the ends, and characters without a shape.
fn refuse_unseen(text: &str, key: &str) -> Result<(), String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(format!("`{text}` is no name: it is empty; leave `{key}` out to match any"));
    }
    if let Some(control) = text.chars().find(|letter| letter.is_control()) {
        let held = code_point(control);
        return Err(format!("`{text}` is no name: it holds the control character {held}; delete it"));
    }
    if let Some((_, letter, kind)) = first_mark(text) {
        let held = code_point(letter);
        match kind {
            Mark::Quote if !text.starts_with(letter) && !text.ends_with(letter) => {}
            Mark::Quote => return Err(format!("`{text}` is no name: it holds {held}; write it without")),
            Mark::Blank | Mark::Invisible => {
                return Err(format!("`{text}` is no name: it holds {held}, which is not seen; delete it"));
            }
            Mark::LookAlike(_) => {}
        }
    }
    if trimmed != text {
        return Err(format!("`{text}` has a blank at its end or start; write {}", list_of([trimmed])));
    }
    Ok(())
}

/// What neither passwd(5) nor a directory holds as a name of an account or a group.
#[cold]
fn refuse_account(text: &str) -> Result<(), String> {
    if let Some(number) = text.strip_prefix("%#").or_else(|| text.strip_prefix('#')) {
        return Err(format!(
            "`{text}` is a number; write the name: `getent passwd {number}; getent group {number}`"
        ));
    }
    if text.contains([':', '<', '>']) {
        return Err(format!("`{text}` is no name: no account database holds `:`, `<` or `>` in one"));
    }
    if text.starts_with(['/', '~']) {
        return Err(format!("`{text}` is a path; write the name that `id` shows"));
    }
    if text.starts_with(['+', '-']) {
        return Err(format!(
            "`{text}` is no name; netgroups and signs in front are not known, so write each name"
        ));
    }
    let shell = text.strip_prefix('$').filter(|it| !it.is_empty());
    if shell.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')) {
        return Err(format!("`{text}` is a variable that was not filled in; write the name"));
    }
    Ok(())
}

fn after_except(text: &str) -> Option<&str> {
    text.split_once("EXCEPT ")
        .filter(|(head, _)| head.is_empty() || head.ends_with(' '))
        .map(|(_, name)| name)
}

#[cold]
fn several<'t>(text: &str, names: impl Iterator<Item = &'t str>) -> String {
    let names: Vec<&str> = names.map(str::trim).filter(|name| !name.is_empty()).collect();
    format!("`{text}` is no single name; write one name per entry: {}", list_of(names))
}

fn list_of<'t>(names: impl IntoIterator<Item = &'t str>) -> String {
    let names: Vec<String> =
        names.into_iter().map(|name| format!("\"{}\"", name.replace('\\', "\\\\"))).collect();
    format!("[{}]", names.join(", "))
}

/// The file for services without one of their own (pam(8)). No program starts PAM under this name.
const OTHER: &str = "other";
/// Files that Debian's services include. No program starts PAM under these names.
const INCLUDED: [&str; 5] =
    ["common-auth", "common-account", "common-password", "common-session", "common-session-noninteractive"];
/// Endings of units of systemd, of modules and of files that package managers leave behind.
const UNITS: [&str; 8] = ["service", "socket", "so", "conf", "rpmnew", "rpmsave", "dpkg-new", "dpkg-dist"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_directory_can_hold_is_a_name() {
        for name in [
            "alice",
            "Alice",
            "jörg",
            "Jörg Müller",
            "EXAMPLE\\alice",
            "EXAMPLE\\domain users",
            "EXAMPLE+alice",
            "alice@example.org",
            "svc$",
            "o'brien",
            "12345",
            "a.b-c_d",
            "R&D (west)",
            "o\u{2019}brien",
            "any",
            "none",
            "alice anna",
            "EXAMPLE/alice",
            "_apt",
            "systemd-network",
            "wheel#2",
            "a!b",
            "all",
        ] {
            assert_eq!((user(name), group(name)), (Ok(name.to_owned()), Ok(name.to_owned())), "{name}");
        }
        for name in
            ["sshd", "sudo-i", "gdm-password", "polkit-1", "other-app", "common-lisp", "x.y", "systemd-user"]
        {
            assert_eq!(service(name), Ok(name.to_owned()));
        }
    }

    #[test]
    fn what_no_login_has_as_its_user_is_refused_with_the_cure() {
        check(
            user,
            &[
                ("alice,anna", "one name per entry: [\"alice\", \"anna\"]"),
                ("alice; anna", "one name per entry: [\"alice\", \"anna\"]"),
                ("alice|anna", "one name per entry: [\"alice\", \"anna\"]"),
                ("!bert", "write a rule for [\"bert\"] before this one"),
                ("ALL EXCEPT root", "write a rule for [\"root\"] before this one"),
                ("%wheel", "groups go into `groups`: [\"wheel\"]"),
                ("@wheel", "groups go into `groups`: [\"wheel\"]"),
                ("*", "leave `users` out to match any"),
                ("ALL", "leave `users` out to match any"),
                ("NONE", "delete the rule"),
                ("", "is empty; leave `users` out to match any"),
                (" ", "is empty; leave `users` out to match any"),
                ("alice ", "write [\"alice\"]"),
                (" alice", "write [\"alice\"]"),
                ("\u{a0}alice", "U+00A0 (no-break space)"),
                ("ali\u{200b}ce", "U+200B (zero width space)"),
                ("\u{201c}alice\u{201d}", "U+201C (left double quotation mark)"),
                ("alice\t", "U+0009 (tab)"),
                ("'alice'", "write [\"alice\"]"),
                ("\"alice\"", "write [\"alice\"]"),
                ("adm-*", "is a pattern"),
                ("adm?", "is a pattern"),
                ("adm[1-9]", "is a pattern"),
                ("^adm", "is a pattern"),
                ("#1000", "getent passwd 1000"),
                ("uid=1000", "the name that `id` shows"),
                ("alice:x", "no account database holds"),
                ("<user>", "no account database holds"),
                ("~alice", "is a path"),
                ("/home/alice", "is a path"),
                ("+admins", "netgroups"),
                ("-bert", "signs in front"),
                ("{{ user }}", "template"),
                ("${USER}", "template"),
                ("$USER", "variable"),
            ],
        );
    }

    #[test]
    fn what_is_no_group_or_service_is_refused_with_the_cure() {
        check(
            group,
            &[
                ("!sudo", "write a rule for [\"sudo\"] before this one"),
                ("%wheel", "[\"wheel\"]"),
                ("@wheel", "[\"wheel\"]"),
                ("sudo,wheel", "[\"sudo\", \"wheel\"]"),
                ("cn=admins,ou=groups,dc=example", "not an entry of LDAP"),
                ("cn=admins", "the name that `id` shows"),
                ("%#27", "getent group 27"),
                ("*", "leave `groups` out"),
            ],
        );
        check(
            service,
            &[
                ("/etc/pam.d/sshd", "[\"sshd\"]"),
                ("pam.d/sshd", "[\"sshd\"]"),
                ("sshd.service", "[\"sshd\"]"),
                ("sshd@.service", "[\"sshd\"]"),
                ("pam_unix.so", "[\"pam_unix\"]"),
                ("SSHD", "lower case: [\"sshd\"]"),
                ("sshd sudo", "[\"sshd\", \"sudo\"]"),
                ("sshd,sudo", "[\"sshd\", \"sudo\"]"),
                ("sudo*", "is a pattern"),
                ("*", "leave `services` out"),
                ("ALL", "leave `services` out"),
                ("!sshd", "write a rule for [\"sshd\"]"),
                ("other", "stands for other services"),
                ("common-auth", "stands for other services"),
                ("@sshd", "is no service"),
                ("-sshd", "is no service"),
                ("", "is empty"),
                ("sshd ", "write [\"sshd\"]"),
            ],
        );
    }

    fn check(read: fn(&str) -> Result<String, String>, cases: &[(&str, &str)]) {
        for (text, cure) in cases {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(cure), "{text:?}: {refused}");
        }
    }
}
