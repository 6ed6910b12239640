//! The login state of one user as the payload of a slot.

use crate::store::layout::{Reader, Writer};
use crate::verifier::attempt_id::AttemptId;
use crate::verifier::enrollment::CredentialId;
use crate::verifier::otp::{AnsweredBy, BypassCode, RecoveryHash};
use crate::verifier::state::{
    ChainFailures, ChainMark, DrawKey, FailureCounts, KnownSource, Lane, LoginState, NameKey, OutcomeNumber,
    PastOutcome, RecoveryMarks, ReplayMark, SourceKey,
};
use crate::verifier::time::UnixTime;

/// States have no flags yet, so a set flag comes from a later version.
const STATE_FLAGS: u32 = 0;
/// The flag of a mark: a reset made it.
const BY_RESET: u32 = 1;
/// How many known sources version 1 had.
const MAX_KNOWN_1: usize = 8;
/// The bits of an outcome's flags: what was typed, and whether a failure was charged.
const BY: u16 = 3;
const CHARGED: u16 = 4;

/// Appends `state`. `None` if it exceeds the limits of a state.
pub fn encode(writer: &mut Writer, state: &LoginState) -> Option<()> {
    let LoginState { failures, recovery, marks, outcomes, .. } = state;
    if marks.len() > LoginState::MAX_MARKS
        || outcomes.len() > LoginState::MAX_OUTCOMES
        || failures.known.len() > FailureCounts::MAX_KNOWN
    {
        return None;
    }
    writer.u32(STATE_FLAGS).bytes(&state.draw_key.0);
    encode_failures(writer, failures)?;
    writer.time(state.last_success).time(state.reset_at);
    writer.u64(recovery.set).u64(recovery.used).time(recovery.used_at);
    encode_bypass(writer, state.bypass.as_ref());
    writer.u16(u16::try_from(marks.len()).ok()?);
    for mark in marks {
        writer.u64(mark.credential.to_number()).u64(mark.next).u64(mark.used_at.seconds());
        writer.u32(if mark.by_reset { BY_RESET } else { 0 });
    }
    writer.u16(u16::try_from(outcomes.len()).ok()?);
    for outcome in outcomes {
        encode_outcome(writer, outcome);
    }
    Some(())
}

/// Reads a state of version 2. `None` for bytes that [`encode`] does not write.
pub fn decode(reader: &mut Reader<'_>) -> Option<LoginState> {
    if reader.u32()? != STATE_FLAGS {
        return None;
    }
    let draw_key = DrawKey(reader.array()?);
    let failures = decode_failures(reader)?;
    let (last_success, reset_at) = (reader.time()?, reader.time()?);
    let recovery = decode_recovery(reader)?;
    let bypass = decode_bypass(reader)?;
    let marks = decode_list(reader, LoginState::MAX_MARKS, |reader| {
        let mark = decode_mark(reader)?;
        let flags = reader.u32()?;
        (flags & !BY_RESET == 0).then_some(ReplayMark { by_reset: flags == BY_RESET, ..mark })
    })?;
    let outcomes = decode_list(reader, LoginState::MAX_OUTCOMES, decode_outcome)?;
    Some(LoginState { draw_key, failures, last_success, marks, recovery, reset_at, bypass, outcomes })
}

/// Reads a state of version 1. In version 1 a reset had no flag; it set the counters of tokens to the highest number.
pub fn decode_1(reader: &mut Reader<'_>) -> Option<LoginState> {
    let draw = reader.u64()?;
    let draw_key = DrawKey(reader.array()?);
    let failures = decode_failures_1(reader, draw)?;
    let last_success = reader.time()?;
    let recovery = decode_recovery(reader)?;
    let marks = decode_list(reader, LoginState::MAX_MARKS, |reader| {
        let mark = decode_mark(reader)?;
        let voided = mark.next == u64::MAX;
        Some(if voided { ReplayMark { next: 0, by_reset: true, ..mark } } else { mark })
    })?;
    Some(LoginState { draw_key, failures, last_success, marks, recovery, ..LoginState::default() })
}

fn encode_failures(writer: &mut Writer, failures: &FailureCounts) -> Option<()> {
    let FailureCounts { strangers, fillers, known } = failures;
    encode_lane(writer, strangers)?;
    encode_lane(writer, fillers)?;
    writer.u16(u16::try_from(known.len()).ok()?);
    for source in known {
        writer.u64(source.key.to_number()).u64(source.success_at.seconds());
        encode_lane(writer, &source.lane)?;
    }
    Some(())
}

/// Writes the largest value for a count that exceeds its field; both have the same effect.
fn encode_lane(writer: &mut Writer, lane: &Lane) -> Option<()> {
    if lane.chains.len() > Lane::MAX_CHAINS {
        return None;
    }
    let small = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    writer.u64(lane.draw).u64(lane.last_at.seconds()).u32(u32::try_from(lane.day).unwrap_or(u32::MAX));
    writer.u16(small(lane.today)).u16(small(lane.forgiven)).u32(lane.recovery);
    writer.u16(small(u32::try_from(lane.chains.len()).ok()?));
    for ChainFailures { chain, count } in &lane.chains {
        writer.u64(chain.key).bytes(&[chain.hardness, 0]).u16(small(*count));
    }
    Some(())
}

fn decode_failures(reader: &mut Reader<'_>) -> Option<FailureCounts> {
    let (strangers, fillers) = (decode_lane(reader)?, decode_lane(reader)?);
    let known = decode_list(reader, FailureCounts::MAX_KNOWN, |reader| {
        let (key, success_at) = (SourceKey::from_number(reader.u64()?), decode_moment(reader)?);
        Some(KnownSource { key, success_at, lane: decode_lane(reader)? })
    })?;
    Some(FailureCounts { strangers, fillers, known })
}

fn decode_lane(reader: &mut Reader<'_>) -> Option<Lane> {
    let (draw, last_at, day) = (reader.u64()?, decode_moment(reader)?, u64::from(reader.u32()?));
    let (today, forgiven) = (u32::from(reader.u16()?), u32::from(reader.u16()?));
    let recovery = reader.u32()?;
    let chains = decode_list(reader, Lane::MAX_CHAINS, |reader| {
        let key = reader.u64()?;
        let [hardness, zero] = reader.array()?;
        let count = u32::from(reader.u16()?);
        (zero == 0).then_some(ChainFailures { chain: ChainMark { key, hardness }, count })
    })?;
    Some(Lane { draw, chains, last_at, day, today, forgiven, recovery })
}

/// Version 1 counted per user, not per chain. No success forgives the failures of strangers; any success
/// forgives those of a known place.
fn decode_failures_1(reader: &mut Reader<'_>, draw: u64) -> Option<FailureCounts> {
    // Larger numbers have the same effect.
    let small = |count: u32| count.min(u16::MAX.into());
    let lane = |count: u32, last_at, hardness| {
        let (count, chain) = (small(count), ChainMark { key: 0, hardness });
        let chains = if count == 0 { Vec::new() } else { vec![ChainFailures { chain, count }] };
        Lane { chains, last_at, ..Lane::default() }
    };
    let strangers = lane(reader.u32()?, decode_moment(reader)?, u8::MAX);
    let (day, today) = (reader.u64()?.min(u32::MAX.into()), small(reader.u32()?));
    let (_, recovery) = (reader.u32()?, reader.u32()?);
    let strangers = Lane { draw, day, today, recovery, ..strangers };
    let known = decode_list(reader, MAX_KNOWN_1, |reader| {
        let (key, success_at) = (SourceKey::from_number(reader.u64()?), decode_moment(reader)?);
        let lane = Lane { day, ..lane(reader.u32()?, decode_moment(reader)?, 0) };
        Some(KnownSource { key, success_at, lane })
    })?;
    Some(FailureCounts { strangers, known, ..FailureCounts::default() })
}

fn decode_recovery(reader: &mut Reader<'_>) -> Option<RecoveryMarks> {
    Some(RecoveryMarks { set: reader.u64()?, used: reader.u64()?, used_at: reader.time()? })
}

/// Writes the same number of bytes with and without a code.
fn encode_bypass(writer: &mut Writer, bypass: Option<&BypassCode>) {
    let Some(BypassCode { hash, made_at, expires_at, used_at }) = bypass else {
        writer.bytes(&[0; 48]).time(None).time(None).time(None);
        return;
    };
    writer.bytes(&hash.salt).bytes(&hash.hash);
    writer.u64(made_at.seconds()).u64(expires_at.seconds()).time(*used_at);
}

#[allow(clippy::option_option)] // outside: the end of the bytes; inside: no code
fn decode_bypass(reader: &mut Reader<'_>) -> Option<Option<BypassCode>> {
    let hash = RecoveryHash { salt: reader.array()?, hash: reader.array()? };
    let (made_at, expires_at) = (decode_moment(reader)?, decode_moment(reader)?);
    let code = BypassCode { hash, made_at, expires_at, used_at: reader.time()? };
    // Every code has an end, so a missing end is damage.
    Some((expires_at != UnixTime::default()).then_some(code))
}

fn decode_mark(reader: &mut Reader<'_>) -> Option<ReplayMark> {
    Some(ReplayMark {
        credential: CredentialId::from_number(reader.u64()?),
        next: reader.u64()?,
        used_at: decode_moment(reader)?,
        by_reset: false,
    })
}

fn encode_outcome(writer: &mut Writer, outcome: &PastOutcome) {
    let by = match outcome.by {
        AnsweredBy::Code => 0,
        AnsweredBy::RecoveryCode => 1,
        AnsweredBy::BypassCode => 2,
    };
    writer.u64(outcome.at.seconds()).u64(outcome.attempt.to_number()).u64(outcome.source.to_number());
    writer.u64(outcome.service.to_number()).u64(outcome.factor.to_number());
    writer.bytes(&[outcome.step, outcome.steps, outcome.outcome.to_number(), 0]);
    writer.u16(by | if outcome.charged { CHARGED } else { 0 });
}

fn decode_outcome(reader: &mut Reader<'_>) -> Option<PastOutcome> {
    let at = decode_moment(reader)?;
    let (attempt, source) = (AttemptId::from_number(reader.u64()?), SourceKey::from_number(reader.u64()?));
    let (service, factor) = (NameKey::from_number(reader.u64()?), NameKey::from_number(reader.u64()?));
    let [step, steps, outcome, zero] = reader.array()?;
    let outcome = OutcomeNumber::from_number(outcome).filter(|_| zero == 0)?;
    let flags = reader.u16()?;
    let by = match flags & BY {
        0 => AnsweredBy::Code,
        1 => AnsweredBy::RecoveryCode,
        2 => AnsweredBy::BypassCode,
        _ => return None,
    };
    if flags & !(BY | CHARGED) != 0 {
        return None;
    }
    let charged = flags & CHARGED != 0;
    Some(PastOutcome { at, attempt, source, service, factor, step, steps, outcome, by, charged })
}

fn decode_moment(reader: &mut Reader<'_>) -> Option<UnixTime> {
    reader.u64().map(UnixTime::from_seconds)
}

/// Reads a count of 16 bits, at most `most`, and then as many entries.
fn decode_list<'a, T>(
    reader: &mut Reader<'a>,
    most: usize,
    mut entry: impl FnMut(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = usize::from(reader.u16()?);
    if count > most {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(entry(reader)?);
    }
    Some(entries)
}
