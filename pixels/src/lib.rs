//! How a row's pixels are stored, and how they become 8 bits each, in one pass; the means of squares of them; and how bright a part of a
//! frame is.
//!
//! A crate of its own, for the compiler optimizes crates either for speed or for size, and what stands around this waits for disks
//! and networks.
//!
//! One fixed mapping for a whole stream: automatic contrast would destroy the oscillations that growers measure.

mod binning;
mod region;

pub use binning::mean_of_squares;
pub use region::{Brightness, Region};

/// How a row's pixels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A byte a pixel.
    Bytes,
    /// Two bytes a pixel, little-endian; 8 bits from this one on are kept.
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
    /// A byte each of red, green and blue.
    Rgb,
    /// The same in the other order.
    Bgr,
}

/// What red, green and blue add to the luma, by ITU-R BT.601, in thousandths.
const LUMA: [u32; 3] = [299, 587, 114];

impl Storage {
    /// Bytes that so many pixels of a row take.
    pub fn bytes(self, pixels: usize) -> usize {
        match self {
            Storage::Bytes => pixels,
            Storage::Words { .. } => 2 * pixels,
            Storage::Tens => (10 * pixels).div_ceil(8),
            Storage::Twelves | Storage::Threes => (12 * pixels).div_ceil(8),
            Storage::Rgb | Storage::Bgr => 3 * pixels,
        }
    }

    /// Pixels that share bytes: each group of so many begins with a byte of its own.
    fn group(self) -> usize {
        match self {
            Storage::Tens => 4,
            Storage::Twelves | Storage::Threes => 2,
            Storage::Bytes | Storage::Words { .. } | Storage::Rgb | Storage::Bgr => 1,
        }
    }

    /// The pixels of a row from a column on, with 8 bits each: the highest, or the luma of a colour. No others are read, but for
    /// those that share a byte group with them.
    pub fn to_eight_bits(self, row: &[u8], column: usize, pixels: &mut [u8]) {
        let before = column % self.group();
        let head = if before == 0 { 0 } else { pixels.len().min(self.group() - before) };
        let (head, rest) = pixels.split_at_mut(head);
        let stored = |from: usize, to: usize| &row[self.bytes(from)..self.bytes(to)];
        let whole = column + head.len();
        if !head.is_empty() {
            let mut group = [0; 4];
            let group = &mut group[..before + head.len()];
            self.unpack(stored(column - before, whole), group);
            head.copy_from_slice(&group[before..]);
        }
        self.unpack(stored(whole, whole + rest.len()), rest);
    }

    /// The same of all pixels that are stored here, which begin with a group of their own.
    #[inline(never)] // Else it is optimized as its caller is.
    fn unpack(self, stored: &[u8], pixels: &mut [u8]) {
        match self {
            Storage::Bytes => pixels.copy_from_slice(stored),
            Storage::Words { shift } => unpack_words(stored, pixels, shift),
            Storage::Tens => unpack_fours::<5>(stored, pixels, [2, 12, 22, 32]),
            Storage::Twelves => unpack_fours::<6>(stored, pixels, [4, 16, 28, 40]),
            Storage::Threes => unpack_fours::<6>(stored, pixels, [0, 16, 24, 40]),
            Storage::Rgb => luma(stored, pixels, LUMA),
            Storage::Bgr => luma(stored, pixels, [LUMA[2], LUMA[1], LUMA[0]]),
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

/// Three bytes of colour to a pixel each: their weighted mean, rounded to the nearest, a half upwards. It is exact: grey stays as
/// it is.
#[inline(always)] // So that the weights are constants.
fn luma(colours: &[u8], pixels: &mut [u8], weights: [u32; 3]) {
    let of_four = |four: &[u8; 12]| {
        let word = |at: usize| u32::from_le_bytes([four[at], four[at + 1], four[at + 2], four[at + 3]]);
        // Four at a time, so that the processor's vectors hold them. The last one has no byte behind it.
        [word(0), word(3), word(6), word(8) >> 8].map(|colours| {
            let weighted: u32 = (0..3).map(|k| (colours >> (8 * k) & 0xFF) * weights[k]).sum();
            ((weighted + 500) / 1000) as u8
        })
    };
    let (fours, rest) = colours.as_chunks();
    let (pixels, last) = pixels.as_chunks_mut();
    for (four, pixels) in fours.iter().zip(pixels) {
        *pixels = of_four(four);
    }
    let mut four = [0; 12];
    four[..rest.len()].copy_from_slice(rest);
    last.copy_from_slice(&of_four(&four)[..last.len()]);
}
