//! How a row's pixels are stored, and how they become 8 bits each, in one pass.
//!
//! A crate of its own, for the compiler optimizes crates either for speed or for size, and what stands around this waits for disks
//! and networks.
//!
//! One fixed mapping for a whole stream: automatic contrast would destroy the oscillations that growers measure.

/// How a row's pixels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A byte a pixel.
    Bytes,
    /// Two bytes a pixel, little-endian; the value's 8 highest bits are kept by this shift.
    Words {
        /// Bits.
        shift: u32,
    },
    /// Mono10p: 10 bits a pixel without gaps, the least significant first.
    Tens,
    /// Mono12p: so with 12 bits a pixel.
    Twelves,
    /// Mono10Packed and Mono12Packed: each pixel's 8 highest bits are a byte, and between two of them lies one with the low bits
    /// of both.
    Threes,
}

impl Storage {
    /// Bytes that so many pixels of a row take.
    pub fn bytes(self, pixels: usize) -> usize {
        match self {
            Storage::Bytes => pixels,
            Storage::Words { .. } => 2 * pixels,
            Storage::Tens => (10 * pixels).div_ceil(8),
            Storage::Twelves | Storage::Threes => (12 * pixels).div_ceil(8),
        }
    }

    /// The 8 highest bits of each pixel, from a row's beginning or from a place between two groups of 4.
    #[inline(never)] // Else it is optimized as its caller is.
    pub fn keep_high_bits(self, stored: &[u8], pixels: &mut [u8]) {
        match self {
            Storage::Bytes => pixels.copy_from_slice(&stored[..pixels.len()]),
            Storage::Words { shift } => unpack_words(stored, pixels, shift),
            Storage::Tens => unpack_fours::<5>(stored, pixels, [2, 12, 22, 32]),
            Storage::Twelves => unpack_fours::<6>(stored, pixels, [4, 16, 28, 40]),
            Storage::Threes => unpack_fours::<6>(stored, pixels, [0, 16, 24, 40]),
        }
    }
}

/// Words of 16 bits to pixels of 8.
fn unpack_words(words: &[u8], pixels: &mut [u8], shift: u32) {
    for (word, pixel) in words.chunks_exact(2).zip(pixels) {
        *pixel = (u16::from_le_bytes([word[0], word[1]]) >> shift) as u8;
    }
}

/// Groups of 4 pixels in `BYTES` bytes to pixels of 8 bits, which begin at these bits of a group, counted from the least
/// significant of its first byte.
///
/// A group is unpacked as one number, in a few shifts and masks. The byte shuffles of newer processors are faster by a third at
/// most, since a frame comes from memory: not worth a second way.
#[inline(always)] // So that the shifts are constants.
fn unpack_fours<const BYTES: usize>(packed: &[u8], pixels: &mut [u8], begins: [u32; 4]) {
    let unpack = |group: [u8; 8]| {
        let group = u64::from_le_bytes(group);
        let kept = (0..4).fold(0, |kept, k| kept | (group >> (begins[k] - 8 * k as u32) & 0xFF << (8 * k)));
        (kept as u32).to_le_bytes()
    };
    // Eight bytes are read at once as long as there are so many.
    let wide = (packed.len().saturating_sub(8 - BYTES) / BYTES).min(pixels.len() / 4);
    let (fours, rest) = pixels.split_at_mut(4 * wide);
    for (index, pixels) in fours.chunks_exact_mut(4).enumerate() {
        let group = packed[BYTES * index..].first_chunk().expect("eight bytes are there");
        pixels.copy_from_slice(&unpack(*group));
    }
    for (packed, pixels) in packed[BYTES * wide..].chunks(BYTES).zip(rest.chunks_mut(4)) {
        let mut group = [0; 8];
        group[..packed.len()].copy_from_slice(packed);
        pixels.copy_from_slice(&unpack(group)[..pixels.len()]);
    }
}
