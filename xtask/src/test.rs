//! `cargo xtask test`: every test of the project, and a summary that tells passed from skipped.
//!
//! The tests are cargo's, also those that compile and run C programs. They learn from the environment what they may use:
//! - `RHEED_TEST_PYTHON`, `RHEED_TEST_CMAKE`: programs, if there are any;
//! - `RHEED_TEST_WINDOWS`: what `cargo xtask dist` packs for Windows, if it could be built;
//! - `RHEED_TEST_SKIPS`: the file to which a test that lacks something appends `suite::test: why`.

use crate::cargo;
use crate::dist;
use crate::fuzz;
use crate::kit::Kit;
use crate::summary::Summary;
use crate::tools::{self, Tool};
use anyhow::{Result, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

/// Each fuzz target; the long run gives them twenty minutes.
const FUZZED_FOR: Duration = Duration::from_secs(30);

/// On a CI machine everything can be had: a test that is skipped there has failed.
pub fn run(root: &Path) -> Result<ExitCode> {
    let skips_fail = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let mut kit = Kit::complete(root);
    kit.add_windows();
    // The tests link C programs with the libraries of this build.
    cargo::build_to_run(root)?;

    fs::create_dir_all(root.join("target"))?;
    let skips = root.join("target/skipped-tests.txt");
    fs::write(&skips, "")?;
    let mut tests = cargo::command(root);
    tests.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).env("RHEED_TEST_SKIPS", &skips);
    if let Some(venv) = &kit.venv {
        tests.env("RHEED_TEST_PYTHON", venv.python()).env("RHEED_TEST_CMAKE", venv.cmake());
    }
    let for_windows = root.join("target/windows/prefix");
    tests.env("RHEED_TEST_WINDOWS", &for_windows);
    forget(&for_windows)?;
    let mut summary = Summary::default();
    // The tests wait more than they compute; those that want the library for Windows come late, and wait for it.
    let (ended, built) = thread::scope(|scope| {
        let built = scope.spawn(|| build_for_windows(root, &for_windows));
        let ended = watch(tests, |line| summary.read(line));
        (ended, built.join())
    });
    let mut succeeded = ended?.success();
    if let Err(error) = built.unwrap_or_else(|panic| resume_unwind(panic)) {
        kit.missing.push(format!("the library for Windows: {error:#}"));
    }
    for tool in &tools::TOOLS {
        succeeded &= run_under(tool, root, &mut summary)?;
    }
    match fuzz::run(root, FUZZED_FOR, None) {
        Ok(outcomes) => outcomes.iter().for_each(|outcome| summary.note(&format!("fuzz: {}", outcome.target), outcome.is_good)),
        Err(error) => summary.skip("fuzz", &format!("{error:#}")),
    }
    summary.note_skips(&fs::read_to_string(&skips)?);

    println!("\n{summary}");
    for lacking in &kit.missing {
        println!("Lacking: {lacking}");
    }
    let failed = !succeeded || !summary.is_good();
    let incomplete = summary.skipped() > 0 || !kit.missing.is_empty();
    let verdict = match (failed, incomplete) {
        (true, _) => "FAILED",
        (false, true) if skips_fail => "FAILED: CI=true, and there every test must run",
        (false, true) => "No test failed, but not all could run",
        (false, false) => "All tests passed",
    };
    println!("{verdict}");
    Ok(if failed || (incomplete && skips_fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Where the library for Windows is to be, there is none yet, nor the word that there will be none.
fn forget(prefix: &Path) -> Result<()> {
    for folder in [prefix, &prefix.with_extension("unpacked")] {
        let _ = fs::remove_dir_all(folder);
    }
    let _ = fs::remove_file(failed(prefix));
    ensure!(!prefix.exists(), "{} cannot be removed", prefix.display());
    Ok(())
}

/// The prefix is there at once, whole, or why it is not.
fn build_for_windows(root: &Path, prefix: &Path) -> Result<()> {
    fs::create_dir_all(root.join("target/windows"))?;
    let built = dist::as_unpacked(root, "x86_64-pc-windows-gnu", prefix);
    if let Err(error) = &built {
        fs::write(failed(prefix), format!("{error:#}"))?;
    }
    built
}

fn failed(prefix: &Path) -> PathBuf {
    prefix.with_extension("failed")
}

/// `cargo xtask tools`: nothing but the tests under the tools.
pub fn run_tools(root: &Path, only: Option<&str>) -> Result<ExitCode> {
    let tools = tools::named(only)?;
    Kit::complete(root);
    let mut summary = Summary::default();
    let mut succeeded = true;
    for tool in tools {
        succeeded &= run_under(tool, root, &mut summary)?;
    }
    println!("\n{summary}");
    Ok(if succeeded && summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a tool's tests succeed; where it cannot run, the summary says why.
fn run_under(tool: &Tool, root: &Path, summary: &mut Summary) -> Result<bool> {
    summary.under(tool.name);
    match tool.command(root) {
        Ok(tests) => Ok(watch(tests, |line| summary.read(line))?.success()),
        Err(error) => {
            summary.skip(tool.name, &format!("{error:#}"));
            Ok(true)
        }
    }
}

/// Runs a command, shows what it prints as it goes, and gives each line to `read`.
fn watch(mut command: Command, mut read: impl FnMut(&str)) -> Result<ExitStatus> {
    // One pipe for both streams: cargo names a suite on one, and the suite answers on the other.
    let (output, input) = std::io::pipe()?;
    let mut child = command.stdout(input.try_clone()?).stderr(input).spawn()?;
    // It holds the pipe's writing end, and the reading below ends when that is closed everywhere.
    drop(command);
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        read(text.trim());
        line.clear();
    }
    Ok(child.wait()?)
}
