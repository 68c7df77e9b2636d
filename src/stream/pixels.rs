//! Pixel formats: what the camera's bytes mean, and how they become 8 bits a pixel on the way into a slot.
//!
//! One fixed mapping for a whole stream: automatic contrast would destroy the oscillations that growers measure.

use crate::codes::{Code, Format};
use crate::error::{Error, Result};
use crate::shard::MOST_SIDE;

/// How a format is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    /// A byte a pixel.
    Bytes,
    /// Two bytes a pixel, little-endian; the value's 8 highest bits are kept by this shift.
    Words { shift: u32 },
}

/// Pixels that are converted together where a frame is converted in place: they stay in the first cache.
const BLOCK: usize = 1024;

/// How a frame lies in the caller's memory, checked.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    storage: Storage,
    width: usize,
    height: usize,
    stride: usize,
}

impl Geometry {
    /// Checks a frame's description against the memory it comes with. `stride_bytes` 0 = rows without padding.
    pub fn check(
        size_bytes: usize,
        width: u32,
        height: u32,
        stride_bytes: u32,
        pixel_format: u32,
        significant_bits: u32,
    ) -> Result<Geometry> {
        let storage = storage(pixel_format, significant_bits)?;
        if width == 0 || height == 0 || width > MOST_SIDE || height > MOST_SIDE {
            let numbers = [width.into(), height.into(), MOST_SIDE.into(), 0];
            return Err(Error::plain(Code::EArgument, "a frame of {} x {} pixels: each side is from 1 to {}", numbers));
        }
        let row = width as usize * if storage == Storage::Bytes { 1 } else { 2 };
        let stride = if stride_bytes == 0 { row } else { stride_bytes as usize };
        if stride < row {
            let numbers = [stride as u64, row as u64, 0, 0];
            return Err(Error::plain(Code::EArgument, "stride_bytes is {}, less than a row's {} bytes", numbers));
        }
        // The last row may come without its padding. Sides of 16 bits and a stride of 32 cannot overflow 64.
        let needed = stride as u64 * (u64::from(height) - 1) + row as u64;
        if (size_bytes as u64) < needed {
            let numbers = [size_bytes as u64, u64::from(width), u64::from(height), needed];
            return Err(Error::plain(
                Code::EArgument,
                "size_bytes is {}, but {} x {} pixels of this format and stride take {}",
                numbers,
            ));
        }
        Ok(Geometry { storage, width: width as usize, height: height as usize, stride })
    }

    /// Bytes of the frame with 8 bits a pixel.
    pub fn frame_bytes(&self) -> usize {
        self.width * self.height
    }

    /// Bytes from this frame's beginning to the next one's, where frames follow each other.
    pub fn source_bytes(&self) -> usize {
        self.stride * self.height
    }

    /// Brings the frame to 8 bits a pixel and rows without padding where it lies. What is written never overtakes what is read.
    pub fn convert(&self, frame: &mut [u8]) {
        match self.storage {
            Storage::Bytes if self.stride == self.width => {}
            Storage::Bytes => {
                for row in 1..self.height {
                    let begin = row * self.stride;
                    frame.copy_within(begin..begin + self.width, row * self.width);
                }
            }
            Storage::Words { shift } => {
                let mut words = [0; 2 * BLOCK];
                for row in 0..self.height {
                    for column in (0..self.width).step_by(BLOCK) {
                        let pixels = BLOCK.min(self.width - column);
                        // Set aside first: so the pixels may lie where their words were, and are converted as in a copy.
                        let words = &mut words[..2 * pixels];
                        words.copy_from_slice(&frame[row * self.stride + 2 * column..][..2 * pixels]);
                        keep_high_bits(words, &mut frame[row * self.width + column..][..pixels], shift);
                    }
                }
            }
        }
    }

    /// Copies the frame, to 8 bits on the way.
    pub fn copy(&self, source: &[u8], slot: &mut [u8]) {
        let slot = &mut slot[..self.frame_bytes()];
        match self.storage {
            Storage::Bytes if self.stride == self.width => slot.copy_from_slice(&source[..slot.len()]),
            Storage::Bytes => {
                for (row, out) in source.chunks(self.stride).zip(slot.chunks_exact_mut(self.width)) {
                    out.copy_from_slice(&row[..self.width]);
                }
            }
            Storage::Words { shift } => {
                for (row, out) in source.chunks(self.stride).zip(slot.chunks_exact_mut(self.width)) {
                    keep_high_bits(row, out, shift);
                }
            }
        }
    }
}

/// Words of 16 bits to pixels of 8.
fn keep_high_bits(words: &[u8], pixels: &mut [u8], shift: u32) {
    for (word, pixel) in words.chunks_exact(2).zip(pixels) {
        *pixel = (u16::from_le_bytes([word[0], word[1]]) >> shift) as u8;
    }
}

fn storage(pixel_format: u32, significant_bits: u32) -> Result<Storage> {
    const REFUSED: [(Format, &str); 9] = [
        (Format::Mono10Packed, "Mono10Packed is not taken by this version: set the camera to Mono8, or unpack to Mono10"),
        (Format::Mono12Packed, "Mono12Packed is not taken by this version: set the camera to Mono8, or unpack to Mono12"),
        (Format::Mono10p, "Mono10p is not taken by this version: set the camera to Mono8, or unpack to Mono10"),
        (Format::Mono12p, "Mono12p is not taken by this version: set the camera to Mono8, or unpack to Mono12"),
        (Format::BayerRG8, "BayerRG8 is not taken, since a colour mosaic is no intensity: set the camera to Mono8"),
        (Format::Rgb8, "RGB8 is not taken by this version: set the camera to Mono8"),
        (Format::Bgr8, "BGR8 is not taken by this version: set the camera to Mono8"),
        (Format::Yuyv, "YUYV is not taken by this version: set the camera to Mono8"),
        (Format::Uyvy, "UYVY is not taken by this version: set the camera to Mono8"),
    ];
    let words = |bits: u32| Ok(Storage::Words { shift: bits - 8 });
    match pixel_format {
        0 => Ok(Storage::Bytes),
        code if code == Format::Mono8 as u32 => Ok(Storage::Bytes),
        code if code == Format::Mono10 as u32 => words(10),
        code if code == Format::Mono12 as u32 => words(12),
        code if code == Format::Mono14 as u32 => words(14),
        code if code == Format::Mono16 as u32 => words(significant_bits),
        code => Err(match REFUSED.iter().find(|(format, _)| *format as u32 == code) {
            Some((_, advice)) => Error::plain(Code::EFormat, advice, [0; 4]),
            None => Error::plain(
                Code::EFormat,
                "pixel format {} is not known: give the PFNC code of Mono8, Mono10, Mono12, Mono14 or Mono16 (RHEED_FORMAT_*)",
                [code.into(), 0, 0, 0],
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame as its bits say, pixel by pixel.
    fn reference(source: &[u8], width: usize, height: usize, stride: usize, bits: u32) -> Vec<u8> {
        let mut out = Vec::new();
        for y in 0..height {
            for x in 0..width {
                out.push(if bits == 8 {
                    source[y * stride + x]
                } else {
                    let low = u32::from(source[y * stride + 2 * x]);
                    let high = u32::from(source[y * stride + 2 * x + 1]);
                    ((high * 256 + low) / 2u32.pow(bits - 8) % 256) as u8
                });
            }
        }
        out
    }

    #[test]
    fn every_format_width_and_stride_gives_the_high_bits_of_each_pixel() {
        let noise: Vec<u8> =
            (0..(2 * BLOCK as u32 + 1) * 2 * 3 + 300).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (format, bits) in [
            (0, 8),
            (Format::Mono8 as u32, 8),
            (Format::Mono10 as u32, 10),
            (Format::Mono12 as u32, 12),
            (Format::Mono14 as u32, 14),
            (Format::Mono16 as u32, 16),
        ] {
            for width in (1..=67).chain([BLOCK - 1, BLOCK, 2 * BLOCK + 1]) {
                let row = if bits == 8 { width } else { 2 * width };
                for padding in [0, 1, 5] {
                    let stride = row + padding;
                    let size = stride * 2 + row; // The last row without its padding.
                    let stride_bytes = if padding == 0 { 0 } else { stride as u32 };
                    let geometry = Geometry::check(size, width as u32, 3, stride_bytes, format, 16).unwrap();
                    let mut slot = vec![0xAA; width * 3 + 9];
                    geometry.copy(&noise[1..1 + size], &mut slot); // An odd address, too.
                    assert_eq!(slot[..width * 3], reference(&noise[1..], width, 3, stride, bits), "{format:x} {width} {padding}");
                    assert_eq!(slot[width * 3..], [0xAA; 9], "nothing is written beyond the frame");
                    let mut in_place = noise[1..1 + size].to_vec();
                    geometry.convert(&mut in_place);
                    assert_eq!(in_place[..width * 3], slot[..width * 3], "{format:x} {width} {padding} in place");
                }
            }
        }
    }

    #[test]
    fn mono16_keeps_the_high_bits_of_what_is_significant() {
        let geometry = Geometry::check(2, 1, 1, 0, Format::Mono16 as u32, 12).unwrap();
        let mut slot = [0];
        geometry.copy(&0x0ABCu16.to_le_bytes(), &mut slot);
        assert_eq!(slot, [0xAB]);
    }

    #[test]
    fn a_frame_that_does_not_fit_its_memory_is_refused_with_the_numbers() {
        let check = |size, width, height, stride, format| Geometry::check(size, width, height, stride, format, 16).unwrap_err();
        assert!(
            check(99, 10, 10, 0, 0)
                .to_string()
                .contains("size_bytes is 99, but 10 x 10 pixels of this format and stride take 100")
        );
        assert!(check(100, 10, 10, 0, Format::Mono12 as u32).to_string().contains("200"));
        assert!(check(100, 10, 10, 9, 0).to_string().contains("stride_bytes is 9"));
        assert_eq!(check(100, 0, 10, 0, 0).code, Code::EArgument);
        assert_eq!(check(usize::MAX, u32::MAX, u32::MAX, u32::MAX, 0).code, Code::EArgument);
        assert_eq!(check(1 << 40, 65_535, 65_535, u32::MAX, 0).code, Code::EArgument);
    }

    #[test]
    fn a_format_that_is_not_taken_is_named_with_advice() {
        let refused = |format| Geometry::check(100, 2, 2, 0, format, 16).unwrap_err();
        assert!(refused(Format::Mono12Packed as u32).to_string().starts_with("Mono12Packed is not taken"));
        assert!(refused(Format::BayerRG8 as u32).to_string().contains("set the camera to Mono8"));
        assert_eq!(refused(77).code, Code::EFormat);
    }
}
