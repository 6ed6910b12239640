//! The published vectors, and codes that another program computed.
#![cfg(test)]

mod engine_fixture;

use std::process::Command;

use engine_fixture::totp;
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::otp::Algorithm;
use mfa_chain::verifier::time::UnixTime;

const KEY: &[u8] = b"1234567890123456789012345678901234567890123456789012345678901234";

#[test]
fn codes_of_rfc_4226_appendix_d() {
    let credential = Credential { otp_type: OtpType::Hotp, ..totp(&KEY[..20], Algorithm::Sha1, 6, 30) };
    let codes =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (counter, code) in (0..).zip(codes) {
        assert_eq!(*credential.code(counter), code, "counter {counter}");
    }
}

#[test]
fn codes_of_rfc_6238_appendix_b() {
    // The keys are as long as the hash, as erratum 2866 says the reference code had them.
    let table = [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ];
    for (time, sha1, sha256, sha512) in table {
        for (algorithm, length, code) in
            [(Algorithm::Sha1, 20, sha1), (Algorithm::Sha256, 32, sha256), (Algorithm::Sha512, 64, sha512)]
        {
            let credential = totp(&KEY[..length], algorithm, 8, 30);
            let step = credential.step_at(UnixTime::from_seconds(time)).expect("a time step");
            assert_eq!(*credential.code(step), code, "{algorithm} at {time}");
        }
    }
}

#[test]
fn codes_of_oathtool_at_arbitrary_times() {
    let times: [u64; 6] = [1, 59, 1_000_000_007, 1_790_000_010, 2_147_483_648, 9_999_999_999];
    for time in times {
        for (algorithm, name) in
            [(Algorithm::Sha1, "SHA1"), (Algorithm::Sha256, "SHA256"), (Algorithm::Sha512, "SHA512")]
        {
            for (digits, period, length) in [(6, 30, 20), (7, 60, 10), (8, 15, 64)] {
                let credential = totp(&KEY[..length], algorithm, digits, period);
                let step = credential.step_at(UnixTime::from_seconds(time)).expect("a time step");
                let expected = oathtool(&[
                    &format!("--totp={name}"),
                    &format!("--digits={digits}"),
                    &format!("--time-step-size={period}"),
                    &format!("--now=@{time}"),
                    "--base32",
                    &credential.secret.to_base32(),
                ]);
                assert_eq!(*credential.code(step), expected, "{name} {digits} {period} at {time}");
            }
        }
    }
}

fn oathtool(arguments: &[&str]) -> String {
    let run = Command::new("oathtool")
        .args(arguments)
        .output()
        .expect("oathtool is missing: apt-get install oathtool");
    assert!(run.status.success(), "oathtool: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("text").trim().to_owned()
}

/// A state that was reset puts counters there, and a counter that can't move on would be good for ever.
#[test]
fn the_last_counter_is_never_accepted() {
    for (first, granted) in [(u64::MAX - 1, true), (u64::MAX, false)] {
        let fixture = engine_fixture::EngineFixture::new("[[factors]]\nid = \"token\"\ntype = \"hotp\"\n");
        let credential = || Credential { first, ..fixture.credential("token") };
        fixture.store.enroll("alice", UserRecord::new(vec![credential()], None).expect("a record"));
        let code = credential().code(first).to_string();
        assert_eq!(fixture.login("alice", |_| code.clone()).granted(), granted, "{first}");
        assert!(!fixture.login("alice", |_| code.clone()).granted(), "{first} again");
    }
}
