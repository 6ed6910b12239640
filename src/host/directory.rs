//! Whether this host asks a directory about its accounts and groups (nsswitch.conf(5)).

/// The services that `database` of an `nsswitch.conf` asks beside the files of this host.
#[must_use]
pub fn asked_by(text: &str, database: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let named = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == database);
    let services = named.map_or("", |(_, services)| services).split_whitespace();
    let foreign = services.filter(|service| !service.starts_with('[') && !service.ends_with(']'));
    foreign.filter(|service| !LOCAL.contains(service)).map(str::to_owned).collect()
}

/// What answers from this host and no directory.
const LOCAL: [&str; 7] = ["files", "compat", "db", "systemd", "altfiles", "extrausers", "mymachines"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_what_is_asked_beside_the_files() {
        let text =
            "# sss\npasswd: files systemd sss # why\ngroup:\tfiles [SUCCESS=merge] winbind\nshadow: files\n";
        assert_eq!(asked_by(text, "passwd"), ["sss"]);
        assert_eq!(asked_by(text, "group"), ["winbind"]);
        assert_eq!(asked_by(text, "shadow"), [""; 0]);
        assert_eq!(asked_by(text, "hosts"), [""; 0]);
    }
}
