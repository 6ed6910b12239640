//! What sshd is set to, as it tells itself.

use std::process::Command;

/// The settings that decide whether sshd asks PAM for codes, of a connection that no `Match` block is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // one for each switch of sshd_config
pub struct Settings {
    /// `UsePAM`
    pub pam: bool,
    /// `KbdInteractiveAuthentication`: the method by which sshd asks the questions of PAM.
    pub keyboard_interactive: bool,
    /// `PasswordAuthentication`
    pub password: bool,
    /// `UseDNS`: sshd gives PAM host names where it finds them, not addresses.
    pub dns: bool,
    /// `AuthenticationMethods`: lists of methods, each of which is enough; `None` for "any".
    pub methods: Option<Vec<String>>,
}

impl Settings {
    /// Asks `sshd -T`, which only root may run. `None` where there is no sshd.
    ///
    /// # Errors
    ///
    /// Why sshd did not tell, in its own words.
    #[must_use]
    pub fn in_force() -> Option<Result<Self, String>> {
        Self::text(&[]).map(|told| told.map(|text| Self::parse(&text)))
    }

    /// What `sshd -T` prints for a login of `user` from this host: with what `Match` blocks make of it.
    ///
    /// # Errors
    ///
    /// As [`Self::in_force`].
    #[must_use]
    pub fn text_for(user: &str) -> Option<Result<String, String>> {
        // A comma would begin another word of the specification.
        let is_plain = !user.contains([',', '=']) && !user.contains(char::is_whitespace);
        let login = format!("user={},host=localhost,addr=127.0.0.1", if is_plain { user } else { "" });
        Self::text(&["-C", &login])
    }

    fn text(arguments: &[&str]) -> Option<Result<String, String>> {
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
            .into_iter()
            .find(|path| std::fs::metadata(path).is_ok())?;
        let output = Command::new(program).arg("-T").args(arguments).env_clear().output();
        Some(match output {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(said.lines().next().unwrap_or("it ended with an error").to_owned())
            }
            Err(error) => Err(error.to_string()),
        })
    }

    /// Reads what `sshd -T` prints: a setting a line, names in small letters.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let value = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let is_on = |name: &str| value(name).is_some_and(|(_, value)| value.trim() == "yes");
        let methods = value("authenticationmethods").map_or("any", |(_, value)| value.trim());
        Self {
            pam: is_on("usepam"),
            keyboard_interactive: is_on("kbdinteractiveauthentication"),
            password: is_on("passwordauthentication"),
            dns: is_on("usedns"),
            methods: (methods != "any").then(|| methods.split(' ').map(str::to_owned).collect()),
        }
    }

    /// Whether each way in asks the questions of PAM.
    #[must_use]
    pub fn always_asks(&self) -> bool {
        let asks = |list: &String| {
            list.split(',').any(|method| method.split(':').next() == Some("keyboard-interactive"))
        };
        self.methods.as_ref().is_some_and(|lists| lists.iter().all(asks))
    }

    /// Whether the method `password` is open, which gives one password to every hidden prompt.
    #[must_use]
    pub fn takes_passwords(&self) -> bool {
        let named = |list: &String| list.split(',').any(|method| method == "password");
        self.password && self.methods.as_ref().is_none_or(|lists| lists.iter().any(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(methods: &str) -> Settings {
        Settings::parse(&format!(
            "port 22\nusepam yes\nkbdinteractiveauthentication yes\npasswordauthentication yes\n\
             authenticationmethods {methods}\n"
        ))
    }

    #[test]
    fn what_sshd_prints_is_read() {
        let settings = told("any");
        assert_eq!(
            settings,
            Settings { pam: true, keyboard_interactive: true, password: true, dns: false, methods: None }
        );
        let off = Settings::parse("usepam no\nkbdinteractiveauthentication no\npasswordauthentication no\n");
        assert!(!off.pam && !off.keyboard_interactive && !off.takes_passwords());
    }

    #[test]
    fn codes_are_certain_only_where_each_list_of_methods_asks() {
        for (methods, always, passwords) in [
            ("any", false, true),
            ("publickey,keyboard-interactive", true, false),
            ("publickey,keyboard-interactive:pam", true, false),
            ("keyboard-interactive publickey", false, false),
            ("publickey,password password,keyboard-interactive", false, true),
        ] {
            let settings = told(methods);
            assert_eq!(
                (settings.always_asks(), settings.takes_passwords()),
                (always, passwords),
                "{methods}"
            );
        }
    }
}
