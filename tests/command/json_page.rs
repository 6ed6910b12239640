//! `docs/json.md`: each example is run, and has to have the keys and the kinds of values that the page shows.

use mfa_chain::store::{FileStore, SystemClock, load_policy};
use mfa_chain::{Next, Orchestrator, Request, Response};
use serde_json::Value;

use super::scratch::{OTHER_SECRET, SECRET, ScratchHost, now, run_bare, totp};

const PAGE: &str = include_str!("../../docs/json.md");
const POLICY: &str = "required_steps = 2\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n\
    [[factors]]\nid = \"token\"\ntype = \"hotp\"\n[[rules]]\nservices = [\"cron\"]\naction = \"exempt\"\n";

/// An example: the command, and what it prints.
fn examples() -> Vec<(String, Value)> {
    let blocks = PAGE.split("```console\n").skip(1).map(|block| block.split("```").next().expect("an end"));
    let example = |block: &str| {
        let (command, printed) = block.split_once('\n').expect("a command");
        let command = command.strip_prefix("$ mfa-chain ").expect(command);
        let printed = printed.strip_prefix("{\n  \"schema_version\": 1,").expect(command);
        (
            command.to_owned(),
            serde_json::from_str(&format!("{{{printed}"))
                .unwrap_or_else(|error| panic!("{command}: {error}")),
        )
    };
    blocks.map(example).collect()
}

/// A host on which every example has something to tell. Codes of the page stand in another order than its commands.
fn host() -> ScratchHost {
    let host = ScratchHost::new();
    host.write("policy.toml", POLICY);
    host.write("new.toml", &POLICY.replace("required_steps = 2", "required_steps = 1"));
    host.write("broken.toml", "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"topt\"\n");
    host.write("users", "alice\n");
    host.write("list", "otpauth://totp/x:root?secret=MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U\nnonsense\n");
    host.enroll("alice", "phone", SECRET);
    host.enroll("alice", "token", OTHER_SECRET);
    host.run("recovery alice --count 2").expect(0);
    let policy = load_policy(&host.path("policy.toml")).expect("a policy");
    let engine = Orchestrator::new(policy, FileStore::at(&host.path("store")), SystemClock);
    let Next::Ask(attempt) = engine.begin(&Request::local("sshd", "alice")) else { panic!("a chain") };
    engine.submit(attempt, "phone", Response::from_bytes(b"000000")).expect("the factor");
    host
}

fn run(host: &ScratchHost, command: &str) -> Value {
    let words: Vec<String> = command
        .split(' ')
        .map(|word| if host.path(word).is_file() { host.path_text(word) } else { word.to_owned() })
        .collect();
    let line = words.join(" ");
    let input = if command.starts_with("verify") {
        totp(SECRET, now().saturating_sub(180), &["--totp=SHA1"])
    } else {
        String::new()
    };
    let policy = format!("--policy {} {line}", host.path_text("policy.toml"));
    // `odds` goes by no store.
    if command.starts_with("odds") {
        run_bare(&policy)
    } else {
        host.run_with_input(&line, &format!("{input}\n"))
    }
    .json()
}

/// Where the two differ in a key or the kind of a value. `null` stands for any kind.
fn differences(shown: &Value, printed: &Value, at: &str) -> Vec<String> {
    match (shown, printed) {
        (Value::Object(shown), Value::Object(printed)) => {
            let lacks = |one: &serde_json::Map<String, Value>,
                         other: &serde_json::Map<String, Value>,
                         whose: &str| {
                let missing = one.keys().filter(|key| !other.contains_key(*key));
                missing.map(|key| format!("{at}.{key} is not {whose}")).collect::<Vec<_>>()
            };
            let mut found = lacks(shown, printed, "printed");
            found.extend(lacks(printed, shown, "on the page"));
            let both = shown.iter().filter_map(|(key, value)| Some((key, value, printed.get(key)?)));
            found.extend(both.flat_map(|(key, one, other)| differences(one, other, &format!("{at}.{key}"))));
            found
        }
        (Value::Array(shown), Value::Array(printed)) => match (shown.first(), printed.first()) {
            (Some(one), Some(other)) => differences(one, other, &format!("{at}[0]")),
            _ => Vec::new(),
        },
        (Value::Null, _)
        | (_, Value::Null)
        | (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => Vec::new(),
        (one, other) => vec![format!("{at}: {one} on the page, {other} printed")],
    }
}

#[test]
fn every_example_of_the_page_is_printed_in_its_shape() {
    let examples = examples();
    assert!(examples.len() >= 19, "{}", examples.len());
    for (command, shown) in &examples {
        // Each on a host of its own: the order of the page is that of the reader.
        let host = host();
        if command.starts_with("policy log") {
            host.run(&format!("policy apply {} --final --yes", host.path_text("new.toml"))).expect(0);
        }
        if command.starts_with("enroll") {
            host.run("revoke alice phone --yes").expect(0);
        }
        assert_eq!(differences(shown, &run(&host, command), command), [""; 0]);
    }
}

#[test]
fn a_key_that_goes_comes_or_changes_its_kind_is_noticed() {
    let shown = serde_json::json!({"a": 1, "b": [{"c": "x"}], "d": null});
    for (printed, told) in [
        (serde_json::json!({"b": [{"c": "x"}], "d": 1}), "it.a is not printed"),
        (serde_json::json!({"a": 1, "b": [{"c": "x"}], "d": 1, "e": 1}), "it.e is not on the page"),
        (serde_json::json!({"a": "1", "b": [{"c": "x"}], "d": 1}), "it.a: 1 on the page, \"1\" printed"),
        (serde_json::json!({"a": 1, "b": [{"c": 3}], "d": 1}), "it.b[0].c: \"x\" on the page, 3 printed"),
    ] {
        assert_eq!(differences(&shown, &printed, "it"), [told]);
    }
    assert_eq!(differences(&shown, &serde_json::json!({"a": 2, "b": [], "d": "text"}), "it"), [""; 0]);
}

#[test]
fn every_command_that_prints_json_stands_on_the_page() {
    let help = run_bare("--help").expect(0).stdout;
    let commands = help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> =
        commands.filter(|word| word.starts_with(|it: char| it.is_ascii_lowercase())).collect();
    assert!(commands.len() > 20, "{commands:?}");
    let silent = ["help", "demo", "completions", "metrics"];
    for command in commands.iter().filter(|command| !silent.contains(command)) {
        let is_there = [format!("$ mfa-chain {command} "), format!("`{command}`"), format!("`{command} ")];
        assert!(is_there.iter().any(|text| PAGE.contains(text)), "{command} is not in docs/json.md");
    }
}
