//! rheed-stream: puts a growth chamber's RHEED camera on line.
//!
//! The C interface is `abi`; below it everything is plain Rust, and dependencies point one way:
//! `abi -> engine -> stream, upload -> spool, service, shard`. `docs/architecture.md` shows the road of a frame.

pub mod abi;
mod clock;
pub mod codes;
mod engine;
mod error;
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
