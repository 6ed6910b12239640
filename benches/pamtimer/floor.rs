//! What no module that remembers codes can do without: one slot written and synced, and the HMACs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// A file of two slots, written in turn.
pub struct Floor {
    file: File,
    writes: u64,
}

impl Floor {
    /// Makes the file, every block of it on the disk.
    pub fn open(path: &str) -> Self {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).expect("a file");
        file.write_all_at(&[1; 8192], 0).expect("room");
        file.sync_all().expect("a disk");
        Self { file, writes: 0 }
    }

    /// Writes a slot, syncs it, and computes as many HMACs as the scan of a window does.
    pub fn nanoseconds(&mut self) -> u64 {
        self.writes += 1;
        let mut slot = [0_u8; 4096];
        slot[..8].copy_from_slice(&self.writes.to_le_bytes());
        let began = Instant::now();
        self.file.write_all_at(&slot, self.writes % 2 * 4096).expect("room");
        self.file.sync_data().expect("a disk");
        for counter in 0..3_u64 {
            let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&[7; 20]).expect("any key");
            mac.update(&counter.to_be_bytes());
            std::hint::black_box(mac.finalize().into_bytes());
        }
        u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
