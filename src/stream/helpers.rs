//! Threads that help encoders: while frames wait, several of a stream's frames are compressed at once.
//!
//! They are shared by all streams, one for each core but one. An encoder with several frames in hand calls for help and begins;
//! whoever comes takes the next one. So a stream whose encoder keeps up by itself wakes nobody, and one core needs no helpers.

use super::intake::Filled;
use crate::panics;
use crate::shard::FrameCompressor;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;

/// More than a camera could make use of.
const MOST_HELPERS: usize = 7;
/// Below this a frame is compressed sooner than somebody is woken.
const WORTH_A_CALL: usize = 64 << 10;

/// A frame on its way through compression.
pub struct Piece {
    /// The frame.
    pub frame: Filled,
    /// It is compressed behind what is in here.
    pub buffer: Vec<u8>,
    /// How that went.
    pub outcome: io::Result<()>,
}

impl Piece {
    /// Yet to be compressed, behind what is in the buffer.
    pub fn new(frame: Filled, buffer: Vec<u8>) -> Piece {
        // Should compression break off in a panic, this is how it went.
        Piece { frame, buffer, outcome: Err(io::ErrorKind::Other.into()) }
    }

    fn compress(&mut self, compressor: &mut FrameCompressor) {
        self.outcome = compressor.append(self.frame.pixels(), &mut self.buffer);
    }
}

/// Those who help, for whoever calls.
#[derive(Clone, Default)]
pub struct Helpers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    calls: Mutex<Calls>,
    called: Condvar,
    helpers: AtomicUsize,
}

#[derive(Default)]
struct Calls {
    open: VecDeque<Arc<Batch>>,
    stopped: bool,
}

/// Pieces that are compressed together.
struct Batch {
    level: i32,
    pieces: Vec<Mutex<Option<Piece>>>,
    /// The first that nobody has taken.
    next: AtomicUsize,
    /// Those that are not done.
    left: AtomicUsize,
    caller: Thread,
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
            shared.helpers.fetch_add(1, Ordering::Relaxed);
            let mut compressor = None;
            while let Some(batch) = shared.next_call() {
                // A frame at which this breaks is lost, and the caller tells it.
                let _ = panics::contained(|| batch.help(&mut compressor));
            }
        }
    }

    /// The threads end as soon as nobody calls.
    pub fn stop(&self) {
        self.0.calls.lock().stopped = true;
        self.0.called.notify_all();
    }

    /// How many frames of this size are best taken in hand together.
    pub fn at_once(&self, frame_bytes: usize) -> usize {
        if frame_bytes < WORTH_A_CALL { 1 } else { 1 + self.0.helpers.load(Ordering::Relaxed) }
    }

    /// Compresses the pieces, with help if there are several.
    pub fn compress(&self, own: &mut FrameCompressor, level: i32, pieces: &mut Vec<Piece>) {
        if let [only] = &mut pieces[..] {
            return only.compress(own);
        }
        let batch = Arc::new(Batch {
            level,
            left: AtomicUsize::new(pieces.len()),
            next: AtomicUsize::new(0),
            pieces: pieces.drain(..).map(|piece| Mutex::new(Some(piece))).collect(),
            caller: std::thread::current(),
        });
        self.0.calls.lock().open.push_back(batch.clone());
        (1..batch.pieces.len()).for_each(|_| _ = self.0.called.notify_one());
        batch.work(own);
        self.0.calls.lock().open.retain(|open| !Arc::ptr_eq(open, &batch));
        while batch.left.load(Ordering::Acquire) > 0 {
            std::thread::park();
        }
        pieces.extend(batch.pieces.iter().map(|piece| piece.lock().take().expect("nobody else takes them back")));
    }
}

impl Shared {
    fn next_call(&self) -> Option<Arc<Batch>> {
        let mut calls = self.calls.lock();
        loop {
            // Oldest first; those of which nothing is left to take are taken away by their callers.
            if let Some(batch) = calls.open.iter().find(|batch| batch.has_more()) {
                return Some(batch.clone());
            }
            if calls.stopped {
                return None;
            }
            self.called.wait(&mut calls);
        }
    }
}

impl Batch {
    fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.pieces.len()
    }

    fn help(&self, compressor: &mut Option<(i32, FrameCompressor)>) {
        if compressor.as_ref().is_none_or(|(level, _)| *level != self.level) {
            // Without memory for one, the caller does it all.
            let Ok(fitting) = FrameCompressor::new(self.level) else { return };
            *compressor = Some((self.level, fitting));
        }
        if let Some((_, compressor)) = compressor {
            self.work(compressor);
        }
    }

    /// Until every piece is taken by somebody.
    fn work(&self, compressor: &mut FrameCompressor) {
        while let Some(piece) = self.pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let _done = Done(self);
            let mut taken = piece.lock();
            if let Some(piece) = taken.as_mut() {
                piece.compress(compressor);
            }
        }
    }
}

/// A piece is done when this is dropped, however that ended.
struct Done<'a>(&'a Batch);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.caller.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clocks;
    use crate::stream::slots::Pool;

    const FRAME: usize = 3 * WORTH_A_CALL;

    /// Frames of one shade each.
    fn pieces(shades: impl Iterator<Item = u8>) -> Vec<Piece> {
        let pool = Arc::new(Pool::new(FRAME, 16 * FRAME as u64).unwrap());
        let filled = |shade| {
            let mut slot = pool.take().unwrap();
            slot.bytes_mut().fill(shade);
            let entered = Clocks::now();
            let (width, height) = (FRAME as u32 / 8, 8);
            Filled { slot, width, height, id: shade.into(), entered, stamp_ns: 0, stamped: false, flags: 0, promised: 0 }
        };
        shades.map(|shade| Piece::new(filled(shade), b"room".to_vec())).collect()
    }

    #[track_caller]
    fn are_compressed(pieces: &[Piece], shades: impl Iterator<Item = u8>) {
        assert!(pieces.iter().map(|piece| piece.frame.id as u8).eq(shades));
        for piece in pieces {
            assert!(piece.outcome.is_ok() && piece.buffer.starts_with(b"room"));
            assert_eq!(zstd::bulk::decompress(&piece.buffer[4..], FRAME).unwrap(), vec![piece.frame.id as u8; FRAME]);
        }
    }

    #[test]
    fn whoever_compresses_them_frames_come_back_in_their_order_each_compressed_once() {
        for helping in [0, 1, 3] {
            let helpers = Helpers::default();
            let threads: Vec<_> = (0..helping).map(|_| std::thread::spawn(helpers.helper())).collect();
            std::thread::scope(|scope| {
                // Several streams call at once.
                for stream in 0..3 {
                    let helpers = &helpers;
                    scope.spawn(move || {
                        let mut own = FrameCompressor::new(1).unwrap();
                        for round in 0..20 {
                            let shades = (0..round % 6).map(|number| stream * 80 + round + number);
                            let mut pieces = pieces(shades.clone());
                            helpers.compress(&mut own, 1, &mut pieces);
                            are_compressed(&pieces, shades);
                        }
                    });
                }
            });
            helpers.stop();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            let mut pieces = pieces(0..3);
            helpers.compress(&mut FrameCompressor::new(1).unwrap(), 1, &mut pieces);
            are_compressed(&pieces, 0..3); // Nobody comes, and it is done all the same.
        }
    }
}
