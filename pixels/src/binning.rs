//! Squares of pixels become one pixel each: their mean.
//!
//! Eight pixels of a row are a number of 64 bits, whose parts are added without carrying into each other: so vectors take several of
//! them, where the compiler would pick single bytes one by one.

use crate::Storage;

/// Pixels of a row that are brought to 8 bits and added together: they stay in the first cache.
const BLOCK: usize = 1024;

/// The low byte of each 16 bits.
const BYTES: u64 = 0x00FF_00FF_00FF_00FF;
/// The low half of each 32 bits.
const HALVES: u64 = 0x0000_FFFF_0000_FFFF;

/// The means of a row of squares, `bin` pixels wide and high, from a column on: 8 bits each, rounded to the nearest, a half upwards.
/// `bin` is 2 or 4; `rows` begins with the first of the squares' rows; from one to the next it is `stride` bytes.
#[inline(never)] // Else it is optimized as its caller is.
pub fn mean_of_squares(storage: Storage, rows: &[u8], stride: usize, column: usize, bin: usize, means: &mut [u8]) {
    debug_assert!(bin == 2 || bin == 4, "squares of {bin} x {bin} pixels");
    let mut unpacked = [0; BLOCK];
    for (number, means) in means.chunks_mut(BLOCK / bin).enumerate() {
        let (column, width) = (column + number * BLOCK, means.len() * bin);
        let mut sums = [0; BLOCK / 8];
        for row in 0..bin {
            let row = &rows[row * stride..];
            if storage == Storage::Bytes {
                add_pairs(&row[column..][..width], &mut sums);
            } else {
                storage.to_eight_bits(row, column, &mut unpacked[..width]);
                add_pairs(&unpacked[..width], &mut sums);
            }
        }
        if bin == 2 {
            fill(means, &sums, mean_of_fours);
        } else {
            fill(means, &sums, mean_of_sixteens);
        }
    }
}

/// Adds each two pixels of a row to 16 bits.
fn add_pairs(pixels: &[u8], sums: &mut [u64]) {
    let pairs = |eight: [u8; 8]| {
        let eight = u64::from_le_bytes(eight);
        (eight & BYTES) + (eight >> 8 & BYTES)
    };
    let (eights, rest) = pixels.as_chunks();
    for (eight, sum) in eights.iter().zip(&mut *sums) {
        *sum += pairs(*eight);
    }
    if !rest.is_empty() {
        let mut eight = [0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        sums[eights.len()] += pairs(eight);
    }
}

/// Four means from four sums of 16 bits, which are of two pixels in two rows.
#[inline(always)]
fn mean_of_fours(sums: u64) -> [u8; 4] {
    let means = (sums + 0x0002_0002_0002_0002) >> 2 & BYTES;
    let halves = (means | means >> 8) & HALVES;
    ((halves | halves >> 16) as u32).to_le_bytes()
}

/// Two means from two times two such sums, which are of two pixels in four rows.
#[inline(always)]
fn mean_of_sixteens(sums: u64) -> [u8; 2] {
    let sums = (sums & HALVES) + (sums >> 16 & HALVES);
    let means = (sums + 0x0000_0008_0000_0008) >> 4 & BYTES;
    ((means | means >> 24) as u16).to_le_bytes()
}

/// As many means as there are places.
#[inline(always)]
fn fill<const MEANS: usize>(means: &mut [u8], sums: &[u64], of: impl Fn(u64) -> [u8; MEANS]) {
    let (whole, rest) = means.as_chunks_mut();
    for (means, sum) in whole.iter_mut().zip(sums) {
        *means = of(*sum);
    }
    rest.copy_from_slice(&of(sums[whole.len().min(sums.len() - 1)])[..rest.len()]);
}
