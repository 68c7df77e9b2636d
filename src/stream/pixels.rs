//! Pixel formats: what the camera's bytes mean, and how a frame becomes 8 bits a pixel on the way into a slot.

use crate::codes::{Code, Format};
use crate::error::{Error, Result};
use crate::shard::MOST_SIDE;
use rheed_pixels::Storage;

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
        let row = storage.bytes(width as usize);
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
        if self.is_plain() {
            return;
        }
        let mut block = [0; 2 * BLOCK];
        for row in 0..self.height {
            for column in (0..self.width).step_by(BLOCK) {
                let pixels = BLOCK.min(self.width - column);
                // Set aside first: so the pixels may lie where they were stored, and are converted as in a copy.
                let stored = &mut block[..self.storage.bytes(pixels)];
                stored.copy_from_slice(&frame[row * self.stride + self.storage.bytes(column)..][..stored.len()]);
                self.storage.keep_high_bits(stored, &mut frame[row * self.width + column..][..pixels]);
            }
        }
    }

    /// Copies the frame, to 8 bits on the way.
    pub fn copy(&self, source: &[u8], slot: &mut [u8]) {
        let slot = &mut slot[..self.frame_bytes()];
        if self.is_plain() {
            return slot.copy_from_slice(&source[..slot.len()]);
        }
        for (row, pixels) in source.chunks(self.stride).zip(slot.chunks_exact_mut(self.width)) {
            self.storage.keep_high_bits(row, pixels);
        }
    }

    /// Whether the pixels already lie as in a slot.
    fn is_plain(&self) -> bool {
        self.storage == Storage::Bytes && self.stride == self.width
    }
}

fn storage(pixel_format: u32, significant_bits: u32) -> Result<Storage> {
    const REFUSED: [(Format, &str); 5] = [
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
        code if code == Format::Mono10p as u32 => Ok(Storage::Tens),
        code if code == Format::Mono12p as u32 => Ok(Storage::Twelves),
        code if code == Format::Mono10Packed as u32 || code == Format::Mono12Packed as u32 => Ok(Storage::Threes),
        code => Err(match REFUSED.iter().find(|(format, _)| *format as u32 == code) {
            Some((_, advice)) => Error::plain(Code::EFormat, advice, [0; 4]),
            None => Error::plain(
                Code::EFormat,
                "pixel format {} is not known: give the PFNC code of Mono8 to Mono16, packed or not (RHEED_FORMAT_*)",
                [code.into(), 0, 0, 0],
            ),
        }),
    }
}

#[cfg(test)]
#[path = "../../tests/support/formats.rs"]
#[allow(dead_code)] // The tests from outside use the rest.
mod formats;

#[cfg(test)]
mod tests {
    use super::formats::TAKEN;
    use super::*;

    #[test]
    fn every_format_width_and_stride_gives_the_high_bits_of_each_pixel_and_no_other_byte_is_touched() {
        let noise: Vec<u8> =
            (0..(2 * BLOCK as u32 + 1) * 2 * 3 + 300).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for mono in TAKEN {
            for width in (1..=67).chain([BLOCK - 1, BLOCK, BLOCK + 2, 2 * BLOCK + 1]) {
                let row = mono.row_bytes(width);
                for padding in [0, 1, 5, 32] {
                    let stride = row + padding;
                    let size = stride * 2 + row; // The last row without its padding.
                    let stride_bytes = if padding == 0 { 0 } else { stride as u32 };
                    let check = |size| Geometry::check(size, width as u32, 3, stride_bytes, mono.code, 16);
                    assert!(check(size - 1).is_err(), "{mono:x?} {width} {padding}: a byte is missing");
                    let geometry = check(size).unwrap();
                    let mut slot = vec![0xAA; width * 3 + 9];
                    geometry.copy(&noise[1..1 + size], &mut slot); // An odd address, too.
                    let expected = mono.kept_of_frame(&noise[1..], width, 3, stride);
                    assert_eq!(slot[..width * 3], expected, "{mono:x?} {width} {padding}");
                    assert_eq!(slot[width * 3..], [0xAA; 9], "nothing is written beyond the frame");
                    let mut in_place = noise[1..1 + size].to_vec();
                    geometry.convert(&mut in_place);
                    assert_eq!(in_place[..width * 3], expected, "{mono:x?} {width} {padding} in place");
                }
            }
        }
    }

    #[test]
    fn packed_pixels_lie_as_their_formats_define() {
        // A row of 5 pixels and its bytes, written down from GigE Vision's and PFNC's pictures of them.
        let twelve = [0x123, 0x456, 0x789, 0xABC, 0xDEF];
        let ten = [0x2A5, 0x13C, 0x3FF, 0x001, 0x0F2];
        let rows: [(Format, [u16; 5], u32, &[u8]); 4] = [
            (Format::Mono12Packed, twelve, 4, &[0x12, 0x63, 0x45, 0x78, 0xC9, 0xAB, 0xDE, 0x0F]),
            (Format::Mono12p, twelve, 4, &[0x23, 0x61, 0x45, 0x89, 0xC7, 0xAB, 0xEF, 0x0D]),
            (Format::Mono10Packed, ten, 2, &[0xA9, 0x01, 0x4F, 0xFF, 0x13, 0x00, 0x3C, 0x02]),
            (Format::Mono10p, ten, 2, &[0xA5, 0xF2, 0xF4, 0x7F, 0x00, 0xF2, 0x00]),
        ];
        for (format, values, low, row) in rows {
            let geometry = Geometry::check(row.len(), 5, 1, 0, format as u32, 16).unwrap();
            assert_eq!(geometry.source_bytes(), row.len(), "{format:?}");
            let mut slot = [0; 5];
            geometry.copy(row, &mut slot);
            assert_eq!(slot, values.map(|value| (value >> low) as u8), "{format:?}");
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
        assert!(check(100, 11, 10, 0, Format::Mono12p as u32).to_string().contains("170"), "a row is rounded up to whole bytes");
        assert!(check(100, 11, 10, 13, Format::Mono10p as u32).to_string().contains("less than a row's 14 bytes"));
        assert!(check(100, 10, 10, 9, 0).to_string().contains("stride_bytes is 9"));
        assert_eq!(check(100, 0, 10, 0, 0).code, Code::EArgument);
        assert_eq!(check(usize::MAX, u32::MAX, u32::MAX, u32::MAX, 0).code, Code::EArgument);
        assert_eq!(check(1 << 40, 65_535, 65_535, u32::MAX, 0).code, Code::EArgument);
    }

    #[test]
    fn a_format_that_is_not_taken_is_named_with_advice() {
        let refused = |format| Geometry::check(100, 2, 2, 0, format, 16).unwrap_err();
        assert!(refused(Format::Yuyv as u32).to_string().starts_with("YUYV is not taken"));
        assert!(refused(Format::BayerRG8 as u32).to_string().contains("set the camera to Mono8"));
        assert_eq!(refused(77).code, Code::EFormat);
    }
}
