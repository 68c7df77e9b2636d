//! Frames that say which they are: each is made from a number, and only a whole frame gives its number back.

/// A frame's bytes: its number, then noise that follows from it and does not compress.
pub fn numbered(number: u64, bytes: usize) -> Vec<u8> {
    let mut frame = number.to_le_bytes().to_vec();
    let mut state = number ^ 0x9E37_79B9_7F4A_7C15;
    while frame.len() < bytes {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        frame.extend_from_slice(&state.to_le_bytes());
    }
    frame.truncate(bytes);
    frame
}

/// The numbers of frames that follow each other, each of which has to be whole.
#[track_caller]
pub fn numbers(pixels: &[u8], frame_bytes: usize) -> Vec<u64> {
    assert_eq!(pixels.len() % frame_bytes, 0);
    let number = |frame: &[u8]| {
        let number = u64::from_le_bytes(frame[..8].try_into().expect("8 bytes"));
        assert!(frame == numbered(number, frame_bytes), "a frame that begins like number {number} is not whole");
        number
    };
    pixels.chunks_exact(frame_bytes).map(number).collect()
}
