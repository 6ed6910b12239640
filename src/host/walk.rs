//! Which ways through a stack there are, by the rules of Linux-PAM (`libpam/pam_dispatch.c`).

use std::collections::BTreeSet;

use super::order::{Item, Place};

/// How a stack can end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ending {
    /// Whether the stage succeeds.
    pub granted: bool,
    /// What our line said.
    pub ours: Ours,
    /// The line that led past ours first, where one did.
    pub passed_by: Option<Passer>,
}

/// A line that led past ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passer {
    /// The line.
    pub place: Place,
    /// Whether it jumped; else it ended the stack.
    pub jumped: bool,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// What our line said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ours {
    /// It was not asked.
    Unasked,
    /// The chain was passed.
    Passed,
    /// The login is exempt.
    Ignored,
    /// It denied.
    Denied,
}

/// All endings of the lines of one stage.
#[must_use]
pub fn endings(items: &[Item]) -> BTreeSet<Ending> {
    let start = State { impression: Impression::None, ours: Ours::Unasked, passed_by: None };
    let ends = walk(items, &start).into_iter();
    ends.map(|state| Ending {
        granted: state.impression == Impression::Good,
        ours: state.ours,
        passed_by: state.passed_by,
    })
    .collect()
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    impression: Impression,
    ours: Ours,
    passed_by: Option<Passer>,
}

/// What libpam holds of the login so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Impression {
    None,
    /// Good, with success.
    Good,
    /// Good, with another code, such as a password that has to be changed.
    Odd,
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Ignore,
    Good,
    Done,
    Bad,
    Die,
    Reset,
    Jump(usize),
}

/// The states in which `items` can be left. A substack ends and jumps among its own lines.
fn walk(items: &[Item], start: &State) -> BTreeSet<State> {
    let mut ends = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(0_usize, start.clone())];
    while let Some((at, state)) = open.pop() {
        if !seen.insert((at, state.clone())) {
            continue;
        }
        let next = at.saturating_add(1);
        match items.get(at) {
            None => {
                ends.insert(state);
            }
            Some(Item::Substack(inner)) => {
                open.extend(walk(inner, &state).into_iter().map(|state| (next, state)));
            }
            Some(Item::Module(place)) => {
                let ways = place.outcomes();
                open.extend(ways.iter().map(|code| step(items, at, place, code, (&state, start))));
            }
        }
    }
    ends
}

/// Where `code` of the line leads: the next line, which is behind the last where the stack ends, and the state there.
fn step(
    items: &[Item],
    at: usize,
    place: &Place,
    code: &str,
    (from, start): (&State, &State),
) -> (usize, State) {
    let mut state = from.clone();
    if place.is_ours() {
        state.ours = match code {
            "success" => Ours::Passed,
            "ignore" => Ours::Ignored,
            _ => Ours::Denied,
        };
    }
    let next = at.saturating_add(1);
    let action = place.action(code);
    let to = impress(&mut state.impression, action, code, start.impression, (next, items.len()));
    let passes = items.get(next..to).is_some_and(|passed| passed.iter().any(Item::holds_ours));
    if passes && state.passed_by.is_none() {
        let jumped = matches!(action, Action::Jump(_));
        state.passed_by = Some(Passer { place: place.clone(), jumped, succeeded: code == "success" });
    }
    (to, state)
}

/// What `code` makes of the impression, and where it leads: `next` is the line after this one, and `end` is behind the
/// last.
fn impress(
    impression: &mut Impression,
    action: Action,
    code: &str,
    at_start: Impression,
    (next, end): (usize, usize),
) -> usize {
    match action {
        Action::Ignore => next,
        Action::Good | Action::Done => {
            if matches!(impression, Impression::None | Impression::Good) {
                *impression = if code == "success" { Impression::Good } else { Impression::Odd };
            }
            let ends = action == Action::Done && matches!(impression, Impression::Good | Impression::Odd);
            if ends { end } else { next }
        }
        Action::Bad | Action::Die => {
            *impression = Impression::Bad;
            if action == Action::Die { end } else { next }
        }
        Action::Reset => {
            *impression = at_start;
            next
        }
        Action::Jump(lines) => {
            let to = next.saturating_add(lines);
            if to > end {
                *impression = Impression::Bad;
            }
            to.min(end)
        }
    }
}

impl Place {
    /// The codes that the module can return. Root's own way in is not one that is looked at.
    fn outcomes(&self) -> Vec<&str> {
        let mut codes = match self.module.as_str() {
            "pam_permit.so" => return vec!["success"],
            "pam_deny.so" | "pam_rootok.so" => return vec!["auth_err"],
            "pam_debug.so" => return vec![self.debugged()],
            "pam_env.so" | "pam_faildelay.so" | "pam_loginuid.so" | "pam_motd.so" => {
                return vec!["success", "ignore"];
            }
            _ => vec!["success", "ignore", "auth_err", "user_unknown"],
        };
        codes.extend(self.pairs().map(|(code, _)| code).filter(|code| *code != "default"));
        codes
    }

    /// `pam_debug.so auth=CODE`, by which a test says what a line returns.
    fn debugged(&self) -> &str {
        let said = self.arguments.iter().find_map(|argument| argument.strip_prefix("auth="));
        said.unwrap_or("success")
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.control.split_whitespace().filter_map(|pair| pair.split_once('='))
    }

    fn action(&self, code: &str) -> Action {
        let passes = matches!(code, "success" | "new_authtok_reqd");
        match self.control.as_str() {
            "required" | "requisite" | "optional" if passes => Action::Good,
            "required" | "requisite" if code == "ignore" => Action::Ignore,
            "required" => Action::Bad,
            "requisite" => Action::Die,
            "sufficient" if passes => Action::Done,
            "optional" | "sufficient" => Action::Ignore,
            _ => {
                let named = self.pairs().filter(|(value, _)| *value == code).last();
                let named = named.or_else(|| self.pairs().filter(|(value, _)| *value == "default").last());
                // A code that no pair is about counts as bad.
                named.map_or(Action::Bad, |(_, action)| in_brackets(action))
            }
        }
    }
}

fn in_brackets(action: &str) -> Action {
    match action {
        "ignore" => Action::Ignore,
        "ok" => Action::Good,
        "done" => Action::Done,
        "die" => Action::Die,
        "reset" => Action::Reset,
        number => number.parse().ok().filter(|lines| *lines > 0).map_or(Action::Bad, Action::Jump),
    }
}
