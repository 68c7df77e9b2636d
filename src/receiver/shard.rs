//! Is this file a shard? And the one thing done to it before it is kept: its index is filled up to the chunk size.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use zstd::zstd_safe;

/// Offset and length of an inner chunk that is not there.
const EMPTY: u64 = u64::MAX;
const ENTRY_BYTES: u64 = 16;
const CRC_BYTES: u64 = 4;
/// The longest header of a zstd frame.
const ZSTD_HEADER_BYTES: u64 = 18;

/// A shard's index, found good.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<(u64, u64)>,
    /// Where it starts in the file.
    at: u64,
}

impl Index {
    /// Frames that were left out: readers see zeros.
    pub(super) fn empty_frames(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.0 == EMPTY).count() as u64
    }
}

/// Checks a shard of `frames` frames of `frame_bytes` each: its index, that each frame lies where that says, and the head
/// of each; `thoroughly`, by decompressing them. A bad shard is [`io::ErrorKind::InvalidData`], and the text says where.
pub(super) fn verify(mut file: &File, frames: u64, frame_bytes: u64, thoroughly: bool) -> io::Result<Index> {
    let length = file.metadata()?.len();
    let tail = frames * ENTRY_BYTES + CRC_BYTES;
    let Some(at) = length.checked_sub(tail) else {
        return Err(bad(format!(
            "a shard of {frames} frames ends in an index of {tail} bytes, but there are only {length} in all"
        )));
    };
    let mut index = vec![0; tail as usize];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut index)?;
    let (index, crc) = index.split_at((frames * ENTRY_BYTES) as usize);
    let (found, wanted) = (crc32c::crc32c(index), le_u32(crc));
    if found != wanted {
        return Err(bad(format!(
            "the index of {frames} frames at its end has the crc32c {found:08x}, but {wanted:08x} is written behind it"
        )));
    }
    let entries: Vec<_> =
        index.chunks_exact(ENTRY_BYTES as usize).map(|entry| (le_u64(&entry[..8]), le_u64(&entry[8..]))).collect();
    within_and_apart(&entries, at)?;

    for (number, &(offset, bytes)) in entries.iter().enumerate().filter(|(_, entry)| entry.0 != EMPTY) {
        let mut frame = vec![0; if thoroughly { bytes } else { bytes.min(ZSTD_HEADER_BYTES) } as usize];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut frame)?;
        check_zstd(&frame, frame_bytes, thoroughly).map_err(|why| bad(format!("frame {number}: {why}")))?;
    }
    Ok(Index { entries, at })
}

/// Every entry lies before the index, and no two overlap.
fn within_and_apart(entries: &[(u64, u64)], end: u64) -> io::Result<()> {
    let mut spans: Vec<_> = Vec::with_capacity(entries.len());
    for (number, &(offset, bytes)) in entries.iter().enumerate() {
        match (offset, bytes) {
            (EMPTY, EMPTY) => {}
            _ if bytes > 0 && offset.checked_add(bytes).is_some_and(|stop| stop <= end) => spans.push((offset, bytes, number)),
            _ => {
                return Err(bad(format!(
                    "frame {number}: {bytes} bytes at {offset} do not lie within the {end} bytes before the index"
                )));
            }
        }
    }
    spans.sort_unstable();
    match spans.windows(2).find(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
        None => Ok(()),
        Some(pair) => Err(bad(format!("frames {} and {} overlap", pair[0].2, pair[1].2))),
    }
}

fn check_zstd(frame: &[u8], frame_bytes: u64, thoroughly: bool) -> Result<(), String> {
    match zstd_safe::get_frame_content_size(frame) {
        Ok(Some(size)) if size == frame_bytes => {}
        Ok(Some(size)) => {
            return Err(format!("its zstd header says {size} bytes, its dims {frame_bytes}"));
        }
        Ok(None) => return Err("its zstd header lacks the content size".into()),
        Err(_) => return Err("it is no zstd frame".into()),
    }
    // Behind the magic number, the descriptor; its bit 2 announces a checksum (RFC 8878, 3.1.1.1.1).
    if frame.get(4).is_some_and(|descriptor| descriptor & 0b100 != 0) {
        return Err("it bears a zstd checksum, which the codec's configuration rules out".into());
    }
    if thoroughly {
        match zstd_safe::find_frame_compressed_size(frame) {
            Ok(size) if size == frame.len() => {}
            _ => return Err(format!("its {} bytes are not one zstd frame", frame.len())),
        }
        zstd::bulk::decompress(frame, frame_bytes as usize).map_err(|error| format!("it does not decompress: {error}"))?;
    }
    Ok(())
}

/// Fills the index up with empty entries, as an array's shards all have the declared chunk size.
pub(super) fn pad(mut file: &File, index: &Index, chunk_size: u64) -> io::Result<()> {
    let missing = (chunk_size as usize).saturating_sub(index.entries.len());
    if missing == 0 {
        return Ok(());
    }
    let entries = index.entries.iter().copied().chain(std::iter::repeat_n((EMPTY, EMPTY), missing));
    let mut bytes: Vec<u8> = entries.flat_map(|(offset, bytes)| [offset.to_le_bytes(), bytes.to_le_bytes()]).flatten().collect();
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    file.seek(SeekFrom::Start(index.at))?;
    file.write_all(&bytes)
}

fn bad(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn le_u64(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
