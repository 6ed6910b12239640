//! The walk through a stack ends as libpam itself ends it: stacks of lines whose codes are known are run by both.
#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // what goes wrong ends the test

mod pam_sandbox;
mod tracked;

use std::fmt::Write as _;
use std::fs;

use mfa_chain::host::stacks::Stacks;
use mfa_chain::host::walk;
use pam_sandbox::PamSandbox;
use pam_sandbox::pam_run::GRANTED;

const CONTROLS: [&str; 14] = [
    "required",
    "requisite",
    "Sufficient",
    "optional",
    "[success=ok default=ignore]",
    "[success=done default=die]",
    "[success=1 default=ignore]",
    "[success=2 default=bad]",
    "[default=1]",
    "[success=ignore auth_err=ok]",
    "[success=reset ignore=bad default=reset]",
    "[ignore=ok user_unknown=3 default=done]",
    "[new_authtok_reqd=done success=ok default=1]",
    "[success=bad default=2]",
];
const MODULES: [&str; 6] = [
    "pam_permit.so",
    "pam_deny.so",
    "pam_debug.so auth=user_unknown",
    "pam_debug.so auth=ignore",
    "pam_debug.so auth=new_authtok_reqd",
    "pam_debug.so auth=success",
];

/// The same numbers in every run (Knuth's linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits").checked_rem(end).expect("not 0")
    }

    fn stack(&mut self, inner: Option<&str>) -> String {
        let mut lines = String::new();
        for _ in 0..self.below(4).saturating_add(2) {
            if let Some(inner) = inner.filter(|_| self.below(3) == 0) {
                let how = ["substack", "include"][self.below(2)];
                writeln!(lines, "auth {how} {inner}").expect("a line");
                continue;
            }
            let (control, module) =
                (CONTROLS[self.below(CONTROLS.len())], MODULES[self.below(MODULES.len())]);
            writeln!(lines, "auth {control} {module}").expect("a line");
        }
        lines
    }
}

/// Stacks that tell rules apart which random ones rarely do; `INNER` is the other file.
const CHOSEN: [(&str, &str); 6] = [
    ("auth required pam_debug.so auth=new_authtok_reqd\nauth required pam_permit.so\n", ""),
    (
        "auth substack INNER\nauth optional pam_permit.so\n",
        "auth requisite pam_deny.so\nauth required pam_permit.so\n",
    ),
    ("auth substack INNER\nauth required pam_deny.so\n", "auth sufficient pam_permit.so\n"),
    ("auth include INNER\nauth required pam_deny.so\n", "auth sufficient pam_permit.so\n"),
    (
        "auth [success=1 default=bad] pam_permit.so\nauth substack INNER\nauth required pam_permit.so\n",
        "auth required pam_deny.so\n",
    ),
    (
        "auth required pam_permit.so\nauth [success=2 default=ignore] pam_permit.so\nauth required pam_permit.so\n",
        "",
    ),
];

#[test]
fn chosen_stacks_end_as_libpam_ends_them() {
    let sandbox = PamSandbox::new();
    let file = sandbox.services().join("inner");
    for (outer, inner) in CHOSEN {
        compare(&sandbox, &outer.replace("INNER", file.to_str().expect("a path")), inner);
    }
}

#[test]
fn random_stacks_end_as_libpam_ends_them() {
    let sandbox = PamSandbox::new();
    let file = sandbox.services().join("inner");
    let mut numbers = Numbers(1);
    let (mut granted, rounds) = (0, 120);
    for _ in 0..rounds {
        // By its path: libpam looks for a name below /etc/pam.d, wherever the service is.
        let (inner, outer) = (numbers.stack(None), numbers.stack(file.to_str()));
        granted += i32::from(compare(&sandbox, &outer, &inner));
    }
    assert!((rounds / 10..rounds / 10 * 9).contains(&granted), "{granted} of {rounds} prove little");
}

/// Whether libpam grants; the walk has to say the same.
fn compare(sandbox: &PamSandbox, outer: &str, inner: &str) -> bool {
    fs::write(sandbox.services().join("inner"), inner).expect("a file");
    fs::write(sandbox.services().join("walk"), outer).expect("a service");
    let items = Stacks::below(&[sandbox.services()]).items("walk", "auth");
    let told: Vec<bool> = walk::endings(&items).into_iter().map(|ending| ending.granted).collect();
    let played = sandbox.play_written("walk").run();
    let ended = played.code() == GRANTED;
    assert_eq!(told, [ended], "{outer}\n# inner\n{inner}\n{:?}", played.log);
    ended
}
