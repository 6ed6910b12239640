//! Six logins with computed codes, each with the verdict that it must have.

use std::path::Path;

use zeroize::Zeroizing;

use super::super::colour::{self, Colour};
use super::super::failure::{Exit, Failure};
use super::super::module_path;
use super::super::output::print;
use super::devices;
use super::hands::{Hands, Seen};
use super::scenes::{POLICY, RANDOM, SCENES, Scene};
use super::scratch::{Scratch, USER};
use crate::rehearsal::{Libpam, Login};
use crate::store::SystemClock;
use crate::verifier::policy::{Factor, FactorKind, Policy};
use crate::verifier::ports::Clock;

/// Plays all scenes in a new scratch folder.
///
/// # Errors
///
/// [`Failure`] when the folder can't be made or libpam can't be asked.
pub fn run(module: &Path, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let scratch = Scratch::create(POLICY)?;
    let policy = scratch.policy()?;
    let now = SystemClock.now();
    let made = policy.factors().iter().map(|factor| devices::make(factor, now));
    scratch.enroll(made.collect::<Result<_, Failure>>()?)?;
    print(&opening(module, &scratch, &policy))?;
    let unexpected = Stage { scratch: &scratch, policy: &policy, module, libpam }.play_all()?;
    let failures = scratch.enrollment()?.1.failures.total();
    let path = scratch.path().display().to_string();
    drop(scratch);
    print(&closing(unexpected, failures, &path))?;
    Ok(if unexpected == 0 { Exit::Done } else { Exit::Denied })
}

/// Where logins are played.
struct Stage<'a> {
    scratch: &'a Scratch,
    policy: &'a Policy,
    module: &'a Path,
    libpam: &'a dyn Libpam,
}

impl Stage<'_> {
    /// Plays every scene and counts the verdicts that were not the expected ones.
    fn play_all(&self) -> Result<usize, Failure> {
        let (mut unexpected, mut first, mut draws) = (0_usize, Vec::new(), Vec::new());
        for (number, scene) in (1_usize..).zip(&SCENES) {
            let Scene { title, service, .. } = scene;
            print(&format!("\nLogin {number} of {} (service {service}): {title}\n", SCENES.len()))?;
            let (seen, as_expected) = self.play(scene, &first)?;
            unexpected = unexpected.saturating_add(usize::from(!as_expected));
            if scene.service == RANDOM {
                draws.push(seen.asked.join(", then "));
                print(&draw(&draws))?;
            }
            if number == 1 {
                first = seen.typed;
            }
        }
        Ok(unexpected)
    }

    fn play(&self, scene: &Scene, first: &[Zeroizing<String>]) -> Result<(Seen, bool), Failure> {
        let mut hands = Hands::new(self.scratch, self.policy, scene.typing, first);
        let services = self.scratch.service(scene.service, self.module)?;
        let login = Login { services: &services, user: USER, rhost: None, tty: None };
        let outcome = self.libpam.authenticate(&login, &mut hands);
        let outcome = outcome.map_err(|error| Failure::files(error.to_string()))?;
        module_path::check_loaded(self.module, &outcome)?;
        let seen = hands.finish()?;
        let counted = self.scratch.enrollment()?.1.failures.total();
        let as_expected = scene.expected.is_met(&outcome, seen.asked.len()) && counted == scene.failures;
        let word = if outcome.is_success() { "granted" } else { "denied" };
        let told = format!("  => {word}: libpam says \"{}\" (code {})\n", outcome.text, outcome.code);
        let colour = if outcome.is_success() { Colour::Green } else { Colour::Red };
        colour::print(&told, |_| Some(colour))?;
        print(&if as_expected { format!("     {}\n", scene.why) } else { alarm(scene, counted) })?;
        Ok((seen, as_expected))
    }
}

fn opening(module: &Path, scratch: &Scratch, policy: &Policy) -> String {
    let devices: Vec<String> = policy.factors().iter().map(device).collect();
    format!(
        "mfa-chain demo: six logins through the real PAM module.\n\
         It runs in a folder of its own. No file of this system is touched; like every login, these leave lines in \
         the log.\n\n\
         Module:  {}\n\
         Folder:  {}\n\n\
         The user `{USER}` has enrolled three authenticators:\n{}\n\
         The policy knows two chains, one per service:\n\n{}",
        module.display(),
        scratch.path().display(),
        devices.concat(),
        indented(POLICY),
    )
}

fn device(factor: &Factor) -> String {
    let (digits, algorithm) = (factor.enrollment.digits.count(), factor.enrollment.algorithm);
    let moves = match factor.kind {
        FactorKind::Totp { .. } => {
            format!("{digits} digits, new every {} seconds", factor.enrollment.period.seconds())
        }
        FactorKind::Hotp { .. } => format!("{digits} digits, new at each press of its button"),
    };
    let (id, label, kind) = (factor.id.as_str(), factor.label.as_str(), factor.kind.name());
    format!("  {id:<8}{label:<16}{moves} ({kind}, {algorithm})\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}

/// The draws so far, the last one first told.
fn draw(draws: &[String]) -> String {
    match draws {
        [.., earlier, last] if earlier == last => {
            format!("     The draw this time: {last}. The same as before, by chance: one time in six.\n")
        }
        [.., last] => format!("     The draw this time: {last}.\n"),
        [] => String::new(),
    }
}

fn alarm(scene: &Scene, counted: u32) -> String {
    let (line, expected, failures) = ("!".repeat(72), scene.expected, scene.failures);
    format!(
        "{line}\n!! NOT AS EXPECTED: this login should have been {expected} with {failures} failures counted.\n\
         !! {counted} are counted.\n{line}\n"
    )
}

fn closing(unexpected: usize, failures: u32, path: &str) -> String {
    let all = SCENES.len();
    let verdicts = match (unexpected, failures) {
        (0, 3) => {
            "Failures that stand: 3, of logins 2 to 4. A success gives back those of its own place; each day \
                   takes one away.\n\
                   All six verdicts are the expected ones."
                .to_owned()
        }
        _ => format!(
            "Failures that stand: {failures}.\n{unexpected} OF {all} VERDICTS ARE NOT THE EXPECTED ONES; the log of this \
             system says why.\nDo not use this build for logins."
        ),
    };
    format!("\n{verdicts}\nRemoved {path}; nothing is left behind.\n")
}
