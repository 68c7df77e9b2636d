//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod cargo;
mod demo;
mod dist;
mod fuzz;
mod header;
mod install;
mod kit;
mod labview;
mod old_glibc;
mod one_object;
mod options;
mod promised;
mod receiver;
mod said;
mod site;
mod summary;
mod test;
mod tools;
mod torture;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
The project's own commands: cargo xtask <command>

To try it, and to trust it:
  demo [--seconds N]    stream 10 s of simulated RHEED from a C program to a receiver
                        on this computer, read it back, and draw it
  test                  run all tests, the C ones included; on Debian as root (a CI
                        machine) what they need is installed, elsewhere tests that
                        lack something are skipped, and the end says which and why
  tools [--only TOOL]   the tests under AddressSanitizer, ThreadSanitizer and valgrind alone;
                        `test` runs them too
  fuzz [--only TARGET] [--seconds N]
                        the fuzz targets in fuzz/, each for a minute or so long; needs no
                        nightly toolchain
  torture [--only PART] [--times N]
                        the tests that kill, cut off and misuse it, for hours instead of
                        seconds; the figures end in target/torture.txt

  bench [--only PART] [--quick | --long]
                        how fast it is, beside what a user would take instead, on the same
                        frames; a table, target/bench/bench.json and target/bench/bench.svg;
                        parts: push, through, levels, latency, scale, memory, footprint.
                        --long watches the memory for an hour

To use it:
  install --prefix DIR [--debug]
                        build the library and put it there with its headers, CMake
                        package and pkg-config file; optimized unless --debug
  dist [--target T] [--check-reproducible]
                        pack what users install, for this computer's kind or another:
                        a .tar.gz and .debs for Linux, a .zip for Windows, in target/dist.
                        --check-reproducible packs once more from another folder, and
                        compares the bytes

  docs                  the header's reference and the pages of docs/ as a site, by Doxygen:
                        target/site/index.html

To work on it (these write a file that is committed; --check only looks whether it
is up to date):
  header [--check]      include/rheed_stream.h from the sources, with cbindgen; and what LabVIEW
                        has of it: a flat header, error texts, numbers (labview/)
  options [--check]     docs/options.md from the table in src/options.rs
";

fn main() -> ExitCode {
    let outcome = read_command(lexopt::Parser::from_env()).and_then(|command| command.run(&project_root()));
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

enum Command {
    Help,
    Demo { length: Duration },
    Test,
    Tools { only: Option<String> },
    Fuzz { only: Option<String>, length: Duration },
    Torture { only: Option<String>, times: Option<u64> },
    Bench { only: Option<String>, length: bench::Length },
    Install { prefix: PathBuf, debug: bool },
    Dist { target: Option<String>, only_once: bool },
    Header { only_check: bool },
    Options { only_check: bool },
    Docs,
}

fn read_command(mut arguments: lexopt::Parser) -> Result<Command> {
    let name = match arguments.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    let (mut length, mut prefix, mut debug, mut only_check) = (None, None, false, false);
    let (mut target, mut only_once) = (None, true);
    let (mut only, mut times, mut bench_length) = (None, None, bench::Length::Usual);
    while let Some(argument) = arguments.next()? {
        match (name.as_str(), argument) {
            (_, Short('h') | Long("help")) => return Ok(Command::Help),
            ("demo" | "fuzz", Long("seconds")) => length = Some(Duration::from_secs(arguments.value()?.parse()?)),
            ("tools" | "fuzz" | "torture" | "bench", Long("only")) => only = Some(arguments.value()?.string()?),
            ("torture", Long("times")) => times = Some(arguments.value()?.parse()?),
            ("bench", Long("quick")) => bench_length = bench::Length::Quick,
            ("bench", Long("long")) => bench_length = bench::Length::Long,
            ("install", Long("prefix")) => prefix = Some(arguments.value()?.into()),
            ("install", Long("debug")) => debug = true,
            ("dist", Long("target")) => target = Some(arguments.value()?.string()?),
            ("dist", Long("check-reproducible")) => only_once = false,
            ("header" | "options", Long("check")) => only_check = true,
            (_, other) => return Err(other.unexpected().into()),
        }
    }
    Ok(match name.as_str() {
        "help" => Command::Help,
        "demo" => Command::Demo { length: length.unwrap_or(Duration::from_secs(10)) },
        "test" => Command::Test,
        "tools" => Command::Tools { only },
        "fuzz" => Command::Fuzz { only, length: length.unwrap_or(Duration::from_secs(60)) },
        "torture" => Command::Torture { only, times },
        "bench" => Command::Bench { only, length: bench_length },
        "install" => match prefix {
            Some(prefix) => Command::Install { prefix, debug },
            None => bail!("install needs a place: cargo xtask install --prefix DIR"),
        },
        "dist" => Command::Dist { target, only_once },
        "header" => Command::Header { only_check },
        "options" => Command::Options { only_check },
        "docs" => Command::Docs,
        unknown => bail!("there is no command {unknown:?}: `cargo xtask --help` lists them"),
    })
}

impl Command {
    fn run(self, root: &Path) -> Result<ExitCode> {
        match self {
            Command::Help => print!("{HELP}"),
            Command::Demo { length } => demo::run(root, length)?,
            Command::Test => return test::run(root),
            Command::Tools { only } => return test::run_tools(root, only.as_deref()),
            Command::Fuzz { only, length } => {
                let outcomes = fuzz::run(root, length, only.as_deref())?;
                return Ok(if outcomes.iter().all(|outcome| outcome.is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            Command::Torture { only, times } => return torture::run(root, only.as_deref(), times),
            Command::Bench { only, length } => bench::run(root, only.as_deref(), length)?,
            Command::Install { prefix, debug } => install(root, &prefix, debug)?,
            Command::Dist { target, only_once: true } => drop(dist::run(root, target.as_deref())?),
            Command::Dist { target, only_once: false } => dist::check_reproducible(root, target.as_deref())?,
            Command::Header { only_check: true } => header::check(root)?,
            Command::Header { only_check: false } => header::write(root)?,
            Command::Options { only_check } => options::run(root, only_check)?,
            Command::Docs => println!("the site begins at {}", site::run(root)?.display()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn install(root: &Path, prefix: &Path, debug: bool) -> Result<()> {
    let built = cargo::build_to_ship(root, debug)?;
    if !debug && let Err(error) = one_object::make(root, &built) {
        eprintln!("warning: names in the static library may be those of a program's own zstd, too: {error:#}");
    }
    install::install(root, prefix, &built).map_err(anyhow::Error::msg)?;
    if let Err(error) = dist::papers::install_licences(root, prefix) {
        eprintln!("warning: the licences, which whoever gets the library from you has to get, too, are not all there: {error:#}");
    }
    println!("installed in {}", prefix.display());
    match old_glibc::needed(&built.join("librheed_stream.so")) {
        Ok(glibc) => println!("it needs glibc {glibc} or later"),
        Err(error) => println!("what it needs of the C library is not known: {error:#}"),
    }
    Ok(())
}

/// The folder of the workspace's Cargo.toml.
pub fn project_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project").to_path_buf()
}
