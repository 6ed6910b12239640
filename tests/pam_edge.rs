//! The built module through real libpam: every row of the table of return codes, hostile conversations, and
//! what a guest must not leave behind.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

mod pam_sandbox;
mod tracked;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use pam_sandbox::pam_run::{ABORT, AUTH_ERR, CONV_ERR, GRANTED, PERM_DENIED, Played, SERVICE_ERR};
use pam_sandbox::token::Token;
use pam_sandbox::{FIRST_PROMPT, PamSandbox, SECOND_PROMPT, TWO_COUNTERS, build};

/// The codes of alice's two counters at their first presses.
fn right_codes(at: u64) -> [String; 2] {
    [Token::counter("phone").code(at), Token::counter("token").code(at)]
}

fn wrong_code() -> String {
    Token::counter("phone").wrong_code()
}

#[test]
fn right_codes_in_order_are_granted() {
    let sandbox = PamSandbox::new();
    let played = sandbox.play().codes(&right_codes(0)).run();
    assert_eq!(played.code(), GRANTED, "{played:#?}");
    assert_eq!(played.prompts(0), [FIRST_PROMPT, SECOND_PROMPT]);
    assert_eq!(played.stderr, "");
    assert!(played.logged(&["pam_mfa_chain(pamdrive:auth): event=verdict user=alice", "verdict=grant"]));
}

#[test]
fn every_refusal_of_a_claimant_is_one_code() {
    let right = right_codes(0);
    let wrong = wrong_code();
    let deny_by_rule = format!("{TWO_COUNTERS}[[rules]]\nusers = [\"alice\"]\naction = \"deny\"\n");
    let conceal = format!("on_wrong_code = \"conceal\"\n{TWO_COUNTERS}");
    let cases: [(&str, &str, &str, &[&str]); 8] = [
        ("wrong at step 1", TWO_COUNTERS, "alice", &[&wrong]),
        ("wrong at step 2", TWO_COUNTERS, "alice", &[&right[0], &wrong]),
        ("the codes in the wrong order", TWO_COUNTERS, "alice", &[&right[1]]),
        ("malformed", TWO_COUNTERS, "alice", &["12345"]),
        ("wrong, concealed", &conceal, "alice", &[&wrong, &right[1]]),
        ("unknown", TWO_COUNTERS, "nobody-here", &[&right[0]]),
        ("enrolled in too little", TWO_COUNTERS, "bob", &[&right[0]]),
        ("denied by a rule", &deny_by_rule, "alice", &[]),
    ];
    for (name, policy, user, codes) in cases {
        let sandbox = PamSandbox::new();
        sandbox.enroll("bob", &[Token::counter("phone")], None);
        sandbox.write_policy(policy);
        let played = sandbox.play().user(user).codes(codes).run();
        assert_eq!(played.code(), AUTH_ERR, "{name}: {played:#?}");
        assert_eq!(played.report()["unused_answers"], 0, "{name}");
        assert_eq!(played.stderr, "", "{name}");
        assert!(played.logged(&["event=verdict", "verdict=deny"]), "{name}: {:?}", played.log);
    }
}

#[test]
fn a_code_that_was_used_is_refused() {
    let sandbox = PamSandbox::new();
    assert_eq!(sandbox.play().codes(&right_codes(0)).run().code(), GRANTED);
    let played = sandbox.play().codes(&right_codes(0)).run();
    assert_eq!(played.code(), AUTH_ERR);
    assert!(played.logged(&["outcome=replay"]), "{:?}", played.log);
}

#[test]
fn a_throttled_user_is_refused_with_the_right_code() {
    let sandbox = PamSandbox::new();
    for _ in 0..5 {
        assert_eq!(sandbox.play().codes(&[wrong_code()]).run().code(), AUTH_ERR);
    }
    assert_eq!(sandbox.failures("alice"), 5);
    let played = sandbox.play().codes(&right_codes(0)).run();
    assert_eq!(played.code(), AUTH_ERR);
    assert_eq!(played.prompts(0), [FIRST_PROMPT]);
    assert!(played.logged(&["outcome=throttled"]), "{:?}", played.log);
    assert_eq!(sandbox.failures("alice"), 5);
}

#[test]
fn files_that_cannot_be_trusted_are_an_error_of_the_service() {
    type Breakage<'a> = (&'a str, &'a dyn Fn(&PamSandbox), &'a str);
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    };
    let cases: [Breakage<'_>; 11] = [
        ("no policy", &|it| fs::remove_file(it.policy()).expect("gone"), "policy.toml: not there"),
        ("policy open to all", &|it| mode(&it.policy(), 0o666), "not safe to use"),
        ("policy that is wrong", &|it| it.write_policy("versoin = 1\n"), "unknown key"),
        ("no store", &|it| fs::remove_dir_all(it.store()).expect("gone"), "store: not there"),
        ("store open to all", &|it| mode(&it.store(), 0o777), "not safe to use"),
        ("no state", &|it| fs::remove_file(it.state_file("alice")).expect("gone"), "login state is gone"),
        ("state damaged", &|it| it.put_state("alice", &[0; 8192]), "login state is damaged"),
        ("state cut short", &|it| fs::write(it.state_file("alice"), "x").expect("cut"), "has 1 bytes"),
        ("no secrets", &|it| fs::remove_file(it.secret_file("alice")).expect("gone"), "secret file is gone"),
        ("secrets readable", &|it| mode(&it.secret_file("alice"), 0o644), "others may read it"),
        ("secrets wrong", &|it| fs::write(it.secret_file("alice"), "versio").expect("wrong"), "alice.toml"),
    ];
    for (name, break_it, says) in cases {
        let sandbox = PamSandbox::new();
        break_it(&sandbox);
        let played = sandbox.play().codes(&right_codes(0)).run();
        assert_eq!(played.code(), SERVICE_ERR, "{name}: {played:#?}");
        assert!(played.logged(&["verdict=deny", says]), "{name}: {:?}", played.log);
        assert_eq!(played.stderr, "", "{name}");
    }
}

#[test]
fn the_log_has_the_first_mistake_of_a_policy_and_how_many_more() {
    for (text, more) in [
        ("required_steps = 1\n[[factors]]\nid = 'a'\ntype = 'b'\n", "check` shows whether it is fixed"),
        (
            "required_steps = 0\n[[factors]]\nid = 'a'\ntype = 'b'\nx = 1\n",
            "; and 2 more; `mfa-chain --policy ",
        ),
    ] {
        let sandbox = PamSandbox::new();
        sandbox.write_policy(text);
        let played = sandbox.play().codes(&right_codes(0)).run();
        assert_eq!(played.code(), SERVICE_ERR, "{played:#?}");
        assert!(played.logged(&["verdict=deny", "policy.toml:", more]), "{:?}", played.log);
    }
}

#[test]
fn an_unknown_argument_is_an_error_of_the_service_and_says_so() {
    let sandbox = PamSandbox::new();
    let played = sandbox.play().option("--argument", "nullok").codes(&right_codes(0)).run();
    assert_eq!(played.code(), SERVICE_ERR);
    assert!(played.prompts(0).is_empty());
    assert!(
        played.logged(&[
            "module argument `nullok` is not known; known: debug, exempt=publickey, policy=, rehearsal, store="
        ]),
        "{:?}",
        played.log
    );
}

#[test]
fn an_exempt_login_is_ignored_and_nothing_else_ever_is() {
    let sandbox = PamSandbox::new();
    sandbox.write_policy(&format!("{TWO_COUNTERS}[[rules]]\nservices = [\"exempt\"]\naction = \"exempt\"\n"));
    // A stack that makes PAM_IGNORE visible: it alone leads on to a module with a code of its own.
    let stack = "auth [success=done ignore=ignore default=die] MODULE\n\
                 auth required pam_debug.so auth=module_unknown\n\
                 account [success=done ignore=ignore default=die] MODULE\n\
                 account required pam_debug.so acct=module_unknown\n";
    for service in ["exempt", "asked"] {
        sandbox.write_service(service, &build::module(), stack);
    }
    let exempt = sandbox.play_written("exempt").switch("--acct").run();
    assert_eq!((exempt.code(), &exempt.report()["after_auth"]["acct"]), (28, &28.into()));
    assert!(exempt.prompts(0).is_empty());
    assert!(exempt.logged(&["verdict=exempt", "reason=rule", "rule=1"]), "{:?}", exempt.log);
    let asked = sandbox.play_written("asked").codes(&[wrong_code()]).switch("--acct").run();
    assert_eq!((asked.code(), &asked.report()["after_auth"]["acct"]), (AUTH_ERR, &PERM_DENIED.into()));
}

#[test]
fn a_hostile_conversation_is_denied_and_charged_only_for_answers() {
    let right = right_codes(0);
    let error_with_answer = format!("code-with:19:{}", right[0]);
    let changed = format!("user=bob+text:{}", right[0]);
    let cases: [(&str, &str, i64, u32); 16] = [
        ("no array", "null-array", CONV_ERR, 0),
        ("no answer", "null-answer", CONV_ERR, 0),
        ("empty answer", "empty", AUTH_ERR, 1),
        ("513 bytes", "big:513", AUTH_ERR, 1),
        ("1 MiB", "big:1048576", AUTH_ERR, 1),
        ("NUL at the start", "hex:00313233343536", AUTH_ERR, 1),
        ("NUL inside", "hex:313233003435", AUTH_ERR, 1),
        ("no UTF-8", "hex:fffec328", AUTH_ERR, 1),
        ("terminal sequences", "hex:1b5d303b78071b5b324a", AUTH_ERR, 1),
        ("PAM_CONV_ERR", "code:19", CONV_ERR, 0),
        ("PAM_CONV_AGAIN", "code:30", CONV_ERR, 0),
        ("an unknown code", "code:999", CONV_ERR, 0),
        ("a negative code", "code:-1", CONV_ERR, 0),
        ("an error with the right answer", &error_with_answer, CONV_ERR, 0),
        ("the filler of sshd", "hex:080a0d7f494e434f5252454354", AUTH_ERR, 0),
        ("PAM_USER changed at the prompt", &changed, AUTH_ERR, 0),
    ];
    for (name, answer, code, failures) in cases {
        let sandbox = PamSandbox::new();
        let second = format!("text:{}", right[1]);
        let played = sandbox.play().answers(&[answer, &second]).run();
        assert_eq!((played.code(), played.stderr.as_str()), (code, ""), "{name}: {played:#?}");
        assert_eq!(played.prompts(0), [FIRST_PROMPT], "{name}");
        assert_eq!(sandbox.failures("alice"), failures, "{name}");
        // A code of the conversation is no answer, and short enough to stand in a process number.
        let typed = answer.rsplit(':').next().filter(|typed| typed.len() >= 6);
        assert!(typed.is_none_or(|typed| !played.logged(&[typed])), "{name}: {:?}", played.log);
        assert_unchanged(&played, name);
        // Nothing was burnt: the same right codes still pass.
        assert_eq!(sandbox.play().codes(&right).run().code(), GRANTED, "{name}");
    }
}

#[test]
fn an_application_that_dies_at_a_prompt_leaves_the_state_as_it_was() {
    let sandbox = PamSandbox::new();
    let before = sandbox.take_state("alice");
    let played = sandbox.play().answers(&["exit"]).run();
    assert_eq!((played.reports.len(), played.exit), (0, Some(0)));
    assert_eq!(sandbox.take_state("alice"), before);
}

#[test]
fn a_prompt_left_after_a_right_step_denies_without_a_failure_and_the_code_is_burnt() {
    let sandbox = PamSandbox::new();
    let played = sandbox.play().codes(&right_codes(0)[..1]).run();
    assert_eq!(played.code(), CONV_ERR);
    assert_eq!(played.prompts(0), [FIRST_PROMPT, SECOND_PROMPT]);
    assert_eq!(sandbox.failures("alice"), 0);
    assert_eq!(sandbox.play().codes(&right_codes(0)).run().code(), AUTH_ERR);
}

#[test]
fn pam_silent_keeps_the_prompts_and_drops_the_message() {
    let sandbox = PamSandbox::new();
    let right = right_codes(0);
    let codes = [right[0].clone(), wrong_code()];
    let silent = sandbox.play().switch("--silent").codes(&codes).run();
    assert_eq!(silent.prompts(0), [FIRST_PROMPT, SECOND_PROMPT]);
    assert_eq!(silent.shown(0).len(), 2, "{silent:#?}");
    let told = sandbox.play().codes(&[wrong_code()]).run();
    let message = "Access denied. The chain starts again at step 1.".to_owned();
    assert_eq!(told.shown(0), [(1, FIRST_PROMPT.to_owned()), (3, message)]);
}

#[test]
fn three_tries_on_one_handle_begin_at_step_1_each() {
    let sandbox = PamSandbox::new();
    let [first, second] = [right_codes(0), right_codes(1)];
    // As sudo does: wrong, right and then wrong, and at last right.
    let codes = [&wrong_code(), &first[0], &wrong_code(), &second[0], &second[1]];
    let played = sandbox.play().option("--calls", "3").codes(&codes).run();
    assert_eq!(played.prompts(0), [FIRST_PROMPT]);
    assert_eq!(played.prompts(1), [FIRST_PROMPT, SECOND_PROMPT]);
    assert_eq!(played.prompts(2), [FIRST_PROMPT, SECOND_PROMPT]);
    let outcomes: Vec<i64> =
        (0..3).filter_map(|call| played.report()["calls"][call]["code"].as_i64()).collect();
    assert_eq!(outcomes, [AUTH_ERR, AUTH_ERR, GRANTED]);
}

#[test]
fn setcred_is_always_a_success_where_the_stack_asks_nobody_else() {
    let sandbox = PamSandbox::new();
    let without = sandbox.play().switch("--no-auth").switch("--setcred").run();
    assert_eq!(without.report()["after_auth"]["setcred"], 0);
    let after = sandbox.play().codes(&right_codes(0)).switch("--setcred").run();
    assert_eq!((after.code(), &after.report()["after_auth"]["setcred"]), (GRANTED, &0.into()));
}

#[test]
fn the_account_backstop_passes_only_who_was_granted_in_this_transaction() {
    let sandbox = PamSandbox::new();
    let account = |played: &Played| played.report()["after_auth"]["acct"].as_i64().expect("a code");
    let granted = sandbox.play().codes(&right_codes(0)).switch("--acct").run();
    assert_eq!((granted.code(), account(&granted)), (GRANTED, GRANTED));
    let key_alone = sandbox.play().switch("--no-auth").switch("--acct").run();
    assert_eq!(account(&key_alone), PERM_DENIED);
    assert!(key_alone.logged(&["(pamdrive:account): event=backstop", "verdict=deny"]), "{:?}", key_alone.log);
    let other = sandbox.play().codes(&right_codes(1)).option("--account-user", "bob").switch("--acct").run();
    assert_eq!((other.code(), account(&other)), (GRANTED, PERM_DENIED));
    // A grant of the first try is gone after a second one that failed.
    let [one, two] = right_codes(2);
    let codes = [one, two, wrong_code()];
    let later = sandbox.play().option("--calls", "2").codes(&codes).switch("--acct").run();
    assert_eq!((later.code(), account(&later)), (AUTH_ERR, PERM_DENIED));
    assert_eq!(sandbox.failures("alice"), 1, "the backstop touches no counter");
}

#[test]
fn odd_user_names_are_asked_denied_and_logged_on_one_line() {
    let long = "a".repeat(65_536);
    let names = [
        ("a path", "../x", "user=../x "),
        ("64 KiB", &long, "user=aaaa"),
        ("a forged line", "hex:780a4e6f76203120686f7374", "user=x\\x0aNov\\x201\\x20host "),
        ("no UTF-8", "hex:ff616c696365", "user=\\xef\\xbf\\xbdalice "),
        ("blanks", " alice", "user=\\x20alice "),
        ("empty", "", "event=verdict"),
    ];
    for (name, user, logged) in names {
        let sandbox = PamSandbox::new();
        let played = sandbox.play().user(user).codes(&right_codes(0)).run();
        assert_ne!(played.code(), GRANTED, "{name}: {played:#?}");
        assert!(played.logged(&[logged]), "{name}: {:?}", played.log);
        assert!(played.log.iter().all(|line| line.len() < 1_024 && !line.contains('\n')), "{name}");
        assert_eq!(sandbox.state("alice").expect("a state").failures.strangers.draw, 0, "{name}");
        assert_unchanged(&played, name);
    }
}

#[test]
fn without_a_user_name_libpam_asks_for_it_first() {
    let sandbox = PamSandbox::new();
    let [phone, token] = right_codes(0);
    let played = sandbox.play().switch("--no-user").codes(&["alice", &phone, &token]).run();
    assert_eq!(played.code(), GRANTED, "{played:#?}");
    assert_eq!(played.prompts(0)[1..], [FIRST_PROMPT, SECOND_PROMPT]);
    let nobody = sandbox.play().switch("--no-user").run();
    assert_ne!(nobody.code(), GRANTED, "{nobody:#?}");
}

#[test]
fn a_log_that_is_missing_or_stalled_changes_nothing() {
    let sandbox = PamSandbox::new();
    let played = sandbox.play().without_log().codes(&right_codes(0)).run();
    assert_eq!((played.code(), played.stderr.as_str()), (GRANTED, ""));
    let path = sandbox.path().join("stalled");
    let _never_read = UnixDatagram::bind(&path).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.set_nonblocking(true).expect("a socket");
    while filler.send_to(b"full", &path).is_ok() {}
    let output = sandbox.play().codes(&right_codes(1)).run_with_log(path.to_str().expect("UTF-8"));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("\"code\":0,"), "{text}");
}

#[test]
fn a_thousand_logins_leave_nothing_behind() {
    let sandbox = PamSandbox::new();
    let (few, many) = (mixed_logins(0, 100), mixed_logins(100, 1_000));
    let few = sandbox.play().switch("--brief").jobs(&few).run();
    let many = sandbox.play().switch("--brief").jobs(&many).run();
    assert_eq!(many.report()["codes"].to_string(), r#"{"0":500,"19":250,"7":250}"#);
    assert_unchanged(&many, "1,000 logins");
    let memory = |played: &Played| {
        let text = played.report()["after"]["VmRSS"].as_str().expect("a size").to_owned();
        text.trim_end_matches(" kB").parse::<i64>().expect("a number")
    };
    let growth = memory(&many) - memory(&few);
    assert!(growth < 512, "{growth} kB more after 900 more logins");
}

/// Right, wrong at step 2, right, hung up at step 2; and again.
fn mixed_logins(from: u64, count: u64) -> Vec<String> {
    let phone = Token::counter("phone").codes(from, count);
    let token = Token::counter("token").codes(from, count);
    // Of the shape of a recovery code, so that no wait comes of it.
    let wrong = "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF";
    let line = |(place, (phone, token)): (usize, (&String, &String))| match place % 4 {
        1 => format!("alice\ttext:{phone}\ttext:{wrong}"),
        3 => format!("alice\ttext:{phone}\tnull-array"),
        _ => format!("alice\ttext:{phone}\ttext:{token}"),
    };
    phone.iter().zip(&token).enumerate().map(line).collect()
}

#[test]
fn a_panic_becomes_an_abort_with_a_line_in_the_log_and_no_word_elsewhere() {
    let sandbox = PamSandbox::new();
    let panicking = build::variant("panic");
    let played =
        sandbox.play_module(&panicking).environment("RUST_BACKTRACE", "1").codes(&right_codes(0)).run();
    assert_eq!((played.code(), played.stderr.as_str()), (ABORT, ""), "{played:#?}");
    assert!(played.prompts(0).is_empty());
    assert!(played.logged(&["event=panic", "verdict=deny"]), "{:?}", played.log);
    assert_unchanged(&played, "a panic");
    let account = sandbox.play_module(&panicking).switch("--no-auth").switch("--acct").run();
    assert_eq!((&account.report()["after_auth"]["acct"], account.stderr.as_str()), (&ABORT.into(), ""));
    assert!(account.logged(&["event=panic", "verdict=deny"]), "{:?}", account.log);
}

#[test]
fn two_hundred_variables_of_the_caller_change_nothing() {
    let sandbox = PamSandbox::new();
    // Written, since pamdrive itself asks TMPDIR where to write one.
    sandbox.write_service("written", &build::module(), "auth required MODULE\n");
    let fresh = sandbox.take_state("alice");
    let answers = [right_codes(0), [right_codes(0)[0].clone(), wrong_code()]];
    let seen = |variables: &[(&str, &str)]| {
        answers.each_ref().map(|codes| {
            sandbox.put_state("alice", &fresh);
            let play = sandbox.play_written("written").codes(codes);
            let play = variables.iter().fold(play, |play, (name, value)| play.environment(name, value));
            let played = play.run();
            let log: Vec<_> = played.log.iter().map(|line| without_what_moves(line)).collect();
            (
                played.code(),
                played.shown(0),
                log,
                played.stderr,
                fs::read_dir(sandbox.path()).expect("it").count(),
            )
        })
    };
    let plain = seen(&[]);
    assert_eq!((plain[0].0, plain[1].0), (GRANTED, AUTH_ERR));
    let long = "a".repeat(10_000);
    for value in ["", "1", "../../../../tmp/x", "\u{1b}]0;%n%s\n", &long] {
        assert_eq!(seen(&VARIABLES.map(|name| (name, value))), plain, "{:.20}", value.escape_debug());
    }
}

/// A line of the log without the number of the process, which stands before its first `]`, and without its attempt.
fn without_what_moves(line: &str) -> String {
    let (_, line) = line.split_once(']').expect(line);
    line.split(' ').filter(|word| !word.starts_with("attempt=")).collect::<Vec<_>>().join(" ")
}

/// What C libraries, libpam, Rust, shells and the callers of this module read or set. Not among them: `PATH` and
/// `LD_PRELOAD`, which choose the program that calls the module, and the loader's debugging.
const VARIABLES: [&str; 40] = [
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_LOG",
    "RUST_MIN_STACK",
    "TZ",
    "TZDIR",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "MAIL",
    "TERM",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
    "LANGUAGE",
    "NLSPATH",
    "LOCPATH",
    "GCONV_PATH",
    "MALLOC_CHECK_",
    "MALLOC_PERTURB_",
    "MALLOC_ARENA_MAX",
    "MALLOC_TRACE",
    "TMPDIR",
    "RES_OPTIONS",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LD_LIBRARY_PATH",
    "LD_BIND_NOT",
    "DISPLAY",
    "SSH_CONNECTION",
    "SUDO_USER",
    "PAM_USER",
    "PAM_RHOST",
    "MFA_CHAIN_POLICY",
    "MFA_CHAIN_STORE",
];

/// Whatever /proc tells of the process is as before, but for its memory.
fn assert_unchanged(played: &Played, name: &str) {
    let (before, after) = (&played.report()["before"], &played.report()["after"]);
    for key in
        ["fds", "cwd", "Umask", "Uid", "Gid", "Groups", "Threads", "SigBlk", "SigIgn", "SigCgt", "CapEff"]
    {
        assert_eq!(before[key], after[key], "{name}: {key}");
    }
}
