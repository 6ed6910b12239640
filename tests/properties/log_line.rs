//! A line of the log: one line, bounded, printable, and nothing in it looks like what it is not.

use mfa_chain::verifier::accounts::Account;
use mfa_chain::verifier::event::{Event, Severity};
use mfa_chain::verifier::request::Request;

/// The bytes are the texts that come from outside, parted by NUL: user, service, and so on.
pub fn check(bytes: &[u8]) {
    let texts: Vec<String> =
        bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let text = |place: usize| texts.get(place).cloned();
    let request = Request {
        user: text(0).unwrap_or_default(),
        account: text(6).map(|name| Account { name, uid: 1_000, gid: 1_000 }),
        service: text(1).unwrap_or_default(),
        rhost: text(2),
        ruser: text(3),
        tty: text(4),
    };
    let event = Event::new(Severity::Info, "step").about(&request);
    let line = event.line();
    assert_printable(line);
    if line.len() < Event::MAX_BYTES {
        let typed = text(6).is_some_and(|name| name != request.user).then(|| request.user.clone());
        let user = text(6).unwrap_or_else(|| request.user.clone());
        let nowhere = [text(2), text(3), text(4)].iter().all(Option::is_none).then(|| "unknown".to_owned());
        let values = [Some(user), typed, Some(request.service.clone()), text(2), text(3), text(4), nowhere];
        let given = ["user", "as", "service", "rhost", "ruser", "tty", "source"].into_iter().zip(values);
        let given = given.filter_map(|(key, value)| Some((key, value?)));
        assert_reads_back(line, &given.collect::<Vec<_>>());
    }
    let said = event.clone().saying(&text(5).unwrap_or_default());
    assert_printable(said.line());
    assert!(said.line().ends_with('"') && said.line().starts_with(&line[..line.len().min(700)]));
    let quotes = said.line().matches('"').count();
    assert!(
        quotes == 2 || said.line().len() >= Event::MAX_BYTES,
        "a sentence never ends its own quotes: {said}"
    );
}

fn assert_printable(line: &str) {
    assert!(line.len() <= Event::MAX_BYTES + 1, "{} bytes", line.len());
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
}

/// Takes the line apart as a reader of logs would: exactly the keys that we wrote, with the values that came.
fn assert_reads_back(line: &str, given: &[(&str, String)]) {
    let mut fields = line.split(' ');
    assert_eq!(fields.next(), Some("event=step"));
    for (key, value) in given {
        let field = fields.next().unwrap_or_else(|| panic!("{key} is not in {line}"));
        let (found, escaped) = field.split_once('=').unwrap_or_else(|| panic!("{field} has no key"));
        assert_eq!(found, *key);
        assert!(!escaped.contains('='), "{field}");
        let whole = unescape(escaped) == value.as_bytes();
        let cut =
            escaped.strip_suffix("...").is_some_and(|head| value.as_bytes().starts_with(&unescape(head)));
        assert!(whole || (cut && escaped.len() > 160), "{value:?} became {escaped}");
    }
    assert_eq!(fields.next(), None, "a key that nobody wrote: {line}");
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'\\' {
            let hex = std::str::from_utf8(&behind[1..3]).expect("two digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
            rest = &behind[3..];
        } else {
            bytes.push(*first);
        }
    }
    bytes
}
