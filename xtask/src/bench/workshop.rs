//! What is measured with: the installed library, the programs of bench/, a receiver that discards, and fresh folders.

use crate::cargo;
use crate::install;
use crate::receiver::{Receiver, ends_with_us};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Programs that are linked against the library.
const LINKED: [&str; 7] = ["push", "commit", "through", "latency", "scale", "resume", "memory"];
/// Loads it.
const LOADING: &str = "footprint";
/// Is linked against the library and Aravis, where that is.
pub const CAMERA: &str = "camera";
const ARAVIS: &str = "aravis-0.8";
const PEDANTIC: [&str; 6] = ["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror"];

/// Nothing that is measured says nothing for so long, unless it hangs.
const SILENCE: Duration = Duration::from_secs(600);

pub struct Workshop {
    folder: PathBuf,
    installed: PathBuf,
    receiver: PathBuf,
    folders_made: Cell<u32>,
}

impl Workshop {
    /// Builds everything, optimized.
    pub fn open(root: &Path, folder: &Path) -> Result<Workshop> {
        let receiver = cargo::build_receiver(root, "instrument")?;
        Workshop::with(root, folder, &cargo::build_to_ship(root, false)?, receiver)
    }

    /// With the library in that folder, and a receiver.
    fn with(root: &Path, folder: &Path, libraries: &Path, receiver: PathBuf) -> Result<Workshop> {
        let installed = folder.join("installed");
        install::install(root, &installed, libraries).map_err(anyhow::Error::msg)?;
        let workshop = Workshop { folder: folder.to_owned(), installed, receiver, folders_made: Cell::new(0) };
        for name in LINKED {
            workshop.build(workshop.linked(workshop.gcc(root, name)), name)?;
        }
        workshop.build(workshop.gcc(root, LOADING), LOADING)?;
        let _ = fs::remove_file(workshop.folder.join(CAMERA));
        if let Some(aravis) = flags_of(ARAVIS) {
            let mut gcc = workshop.gcc(root, CAMERA);
            gcc.args(aravis);
            workshop.build(workshop.linked(gcc), CAMERA)?;
        }
        let _ = fs::remove_dir_all(workshop.folder.join("scratch"));
        Ok(workshop)
    }

    fn gcc(&self, root: &Path, name: &str) -> Command {
        let mut gcc = Command::new("gcc");
        gcc.args(PEDANTIC).arg("-o").arg(self.folder.join(name)).arg(root.join("bench").join(name).with_extension("c"));
        gcc.arg("-I").arg(self.installed.join("include"));
        gcc
    }

    fn linked(&self, mut gcc: Command) -> Command {
        let lib = self.installed.join("lib");
        gcc.arg("-L").arg(&lib).arg(format!("-Wl,-rpath,{}", lib.display())).args(["-lrheed_stream", "-pthread"]);
        gcc
    }

    fn build(&self, mut gcc: Command, name: &str) -> Result<()> {
        ensure!(gcc.arg("-ldl").status().context("gcc")?.success(), "gcc does not compile bench/{name}.c");
        Ok(())
    }

    /// Whether it could be built.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).is_file()
    }

    /// A program of bench/.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }

    pub fn library(&self) -> Result<PathBuf> {
        Ok(self.installed.join("lib/librheed_stream.so").canonicalize()?)
    }

    /// A folder that is gone when it is dropped.
    pub fn scratch(&self) -> Result<Scratch> {
        let number = self.folders_made.replace(self.folders_made.get() + 1);
        let folder = self.folder.join("scratch").join(number.to_string());
        fs::create_dir_all(&folder)?;
        Ok(Scratch(folder))
    }

    /// Room on the disk where all of it lies.
    pub fn free_bytes(&self) -> Result<f64> {
        // A heading, then: device, KiB, used, available ...
        let told = Command::new("df").arg("-Pk").arg(&self.folder).output().context("df")?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let available = told.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).context("df says nothing")?;
        Ok(available.parse::<f64>()? * 1024.0)
    }

    /// The service, in a process of its own, so that its CPU is nobody else's.
    pub fn service(&self) -> Result<Service> {
        let scratch = self.scratch()?;
        let data = scratch.path().join("received");
        let receiver = Receiver::start(&self.receiver, &data, &["--discard"], None)?;
        let (url, key) = (receiver.url.clone(), receiver.key.clone());
        Ok(Service { program: self.receiver.clone(), running: Some(receiver), data, url, key, scratch })
    }
}

/// What a compiler is told of a library that pkg-config knows, whose headers may have warnings of their own.
fn flags_of(package: &str) -> Option<Vec<String>> {
    let told = Command::new("pkg-config").args(["--cflags", "--libs", package]).output().ok()?;
    let as_systems = |flag: &str| flag.strip_prefix("-I").map_or(flag.to_owned(), |folder| format!("-isystem{folder}"));
    let told = told.status.success().then(|| String::from_utf8_lossy(&told.stdout).into_owned())?;
    Some(told.split_whitespace().map(as_systems).collect())
}

/// A folder for one measurement.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the library and the vendor's client stream to. It reads shards, and throws them away.
pub struct Service {
    program: PathBuf,
    running: Option<Receiver>,
    data: PathBuf,
    url: String,
    key: String,
    scratch: Scratch,
}

impl Service {
    /// Gives a program its address and key, and a spool, empty at first.
    pub fn serve<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.address(command).arg(format!("spool_dir={}", self.spool().display()))
    }

    /// Address and key alone.
    pub fn address<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase());
        }
        command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
        command.env("AS_API_ENDPOINT", &self.url).env("AS_API_KEY", &self.key)
    }

    pub fn spool(&self) -> PathBuf {
        self.scratch.path().join("spool")
    }

    /// Bytes of all shards that came.
    pub fn received(&self) -> Result<f64> {
        let requests = fs::read_to_string(self.data.join("requests.jsonl"))?;
        let requests = requests.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
        let shards = requests.iter().filter(|request| request["method"] == "PUT");
        Ok(shards.filter_map(|shard| shard["body_bytes"].as_f64()).sum())
    }

    /// An outage begins.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// It ends: same address, same streams.
    pub fn go_on(&mut self) -> Result<()> {
        let address = self.url.trim_start_matches("http://");
        let arguments = ["--discard", "--listen", address];
        self.running = Some(Receiver::start(&self.program, &self.data, &arguments, Some(&self.key))?);
        Ok(())
    }
}

/// A line of what a program measured.
pub struct Answer(Value);

impl Answer {
    pub fn number(&self, name: &str) -> Result<f64> {
        self.0[name].as_f64().with_context(|| format!("there is no {name} in {}", self.0))
    }

    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let numbers = self.0[name].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect());
        numbers.with_context(|| format!("there are no {name} in {}", self.0))
    }

    /// Of times in nanoseconds.
    pub fn microseconds(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.numbers(name)?.iter().map(|ns| ns * 1e-3).collect())
    }
}

/// Runs a program, and reads the one line that it prints.
pub fn ask(command: &mut Command) -> Result<Answer> {
    let mut answer = None;
    watch(command, |line| {
        answer = Some(line);
        Ok(())
    })?;
    answer.with_context(|| format!("{} measured nothing", command.get_program().display()))
}

/// Runs a program, and takes each line as it comes. What it has to say beside goes to the terminal.
pub fn watch(command: &mut Command, take: impl FnMut(Answer) -> Result<()>) -> Result<()> {
    watch_unless_silent(command, SILENCE, take)
}

fn watch_unless_silent(command: &mut Command, silence: Duration, mut take: impl FnMut(Answer) -> Result<()>) -> Result<()> {
    let name = command.get_program().display().to_string();
    let mut process = ends_with_us(command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context(name.clone())?;
    let said = BufReader::new(process.stdout.take().context("stdout is piped")?);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || said.lines().try_for_each(|line| sender.send(line)));
    let taken = loop {
        match lines.recv_timeout(silence) {
            Ok(line) => {
                if let Err(error) = line.map_err(Into::into).and_then(|line| take(Answer(serde_json::from_str(&line)?))) {
                    break Err(error);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => break Err(anyhow!("{name} said nothing for {silence:?}, and was killed")),
        }
    };
    if taken.is_err() {
        let _ = process.kill();
    }
    let status = process.wait()?;
    taken?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}

/// Awaits that all that was written is on disk.
pub fn sync() -> Result<()> {
    ensure!(Command::new("sync").status().context("sync")?.success(), "sync failed");
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::bench::frames::Stock;

    #[test]
    fn every_program_measures_what_it_is_asked_for() {
        let root = crate::project_root();
        let sources = fs::read_dir(root.join("bench")).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(sources.filter(|file| file.extension().is_some_and(|kind| kind == "c")).count(), LINKED.len() + 2);

        let folder = std::env::temp_dir().join(format!("rheed-bench-{}", std::process::id()));
        let built = cargo::build_to_run(&root).unwrap();
        let workshop = Workshop::with(&root, &folder, built.shared.parent().unwrap(), built.receiver).unwrap();
        let frames = Stock::open(&root, &folder.join("frames")).unwrap().noisy(128, 128, 60).unwrap();
        let service = workshop.service().unwrap();
        for (name, arguments, measured) in [
            ("push", "--rate 500 --seconds 0.2 --threads 2 fps=30", &["push_ns", "hot_ns", "cold_ns"][..]),
            ("push", "--flat-out 1 --seconds 0.2 --format 17825799 fps=30", &["push_ns", "hot_ns", "cold_ns"]), // Mono16
            ("push", "--rate 500 --seconds 0.3 --regions 8 fps=30", &["push_ns", "poll_ns"]),
            ("commit", "--rate 500 --seconds 0.2 fps=30", &["commit_ns", "wake_ns"]),
            ("commit", "--flat-out 1 --seconds 0.2 fps=30", &["commit_ns"]),
            ("through", "--rounds 2 fps=30", &["push_ns"]),
            ("latency", "--rate 600 --chunk 60 --chunks 2 fps=30", &["latency_ns", "blocked_ns"]),
            ("memory", "--rate 100 --seconds 0.7 --burst 10 fps=30", &[]),
            ("footprint", "--push 1 --times 2 --idle 0.1 fps=30", &["idle_ns"]),
            ("scale", "--count 200 --streams 2 fps=30", &["wall_ns", "cpu_ns"]),
            ("scale", "--count 200 --leave 3 fps=30", &["wall_ns", "cpu_ns"]),
            ("resume", "", &[]),
        ] {
            let mut program = workshop.program(name);
            program.arg("--library").arg(workshop.library().unwrap());
            frames.give(&mut program).args(arguments.split_whitespace());
            let answer = ask(service.serve(&mut program)).unwrap();
            for measured in measured {
                let samples = answer.numbers(measured).unwrap();
                assert!(!samples.is_empty() && samples.iter().all(|ns| *ns >= 0.0), "{name} {arguments}: {measured}");
            }
        }
        assert!(service.received().unwrap() > 0.0);
        drop(service);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_program_that_fails_is_named_and_what_it_measured_is_none() {
        let error = ask(Command::new("sh").args(["-c", "echo '{}'; exit 3"])).err().unwrap().to_string();
        assert!(error.contains("sh ended with") && error.contains('3'), "{error}");
        assert!(ask(&mut Command::new("true")).err().unwrap().to_string().contains("measured nothing"));
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_named() {
        let mut hanging = Command::new("sleep");
        let error = watch_unless_silent(hanging.arg("600"), Duration::from_millis(100), |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("sleep said nothing for 100ms"), "{error}");
    }
}
