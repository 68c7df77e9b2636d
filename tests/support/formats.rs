//! How a camera's pixels lie in memory, bit by bit, by the definitions of their formats: nothing of the library's own is used.

/// A monochrome format that the library takes.
#[derive(Clone, Copy, Debug)]
pub struct Mono {
    /// Its PFNC code.
    pub code: u32,
    /// Of a pixel's value. The 8 highest are what is kept of it.
    pub bits: u32,
}

/// All of them; of Mono16, all bits are significant.
pub const TAKEN: [Mono; 9] = [
    Mono { code: 0x0108_0001, bits: 8 },
    Mono { code: 0x0110_0003, bits: 10 },
    Mono { code: 0x0110_0005, bits: 12 },
    Mono { code: 0x0110_0025, bits: 14 },
    Mono { code: MONO16, bits: 16 },
    Mono { code: MONO10_PACKED, bits: 10 },
    Mono { code: MONO12_PACKED, bits: 12 },
    Mono { code: 0x010A_0046, bits: 10 },
    Mono { code: 0x010C_0047, bits: 12 },
];

const MONO16: u32 = 0x0110_0007;
const MONO10_PACKED: u32 = 0x010C_0004;
const MONO12_PACKED: u32 = 0x010C_0006;

impl Mono {
    /// What a call means by a number, if it is taken. 0 is Mono8.
    pub fn of(code: u32, significant_bits: u32) -> Option<Mono> {
        let mut mono = if code == 0 { TAKEN[0] } else { TAKEN.into_iter().find(|mono| mono.code == code)? };
        if code == MONO16 {
            mono.bits = significant_bits;
        }
        Some(mono)
    }

    /// Of a row without padding.
    pub fn row_bytes(self, width: usize) -> usize {
        let a_pixel = self.code as usize >> 16 & 0xFF;
        (width * a_pixel).div_ceil(8)
    }

    /// Where a bit of a pixel lies in its row, counted from the least significant of the first byte.
    fn place(self, pixel: usize, bit: u32) -> usize {
        let (bit, low) = (bit as usize, self.bits as usize - 8);
        if self.code != MONO10_PACKED && self.code != MONO12_PACKED {
            return pixel * (self.code as usize >> 16 & 0xFF) + bit;
        }
        let (pair, odd) = (24 * (pixel / 2), pixel % 2);
        pair + if bit < low { 8 + 4 * odd + bit } else { 16 * odd + bit - low }
    }

    /// A row without padding with these values, of which the bits that the format has are stored.
    pub fn row(self, values: &[u16]) -> Vec<u8> {
        let mut row = vec![0; self.row_bytes(values.len())];
        for (pixel, value) in values.iter().enumerate() {
            for bit in 0..self.bits {
                let place = self.place(pixel, bit);
                row[place / 8] |= ((value >> bit & 1) as u8) << (place % 8);
            }
        }
        row
    }

    /// The 8 highest bits of each pixel of a row.
    pub fn kept(self, row: &[u8], width: usize) -> Vec<u8> {
        let bit_at = |place: usize| row[place / 8] >> (place % 8) & 1;
        let pixel = |pixel: usize| (0..8).map(|bit| bit_at(self.place(pixel, self.bits - 8 + bit)) << bit).sum();
        (0..width).map(pixel).collect()
    }

    /// The same of a frame.
    pub fn kept_of_frame(self, frame: &[u8], width: usize, height: usize, stride: usize) -> Vec<u8> {
        (0..height).flat_map(|row| self.kept(&frame[row * stride..], width)).collect()
    }
}
