//! A part of a frame, and how bright it is.

/// A rectangle of pixels, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// What the pixels of a region come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brightness {
    /// Of all pixels.
    pub sum: u64,
    /// Of the brightest.
    pub maximum: u8,
}

impl Region {
    /// None without any pixel.
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Option<Region> {
        if width == 0 || height == 0 {
            return None;
        }
        Some(Region { x, y, width, height })
    }

    /// Columns left of it.
    pub fn x(&self) -> u32 {
        self.x
    }

    /// Rows above it.
    pub fn y(&self) -> u32 {
        self.y
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The first column that is not in it.
    pub fn right(&self) -> u64 {
        u64::from(self.x) + u64::from(self.width)
    }

    /// The first row that is not in it.
    pub fn bottom(&self) -> u64 {
        u64::from(self.y) + u64::from(self.height)
    }

    /// Whether it lies in frames of that size.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        self.right() <= width.into() && self.bottom() <= height.into()
    }

    /// How many pixels it has.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Of its pixels in a frame which is so wide, and which it fits.
    #[inline(never)] // Else it is optimized as its caller is.
    pub fn brightness(&self, frame: &[u8], frame_width: usize) -> Brightness {
        let (mut sum, mut maxima, mut maximum) = (0, [0; LANES], 0);
        for row in frame.chunks_exact(frame_width).skip(self.y as usize).take(self.height as usize) {
            let (groups, rest) = row[self.x as usize..][..self.width as usize].as_chunks::<LANES>();
            for group in groups {
                maxima = std::array::from_fn(|lane| group[lane].max(maxima[lane]));
                sum += group.iter().map(|pixel| u64::from(*pixel)).sum::<u64>();
            }
            for pixel in rest {
                maximum = maximum.max(*pixel);
                sum += u64::from(*pixel);
            }
        }
        // By `max`: for a fold the compiler would keep each lane in a register of its own, all the way (tests/cost.rs).
        Brightness { sum, maximum: maxima.into_iter().max().unwrap_or(0).max(maximum) }
    }
}

/// Pixels that are taken together: the bytes of a vector register, whose sum is one instruction on x86-64 (PSADBW).
const LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regions_sum_and_maximum_are_those_of_its_pixels_and_of_no_other() {
        let (width, height) = (67u32, 9);
        let noise: Vec<u8> = (0..width * height).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 % 251).collect();
        for (x, y) in [(0, 0), (1, 0), (5, 3), (33, 8)] {
            for (columns, rows) in (1..=width - x).flat_map(|columns| [1, height - y].map(|rows| (columns, rows))) {
                let region = Region::new(x, y, columns, rows).unwrap();
                assert!(region.fits(width, height));
                let mut frame = vec![255; noise.len()]; // Brighter than any pixel of the region.
                let mut expected = Brightness { sum: 0, maximum: 0 };
                for at in (y..y + rows).flat_map(|row| (x..x + columns).map(move |column| (row * width + column) as usize)) {
                    frame[at] = noise[at];
                    expected.sum += u64::from(noise[at]);
                    expected.maximum = expected.maximum.max(noise[at]);
                }
                assert_eq!(region.brightness(&frame, width as usize), expected, "{region:?}");
            }
        }
    }

    #[test]
    fn the_brightest_and_largest_region_has_a_sum_that_overflows_nothing() {
        let region = Region::new(0, 0, 65_535, 300).unwrap();
        let frame = vec![255; region.pixels() as usize];
        assert_eq!(region.brightness(&frame, 65_535), Brightness { sum: 255 * region.pixels(), maximum: 255 });
    }

    #[test]
    fn a_region_fits_up_to_the_last_row_and_column() {
        let region = Region::new(3, 4, 5, 6).unwrap();
        assert!(region.fits(8, 10) && !region.fits(7, 10) && !region.fits(8, 9));
        assert!(!Region { x: u32::MAX, ..region }.fits(u32::MAX, u32::MAX), "the sum does not overflow");
    }

    #[test]
    fn a_region_has_at_least_one_pixel() {
        assert_eq!(Region::new(3, 4, 1, 1).map(|region| region.pixels()), Some(1));
        assert_eq!([Region::new(3, 4, 0, 5), Region::new(3, 4, 5, 0), Region::new(3, 4, 0, 0)], [None; 3]);
    }
}
