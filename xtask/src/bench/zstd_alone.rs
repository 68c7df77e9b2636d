//! The limit: zstd compressing the same frames from memory to memory, one at a time on each thread, and nothing else.

use super::shard::FrameCompressor;
use anyhow::{Result, anyhow};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Megabytes of frames a second, each of them compressed so many times, on so many threads together.
pub fn speed(pixels: &[u8], frame_bytes: usize, rounds: usize, threads: usize) -> Result<f64> {
    let frames: Vec<&[u8]> = pixels.chunks_exact(frame_bytes).collect();
    let next = AtomicUsize::new(0);
    let all_are_warm = Barrier::new(threads + 1);
    let work = |mut zstd: FrameCompressor| -> Result<()> {
        let mut buffer = Vec::new();
        let warmed = zstd.append(frames[0], &mut buffer);
        all_are_warm.wait();
        warmed?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= rounds * frames.len() {
                return Ok(());
            }
            buffer.clear();
            zstd.append(frames[number % frames.len()], &mut buffer)?;
        }
    };
    let compressors = (0..threads).map(|_| FrameCompressor::new(1)).collect::<Result<Vec<_>, _>>()?;
    let seconds = thread::scope(|scope| {
        let running: Vec<_> = compressors.into_iter().map(|zstd| scope.spawn(|| work(zstd))).collect();
        all_are_warm.wait();
        let began = Instant::now();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("zstd panicked"))?)?;
        Ok::<f64, anyhow::Error>(began.elapsed().as_secs_f64())
    })?;
    Ok((rounds * frames.len() * frame_bytes) as f64 * 1e-6 / seconds)
}
