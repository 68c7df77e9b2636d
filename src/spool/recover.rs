//! What a dead process left: a part-filled chunk becomes a shard, up to the first frame that is not whole; a sealed one is
//! read through before it is uploaded.

use super::chunk_file::{ChunkFile, SealedFile};
use super::record::{FrameRecord, Head, Seal};
use crate::platform;
use crate::shard::{self, FrameCompressor, FramePlace};
use crate::stamps::ChunkStamps;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// What became of a part-filled chunk.
pub enum Recovered {
    /// It is a shard now. So many bytes at its end were no whole frame.
    Sealed(SealedFile, u64),
    /// No whole frame had reached it.
    Empty,
}

/// Seals a part-filled chunk of a dead process. Killed itself, or without power, it can be run again.
pub fn part(folder: &Path, path: &Path, chunk: u64, stream: &[u8; 16]) -> io::Result<Recovered> {
    let file = open(path, true)?;
    let length = file.metadata()?.len();
    if length < Head::SIZE as u64 {
        return Ok(Recovered::Empty); // Killed between creating the file and its head.
    }
    let walk = Walk::through(&file, length)?;
    walk.head.check(chunk, stream)?;
    let torn = length - walk.end;
    // A kill tears one frame at most, or leaves a seal that was not yet followed by the rename. More than that is damage, behind
    // which whole frames may lie: nothing is cut off then.
    let one_frame = FrameRecord::SIZE as u64 + FrameCompressor::bound(walk.head.frame_bytes()) as u64;
    if torn > one_frame.max(ChunkFile::seal_bytes(walk.frames.len() as u64)) {
        return Err(damaged(&format!("behind {} whole frames lie {torn} bytes that are none", walk.frames.len())));
    }
    let Some(stamps) = walk.stamps else { return Ok(Recovered::Empty) };
    file.set_len(walk.end)?;
    let mut chunk = ChunkFile::recovered(file, folder, path.into(), walk.head, stamps, walk.frames, walk.end);
    // Without a clock: an offset measured now says nothing about then.
    Ok(Recovered::Sealed(chunk.seal_synced(None)?, torn))
}

/// What a sealed chunk is, from its head and its seal.
pub fn sealed(path: &Path, frames: u32) -> io::Result<(Head, Seal)> {
    let mut file = open(path, false)?;
    let mut head = [0; Head::SIZE];
    file.read_exact(&mut head)?;
    let head = Head::from_bytes(&head)?;
    let tail = Seal::SIZE as u64 + shard::index_bytes(frames.into());
    let length = file.metadata()?.len();
    let at = length.checked_sub(tail).ok_or_else(|| damaged("shorter than its index"))?;
    file.seek(SeekFrom::Start(at))?;
    let mut seal = [0; Seal::SIZE];
    file.read_exact(&mut seal)?;
    let seal = Seal::from_bytes(&seal)?;
    if seal.frames != frames {
        return Err(damaged("its name tells another number of frames"));
    }
    Ok((head, seal))
}

/// Reads a sealed chunk through: every frame's crc, the seal, the index. For files that another process wrote.
pub fn verify(path: &Path, frames: u32, chunk: u64, stream: &[u8; 16]) -> io::Result<()> {
    let (head, _) = sealed(path, frames)?;
    head.check(chunk, stream)?;
    let file = open(path, false)?;
    let length = file.metadata()?.len();
    let walk = Walk::through(&file, length)?;
    if walk.frames.len() != frames as usize {
        return Err(damaged(&format!("only {} of its {frames} frames are whole", walk.frames.len())));
    }
    let mut index = Vec::new();
    let mut file = file;
    file.seek(SeekFrom::Start(walk.end + Seal::SIZE as u64))?;
    file.take(shard::index_bytes(frames.into()) + 1).read_to_end(&mut index)?;
    if index != shard::index(&walk.frames) {
        return Err(damaged("its index is not that of its frames"));
    }
    Ok(())
}

/// A chunk's file. The library writes no links: what one leads to is not the stream's.
fn open(path: &Path, write: bool) -> io::Result<File> {
    let opened = platform::private_file(write).open(path).and_then(platform::off_console);
    opened.map_err(|error| if platform::is_link(&error) { damaged("a link, not a file") } else { error })
}

/// The whole frames of a chunk file, from its beginning.
struct Walk {
    head: Head,
    stamps: Option<ChunkStamps>,
    frames: Vec<FramePlace>,
    end: u64,
}

impl Walk {
    fn through(file: &File, length: u64) -> io::Result<Walk> {
        let mut reader = BufReader::with_capacity(1 << 20, file);
        reader.seek(SeekFrom::Start(0))?;
        let mut head = [0; Head::SIZE];
        reader.read_exact(&mut head)?;
        let head = Head::from_bytes(&head)?;
        let chunk_crc = head.crc();
        let mut walk = Walk { head, stamps: None, frames: Vec::new(), end: Head::SIZE as u64 };
        let mut frame = Vec::new();
        loop {
            let mut bytes = [0; FrameRecord::SIZE];
            match reader.read_exact(&mut bytes) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(walk),
                Err(error) => return Err(error),
            }
            let Some((record, crc)) = FrameRecord::from_bytes(&bytes) else { return Ok(walk) };
            let start = walk.end + FrameRecord::SIZE as u64;
            if start + u64::from(record.bytes) > length {
                return Ok(walk);
            }
            frame.resize(record.bytes as usize, 0);
            reader.read_exact(&mut frame)?;
            if FrameRecord::crc(&bytes, chunk_crc, &frame) != crc {
                return Ok(walk);
            }
            walk.frames.push(FramePlace { offset: start, bytes: record.bytes.into() });
            walk.end = start + u64::from(record.bytes);
            match &mut walk.stamps {
                Some(stamps) => stamps.next(record.stamp_ns),
                None => walk.stamps = Some(ChunkStamps::begin(walk.head.stamped, record.stamp_ns, walk.head.fps)),
            }
        }
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

impl Head {
    /// Whether the file is what its place and its name say.
    fn check(&self, chunk: u64, stream: &[u8; 16]) -> io::Result<()> {
        if self.stream != *stream {
            return Err(damaged("it belongs to another stream"));
        }
        if self.chunk != chunk {
            return Err(damaged(&format!("it holds chunk {}", self.chunk)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;
    use crate::shard::FrameCompressor;
    use std::path::PathBuf;

    const STREAM: [u8; 16] = [3; 16];

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rheed-recover-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    fn chunk(folder: &Path, frames: u64) -> ChunkFile {
        let head = Head { stream: STREAM, chunk: 0, width: 8, height: 4, fps: 10.0, stamped: true };
        let mut chunk = ChunkFile::create(folder, head, 4).unwrap();
        let mut compressor = FrameCompressor::new(1).unwrap();
        for id in 0..frames {
            let mut buffer = vec![0; FrameRecord::SIZE];
            compressor.append(&[id as u8; 32], &mut buffer).unwrap();
            let record = FrameRecord { bytes: 0, flags: 0, id, stamp_ns: (id as i64 + 1) * 100_000_000 };
            chunk.append(record, &mut buffer).unwrap();
        }
        chunk
    }

    #[test]
    fn a_part_cut_off_anywhere_yields_a_whole_shard_of_the_frames_before_the_cut() {
        let whole = folder();
        drop(chunk(&whole, 5));
        let bytes = std::fs::read(layout::part(&whole, 0)).unwrap();
        let frame = (bytes.len() - Head::SIZE) / 5;
        for cut in 0..=bytes.len() {
            let folder = folder();
            let path = layout::part(&folder, 0);
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let expected = cut.saturating_sub(Head::SIZE) / frame;
            match part(&folder, &path, 0, &STREAM) {
                Ok(Recovered::Empty) => assert_eq!(expected, 0, "cut at {cut}"),
                Ok(Recovered::Sealed(sealed, _)) => {
                    assert_eq!(sealed.seal.frames as usize, expected, "cut at {cut}");
                    assert_eq!(sealed.seal.start_ns, 100_000_000);
                    verify(&layout::shard(&folder, 0, sealed.seal.frames), sealed.seal.frames, 0, &STREAM).unwrap();
                }
                Err(error) => panic!("cut at {cut}: {error}"),
            }
            std::fs::remove_dir_all(folder).unwrap();
        }
        std::fs::remove_dir_all(whole).unwrap();
    }

    #[test]
    fn a_chunk_that_was_sealed_and_not_yet_renamed_is_whole() {
        const FRAMES: u32 = 200; // Their index is larger than a frame.
        let folder = folder();
        chunk(&folder, FRAMES.into()).seal(None).unwrap();
        let path = layout::part(&folder, 0);
        std::fs::rename(layout::shard(&folder, 0, FRAMES), &path).unwrap();
        let Ok(Recovered::Sealed(sealed, _)) = part(&folder, &path, 0, &STREAM) else { panic!("it is recovered") };
        assert_eq!(sealed.seal.frames, FRAMES);
        verify(&layout::shard(&folder, 0, FRAMES), FRAMES, 0, &STREAM).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn whole_frames_behind_a_damaged_one_are_not_cut_off() {
        let folder = folder();
        drop(chunk(&folder, 50));
        let path = layout::part(&folder, 0);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[Head::SIZE + FrameRecord::SIZE + 3] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(part(&folder, &path, 0, &STREAM).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is left as it is");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_sealed_chunk_is_found() {
        let folder = folder();
        chunk(&folder, 3).seal(None).unwrap();
        let path = layout::shard(&folder, 0, 3);
        verify(&path, 3, 0, &STREAM).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            std::fs::write(&path, &flipped).unwrap();
            assert!(verify(&path, 3, 0, &STREAM).is_err(), "byte {at}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_chunk_of_another_stream_or_of_another_number_is_foreign() {
        let folder = folder();
        drop(chunk(&folder, 1));
        assert!(part(&folder, &layout::part(&folder, 0), 0, &[9; 16]).is_err());
        assert!(part(&folder, &layout::part(&folder, 0), 1, &STREAM).is_err());
        chunk(&folder, 1).seal(None).unwrap();
        assert!(verify(&layout::shard(&folder, 0, 1), 1, 0, &[9; 16]).is_err());
        assert!(verify(&layout::shard(&folder, 0, 1), 1, 1, &STREAM).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
