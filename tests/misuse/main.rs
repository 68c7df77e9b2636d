//! Every function with every bad argument, in any order and from many threads at once. In sequence, each answer must be one that
//! a model allows; whatever happens, what was taken arrives at the service, whole and once.
//!
//! `RHEED_TORTURE_CALLS` says how many calls are made; the ordinary run makes ten thousand.

#![cfg(feature = "receiver")]

mod call;
mod crowd;
mod model;
mod perform;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use call::{Address, Call, Given, Handle, Source, calls};
use model::{Model, Print, print};
use parking_lot::Mutex;
use perform::{Answer, perform, slot};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rheed_stream::abi::look::rheed_set_log;
use rheed_stream::codes::{Code, Stat, Text};
use rheed_stream::receiver::{ChunkRecord, Receiver, StreamRecord};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::time::Instant;
use support::frames::numbered;
use support::host::{OK, Stream as Handed};
use support::{HANGS_AFTER, Workshop, long_run, service, spool};
use watch::watched;

/// A process has one library: these tests shut it down.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How many calls all tests together make.
fn wanted() -> u64 {
    long_run::times("RHEED_TORTURE_CALLS", 10_000)
}

/// Options that all streams of a game share.
fn shared(service: &Receiver, workshop: &Workshop) -> Vec<String> {
    spool::with(service::options(service, workshop), &["spool_min_free_bytes=0", "pace=off", "connect_timeout_ms=100000"])
}

#[test]
fn in_sequence_every_call_answers_what_the_model_allows() {
    const LENGTHS: RangeInclusive<usize> = 1..=400;
    let _alone = ONE_AT_A_TIME.lock();
    let (played, opened) = (Cell::new(0), Cell::new(0));
    let began = Instant::now();
    while played.get() < wanted() / 2 {
        let few = Config { cases: 8, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
        let mut runner = TestRunner::new(few);
        let outcome = runner.run(&calls(LENGTHS), |calls| {
            let mut game = Game::begin();
            for call in &calls {
                game.play(call);
            }
            game.settle();
            played.set(played.get() + game.played);
            opened.set(opened.get() + game.model.handles().len());
            Ok::<(), TestCaseError>(())
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    long_run::figure(&format!(
        "misuse: {} calls in sequence on {} handles, each answered as the model allows, {} s",
        played.get(),
        opened.get(),
        began.elapsed().as_secs()
    ));
}

#[test]
fn from_many_threads_every_call_answers_what_it_may_and_nothing_is_lost() {
    let _alone = ONE_AT_A_TIME.lock();
    crowd::play(wanted() / 2);
}

/// A library, a service, and the model beside them.
struct Game {
    model: Model,
    service: Receiver,
    workshop: Workshop,
    played: u64,
}

impl Game {
    fn begin() -> Game {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        Game { model: Model::default(), service, workshop, played: 0 }
    }

    /// Makes a call, and panics when it answers what it may not.
    fn play(&mut self, call: &Call) {
        self.played += 1;
        let number = call.handle().map_or(0, |handle| handle.number(self.model.handles()));
        let call = &self.model.shortened(call, number);
        if let Call::Run(handle, Source::Calls(script, end)) = call {
            return self.run(handle, number, script, *end);
        }
        let memory = match call {
            Call::Commit(_, Address::Is(address), _) | Call::Discard(_, Address::Is(address)) => {
                Memory::of_slot(*address, self.model.held.get(&(number, *address)))
            }
            _ => memory_for(call, self.played),
        };
        let allowed = self.model.allowed(call, number);
        let limits = self.model.limits(number);
        let mut options = shared(&self.service, &self.workshop);
        options.push(format!("stream_name=misuse-{}", self.model.handles().len()));
        let Answer { code, opened } = watched(call, number, || perform(call, number, &memory, &options));
        self.judge(call, number, code, &allowed);
        self.model.learn(call, number, code, opened, || prints(call, &memory, &limits));
        if let Call::Acquire(_, acquire) = call
            && code == OK
        {
            self.model.holds(number, opened as usize, written(opened as usize, acquire.bytes as usize, self.played));
        }
        self.check_counts(number);
    }

    /// A source that makes one call each time it is asked.
    fn run(&mut self, handle: &Handle, number: u64, script: &[Call], end: i32) {
        let call = Call::Run(handle.clone(), Source::Calls(script.to_vec(), end));
        let allowed = self.model.allowed(&call, number);
        let is_run = self.model.run_begins(number);
        let mut ended = None;
        let mut asked = 0;
        let mut failed = None;
        let ask = |index| {
            // Nothing may unwind through the library.
            let step = catch_unwind(AssertUnwindSafe(|| {
                assert!(is_run && index == asked && (index == 0 || self.model.run_goes_on(number)), "the source is called");
                asked += 1;
                match script.get(index as usize) {
                    Some(step) => {
                        self.play(step);
                        1
                    }
                    None => {
                        ended = Some(end);
                        end
                    }
                }
            }));
            step.unwrap_or_else(|panic| {
                failed = Some(panic);
                -1
            })
        };
        let code = watched(&call, number, || perform::run(number, ask));
        if let Some(panic) = failed {
            resume_unwind(panic);
        }
        let allowed = if is_run { self.model.run_ends(number, ended) } else { allowed };
        self.judge(&call, number, code, &allowed);
        self.check_counts(number);
    }

    fn judge(&self, call: &Call, number: u64, code: i32, allowed: &[Code]) {
        assert!(allowed.iter().any(|allowed| *allowed as i32 == code), "{call:?} on {number:#x} answers {code}, not {allowed:?}");
    }

    fn check_counts(&self, number: u64) {
        let Some(counts) = self.model.counts(number) else { return };
        let stream = std::mem::ManuallyDrop::new(Handed(number)); // It stays open.
        let stats = stream.stats();
        for (stat, count) in counts {
            assert_eq!(stats[stat as usize], count as i64, "{stat:?} of {number:#x}: {}", stream.text(Text::Report));
        }
        assert!(stats[Stat::FramesMissed as usize] >= 0);
    }

    /// Gives all handles back, and waits until everything that was taken is at the service.
    fn settle(&mut self) {
        for number in self.model.open_handles() {
            self.play(&Call::Free(Handle::MadeUp(number)));
        }
        // What a camera still writes to is there, whatever has become of its stream.
        for (number, address) in self.model.held.keys().copied().collect::<Vec<_>>() {
            self.play(&Call::Discard(Handle::MadeUp(number), Address::Is(address)));
        }
        rheed_set_log(None, ptr::null_mut(), 0);
        let streams = std::mem::take(&mut self.model.freed);
        arrive(&self.service, &self.workshop, &streams.iter().map(|stream| (&*stream.name, stream.accepted())).collect());
        for record in self.service.streams() {
            let stream = streams.iter().find(|stream| stream.name == record.name).expect("only what was opened is there");
            let (frames, chunks) = received(&record, !stream.chunks.is_empty());
            assert!(frames == stream.frames, "the frames of {} are others, or in another order", stream.name);
            assert!(chunks == stream.chunks, "the chunks of {} are others", stream.name);
        }
    }
}

/// The caller's memory, where the call is given frames: noise that differs from call to call, at an odd address every other time.
fn memory_for(call: &Call, seed: u64) -> Memory {
    let bytes = match call {
        Call::Push(_, push) => push.memory(),
        Call::PushChunk(_, chunk) => chunk.memory(),
        _ => 0,
    };
    let skipped = (seed % 2) as usize;
    Memory { bytes: numbered(seed, bytes + skipped), skipped }
}

struct Memory {
    bytes: Vec<u8>,
    skipped: usize,
}

impl Memory {
    /// What is in a slot, which is what its host wrote there; nothing where no slot is.
    fn of_slot(address: usize, written: Option<&Vec<u8>>) -> Memory {
        let bytes = written.cloned().unwrap_or_default();
        assert!(bytes.is_empty() || bytes == *slot(address, bytes.len()), "somebody else writes to the slot {address:#x}");
        Memory { bytes, skipped: 0 }
    }
}

/// Writes to all of a slot; says what.
fn written(address: usize, bytes: usize, seed: u64) -> Vec<u8> {
    let noise = numbered(seed, bytes);
    slot(address, bytes).copy_from_slice(&noise);
    noise
}

impl std::ops::Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.skipped..]
    }
}

fn prints(call: &Call, memory: &[u8], limits: &call::Limits) -> Vec<Print> {
    match call {
        Call::Push(_, push) => push.frames(memory, limits).iter().map(print).collect(),
        Call::PushChunk(_, chunk) => chunk.frames(memory, limits).iter().map(print).collect(),
        Call::Commit(_, _, push) => push.in_slot(memory.len()).frames(memory, limits).iter().map(print).collect(),
        _ => Vec::new(),
    }
}

/// Waits until the service has so many frames of each of these streams, and has been told its end; what was aborted is sent by a
/// resume. Of others it has no frames.
fn arrive(service: &Receiver, workshop: &Workshop, accepted: &HashMap<&str, u64>) {
    let is_here = |record: &StreamRecord| match accepted.get(&*record.name) {
        Some(frames) => record.ended && record.frames() == *frames,
        None => record.frames() == 0,
    };
    let all_here = |service: &Receiver| {
        let records = service.streams();
        let known = records.iter().filter(|record| accepted.contains_key(&*record.name)).count();
        known == accepted.len() && records.iter().all(is_here)
    };
    let end = Instant::now() + HANGS_AFTER;
    while !all_here(service) {
        let lacking: Vec<StreamRecord> = service.streams().into_iter().filter(|record| !is_here(record)).collect();
        assert!(Instant::now() < end, "of {accepted:?}, these are not complete: {lacking:#?}");
        assert_eq!(Handed::resume(&shared(service, workshop)).flush(-1), OK);
    }
}

/// What the service has of a stream: its frames in order, or, where it was given whole chunks, these.
fn received(record: &StreamRecord, given_chunks: bool) -> (Vec<Print>, BTreeMap<u64, Vec<Print>>) {
    let of_chunk = |chunk: &ChunkRecord| -> Vec<Print> {
        let pixels = service::chunk_pixels(record, chunk);
        let frames = pixels.chunks_exact((chunk.width * chunk.height) as usize);
        frames.map(|frame| print(&(chunk.width as u32, chunk.height as u32, frame.to_vec()))).collect()
    };
    let chunks = record.chunks.iter().map(|chunk| (chunk.index, of_chunk(chunk)));
    if given_chunks { (Vec::new(), chunks.collect()) } else { (chunks.flat_map(|(_, frames)| frames).collect(), BTreeMap::new()) }
}
