//! Whole policies: what is taken, what is refused, and where.

use proptest::prelude::*;

use crate::verifier::policy::{ChainSpec, Mode, OnWrongCode, Policy, Unenrolled};
use crate::verifier::time::UnixTime;

#[test]
fn the_smallest_policy_is_one_factor_and_how_many_steps() {
    let policy = parsed(FACTOR);
    let chain = policy.default_chain();
    assert_eq!((chain.name(), chain.mode(), chain.required_steps()), ("default", Mode::Fixed, 1));
    assert_eq!(chain.unenrolled(), Unenrolled::Deny);
    assert_eq!(policy.factors()[0].label.as_str(), "phone");
    assert_eq!(policy.throttle(), &crate::verifier::policy::ThrottlePolicy::default());
    assert_eq!(policy.prompt(), &crate::verifier::policy::PromptPolicy::default());
    assert_eq!((policy.rules().len(), policy.named_chains().count()), (0, 0));
}

#[test]
fn named_chains_inherit_what_they_leave_out() {
    let policy = parsed(FULL);
    let default = policy.default_chain();
    assert_eq!((default.mode(), default.required_steps(), default.factor_count()), (Mode::Random, 2, 2));
    assert_eq!(default.unenrolled(), Unenrolled::ExemptUntil(UnixTime::from_seconds(1_798_761_600)));
    let admin = policy.chain("admin").expect("admin");
    let order: Vec<_> = admin.factors().map(|factor| factor.id.as_str()).collect();
    assert_eq!(order, ["yubikey", "phone"]);
    assert_eq!((admin.mode(), admin.on_wrong_code()), (Mode::Random, OnWrongCode::Conceal));
    assert_eq!((admin.unenrolled(), admin.required_steps()), (Unenrolled::Deny, 2));
    let one = policy.chain("one").expect("one");
    assert_eq!((one.required_steps(), one.factor_count(), one.unenrolled()), (1, 1, default.unenrolled()));
    let names: Vec<_> = policy.named_chains().map(ChainSpec::name).collect();
    assert_eq!(names, ["admin", "one"]);
    assert_eq!(policy.chain("default"), Some(default));
    assert_eq!(policy.chain("none"), None);
}

#[test]
fn values_of_factors_rules_prompt_and_throttle_arrive() {
    let policy = parsed(FULL);
    let shown: Vec<_> = policy.factors().iter().map(|factor| format!("{factor:?}")).collect();
    assert!(shown[0].contains("Totp { window: 0 }") && shown[0].contains("Sha256"), "{}", shown[0]);
    assert!(shown[1].contains("Hotp { look_ahead: 100 }") && shown[1].contains("Digits(8)"), "{}", shown[1]);
    let rules: Vec<_> = policy.rules().iter().map(|rule| (rule.line(), rule.to_string())).collect();
    assert_eq!(
        rules,
        [
            (27, "services sudo, sudo-i; groups wheel -> chain admin".to_owned()),
            (31, "users root; from 10.0.0.0/8, ::1; ttys pts/* -> exempt".to_owned()),
            (36, "any login -> deny".to_owned()),
        ]
    );
    assert_eq!(policy.prompt().render("App", 1, 2), "1/2 App: ");
    assert_eq!((policy.prompt().echo(), policy.prompt().failure_message()), (true, None));
    let throttle = policy.throttle();
    assert_eq!((throttle.free_failures(), throttle.fail_delay_seconds()), (1, 0));
    assert_eq!((throttle.wait_seconds_after(1), throttle.wait_seconds_after(2)), (7, 14));
}

#[test]
fn a_policy_cut_off_anywhere_asks_for_no_fewer_codes() {
    let whole = parsed(FULL).default_chain().required_steps();
    let (mut cut_off, mut refused) = (0, 0);
    for end in (0..FULL.len()).filter(|end| FULL.is_char_boundary(*end)) {
        match Policy::parse(&FULL[..end], "p") {
            Ok(policy) => {
                assert_eq!(policy.default_chain().required_steps(), whole, "cut at byte {end}");
                cut_off += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(cut_off > 0 && refused > 0, "{cut_off} cut behind the factors, {refused} before");
}

#[test]
fn a_chain_may_move_or_drop_the_deadline_it_inherits() {
    let top = "unenrolled = 'exempt'\nuntil = 1970-01-01\n";
    let chains = "[chains.a]\nuntil = 1970-01-02\n[chains.b]\nunenrolled = 'deny'\n[chains.c]\nunenrolled = 'exempt'\n";
    let policy = parsed(&format!("{top}{FACTOR}{chains}"));
    let until = |days: u64| Unenrolled::ExemptUntil(UnixTime::from_seconds(days * 86_400));
    for (name, expected) in [("default", until(1)), ("a", until(2)), ("b", Unenrolled::Deny), ("c", until(1))]
    {
        assert_eq!(policy.chain(name).expect(name).unenrolled(), expected, "{name}");
    }
}

#[test]
fn byte_order_marks_and_dos_line_ends_are_taken() {
    let text = format!("\u{feff}{}", FULL.replace('\n', "\r\n"));
    assert_eq!(parsed(&text), parsed(FULL));
    assert_eq!(refusal("\u{feff}mode = 3"), "1:8: integer `3`; it must be a string");
}

#[test]
fn a_policy_of_256_kib_is_read_and_no_larger_one() {
    let padding = |length: usize| format!("{FACTOR}#{}", "x".repeat(length - FACTOR.len() - 1));
    assert!(Policy::parse(&padding(Policy::MAX_BYTES), "p").is_ok());
    let message = refusal(&padding(Policy::MAX_BYTES + 1));
    assert_eq!(message, "1:1: the file has 262145 bytes; at most 262144 are read");
}

#[test]
fn errors_show_file_line_and_column() {
    let error = Policy::parse(&format!("\nmode = 'x'\n{FACTOR}"), "/etc/p.toml").unwrap_err();
    assert_eq!(error.to_string(), "/etc/p.toml:2:8: unknown mode `x`; known: fixed, random");
    assert_eq!((error.file(), error.line(), error.column()), ("/etc/p.toml", 2, 8));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = Policy::parse(&text, "p");
    }

    #[test]
    fn no_shuffled_policy_makes_the_parser_panic(
        lines in prop::collection::vec(prop::sample::select(FULL.lines().collect::<Vec<_>>()), 0..40)
    ) {
        let text = lines.join("\n");
        if let Err(error) = Policy::parse(&text, "p") {
            prop_assert!(error.line() >= 1 && error.column() >= 1 && !error.message().is_empty());
            prop_assert!(error.line() <= lines.len().max(1));
        }
    }

    #[test]
    fn no_cut_or_changed_policy_makes_the_parser_panic(at in 0..FULL.len(), with in any::<char>()) {
        prop_assume!(FULL.is_char_boundary(at));
        let (head, tail) = FULL.split_at(at);
        let _ = Policy::parse(head, "p");
        let _ = Policy::parse(&format!("{head}{with}{tail}"), "p");
    }
}

pub(super) fn parsed(text: &str) -> Policy {
    Policy::parse(text, "p").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// `LINE:COLUMN: message`
pub(super) fn refusal(text: &str) -> String {
    match Policy::parse(text, "p") {
        Ok(policy) => panic!("taken: {text}\n{policy:?}"),
        Err(error) => error.to_string().trim_start_matches("p:").to_owned(),
    }
}

/// Name, text and refusal.
pub(super) type Case = (&'static str, &'static str, &'static str);

/// Each text stands between `head` and `tail`.
pub(super) fn check(head: &str, tail: &str, cases: &[Case]) {
    for (name, text, expected) in cases {
        assert_eq!(refusal(&format!("{head}{text}\n{tail}")), *expected, "{name}");
    }
}

pub(super) const FACTOR: &str = "required_steps = 1\n[[factors]]\nid = 'phone'\ntype = 'totp'\n";
pub(super) const TWO: &str =
    "required_steps = 2\n[[factors]]\nid = 'a'\ntype = 'totp'\n[[factors]]\nid = 'b'\ntype = 'totp'\n";
pub(super) const TWO_FACTORS: &str =
    "[[factors]]\nid = 'a'\ntype = 'totp'\n[[factors]]\nid = 'b'\ntype = 'totp'\n";

const FULL: &str = r#"version = 1
mode = "random"
required_steps = 2
on_wrong_code = "conceal"
unenrolled = "exempt"
until = 2026-12-31
[[factors]]
id = "phone"
label = "Authenticator app"
type = "totp"
window = 0
algorithm = "SHA256"
period = 60
[[factors]]
id = "yubikey"
type = "hotp"
look_ahead = 100
digits = 8

[chains.one]
factors = ["phone"]
required_steps = 1
[chains.admin]
factors = ["yubikey", "phone"]
unenrolled = "deny"

[[rules]]
services = ["sudo", "sudo-i"]
groups = ["wheel"]
chain = "admin"
[[rules]]
users = ["root"]
from = ["::ffff:10.0.0.0/104", "::1"]
ttys = ["/dev/pts/*"]
action = "exempt"
[[rules]]
action = "deny"
[prompt]
text = "{step}/{steps} {label}: "
echo = true
failure = ""
[throttle]
free_failures = 1
first_wait_seconds = 7
longest_wait_seconds = 700
fail_delay_seconds = 0
"#;

#[test]
fn included_files_add_rules_and_each_mistake_names_its_file() {
    let main = format!("{FACTOR}[throttle]\nfree_failures = 3");
    let file = |name: &str, text: &str| (format!("policy.d/{name}"), text.to_owned());
    let rule = |user: &str| format!("# why\n\n[[rules]]\nusers = ['{user}']\naction = 'deny'\n");
    let parse = |files: &[(String, String)]| Policy::parse_with(&main, "policy.toml", files);
    let policy = parse(&[file("10.toml", &rule("a")), file("20.toml", &rule("b"))]).expect("a policy");
    let places: Vec<String> = policy.rules().iter().map(crate::verifier::policy::Rule::place).collect();
    assert_eq!(places, ["line 3 of policy.d/10.toml", "line 3 of policy.d/20.toml"]);
    assert_eq!(policy, parse(&[file("10.toml", &rule("a")), file("20.toml", &rule("b"))]).expect("the same"));
    for (text, expected) in [
        ("[[rules]]\naction = 'allow'\n", "policy.d/20.toml:2:10: unknown action"),
        ("mode = 'random'\n", "policy.d/20.toml:1:1: a key before the first table"),
        (
            "# x\n \t mode = 'random'\n[[rules]]\naction = 'deny'\n",
            "policy.d/20.toml:2:4: a key before the first table",
        ),
        ("[[rules]]\nusers = [\n", "policy.d/20.toml:2:10: "),
        ("[throttle]\nlong_after = 30\n", "policy.d/20.toml:1:"),
        ("[[rules]]\nchain = 'default'\n[[factors]]\nid = 'phone'\ntype = 'totp'\n", "policy.d/20.toml:4:"),
    ] {
        let error = parse(&[file("10.toml", &rule("a")), file("20.toml", text)]).expect_err(text);
        assert!(error.to_string().starts_with(expected), "{text}: {error}");
    }
    // A text that is left open in one file must not end in the next.
    let open = format!("{main}\n[prompt]\ntext = \"\"\"");
    let error = Policy::parse_with(
        &open,
        "policy.toml",
        &[file("10.toml", "[[rules]]\n# \"\"\"\naction = 'deny'\n")],
    );
    assert!(error.expect_err("open").to_string().starts_with("policy.toml:"));
}
