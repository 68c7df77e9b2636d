//! rheed-stream: puts a growth chamber's RHEED camera on line.
//!
//! The C interface is `abi`; below it everything is plain Rust, and dependencies point one way:
//! `abi -> engine -> stream, upload -> spool, service, shard`. `docs/architecture.md` shows the road of a frame.

pub mod abi;
mod camera_clock;
mod clock;
pub mod codes;
mod engine;
mod error;
mod frame_ids;
mod ids;
mod ledger;
mod log;
pub mod options;
mod panics;
mod platform;
mod service;
mod shard;
mod spool;
mod stamps;
mod stream;
mod upload;
mod wait;
pub mod words;

#[cfg(feature = "receiver")]
pub mod receiver;

/// What the fuzz targets in fuzz/ ask of the inside. Only they build it.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::service::fuzz::answer;
    pub use crate::spool::fuzz::recover;
}
