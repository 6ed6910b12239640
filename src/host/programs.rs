//! What is known of programs by the names of their PAM services.

/// Services of one program.
pub struct Family {
    /// Their names.
    pub services: &'static [&'static str],
    /// When it takes another one than the first.
    pub reason: &'static str,
}

/// Programs with more than one service. A rule that names only one leaves a second door to the same place.
pub const FAMILIES: &[Family] = &[
    // sudo(8), `pam_login_service` in sudoers(5).
    family(&["sudo", "sudo-i"], "`sudo -i` starts PAM as `sudo-i`"),
    // util-linux: su(1) and runuser(1).
    family(&["su", "su-l"], "`su -` starts PAM as `su-l`"),
    family(&["runuser", "runuser-l"], "`runuser -` starts PAM as `runuser-l`"),
    // util-linux: login(1) with -h, as telnetd calls it.
    family(&["login", "remote"], "login(1) starts PAM as `remote` for logins over the network"),
    family(
        &["gdm-password", "gdm-fingerprint", "gdm-smartcard", "gdm-pin", "gdm-autologin"],
        "GDM has a service for each way to log in, and offers them side by side",
    ),
    family(&["lightdm", "lightdm-autologin"], "LightDM has a service for each way to log in"),
    family(&["sddm", "sddm-autologin"], "SDDM has a service for each way to log in"),
    family(&["kde", "kde-fingerprint", "kde-smartcard"], "Plasma's locker tries its services side by side"),
    family(&["cockpit", "cockpit-session"], "Cockpit has a service for each way to log in"),
    family(
        &["imap", "imaps", "pop", "pop3", "pop3s"],
        "a mail server starts PAM by the name of the protocol",
    ),
    family(&["smtp", "smtpd", "submission"], "a mail server starts PAM by the name of the protocol"),
];

/// Lockers of the screen that run PAM as their user, not as root or through a helper of root: they can't read the
/// store. The names are those of their service files.
pub const LOCKERS: &[&str] = &[
    "away",
    "budgie-screensaver",
    "cinnamon-screensaver",
    "gnome-flashback",
    "gnome-screensaver",
    "gtklock",
    "hyprlock",
    "i3lock",
    "kde",
    "kde-fingerprint",
    "kde-smartcard",
    "mate-screensaver",
    "phosh",
    "slock",
    "swaylock",
    "ukui-screensaver-qt",
    "vlock",
    "waylock",
    "xfce4-screensaver",
    "xlock",
    "xscreensaver",
    "xsecurelock",
];

/// Whether logins of this service have no remote host: the caller is on this machine already.
#[must_use]
pub fn has_no_source(service: &str) -> bool {
    WITHOUT_SOURCE.contains(&service)
}

/// Whether no program starts PAM under this name on the usual systems, though it has a file.
#[must_use]
pub fn is_included(service: &str) -> bool {
    INCLUDED.contains(&service)
}

const fn family(services: &'static [&'static str], reason: &'static str) -> Family {
    Family { services, reason }
}

/// `sudo` gives its own host's name where `pam_rhost` is set, which is no address either. Greeters are not here: over
/// XDMCP they give one.
const WITHOUT_SOURCE: &[&str] = &[
    "sudo",
    "sudo-i",
    "su",
    "su-l",
    "runuser",
    "runuser-l",
    "doas",
    "login",
    "polkit-1",
    "cron",
    "crond",
    "atd",
    "at",
    "passwd",
    "chsh",
    "chfn",
    "chpasswd",
    "newusers",
    "systemd-user",
    "i3lock",
    "swaylock",
    "ukui-screensaver-qt",
    "hyprlock",
    "xscreensaver",
    "vlock",
    "kde",
    "kde-fingerprint",
    "kde-smartcard",
    "gnome-screensaver",
    "mate-screensaver",
    "cinnamon-screensaver",
    "gnome-screensaver",
    "xfce4-screensaver",
];

/// Files of Fedora, SUSE and Arch that services include.
const INCLUDED: &[&str] = &[
    "system-auth",
    "password-auth",
    "system-login",
    "system-local-login",
    "system-remote-login",
    "system-services",
    "postlogin",
    "fingerprint-auth",
    "smartcard-auth",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_in_one_family() {
        let all: Vec<&str> = FAMILIES.iter().flat_map(|family| family.services.iter().copied()).collect();
        for (place, service) in all.iter().enumerate() {
            assert!(!all.iter().take(place).any(|other| other == service), "{service} twice");
        }
        assert!(FAMILIES.iter().all(|family| family.services.len() > 1));
    }

    #[test]
    fn what_comes_over_the_network_has_a_source() {
        for service in ["sshd", "remote", "vsftpd", "cockpit", "gdm-password"] {
            assert!(!has_no_source(service), "{service}");
        }
        assert!(has_no_source("sudo") && !is_included("sudo") && is_included("system-auth"));
    }
}
