//! Threads that help encoders: while frames wait, several of a stream's frames are compressed at once.
//!
//! They are shared by all streams, one for each core but one. An encoder offers the frames that it has in hand beside the one that
//! it compresses itself; whoever comes first takes the next one, and the encoder whatever nobody took. So a stream whose encoder
//! keeps up by itself wakes nobody, and nobody waits for helpers that do not come.

use super::intake::Filled;
use crate::panics;
use crate::shard::FrameCompressor;
use crate::spool::FrameRecord;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// More than a camera could make use of.
const MOST_HELPERS: usize = 7;
/// Below this a frame is compressed sooner than somebody is woken.
const WORTH_A_CALL: usize = 64 << 10;

/// A frame in an encoder's hands, until it is in its chunk.
pub struct Piece {
    /// Until its encoder has it back.
    work: Mutex<Option<Work>>,
    level: i32,
    /// By whoever compresses it.
    taken: AtomicBool,
    done: AtomicBool,
    encoder: Thread,
}

/// What becomes of a frame.
pub struct Work {
    /// It keeps its slot until it is in its chunk: what can be lost with the process is what fits in the slots.
    pub frame: Filled,
    /// Room for its record, then the compressed frame.
    pub buffer: Vec<u8>,
    /// How compression went, and how long it took.
    pub outcome: io::Result<Duration>,
}

impl Piece {
    /// Of the encoder that runs here, to be compressed at that level into that buffer.
    pub fn new(frame: Filled, buffer: Vec<u8>, level: i32) -> Piece {
        // Should compression break off in a panic, this is how it went.
        let work = Work { frame, buffer, outcome: Err(io::ErrorKind::Other.into()) };
        let (taken, done) = (AtomicBool::new(false), AtomicBool::new(false));
        Piece { work: Mutex::new(Some(work)), level, taken, done, encoder: std::thread::current() }
    }

    /// Compresses it, unless that is done or somebody is at it; tells whether it did.
    pub fn compress(&self, compressor: &mut FrameCompressor) -> bool {
        if self.taken.swap(true, Ordering::AcqRel) {
            return false;
        }
        let _done = Done(self);
        if let Some(work) = &mut *self.work.lock() {
            work.compress(compressor, self.level);
        }
        true
    }

    /// At which it is compressed.
    pub fn level(&self) -> i32 {
        self.level
    }

    /// Whether whoever took it is done with it, however that ended.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Gives back what became of it, once it is done. If somebody else failed with it, it is tried again.
    pub fn finish(&self, compressor: &mut FrameCompressor) -> Work {
        let mut work = self.work.lock().take().expect("nobody but its encoder takes it back, once");
        if work.outcome.is_err() {
            work.compress(compressor, self.level);
        }
        work
    }
}

impl Work {
    fn compress(&mut self, compressor: &mut FrameCompressor, level: i32) {
        let began = Instant::now();
        self.buffer.clear();
        self.buffer.resize(FrameRecord::SIZE, 0);
        let compressed = compressor.set_level(level).and_then(|()| compressor.append(self.frame.pixels(), &mut self.buffer));
        self.outcome = compressed.map(|()| began.elapsed());
    }
}

/// A piece is done when this is dropped, however that ended.
struct Done<'a>(&'a Piece);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Release);
        if self.0.encoder.id() != std::thread::current().id() {
            self.0.encoder.unpark();
        }
    }
}

/// Those who help, for whoever has something to offer.
#[derive(Clone, Default)]
pub struct Helpers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    offers: Mutex<Offers>,
    offered: Condvar,
    helpers: AtomicUsize,
}

#[derive(Default)]
struct Offers {
    /// Oldest first; some may be taken meanwhile.
    pieces: VecDeque<Arc<Piece>>,
    stopped: bool,
}

impl Helpers {
    /// How many threads there should be.
    pub fn wanted() -> usize {
        std::thread::available_parallelism().map_or(0, |cores| cores.get() - 1).min(MOST_HELPERS)
    }

    /// What one of the threads runs, until `stop`.
    pub fn helper(&self) -> impl FnOnce() + Send + 'static {
        let shared = self.0.clone();
        move || {
            // Without memory for one there is a helper less.
            let Ok(Ok(mut compressor)) = panics::contained(|| FrameCompressor::new(1)) else { return };
            shared.helpers.fetch_add(1, Ordering::Relaxed);
            while let Some(piece) = shared.next_offer() {
                // A frame at which this breaks is tried again by its encoder.
                let _ = panics::contained(|| piece.compress(&mut compressor));
            }
            shared.helpers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The threads end as soon as nothing is offered.
    pub fn stop(&self) {
        self.0.offers.lock().stopped = true;
        self.0.offered.notify_all();
    }

    /// How many threads compress frames of this size, the encoder's own included.
    pub fn threads(&self, frame_bytes: usize) -> usize {
        if frame_bytes < WORTH_A_CALL { 1 } else { 1 + self.0.helpers.load(Ordering::Relaxed) }
    }

    /// Whoever has nothing else to do may compress this.
    pub fn offer(&self, piece: &Arc<Piece>) {
        let mut offers = self.0.offers.lock();
        if !offers.stopped {
            offers.pieces.push_back(piece.clone());
            drop(offers);
            self.0.offered.notify_one();
        }
    }
}

impl Shared {
    fn next_offer(&self) -> Option<Arc<Piece>> {
        let mut offers = self.offers.lock();
        loop {
            if let Some(piece) = offers.pieces.pop_front() {
                return Some(piece);
            }
            if offers.stopped {
                return None;
            }
            self.offered.wait(&mut offers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clocks;
    use crate::ledger::Amiss;
    use crate::stream::intake::FrameFacts;
    use crate::stream::slots::Pool;

    const FRAME: usize = 3 * WORTH_A_CALL;

    /// Frames of one shade each.
    fn pieces(pool: &Arc<Pool>, shades: impl Iterator<Item = u8>) -> Vec<Arc<Piece>> {
        let piece = |shade: u8| {
            let mut slot = pool.take().unwrap();
            slot.bytes_mut().fill(shade);
            let (width, height, entered) = (FRAME as u32 / 8, 8, Clocks::now());
            let facts = FrameFacts {
                width,
                height,
                id: shade.into(),
                entered,
                stamp_ns: 0,
                stamped: false,
                flags: 0,
                amiss: Amiss::default(),
                promised: 0,
                left_out: false,
            };
            Arc::new(Piece::new(Filled { slot, facts }, b"what was in it".to_vec(), 1))
        };
        shades.map(piece).collect()
    }

    #[track_caller]
    fn is_compressed(piece: &Piece, shade: u8) {
        let work = piece.finish(&mut FrameCompressor::new(1).unwrap());
        assert!(work.frame.facts.id == u64::from(shade) && work.outcome.is_ok());
        let (record, frame) = work.buffer.split_at(FrameRecord::SIZE);
        assert_eq!(record, [0; FrameRecord::SIZE]);
        assert_eq!(zstd::bulk::decompress(frame, FRAME).unwrap(), [shade; FRAME]);
    }

    #[test]
    fn what_several_streams_offer_is_compressed_by_whoever_comes_each_frame_once() {
        let helpers = Helpers::default();
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(helpers.helper())).collect();
        std::thread::scope(|scope| {
            for stream in 0..3 {
                let helpers = &helpers;
                scope.spawn(move || {
                    let pool = Arc::new(Pool::new(FRAME, 6 * FRAME as u64).unwrap());
                    for round in 0..20 {
                        let shades = || (0..round % 6).map(|number| stream * 80 + round + number);
                        let pieces = pieces(&pool, shades());
                        pieces.iter().for_each(|piece| helpers.offer(piece));
                        for (piece, shade) in pieces.iter().zip(shades()) {
                            // Every other round nobody else compresses any: so somebody came.
                            if round % 2 == 0 {
                                piece.compress(&mut FrameCompressor::new(1).unwrap());
                            }
                            while !piece.is_done() {
                                std::thread::park();
                            }
                            is_compressed(piece, shade);
                        }
                    }
                });
            }
        });
        helpers.stop();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(helpers.threads(FRAME), 1);
    }

    #[test]
    fn a_frame_that_somebody_else_fails_with_is_compressed_all_the_same() {
        let pool = Arc::new(Pool::new(FRAME, FRAME as u64).unwrap());
        let pieces = pieces(&pool, 7..8);
        let broken = panics::contained(|| {
            let _done = Done(&pieces[0]);
            pieces[0].taken.store(true, Ordering::Release);
            panic!("an error inside a helper");
        });
        assert!(broken.is_err() && pieces[0].is_done());
        assert!(!pieces[0].compress(&mut FrameCompressor::new(1).unwrap()));
        is_compressed(&pieces[0], 7);
    }
}
