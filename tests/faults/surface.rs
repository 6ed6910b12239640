//! F14: the system calls of a login, a filter that allows no other one, and each of them refused.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::fault_run::{self, Answers, Codes, IGNORE, UNCHARGED, UNREADABLE, UNRECORDED, UNSAFE_GRANT};
use crate::pam_sandbox::PamSandbox;
use crate::plan::Context;
use crate::tally::{Tally, share_out};
use crate::trace;

const STARTED: &str = "processes started";
const SOCKETS: &str = "sockets but for the log and libpam's audit";
const LEFT_OPEN: &str = "descriptors left open";
const FILTERED: &str = "logins that their own filter stopped";

pub fn surface(context: &Context) -> Tally {
    let kinds =
        [STARTED, SOCKETS, LEFT_OPEN, FILTERED, UNSAFE_GRANT, UNRECORDED, IGNORE, UNCHARGED, UNREADABLE];
    let mut tally = Tally::looking_for(&kinds);
    let codes = Codes::new(2);
    let sandbox = fault_run::sandbox(context);
    let lines = lines_of(&sandbox, &codes);
    let inside: Vec<&Line> = lines.iter().filter(|line| line.inside).collect();
    for line in &inside {
        let started =
            ["clone", "clone3", "fork", "vfork", "execve", "execveat"].contains(&line.name.as_str());
        tally.blame_if(started, STARTED, &line.text);
        let inner = line.text.contains("AF_UNIX") || line.text.contains("NETLINK_AUDIT");
        tally.blame_if(line.name == "socket" && !inner, SOCKETS, &line.text);
    }
    let opened = inside.iter().filter(|line| line.opens()).count();
    let closed = inside.iter().filter(|line| line.name == "close").count();
    // libpam closes what is its own.
    tally.blame_if(opened > closed, LEFT_OPEN, &format!("{opened} opened, {closed} closed"));
    let names: BTreeSet<&str> = inside.iter().map(|line| line.name.as_str()).collect();
    tally.figure("calls", inside.len());
    tally.figure(
        "of",
        format!("{} kinds ({})", names.len(), names.iter().copied().collect::<Vec<_>>().join(" ")),
    );
    let numbers: BTreeMap<u32, String> = lines.iter().map(|line| (line.number, line.name.clone())).collect();
    under_filter(&sandbox, &codes, &numbers, &mut tally);
    let each: Vec<(u32, String)> = inside
        .iter()
        .map(|line| (line.number, line.name.clone()))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect();
    tally.add(each_refused(context, &codes, &each));
    tally
}

/// A system call of a login, from `pam_authenticate` to the end of the process.
struct Line {
    number: u32,
    name: String,
    text: String,
    inside: bool,
}

impl Line {
    fn opens(&self) -> bool {
        let opens = matches!(self.name.as_str(), "openat" | "open" | "socket" | "dup" | "pipe2");
        opens && !self.text.contains("= -1")
    }
}

fn lines_of(sandbox: &PamSandbox, codes: &Codes) -> Vec<Line> {
    let path = sandbox.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-n", "-o"]).arg(&path);
    trace::under(&mut strace, &fault_run::login(sandbox, &codes.answers(Answers::Right, 0)));
    let (seen, output) = fault_run::run(&mut strace);
    assert_eq!(seen.code, Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&std::fs::read(path).expect("a trace")).into_owned();
    let (mut lines, mut begun, mut inside) = (Vec::new(), false, false);
    for text in text.lines() {
        begun |= text.contains("pamdrive:begin");
        inside = (inside || text.contains("pamdrive:begin")) && !text.contains("pamdrive:end");
        let Some((number, rest)) =
            text.split_once("[ ").or_else(|| text.split_once('[')).and_then(|it| it.1.split_once(']'))
        else {
            continue;
        };
        let (Ok(number), Some((name, _))) = (number.trim().parse(), rest.split_once('(')) else { continue };
        if begun {
            let own = text.contains("pamdrive:") || text.contains("{\\\"told");
            lines.push(Line {
                number,
                name: name.trim().to_owned(),
                text: rest.to_owned(),
                inside: inside && !own,
            });
        }
    }
    lines
}

/// The same login where any other system call ends the process.
fn under_filter(sandbox: &PamSandbox, codes: &Codes, numbers: &BTreeMap<u32, String>, tally: &mut Tally) {
    let list: Vec<String> = numbers.keys().map(u32::to_string).collect();
    let mut login = fault_run::login(sandbox, &codes.answers(Answers::Right, 1));
    let (seen, output) = fault_run::run(login.arg("--allow-calls").arg(list.join(",")));
    tally.count += 1;
    let example = format!("{seen:?} {:?}", output.status);
    tally.blame_if(seen.code != Some(0), FILTERED, &example);
}

/// Each kind of call fails with EPERM all through the login.
fn each_refused(context: &Context, codes: &Codes, each: &[(u32, String)]) -> Tally {
    let mut cases = Vec::new();
    for call in each {
        cases.extend(Answers::ALL.map(|answers| (call.clone(), answers)));
    }
    let make = || {
        let sandbox = fault_run::sandbox(context);
        let fresh = sandbox.take_state("alice");
        (sandbox, fresh)
    };
    let mut tally = share_out(&cases, make, |(sandbox, fresh), ((number, name), answers), tally| {
        sandbox.put_state("alice", fresh);
        let mut login = fault_run::login(sandbox, &codes.answers(*answers, 0));
        let (seen, _) = fault_run::run(login.arg("--deny-call").arg(number.to_string()));
        let example = format!("{name} refused, {answers:?}: {seen:?}");
        fault_run::examine(sandbox, *answers, &seen, 0, &example, tally);
    });
    tally.figure("logins with one kind of call refused", tally.count);
    tally
}
