//! How long the service waits for a chunk: its last frame pushed to its upload confirmed. And how long the camera's thread is kept.
//!
//! Frames come at the camera's pace. The vendor's client gets the whole chunk at once, when its last frame has come.

use super::Site;
use super::frames::Frames;
use super::peers::ATOMSCALE;
use super::row::{Better, Row};
use super::samples::median;
use super::table::Table;
use super::workshop::{Answer, ask};
use anyhow::Result;
use std::process::Command;

pub const NAME: &str = "latency";

/// Of what the vendor's client takes.
const REACH: f64 = 0.1;

/// Milliseconds: until a chunk is confirmed, and that its pushes took together.
struct Turn {
    confirmed: f64,
    blocked: f64,
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    for (frames, fps) in
        [(site.frames.real()?, 60), (site.frames.noisy(500, 300, 240)?, 120), (site.frames.noisy(1024, 1024, 60)?, 60)]
    {
        let case = Case { frames, fps, chunks: site.length.pick(2, 5) };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..site.length.pick(1, 3) {
            ours.push(library(site, &case)?);
            theirs.extend(atomscale(site, &case)?);
        }
        for (measure, quantity, reach) in [
            ("chunk to confirmed, ms", (|turn| turn.confirmed) as fn(&Turn) -> f64, Some(REACH)),
            ("pushes of a chunk, ms", |turn| turn.blocked, None),
        ] {
            let mut row = Row::new(NAME, format!("{}, {fps} fps", case.frames.name), measure, Better::Less)
                .ours(ours.iter().map(quantity).collect());
            if !theirs.is_empty() {
                row = row.beside(ATOMSCALE, theirs.iter().map(quantity).collect()).reach(reach);
            }
            table.add(row);
        }
    }
    Ok(())
}

struct Case {
    frames: Frames,
    fps: u32,
    chunks: u32,
}

impl Case {
    /// Chunks of two seconds: the shortest there are.
    fn give(&self, program: &mut Command) {
        let (chunk, chunks) = ((2 * self.fps).to_string(), self.chunks.to_string());
        self.frames.give(program).args(["--rate", &self.fps.to_string(), "--chunk", &chunk, "--chunks", &chunks]);
    }
}

impl Turn {
    /// Medians, without the first chunk: it finds nothing ready.
    fn of(answer: &Answer, confirmed: &str, blocked: &str) -> Result<Turn> {
        let milliseconds = |name| Ok::<f64, anyhow::Error>(median(&answer.numbers(name)?[1..]) * 1e-6);
        Ok(Turn { confirmed: milliseconds(confirmed)?, blocked: milliseconds(blocked)? })
    }
}

fn library(site: &Site, case: &Case) -> Result<Turn> {
    let service = site.workshop.service()?;
    let mut program = site.workshop.program("latency");
    case.give(&mut program);
    program.arg(format!("fps={}", case.fps));
    Turn::of(&ask(service.serve(&mut program))?, "latency_ns", "blocked_ns")
}

fn atomscale(site: &Site, case: &Case) -> Result<Option<Turn>> {
    let service = site.workshop.service()?;
    let answer = site.peers.ask(ATOMSCALE, |program| {
        case.give(program);
        service.address(program).arg("--folder").arg(service.spool());
    });
    answer.map(|answer| Turn::of(&answer, "latency_ns", "push_ns")).transpose()
}
