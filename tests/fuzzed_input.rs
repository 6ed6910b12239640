//! The properties of every door that bytes come in by (`tests/properties`), with made-up input and with the corpus that
//! fuzzing left (`fuzz/corpus`). `make fuzz` goes on from there.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod properties;
mod tracked;

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use mfa_chain::verifier::policy::Policy;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

type Check = fn(&[u8]);

/// Each door, and the name of its fuzz target.
const DOORS: [(&str, Check); 7] = [
    ("answer", properties::answer::check),
    ("log_line", properties::log_line::check),
    ("login", properties::login::check),
    ("otpauth", properties::otpauth::check),
    ("policy", properties::policy::check),
    ("secret_file", properties::secret_file::check),
    ("state_slot", properties::state_slot::check),
];

#[test]
fn the_corpus_of_every_door_holds_its_property() {
    let mut broken = Vec::new();
    for (door, check) in DOORS {
        let files = tracked::files_below(&format!("fuzz/corpus/{door}"));
        assert!(files.len() >= 10, "the corpus of {door} has {} files", files.len());
        let breaks = |path: &PathBuf| catch_unwind(|| check(&fs::read(path).expect("a file"))).is_err();
        broken.extend(files.into_iter().filter(breaks));
    }
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn every_door_has_its_target_and_every_target_its_door() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    let mut targets: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"targets/")).collect();
    targets.sort_unstable();
    let doors: Vec<String> = DOORS.iter().map(|(door, _)| format!("{door}.rs\"")).collect();
    assert_eq!(targets, doors);
}

/// An editor that died, a disk that was full: what is left of a policy with `required_steps` is not a weaker chain.
#[test]
fn a_policy_cut_anywhere_is_refused_or_asks_for_as_many_steps() {
    let text = example_policy();
    let whole = Policy::parse(text, "policy.toml").expect("the example with all of it switched on");
    assert_eq!((whole.factors().len(), whole.rules().len(), whole.named_chains().count()), (3, 5, 1));
    for end in 0..text.len() {
        let Ok(policy) = Policy::parse(&text[..end], "policy.toml") else { continue };
        assert_eq!(policy.default_chain().required_steps(), 2, "cut at {end}");
    }
}

/// Any bytes, sometimes many.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 0..5000)]
}

/// Some text as it should be, with a few places changed, cut or doubled.
fn spoilt(text: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let spot = (any::<Index>(), 0_usize..12, vec(any::<u8>(), 0..4));
    vec(spot, 0..4).prop_map(move |spots| {
        let mut bytes = text.to_vec();
        for (place, removed, put) in spots {
            let from = place.index(bytes.len() + 1);
            let to = (from + removed).min(bytes.len());
            bytes.splice(from..to, put);
        }
        bytes
    })
}

/// Some lines of a text, in their order, some of them twice.
fn shuffled(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&str> = text.lines().collect();
    vec(0_u8..8, lines.len()).prop_map(move |fates| {
        let mut kept = String::new();
        for (line, fate) in lines.iter().zip(fates) {
            // 0 drops a line, 1 writes it twice.
            let times = match fate {
                0 => 0,
                1 => 2,
                _ => 1,
            };
            kept.push_str(&format!("{line}\n").repeat(times));
        }
        kept.into_bytes()
    })
}

/// A text of `key = value` lines with one value where another value or a key should be.
fn misplaced(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
    (select(lines.clone()), select(lines), any::<bool>()).prop_map(
        move |((key, value), (_, other), is_key)| {
            let line = if is_key {
                format!("{} = {value}", other.trim_matches('"'))
            } else {
                format!("{key} = {other}")
            };
            text.replace(&format!("{key} = {value}"), &line).into_bytes()
        },
    )
}

/// The pieces one after the other, in any choice.
fn pieced(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(select(pieces), 0..most).prop_map(|chosen| chosen.concat().into_bytes())
}

/// The policy that is shipped, with its examples switched on.
fn example_policy() -> &'static str {
    let switched_on =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    let text = include_str!("../conf/policy.toml").lines().map(switched_on);
    let text: Vec<String> = text.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    String::leak(text.join("\n"))
}

const POLICY: &[&str] = &[
    "version = 1\n",
    "mode = \"random\"\n",
    "mode = 'fixed'\n",
    "required_steps = 1\n",
    "required_steps = 2\n",
    "on_wrong_code = \"conceal\"\n",
    "unenrolled = \"exempt\"\nuntil = 2026-12-31\n",
    "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n",
    "required_steps = 1\n[[factors]]\nid = \"card\"\ntype = \"totp\"\n",
    "[[factors]]\nid = \"token\"\ntype = \"hotp\"\nlook_ahead = 5\n",
    "window = 2\n",
    "label = \"Authenticator app\"\n",
    "label = \"password\"\n",
    "digits = 8\n",
    "[chains.admin]\nfactors = [\"token\", \"phone\"]\n",
    "[chains.x]\n",
    "[[rules]]\nservices = [\"sudo\"]\nchain = \"admin\"\n",
    "[[rules]]\ngroups = [\"wheel\"]\naction = \"exempt\"\n",
    "[[rules]]\nfrom = [\"192.0.2.0/24\"]\naction = \"deny\"\n",
    "[[rules]]\nttys = [\"pts/*\"]\nchain = \"default\"\n",
    "[prompt]\ntext = \"{step} of {steps}: {label}\"\n",
    "failure = \"\"\n",
    "[throttle]\nfree_failures = 3\n",
    "long_after = 4\n",
];

const URI: &[&str] = &[
    "otpauth://",
    "OTPAUTH://",
    "totp",
    "hotp",
    "/",
    "host:alice",
    "%20",
    "?",
    "&",
    "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "secret=gezdgnbvgy3tqojq",
    "digits=8",
    "digits=06",
    "period=60",
    "counter=7",
    "algorithm=sha512",
    "algorithm=SHA1",
    "issuer=a+b",
    "%",
    "\n",
    "#",
    ":",
    "é",
    "counter=18446744073709551615",
];

/// A URI that is right but for its parameters.
fn parameters() -> impl Strategy<Value = Vec<u8>> {
    (select(&["totp", "hotp"][..]), vec(select(URI), 0..5)).prop_map(|(kind, chosen)| {
        format!("otpauth://{kind}/host:alice?secret=GEZDGNBVGY3TQOJQ&{}", chosen.join("&")).into_bytes()
    })
}

const ANSWER: &[&str] = &[
    "0",
    "1",
    "\x40",
    "123456",
    "12",
    "7",
    " ",
    "\t",
    "\n",
    "\r",
    "\x0b",
    "\x0c",
    "-",
    "ABCD",
    "efgh",
    "IJKL-MNOP",
    "QRST",
    "UV27",
    "\x08\n\r\x7f",
    "INCORRECT",
    "\0",
    "１",
    "                                                            ",
];

const LOG: &[&str] = &[
    "alice",
    "\0",
    " ",
    "=",
    "\\",
    "\\x20",
    "\"",
    "\n",
    "user=root",
    "...",
    "\u{202e}",
    "é",
    "\x1b[2J",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

const MOVES: &[&str] = &[
    "L",
    "L",
    "r",
    "r",
    "r",
    "r",
    "r",
    "o",
    "u",
    "x",
    "w",
    "y",
    "z",
    "v",
    "j",
    "\"\x03a\n ",
    "q",
    "c",
    "+",
    "+",
    "-",
    "*",
    "*",
    "~",
    "^",
    "_",
    "!",
    "!",
    "=",
    "R0",
    "R1",
    "E0",
    "E1",
    "E2",
    "Sf",
    "Sb",
    "Sk",
    "Sl",
    "A",
    "T",
    "U",
    "N",
    "C",
    "F",
    "G",
];

fn script() -> impl Strategy<Value = Vec<u8>> {
    (vec(b'0'..=b'7', 4), pieced(MOVES, 60)).prop_map(|(setting, moves)| [setting, moves].concat())
}

/// Slots with a right header and length more often than not, of which a few bytes are changed.
fn slots() -> impl Strategy<Value = Vec<u8>> {
    let setting = prop_oneof![2 => 0_u8..32, 1 => prop::sample::select(vec![6_u8, 7, 30, 31])];
    let counts = (0_u8..=13, 0_u8..=66, 0_u8..=17);
    let spots = vec((any::<Index>(), any::<u8>()), 0..4);
    (setting, counts, any::<u64>(), spots).prop_map(|(setting, (known, marks, outcomes), sequence, spots)| {
        let is_2 = setting & 8 != 0;
        let lists = [usize::from(known), usize::from(marks), usize::from(outcomes)];
        let payload = if is_2 {
            222 + 46 * lists[0] + 28 * lists[1] + 46 * lists[2]
        } else {
            108 + 28 * lists[0] + 24 * lists[1]
        };
        let mut slot = vec![0; 24 + payload];
        slot[10] = 1;
        slot[12..16].copy_from_slice(&u32::try_from(payload).expect("short").to_le_bytes());
        slot[16..24].copy_from_slice(&sequence.to_le_bytes());
        if is_2 {
            slot[128] = known;
            slot[242 + 46 * lists[0]] = marks;
            slot[244 + 46 * lists[0] + 28 * lists[1]] = outcomes;
        } else {
            slot[96] = known;
            slot[130 + 28 * lists[0]] = marks;
        }
        for (place, byte) in spots {
            let place = place.index(slot.len());
            slot[place] = byte;
        }
        [vec![setting], slot].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_hold_the_property_of_every_door(bytes in bytes()) {
        for (_, check) in DOORS {
            check(&bytes);
        }
    }

    #[test]
    fn a_spoilt_policy_is_refused_or_sound(text in spoilt(example_policy().as_bytes())) {
        properties::policy::check(&text);
    }

    #[test]
    fn a_policy_with_lines_lost_or_doubled_is_refused_or_sound(text in shuffled(example_policy())) {
        properties::policy::check(&text);
    }

    #[test]
    fn a_policy_pieced_together_is_refused_or_sound(text in pieced(POLICY, 12)) {
        properties::policy::check(&text);
    }

    #[test]
    fn a_spoilt_secret_file_is_refused_or_sound(text in spoilt(properties::secret_file::WHOLE.as_bytes())) {
        properties::secret_file::check(&text);
    }

    #[test]
    fn a_secret_file_with_lines_lost_or_doubled_is_refused_or_sound(text in shuffled(properties::secret_file::WHOLE)) {
        properties::secret_file::check(&text);
    }

    #[test]
    fn a_secret_file_with_a_value_out_of_place_is_refused_or_sound(text in misplaced(properties::secret_file::WHOLE)) {
        properties::secret_file::check(&text);
    }

    #[test]
    fn a_spoilt_login_state_counts_only_under_its_checksum(slot in slots()) {
        properties::state_slot::check(&slot);
    }

    #[test]
    fn any_uri_is_refused_or_reads_back(text in prop_oneof![pieced(URI, 14), parameters()]) {
        properties::otpauth::check(&text);
    }

    #[test]
    fn any_answer_is_read_for_what_it_is(text in pieced(ANSWER, 12)) {
        properties::answer::check(&text);
    }

    #[test]
    fn any_text_from_outside_makes_one_line_of_the_log(text in pieced(LOG, 40)) {
        properties::log_line::check(&text);
    }

    #[test]
    fn any_script_grants_for_right_unused_codes_alone(script in script()) {
        properties::login::check(&script);
    }
}
