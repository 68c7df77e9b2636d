//! A program of its own: brings a row to 8 bits a pixel with the library's own code, optimized, while callgrind counts.

#[allow(dead_code)]
#[path = "../../pixels/src/lib.rs"]
mod storage;

use storage::Storage;

#[unsafe(no_mangle)]
#[inline(never)]
pub fn convert_row(storage: Storage, row: &[u8], pixels: &mut [u8]) {
    storage.keep_high_bits(row, pixels);
}

/// The arguments: a storage's name, and pixels of the row.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let storage = match arguments[1].as_str() {
        "words" => Storage::Words { shift: arguments.len() as u32 }, // Not to be known when this is compiled.
        "tens" => Storage::Tens,
        "twelves" => Storage::Twelves,
        "threes" => Storage::Threes,
        other => panic!("{other}"),
    };
    let width = arguments[2].parse().expect("a count of pixels");
    let (row, mut pixels) = (vec![0xA5; storage.bytes(width)], vec![0; width]);
    convert_row(storage, &row, &mut pixels);
    assert!(pixels.iter().any(|pixel| *pixel != 0));
}
