//! The Zarr shard's bytes: codec `sharding_indexed`, one zstd frame an inner chunk, index at the end.
//!
//! A chunk file is a shard as soon as its index stands behind its frames. Inner chunks may lie anywhere before the index, so
//! the spool's own records between them do no harm (Zarr v3 specification, sharding codec).

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, ParamSwitch, compress_bound};

/// More pixels a side than any camera has.
pub const MOST_SIDE: u32 = 65_535;

/// Where one frame lies in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePlace {
    /// Of its first byte.
    pub offset: u64,
    /// Compressed bytes.
    pub bytes: u64,
}

/// Bytes of an index for so many frames: (offset, nbytes) each, and the crc.
pub const fn index_bytes(frames: u64) -> u64 {
    16 * frames + 4
}

/// The index: (offset, nbytes) little-endian in frame order, then the crc32c of these.
pub fn index(frames: &[FramePlace]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(index_bytes(frames.len() as u64) as usize);
    for frame in frames {
        bytes.extend_from_slice(&frame.offset.to_le_bytes());
        bytes.extend_from_slice(&frame.bytes.to_le_bytes());
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// Compresses frames, one zstd frame each, with the content size in its header.
pub struct FrameCompressor {
    zstd: Compressor<'static>,
    level: i32,
}

impl FrameCompressor {
    /// With a zstd level.
    pub fn new(level: i32) -> std::io::Result<FrameCompressor> {
        let mut compressor = FrameCompressor { zstd: Compressor::new(level)?, level };
        compressor.tune(level)?;
        Ok(compressor)
    }

    /// From now on with this level.
    pub fn set_level(&mut self, level: i32) -> std::io::Result<()> {
        if level != self.level {
            self.tune(level)?;
            self.level = level;
        }
        Ok(())
    }

    /// zstd's levels are made for texts and programs. What is better for a camera's frames was measured (docs/performance.md).
    fn tune(&mut self, level: i32) -> std::io::Result<()> {
        use CParameter::{ChainLog, CompressionLevel, HashLog, LiteralCompressionMode, MinMatch};
        const BY_LEVEL: u32 = 0;
        let [fast, with_two_tables] = [level <= 4, matches!(level, 0 | 3 | 4)];
        let parameters = [
            CompressionLevel(level),
            // Noise is full of short matches, each of which costs more than its bytes.
            MinMatch(7),
            // Tables that stay in the first cache.
            HashLog(if fast { 13 } else { BY_LEVEL }),
            ChainLog(if with_two_tables { 13 } else { BY_LEVEL }),
            // By themselves negative levels store literals as they are, and noise is little else.
            LiteralCompressionMode(if level < 0 { ParamSwitch::Enable } else { ParamSwitch::Auto }),
        ];
        parameters.into_iter().try_for_each(|parameter| self.zstd.set_parameter(parameter))
    }

    /// Room that a compressed frame may take at most.
    pub fn bound(frame_bytes: usize) -> usize {
        compress_bound(frame_bytes)
    }

    /// Compresses a frame behind what is in `out`, whose capacity grows at most once for a frame size.
    pub fn append(&mut self, pixels: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        let before = out.len();
        out.try_reserve(FrameCompressor::bound(pixels.len()))?;
        let mut tail = std::io::Cursor::new(std::mem::take(out));
        tail.set_position(before as u64);
        let done = self.zstd.compress_to_buffer(pixels, &mut tail);
        *out = tail.into_inner();
        done.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_ends_with_the_crc_of_its_entries() {
        let index = index(&[FramePlace { offset: 7, bytes: 9 }]);
        assert_eq!(index.len() as u64, index_bytes(1));
        assert_eq!(index[..8], 7u64.to_le_bytes());
        assert_eq!(index[16..], crc32c::crc32c(&index[..16]).to_le_bytes());
    }

    #[test]
    fn noise_is_compressed_at_negative_levels_too_and_a_level_that_is_set_is_as_one_from_the_beginning() {
        let mut random = 1u64;
        let mut narrow = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 60) as u8 // Half of the bits are always zero.
        };
        let pixels: Vec<u8> = (0..100_000).map(|_| narrow()).collect();
        let mut set = FrameCompressor::new(3).unwrap();
        for level in [-1000, -20, 1, 3, 9, 0, -1] {
            let (mut new, mut again) = (Vec::new(), Vec::new());
            FrameCompressor::new(level).unwrap().append(&pixels, &mut new).unwrap();
            set.set_level(level).unwrap();
            set.append(&pixels, &mut again).unwrap();
            assert!(new == again && new.len() < 55_000, "level {level}: {} bytes", new.len());
        }
    }

    #[test]
    fn a_frame_comes_back_behind_what_was_there_at_every_level() {
        let pixels: Vec<u8> = (0..10_000u32).map(|i| (i * i % 251) as u8).collect();
        for level in [-20, 0, 1, 3, 4, 5, 13, 19] {
            let mut out = b"head".to_vec();
            FrameCompressor::new(level).unwrap().append(&pixels, &mut out).unwrap();
            assert_eq!(&out[..4], b"head");
            assert_eq!(zstd::bulk::decompress(&out[4..], pixels.len()).unwrap(), pixels);
        }
    }
}
