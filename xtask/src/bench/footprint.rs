//! What the library costs before it does anything: its size, loading it, opening a stream, keeping one open.

use super::Site;
use super::row::{Better, Row};
use super::table::Table;
use super::workshop::{Answer, ask};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

pub const NAME: &str = "footprint";

/// A frame of bench/footprint.c.
const FRAME_BYTES: &str = "frame_bytes=150000";

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let outcome = sizes(site, table);
    table.note_failure("footprint, sizes", outcome);
    starts(site, table)?;
    idles(site, table)
}

fn sizes(site: &Site, table: &mut Table) -> Result<()> {
    let scratch = site.workshop.scratch()?;
    let stripped = scratch.path().join("stripped.so");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(site.workshop.library()?).status().context("strip")?;
    ensure!(status.success(), "strip ended with {status}");
    let megabytes = |file: &Path| Ok::<f64, anyhow::Error>(fs::metadata(file)?.len() as f64 * 1e-6);
    let row = |case: &str, measure: &str| Row::new(NAME, case, measure, Better::Less);
    table.add(row("the library, stripped", "MB").ours(vec![megabytes(&stripped)?]).reach(4.0));
    for (peer, library) in site.peers.libraries() {
        let theirs = megabytes(&library)?;
        table.add(row("the library, stripped", "MB").ours(vec![megabytes(&stripped)?]).beside(peer, vec![theirs]));
    }
    // A heading, then: text data bss ...
    let told = Command::new("size").arg(&stripped).output().context("size")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let sections = told.lines().nth(1).context("size says nothing")?.split_whitespace().map(str::parse::<f64>);
    for (section, bytes) in ["text", "data", "bss"].into_iter().zip(sections) {
        table.add(row("the library, stripped", &format!("MB, {section}")).ours(vec![bytes? * 1e-6]));
    }
    Ok(())
}

/// Each in a process of its own, as a user's program has it.
fn starts(site: &Site, table: &mut Table) -> Result<()> {
    type Case = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str, Option<f64>)]);
    const CASES: [Case; 4] = [
        (
            "a program that loads it",
            &["endpoint=none"],
            &[("load_ns", "dlopen, ms", None), ("init_ns", "first call, ms", Some(5.0))],
        ),
        ("on loopback, clock_sync on", &["clock_sync=on"], &[("init_ns", "rheed_init, ms", Some(30.0))]),
        (
            "on loopback, clock_sync off",
            &["clock_sync=off"],
            &[("init_ns", "rheed_init, ms", Some(30.0)), ("first_push_ns", "first push, ms", None)],
        ),
        (
            "on loopback, 64 MiB prepared",
            &["clock_sync=off", FRAME_BYTES],
            &[("init_ns", "rheed_init, ms", None), ("first_push_ns", "first push, ms", None)],
        ),
    ];
    let mut samples = CASES.map(|(_, _, measures)| vec![Vec::new(); measures.len()]);
    for _ in 0..site.length.pick(5, 20) {
        for ((_, options, measures), samples) in CASES.iter().zip(&mut samples) {
            let answer = open(site, &["--push", "1"], options)?;
            for ((name, ..), samples) in measures.iter().zip(samples) {
                samples.push(answer.number(name)? * 1e-6);
            }
        }
    }
    for ((case, _, measures), samples) in CASES.iter().zip(samples) {
        for ((_, measure, reach), samples) in measures.iter().zip(samples) {
            table.add(Row::new(NAME, *case, *measure, Better::Less).ours(samples).reach(*reach));
        }
    }
    Ok(())
}

/// An open stream, when all that a beginning brings is over.
fn idles(site: &Site, table: &mut Table) -> Result<()> {
    let idle = site.length.pick(0.5, 2.0);
    for (case, pushes) in [("an open stream without frames", "0"), ("an open stream after 100 frames", "100")] {
        let answer = open(site, &["--push", pushes, "--settle", "3", "--times", "5", "--idle", &idle.to_string()], &[])?;
        let each = answer.numbers("idle_ns")?.iter().map(|ns| ns * 1e-6 / idle).collect();
        table.add(Row::new(NAME, case, "CPU ms a second", Better::Less).ours(each).reach(1.0));
    }
    Ok(())
}

fn open(site: &Site, arguments: &[&str], options: &[&str]) -> Result<Answer> {
    let service = site.workshop.service()?;
    let mut program = site.workshop.program("footprint");
    program.arg("--library").arg(site.workshop.library()?).args(arguments).args(["fps=60"]).args(options);
    ask(service.serve(&mut program))
}
