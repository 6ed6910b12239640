//! F19: rules that deny, with entries that no login can match: who would be denied must not be let in by what follows.

use crate::fault_run::{self, UNSAFE_GRANT};
use crate::pam_sandbox::TWO_COUNTERS;
use crate::plan::Context;
use crate::tally::Tally;

/// A key of a rule, and an entry that was meant for alice, who comes through the service `stack` from 192.0.2.7.
const ENTRIES: [(&str, &str); 15] = [
    ("users", "alice,anna"),
    ("users", "anna alice;bert"),
    ("users", "!bert"),
    ("users", "%staff"),
    ("users", "@staff"),
    ("users", "*"),
    ("users", "ALL"),
    ("users", "alice "),
    ("groups", "@staff"),
    ("groups", "*"),
    ("services", "/etc/pam.d/stack"),
    ("services", "st*"),
    ("services", "stack,sshd"),
    ("from", "host.example.org"),
    ("from", "192.0.2.*"),
];

pub fn entries(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT]);
    for (key, entry) in ENTRIES {
        let sandbox = fault_run::sandbox(context);
        sandbox.write_policy(&format!(
            "{TWO_COUNTERS}[[rules]]\n{key} = [\"{entry}\"]\naction = \"deny\"\n[[rules]]\naction = \"exempt\"\n"
        ));
        sandbox.write_service(
            "stack",
            &context.module,
            "auth required MODULE\nauth required pam_permit.so\n",
        );
        let play = sandbox.play_written("stack").user("alice").option("--rhost", "192.0.2.7");
        let code = play.answers(&["text:000000"]).run_here().code();
        tally.blame_if(code == 0, UNSAFE_GRANT, &format!("{key} = [\"{entry}\"]"));
        tally.count += 1;
    }
    tally
}
