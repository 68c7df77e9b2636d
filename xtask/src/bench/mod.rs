//! `cargo xtask bench`: how fast the library is, beside what a user would take instead, on the same frames, in one run.
//!
//! What is measured are C programs against the installed library, as users write them, and Python programs against the peers
//! (`bench/`). Here they are built, run in turns, and their samples become a table of medians and ratios. Nothing fails for
//! being slow: the machine may be.

mod cameras;
mod footprint;
mod frames;
mod latency;
mod levels;
mod memory;
mod peers;
mod picture;
mod push;
mod row;
mod samples;
mod scale;
#[path = "../../../src/shard.rs"]
#[allow(dead_code)] // The limit is measured with its compressor alone.
mod shard;
mod table;
mod through;
mod workshop;
mod zstd_alone;

use crate::kit;
use anyhow::{Result, bail, ensure};
use frames::Stock;
use peers::Peers;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;
use table::Table;
use workshop::Workshop;

/// How much time there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Three minutes: whether it runs, and roughly what comes out.
    Quick,
    /// Twenty-five minutes.
    Usual,
    /// As `Usual`, and the memory is watched for an hour.
    Long,
}

impl Length {
    /// One value or another.
    fn pick<T>(self, quick: T, usual: T) -> T {
        if self == Length::Quick { quick } else { usual }
    }
}

/// What each part works with.
struct Site {
    workshop: Workshop,
    frames: Stock,
    peers: Peers,
    length: Length,
}

/// With so many the library compresses (src/stream/helpers.rs), which share the cores with all else.
fn encoder_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(8)
}

type Part = (&'static str, fn(&Site, &mut Table) -> Result<()>);

const PARTS: [Part; 8] = [
    (push::NAME, push::measure),
    (through::NAME, through::measure),
    (levels::NAME, levels::measure),
    (latency::NAME, latency::measure),
    (scale::NAME, scale::measure),
    (memory::NAME, memory::measure),
    (footprint::NAME, footprint::measure),
    (cameras::NAME, cameras::measure),
];

/// Measures all parts, or one. A part that cannot be measured is named as lacking; the others are measured all the same.
pub fn run(root: &Path, only: Option<&str>, length: Length) -> Result<()> {
    let parts: Vec<&Part> = PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)).collect();
    if parts.is_empty() {
        bail!("bench has no part {:?}; it has {}", only.unwrap_or_default(), PARTS.map(|(name, _)| name).join(", "));
    }
    ensure!(cfg!(target_os = "linux"), "bench needs Linux: it reads /proc, and runs the programs of bench/ there");
    ensure!(kit::is_there("gcc"), "bench needs gcc for the programs of bench/ (on Debian: apt-get install gcc)");
    let folder = root.join("target/bench");
    fs::create_dir_all(&folder)?;
    let frames = Stock::open(root, &folder.join("frames"))?;
    let workshop = Workshop::open(root, &folder)?;
    let peers = Peers::get(root, &folder);
    let mut table = Table::new(length);
    table.note(frames.told());
    table.note(Stock::NOISE);
    let site = Site { workshop, frames, peers, length };
    let file = only.map_or("bench".to_owned(), |part| format!("bench-{part}"));
    let [json, picture] = ["json", "svg"].map(|kind| folder.join(&file).with_extension(kind));
    for (name, measure) in parts {
        let began = Instant::now();
        eprint!("{name} ... ");
        let outcome = measure(&site, &mut table);
        table.note_failure(name, outcome);
        site.peers.failures().into_iter().for_each(|why| table.note(why));
        // After each part, so that one who interrupts loses only the part under way.
        fs::write(&json, format!("{:#}\n", table.json()))?;
        fs::write(&picture, picture::draw(&table))?;
        eprintln!("{} s", began.elapsed().as_secs());
    }

    println!("\n{table}");
    println!("as JSON      {}\nas a picture {}", json.display(), picture.display());
    Ok(())
}
