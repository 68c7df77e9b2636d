//! How long `rheed_push` keeps a camera's thread, beside a memcpy of the same frame. Both in one loop of bench/push.c.

use super::Site;
use super::row::{Better, Row};
use super::samples::percentile;
use super::table::Table;
use super::workshop::ask;
use anyhow::Result;

pub const NAME: &str = "push";

/// Width, height, frames per second.
const CAMERAS: [(u32, u32, u32); 3] = [(500, 300, 120), (1388, 1038, 60), (2048, 2048, 30)];
/// Kept in memory, so many bytes of frames at most.
const FRAMES_BYTES: u32 = 64 << 20;
/// Within this many times of a memcpy.
const REACH: f64 = 2.0;

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    for (width, height, fps) in CAMERAS {
        let frames = site.frames.noisy(width, height, (FRAMES_BYTES / (width * height)).min(240))?;
        for threads in [1, 4] {
            for flat_out in [false, true] {
                let seconds = if flat_out { site.length.pick(0.5, 2.0) } else { site.length.pick(1.0, 6.0) };
                let mut turns = Vec::new();
                for _ in 0..site.length.pick(1, 5) {
                    let service = site.workshop.service()?;
                    let mut program = site.workshop.program("push");
                    frames.give(&mut program).args(["--rate", &fps.to_string(), "--seconds", &seconds.to_string()]);
                    program.args(["--threads", &threads.to_string()]);
                    program.args(["--flat-out", if flat_out { "1" } else { "0" }]).arg(format!("fps={fps}"));
                    let answer = ask(service.serve(&mut program))?;
                    let microseconds =
                        |name| Ok::<Vec<f64>, anyhow::Error>(answer.numbers(name)?.iter().map(|ns| ns * 1e-3).collect());
                    turns.push((microseconds("push_ns")?, microseconds("memcpy_ns")?, answer.number("refused")?));
                }
                let pace = if flat_out { "flat out".to_owned() } else { format!("{fps} fps") };
                let case = format!("{width}x{height}, {pace}, {threads} thread{}", if threads > 1 { "s" } else { "" });
                for (measure, percent, reach) in
                    [("p50", 50.0, Some(REACH)), ("p99", 99.0, Some(REACH)), ("p99.9", 99.9, None), ("maximum", 100.0, None)]
                {
                    let ours = turns.iter().map(|(push, _, _)| percentile(push, percent)).collect();
                    let memcpy = turns.iter().map(|(_, memcpy, _)| percentile(memcpy, percent)).collect();
                    let row =
                        Row::new(NAME, &case, format!("push {measure}, us"), Better::Less).ours(ours).beside("memcpy", memcpy);
                    table.add(row.reach(reach));
                }
                if !flat_out && turns.iter().any(|(_, _, refused)| *refused > 0.0) {
                    let refused = turns.iter().map(|(_, _, refused)| *refused).collect();
                    table.add(Row::new(NAME, &case, "frames refused", Better::Less).ours(refused).reach(0.0));
                }
            }
        }
    }
    Ok(())
}
