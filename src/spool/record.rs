//! The records of a chunk file: a head, one before each frame, and a seal. All little-endian, each with a crc32c.
//!
//! ```text
//! head | frame record, zstd frame | frame record, zstd frame | ... | seal | shard index, crc
//! ```
//! To a Zarr reader the records are gaps between inner chunks. To recovery they say what each frame is, and where a file that
//! was cut off ends.

use crate::clock::ClockOffset;
use crate::ledger::Amiss;
use crate::shard::{self, FrameCompressor};
use crate::stamps::ChunkStamps;
use std::io::{self, ErrorKind};

const HEAD_MAGIC: &[u8; 8] = b"RHEEDch1";
const SEAL_MAGIC: &[u8; 8] = b"RHEEDse1";

/// A frame's flags are the low bits of a word, `FrameRecord::missed` the others.
const FLAG_BITS: u32 = 8;
const MOST_MISSED: i64 = i32::MAX as i64 >> FLAG_BITS;

const STAMPED: u32 = 1;
const CLOCK_KNOWN: u32 = 1;

/// What all frames of a chunk have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The stream's folder, so that a file from elsewhere is known as foreign.
    pub stream: [u8; 16],
    /// Index of the chunk in its stream.
    pub chunk: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The declared rate of the frames that are kept.
    pub fps: f64,
    /// Of the camera's frames each so-many-th is kept. 0 in files from before there was a choice, and means 1.
    pub decimate: u32,
    /// Whether the frames came with time stamps.
    pub stamped: bool,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRecord {
    /// Compressed bytes that follow.
    pub bytes: u32,
    /// As pushed.
    pub flags: u8,
    /// Frames that the camera lost since the frame before, so many more than the seal before told at a chunk's first; less than none
    /// where some come late. At most some 8 million are told. Of the ids alone it could not be told: frames that were refused or
    /// left out have no record.
    pub missed: i64,
    /// As pushed.
    pub id: u64,
    /// Unix nanoseconds by this computer's clock.
    pub stamp_ns: i64,
}

/// What is known of a chunk when it is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seal {
    /// Frames in the chunk.
    pub frames: u32,
    /// Unix nanoseconds by this computer's clock.
    pub start_ns: i64,
    /// Unix nanoseconds by this computer's clock.
    pub end_ns: i64,
    /// Measured where it could be, else the declared one.
    pub average_fps: f64,
    /// The clock's offset when the chunk was sealed.
    pub clock: Option<ClockOffset>,
    /// What went amiss with it.
    pub amiss: Amiss,
}

impl Head {
    /// Bytes of the record.
    pub const SIZE: usize = 72;

    /// The record's bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut writer = Writer::<{ Self::SIZE }>::new();
        writer.put(HEAD_MAGIC);
        writer.put(&self.stream);
        writer.put(&self.chunk.to_le_bytes());
        writer.put(&self.width.to_le_bytes());
        writer.put(&self.height.to_le_bytes());
        writer.put(&self.fps.to_le_bytes());
        writer.put(&if self.stamped { STAMPED } else { 0 }.to_le_bytes());
        writer.put(&self.decimate.to_le_bytes());
        writer.put(&[0; 12]); // Reserved.
        writer.sealed()
    }

    /// With this begin the crcs of its frames: no other chunk has it.
    pub fn crc(&self) -> u32 {
        crc32c::crc32c(&self.to_bytes()[..Self::SIZE - 4])
    }

    /// Its frames' time stamps, from the first on.
    pub fn begin_stamps(&self, first_ns: i64) -> ChunkStamps {
        ChunkStamps::begin(self.stamped, first_ns, self.fps * f64::from(self.decimate.max(1)))
    }

    /// Bytes that one of its frames may take at most; `None` if no frame has its size.
    pub fn longest_frame(&self) -> Option<u64> {
        let sides = [self.width, self.height];
        let is_real = sides.iter().all(|side| (1..=shard::MOST_SIDE).contains(side));
        is_real.then(|| FrameCompressor::bound(self.width as usize * self.height as usize) as u64)
    }

    /// Whether these few bytes may be the beginning of such a chunk's head.
    pub fn may_begin_with(bytes: &[u8], stream: &[u8; 16], chunk: u64) -> bool {
        let known = HEAD_MAGIC.iter().copied().chain(*stream).chain(chunk.to_le_bytes());
        bytes.iter().zip(known).all(|(byte, known)| *byte == known)
    }

    /// The record, if these are its bytes.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> io::Result<Head> {
        let mut reader = Reader::checked(bytes, HEAD_MAGIC)?;
        Ok(Head {
            stream: reader.take(),
            chunk: u64::from_le_bytes(reader.take()),
            width: u32::from_le_bytes(reader.take()),
            height: u32::from_le_bytes(reader.take()),
            fps: f64::from_le_bytes(reader.take()),
            stamped: u32::from_le_bytes(reader.take()) & STAMPED != 0,
            decimate: u32::from_le_bytes(reader.take()),
        })
    }
}

impl FrameRecord {
    /// Bytes of the record.
    pub const SIZE: usize = 32;

    /// The record's bytes. They begin with a crc of their own: a frame that was cut off is told from one that is damaged, and
    /// frames are found again behind damage. A second one covers the compressed frame too, and begins with the chunk's: after a
    /// power cut a file may hold what another file left on the disk, and that is not to pass for its own.
    pub fn to_bytes(self, chunk_crc: u32, frame: &[u8]) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[8..12].copy_from_slice(&self.bytes.to_le_bytes());
        let missed = self.missed.clamp(-MOST_MISSED, MOST_MISSED) as u32;
        bytes[12..16].copy_from_slice(&(missed << FLAG_BITS | u32::from(self.flags)).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.stamp_ns.to_le_bytes());
        let crc = Self::crc(&bytes, chunk_crc, frame);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        let own = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// The record and the crc that it and its frame must have; `None` when no frame record is there.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Option<(FrameRecord, u32)> {
        let mut reader = Reader { rest: bytes };
        (reader.take::<4>() == crc32c::crc32c(&bytes[4..]).to_le_bytes()).then(|| {
            let crc = u32::from_le_bytes(reader.take());
            let bytes = u32::from_le_bytes(reader.take());
            let flags_and_missed = u32::from_le_bytes(reader.take());
            let record = FrameRecord {
                bytes,
                flags: flags_and_missed as u8,
                missed: i64::from(flags_and_missed as i32 >> FLAG_BITS),
                id: u64::from_le_bytes(reader.take()),
                stamp_ns: i64::from_le_bytes(reader.take()),
            };
            (record, crc)
        })
    }

    /// What the crc must be for the record's bytes and the compressed frame.
    pub fn crc(bytes: &[u8; Self::SIZE], chunk_crc: u32, frame: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(chunk_crc, &bytes[8..]), frame)
    }
}

impl Seal {
    /// Bytes of the record.
    pub const SIZE: usize = 80;

    /// The record's bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let clock = self.clock.unwrap_or(ClockOffset { offset_ns: 0, uncertainty_ns: 0 });
        let mut writer = Writer::<{ Self::SIZE }>::new();
        writer.put(SEAL_MAGIC);
        writer.put(&self.frames.to_le_bytes());
        writer.put(&if self.clock.is_some() { CLOCK_KNOWN } else { 0 }.to_le_bytes());
        writer.put(&self.start_ns.to_le_bytes());
        writer.put(&self.end_ns.to_le_bytes());
        writer.put(&self.average_fps.to_le_bytes());
        writer.put(&clock.offset_ns.to_le_bytes());
        writer.put(&clock.uncertainty_ns.to_le_bytes());
        for count in self.amiss.counts() {
            writer.put(&(count.clamp(i32::MIN.into(), i32::MAX.into()) as i32).to_le_bytes());
        }
        writer.sealed()
    }

    /// Whether it is one that begins here, whole or not.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(SEAL_MAGIC)
    }

    /// The record, if these are its bytes.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> io::Result<Seal> {
        let mut reader = Reader::checked(bytes, SEAL_MAGIC)?;
        let frames = u32::from_le_bytes(reader.take());
        let clock_known = u32::from_le_bytes(reader.take()) & CLOCK_KNOWN != 0;
        let start_ns = i64::from_le_bytes(reader.take());
        let end_ns = i64::from_le_bytes(reader.take());
        let average_fps = f64::from_le_bytes(reader.take());
        let clock =
            ClockOffset { offset_ns: i64::from_le_bytes(reader.take()), uncertainty_ns: i64::from_le_bytes(reader.take()) };
        let amiss = Amiss::of(std::array::from_fn(|_| i64::from(i32::from_le_bytes(reader.take()))));
        Ok(Seal { frames, start_ns, end_ns, average_fps, clock: clock_known.then_some(clock), amiss })
    }
}

struct Writer<const SIZE: usize> {
    bytes: [u8; SIZE],
    at: usize,
}

impl<const SIZE: usize> Writer<SIZE> {
    fn new() -> Self {
        Writer { bytes: [0; SIZE], at: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// The record, which ends with its crc.
    fn sealed(mut self) -> [u8; SIZE] {
        assert_eq!(self.at, SIZE - 4, "the fields fill the record");
        let crc = crc32c::crc32c(&self.bytes[..SIZE - 4]);
        self.put(&crc.to_le_bytes());
        self.bytes
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn checked(bytes: &'a [u8], magic: &[u8; 8]) -> io::Result<Reader<'a>> {
        let (body, crc) = bytes.split_at(bytes.len() - 4);
        if !body.starts_with(magic) {
            return Err(io::Error::new(ErrorKind::InvalidData, "not a chunk of this library"));
        }
        if crc32c::crc32c(body).to_le_bytes() != crc {
            return Err(io::Error::new(ErrorKind::InvalidData, "a record is damaged"));
        }
        Ok(Reader { rest: &body[magic.len()..] })
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.rest.split_at(N);
        self.rest = rest;
        let mut bytes = [0; N];
        bytes.copy_from_slice(taken);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_written_and_damage_is_seen() {
        let head = Head { stream: [7; 16], chunk: 5, width: 3, height: 4, fps: 59.94, decimate: 7, stamped: true };
        let mut bytes = head.to_bytes();
        assert_eq!(Head::from_bytes(&bytes).unwrap(), head);
        bytes[30] ^= 1;
        assert!(Head::from_bytes(&bytes).is_err());

        for clock in [None, Some(ClockOffset { offset_ns: -5, uncertainty_ns: 9 })] {
            let amiss = Amiss { dropped: 1, rejected: 2, missed: -3, incomplete: 4, stalls: 5 };
            let seal = Seal { frames: 9, start_ns: 1, end_ns: 2, average_fps: 3.5, clock, amiss };
            assert_eq!(Seal::from_bytes(&seal.to_bytes()).unwrap(), seal);
        }

        let record = FrameRecord { bytes: 3, flags: 1, missed: 600_000, id: u64::MAX, stamp_ns: 77 };
        let bytes = record.to_bytes(head.crc(), b"abc");
        let (read, crc) = FrameRecord::from_bytes(&bytes).unwrap();
        assert_eq!(read, record);
        assert_eq!(FrameRecord::crc(&bytes, head.crc(), b"abc"), crc);
        assert_ne!(FrameRecord::crc(&bytes, head.crc(), b"abd"), crc);
        let next = Head { chunk: 6, ..head };
        assert_ne!(FrameRecord::crc(&bytes, next.crc(), b"abc"), crc, "a frame is its own chunk's");
        for bit in 0..8 * FrameRecord::SIZE {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameRecord::from_bytes(&flipped).is_none(), "bit {bit}");
        }
        assert!(FrameRecord::from_bytes(&[0; FrameRecord::SIZE]).is_none(), "a hole in a file is no record");
    }

    #[test]
    fn what_a_record_cannot_hold_is_told_as_the_most_that_it_can() {
        for (missed, told) in [(-3, -3), (1 << 40, MOST_MISSED), (-1 << 40, -MOST_MISSED)] {
            let record = FrameRecord { bytes: 0, flags: u8::MAX, missed, id: 0, stamp_ns: 0 };
            let (read, _) = FrameRecord::from_bytes(&record.to_bytes(0, &[])).unwrap();
            assert_eq!(read, FrameRecord { missed: told, ..record });

            let amiss = Amiss { missed, ..Amiss::default() };
            let seal = Seal { frames: 1, start_ns: 0, end_ns: 0, average_fps: 1.0, clock: None, amiss };
            let read = Seal::from_bytes(&seal.to_bytes()).unwrap().amiss.missed;
            assert_eq!(read, missed.clamp(i32::MIN.into(), i32::MAX.into()));
        }
    }
}
