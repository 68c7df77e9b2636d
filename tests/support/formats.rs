//! How a camera's pixels lie in memory, bit by bit, by the definitions of their formats, and what is kept of them: nothing of the
//! library's own is used.

/// A format that the library takes.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Its PFNC code.
    pub code: u32,
    /// Of a pixel's value, or of each of its parts. The 8 highest are what is kept of it.
    pub bits: u32,
}

const MONO8: u32 = 0x0108_0001;
const MONO16: u32 = 0x0110_0007;
const MONO10_PACKED: u32 = 0x010C_0004;
const MONO12_PACKED: u32 = 0x010C_0006;
const RGB8: u32 = 0x0218_0014;
const BGR8: u32 = 0x0218_0015;
const YUYV: u32 = 0x0210_0032;
const UYVY: u32 = 0x0210_001F;

const fn stored(code: u32, bits: u32) -> Stored {
    Stored { code, bits }
}

/// All of them; of Mono16, all bits are significant.
pub const TAKEN: [Stored; 13] = [
    stored(MONO8, 8),
    stored(0x0110_0003, 10),
    stored(0x0110_0005, 12),
    stored(0x0110_0025, 14),
    stored(MONO16, 16),
    stored(MONO10_PACKED, 10),
    stored(MONO12_PACKED, 12),
    stored(0x010A_0046, 10),
    stored(0x010C_0047, 12),
    stored(RGB8, 8),
    stored(BGR8, 8),
    stored(YUYV, 8),
    stored(UYVY, 8),
];

/// Which of a frame's pixels are kept: a window of the camera's pixels, and how many of them each way become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub bin: usize,
}

impl Window {
    /// All of them.
    pub fn whole(width: usize, height: usize) -> Window {
        Window { x: 0, y: 0, width, height, bin: 1 }
    }

    /// Width and height of what comes out.
    pub fn kept(&self) -> (usize, usize) {
        (self.width / self.bin, self.height / self.bin)
    }
}

impl Stored {
    /// What a call means by a number, if it is taken. 0 is Mono8.
    pub fn of(code: u32, significant_bits: u32) -> Option<Stored> {
        let mut stored = if code == 0 { TAKEN[0] } else { TAKEN.into_iter().find(|stored| stored.code == code)? };
        if code == MONO16 {
            stored.bits = significant_bits;
        }
        Some(stored)
    }

    /// Of a row without padding.
    pub fn row_bytes(self, width: usize) -> usize {
        let a_pixel = self.code as usize >> 16 & 0xFF;
        (width * a_pixel).div_ceil(8)
    }

    /// Where a bit of a monochrome pixel lies in its row, counted from the least significant of the first byte.
    fn place(self, pixel: usize, bit: u32) -> usize {
        let (bit, low) = (bit as usize, self.bits as usize - 8);
        if self.code != MONO10_PACKED && self.code != MONO12_PACKED {
            return pixel * (self.code as usize >> 16 & 0xFF) + bit;
        }
        let (pair, odd) = (24 * (pixel / 2), pixel % 2);
        pair + if bit < low { 8 + 4 * odd + bit } else { 16 * odd + bit - low }
    }

    /// What a pixel of a row becomes.
    fn pixel(self, row: &[u8], pixel: usize) -> u8 {
        match self.code {
            RGB8 => luma(row[3 * pixel], row[3 * pixel + 1], row[3 * pixel + 2]),
            BGR8 => luma(row[3 * pixel + 2], row[3 * pixel + 1], row[3 * pixel]),
            YUYV => row[2 * pixel],
            UYVY => row[2 * pixel + 1],
            _ => {
                let bit_at = |place: usize| row[place / 8] >> (place % 8) & 1;
                (0..8).map(|bit| bit_at(self.place(pixel, self.bits - 8 + bit)) << bit).sum()
            }
        }
    }

    /// What becomes of a frame of which a window is kept.
    pub fn kept(self, frame: &[u8], stride: usize, window: Window) -> Vec<u8> {
        let Window { x, y, bin, .. } = window;
        let (width, height) = window.kept();
        let mean = |row: usize, column: usize| {
            let square = (0..bin * bin).map(|at| (y + row * bin + at / bin, x + column * bin + at % bin));
            let sum: u32 = square.map(|(row, column)| u32::from(self.pixel(&frame[row * stride..], column))).sum();
            (f64::from(sum) / (bin * bin) as f64).round() as u8
        };
        (0..width * height).map(|at| mean(at / width, at % width)).collect()
    }

    /// The same of a whole frame.
    pub fn kept_of_frame(self, frame: &[u8], width: usize, height: usize, stride: usize) -> Vec<u8> {
        self.kept(frame, stride, Window::whole(width, height))
    }
}

/// By ITU-R BT.601, section 2.5.1, of red, green and blue from 0 to 255, rounded to the nearest.
pub fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let exact = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    // Thousandths are not exact in binary, and a half is to be one.
    (exact + 1e-6).round() as u8
}
