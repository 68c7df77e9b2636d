//! End to end: frames in to shards confirmed, beside the vendor's client, a Zarr writer on a local disk, and zstd alone.

use super::Site;
use super::frames::Frames;
use super::peers::{ACQUIRE, ATOMSCALE};
use super::row::{Better, Row};
use super::samples::percentiles;
use super::table::Table;
use super::workshop::{Answer, ask, sync};
use super::{encoder_threads, zstd_alone};
use anyhow::Result;

pub const NAME: &str = "through";

struct Case {
    frames: Frames,
    /// Frames a chunk.
    chunk: u32,
    /// How many chunks a repetition takes.
    chunks: u32,
    /// Times the vendor's client's speed, and of its CPU.
    reach: (f64, f64),
}

impl Case {
    /// How often all frames come.
    fn rounds(&self) -> u32 {
        self.chunk * self.chunks / self.frames.count
    }
}

/// What one run comes to.
struct Turn {
    megabytes_a_second: f64,
    cpu_seconds_a_gigabyte: f64,
    grown_megabytes: f64,
    sent_megabytes: f64,
    /// Of each push or append.
    calls_us: Vec<f64>,
}

impl Turn {
    fn of(answer: &Answer, sent: f64, calls: &str) -> Result<Turn> {
        let raw = answer.number("raw_bytes")?;
        Ok(Turn {
            megabytes_a_second: raw * 1e-6 / (answer.number("took_ns")? * 1e-9),
            cpu_seconds_a_gigabyte: answer.number("cpu_ns")? / raw,
            grown_megabytes: answer.number("grown_bytes")? * 1e-6,
            sent_megabytes: sent * 1e-6,
            calls_us: answer.numbers(calls)?.iter().map(|ns| ns * 1e-3).collect(),
        })
    }
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let cases = [
        Case { frames: site.frames.real()?, chunk: 26, chunks: site.length.pick(2, 16), reach: (2.0, 0.6) },
        Case { frames: site.frames.noisy(500, 300, 240)?, chunk: 240, chunks: site.length.pick(2, 16), reach: (4.0, 0.25) },
        Case { frames: site.frames.noisy(1024, 1024, 60)?, chunk: 60, chunks: site.length.pick(2, 12), reach: (4.0, 0.25) },
    ];
    for case in &cases {
        let outcome = compare(site, table, case);
        table.note_failure(&format!("{NAME}, {}", case.frames.name), outcome);
    }
    Ok(())
}

fn compare(site: &Site, table: &mut Table, case: &Case) -> Result<()> {
    let (mut ours, mut vendors, mut writers) = (Vec::new(), Vec::new(), Vec::new());
    let all_cores = encoder_threads();
    let mut limits = [(1, Vec::new()), (all_cores, Vec::new())];
    let pixels = case.frames.read()?;
    for repetition in 0..site.length.pick(2, 5) {
        // Each is the first in turn, and finds nothing of the one before that is still to be written.
        for turn in 0..4 {
            sync()?;
            match (repetition + turn) % 4 {
                0 => ours.push(library(site, case)?),
                1 => vendors.extend(atomscale(site, case)?),
                2 => writers.extend(acquire(site, case)?),
                _ => {
                    for (cores, speeds) in &mut limits {
                        speeds.push(zstd_alone::speed(&pixels, case.frames.frame_bytes(), case.rounds() as usize, *cores)?);
                    }
                }
            }
        }
    }
    type Quantity = fn(&Turn) -> f64;
    let all = |turns: &[Turn], quantity: Quantity| turns.iter().map(quantity).collect::<Vec<f64>>();
    let row =
        |measure: &str, better, quantity: Quantity| Row::new(NAME, &case.frames.name, measure, better).ours(all(&ours, quantity));
    let speed: Quantity = |turn| turn.megabytes_a_second;
    let (faster, less_cpu) = case.reach;
    let mut beside = |measure, better, quantity: Quantity, reach: Option<f64>| {
        let row = row(measure, better, quantity);
        let alone = vendors.is_empty();
        table.add(if alone { row } else { row.beside(ATOMSCALE, all(&vendors, quantity)).reach(reach) });
    };
    beside("raw MB/s", Better::More, speed, Some(faster));
    beside("CPU s a GB", Better::Less, |turn| turn.cpu_seconds_a_gigabyte, Some(less_cpu));
    beside("MB sent", Better::Less, |turn| turn.sent_megabytes, Some(1.13));
    beside("MB of memory", Better::Less, |turn| turn.grown_megabytes, None);
    for (cores, speeds) in limits {
        let row = row("raw MB/s", Better::More, speed);
        let row = row.beside(&format!("zstd, {cores} core{}", if cores > 1 { "s" } else { "" }), speeds);
        table.add(row.reach((cores == all_cores).then_some(0.75)));
    }
    if !writers.is_empty() {
        let mut beside = |measure, better, quantity: Quantity| {
            table.add(row(measure, better, quantity).beside(ACQUIRE, all(&writers, quantity)));
        };
        beside("raw MB/s", Better::More, speed);
        beside("MB of memory", Better::Less, |turn| turn.grown_megabytes);
        let calls = |turns: &[Turn]| turns.iter().map(|turn| turn.calls_us.clone()).collect::<Vec<_>>();
        let (pushes, appends) = (calls(&ours), calls(&writers));
        for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
            let row = Row::new(NAME, &case.frames.name, format!("push {name}, us"), Better::Less);
            table.add(row.ours(percentiles(&pushes, percent)).beside(ACQUIRE, percentiles(&appends, percent)));
        }
    }
    Ok(())
}

fn library(site: &Site, case: &Case) -> Result<Turn> {
    let service = site.workshop.service()?;
    let mut program = site.workshop.program("through");
    case.frames.give(&mut program).args(["--rounds", &case.rounds().to_string()]);
    program.args([format!("fps={}", f64::from(case.chunk) / 2.0), format!("chunk_size={}", case.chunk)]);
    let answer = ask(service.serve(&mut program))?;
    Turn::of(&answer, service.received()?, "push_ns")
}

fn atomscale(site: &Site, case: &Case) -> Result<Option<Turn>> {
    let service = site.workshop.service()?;
    let answer = site.peers.ask(ATOMSCALE, |program| {
        case.frames.give(program).arg("--folder").arg(service.spool());
        service.address(program).args(["--chunk", &case.chunk.to_string(), "--chunks", &case.chunks.to_string()]);
    });
    answer.map(|answer| Turn::of(&answer, service.received()?, "push_ns")).transpose()
}

fn acquire(site: &Site, case: &Case) -> Result<Option<Turn>> {
    let scratch = site.workshop.scratch()?;
    let answer = site.peers.ask(ACQUIRE, |program| {
        case.frames.give(program).arg("--folder").arg(scratch.path());
        program.args(["--chunk", &case.chunk.to_string(), "--chunks", &case.chunks.to_string()]);
    });
    answer.map(|answer| Turn::of(&answer, 0.0, "append_ns")).transpose()
}
