//! What the ways through a stack mean for logins, where it is not what the line of this module is for.

use super::finding::Finding;
use super::order::{Item, Place, modules};
use super::stacks::Stacks;
use super::walk::{Ours, endings};

/// Errors and warnings of the stack of `service`. `exempts`: logins may be exempt.
#[must_use]
pub fn findings(stacks: &Stacks, service: &str, exempts: bool) -> Vec<Finding> {
    let (auth, account) = (stacks.items(service, "auth"), stacks.items(service, "account"));
    let mut findings = Vec::from_iter(on_auth(service, &auth, exempts));
    findings.extend(on_account(service, &account));
    findings
}

fn on_auth(service: &str, items: &[Item], exempts: bool) -> Option<Finding> {
    let ours = modules(items).into_iter().find(|place| place.is_ours())?;
    let endings = endings(items);
    if endings.iter().all(|ending| ending.ours == Ours::Unasked) {
        let what = format!("{service}: no way through the stack comes to the line of pam_mfa_chain.so");
        let cure = "put the line before those that end the stack";
        return Some(Finding::error("stack-never-reached", what, cure).at(ours));
    }
    let grants = |wanted: Ours| endings.iter().any(|ending| ending.granted && ending.ours == wanted);
    if !grants(Ours::Passed) {
        let what = format!("{service}: the stack denies every login, though each code is right");
        let cure = "take out the line that denies, or write the lines as docs/logins.md has them";
        return Some(Finding::error("stack-denies-all", what, cure).at(ours));
    }
    let by_key = ours.arguments.iter().any(|word| word == "exempt=publickey");
    (exempts && !by_key && !grants(Ours::Ignored)).then(|| {
        let what = format!("{service}: exempt logins are denied, for no other line of the stack says yes");
        let cure = "put the lines of the password before it, such as `@include common-auth`";
        Finding::warning("stack-exempt-denied", what, cure).at(ours)
    })
}

/// Lines that lead past the account line, which refuses who came around the codes.
fn on_account(service: &str, items: &[Item]) -> Vec<Finding> {
    if !items.iter().any(Item::holds_ours) {
        return Vec::new();
    }
    let past = endings(items).into_iter().filter(|ending| ending.granted && ending.ours == Ours::Unasked);
    let mut places: Vec<Place> =
        past.filter_map(|ending| ending.passed_by).map(|passer| passer.place).collect();
    places.dedup();
    let finding = |place: &Place| {
        let what = format!(
            "{service}: the account line of pam_mfa_chain.so is passed over where {place} ends the stack or jumps \
             ({} {})",
            place.control, place.module
        );
        let cure = "put the account line of pam_mfa_chain.so before it";
        Finding::warning("stack-account-passed", what, cure).at(place)
    };
    places.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(stack: &str, exempts: bool) -> Vec<&'static str> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("sudo"), stack).expect("a service");
        let found = findings(&Stacks::below(&[folder.path()]), "sudo", exempts);
        found.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn stacks_whose_lines_lead_to_ours_are_not_told() {
        for stack in [
            "auth required pam_mfa_chain.so\naccount required pam_mfa_chain.so\n",
            "auth requisite pam_unix.so\nauth required pam_mfa_chain.so\n",
            "auth required pam_deny.so\n",
        ] {
            assert_eq!(ids(stack, false), [""; 0], "{stack}");
        }
        assert_eq!(ids("auth requisite pam_unix.so\nauth required pam_mfa_chain.so\n", true), [""; 0]);
        assert_eq!(ids("auth required pam_mfa_chain.so exempt=publickey\n", true), [""; 0]);
    }

    #[test]
    fn stacks_that_lock_out_or_let_past_are_told() {
        let ours = "auth required pam_mfa_chain.so\n";
        for (before, after, exempts, id) in [
            ("auth requisite pam_deny.so\n", "", false, "stack-never-reached"),
            ("auth [default=1] pam_permit.so\n", "auth required pam_unix.so\n", false, "stack-never-reached"),
            ("auth required pam_deny.so\n", "", false, "stack-denies-all"),
            ("", "auth [success=1 default=ignore] pam_unix.so\n", false, ""),
            ("auth [success=9 default=bad] pam_unix.so\n", "", false, "stack-denies-all"),
            ("", "", true, "stack-exempt-denied"),
            (
                "",
                "account sufficient pam_localuser.so\naccount required pam_mfa_chain.so\n",
                false,
                "stack-account-passed",
            ),
        ] {
            let expected: Vec<&str> = [id].into_iter().filter(|id| !id.is_empty()).collect();
            assert_eq!(ids(&format!("{before}{ours}{after}"), exempts), expected, "{before}/{after}");
        }
    }
}
