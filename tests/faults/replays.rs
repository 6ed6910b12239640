//! F20: one code once more. Only the last accepted one from where it was accepted costs nothing, and none opens.

use crate::fault_run::UNSAFE_GRANT;
use crate::pam_sandbox::PamSandbox;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::Tally;

const UNCHARGED: &str = "replays that should cost a failure and did not";
const CHARGED: &str = "connections of one client that cost a failure";
const ONE: &str = "required_steps = 1\n[[factors]]\nid = \"token\"\ntype = \"hotp\"\n[throttle]\nfree_failures = 20\nfail_delay_seconds = 0\n";
const HOME: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.9";

pub fn replays(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT, UNCHARGED, CHARGED]);
    for first in 0..context.scaled(20) {
        let sandbox = PamSandbox::with_policy(ONE);
        let token = Token::counter("token").starting_at(first);
        sandbox.enroll("alice", &[token], None);
        sandbox.write_service("stack", &context.module, "auth required MODULE\n");
        let login = |address: &str, at: u64| {
            let play = sandbox.play_written("stack").user("alice").option("--rhost", address);
            play.codes(&[Token::counter("token").code(at)]).run_here().code()
        };
        for at in [first, first + 1] {
            tally.blame_if(login(HOME, at) != 0, UNSAFE_GRANT, "a right code is refused");
        }
        for (address, at, cost) in [(HOME, first + 1, 0), (ELSEWHERE, first + 1, 1), (HOME, first, 1)] {
            let before = sandbox.failures("alice");
            let code = login(address, at);
            tally.blame_if(code == 0, UNSAFE_GRANT, &format!("counter {at} from {address}"));
            let charged = sandbox.failures("alice") - before;
            let kind = if cost == 0 { CHARGED } else { UNCHARGED };
            tally.blame_if(charged != cost, kind, &format!("counter {at} from {address}: {charged}"));
            tally.count += 1;
        }
    }
    tally
}
