//! The log of administration: who changed what, for whom. Never a secret.

use super::Context;
use crate::store::DEFAULT_STORE;
use crate::verifier::event::{Event, Severity};

/// Writes a line to the system's log. A log that nobody reads stops no command.
///
/// `action` is the command; `details` are what it was done to.
pub fn record(context: &Context, action: &str, user: &str, details: &[(&str, &str)]) {
    let event = Event::new(Severity::Notice, "admin").with("action", action).with("user", user);
    write(context, event, details, None);
}

/// The same of a change that concerns no single user; `weaker` is what became weaker by it.
pub fn record_change(context: &Context, action: &str, details: &[(&str, &str)], weaker: Option<&str>) {
    write(context, Event::new(Severity::Notice, "admin").with("action", action), details, weaker);
}

fn write(context: &Context, event: Event, details: &[(&str, &str)], weaker: Option<&str>) {
    let event = details.iter().fold(event, |event, (key, value)| event.with(key, value));
    let event = event.with("by", &caller(context));
    let event = event
        .with_some("login_uid", login_uid().map(|uid| uid.to_string()).as_deref())
        .with_some("sudo_user", std::env::var("SUDO_USER").ok().as_deref())
        .with_some("tty", terminal().as_deref());
    let store = context.store.display().to_string();
    let store = (store != DEFAULT_STORE).then_some(store.as_str());
    let event = event.with_some("store", store);
    context.audit.record(&match weaker {
        Some(weaker) => event.saying(&format!("weaker: {weaker}")),
        None => event,
    });
}

fn caller(context: &Context) -> String {
    let caller = nix::unistd::getuid();
    let name = context.accounts.account_of(caller.as_raw()).ok().flatten().map(|account| account.name);
    name.unwrap_or_else(|| caller.to_string())
}

/// The account of the person at the keyboard: who logged in at first, else who called sudo, else who runs the command.
#[must_use]
pub fn at_keyboard(context: &Context) -> String {
    let logged_in = login_uid().and_then(|uid| context.accounts.account_of(uid).ok().flatten());
    let logged_in = logged_in.map(|account| account.name);
    logged_in.or_else(|| std::env::var("SUDO_USER").ok()).unwrap_or_else(|| caller(context))
}

/// Whether it is known who logged in, or who called sudo.
#[must_use]
pub fn knows_keyboard() -> bool {
    login_uid().is_some() || std::env::var_os("SUDO_USER").is_some()
}

/// The same in words for another administrator: `alice on pts/3`.
#[must_use]
pub fn in_words(context: &Context) -> String {
    let who = at_keyboard(context);
    terminal().map_or_else(|| who.clone(), |terminal| format!("{who} on {terminal}"))
}

/// Who logged in at first, whatever su and sudo changed since (`pam_loginuid`).
fn login_uid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    let uid: u32 = text.trim().parse().ok()?;
    // The kernel's word for "nobody logged in", as in a cron job.
    (uid != u32::MAX).then_some(uid)
}

fn terminal() -> Option<String> {
    let place = std::fs::read_link("/proc/self/fd/0").ok()?;
    place
        .to_str()?
        .strip_prefix("/dev/")
        .filter(|name| name.starts_with("pts/") || name.starts_with("tty"))
        .map(str::to_owned)
}
