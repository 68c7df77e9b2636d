//! Tests that are run once more under tools which see what a test cannot: memory that is misused, leaked, raced for.
//!
//! Each has a target folder of its own. The sanitizers' runtimes come with the stable toolchain, and RUSTC_BOOTSTRAP lets it use
//! them; the standard library stays as it is shipped, without instrumentation. Miri has no place here: no stable toolchain has it.

use crate::cargo;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool and the tests that it looks at.
pub struct Tool {
    /// As `--only` and the summary name it.
    pub name: &'static str,
    /// What rustc is told; nothing: the libraries are those of the ordinary tests.
    flags: &'static str,
    /// The runtime that has to come with the toolchain, as its file's name ends.
    runtime: Option<&'static str>,
    /// For tests/support/checker.rs: what the C programs are built with, or run in.
    checker: Option<&'static str>,
    /// What cargo test is told.
    tests: &'static [&'static str],
    /// The rest of the environment.
    environment: &'static [(&'static str, &'static str)],
}

/// All of them.
pub const TOOLS: [Tool; 3] = [
    // AddressSanitizer and LeakSanitizer in library, tests and C programs; UndefinedBehaviorSanitizer in the C programs.
    Tool {
        name: "address",
        flags: "-Zsanitizer=address",
        runtime: Some("_rt.asan.a"),
        checker: Some("sanitize"),
        tests: &["--lib", "--test", "c_surface", "--test", "misuse"],
        environment: &[("RHEED_TORTURE_CALLS", "2000")],
    },
    // ThreadSanitizer, where threads share memory: slots, handles, gate, bell.
    Tool {
        name: "thread",
        flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        runtime: Some("_rt.tsan.a"),
        checker: None,
        tests: &["--lib", "--", "stream::", "engine::registry", "wait::", "ledger::", "log::"],
        environment: &[],
    },
    // Memcheck, on C programs that tell nothing about a process's own threads, signals and forks: those it plays itself.
    Tool {
        name: "valgrind",
        flags: "",
        runtime: None,
        checker: Some("valgrind"),
        tests: &[
            "--test",
            "c_surface",
            "--",
            "wrong_arguments_are_codes",
            "stale_and_made_up_handles",
            "texts_are_terminated",
            "every_frame_is_counted",
            "an_event_is_told_once",
            "chunks_come_in_any_order",
            "a_source_may_end_its_run",
            "a_stream_ends_once",
            "after_a_shutdown",
            "two_streams",
            "every_chunk_is_confirmed",
        ],
        environment: &[],
    },
];

impl Tool {
    /// The command that runs its tests, or why there can be none here.
    pub fn command(&self, root: &Path) -> Result<Command> {
        let mut tests = cargo::command(root);
        tests.args(["test", "--all-features", "--no-fail-fast"]);
        if let Some(runtime) = self.runtime {
            let host = cargo::host()?;
            ensure!(has_runtime(&host, runtime)?, "the Rust toolchain brings no sanitizer runtime for {host}");
            // Named, though it is this computer's own: then cargo leaves build scripts and macros as they are.
            tests.args(["--target", &host]).arg("--target-dir").arg(root.join("target").join(self.name));
            tests.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", self.flags);
        } else {
            tests.arg("--workspace"); // As the ordinary tests: nothing is built twice.
        }
        match self.checker {
            Some("sanitize") => gcc_can_sanitize(root)?,
            Some("valgrind") => ensure!(runs("valgrind", &["--version"]), "valgrind is not installed"),
            _ => {}
        }
        tests.args(self.tests).envs(self.environment.iter().copied());
        if let Some(checker) = self.checker {
            tests.env("RHEED_TEST_CHECKER", checker);
        }
        tests.env(
            "TSAN_OPTIONS",
            format!("suppressions={} exitcode=99 report_thread_leaks=0", root.join("xtask/tsan.supp").display()),
        );
        Ok(tests)
    }
}

/// The tools of that name, or all.
pub fn named(only: Option<&str>) -> Result<Vec<&'static Tool>> {
    let tools: Vec<_> = TOOLS.iter().filter(|tool| only.is_none_or(|only| only == tool.name)).collect();
    if tools.is_empty() {
        bail!("there is no tool {:?}; there are {}", only.unwrap_or_default(), TOOLS.map(|tool| tool.name).join(", "));
    }
    Ok(tools)
}

fn rustc(question: &[&str]) -> Result<String> {
    let output = Command::new("rustc").args(question).output().context("rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn has_runtime(host: &str, ending: &str) -> Result<bool> {
    let folder = PathBuf::from(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib").join(host).join("lib");
    let has_ending = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(ending);
    Ok(folder.read_dir().with_context(|| folder.display().to_string())?.flatten().any(has_ending))
}

/// Some Debian machines have gcc without its sanitizers' libraries.
fn gcc_can_sanitize(root: &Path) -> Result<()> {
    let folder = root.join("target/tmp");
    std::fs::create_dir_all(&folder)?;
    let (source, program) = (folder.join("sanitized.c"), folder.join("sanitized"));
    std::fs::write(&source, "int main(void) { return 0; }\n")?;
    let paths = [source, program].map(|path| path.display().to_string());
    let can = runs("cc", &["-fsanitize=address,undefined", &paths[0], "-o", &paths[1]]) && runs(&paths[1], &[]);
    ensure!(can, "cc cannot build programs with -fsanitize=address,undefined");
    Ok(())
}

pub fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
