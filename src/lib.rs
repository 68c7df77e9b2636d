//! rheed-stream: puts a growth chamber's RHEED camera on line.

#[cfg(feature = "receiver")]
pub mod receiver;
