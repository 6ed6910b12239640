//! The engine: policy, chain, one-time codes, verdict. Pure, so that everything it decides can be
//! tested without a file, a clock or libpam.
#![forbid(unsafe_code)]

pub mod otp;
pub mod policy;
pub mod ports;
pub mod request;
pub mod time;
pub mod username;
