//! A program of its own: measures a region with the library's own code, optimized, while callgrind counts.

#[allow(dead_code)]
#[path = "../../pixels/src/region.rs"]
mod region;

use region::{Brightness, Region};

#[unsafe(no_mangle)]
#[inline(never)]
pub fn measure_region(region: &Region, frame: &[u8], frame_width: usize) -> Brightness {
    region.brightness(frame, frame_width)
}

/// The argument: pixels of the region's sides.
fn main() {
    let side: u32 = std::env::args().nth(1).and_then(|side| side.parse().ok()).expect("a count of pixels");
    let region = Region::new(5, 3, side, side).expect("it has a pixel");
    let frame_width = side as usize + 11;
    let frame = vec![0xA5; frame_width * (side as usize + 3)];
    assert_eq!(measure_region(&region, &frame, frame_width).sum, 0xA5 * region.pixels());
}
