//! The limit: zstd compressing the same frames from memory to memory, one at a time on each thread, and nothing else.

use anyhow::{Result, anyhow};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

/// The parameters of `src/shard.rs` at its default level.
fn compressor() -> Result<Compressor<'static>> {
    let mut zstd = Compressor::new(1)?;
    zstd.set_parameter(CParameter::MinMatch(7))?;
    zstd.set_parameter(CParameter::HashLog(13))?;
    Ok(zstd)
}

/// Megabytes of frames a second, each of them compressed so many times, on so many threads together.
pub fn speed(pixels: &[u8], frame_bytes: usize, rounds: usize, threads: usize) -> Result<f64> {
    let frames: Vec<&[u8]> = pixels.chunks_exact(frame_bytes).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut zstd = compressor()?;
        let mut buffer = vec![0; compress_bound(frame_bytes)];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= rounds * frames.len() {
                return Ok(());
            }
            zstd.compress_to_buffer(frames[number % frames.len()], &mut buffer[..])?;
        }
    };
    let began = Instant::now();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("zstd panicked"))?)
    })?;
    Ok((rounds * frames.len() * frame_bytes) as f64 * 1e-6 / began.elapsed().as_secs_f64())
}
