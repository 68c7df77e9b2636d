//! What went amiss, chunk by chunk. A chunk's are what happened between the last frame of the chunk before and its own last frame,
//! and its own incomplete frames; so all that happened is told once. No chunk is told less than none: where a frame that was missed
//! comes after all, by another thread, and behind the chunk that was told so, the next ones are told to miss so many less.

use super::Ledger;
use crate::codes::Stat;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Chunks that are remembered: their report fits 64 KiB with all the rest.
const CHUNKS_TOLD: usize = 200;

/// Counts of what went amiss, of a chunk or of a stream up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amiss {
    /// Frames that were refused for want of room.
    pub dropped: i64,
    /// Frames that were refused for bad arguments.
    pub rejected: i64,
    /// Frames that the camera lost.
    pub missed: i64,
    /// Frames that were incomplete, and taken or left out.
    pub incomplete: i64,
    /// How often the camera stood still.
    pub stalls: i64,
}

impl Amiss {
    /// Whether all went well.
    pub fn is_nothing(&self) -> bool {
        *self == Amiss::default()
    }

    /// The statistics that count it, in the order of `counts`.
    const STATS: [Stat; 5] =
        [Stat::FramesDropped, Stat::FramesRejected, Stat::FramesMissed, Stat::FramesIncomplete, Stat::CameraStalls];

    /// All counts, as they lie in a seal.
    pub fn counts(self) -> [i64; 5] {
        let Amiss { dropped, rejected, missed, incomplete, stalls } = self;
        [dropped, rejected, missed, incomplete, stalls]
    }

    /// Of these counts.
    pub fn of(counts: [i64; 5]) -> Amiss {
        let [dropped, rejected, missed, incomplete, stalls] = counts;
        Amiss { dropped, rejected, missed, incomplete, stalls }
    }

    fn since(self, before: Amiss) -> Amiss {
        let (now, before) = (self.counts(), before.counts());
        Amiss::of(std::array::from_fn(|index| now[index] - before[index]))
    }

    fn at_least(self, least: Amiss) -> Amiss {
        let (these, least) = (self.counts(), least.counts());
        Amiss::of(std::array::from_fn(|index| these[index].max(least[index])))
    }

    /// Behind a line on the chunk: "; 3 missed by the camera, 1 dropped". Nothing where all went well.
    pub fn words(&self) -> String {
        let counts = [
            (self.missed, "missed by the camera"),
            (self.incomplete, "incomplete"),
            (self.dropped, "dropped"),
            (self.rejected, "rejected"),
            (self.stalls, if self.stalls == 1 { "stall of the camera" } else { "stalls of the camera" }),
        ];
        let words = counts.iter().filter(|(count, _)| *count != 0).map(|(count, word)| format!("{count} {word}"));
        let words = words.collect::<Vec<_>>().join(", ");
        if words.is_empty() { words } else { format!("; {words}") }
    }
}

/// A chunk in which something went amiss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChunkAmiss {
    /// Its index.
    pub chunk: u64,
    /// Its frames.
    pub frames: u64,
    /// What.
    #[serde(flatten)]
    pub amiss: Amiss,
}

/// The chunks of a stream in which something went amiss, the newest of them.
#[derive(Default)]
pub struct ChunksAmiss {
    /// What all chunks so far have had.
    told: Amiss,
    newest: VecDeque<ChunkAmiss>,
    left_out: u64,
}

impl ChunksAmiss {
    /// What is the chunk's whose last frame was taken when so much had gone amiss. That can be less than before: frames were not missed
    /// after all, or threads overtook each other on their way here.
    fn until(&mut self, all: Amiss) -> Amiss {
        let all = all.at_least(self.told);
        all.since(std::mem::replace(&mut self.told, all))
    }

    fn add(&mut self, chunk: ChunkAmiss) {
        if self.newest.len() == CHUNKS_TOLD {
            self.newest.pop_front();
            self.left_out += 1;
        }
        self.newest.push_back(chunk);
    }
}

impl Ledger {
    /// All that went amiss so far.
    pub fn amiss(&self) -> Amiss {
        Amiss::of(Amiss::STATS.map(|stat| self.get(stat)))
    }

    /// The same for a frame that is to be taken along to its chunk: of incomplete frames only those that were left out. Which of the
    /// others are the chunk's, the chunk knows best.
    pub fn amiss_before_frame(&self) -> Amiss {
        Amiss { incomplete: self.incomplete_left_out.load(Ordering::Acquire), ..self.amiss() }
    }

    /// What is the next chunk's of all that had gone amiss when its last frame was taken. A frame that has come since then was not
    /// missed. Should the chunk not be sealed after all, it is given back.
    pub fn amiss_in_chunk(&self, all: Amiss) -> Amiss {
        let missed = all.missed.min(self.get(Stat::FramesMissed));
        self.chunks_amiss.lock().until(Amiss { missed, ..all })
    }

    /// The same of all that has gone amiss by now.
    pub fn amiss_until_now(&self) -> Amiss {
        let mut chunks = self.chunks_amiss.lock();
        chunks.until(self.amiss()) // Read behind the lock: of two who seal chunks none is told less than the other before it.
    }

    /// The chunk was not sealed: it is the next one's.
    pub fn give_amiss_back(&self, amiss: Amiss) {
        let mut chunks = self.chunks_amiss.lock();
        chunks.told = chunks.told.since(amiss);
    }

    /// Such a chunk is sealed.
    pub fn note_amiss(&self, chunk: u64, frames: u64, amiss: Amiss) {
        if !amiss.is_nothing() {
            self.chunks_amiss.lock().add(ChunkAmiss { chunk, frames, amiss });
        }
    }

    /// A chunk of an earlier process, which has left no other account of it.
    pub fn note_amiss_before(&self, chunk: u64, frames: u64, amiss: Amiss) {
        Amiss::STATS.into_iter().zip(amiss.counts()).for_each(|(stat, count)| self.add(stat, count));
        self.amiss_until_now();
        self.note_amiss(chunk, frames, amiss);
    }

    /// The newest chunks in which something went amiss, how many others there were, and what has gone amiss since the last chunk.
    pub(super) fn chunks_amiss(&self) -> (Vec<ChunkAmiss>, u64, Amiss) {
        let chunks = self.chunks_amiss.lock();
        let all = self.amiss();
        (chunks.newest.iter().cloned().collect(), chunks.left_out, all.since(chunks.told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Connection;
    use crate::spool::scratch::Scratch;

    #[test]
    fn of_many_chunks_the_newest_are_told_and_the_others_counted() {
        let mut chunks = ChunksAmiss::default();
        for chunk in 0..CHUNKS_TOLD as u64 + 7 {
            let amiss = chunks.until(Amiss { missed: 3 * (chunk as i64 + 1), ..Amiss::default() });
            assert_eq!(amiss.words(), "; 3 missed by the camera");
            chunks.add(ChunkAmiss { chunk, frames: 20, amiss });
        }
        assert_eq!((chunks.newest.len(), chunks.left_out, chunks.newest[0].chunk), (CHUNKS_TOLD, 7, 7));
    }

    #[test]
    fn a_chunk_is_told_no_less_than_none_and_what_it_would_be_the_next_ones_are_told_less() {
        let mut chunks = ChunksAmiss::default();
        let mut told = |missed: i64, dropped: i64| {
            let Amiss { missed, dropped, .. } = chunks.until(Amiss { missed, dropped, ..Amiss::default() });
            (missed, dropped)
        };
        // Two of five come after all, then three are missed; a frame that was overtaken knows of less than the one before it.
        assert_eq!([told(5, 4), told(3, 3), told(6, 4), told(6, 6)], [(5, 4), (0, 0), (1, 0), (0, 2)]);
    }

    #[test]
    fn of_what_goes_amiss_while_several_seal_chunks_each_is_told_once_and_nobody_less_than_none() {
        const EACH: i64 = 20_000;
        let notices = Scratch::new("endpoint=none").notices.clone();
        let ledger = Ledger::new("id", "several", Connection::Spooling, notices);
        let sealing = || {
            (0..EACH).map(|turn| {
                ledger.add(Stat::FramesDropped, 1);
                let amiss = ledger.amiss_until_now();
                assert!(amiss.dropped >= 0, "{amiss:?}");
                if turn % 3 == 0 {
                    ledger.give_amiss_back(amiss);
                    return 0;
                }
                amiss.dropped
            })
        };
        let told: i64 = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| sealing().sum::<i64>()));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(told + ledger.amiss_until_now().dropped, 4 * EACH);
    }

    #[test]
    fn where_nothing_went_amiss_nothing_is_said() {
        assert_eq!(Amiss::default().words(), "");
        let amiss = Amiss { dropped: 1, rejected: 2, missed: 3, incomplete: 4, stalls: 1 };
        assert_eq!(amiss.words(), "; 3 missed by the camera, 4 incomplete, 1 dropped, 2 rejected, 1 stall of the camera");
    }
}
