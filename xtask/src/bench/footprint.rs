//! What the library costs before it does anything: its size, loading it, opening a stream, keeping one open.

use super::Site;
use super::peers::{ACQUIRE, ATOMSCALE};
use super::row::{Better, Row};
use super::table::Table;
use super::workshop::{Answer, ask};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

pub const NAME: &str = "footprint";

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    sizes(site, table)?;
    starts(site, table)?;
    let idle = site.length.pick(3.0, 10.0);
    let answer = open(site, &["--idle", &idle.to_string()], &[])?;
    let row = Row::new(NAME, format!("an open stream without frames, {idle} s"), "CPU ms a second", Better::Less);
    table.add(row.ours(vec![answer.number("idle_cpu_ns")? * 1e-6 / idle]));
    Ok(())
}

fn sizes(site: &Site, table: &mut Table) -> Result<()> {
    let scratch = site.workshop.scratch()?;
    let stripped = scratch.path().join("stripped.so");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(site.workshop.library()?).status().context("strip")?;
    ensure!(status.success(), "strip ended with {status}");
    let megabytes = |file: &Path| Ok::<f64, anyhow::Error>(fs::metadata(file)?.len() as f64 * 1e-6);
    let row = |case: &str, measure: &str| Row::new(NAME, case, measure, Better::Less);
    table.add(row("the library, stripped", "MB").ours(vec![megabytes(&stripped)?]).reach(4.0));
    for peer in [ATOMSCALE, ACQUIRE].into_iter().filter_map(|name| site.peers.named(name)) {
        if let Some(library) = peer.library() {
            let theirs = megabytes(&library)?;
            table.add(row("the library, stripped", "MB").ours(vec![megabytes(&stripped)?]).beside(peer.name, vec![theirs]));
        }
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
    let (mut loads, mut calls, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..site.length.pick(5, 20) {
        let answer = open(site, &[], &["clock_sync=on"])?;
        loads.push(answer.number("load_ns")? * 1e-6);
        calls.push(answer.number("first_call_ns")? * 1e-6);
        with.push(answer.number("init_ns")? * 1e-6);
        without.push(open(site, &[], &["clock_sync=off"])?.number("init_ns")? * 1e-6);
    }
    let row = |case: &str, measure: &str| Row::new(NAME, case, measure, Better::Less);
    table.add(row("a program that loads it", "dlopen, ms").ours(loads));
    table.add(row("a program that loads it", "first call, ms").ours(calls).reach(5.0));
    table.add(row("on loopback, clock_sync on", "rheed_init, ms").ours(with).reach(30.0));
    table.add(row("on loopback, clock_sync off", "rheed_init, ms").ours(without).reach(30.0));
    Ok(())
}

fn open(site: &Site, arguments: &[&str], options: &[&str]) -> Result<Answer> {
    let service = site.workshop.service()?;
    let mut program = site.workshop.program("footprint");
    program.arg("--library").arg(site.workshop.library()?).args(arguments).args(["fps=60"]).args(options);
    ask(service.serve(&mut program))
}
