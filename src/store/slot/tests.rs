use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::verifier::attempt_id::AttemptId;
use crate::verifier::enrollment::CredentialId;
use crate::verifier::otp::{AnsweredBy, BypassCode, RecoveryHash};
use crate::verifier::state::{
    ChainFailures, ChainMark, FailureCounts, KnownSource, Lane, NameKey, OutcomeNumber, PastOutcome,
    RecoveryMarks, ReplayMark, SourceKey,
};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

fn own() -> Owner {
    Owner(Username::parse("alice").expect("a name"))
}

fn lane() -> impl Strategy<Value = Lane> {
    let chain = (any::<u64>(), any::<u8>(), any::<u16>()).prop_map(|(key, hardness, count)| ChainFailures {
        chain: ChainMark { key, hardness },
        count: count.into(),
    });
    let chains = vec(chain, 0..=Lane::MAX_CHAINS);
    (any::<(u64, u64, u32, u16, u16, u32)>(), chains).prop_map(
        |((draw, last_at, day, today, forgiven, recovery), chains)| Lane {
            draw,
            chains,
            last_at: UnixTime::from_seconds(last_at),
            day: day.into(),
            today: today.into(),
            forgiven: forgiven.into(),
            recovery,
        },
    )
}

fn known() -> impl Strategy<Value = KnownSource> {
    (any::<u64>(), any::<u64>(), lane()).prop_map(|(key, at, lane)| KnownSource {
        key: SourceKey::from_number(key),
        success_at: UnixTime::from_seconds(at),
        lane,
    })
}

fn failures() -> impl Strategy<Value = FailureCounts> {
    (lane(), lane(), vec(known(), 0..=FailureCounts::MAX_KNOWN))
        .prop_map(|(strangers, fillers, known)| FailureCounts { strangers, fillers, known })
}

fn time() -> impl Strategy<Value = UnixTime> {
    (1_u64..=u64::MAX).prop_map(UnixTime::from_seconds)
}

fn mark() -> impl Strategy<Value = ReplayMark> {
    (any::<u64>(), any::<u64>(), time(), any::<bool>()).prop_map(|(credential, next, used_at, by_reset)| {
        ReplayMark { credential: CredentialId::from_number(credential), next, used_at, by_reset }
    })
}

fn bypass() -> impl Strategy<Value = BypassCode> {
    (any::<([u8; 16], [u8; 32])>(), time(), time(), option::of(time())).prop_map(
        |((salt, hash), made_at, expires_at, used_at)| BypassCode {
            hash: RecoveryHash { salt, hash },
            made_at,
            expires_at,
            used_at,
        },
    )
}

fn outcome() -> impl Strategy<Value = PastOutcome> {
    let by =
        prop_oneof![Just(AnsweredBy::Code), Just(AnsweredBy::RecoveryCode), Just(AnsweredBy::BypassCode)];
    (any::<[u64; 5]>(), any::<[u8; 2]>(), 0..OutcomeNumber::WORDS.len(), by, any::<bool>()).prop_map(
        |([at, attempt, source, service, factor], [step, steps], outcome, by, charged)| PastOutcome {
            at: UnixTime::from_seconds(at),
            attempt: AttemptId::from_number(attempt),
            source: SourceKey::from_number(source),
            service: NameKey::from_number(service),
            factor: NameKey::from_number(factor),
            step,
            steps,
            outcome: OutcomeNumber::from_number(u8::try_from(outcome).expect("small")).expect("known"),
            by,
            charged,
        },
    )
}

fn state() -> impl Strategy<Value = LoginState> {
    (
        any::<[u8; 32]>(),
        failures(),
        [option::of(time()).boxed(), option::of(time()).boxed()],
        vec(mark(), 0..=LoginState::MAX_MARKS),
        (any::<u64>(), any::<u64>(), option::of(time())),
        option::of(bypass()),
        vec(outcome(), 0..=LoginState::MAX_OUTCOMES),
    )
        .prop_map(
            |(key, failures, [last_success, reset_at], marks, (set, used, used_at), bypass, outcomes)| {
                let recovery = RecoveryMarks { set, used, used_at };
                let draw_key = DrawKey(key);
                LoginState { draw_key, failures, last_success, marks, recovery, reset_at, bypass, outcomes }
            },
        )
}

proptest! {
    #[test]
    fn a_state_reads_back_as_it_was_written(state in state(), sequence in any::<u64>()) {
                let slot = encode(&state, &own(), sequence).expect("it fits");
        prop_assert_eq!(decode(slot.as_slice(), &own()), Ok((state, sequence)));
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(state in state(), place in 0..SLOT_BYTES, flip in 1_u8..) {
        let mut slot = encode(&state, &own(), 1).expect("it fits");
        slot[place] ^= flip;
        prop_assert!(decode(slot.as_slice(), &own()).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(
        mut bytes in vec(any::<u8>(), SLOT_BYTES), header in any::<bool>(), version in 1..=VERSION
    ) {
        if header {
            bytes[..8].copy_from_slice(MAGIC);
            bytes[8..10].copy_from_slice(&version.to_le_bytes());
            let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
            bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        }
        let _ = decode(&bytes, &own());
    }
}

/// Decodes a slot of version 2 after setting the bytes at `at` and computing the checksum again.
fn with(state: &LoginState, at: usize, bytes: &[u8]) -> Result<(LoginState, u64), InvalidSlot> {
    let mut slot = encode(state, &own(), 1).expect("it fits");
    slot[at..][..bytes.len()].copy_from_slice(bytes);
    let checksum = crc32c::crc32c(&slot[..CHECKSUM_AT]);
    slot[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    decode(slot.as_slice(), &own())
}

#[test]
fn what_no_version_wrote_is_refused() {
    let credential = CredentialId::from_number(1);
    let mark = ReplayMark { credential, next: 2, used_at: UnixTime::from_seconds(3), by_reset: true };
    let state = LoginState { marks: vec![mark], ..LoginState::default() };
    assert!(with(&state, 8, &[2, 0]).is_ok());
    let lane = 30;
    let known = 24 + 8 + 4 + 32 + 2 * lane;
    let mark_flags = known + 2 + 8 * 5 + 72 + 2 + 24;
    assert!(with(&state, mark_flags, &[0, 0, 0, 0]).is_ok());
    for (what, at, bytes) in [
        ("a flag of the state", 32, &[1, 0, 0, 0][..]),
        ("a flag of a mark", mark_flags, &[3, 0, 0, 0]),
        ("more known sources than fit", known, &[13, 0]),
        ("more chains than fit", 24 + 8 + 4 + 32 + 28, &[4, 0]),
    ] {
        assert_eq!(with(&state, at, bytes), Err(InvalidSlot::Content), "{what}");
    }
    assert_eq!(with(&state, 24, &[1]), Err(InvalidSlot::Owner));
    assert_eq!(with(&state, 10, &[3, 0]), Err(InvalidSlot::Owner), "a kind that no version wrote");
    assert_eq!(with(&state, 8, &[3, 0]), Err(InvalidSlot::Version(3)));
    assert_eq!(with(&state, 8, &[0, 0]), Err(InvalidSlot::Version(0)));
}

proptest! {
    /// A user with the most of everything must still be able to log in.
    #[test]
    fn the_largest_state_leaves_room_in_its_slot(
        marks in vec(mark(), LoginState::MAX_MARKS), outcomes in vec(outcome(), LoginState::MAX_OUTCOMES)
    ) {
        let chain = ChainFailures { chain: ChainMark { key: 1, hardness: 1 }, count: 1 };
        let lane = Lane { chains: vec![chain; Lane::MAX_CHAINS], ..Lane::default() };
        let (key, success_at) = (SourceKey::from_number(1), UnixTime::default());
        let known = vec![KnownSource { key, success_at, lane: lane.clone() }; FailureCounts::MAX_KNOWN];
        let failures = FailureCounts { strangers: lane.clone(), fillers: lane, known };
        let state = LoginState { failures, marks, outcomes, ..LoginState::default() };
        let slot = encode(&state, &own(), 1).expect("it fits");
        prop_assert!(slot[3_840..CHECKSUM_AT].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_slot_that_stands_in_for_another_file_is_no_state_and_names_it_to_its_user_alone() {
    let slot = encode_unsettled(&own(), &DrawKey([7; 32]), 99).expect("it fits");
    assert_eq!(decode(slot.as_slice(), &own()), Err(InvalidSlot::Unsettled(99)));
    let bob = Owner(Username::parse("bob").expect("a name"));
    assert_eq!(decode(slot.as_slice(), &bob), Err(InvalidSlot::Owner));
}

/// The state after a reset of version 1.
#[test]
fn a_counter_that_version_1_voided_stays_void() {
    let mut writer = Writer::default();
    writer.u64(1).bytes(&[7; 32]).bytes(&[0; 4 + 8 + 8 + 12]).u16(0).u64(0).u64(0).u64(0).u64(0);
    writer.u16(1).u64(5).u64(u64::MAX).u64(99);
    let bytes = writer.into_bytes();
    let state = user_state::decode_1(&mut Reader::new(&bytes)).expect("a state");
    let used_at = UnixTime::from_seconds(99);
    assert_eq!(
        state.marks,
        [ReplayMark { credential: CredentialId::from_number(5), next: 0, used_at, by_reset: true }]
    );
}
