//! Pixel formats: what the camera's bytes mean, and how what the options keep of a frame becomes 8 bits a pixel on the way into a
//! slot.

use super::refused_formats;
use crate::codes::{Code, Format};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::shard::MOST_SIDE;
use rheed_pixels::{Region, Storage, mean_of_squares};

/// Pixels that are converted together where a frame is converted in place: they stay in the first cache.
const BLOCK: usize = 1024;

/// How a frame lies in the caller's memory, and what is kept of it; checked.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    storage: Storage,
    stride: usize,
    rows: usize,
    /// Where in the frame begins what is kept.
    left: usize,
    top: usize,
    /// A square of so many pixels each way becomes one.
    bin: usize,
    width: u32,
    height: u32,
}

impl Geometry {
    /// Checks a frame's description against the memory it comes with. `stride_bytes` 0 = rows without padding.
    pub fn check(
        size_bytes: usize,
        width: u32,
        height: u32,
        stride_bytes: u32,
        pixel_format: u32,
        options: &Options,
    ) -> Result<Geometry> {
        let storage = storage(pixel_format, options)?;
        let Some(whole) = Region::new(0, 0, width, height).filter(|whole| whole.fits(MOST_SIDE, MOST_SIDE)) else {
            let numbers = [width.into(), height.into(), MOST_SIDE.into(), 0];
            return Err(Error::plain(Code::EArgument, "a frame of {} x {} pixels: each side is from 1 to {}", numbers));
        };
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
        let kept = kept(whole, options)?;
        Ok(Geometry {
            storage,
            stride,
            rows: height as usize,
            left: kept.x() as usize,
            top: kept.y() as usize,
            bin: options.bin as usize,
            width: kept.width() / options.bin,
            height: kept.height() / options.bin,
        })
    }

    /// Of what is kept.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Of what is kept.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes of what is kept, with 8 bits a pixel.
    pub fn frame_bytes(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Bytes from this frame's beginning to the next one's, where frames follow each other.
    pub fn source_bytes(&self) -> usize {
        self.stride * self.rows
    }

    /// Brings what is kept of the frame to its beginning, with 8 bits a pixel and without padding. What is written never overtakes
    /// what is yet to be read: no format has fewer than 8 bits a pixel.
    pub fn convert(&self, frame: &mut [u8]) {
        if self.is_plain() && self.top == 0 {
            return;
        }
        let mut block = [0; BLOCK];
        let width = self.width as usize;
        for row in 0..self.height as usize {
            for column in (0..width).step_by(BLOCK) {
                let pixels = &mut block[..BLOCK.min(width - column)];
                self.keep(frame, row, column, pixels);
                frame[row * width + column..][..pixels.len()].copy_from_slice(pixels);
            }
        }
    }

    /// Copies what is kept of the frame, to 8 bits on the way. Nothing else of it is read, but for pixels that share bytes.
    pub fn copy(&self, source: &[u8], slot: &mut [u8]) {
        let slot = &mut slot[..self.frame_bytes()];
        if self.is_plain() {
            return slot.copy_from_slice(&source[self.top * self.stride..][..slot.len()]);
        }
        for (row, pixels) in slot.chunks_exact_mut(self.width as usize).enumerate() {
            self.keep(source, row, 0, pixels);
        }
    }

    /// Pixels of a row of what is kept, from a column on.
    fn keep(&self, frame: &[u8], row: usize, column: usize, pixels: &mut [u8]) {
        let rows = &frame[(self.top + row * self.bin) * self.stride..];
        let column = self.left + column * self.bin;
        if self.bin == 1 {
            self.storage.to_eight_bits(rows, column, pixels);
        } else {
            mean_of_squares(self.storage, rows, self.stride, column, self.bin, pixels);
        }
    }

    /// Whether what is kept already lies in one piece, as in a slot.
    fn is_plain(&self) -> bool {
        self.storage == Storage::Bytes && self.stride == self.width as usize
    }
}

/// What the options keep of a frame, before binning.
fn kept(whole: Region, options: &Options) -> Result<Region> {
    let (width, height) = (whole.width(), whole.height());
    let window = options.roi.unwrap_or(whole);
    if !window.fits(width, height) {
        let numbers = [width.into(), height.into(), window.right(), window.bottom()];
        let text = "a frame of {} x {} pixels, but roi reaches to {} x {} (x + w, y + h): give roi as it fits the frame";
        return Err(Error::plain(Code::EArgument, text, numbers));
    }
    if window.width() < options.bin || window.height() < options.bin {
        let numbers = [width, height, options.bin, options.bin].map(u64::from);
        return Err(Error::plain(Code::EArgument, "a frame of {} x {} pixels has no square of {} x {} for bin", numbers));
    }
    Ok(window)
}

fn storage(pixel_format: u32, options: &Options) -> Result<Storage> {
    let words = |bits: u32| Ok(Storage::Words { shift: bits - 8 });
    match pixel_format {
        0 => Ok(Storage::Bytes),
        code if code == Format::Mono8 as u32 => Ok(Storage::Bytes),
        code if code == Format::Mono10 as u32 => words(10),
        code if code == Format::Mono12 as u32 => words(12),
        code if code == Format::Mono14 as u32 => words(14),
        code if code == Format::Mono16 as u32 => {
            words(if options.significant_bits_at_high { 16 } else { options.significant_bits })
        }
        code if code == Format::Mono10p as u32 => Ok(Storage::Tens),
        code if code == Format::Mono12p as u32 => Ok(Storage::Twelves),
        code if code == Format::Mono10Packed as u32 || code == Format::Mono12Packed as u32 => Ok(Storage::Threes),
        code if code == Format::Rgb8 as u32 => Ok(Storage::Rgb),
        code if code == Format::Bgr8 as u32 => Ok(Storage::Bgr),
        // Of the two bytes of a pixel, one is its luma: the first or the second.
        code if code == Format::Yuyv as u32 => words(8),
        code if code == Format::Uyvy as u32 => words(16),
        code => Err(refused_formats::refusal(code)),
    }
}

#[cfg(test)]
#[path = "../../tests/support/formats.rs"]
#[allow(dead_code)] // The tests from outside use the rest.
mod formats;

#[cfg(test)]
mod tests {
    use super::formats::{Stored, TAKEN, Window, luma};
    use super::*;

    fn options(lines: &str) -> Options {
        Options::for_stream(&format!("fps=1\nendpoint=none\nspool_dir=/spool\n{lines}")).unwrap()
    }

    fn keeping(window: Window) -> Options {
        let Window { x, y, width, height, bin } = window;
        options(&format!("roi={x},{y},{width},{height}\nbin={bin}"))
    }

    fn noise(bytes: usize) -> Vec<u8> {
        (0..bytes as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    /// Copied and in place, the frame becomes what is expected, and no other byte is touched.
    fn becomes(geometry: &Geometry, frame: &[u8], expected: &[u8], what: &dyn Fn() -> String) {
        assert_eq!(geometry.frame_bytes(), expected.len(), "{}", what());
        let mut slot = vec![0xAA; expected.len() + 9];
        geometry.copy(frame, &mut slot);
        assert!(slot[..expected.len()] == *expected, "{}", what());
        assert_eq!(slot[expected.len()..], [0xAA; 9], "{}: nothing is written beyond the frame", what());
        let mut in_place = frame.to_vec();
        geometry.convert(&mut in_place);
        assert!(in_place[..expected.len()] == *expected, "{} in place", what());
    }

    #[test]
    fn every_format_width_and_stride_gives_eight_bits_of_each_pixel_and_no_other_byte_is_touched() {
        let noise = noise((2 * BLOCK + 1) * 3 * 3 + 300);
        let options = options("");
        for stored in TAKEN {
            for width in (1..=67).chain([BLOCK - 1, BLOCK, BLOCK + 2, 2 * BLOCK + 1]) {
                let row = stored.row_bytes(width);
                for padding in [0, 1, 5, 32] {
                    let stride = row + padding;
                    let size = stride * 2 + row; // The last row without its padding.
                    let stride_bytes = if padding == 0 { 0 } else { stride as u32 };
                    let check = |size| Geometry::check(size, width as u32, 3, stride_bytes, stored.code, &options);
                    assert!(check(size - 1).is_err(), "{stored:x?} {width} {padding}: a byte is missing");
                    let geometry = check(size).unwrap();
                    let frame = &noise[1..1 + size]; // An odd address, too.
                    let expected = stored.kept_of_frame(frame, width, 3, stride);
                    becomes(&geometry, frame, &expected, &|| format!("{stored:x?} {width} {padding}"));
                }
            }
        }
    }

    /// Frames of every format of which these windows are kept.
    fn are_kept(windows: &[Window], width: usize, height: usize, padding: usize) {
        let noise = noise(height * (3 * width + padding) + 1);
        for window in windows {
            let options = keeping(*window);
            for stored in TAKEN {
                let stride = stored.row_bytes(width) + padding;
                let size = stride * (height - 1) + stored.row_bytes(width);
                let frame = &noise[1..1 + size];
                let geometry = Geometry::check(size, width as u32, height as u32, stride as u32, stored.code, &options).unwrap();
                assert_eq!((geometry.width() as usize, geometry.height() as usize), window.kept());
                becomes(&geometry, frame, &stored.kept(frame, stride, *window), &|| format!("{stored:x?} {window:?}"));
            }
        }
    }

    #[test]
    fn of_every_format_each_window_and_each_mean_of_its_squares_is_kept() {
        const SIDES: (usize, usize) = (29, 11);
        let mut windows = Vec::new();
        for bin in [1, 2, 4] {
            for (y, height) in [(0, 11), (1, 10), (3, 4), (6, 5)] {
                for x in 0..=9 {
                    let widths = bin..=SIDES.0 - x;
                    windows.extend(widths.map(|width| Window { x, y, width, height, bin }));
                }
            }
        }
        are_kept(&windows, SIDES.0, SIDES.1, 0);
        are_kept(&windows, SIDES.0, SIDES.1, 3);
    }

    #[test]
    fn wide_windows_are_kept_as_narrow_ones_are() {
        for bin in [1, 2, 4] {
            for edge in [BLOCK, 2 * BLOCK, 4 * BLOCK] {
                let windows = [(0, 0), (1, 1), (2, 2), (3, 7), (5, 4)].map(|(x, less)| {
                    let width = edge - less;
                    Window { x, y: 1, width, height: 2 * bin + 1, bin }
                });
                are_kept(&windows, edge + 6, 2 * bin + 2, 1);
            }
        }
    }

    #[test]
    fn nothing_outside_the_window_is_read_but_what_shares_bytes_with_it() {
        const SIDES: (usize, usize) = (40, 12);
        for stored in TAKEN {
            let (row, stride) = (stored.row_bytes(SIDES.0), stored.row_bytes(SIDES.0) + 2);
            let frame = noise(stride * SIDES.1);
            for bin in [1, 2, 4] {
                for (x, width) in (0..9).flat_map(|x| [(x, bin), (x, 13), (x, 17), (x, 31)]) {
                    let window = Window { x, y: 3, width: width / bin * bin, height: 4, bin };
                    let options = keeping(window);
                    let geometry = Geometry::check(frame.len(), 40, 12, stride as u32, stored.code, &options).unwrap();
                    // What lies outside is changed: it makes no difference.
                    let mut changed = frame.clone();
                    let group = [1, 2, 4]
                        .into_iter()
                        .find(|group| stored.row_bytes(*group) * 8 == group * (stored.code as usize >> 16 & 0xFF))
                        .unwrap();
                    let (from, to) = (x / group * group, (x + window.width).next_multiple_of(group).min(SIDES.0));
                    for (at, byte) in changed.iter_mut().enumerate() {
                        let (line, column) = (at / stride, at % stride);
                        let inside =
                            (3..7).contains(&line) && (stored.row_bytes(from)..stored.row_bytes(to).min(row)).contains(&column);
                        *byte = if inside { *byte } else { !*byte };
                    }
                    becomes(&geometry, &changed, &stored.kept(&frame, stride, window), &|| format!("{stored:x?} {window:?}"));
                }
            }
        }
    }

    #[test]
    fn pixels_lie_as_their_formats_define() {
        // A row of 5 pixels and its bytes, written down from GigE Vision's and PFNC's pictures of them.
        let twelve = [0x123, 0x456, 0x789, 0xABC, 0xDEF];
        let ten = [0x2A5, 0x13C, 0x3FF, 0x001, 0x0F2];
        let fourteen = [0x2A5F, 0x13C1, 0x3FFF, 0x0001, 0x0F20];
        let all = [0xA5F0, 0x01FF, 0xFFFF, 0x0080, 0x7F3C];
        let rows: [(Format, [u16; 5], u32, &[u8]); 9] = [
            (Format::Mono8, [1, 2, 0xFF, 0, 0x80], 0, &[1, 2, 0xFF, 0, 0x80]),
            (Format::Mono10, ten, 2, &[0xA5, 0x02, 0x3C, 0x01, 0xFF, 0x03, 0x01, 0x00, 0xF2, 0x00]),
            (Format::Mono12, twelve, 4, &[0x23, 0x01, 0x56, 0x04, 0x89, 0x07, 0xBC, 0x0A, 0xEF, 0x0D]),
            (Format::Mono14, fourteen, 6, &[0x5F, 0x2A, 0xC1, 0x13, 0xFF, 0x3F, 0x01, 0x00, 0x20, 0x0F]),
            (Format::Mono16, all, 8, &[0xF0, 0xA5, 0xFF, 0x01, 0xFF, 0xFF, 0x80, 0x00, 0x3C, 0x7F]),
            (Format::Mono12Packed, twelve, 4, &[0x12, 0x63, 0x45, 0x78, 0xC9, 0xAB, 0xDE, 0x0F]),
            (Format::Mono12p, twelve, 4, &[0x23, 0x61, 0x45, 0x89, 0xC7, 0xAB, 0xEF, 0x0D]),
            (Format::Mono10Packed, ten, 2, &[0xA9, 0x01, 0x4F, 0xFF, 0x13, 0x00, 0x3C, 0x02]),
            (Format::Mono10p, ten, 2, &[0xA5, 0xF2, 0xF4, 0x7F, 0x00, 0xF2, 0x00]),
        ];
        for (format, values, low, row) in rows {
            is_row(format, row, values.map(|value| (value >> low) as u8));
        }
        // Red, green, blue, white and a mixture, by BT.601: 76.245, 149.685, 29.07, 255, and 0.299 x 1 + 0.587 x 2 + 0.114 x 3 = 1.815.
        let lumas = [76, 150, 29, 255, 2];
        is_row(Format::Rgb8, &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 1, 2, 3], lumas);
        is_row(Format::Bgr8, &[0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255, 3, 2, 1], lumas);
        // Y0 U Y1 V and U Y0 V Y1. An odd row ends in the middle of its last pair.
        is_row(Format::Yuyv, &[10, 1, 20, 2, 30, 3, 40, 4, 50, 5], [10, 20, 30, 40, 50]);
        is_row(Format::Uyvy, &[1, 10, 2, 20, 3, 30, 4, 40, 5, 50], [10, 20, 30, 40, 50]);
    }

    fn is_row(format: Format, row: &[u8], expected: [u8; 5]) {
        let geometry = Geometry::check(row.len(), 5, 1, 0, format as u32, &options("")).unwrap();
        assert_eq!(geometry.source_bytes(), row.len(), "{format:?}");
        let mut slot = [0; 5];
        geometry.copy(row, &mut slot);
        assert_eq!(slot, expected, "{format:?}");
    }

    #[test]
    fn every_colour_becomes_its_luma_rounded_to_the_nearest_and_grey_stays_as_it_is() {
        let geometry = Geometry::check(256 * 3, 256, 1, 0, Format::Rgb8 as u32, &options("")).unwrap();
        for red in 0..=255 {
            for green in 0..=255 {
                let row: Vec<u8> = (0..=255).flat_map(|blue| [red, green, blue]).collect();
                let mut lumas = [0; 256];
                geometry.copy(&row, &mut lumas);
                assert!((0..=255).all(|blue: u8| lumas[usize::from(blue)] == luma(red, green, blue)), "{red} {green}");
                assert!(red != green || lumas[usize::from(red)] == red, "grey {red}");
            }
        }
    }

    #[test]
    fn mono16_keeps_the_high_bits_of_what_is_significant() {
        for (value, bits, at, kept) in [
            (0x0ABC, 12, "low", 0xAB),
            (0xFABC, 12, "low", 0xAB),
            (0xABC0, 12, "high", 0xAB),
            (0xABC0, 9, "high", 0xAB),
            (0xABC0, 16, "low", 0xAB),
            (0x01FF, 9, "low", 0xFF),
            (0x00AB, 8, "low", 0xAB),
        ] {
            let options = options(&format!("significant_bits={bits}\nsignificant_bits_at={at}"));
            let geometry = Geometry::check(2, 1, 1, 0, Format::Mono16 as u32, &options).unwrap();
            let mut slot = [0];
            geometry.copy(&u16::to_le_bytes(value), &mut slot);
            assert_eq!(slot, [kept], "{value:x} {bits} {at}");
            assert_eq!(
                Stored::of(Format::Mono16 as u32, if at == "high" { 16 } else { bits }).unwrap().kept_of_frame(
                    &u16::to_le_bytes(value),
                    1,
                    1,
                    2
                ),
                [kept]
            );
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_its_memory_is_refused_with_the_numbers() {
        let options = options("");
        let check =
            |size, width, height, stride, format| Geometry::check(size, width, height, stride, format, &options).unwrap_err();
        assert!(
            check(99, 10, 10, 0, 0)
                .to_string()
                .contains("size_bytes is 99, but 10 x 10 pixels of this format and stride take 100")
        );
        assert!(check(100, 10, 10, 0, Format::Mono12 as u32).to_string().contains("200"));
        assert!(check(100, 11, 10, 0, Format::Mono12p as u32).to_string().contains("170"), "a row is rounded up to whole bytes");
        assert!(check(100, 11, 10, 13, Format::Mono10p as u32).to_string().contains("less than a row's 14 bytes"));
        assert!(check(299, 10, 10, 0, Format::Bgr8 as u32).to_string().contains("300"));
        assert!(check(209, 7, 15, 0, Format::Uyvy as u32).to_string().contains("210"), "an odd row, too, has two bytes a pixel");
        assert!(check(100, 10, 10, 9, 0).to_string().contains("stride_bytes is 9"));
        assert_eq!(check(100, 0, 10, 0, 0).code, Code::EArgument);
        assert_eq!(check(usize::MAX, u32::MAX, u32::MAX, u32::MAX, 0).code, Code::EArgument);
        assert_eq!(check(1 << 40, 65_535, 65_535, u32::MAX, 0).code, Code::EArgument);
    }

    #[test]
    fn a_frame_that_the_window_does_not_fit_into_is_refused_with_the_numbers() {
        let check = |lines, width, height| Geometry::check(1 << 20, width, height, 0, 0, &options(lines));
        assert!(check("roi=10,20,30,40", 40, 60).is_ok());
        for (width, height) in [(39, 60), (40, 59)] {
            let error = check("roi=10,20,30,40", width, height).unwrap_err();
            assert_eq!(error.code, Code::EArgument);
            let told = format!("a frame of {width} x {height} pixels, but roi reaches to 40 x 60");
            assert!(error.to_string().starts_with(&told), "{error}");
        }
        assert!(check("bin=4", 4, 4).is_ok());
        let error = check("bin=4", 4, 3).unwrap_err();
        assert!(error.code == Code::EArgument && error.to_string().contains("no square of 4 x 4"), "{error}");
        // The frame's memory is asked for whole.
        let size = |size| Geometry::check(size, 64, 4, 0, 0, &options("roi=0,0,2,2")).is_ok();
        assert_eq!([size(255), size(256)], [false, true]);
    }

    #[test]
    fn a_format_that_is_not_taken_is_named_with_advice() {
        let refused = |format| Geometry::check(100, 2, 2, 0, format, &options("")).unwrap_err();
        assert!(refused(Format::BayerRG8 as u32).to_string().starts_with("BayerRG8 is not taken: "));
        assert!(refused(Format::BayerRG8 as u32).to_string().contains("Set the camera to Mono8"));
        assert_eq!((refused(Format::BayerRG8 as u32).code, refused(77).code), (Code::EFormat, Code::EFormat));
    }
}
