//! The host of `tests/c/night.c`: a camera of 120 frames per second in a process of its own, which is killed, and what has to be
//! found afterwards.

use super::frames::numbers;
use super::service;
use super::spool::{files, frame_ids, streams};
use super::{Dialect, HANGS_AFTER, Linked, Running, Workshop, root, start_in};
use rheed_stream::receiver::{Receiver, StreamRecord};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Of the camera.
pub const FPS: u64 = 120;
const FRAME_NS: i64 = 1_000_000_000 / FPS as i64;
const FIRST_STAMP_NS: i64 = 1_700_000_000_000_000_000;

/// Its time stamp of a frame.
pub fn stamp_ns(number: u64) -> i64 {
    FIRST_STAMP_NS + number as i64 * FRAME_NS + (number * 7919 % 1000) as i64 * 1000
}

/// Builds a host: `night`, or `struck`, which is the same but for its end.
pub fn build(workshop: &Workshop, host: &str) -> PathBuf {
    workshop.build(&Dialect::c("c11"), &root().join("tests/c").join(host).with_extension("c"), Linked::Shared)
}

/// The process, and the file in which it keeps account.
pub struct Night {
    process: Running,
    account: PathBuf,
}

/// What the process had done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub opened: bool,
    /// Frames of which the push has begun.
    pub begun: u64,
    /// Frames that were taken.
    pub accepted: u64,
    /// Pushes for which there was no slot.
    pub refused: u64,
    pub finalizing: bool,
    pub done: bool,
}

impl Account {
    fn read(file: &Path) -> Account {
        let bytes = std::fs::read(file).unwrap_or_default();
        let value = |at: usize| bytes.get(8 * at..8 * at + 8).map_or(0, |value| u64::from_le_bytes(value.try_into().expect("8")));
        Account {
            opened: value(0) > 0,
            begun: value(1),
            accepted: value(2),
            refused: value(3),
            finalizing: value(4) > 0,
            done: value(5) > 0,
        }
    }
}

impl Night {
    /// Pushes so many frames and finalizes. Keeps its account in the file.
    pub fn stream(host: &Path, account: PathBuf, frames: u64, size: (u32, u32), options: &[String]) -> Night {
        Night::stream_with(&[], host, account, frames, size, options)
    }

    /// The same in an environment.
    pub fn stream_with(
        environment: &[(&str, String)],
        host: &Path,
        account: PathBuf,
        frames: u64,
        (width, height): (u32, u32),
        options: &[String],
    ) -> Night {
        let numbers = [frames.to_string(), width.to_string(), height.to_string()];
        Night::start(environment, host, "stream", account, numbers.iter().chain(options).cloned())
    }

    /// Takes up a spool.
    pub fn resume(host: &Path, account: PathBuf, options: &[String]) -> Night {
        Night::resume_with(&[], host, account, options)
    }

    /// The same in an environment.
    pub fn resume_with(environment: &[(&str, String)], host: &Path, account: PathBuf, options: &[String]) -> Night {
        Night::start(environment, host, "resume", account, options.iter().cloned())
    }

    fn start(
        environment: &[(&str, String)],
        host: &Path,
        mode: &str,
        account: PathBuf,
        arguments: impl Iterator<Item = String>,
    ) -> Night {
        let first = [mode.to_string(), account.display().to_string()];
        Night { process: start_in(environment, host, first.into_iter().chain(arguments)), account }
    }

    /// What it has done so far.
    pub fn account(&self) -> Account {
        Account::read(&self.account)
    }

    /// Waits until it has done something, or has ended.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&Account) -> bool) {
        let end = Instant::now() + HANGS_AFTER;
        while !is_so(&self.account()) && !self.process.has_ended() {
            assert!(Instant::now() < end, "{what} does not come true: {:?}", self.account());
            std::thread::sleep(Duration::from_millis(1)); // Between looks: there is nothing to wait on.
        }
    }

    /// Kills it with SIGKILL, unless it has ended well before; tells whether it was killed.
    #[track_caller]
    pub fn kill(self) -> (bool, Account) {
        let ended = self.process.kill();
        let account = Account::read(&self.account);
        let killed = ended.status.code().is_none();
        assert!(killed || (ended.status.success() && account.done), "{ended:?} {account:?}");
        (killed, account)
    }

    /// Waits for its end.
    pub fn finish(self) -> super::Ended {
        self.process.finish()
    }
}

/// So many frames of a stream, from the first on, are somewhere: whole in a file of the spool or at the service. There are no
/// others, and none is missing among them.
#[track_caller]
pub fn reached(service: &Receiver, spool: &Path, name: &str, size: (u32, u32)) -> u64 {
    let sent = service.streams().into_iter().filter(|stream| stream.name == name);
    let mut numbers: BTreeSet<u64> = sent.flat_map(|stream| frames_of(&stream, size)).collect();
    for folder in streams(spool).iter().filter(|folder| stream_name(folder).as_deref() == Some(name)) {
        for file in [files(folder, ".part"), files(folder, ".shard")].concat() {
            numbers.extend(frame_ids(&file));
        }
    }
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{name} has gaps: {numbers:?}");
    numbers.len() as u64
}

fn stream_name(folder: &Path) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("stream.json")).ok()?).ok()?;
    Some(manifest["stream"]["stream_name"].as_str()?.to_string())
}

fn frames_of(stream: &StreamRecord, (width, height): (u32, u32)) -> Vec<u64> {
    numbers(&service::pixels(stream), (width * height) as usize)
}

/// The one stream that a host made, if there is one. Of those that are not ended it never heard: they have no frames, and there is
/// nobody who could know of them. So many are there.
#[track_caller]
pub fn the_stream_of(service: &Receiver, name: &str) -> (Option<StreamRecord>, u64) {
    let streams = service.streams().into_iter().filter(|stream| stream.name == name);
    let (known, orphans): (Vec<_>, Vec<_>) = streams.partition(|stream| stream.ended);
    assert!(orphans.iter().all(|stream| stream.chunks.is_empty()), "{orphans:?}");
    assert!(known.len() <= 1, "{known:?}");
    (known.into_iter().next(), orphans.len() as u64)
}

/// The stream is ended, and its frames are whole, in order, each once, with the stamps that the camera gave them, whatever the
/// service's clock; says how many.
#[track_caller]
pub fn arrived(stream: &StreamRecord, size: (u32, u32)) -> u64 {
    assert!(stream.ended, "{stream:?}");
    let found = frames_of(stream, size);
    assert!(found.iter().copied().eq(0..found.len() as u64), "{found:?}");
    let declared_ns = (1e9 / stream.fps_capture_rate).round() as i64;
    let mut first = 0;
    for (index, chunk) in stream.chunks.iter().enumerate() {
        assert_eq!(chunk.index, index as u64, "{stream:?}");
        let last = first + chunk.frames - 1;
        let (start_ns, end_ns) = (stamp_ns(first), stamp_ns(last) + declared_ns);
        let offset_ms = chunk.clock_offset_ms.unwrap_or(0.0);
        for (told_ms, ns) in [(chunk.start_unix_ms_utc, start_ns), (chunk.end_unix_ms_utc, end_ns)] {
            // Whole microseconds are told, of the sum and of the offset.
            assert!((told_ms - offset_ms - ns as f64 / 1e6).abs() < 0.003, "{chunk:?} with {ns} ns");
        }
        let span_ns = stamp_ns(last) - stamp_ns(first);
        let rate = if span_ns > 0 { (chunk.frames - 1) as f64 * 1e9 / span_ns as f64 } else { stream.fps_capture_rate };
        assert!((chunk.avg_frame_rate - rate).abs() < 1e-6, "{chunk:?} with {rate} fps");
        first += chunk.frames;
    }
    first
}
