//! `cargo xtask fuzz`: the targets in fuzz/, each for a while, with what they found in target/fuzz.
//!
//! They are laid out for cargo-fuzz, which asks for a nightly toolchain; here the stable one builds them as cargo-fuzz would,
//! coverage and AddressSanitizer included.

use crate::cargo;
use crate::tools;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

/// As they are called in fuzz/Cargo.toml.
pub const TARGETS: [&str; 3] = ["options", "recovery", "answers"];

/// What libFuzzer steers by, as cargo-fuzz asks for it.
const FLAGS: &str = "-Zsanitizer=address --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What a target came to.
pub struct Outcome {
    pub target: &'static str,
    /// Inputs, seconds and coverage; or where the input lies that broke something.
    pub told: String,
    pub is_good: bool,
}

/// Runs the targets, or one of them, for so long each; as many at a time as there are cores.
pub fn run(root: &Path, length: Duration, only: Option<&str>) -> Result<Vec<Outcome>> {
    let targets: Vec<&'static str> = TARGETS.into_iter().filter(|target| only.is_none_or(|only| only == *target)).collect();
    if targets.is_empty() {
        bail!("there is no fuzz target {:?}; there are {}", only.unwrap_or_default(), TARGETS.join(", "));
    }
    let Some(programs) = build(root)? else {
        let told = "it cannot be built".to_owned();
        return Ok(targets.iter().map(|target| Outcome { target, told: told.clone(), is_good: false }).collect());
    };
    let waiting = Mutex::new(targets);
    let outcomes = Mutex::new(Vec::new());
    let at_a_time = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                let next = || waiting.lock().ok()?.pop();
                while let Some(target) = next() {
                    let outcome = look(root, &programs.join(target), target, length).unwrap_or_else(|error| Outcome {
                        target,
                        told: format!("{error:#}"),
                        is_good: false,
                    });
                    println!("fuzz {target}: {}", outcome.told);
                    outcomes.lock().expect("no thread panics with it").push(outcome);
                }
            });
        }
    });
    Ok(outcomes.into_inner().expect("no thread panics with it"))
}

/// The folder of the built targets; none when the compiler does not like them. Fails where the tools for it are not there.
fn build(root: &Path) -> Result<Option<PathBuf>> {
    let host = cargo::host()?;
    ensure!(tools::has_runtime(&host, "_rt.asan.a")?, "the Rust toolchain brings no sanitizer runtime for {host}");
    ensure!(tools::runs("c++", &["--version"]), "there is no C++ compiler, which libFuzzer is built with");
    let folder = root.join("target/fuzz");
    let mut build = cargo::command(root);
    build.args(["build", "--manifest-path", "fuzz/Cargo.toml", "--target", &host, "--target-dir"]).arg(&folder);
    let built = build.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS).status().context("cargo")?;
    Ok(built.success().then(|| folder.join(host).join("debug")))
}

fn look(root: &Path, program: &Path, target: &'static str, length: Duration) -> Result<Outcome> {
    let folder = root.join("target/fuzz");
    let found = folder.join("corpus").join(target);
    fs::create_dir_all(&found)?;
    let log = folder.join(format!("{target}.log"));
    // Not on a disk, where that can be: an fsync a try would be most of it.
    let fast = Path::new("/dev/shm");
    let place = if fast.is_dir() { fast } else { &folder }.join(format!("rheed-fuzz-{target}-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let mut fuzz = Command::new(program);
    // New inputs go to the first folder; the second is the committed one.
    fuzz.arg(&found).arg(root.join("fuzz/corpus").join(target));
    fuzz.arg(format!("-max_total_time={}", length.as_secs())).arg(format!("-artifact_prefix={}/{target}-", folder.display()));
    fuzz.args(["-timeout=30", "-rss_limit_mb=3000", "-print_final_stats=1"]).env("TMPDIR", &place);
    fuzz.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
    let status = fuzz.status();
    let _ = fs::remove_dir_all(&place);
    let status = status.with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let last = |mark: &str| said.lines().rev().find(|line| line.contains(mark)).unwrap_or_default().trim().to_owned();
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        return Ok(Outcome { target, told: format!("{} ({})", last("Test unit written to"), log.display()), is_good: false });
    }
    Ok(Outcome { target, told: format!("{}; {}", last("Done "), last(" cov: ")), is_good: true })
}
