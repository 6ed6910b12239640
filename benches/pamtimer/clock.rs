//! The clock of this process, for every library in it: the dynamic linker finds these functions before those of
//! the C library.

use std::ffi::{c_int, c_long};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Seconds since 1970, as every module sees them.
static NOW: AtomicI64 = AtomicI64::new(0);

/// One time step of RFC 6238.
const STEP_SECONDS: i64 = 30;

/// Starts at the time of day, or where the last run on the services in `folder` ended, so that no code of it is
/// asked for again.
pub fn start(folder: &str) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    real_clock_gettime(libc::CLOCK_REALTIME, &raw mut time);
    let ended = std::fs::read_to_string(kept_in(folder)).ok().and_then(|text| text.trim().parse().ok());
    let begin = time.tv_sec.max(ended.unwrap_or(0));
    NOW.store((begin / STEP_SECONDS + 10) * STEP_SECONDS, Ordering::Relaxed);
}

/// Keeps the time for the next run.
pub fn keep(folder: &str) {
    std::fs::write(kept_in(folder), NOW.load(Ordering::Relaxed).to_string()).expect("room for the time");
}

fn kept_in(folder: &str) -> PathBuf {
    Path::new(folder).join("clock")
}

/// Moves on by one time step, or by `steps`.
pub fn advance(steps: i64) {
    NOW.fetch_add(steps * STEP_SECONDS, Ordering::Relaxed);
}

/// The time step that it is.
pub fn time_step() -> u64 {
    u64::try_from(NOW.load(Ordering::Relaxed) / STEP_SECONDS).expect("after 1970")
}

/// time(2), standing still.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(place: *mut libc::time_t) -> libc::time_t {
    let now = NOW.load(Ordering::Relaxed);
    if !place.is_null() {
        // SAFETY: time(2): null, or room for the time.
        unsafe { place.write(now) };
    }
    now
}

/// `clock_gettime(2)`, standing still for the time of day.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, place: *mut libc::timespec) -> c_int {
    if clock == libc::CLOCK_REALTIME {
        // SAFETY: clock_gettime(2): room for the time.
        unsafe { place.write(libc::timespec { tv_sec: NOW.load(Ordering::Relaxed), tv_nsec: 0 }) };
        return 0;
    }
    real_clock_gettime(clock, place)
}

/// gettimeofday(2), standing still.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(place: *mut libc::timeval, _zone: *mut libc::c_void) -> c_int {
    // SAFETY: gettimeofday(2): room for the time.
    unsafe { place.write(libc::timeval { tv_sec: NOW.load(Ordering::Relaxed), tv_usec: 0 as c_long }) };
    0
}

fn real_clock_gettime(clock: c_int, place: *mut libc::timespec) -> c_int {
    type ClockGettime = unsafe extern "C" fn(c_int, *mut libc::timespec) -> c_int;
    static REAL: OnceLock<ClockGettime> = OnceLock::new();
    let real = REAL.get_or_init(|| {
        // SAFETY: dlsym(3) with a NUL-terminated name.
        let symbol = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        assert!(!symbol.is_null(), "the C library has a clock");
        // SAFETY: the function of that name in time.h, whose signature this is.
        unsafe { std::mem::transmute::<*mut libc::c_void, ClockGettime>(symbol) }
    });
    // SAFETY: what the caller of clock_gettime(2) promised.
    unsafe { real(clock, place) }
}
