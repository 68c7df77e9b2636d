//! How much memory a stream holds, whatever the service does: a third of the time it answers, a third it does not, a third it does again.

use super::frames::Frames;
use super::row::{Better, Row};
use super::samples::median;
use super::table::Table;
use super::workshop::watch;
use super::{Length, Site, encoder_threads};
use anyhow::{Context, Result, ensure};
use zstd::zstd_safe::compress_bound;

pub const NAME: &str = "memory";

/// Beside slots and compressed frames: one for each thread that encodes, and one that is next.
const REST_BYTES: f64 = 16e6;
/// Frames of an outage are at most so much of their size on disk; noisy ones are half of it.
const PART_ON_DISK: f64 = 0.7;

struct Case {
    /// The frames, and the memory for slots.
    name: &'static str,
    frames: Frames,
    fps: f64,
    slots_bytes: usize,
    seconds: f64,
}

/// A moment: seconds since the start, bytes beyond what was before `rheed_init`.
struct Moment {
    seconds: f64,
    resident: f64,
    peak: f64,
    pending: f64,
    refused: f64,
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let minute = site.length.pick(9.0, 60.0);
    // With few slots: there what grows stands out.
    let long = if site.length == Length::Long { 3600.0 } else { minute };
    let small = || site.frames.noisy(500, 300, 240);
    let cases = [
        Case { name: "500x300, 64 MiB", frames: small()?, fps: 120.0, slots_bytes: 64 << 20, seconds: minute },
        Case { name: "500x300, 4 MiB", frames: small()?, fps: 120.0, slots_bytes: 4 << 20, seconds: long },
        Case {
            name: "2048x2048, 64 MiB",
            frames: site.frames.noisy(2048, 2048, 16)?,
            fps: 30.0,
            slots_bytes: 64 << 20,
            seconds: minute,
        },
    ];
    for case in &cases {
        let outcome = compare(site, table, case);
        table.note_failure(&format!("{NAME}, {}", case.name), outcome);
    }
    Ok(())
}

fn compare(site: &Site, table: &mut Table, case: &Case) -> Result<()> {
    let moments = observe(site, case)?;
    let threads = encoder_threads();
    let compressed = ((threads + 1) * compress_bound(case.frames.frame_bytes())) as f64;
    let allowed = (case.slots_bytes as f64 + compressed + REST_BYTES) * 1e-6;
    let within = |from: f64, to: f64| moments.iter().filter(move |moment| (from..=to).contains(&(moment.seconds / case.seconds)));
    let resident = |moments: &[&Moment]| moments.iter().map(|moment| moment.resident * 1e-6).collect::<Vec<_>>();
    let last = moments.last().context("there is no moment")?;
    // The first sixth is left out: slots are touched when they are first needed.
    let (online, outage) = (within(1.0 / 6.0, 0.33).collect::<Vec<_>>(), within(0.34, 0.66).collect::<Vec<_>>());
    // When what had gathered is sent.
    let usual = online.iter().map(|moment| moment.pending).fold(0.0, f64::max);
    let after: Vec<_> = within(0.67, 1.0).skip_while(|moment| moment.pending > usual).collect();
    let name = format!("{}, {threads} encoders, {} s", case.name, case.seconds);
    let row = |measure: &str| Row::new(NAME, &name, measure, Better::Less);
    table.add(row("peak, MB").ours(vec![last.peak * 1e-6]).beside("slots, frames, 16 MB", vec![allowed]).reach(1.0));
    let before = median(&resident(&online));
    table.add(row("MB in an outage").ours(vec![median(&resident(&outage))]).beside("before it", vec![before]));
    if after.is_empty() {
        table.note(format!("{NAME}, {}: the time was too short to send what had gathered in the outage", case.name));
    } else {
        table.add(row("MB after it").ours(vec![median(&resident(&after))]).beside("before it", vec![before]));
    }
    table.add(row("frames refused").ours(vec![last.refused]).reach(0.0));
    Ok(())
}

fn observe(site: &Site, case: &Case) -> Result<Vec<Moment>> {
    let Case { frames, fps, slots_bytes, seconds, .. } = case;
    let needed = frames.frame_bytes() as f64 * fps * seconds / 3.0 * PART_ON_DISK + 2.0 * 1e9;
    let free = site.workshop.free_bytes()?;
    ensure!(free > needed, "its outage needs {:.0} GB of disk, and {:.0} GB are free", needed * 1e-9, free * 1e-9);
    let mut service = site.workshop.service()?;
    let mut program = site.workshop.program("memory");
    let burst = 2 * slots_bytes / frames.frame_bytes();
    frames.give(&mut program).args(["--rate", &fps.to_string(), "--seconds", &seconds.to_string()]);
    program.args(["--burst", &burst.to_string(), &format!("fps={fps}"), &format!("queue_bytes={slots_bytes}")]);
    service.serve(&mut program);
    let mut moments = Vec::new();
    let mut outages = [(seconds / 3.0, true), (seconds * 2.0 / 3.0, false)].into_iter().peekable();
    watch(&mut program, |answer| {
        let moment = Moment {
            seconds: answer.number("s")?,
            resident: answer.number("resident_bytes")?,
            peak: answer.number("peak_bytes")?,
            pending: answer.number("pending_chunks")?,
            refused: answer.number("refused")?,
        };
        if let Some((_, begins)) = outages.next_if(|(due, _)| *due <= moment.seconds) {
            match begins {
                true => service.stop(),
                false => service.go_on()?,
            }
        }
        moments.push(moment);
        Ok(())
    })?;
    Ok(moments)
}
