//! A program of its own: brings a row to 8 bits a pixel with the library's own code, optimized, while callgrind counts.

#[allow(dead_code)]
#[path = "../../pixels/src/lib.rs"]
mod storage;

use storage::{Storage, mean_of_squares};

#[unsafe(no_mangle)]
#[inline(never)]
pub fn bin_rows(rows: &[u8], stride: usize, bin: usize, means: &mut [u8]) {
    mean_of_squares(Storage::Bytes, rows, stride, 0, bin, means);
}

#[unsafe(no_mangle)]
#[inline(never)]
pub fn convert_row(storage: Storage, row: &[u8], pixels: &mut [u8]) {
    storage.to_eight_bits(row, 0, pixels);
}

/// The arguments: a storage's name, or how many pixels each way become one; and pixels of the row, or of each of these rows.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let width = arguments[2].parse().expect("a count of pixels");
    if let Ok(bin) = arguments[1].parse() {
        let (rows, mut means) = (vec![0xA5; bin * width], vec![0; width / bin]);
        bin_rows(&rows, width, bin, &mut means);
        return assert!(means.iter().all(|mean| *mean == 0xA5));
    }
    let storage = match arguments[1].as_str() {
        "words" => Storage::Words { shift: arguments.len() as u32 }, // Not to be known when this is compiled.
        "tens" => Storage::Tens,
        "twelves" => Storage::Twelves,
        "threes" => Storage::Threes,
        "colours" => Storage::Rgb,
        other => panic!("{other}"),
    };
    let (row, mut pixels) = (vec![0xA5; storage.bytes(width)], vec![0; width]);
    convert_row(storage, &row, &mut pixels);
    assert!(pixels.iter().any(|pixel| *pixel != 0));
}
