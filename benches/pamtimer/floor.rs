//! What no module that remembers codes can do without: one slot written and synced, and the HMACs.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Writes a slot of `file` in place and syncs it, then computes as many HMACs as a scan does: `floor 0 NS NS`.
pub fn measure(count: u32, file: &str, hmacs: u32) {
    let slot = OpenOptions::new().write(true).create(true).truncate(false).open(file).expect("a file");
    slot.write_all_at(&[0; 8192], 0).expect("room");
    slot.sync_all().expect("a disk");
    let mut bytes = [0_u8; 4096];
    for number in 0..count {
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let began = Instant::now();
        slot.write_all_at(&bytes, u64::from(number % 2) * 4096).expect("room");
        slot.sync_data().expect("a disk");
        for counter in 0..hmacs {
            let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&[7; 20]).expect("any key");
            mac.update(&u64::from(counter).to_be_bytes());
            std::hint::black_box(mac.finalize().into_bytes());
        }
        let nanoseconds = began.elapsed().as_nanos();
        println!("floor 0 {nanoseconds} {nanoseconds}");
    }
}
