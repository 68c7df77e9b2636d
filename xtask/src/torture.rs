//! `cargo xtask torture`: the tests that break things, as often as a night allows; the ordinary run does the same a few times.

use crate::cargo;
use crate::fuzz;
use crate::kit::Kit;
use anyhow::{Result, bail};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One thing that is broken again and again.
struct Part {
    /// As `--only` names it.
    name: &'static str,
    /// The test file in tests/, or `UNITS`.
    suite: &'static str,
    /// How the tests are told how often.
    variable: &'static str,
    /// How often, if nothing else is said.
    times: u64,
}

/// The unit tests, of which those are run whose names hold the part's.
const UNITS: &str = "src";

const PARTS: &[Part] = &[
    // SIGKILL at random moments, and a resume after each.
    Part { name: "killed", suite: "torture", variable: "RHEED_TORTURE_KILLS", times: 200 },
    // SIGKILL at each step on disk and network, 0 = all, of a host and of a recovery.
    Part { name: "struck", suite: "struck", variable: "RHEED_TORTURE_STEPS", times: 0 },
    // A spool's files cut off at each byte, and with flipped bits, 0 = each of them.
    Part { name: "damage", suite: "damage", variable: "RHEED_TORTURE_FLIPS", times: 0 },
    // Power cuts between any two changes of the disk, and so many states that it may be in after each.
    Part { name: "power", suite: "power", variable: "RHEED_TORTURE_CUTS", times: 20 },
    // Every request meets every failure, so many times in a row.
    Part { name: "faults", suite: "every_failure", variable: "RHEED_TORTURE_FAULTS", times: 3 },
    // HTTP/2 streams and connections that break in every way, so many rounds.
    Part { name: "http2", suite: "http2", variable: "RHEED_TORTURE_HTTP2", times: 10 },
    // A chunk is refused again and again, until it is set aside: ten minutes.
    Part { name: "refusals", suite: "retries", variable: "RHEED_TORTURE_REFUSALS", times: 1 },
    // An outage of so many seconds, of every sort: how long pushes take, how much memory there is.
    Part { name: "outage", suite: "outages", variable: "RHEED_TORTURE_OUTAGE_S", times: 360 },
    // Each thing that is asked of a disk fails, in so many ways (9 are all).
    Part { name: "disk", suite: "full", variable: "RHEED_TORTURE_DISK", times: 9 },
    // Connections cut under a host that SIGPIPE kills, hosts that load and unload the library, hosts that end in every way.
    Part { name: "hosts", suite: "hosts", variable: "RHEED_TORTURE_HOSTS", times: 10 },
    // Four cameras at their fastest that lose packets, for so many seconds.
    Part { name: "cameras", suite: "cameras", variable: "RHEED_TORTURE_CAMERAS", times: 120 },
    // Cameras' clocks that jitter and drift, wrap, stand still and leap, with so many seeds.
    Part { name: "camera_clock", suite: UNITS, variable: "RHEED_TORTURE_CLOCKS", times: 30 },
    // Every function with every bad argument, against a model and from many threads at once.
    Part { name: "misuse", suite: "misuse", variable: "RHEED_TORTURE_CALLS", times: 1_000_000 },
];

/// The part that is no test file: the fuzz targets, each for so many seconds.
const FUZZ: (&str, u64) = ("fuzz", 20 * 60);

/// Runs all parts, or one of them; `times` instead of the number in the table. Says what they found at the end.
pub fn run(root: &Path, only: Option<&str>, times: Option<u64>) -> Result<ExitCode> {
    let parts: Vec<&Part> = PARTS.iter().filter(|part| only.is_none_or(|only| only == part.name)).collect();
    let fuzzes = only.is_none_or(|only| only == FUZZ.0);
    if parts.is_empty() && !fuzzes {
        let names = PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
        bail!("torture has no part {:?}; it has {names}, {}", only.unwrap_or_default(), FUZZ.0);
    }
    let kit = Kit::complete(root);
    let figures = root.join("target/torture.txt");
    fs::create_dir_all(root.join("target"))?;
    fs::write(&figures, "")?;
    let mut failed = Vec::new();
    for part in parts {
        let began = Instant::now();
        let mut tests = cargo::command(root);
        tests.args(["test", "--features", "receiver"]);
        match part.suite {
            UNITS => tests.args(["--lib", part.name]),
            suite => tests.args(["--test", suite]),
        };
        tests.args(["--", "--nocapture"]);
        tests.env(part.variable, times.unwrap_or(part.times).to_string()).env("RHEED_TEST_FIGURES", &figures);
        if let Some(venv) = &kit.venv {
            tests.env("RHEED_TEST_PYTHON", venv.python());
        }
        if !tests.status()?.success() {
            failed.push(part.name);
        }
        println!("{}: {} s\n", part.name, began.elapsed().as_secs());
    }
    if fuzzes {
        let outcomes = fuzz::run(root, Duration::from_secs(times.unwrap_or(FUZZ.1)), None)?;
        let mut figures = fs::File::options().append(true).open(&figures)?;
        for outcome in &outcomes {
            writeln!(figures, "fuzz {}: {}", outcome.target, outcome.told)?;
        }
        if outcomes.iter().any(|outcome| !outcome.is_good) {
            failed.push(FUZZ.0);
        }
    }
    println!("{}", fs::read_to_string(&figures)?);
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("FAILED: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}
