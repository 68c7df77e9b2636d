//! How long the service waits for a chunk: its last frame pushed to its upload confirmed. And how long the camera's thread is kept.
//!
//! Ours is pushed at the camera's pace. The vendor's client gets the whole chunk at once, when its last frame has come.

use super::Site;
use super::frames::Frames;
use super::peers::ATOMSCALE;
use super::row::{Better, Row};
use super::samples::median;
use super::table::Table;
use super::workshop::ask;
use anyhow::Result;

pub const NAME: &str = "latency";

/// Of what the vendor's client takes.
const REACH: f64 = 0.1;

/// Milliseconds: until a chunk is confirmed, and that its pushes took together.
struct Turn {
    confirmed: f64,
    blocked: f64,
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let cases = [(site.frames.real()?, 26), (site.frames.noisy(500, 300, 240)?, 240), (site.frames.noisy(1024, 1024, 60)?, 60)];
    for (frames, chunk) in cases {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..site.length.pick(1, 5) {
            ours.push(library(site, &frames, chunk)?);
            theirs.extend(atomscale(site, &frames, chunk)?);
        }
        for (measure, quantity, reach) in [
            ("chunk to confirmed, ms", (|turn| turn.confirmed) as fn(&Turn) -> f64, Some(REACH)),
            ("pushes of a chunk, ms", |turn| turn.blocked, None),
        ] {
            let mut row = Row::new(NAME, &frames.name, measure, Better::Less).ours(ours.iter().map(quantity).collect());
            if !theirs.is_empty() {
                row = row.beside(ATOMSCALE, theirs.iter().map(quantity).collect()).reach(reach);
            }
            table.add(row);
        }
    }
    Ok(())
}

/// Chunks of two seconds: the shortest there are.
const CHUNKS: &str = "2";

fn library(site: &Site, frames: &Frames, chunk: u32) -> Result<Turn> {
    let service = site.workshop.service()?;
    let mut program = site.workshop.program("latency");
    let rate = (f64::from(chunk) / 2.0).to_string();
    frames.give(&mut program).args(["--rate", &rate, "--chunk", &chunk.to_string(), "--chunks", CHUNKS]);
    program.args([format!("fps={rate}"), format!("chunk_size={chunk}")]);
    let answer = ask(service.serve(&mut program))?;
    Ok(Turn { confirmed: median(&answer.numbers("latency_ns")?) * 1e-6, blocked: median(&answer.numbers("blocked_ns")?) * 1e-6 })
}

fn atomscale(site: &Site, frames: &Frames, chunk: u32) -> Result<Option<Turn>> {
    let Some(peer) = site.peers.named(ATOMSCALE) else { return Ok(None) };
    let service = site.workshop.service()?;
    let mut program = peer.program();
    frames.give(&mut program).arg("--folder").arg(service.spool());
    program.args(["--chunk", &chunk.to_string(), "--chunks", CHUNKS, "--await-each"]);
    let answer = ask(service.address(&mut program))?;
    Ok(Some(Turn {
        confirmed: median(&answer.numbers("latency_ns")?) * 1e-6,
        blocked: median(&answer.numbers("push_ns")?) * 1e-6,
    }))
}
