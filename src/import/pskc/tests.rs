use super::*;
use crate::import::token::MovesBy;
use crate::verifier::otp::{Algorithm, Period};

const FIGURE_6: &str = include_str!("../../../tests/import/rfc6030-figure-6.xml");
const FIGURE_7: &str = include_str!("../../../tests/import/rfc6030-figure-7.xml");
const AES_192: &str = include_str!("../../../tests/import/pskc-key-aes192.xml");
const AES_256: &str = include_str!("../../../tests/import/pskc-password-aes256.xml");
/// The seed of [`plain`], in base64.
const SEED: &str = "aW52ZW50ZWQgc2VlZCBvZiAyMGI=";
const SEED_BASE32: &str = "NFXHMZLOORSWIIDTMVSWIIDPMYQDEMDC";
const TODAY: UnixTime = UnixTime::from_seconds(1_795_348_800);

fn hex(bytes: &[u8]) -> PskcKey {
    PskcKey::Hex(Zeroizing::new(bytes.to_vec()))
}

fn password(text: &str) -> PskcKey {
    PskcKey::Password(Zeroizing::new(text.to_owned()))
}

fn figure_6_key() -> PskcKey {
    hex(&[0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12])
}

/// A container as Feitian writes it.
fn plain() -> String {
    format!(
        "<?xml version=\"1.0\"?>\r\n<KeyContainer Version=\"1.0\" xmlns=\"{PSKC}\"><KeyPackage>\
         <DeviceInfo><Manufacturer>Invented</Manufacturer><SerialNo>26002</SerialNo></DeviceInfo>\
         <Key Id=\"26002\" Algorithm=\"{PSKC}:totp\"><AlgorithmParameters>\
         <ResponseFormat Length=\"6\" Encoding=\"DECIMAL\"/></AlgorithmParameters><Data><Secret><PlainValue>\r\n\
         {} {}\r\n</PlainValue></Secret><Time><PlainValue>0</PlainValue></Time><TimeInterval>\
         <PlainValue>60</PlainValue></TimeInterval></Data><UserId>CN=Alice A, UID=alice</UserId><Policy>\
         <StartDate>2012-09-19T00:00:00Z</StartDate></Policy></Key></KeyPackage></KeyContainer>",
        &SEED[..8],
        &SEED[8..]
    )
}

fn read_whole(text: &str, key: Option<&PskcKey>) -> Reading {
    let reading = parse(text, key, TODAY);
    assert_eq!(reading.complaints, [], "{text}");
    reading
}

fn complaint(text: &str, key: Option<&PskcKey>) -> (Place, String) {
    let reading = parse(text, key, TODAY);
    let [complaint] = reading.complaints.as_slice() else { panic!("{reading:?}\n{text}") };
    assert!(reading.tokens.is_empty(), "{reading:?}");
    (complaint.place.clone(), complaint.what.clone())
}

fn time(seconds: u64) -> MovesBy {
    MovesBy::Time { period: Period::from_seconds(seconds).expect("a period"), last_used: None }
}

#[test]
fn a_plain_container_is_read_under_any_prefix() {
    let prefixed = plain().replace('<', "<k:").replace("<k:/", "</k:").replace("<k:?", "<?");
    for text in [plain(), prefixed.replace("xmlns=", "xmlns:k="), format!("\u{feff}{}", plain())] {
        let reading = read_whole(&text, None);
        let [token] = reading.tokens.as_slice() else { panic!("{reading:?}") };
        assert_eq!((token.user.as_deref(), token.serial.as_deref()), (Some("alice"), Some("26002")));
        assert_eq!((token.moves_by, token.algorithm, token.digits.count()), (time(60), Algorithm::Sha1, 6));
        assert_eq!(*token.secret.to_base32(), SEED_BASE32);
        assert_eq!(reading.remarks, []);
    }
}

#[test]
fn the_figures_of_rfc_6030_are_opened() {
    let (key, qwerty) = (figure_6_key(), password("qwerty"));
    let no_namespace = FIGURE_7.replace("pkcs5:PBKDF2-params", "PBKDF2-params");
    let xenc11 = FIGURE_7.replace("pkcs5:PBKDF2-params", "xenc11:PBKDF2-params");
    for (text, key, secret, next) in [
        (FIGURE_6, &key, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Some(0)),
        (FIGURE_7, &qwerty, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", None),
        (&no_namespace, &qwerty, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", None),
        (&xenc11, &qwerty, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", None),
    ] {
        let reading = read_whole(text, Some(key));
        let [token] = reading.tokens.as_slice() else { panic!("{reading:?}") };
        assert_eq!(*token.secret.to_base32(), secret);
        assert_eq!((token.moves_by, token.digits.count()), (MovesBy::Counter { next }, 8));
        assert_eq!(token.serial.as_deref(), Some("987654321"));
    }
}

/// As multiOTP writes it: counters and intervals are encrypted too, and the MAC has the key of the values.
#[test]
fn counters_and_intervals_are_opened_too() {
    let reading = read_whole(AES_256, Some(&password("correct horse")));
    let [counter, clock] = reading.tokens.as_slice() else { panic!("{reading:?}") };
    assert_eq!(*counter.secret.to_base32(), SEED_BASE32);
    assert_eq!(counter.moves_by, MovesBy::Counter { next: Some(42) });
    assert_eq!(*clock.secret.to_base32(), "MIYDEIDGN4QGIZLFOMQGIZLUNZSXM3TJ");
    assert_eq!((clock.moves_by, clock.algorithm), (time(60), Algorithm::Sha256));
}

/// The hash as an attribute of Suite, with AES-192.
#[test]
fn the_hash_may_be_an_attribute() {
    let key: Vec<u8> = (0..24).collect();
    let reading = read_whole(AES_192, Some(&hex(&key)));
    let [token] = reading.tokens.as_slice() else { panic!("{reading:?}") };
    assert_eq!((token.moves_by, token.algorithm), (time(30), Algorithm::Sha512));
    assert_eq!(*token.secret.to_base32(), SEED_BASE32);
}

#[test]
fn a_mac_that_is_missing_or_does_not_fit_refuses_the_file() {
    let mac = AES_256.find("<ValueMAC>").expect("a MAC");
    let end = AES_256[mac..].find("</ValueMAC>").expect("its end") + mac + "</ValueMAC>".len();
    let missing = format!("{}{}", &AES_256[..mac], &AES_256[end..]);
    let horse = password("correct horse");
    let other = hex(&[7; 16]);
    let changed = FIGURE_6.replace("AAECAwQF", "AAECAwQG");
    for (name, text, key, word) in [
        ("missing", missing.as_str(), &horse, "no ValueMAC"),
        ("wrong password", AES_256, &password("wrong"), "does not fit"),
        ("changed value", &changed, &figure_6_key(), "does not fit"),
        ("changed MAC", &FIGURE_6.replace("Su+N", "Su+O"), &figure_6_key(), "does not fit"),
        ("another MAC", &FIGURE_6.replace("hmac-sha1", "hmac-md5"), &figure_6_key(), "MACMethod"),
    ] {
        let (place, what) = complaint(text, Some(key));
        assert!(place == Place::File && what.contains(word), "{name}: {what}");
    }
    // With a wrong key the key of the MAC has a wrong padding, or makes a wrong MAC.
    assert_eq!(complaint(FIGURE_6, Some(&other)).0, Place::File);
    let remarked = FIGURE_6.replace("MACMethod", "Other");
    let reading = read_whole(&remarked, Some(&figure_6_key()));
    assert!(reading.remarks.iter().any(|it| it.what.contains("no MACMethod")), "{reading:?}");
}

#[test]
fn the_key_has_to_be_of_the_kind_that_the_file_names() {
    let rounds = |number: &str| FIGURE_7.replace(">1000<", &format!(">{number}<"));
    for (text, key, word) in [
        (FIGURE_6, None, "give its key"),
        (FIGURE_7, None, "give its password"),
        (FIGURE_6, Some(password("qwerty")), "not with a password"),
        (FIGURE_7, Some(figure_6_key()), "not with a key"),
        (FIGURE_6, Some(hex(&[1; 5])), "32, 48 or 64"),
        (FIGURE_6, Some(hex(&[1; 32])), "takes a key of 128 bits"),
        (&rounds("0"), Some(password("qwerty")), "IterationCount"),
        (&rounds("10000001"), Some(password("qwerty")), "IterationCount"),
        (&FIGURE_7.replace(">16<", ">99999<"), Some(password("qwerty")), "KeyLength"),
        (&FIGURE_7.replace("<PRF/>", "<PRF Algorithm=\"x#hmac-md5\"/>"), Some(password("qwerty")), "PRF"),
        (&FIGURE_7.replace("#pbkdf2", "#scrypt"), Some(password("qwerty")), "PBKDF2"),
    ] {
        let (place, what) = complaint(text, key.as_ref());
        assert!(place == Place::File && what.contains(word), "{word}: {what}");
    }
}

#[test]
fn what_is_no_container_of_rfc_6030_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(5_000), "</a>".repeat(5_000));
    let text = plain();
    for (wrong, word) in [
        (text.replace("<KeyContainer", "<!DOCTYPE x [<!ENTITY e SYSTEM \"/x\">]><KeyContainer"), "DTD"),
        (text.replace("keyprov:pskc\"", "keyprov:pskc:1.0\""), "draft of PSKC (`urn"),
        (text.replace(&format!("\"{PSKC}\""), "\"urn:ietf:params:xml:ns:keyprov:container:1.0\""), "draft"),
        (text.replace("<KeyPackage>", "<Device/><KeyPackage>"), "its `Device`"),
        (text.replace("Version=\"1.0\"", "Version=\"2.0\""), "Version 1.0"),
        (format!("<Tokens>{SEED}</Tokens>"), "not PSKC"),
        (text.replace("</Secret>", ""), "not well-formed XML, at line 4"),
        (format!("<{SEED}"), "not well-formed"),
        (text.replace("<Policy>", &format!("<Policy>{deep}")), "nested"),
        (format!("<KeyContainer Version=\"1.0\" xmlns=\"{PSKC}\"/>"), "no key"),
        (String::new(), "not well-formed"),
    ] {
        let (place, what) = complaint(&wrong, None);
        assert!(place == Place::File && what.contains(word), "{word}: {what}");
        assert!(!what.contains(&SEED[..4]), "{what}");
    }
}

#[test]
fn what_makes_other_codes_is_named_with_its_serial_and_without_its_secret() {
    for (from, to, word) in [
        (":totp", ":ocra", "ocra"),
        (":totp", ":pin", "pin"),
        (":totp", "#yubikey-aes", "yubikey-aes"),
        (":totp", ":SecurID-AES", "SecurID"),
        (":totp", ":other", "not known"),
        ("Length=\"6\"", "Length=\"9\"", "6, 7 or 8"),
        ("DECIMAL", "ALPHANUMERIC", "decimal"),
        ("Length=\"6\"", "Length=\"6\" CheckDigits=\"true\"", "check digit"),
        ("<ResponseFormat", "<Suite>HMAC-MD5</Suite><ResponseFormat", "Suite"),
        ("<ResponseFormat", "<Suite hashalgo=\"sha224\"/><ResponseFormat", "Suite"),
        (">60<", ">172800<", "172800"),
        (">60<", ">abc<", "TimeInterval"),
        (">0<", ">1<", "do not begin at 0"),
        (&SEED[..8], "!W52ZW50", "base64"),
        (&SEED[8..], "", "48 bits"),
        ("Secret>", "Other>", "no Secret"),
        ("<Policy>", "<Policy><KeyUsage>CR</KeyUsage>", "KeyUsage"),
        ("<Policy>", "<Policy><PINPolicy PINUsageMode=\"Append\"/>", "PIN"),
        ("<Policy>", "<Policy><Unknown/>", "not known"),
        ("<Policy>", "<Policy><ExpiryDate>2026-11-22T12:00:00Z</ExpiryDate>", "expired at 2026-11-22"),
        ("2012-09-19", "2026-11-23", "not valid before 2026-11-23"),
        ("2012-09-19", "20x2-09-19", "StartDate is not a date"),
    ] {
        let changed = plain().replace(from, to);
        assert_ne!(changed, plain(), "{from}");
        let (place, what) = complaint(&changed, None);
        assert_eq!(place, Place::Serial("26002".to_owned()), "{what}");
        assert!(what.contains(word), "{word}: {what}");
        assert!(!what.contains("W52Z") && !what.contains(&SEED[8..16]), "{what}");
    }
}

#[test]
fn what_is_not_taken_over_is_remarked() {
    let drift = "</TimeInterval><TimeDrift><PlainValue>2</PlainValue></TimeDrift>";
    for (from, to, word) in [
        ("<Policy>", "<Policy><PINPolicy PINUsageMode=\"Local\"/><KeyUsage>OTP</KeyUsage>", "PINPolicy"),
        ("<Policy>", "<Policy><ExpiryDate>2037-12-31T00:00:00Z</ExpiryDate>", "expires at 2037-12-31"),
        ("</TimeInterval>", drift, "TimeDrift"),
        ("Length=\"6\"", "", "6 digits are assumed"),
        ("</KeyContainer>", "<Signature xmlns=\"urn:x\"/></KeyContainer>", "signature was not checked"),
    ] {
        let reading = read_whole(&plain().replace(from, to), None);
        let [remark] = reading.remarks.as_slice() else { panic!("{word}: {reading:?}") };
        assert!(remark.what.contains(word) && reading.tokens.len() == 1, "{remark:?}");
    }
}

#[test]
fn no_cut_or_changed_file_quotes_its_secret() {
    let (text, key) = (plain(), figure_6_key());
    let cuts = (0..text.len()).step_by(7).filter_map(|at| text.get(..at)).map(|cut| (cut.to_owned(), None));
    let changes = (0..FIGURE_6.len()).step_by(11).map(|at| {
        let mut bytes = FIGURE_6.as_bytes().to_vec();
        bytes[at] = b'~';
        (String::from_utf8(bytes).expect("ASCII"), Some(&key))
    });
    for (broken, key) in cuts.chain(changes) {
        let shown = format!("{:?}", parse(&broken, key, TODAY));
        for piece in [&SEED[..8], &SEED[8..], "AAECAwQF", "ESIzRFVm", "GEZDGN", "Su+Nvt"] {
            assert!(!shown.contains(piece), "{shown}");
        }
    }
}

#[test]
fn a_user_is_the_uid_of_a_name_or_its_cn() {
    for (name, user) in [("CN=bob", Some("bob")), ("carol", Some("carol")), ("O=Example", None)] {
        let reading = read_whole(&plain().replace("CN=Alice A, UID=alice", name), None);
        assert_eq!(reading.tokens.first().and_then(|it| it.user.as_deref()), user);
    }
}
