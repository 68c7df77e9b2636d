//! A whole chunk under the caller's own index: encoded on the caller's thread, straight from its memory.

use super::effort::Effort;
use super::encoder::Limits;
use super::intake::{Intake, NO_MEMORY};
use super::pixels::Geometry;
use super::way::Way;
use super::{Chunk, Works};
use crate::clock::Clocks;
use crate::codes::{Code, NO_FRAME_ID, Stat};
use crate::error::{Error, Result};
use crate::ledger::{Phase, Place};
use crate::platform;
use crate::shard::FrameCompressor;
use crate::spool::{ChunkFile, FrameRecord, Head, Promise};
use crate::stamps;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// No stream has more chunks; their indexes stand in file names and URLs.
const LARGEST_INDEX: u64 = 9_999_999_999;

/// The chunks that a stream was given, and those who are giving one.
#[derive(Default)]
pub struct ChunkDesk {
    state: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    taken: BTreeSet<u64>,
    at_work: usize,
    closed: bool,
}

impl ChunkDesk {
    /// Encodes and seals a chunk.
    pub fn push(&self, works: &Arc<Works>, intake: &Intake, chunk: &Chunk) -> Result<()> {
        intake.check_open()?;
        let rejected = |error: Error| {
            // A count that cannot be meant counts as one chunk's frames.
            works.ledger.add(Stat::FramesRejected, chunk.count.min(works.options.chunk_size).into());
            error
        };
        let (frames, geometry) = check(works, chunk).map_err(rejected)?;
        intake.claim(Way::Chunks).map_err(rejected)?;
        self.begin(intake, chunk.index).map_err(|error| if error.code == Code::EArgument { rejected(error) } else { error })?;
        let _at_work = AtWork { desk: self, works };
        self.encode(works, intake, chunk, frames, &geometry).inspect_err(|_| {
            self.state.lock().taken.remove(&chunk.index); // It was not taken: it may come again.
        })
    }

    fn begin(&self, intake: &Intake, index: u64) -> Result<()> {
        let mut desk = self.state.lock();
        if desk.closed {
            return Err(intake.why_closed());
        }
        if !desk.taken.insert(index) {
            return Err(Error::plain(Code::EArgument, "chunk_index {} was given before: each comes once", [index, 0, 0, 0]));
        }
        desk.at_work += 1;
        Ok(())
    }

    /// Takes no more chunks. Those being given are finished.
    pub fn close(&self) {
        self.state.lock().closed = true;
    }

    /// Whether no chunk is being given and none will be.
    pub fn is_drained(&self) -> bool {
        let desk = self.state.lock();
        desk.closed && desk.at_work == 0
    }

    fn encode(&self, works: &Arc<Works>, intake: &Intake, chunk: &Chunk, frames: &[u8], geometry: &Geometry) -> Result<()> {
        let frame_bytes = geometry.frame_bytes();
        let a_frame = (FrameCompressor::bound(frame_bytes) + FrameRecord::SIZE) as i64;
        let promised = a_frame * i64::from(chunk.count) + Head::SIZE as i64 + ChunkFile::seal_bytes(chunk.count.into()) as i64;
        works.promise(promised, chunk.count)?;
        let promise = Promise::of(works.folder.root(), promised);
        let written = self.write(works, intake, chunk, frames, geometry);
        drop(promise);
        written.inspect_err(|error| {
            if matches!(error.code, Code::EDiskFull | Code::ESpool) {
                works.ledger.frames_dropped(chunk.count.into());
                works.tell_disk_low(error.to_string());
            }
        })
    }

    fn write(&self, works: &Arc<Works>, intake: &Intake, chunk: &Chunk, frames: &[u8], geometry: &Geometry) -> Result<()> {
        let fps = works.options.fps; // Of all frames: none is left out here.
        let begun = Clocks::now();
        let duration_ns = stamps::frames_ns(chunk.count.into(), fps);
        let start_ns = if chunk.start_ns == 0 { begun.wall_ns - duration_ns } else { chunk.start_ns };
        let head = works.folder.head(chunk.index, geometry.width(), geometry.height(), &works.options, false);
        let mut compressor = FrameCompressor::new(Effort::usual(works.options.compression)).map_err(|error| failed(&error))?;
        let mut file = works.folder.begin(head, chunk.count as usize).map_err(|error| failed(&error))?;
        let mut pixels = vec![0; geometry.frame_bytes()];
        let mut buffer = Vec::new();
        let mut fill = || -> Result<()> {
            for (index, source) in frames.chunks_exact(geometry.source_bytes()).enumerate() {
                if works.ledger.phase() >= Phase::Aborted {
                    return Err(intake.why_closed());
                }
                geometry.copy(source, &mut pixels);
                buffer.clear();
                buffer.resize(FrameRecord::SIZE, 0);
                compressor.append(&pixels, &mut buffer).map_err(|error| failed(&error))?;
                // As if stamped at entry, one frame time after it began: the chunk's start comes out as given.
                let stamp_ns = start_ns + stamps::frames_ns(index as u64 + 1, fps);
                let record = FrameRecord { bytes: 0, flags: 0, missed: 0, id: NO_FRAME_ID, stamp_ns };
                file.append(record, &mut buffer).map_err(|error| failed(&error))?;
            }
            Ok(())
        };
        let sealed = fill().and_then(|()| {
            let amiss = works.ledger.amiss_until_now();
            works.folder.seal(&mut file, works.clock.offset(&begun), amiss).map_err(|error| {
                works.ledger.give_amiss_back(amiss);
                failed(&error)
            })
        });
        match sealed {
            Ok(sealed) => {
                works.folder.root().wrote(sealed.bytes - sealed.added);
                let frames = i64::from(chunk.count);
                works.ledger.frames_accepted(frames, frames * geometry.frame_bytes() as i64, platform::steady_ns());
                let bytes = sealed.bytes;
                works.chunk_sealed(&file, begun, sealed, Place::Slots, works.ledger.get(Stat::FramesAccepted) as u64);
                works.note_spool_rate(bytes, chunk.count.into());
                Ok(())
            }
            Err(error) => {
                works.folder.throw_away(file);
                Err(error)
            }
        }
    }
}

fn check<'a>(works: &Works, chunk: &Chunk<'a>) -> Result<(&'a [u8], Geometry)> {
    let frames = chunk.frames.ok_or(Error::argument(NO_MEMORY))?;
    if works.options.decimate > 1 {
        let text =
            "decimate is for frames that are pushed one by one: give rheed_push_chunk what is to be kept, and fps as that has";
        return Err(Error::argument(text));
    }
    if chunk.index > LARGEST_INDEX {
        return Err(Error::plain(Code::EArgument, "chunk_index {} is too large: at most {}", [chunk.index, LARGEST_INDEX, 0, 0]));
    }
    if chunk.count == 0 || chunk.count > works.options.chunk_size {
        let numbers = [chunk.count.into(), works.options.chunk_size.into(), 0, 0];
        return Err(Error::plain(Code::EArgument, "count is {}: give 1 to chunk_size = {} frames", numbers));
    }
    if chunk.start_ns != 0 && !stamps::is_unix_time(chunk.start_ns, platform::unix_ns()) {
        return Err(Error::argument("start_ns is no Unix time in nanoseconds: give when the first frame was captured, or 0"));
    }
    let count = chunk.count as usize;
    let source_bytes = frames.len() / count;
    let geometry = Geometry::check(source_bytes, chunk.width, chunk.height, 0, chunk.pixel_format, &works.options)?;
    if frames.len() != geometry.source_bytes() * count {
        let numbers = [frames.len() as u64, chunk.count.into(), geometry.source_bytes() as u64, 0];
        return Err(Error::plain(Code::EArgument, "size_bytes is {}, but {} frames of {} bytes were told", numbers));
    }
    let bytes = geometry.frame_bytes() as u64 * u64::from(chunk.count);
    if bytes > Limits::USUAL.bytes {
        let numbers = [bytes, Limits::USUAL.bytes, 0, 0];
        return Err(Error::plain(Code::EArgument, "a chunk of {} bytes (8 bits a pixel) is too large: at most {}", numbers));
    }
    Ok((frames, geometry))
}

fn failed(error: &io::Error) -> Error {
    let code = if platform::is_disk_full(error) { Code::EDiskFull } else { Code::ESpool };
    Error::new(code, format!("the chunk could not be written to the spool: {error}"))
}

/// Somebody is giving a chunk.
struct AtWork<'a> {
    desk: &'a ChunkDesk,
    works: &'a Works,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.desk.state.lock().at_work -= 1;
        self.works.ledger.notices.bell.ring();
    }
}
