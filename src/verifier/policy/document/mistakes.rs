//! All mistakes of a policy, not only the first, so that one look at them is enough.
//!
//! A statement with a mistake is exchanged for one without, and the rest is read again. Only the list comes of it: a
//! text with a mistake is never a policy.

use toml::de::DeTable;

use super::position::{DROPPED, Problem, Source};
use super::reading::read_source;
use super::reword;
use super::statements::{Kind, Statement, heading, split, text_length};
use crate::verifier::policy::PolicyError;

/// All mistakes of `source` as the administrator sees them; reading ended at `first`.
#[cold]
pub(super) fn all_mistakes(source: &Source<'_>, first: Problem) -> PolicyError {
    let mut errors = all(source, first).into_iter().map(|problem| source.error(&problem));
    let first = errors.next().unwrap_or_else(|| source.error(&Problem::at_start("no policy")));
    PolicyError { further: errors.collect(), ..first }
}

/// The mistakes of `source` in the order of their places; `first` is the one that reading ended at.
fn all(source: &Source<'_>, first: Problem) -> Vec<Problem> {
    if first.ends_reading() {
        return vec![first];
    }
    let mut draft = Draft::of(source.text());
    if DeTable::parse(source.text()).is_err() {
        draft.read_each_alone();
    }
    while draft.problems.len() < MOST && !draft.problems.last().is_some_and(Problem::ends_reading) {
        let (text, origin) = draft.text();
        let Err(problem) = read_source(&source.edited(&text, &origin)) else { break };
        if !draft.take(problem, &origin) {
            break;
        }
    }
    if draft.problems.is_empty() {
        draft.problems.push(first);
    }
    draft.problems.sort_by_key(Problem::place);
    draft.problems
}

/// The text as far as it is without mistakes.
struct Draft<'t> {
    text: &'t str,
    statements: Vec<Statement>,
    /// What stands in for each statement.
    edits: Vec<Option<String>>,
    /// The statements that only lost entries of a list: the rest stands where it stood.
    shortened: Vec<usize>,
    /// Before and behind the text.
    head: &'static str,
    tail: &'static str,
    /// The keys and tables whose values are no longer those of the text.
    touched: Vec<String>,
    problems: Vec<Problem>,
}

impl<'t> Draft<'t> {
    fn of(text: &'t str) -> Self {
        let statements = split(text);
        let edits = statements.iter().map(|_| None).collect();
        Self {
            text,
            statements,
            edits,
            shortened: Vec::new(),
            head: "",
            tail: "",
            touched: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn read_each_alone(&mut self) {
        for place in 0..self.statements.len() {
            if self.problems.len() >= MOST || self.problems.last().is_some_and(Problem::ends_reading) {
                return;
            }
            let Some(statement) = self.statements.get_mut(place) else { return };
            let own = self.text.get(statement.span.clone()).unwrap_or_default();
            let Err(error) = DeTable::parse(own) else { continue };
            let begin = statement.span.start;
            let problem =
                statement.unclosed.take().unwrap_or_else(|| reword::reword_at(&error, self.text, begin));
            self.problems.push(problem);
            match self.kind(place) {
                Some(Kind::Heading(name)) if is_known(name) => {
                    let meant = heading(name);
                    self.edit(place, meant);
                }
                Some(Kind::Heading(_)) => self.drop_table(place),
                _ => self.replace(place),
            }
        }
    }

    /// What is read next, and where its parts stand in the text.
    fn text(&self) -> (String, Vec<(usize, usize)>) {
        let mut text = self.head.to_owned();
        let mut origin = vec![(0, 0)];
        for (statement, edit) in self.statements.iter().zip(&self.edits) {
            origin.push((text.len(), statement.span.start));
            match edit {
                Some(edit) => text.extend([edit.as_str(), "\n"]),
                None => text.push_str(self.text.get(statement.span.clone()).unwrap_or_default()),
            }
        }
        origin.push((text.len(), self.text.len()));
        text.push_str(self.tail);
        (text, origin)
    }

    /// Keeps the problem, unless it only follows from an edit, and edits what it is about. Whether there is more to
    /// read.
    fn take(&mut self, problem: Problem, origin: &[(usize, usize)]) -> bool {
        let part = origin.partition_point(|(start, _)| *start <= problem.offset()).saturating_sub(1);
        let (start, original) = origin.get(part).copied().unwrap_or_default();
        // The first part is the head.
        let of_top = problem.missing().is_some_and(|key| ["required_steps", "factors"].contains(&key));
        let place = part.checked_sub(1).filter(|place| *place < self.statements.len() && !of_top);
        let is_edited =
            |place| self.edits.get(place).is_some_and(Option::is_some) && !self.shortened.contains(&place);
        let was_edited = place.is_some_and(is_edited);
        let follows = problem.follows_from(&self.touched);
        let problem =
            if was_edited { problem.moved_to(original) } else { problem.moved_from(start, original) };
        let is_key = matches!(place.and_then(|place| self.kind(place)), Some(Kind::Key(_)));
        let (missing, offset) = (problem.missing(), problem.offset());
        let is_known = was_edited && is_key || self.problems.contains(&problem);
        let is_new = !follows && !is_known;
        if is_new {
            self.problems.push(problem);
        }
        match (missing, place) {
            (Some(key), place) if !is_key => self.insert(key, place),
            (_, Some(place)) if was_edited => self.drop_statement(place),
            (_, Some(place)) if matches!(self.kind(place), Some(Kind::Heading(_))) => {
                self.drop_table(place);
                true
            }
            (_, Some(place)) => {
                if !self.drop_entry(place, offset) {
                    self.replace(place);
                }
                true
            }
            (_, None) => false,
        }
    }

    fn kind(&self, place: usize) -> Option<&Kind> {
        self.statements.get(place).map(|statement| &statement.kind)
    }

    /// The table that the statement stands in; the empty name at the top.
    fn table(&self, place: usize) -> &str {
        let before = self.statements.get(..=place).unwrap_or_default();
        let names = before.iter().rev().find_map(|statement| match &statement.kind {
            Kind::Heading(name) => Some(name.as_str()),
            _ => None,
        });
        names.unwrap_or_default().split('.').next().unwrap_or_default()
    }

    /// Writes the key that was missed: below the heading, or around the whole.
    fn insert(&mut self, key: &'static str, place: Option<usize>) -> bool {
        match (key, place) {
            ("required_steps", _) if self.head.is_empty() => self.head = "required_steps = 1\n",
            ("factors", _) if self.tail.is_empty() => {
                self.tail = "\n[[factors]]\nid = 'stand-in'\ntype = 'totp'\n";
            }
            (_, Some(place)) => {
                let line = self.statements.get(place).and_then(|it| self.text.get(it.span.clone()));
                let old = self.edits.get(place).cloned().flatten();
                let old = old.unwrap_or_else(|| line.unwrap_or_default().trim_end().to_owned());
                let stand_in = stand_in(key, place);
                if old.contains(&stand_in) {
                    return false;
                }
                self.edit(place, format!("{old}\n{stand_in}"));
                self.touched.push(key.to_owned());
            }
            _ => return false,
        }
        true
    }

    /// Takes the entry at `offset` out of a list that has others; `false` where it is none.
    fn drop_entry(&mut self, place: usize, offset: usize) -> bool {
        let Some(statement) = self.statements.get(place) else { return false };
        let own = self
            .edits
            .get(place)
            .and_then(Option::as_deref)
            .or_else(|| self.text.get(statement.span.clone()))
            .unwrap_or_default();
        let Some(shorter) = without_entry(own, offset.saturating_sub(statement.span.start)) else {
            return false;
        };
        if let Kind::Key(key) = &statement.kind {
            self.touched.push(key.clone());
        }
        self.shortened.push(place);
        self.edit(place, shorter);
        true
    }

    /// A key gets a value that is right; anything else becomes empty.
    fn replace(&mut self, place: usize) {
        self.shortened.retain(|shortened| *shortened != place);
        let table = self.table(place).to_owned();
        if let Some(Kind::Key(key)) = self.kind(place) {
            let key = key.clone();
            self.edit(place, stand_in(&key, place));
            self.touched.push(key);
            // Its keys have to fit each other.
            if table == "throttle" {
                self.touched.push(table);
            }
        } else {
            self.touched.push(DROPPED.to_owned());
            self.edit(place, String::new());
        }
    }

    /// Makes the statement empty, with its table where it is a heading; `false` where it is so already.
    fn drop_statement(&mut self, place: usize) -> bool {
        if self.edits.get(place).is_some_and(|edit| edit.as_deref() == Some("")) {
            return false;
        }
        match self.kind(place) {
            Some(Kind::Heading(_)) => self.drop_table(place),
            _ => self.edit(place, String::new()),
        }
        true
    }

    fn drop_table(&mut self, place: usize) {
        self.touched.push(DROPPED.to_owned());
        self.edit(place, String::new());
        for next in place.saturating_add(1)..self.statements.len() {
            if matches!(self.kind(next), Some(Kind::Heading(_))) {
                break;
            }
            self.edit(next, String::new());
        }
    }

    fn edit(&mut self, place: usize, text: String) {
        if let Some(edit) = self.edits.get_mut(place) {
            *edit = Some(text);
        }
    }
}

/// The statement with blanks in place of the entry at `at`, where others are left.
fn without_entry(statement: &str, at: usize) -> Option<String> {
    let (before, rest) = statement.split_at_checked(at)?;
    let quote = *rest.as_bytes().first().filter(|byte| [b'"', b'\''].contains(byte))?;
    let length = text_length(rest.lines().next()?, quote)?;
    let after = rest.get(length..)?;
    let is_entry = before.trim_end().ends_with(['[', ',']) && after.trim_start().starts_with([',', ']']);
    let comma = after.find(',').filter(|_| after.trim_start().starts_with(','));
    let gone = comma.map_or(length, |comma| length.saturating_add(comma).saturating_add(1));
    let after = rest.get(gone..)?;
    let shorter = format!("{before}{}{}", " ".repeat(gone), after.trim_end());
    let value = shorter.split_once('=').map(|(_, value)| value)?;
    (is_entry && value.contains(['"', '\''])).then_some(shorter)
}

fn is_known(heading: &str) -> bool {
    let root = heading.split('.').next().unwrap_or_default();
    ["factors", "chains", "rules", "prompt", "throttle"].contains(&root)
}

/// A statement without a mistake for `key`; empty where none is needed.
fn stand_in(key: &str, place: usize) -> String {
    match key {
        "id" => format!("id = 'stand-in-{place}'"),
        "type" => "type = 'totp'".to_owned(),
        "action" | "chain" => "action = 'deny'".to_owned(),
        "required_steps" => "required_steps = 1".to_owned(),
        _ => String::new(),
    }
}

/// Beyond that many it is another kind of file, and each login that meets it would take longer.
const MOST: usize = 50;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{FACTOR, parsed};
    use crate::verifier::policy::Policy;

    #[test]
    fn every_mistake_is_told_in_one_run_in_the_order_of_the_lines() {
        assert_told(
            MANY,
            &[
                "1:8: unknown mode `rnd`",
                "4:6: `Phone` is",
                "5:8: unknown type `topt`",
                "6:10: string \"6\"",
                "7:10: `window` is 99",
                "8:9: a bracket is missing",
                "9:10: `%wheel` names a group",
                "10:9: unknown chain `admim`",
                "12:1: unknown key `user`",
                "13:10: not a value",
                "15:17: `free_failures` is 0",
                "16:14: string \"x\"",
                "18:8: not a value; write `echo = false`",
            ],
        );
    }

    #[test]
    fn every_wrong_entry_of_a_list_is_told() {
        let lists =
            "[[rules]]\nusers = ['a', '%b', 'c', '*',\n 'd,e']\nfrom = ['host', '10.0.0.1']\naction = 'x'\n";
        let told = ["6:15: `%b`", "6:26: `*`", "7:2: `d,e`", "8:9: `host`", "9:10: unknown action `x`"];
        assert_told(&format!("{FACTOR}{lists}"), &told);
        let whole =
            "[[rules]]\nusers = ['%b', '*']\naction = 'deny'\n[[rules]]\nusers = ['c']\naction = 'deny'\n";
        assert_told(&format!("{FACTOR}{whole}"), &["6:10: `%b`", "6:16: `*`"]);
    }

    #[test]
    fn what_only_follows_from_another_mistake_is_not_told() {
        let rules =
            "[[rules]]\nusers = ['*']\naction = 'deny'\n[[rules]]\nusers = ['b']\naction = 'exempt'\n";
        assert_told(&format!("{FACTOR}{rules}"), &["6:10: `*` is no name"]);
        let bad_id = FACTOR.replace("'phone'", "'Phone'");
        assert_told(&format!("{bad_id}[chains.a]\nfactors = ['phone']\n"), &["3:6: `Phone` is"]);
        let bad_name = "[chains.A]\nmode = 'fixed'\n[[rules]]\nchain = 'A'\n";
        assert_told(&format!("{FACTOR}{bad_name}"), &["5:9: `A` is not a chain name"]);
        let bad_word = format!("unenrolled = 'exemt'\nuntil = 2026-12-31\n{FACTOR}");
        assert_told(&bad_word, &["1:14: unknown unenrolled"]);
        let bad_type = format!("{}period = 30\n", FACTOR.replace("totp", "htop"));
        assert_told(&bad_type, &["4:8: unknown type `htop`"]);
        let throttle = format!("{FACTOR}[throttle]\nlong_after = 0\nlock_after = 4\n");
        assert_told(&throttle, &["6:14: `long_after` is 0"]);
    }

    #[test]
    fn what_is_missing_comes_last_and_a_foreign_file_is_told_once() {
        let nothing = ["1:8: integer `3`", "1:1: an empty chain", "1:1: missing key `required_steps`"];
        assert_told("mode = 3\n", &nothing);
        let no_action = format!("{FACTOR}[[rules]]\nusers = ['a']\n[[rules]]\nusers = ['%b']\n");
        let does_nothing = ["8:10: `%b` names", "5:1: this rule does nothing", "7:1: this rule does nothing"];
        assert_told(&no_action, &does_nothing);
        assert_told("# mine\nmode: fixed\nfactors:\n  - id: phone\n", &["2:1: this is YAML"]);
        assert_told("{\n \"mode\": 1,\n \"x\": 2\n}\n", &["1:1: this is JSON"]);
        let template = ["1:1: a place in a template", "7:10: not a value", "8:1: a place in a template"];
        assert_told(&format!("{{{{ x }}}}\n{FACTOR}[[rules]]\naction = deny\n{{% if a %}}\n"), &template);
        assert_told("version = 2\nnew = 1\nmode = 3\n", &["1:11: unknown version 2"]);
    }

    #[test]
    fn a_mistake_behind_another_is_told_with_the_lines_of_the_file() {
        let rules = "[[factors]]\nid = 'b'\n[[rules]]\naction = 'deny'\n[[rules]]\naction = 'exmpt'\n";
        let told = ["1:8: integer `3`", "11:10: unknown action `exmpt`", "6:1: missing key `type`"];
        assert_told(&format!("mode = 3\n{FACTOR}{rules}"), &told);
    }

    proptest! {
        #[test]
        fn as_many_mistakes_are_told_as_were_made(
            wrong in proptest::collection::vec(any::<bool>(), LINES.len()),
        ) {
            let lines = LINES.iter().zip(&wrong).map(|((right, broken), wrong)| if *wrong { broken } else { right });
            let text: String = lines.flat_map(|line| [line, "\n"]).collect();
            let made = wrong.iter().filter(|wrong| **wrong).count();
            if made == 0 {
                parsed(&text);
            } else {
                prop_assert_eq!(mistakes(&text).len(), made, "{}\n{:#?}", &text, mistakes(&text));
            }
        }
    }

    fn assert_told(text: &str, starts: &[&str]) {
        let told = mistakes(text);
        let all = told.len() == starts.len();
        let fits = all && told.iter().zip(starts).all(|(mistake, start)| mistake.starts_with(start));
        assert!(fits, "{text}\ntold: {told:#?}");
    }

    /// `LINE:COLUMN: message` of each mistake.
    fn mistakes(text: &str) -> Vec<String> {
        let error = Policy::parse(text, "p").expect_err("refused");
        let all = std::iter::once(&error).chain(error.further());
        all.map(|mistake| mistake.to_string().trim_start_matches("p:").to_owned()).collect()
    }

    const MANY: &str = "mode = 'rnd'\nrequired_steps = 1\n[[factors]]\nid = 'Phone'\ntype = 'topt'\ndigits = '6'\n\
                        window = 99\n[[rules]\nusers = ['%wheel']\nchain = 'admim'\n[[rules]]\nuser = ['a']\n\
                        action = deny\n[throttle]\nfree_failures = 0\nlock_after = 'x'\n[prompt]\necho = no\n";

    /// Lines of a policy, and each with a mistake.
    const LINES: [(&str, &str); 12] = [
        ("mode = 'fixed'", "mode = fixed"),
        ("required_steps = 1", "required_steps = 'one'"),
        ("[[factors]]", "[[factors]"),
        ("id = 'phone'", "id = 'the phone'"),
        ("type = 'totp'", "type = 'time'"),
        ("window = 1", "window = 11"),
        ("[[rules]]", "[rules]]"),
        ("users = ['a', 'b']", "users = ['a', 'b'"),
        ("action = 'deny'", "action = 'refuse'"),
        ("[throttle]", "[throttle"),
        ("free_failures = 5", "free_failures = 0"),
        ("lock_after = 100", "lock_afer = 100"),
    ];
}
