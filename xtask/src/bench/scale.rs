//! What bends: chunk sizes, frames gone by, chunks waiting in the spool, streams at once, frame sizes.

use super::Site;
use super::frames::Frames;
use super::push::{self, Camera, Turn};
use super::row::{Better, Row};
use super::table::Table;
use super::workshop::{Answer, Service, ask};
use anyhow::{Result, ensure};

pub const NAME: &str = "scale";

/// Small frames, so that what a frame costs beside its pixels can be seen.
const SMALL: u32 = 64;
/// Few slots, so that a push waits for the encoder, and the time of a tenth is that of its frames. The first tenth fills them: the
/// second is what others are compared with.
const FEW_SLOTS: &str = "queue_bytes=1048576";
const FRAME: &str = "us a frame";
const FRAME_CPU: &str = "CPU us a frame";

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let small = site.frames.noisy(SMALL, SMALL, 240)?;
    type Measure<'a> = &'a dyn Fn(&mut Table) -> Result<()>;
    let parts: [(&str, Measure); 5] = [
        ("chunk sizes", &|table| chunk_sizes(site, table, &small)),
        ("frames gone by", &|table| frames_gone_by(site, table, &small)),
        ("chunks waiting", &|table| chunks_waiting(site, table)),
        ("streams at once", &|table| streams_at_once(site, table)),
        ("frame sizes", &|table| frame_sizes(site, table)),
    ];
    for (name, measure) in parts {
        let outcome = measure(table);
        table.note_failure(&format!("{NAME}, {name}"), outcome);
    }
    Ok(())
}

/// Pushes flat out, and waits until all is confirmed.
fn stream(site: &Site, frames: &Frames, count: u64, streams: u32, options: &[&str]) -> Result<Answer> {
    let service = site.workshop.service()?;
    let mut program = site.workshop.program("scale");
    frames.give(&mut program).args(["--count", &count.to_string(), "--streams", &streams.to_string()]).args(options);
    ask(service.serve(&mut program))
}

/// Of all frames, from the first push to the last confirmation: microseconds of time and of CPU.
fn cost(answer: &Answer, frames: u64) -> Result<[f64; 2]> {
    let each = |name| Ok::<f64, anyhow::Error>(answer.number(name)? * 1e-3 / frames as f64);
    Ok([each("took_ns")?, each("all_cpu_ns")?])
}

/// Two rows, of time and of CPU.
fn add_costs(table: &mut Table, case: &str, ours: &[[f64; 2]], name: &str, beside: &[[f64; 2]]) {
    for (at, measure) in [FRAME, FRAME_CPU].into_iter().enumerate() {
        let of = |costs: &[[f64; 2]]| costs.iter().map(|cost| cost[at]).collect();
        table.add(Row::new(NAME, case, measure, Better::Less).ours(of(ours)).beside(name, of(beside)));
    }
}

fn chunk_sizes(site: &Site, table: &mut Table, small: &Frames) -> Result<()> {
    let count = site.length.pick(20_000, 200_000);
    let sizes = site.length.pick(vec![60, 10_000], vec![60, 1000, 10_000, 100_000]);
    let mut costs = vec![Vec::new(); sizes.len()];
    for _ in 0..site.length.pick(1, 5) {
        for (size, costs) in sizes.iter().zip(&mut costs) {
            let answer = stream(site, small, count, 1, &["fps=30", &format!("chunk_size={size}"), FEW_SLOTS])?;
            costs.push(cost(&answer, count)?);
        }
    }
    for (size, ours) in sizes.iter().zip(&costs).skip(1) {
        add_costs(table, &format!("chunks of {size} frames"), ours, "chunks of 60", &costs[0]);
    }
    Ok(())
}

fn frames_gone_by(site: &Site, table: &mut Table, small: &Frames) -> Result<()> {
    let count = site.length.pick(100_000, 1_000_000);
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for _ in 0..site.length.pick(1, 3) {
        let answer = stream(site, small, count, 1, &["fps=300", "chunk_size=600", FEW_SLOTS])?;
        let (time, cpu) = (answer.numbers("wall_ns")?, answer.numbers("cpu_ns")?);
        ensure!(time.len() == 10 && cpu.len() == 10, "the frames are told in tenths");
        first.push([time[1] * 1e-3, cpu[1] * 1e-3]);
        last.push([time[9] * 1e-3, cpu[9] * 1e-3]);
    }
    add_costs(table, &format!("the last tenth of {count} frames"), &last, "the second", &first);
    Ok(())
}

/// Two frames a chunk, and nobody who takes them. Then somebody does.
fn chunks_waiting(site: &Site, table: &mut Table) -> Result<()> {
    let frames = site.frames.noisy(2 * SMALL, 2 * SMALL, 240)?;
    let chunks = site.length.pick(1000, 10_000);
    let (mut first, mut last, mut over, mut empty) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut calls, mut begun, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..site.length.pick(1, 3) {
        let mut service = site.workshop.service()?;
        service.stop();
        let leave = |service: &Service, chunks: u64| {
            let mut program = site.workshop.program("scale");
            frames.give(&mut program).args(["--leave", &chunks.to_string(), "--count", &(2 * chunks).to_string()]);
            program.args(["fps=1", "chunk_size=2", FEW_SLOTS]);
            ask(service.serve(&mut program))
        };
        let answer = leave(&service, chunks)?;
        let tenths = answer.numbers("wall_ns")?;
        first.push(tenths[1] * 1e-3);
        last.push(tenths[9] * 1e-3);
        empty.push(answer.number("init_ns")? * 1e-6);
        over.push(leave(&service, 5)?.number("init_ns")? * 1e-6);

        service.go_on()?;
        let answer = ask(service.serve(&mut site.workshop.program("resume")))?;
        calls.push(answer.number("call_ns")? * 1e-6);
        begun.push(answer.number("first_sent_ns")? * 1e-6);
        sent.push(answer.number("chunks")? / (answer.number("all_sent_ns")? * 1e-9));
    }
    let row = |case: &str, measure: &str, better| Row::new(NAME, case, measure, better);
    let waiting = format!("{chunks} chunks waiting");
    table.add(row(&waiting, FRAME, Better::Less).ours(last).beside("a tenth of them", first));
    table.add(row(&waiting, "rheed_init, ms", Better::Less).ours(over).beside("an empty spool", empty));
    table.add(row(&waiting, "rheed_resume, ms", Better::Less).ours(calls));
    table.add(row(&waiting, "until the first is sent, ms", Better::Less).ours(begun));
    table.add(row(&waiting, "chunks sent a second", Better::More).ours(sent));
    Ok(())
}

fn streams_at_once(site: &Site, table: &mut Table) -> Result<()> {
    let frames = site.frames.noisy(500, 300, 240)?;
    let total = site.length.pick(1280, 3840);
    let counts = [1, 4, 16, 64];
    let mut speeds = vec![Vec::new(); counts.len()];
    for _ in 0..site.length.pick(1, 5) {
        for (streams, speeds) in counts.into_iter().zip(&mut speeds) {
            let options = ["fps=15", "chunk_size=30", "queue_bytes=4194304"];
            let answer = stream(site, &frames, total / u64::from(streams), streams, &options)?;
            speeds.push(answer.number("raw_bytes")? * 1e3 / answer.number("took_ns")?);
        }
    }
    for (streams, ours) in counts.iter().zip(&speeds).skip(1) {
        let row = Row::new(NAME, format!("{streams} streams at once"), "raw MB/s together", Better::More);
        table.add(row.ours(ours.clone()).beside("1 stream", speeds[0].clone()));
    }
    Ok(())
}

fn frame_sizes(site: &Site, table: &mut Table) -> Result<()> {
    for (side, fps) in [(64, 1000), (256, 500), (1024, 60), (2048, 30), (4096, 8)] {
        let frames = site.frames.noisy(side, side, ((32 << 20) / (side * side)).clamp(2, 240))?;
        let camera = Camera { frames: &frames, fps, threads: 1, flat_out: false, seconds: site.length.pick(1.0, 4.0) };
        let turns = (0..site.length.pick(1, 5)).map(|_| push::run(site, &camera, &["queue_bytes=268435456"]));
        let turns = turns.collect::<Result<Vec<_>>>()?;
        let case = format!("{side}x{side} at {fps} fps");
        let alone = |measure: &str, quantity: fn(&Turn) -> f64| {
            Row::new(NAME, &case, measure, Better::Less).ours(turns.iter().map(quantity).collect())
        };
        push::add_pushes(table, NAME, &case, &turns, None);
        table.add(alone("CPU s a GB", |turn| turn.cpu_seconds_a_gigabyte));
        if turns.iter().any(|turn| turn.refused > 0.0) {
            table.add(alone("frames refused", |turn| turn.refused));
        }
    }
    Ok(())
}
