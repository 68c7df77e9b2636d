//! How much memory a stream holds, whatever the service does: a third of the time it answers, a third it does not, a third it does again.

use super::row::{Better, Row};
use super::samples::median;
use super::table::Table;
use super::workshop::watch;
use super::{Length, Site};
use anyhow::{Context, Result};
use zstd::zstd_safe::compress_bound;

pub const NAME: &str = "memory";

const FPS: f64 = 120.0;
/// Beside slots and one compressed frame.
const REST_BYTES: f64 = 16e6;

/// A moment: seconds since the start, bytes beyond what was before `rheed_init`.
struct Moment {
    seconds: f64,
    resident: f64,
    peak: f64,
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let seconds = match site.length {
        Length::Quick => 9.0,
        Length::Usual => 60.0,
        Length::Long => 3600.0,
    };
    for (case, slots) in [("slots of 64 MiB, the default", 64 << 20), ("slots of 4 MiB", 4 << 20)] {
        let moments = observe(site, seconds, slots)?;
        let frame = compress_bound(500 * 300) as f64;
        let allowed = (f64::from(slots) + frame + REST_BYTES) * 1e-6;
        let level = |from: f64, to: f64| {
            let within = moments.iter().filter(|moment| (from..=to).contains(&(moment.seconds / seconds)));
            within.map(|moment| moment.resident * 1e-6).collect::<Vec<_>>()
        };
        let peak = moments.last().context("there is no moment")?.peak * 1e-6;
        // The first sixth is left out: slots are touched when they are first needed.
        let (online, outage, after) = (level(1.0 / 6.0, 0.33), level(0.34, 0.66), level(0.75, 1.0));
        let case = format!("{case}, {seconds} s");
        let row = |measure: &str| Row::new(NAME, &case, measure, Better::Less);
        table.add(row("peak, MB").ours(vec![peak]).beside("slots + 16 MB", vec![allowed]).reach(1.0));
        table.add(row("MB in an outage").ours(vec![median(&outage)]).beside("before it", vec![median(&online)]));
        table.add(row("MB after it").ours(vec![median(&after)]).beside("before it", vec![median(&online)]));
    }
    Ok(())
}

fn observe(site: &Site, seconds: f64, slots: i32) -> Result<Vec<Moment>> {
    let frames = site.frames.noisy(500, 300, 240)?;
    let mut service = site.workshop.service()?;
    let mut program = site.workshop.program("memory");
    frames.give(&mut program).args(["--rate", &FPS.to_string(), "--seconds", &seconds.to_string()]);
    program.args([format!("fps={FPS}"), format!("queue_bytes={slots}")]);
    service.serve(&mut program);
    let mut moments = Vec::new();
    let mut outages = [(seconds / 3.0, true), (seconds * 2.0 / 3.0, false)].into_iter().peekable();
    watch(&mut program, |answer| {
        let (now, resident, peak) = (answer.number("s")?, answer.number("resident_bytes")?, answer.number("peak_bytes")?);
        moments.push(Moment { seconds: now, resident, peak });
        if let Some((_, begins)) = outages.next_if(|(due, _)| *due <= now) {
            match begins {
                true => service.stop(),
                false => service.go_on()?,
            }
        }
        Ok(())
    })?;
    Ok(moments)
}
