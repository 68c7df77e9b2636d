//! What a dead process left: a part-filled chunk becomes a shard, up to the frame that the kill tore; a sealed one is read
//! through before it is uploaded.
//!
//! A write that is cut short leaves its beginning. So a part-filled chunk ends with the beginning of a frame, or of its seal and
//! index, and with nothing else: other bytes are damage, behind which whole frames may lie, and nothing is cut off then. A power
//! cut may keep a file's length, and of its end nothing but zeros: from a page on, which mostly begins inside a frame.

use super::chunk_file::{ChunkFile, SealedFile};
use super::layout;
use super::record::{FrameRecord, Head, Seal};
use crate::codes;
use crate::ledger::Amiss;
use crate::platform;
use crate::shard::{self, FramePlace};
use crate::stamps::ChunkStamps;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// What became of a part-filled chunk.
pub enum Recovered {
    /// It is a shard now.
    Sealed {
        /// The shard.
        file: SealedFile,
        /// So many bytes behind its frames were cut off.
        cut: u64,
        /// They were the beginning of a frame, and not a seal.
        torn: bool,
    },
    /// No whole frame had reached it.
    Empty,
}

/// Seals a part-filled chunk of a dead process. Killed itself, or without power, it can be run again.
pub fn part(folder: &Path, chunk: u64, stream: &[u8; 16]) -> io::Result<Recovered> {
    let path = layout::part(folder, chunk);
    let file = open(&path, true)?;
    let length = file.metadata()?.len();
    if length < Head::SIZE as u64 {
        let mut begun = Vec::new();
        (&file).read_to_end(&mut begun)?;
        // Killed between creating the file and its head.
        return if Head::may_begin_with(&begun, stream, chunk) { Ok(Recovered::Empty) } else { Err(damaged(NO_CHUNK)) };
    }
    let walk = Walk::through(&file, length)?;
    walk.head_is_of(stream, chunk)?;
    if let Behind::Damage = walk.behind {
        let (frames, bytes) = (walk.frames.len(), length - walk.end);
        return Err(damaged(&format!("behind {frames} whole frames lie {bytes} bytes that are none")));
    }
    // Sealed, and killed before the rename: the clock's offset is in the seal, and nowhere else.
    let seal = walk.seal(&file)?;
    let Some(stamps) = walk.stamps else { return Ok(Recovered::Empty) };
    if seal.is_none() {
        file.set_len(walk.end)?;
    }
    let mut chunk = ChunkFile::recovered(file, folder, path, walk.head, stamps, walk.frames, walk.end);
    // Of frames that came late the chunk before may have been told that they were missed.
    let of_frames = Amiss { missed: walk.amiss.missed.max(0), ..walk.amiss };
    // An offset that is measured now says nothing about then.
    let (clock, amiss) = seal.map_or((None, of_frames), |seal| (seal.clock, seal.amiss));
    let file = chunk.seal_synced(clock, amiss)?;
    Ok(Recovered::Sealed { file, cut: length - walk.end, torn: matches!(walk.behind, Behind::Tear) })
}

/// What a sealed chunk is, from its head and its seal, and the file itself.
pub fn sealed(path: &Path, frames: u32) -> io::Result<(Head, Seal, File)> {
    let mut file = open(path, false)?;
    let mut head = [0; Head::SIZE];
    file.read_exact(&mut head)?;
    let head = Head::from_bytes(&head)?;
    let tail = ChunkFile::seal_bytes(frames.into());
    let length = file.metadata()?.len();
    let at = length.checked_sub(tail).ok_or_else(|| damaged("shorter than its index"))?;
    file.seek(SeekFrom::Start(at))?;
    let mut seal = [0; Seal::SIZE];
    file.read_exact(&mut seal)?;
    let seal = Seal::from_bytes(&seal)?;
    if seal.frames != frames {
        return Err(damaged(OTHER_NUMBER));
    }
    Ok((head, seal, file))
}

/// The same, and reads it through: every frame's crc, the seal, the index. For files that another process wrote.
pub fn verify(path: &Path, chunk: u64, frames: u32, stream: &[u8; 16]) -> io::Result<(Head, Seal, File)> {
    let file = open(path, false)?;
    let walk = Walk::through(&file, file.metadata()?.len())?;
    walk.head_is_of(stream, chunk)?;
    if walk.frames.len() < frames as usize {
        return Err(damaged(&format!("only {} of its {frames} frames are whole", walk.frames.len())));
    }
    let seal = walk.seal(&file)?.ok_or_else(|| damaged("its seal is not that of its frames"))?;
    if seal.frames != frames {
        return Err(damaged(OTHER_NUMBER));
    }
    let mut index = Vec::new();
    (&file).take(shard::index_bytes(frames.into()) + 1).read_to_end(&mut index)?;
    if index != shard::index(&walk.frames) {
        return Err(damaged("its index is not that of its frames"));
    }
    Ok((walk.head, seal, file))
}

/// How many frames of a stream a damaged chunk holds, as well as that can be told: those whose record can be read, and one for
/// each stretch in which there is none. No further than a long stretch: a foreign file may be of any size.
pub fn count_frames(path: &Path, stream: &[u8; 16]) -> io::Result<u64> {
    let mut bytes = BufReader::with_capacity(READ_AT_ONCE, open(path, false)?);
    let mut head = [0; Head::SIZE];
    bytes.read_exact(&mut head)?;
    let head = Head::from_bytes(&head).ok();
    if head.as_ref().is_some_and(|head| head.stream != *stream) {
        return Ok(0);
    }
    let (mut frames, mut stretch) = (0, 0);
    let mut record = [0; FrameRecord::SIZE];
    let mut read = bytes.read_exact(&mut record);
    while read.is_ok() && !Seal::begins(&record) && stretch < LONGEST_STRETCH {
        if let Some((found, _)) = FrameRecord::from_bytes(&record) {
            frames += 1 + u64::from(stretch > 0);
            stretch = 0;
            bytes.seek_relative(found.bytes.into())?;
            read = bytes.read_exact(&mut record);
        } else {
            stretch += 1;
            record.copy_within(1.., 0);
            read = bytes.read_exact(&mut record[FrameRecord::SIZE - 1..]);
        }
    }
    // A file without head and frames is none of this library, and a last stretch as long as a seal is one.
    let is_chunk = head.is_some() || frames > 0;
    let is_seal = stretch + FrameRecord::SIZE as u64 - 1 == ChunkFile::seal_bytes(frames);
    Ok(frames + u64::from(stretch > 0 && is_chunk && !is_seal))
}

/// Whether an error tells that a file is not what it should be, and not of a disk that may be better another time.
pub fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

/// A chunk's file.
fn open(path: &Path, write: bool) -> io::Result<File> {
    expect_file(path)?;
    match platform::private_file(write).open(path).and_then(platform::off_console) {
        // The file's own mode forbids it. Else it is the disk that does, perhaps only now: a server of files, say.
        Err(error) if is_denied_by_mode(&error, path, write)? => Err(damaged(&error.to_string())),
        opened => opened,
    }
}

fn is_denied_by_mode(error: &io::Error, path: &Path, write: bool) -> io::Result<bool> {
    let denied = error.kind() == ErrorKind::PermissionDenied;
    Ok(denied && platform::is_denied_to_its_owner(&fs::symlink_metadata(path)?, write))
}

/// The library makes neither links, of which nobody knows where they lead, nor pipes.
pub fn expect_file(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a folder",
        () if kind.is_symlink() => "a link",
        () => "a device",
    };
    Err(damaged(&format!("{what} and no file")))
}

/// The whole frames of a chunk file, from its beginning.
struct Walk {
    head: Head,
    stamps: Option<ChunkStamps>,
    frames: Vec<FramePlace>,
    /// What the frames themselves tell of it.
    amiss: Amiss,
    end: u64,
    behind: Behind,
}

/// What follows the whole frames.
enum Behind {
    /// Nothing, or the beginning of a frame, or zeros from a page on.
    Tear,
    /// A seal, or the beginning of one.
    Seal,
    /// What no kill leaves.
    Damage,
}

impl Walk {
    fn through(file: &File, length: u64) -> io::Result<Walk> {
        let mut reader = BufReader::with_capacity(READ_AT_ONCE, file);
        reader.seek(SeekFrom::Start(0))?;
        let mut head = [0; Head::SIZE];
        reader.read_exact(&mut head)?;
        let head = Head::from_bytes(&head)?;
        let longest = head.longest_frame().ok_or_else(|| damaged("its frames have a size that none has"))?;
        let (chunk_crc, end) = (head.crc(), Head::SIZE as u64);
        let mut walk = Walk { head, stamps: None, frames: Vec::new(), amiss: Amiss::default(), end, behind: Behind::Tear };
        loop {
            let rest = length - walk.end;
            if rest < FrameRecord::SIZE as u64 {
                return Ok(walk);
            }
            let mut bytes = [0; FrameRecord::SIZE];
            reader.read_exact(&mut bytes)?;
            let start = walk.end + FrameRecord::SIZE as u64;
            let mut written = walk.end + without_zeros(&bytes);
            let Some((record, crc)) = FrameRecord::from_bytes(&bytes) else {
                if Seal::begins(&bytes) && rest <= ChunkFile::seal_bytes(walk.frames.len() as u64) {
                    walk.behind = Behind::Seal;
                } else {
                    walk.judge(&mut reader, written, start, length)?;
                }
                return Ok(walk);
            };
            if u64::from(record.bytes) > longest {
                walk.behind = Behind::Damage;
                return Ok(walk);
            }
            let end = start + u64::from(record.bytes);
            if end > length {
                return Ok(walk);
            }
            // Piece by piece: a file from who knows where does not say how much memory is taken.
            let (mut at, mut found) = (start, FrameRecord::crc(&bytes, chunk_crc, &[]));
            while at < end {
                let piece = reader.fill_buf()?;
                let piece = &piece[..piece.len().min((end - at) as usize)];
                if piece.is_empty() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                found = crc32c::crc32c_append(found, piece);
                written = written.max(match without_zeros(piece) {
                    0 => 0,
                    bytes => at + bytes,
                });
                let read = piece.len();
                reader.consume(read);
                at += read as u64;
            }
            if found != crc {
                walk.judge(&mut reader, written, end, length)?;
                return Ok(walk);
            }
            walk.frames.push(FramePlace { offset: start, bytes: record.bytes.into() });
            walk.end = end;
            walk.amiss.missed += record.missed;
            walk.amiss.incomplete += i64::from(codes::FrameFlag::Incomplete.is_in(record.flags.into()));
            match &mut walk.stamps {
                Some(stamps) => stamps.next(record.stamp_ns),
                None => walk.stamps = Some(walk.head.begin_stamps(record.stamp_ns)),
            }
        }
    }

    /// What fails its crc between the whole frames and `end`, where the reader is, and holds nothing but zeros from `written` on:
    /// a tear, if a power cut can have left it.
    fn judge(&mut self, reader: &mut impl BufRead, written: u64, end: u64, length: u64) -> io::Result<()> {
        let zeros = if written == self.end { written } else { written.next_multiple_of(PAGE) };
        let is_cut = zeros < end && length - end <= LONGEST_TAIL && only_zeros(reader)?;
        self.behind = if is_cut { Behind::Tear } else { Behind::Damage };
        Ok(())
    }

    /// Whether it is the chunk that its folder and its name say.
    fn head_is_of(&self, stream: &[u8; 16], chunk: u64) -> io::Result<()> {
        if self.head.stream != *stream {
            return Err(damaged("it belongs to another stream"));
        }
        if self.head.chunk != chunk {
            return Err(damaged(&format!("it holds chunk {}", self.head.chunk)));
        }
        Ok(())
    }

    /// Whether a seal is that of the frames, and not what another file left on the disk.
    fn may_have(&self, seal: &Seal) -> bool {
        let start_ns = self.stamps.as_ref().map(|stamps| stamps.start_ns);
        seal.frames as usize == self.frames.len() && Some(seal.start_ns) == start_ns
    }

    /// The seal behind the frames, if it is whole.
    fn seal(&self, mut file: &File) -> io::Result<Option<Seal>> {
        let mut bytes = [0; Seal::SIZE];
        file.seek(SeekFrom::Start(self.end))?;
        match file.read_exact(&mut bytes) {
            Ok(()) => Ok(Seal::from_bytes(&bytes).ok().filter(|seal| self.may_have(seal))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Bytes up to the last that is not zero.
fn without_zeros(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

fn only_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        let read = bytes.len();
        if without_zeros(bytes) > 0 {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        reader.consume(read);
    }
}

const READ_AT_ONCE: usize = 1 << 20;
/// Disks take files by these, or by multiples.
const PAGE: u64 = 4096;
/// No chunk is longer by far, and a foreign file may be of any length.
const LONGEST_TAIL: u64 = 2 << 30;
/// No frame is larger by far.
const LONGEST_STRETCH: u64 = 64 << 20;
/// As in `record`, of a head that is no head.
const NO_CHUNK: &str = "not a chunk of this library";
const OTHER_NUMBER: &str = "its name tells another number of frames";

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockOffset;
    use crate::shard::FrameCompressor;
    use std::path::PathBuf;

    const STREAM: [u8; 16] = [3; 16];

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rheed-recover-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    fn chunk(folder: &Path, frames: u64) -> ChunkFile {
        chunk_of(folder, 8, 4, frames, |id| vec![id as u8; 32])
    }

    fn chunk_of(folder: &Path, width: u32, height: u32, frames: u64, pixels: impl Fn(u64) -> Vec<u8>) -> ChunkFile {
        let head = Head { stream: STREAM, chunk: 0, width, height, fps: 10.0, decimate: 1, stamped: true };
        let mut chunk = ChunkFile::create(folder, head, 4).unwrap();
        let mut compressor = FrameCompressor::new(1).unwrap();
        for id in 0..frames {
            let mut buffer = vec![0; FrameRecord::SIZE];
            compressor.append(&pixels(id), &mut buffer).unwrap();
            let record = FrameRecord { bytes: 0, flags: 0, missed: 0, id, stamp_ns: (id as i64 + 1) * 100_000_000 };
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
            match part(&folder, 0, &STREAM) {
                Ok(Recovered::Empty) => assert_eq!(expected, 0, "cut at {cut}"),
                Ok(Recovered::Sealed { file: sealed, .. }) => {
                    assert_eq!(sealed.seal.frames as usize, expected, "cut at {cut}");
                    assert_eq!(sealed.seal.start_ns, 100_000_000);
                    verify(&layout::shard(&folder, 0, sealed.seal.frames), 0, sealed.seal.frames, &STREAM).unwrap();
                }
                Err(error) => panic!("cut at {cut}: {error}"),
            }
            std::fs::remove_dir_all(folder).unwrap();
        }
        std::fs::remove_dir_all(whole).unwrap();
    }

    #[test]
    fn a_chunk_that_was_sealed_and_not_yet_renamed_is_whole_and_keeps_its_seal_cut_off_anywhere() {
        const FRAMES: u32 = 20; // Their index is larger than a frame.
        let clock = Some(ClockOffset { offset_ns: 5, uncertainty_ns: 1 });
        let amiss = Amiss { dropped: 3, stalls: 1, ..Amiss::default() };
        let whole = folder();
        chunk(&whole, FRAMES.into()).seal(clock, amiss).unwrap();
        let bytes = std::fs::read(layout::shard(&whole, 0, FRAMES)).unwrap();
        let frames_end = bytes.len() - ChunkFile::seal_bytes(FRAMES.into()) as usize;
        for cut in frames_end..=bytes.len() {
            let folder = folder();
            std::fs::write(layout::part(&folder, 0), &bytes[..cut]).unwrap();
            let Ok(Recovered::Sealed { file, torn, .. }) = part(&folder, 0, &STREAM) else { panic!("cut at {cut}") };
            assert_eq!(file.seal.frames, FRAMES);
            let known = cut >= frames_end + Seal::SIZE;
            assert_eq!(file.seal.clock, clock.filter(|_| known), "cut at {cut}");
            assert_eq!(file.seal.amiss, if known { amiss } else { Amiss::default() }, "cut at {cut}");
            assert!(!torn || cut < frames_end + FrameRecord::SIZE);
            let path = layout::shard(&folder, 0, FRAMES);
            verify(&path, 0, FRAMES, &STREAM).unwrap();
            assert!(cut < bytes.len() || std::fs::read(path).unwrap() == bytes);
            drop(file);
            std::fs::remove_dir_all(folder).unwrap();
        }
        std::fs::remove_dir_all(whole).unwrap();
    }

    /// A part of so many frames of noise, each longer than a page; and where they end.
    fn noisy_part(folder: &Path, frames: u64) -> (Vec<u8>, Vec<usize>) {
        let mut random = 1u64;
        let mut byte = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 56) as u8
        };
        let noise: Vec<u8> = (0..6000).map(|_| byte()).collect();
        let end = |frames| chunk_of(folder, 100, 60, frames, |_| noise.clone()).bytes() as usize;
        let ends = (1..=frames).map(end).collect();
        (std::fs::read(layout::part(folder, 0)).unwrap(), ends)
    }

    #[test]
    fn zeros_that_a_power_cut_left_from_a_page_on_cost_no_frame_before_them() {
        let folder = folder();
        let (bytes, ends) = noisy_part(&folder, 5);
        for page in (4096..bytes.len()).step_by(4096) {
            let whole = ends.iter().filter(|end| **end <= page).count() as u32;
            for more in [0, 10_000] {
                let mut cut = bytes.clone();
                cut[page..].fill(0);
                cut.resize(bytes.len() + more, 0);
                std::fs::write(layout::part(&folder, 0), cut).unwrap();
                match part(&folder, 0, &STREAM) {
                    Ok(Recovered::Sealed { file, torn: true, .. }) => assert_eq!(file.seal.frames, whole, "page at {page}"),
                    Ok(Recovered::Empty) => assert_eq!(whole, 0, "page at {page}"),
                    _ => panic!("page at {page}"),
                }
                assert!(whole == 0 || verify(&layout::shard(&folder, 0, whole), 0, whole, &STREAM).is_ok());
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn zeros_before_other_bytes_or_inside_a_page_are_damage() {
        let folder = folder();
        let (bytes, _) = noisy_part(&folder, 5);
        let last = bytes.len() - 1;
        for zeros in [8192..12_288, 8192..last, 8200..bytes.len() - 3000, last - 10..last + 1] {
            let mut damaged = bytes.clone();
            damaged[zeros.clone()].fill(0);
            std::fs::write(layout::part(&folder, 0), damaged).unwrap();
            assert!(part(&folder, 0, &STREAM).is_err_and(|error| is_damage(&error)), "{zeros:?}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_record_or_a_head_of_an_impossible_size_is_damage() {
        use std::io::Write;
        let folder = folder();
        let path = layout::part(&folder, 0);
        let sides = |width, height| chunk_of(&folder, width, height, 1, |_| vec![7; 32]);
        let chunk_crc = sides(8, 4).head().crc();
        let record = FrameRecord { bytes: 3 << 30, flags: 0, missed: 0, id: 1, stamp_ns: 0 };
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(&record.to_bytes(chunk_crc, &[])).unwrap();
        file.set_len(4 << 30).unwrap(); // Sparse: it takes no room on the disk.
        assert!(part(&folder, 0, &STREAM).is_err_and(|error| is_damage(&error)), "a record");
        for (width, height) in [(0, 4), (8, 0), (65_536, 1), (u32::MAX, u32::MAX)] {
            drop(sides(width, height));
            assert!(part(&folder, 0, &STREAM).is_err_and(|error| is_damage(&error)), "{width} x {height}");
        }
        drop(file);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// Each bit of a chunk's file is flipped; what is left is handed on.
    fn flip_each_bit(path: &Path, mut check: impl FnMut(usize)) {
        let bytes = std::fs::read(path).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(path, &flipped).unwrap();
            check(bit);
        }
        std::fs::write(path, &bytes).unwrap();
    }

    #[test]
    fn a_part_with_a_flipped_bit_anywhere_is_damaged_is_left_as_it_is_and_its_frames_can_be_counted() {
        let folder = folder();
        drop(chunk(&folder, 3));
        let path = layout::part(&folder, 0);
        flip_each_bit(&path, |bit| {
            let before = std::fs::read(&path).unwrap();
            assert!(part(&folder, 0, &STREAM).is_err_and(|error| is_damage(&error)), "bit {bit}");
            assert_eq!(std::fs::read(&path).unwrap(), before, "bit {bit}");
            assert_eq!(count_frames(&path, &STREAM).unwrap(), 3, "bit {bit}");
        });
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_flipped_bit_behind_proven_frames_costs_none_of_them() {
        let folder = folder();
        chunk(&folder, 3).seal(None, Amiss::default()).unwrap();
        let path = layout::part(&folder, 0);
        std::fs::rename(layout::shard(&folder, 0, 3), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let seal = bytes.len() - ChunkFile::seal_bytes(3) as usize;
        flip_each_bit(&path, |bit| match part(&folder, 0, &STREAM) {
            // Seal and index are made from the frames once more: the shard is as it was.
            Ok(Recovered::Sealed { .. }) => {
                assert!(bit / 8 >= seal + 8, "bit {bit}");
                let shard = layout::shard(&folder, 0, 3);
                assert_eq!(std::fs::read(&shard).unwrap(), bytes, "bit {bit}");
                std::fs::remove_file(shard).unwrap();
            }
            Ok(Recovered::Empty) => panic!("bit {bit}"),
            // Frames, or what cannot even be known as a seal.
            Err(error) => {
                assert!(is_damage(&error) && bit / 8 < seal + 8, "bit {bit}: {error}");
                assert_eq!(count_frames(&path, &STREAM).unwrap(), 3, "bit {bit}");
            }
        });
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_sealed_chunk_is_found() {
        let folder = folder();
        chunk(&folder, 3).seal(None, Amiss::default()).unwrap();
        let path = layout::shard(&folder, 0, 3);
        verify(&path, 0, 3, &STREAM).unwrap();
        flip_each_bit(&path, |bit| assert!(verify(&path, 0, 3, &STREAM).is_err(), "bit {bit}"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_chunk_of_another_stream_or_of_another_index_is_foreign() {
        let folder = folder();
        drop(chunk(&folder, 1));
        assert!(part(&folder, 0, &[9; 16]).is_err());
        std::fs::copy(layout::part(&folder, 0), layout::part(&folder, 5)).unwrap();
        assert!(part(&folder, 5, &STREAM).is_err());
        chunk(&folder, 1).seal(None, Amiss::default()).unwrap();
        assert!(verify(&layout::shard(&folder, 0, 1), 0, 1, &[9; 16]).is_err());
        assert!(verify(&layout::shard(&folder, 0, 1), 5, 1, &STREAM).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = folder();
        let real = folder.join("real");
        std::fs::write(&real, "").unwrap();
        let path = layout::part(&folder, 0);
        std::os::unix::fs::symlink(&real, &path).unwrap();
        assert!(part(&folder, 0, &STREAM).is_err_and(|error| is_damage(&error)));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(part(&folder, 0, &STREAM).is_err_and(|error| is_damage(&error)));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
