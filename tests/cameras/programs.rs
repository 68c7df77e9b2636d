//! The programs of examples_cameras/: short, in the table, without a warning; how they are built and what they said.

use crate::support::{Dialect, Ended, Linked, MustSucceed, Workshop, root};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines that a reader still takes in.
const SHORT: usize = 150;

/// A program, and the SDK that it needs.
pub struct Program {
    pub file: &'static str,
    /// As pkg-config knows them.
    packages: &'static [&'static str],
    /// What has no pkg-config file: a folder of headers, and libraries.
    headers: &'static str,
    libraries: &'static [&'static str],
}

pub const ARAVIS: Program = Program { file: "aravis_camera.c", packages: &["aravis-0.8"], headers: "", libraries: &[] };
const ALL: [&Program; 1] = [&ARAVIS];

impl Program {
    pub fn source(&self) -> PathBuf {
        root().join("examples_cameras").join(self.file)
    }

    fn dialect(&self) -> Dialect {
        if self.file.ends_with(".cpp") { Dialect::cpp("c++17") } else { Dialect::c("c99") }
    }

    /// What the compiler is told of the SDK, whose headers may have warnings of their own. `Err`: why it cannot be had here.
    fn sdk(&self) -> Result<Vec<String>, String> {
        let mut flags: Vec<String> = self.libraries.iter().map(|library| format!("-l{library}")).collect();
        if !self.headers.is_empty() {
            if !Path::new(self.headers).is_dir() {
                return Err(format!("there is no {}", self.headers));
            }
            flags.push(format!("-isystem{}", self.headers));
        }
        if !self.packages.is_empty() {
            let asked = Command::new("pkg-config").args(["--cflags", "--libs"]).args(self.packages).output();
            let asked = asked.map_err(|error| format!("pkg-config: {error}"))?;
            if !asked.status.success() {
                return Err(String::from_utf8_lossy(&asked.stderr).trim().to_owned());
            }
            let told = String::from_utf8_lossy(&asked.stdout).into_owned();
            let as_systems = |flag: &str| flag.strip_prefix("-I").map_or(flag.to_owned(), |folder| format!("-isystem{folder}"));
            flags.extend(told.split_whitespace().map(as_systems));
        }
        Ok(flags)
    }

    /// Builds it under `STRICT`. `Err`: which part of the SDK is not on this machine.
    pub fn build(&self, workshop: &Workshop) -> Result<PathBuf, String> {
        let sdk = self.sdk()?;
        Ok(workshop.build_with(&self.dialect(), &self.source(), Linked::Shared, &sdk))
    }
}

/// The number before a word, in the line of what a program said that begins so: `stream: 60 taken, 60 confirmed`.
#[track_caller]
pub fn count(ended: &Ended, line: &str, word: &str) -> u64 {
    let counts = ended.out.lines().find_map(|said| said.strip_prefix(line)).unwrap_or_else(|| panic!("{line} {ended:?}"));
    let count = counts.split(", ").find_map(|count| count.trim_start_matches([':', ' ']).strip_suffix(word));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("{line} {word}: {ended:?}"))
}

#[test]
fn every_program_is_short_and_in_the_table() {
    let table = std::fs::read_to_string(root().join("examples_cameras/README.md")).expect("examples_cameras has a README");
    let files = Command::new("ls").arg(root().join("examples_cameras")).must_succeed();
    let sources: Vec<&str> = files.lines().filter(|file| !file.ends_with(".md")).collect();
    assert_eq!(sources.len(), ALL.len(), "{sources:?}");
    for program in ALL {
        let lines = std::fs::read_to_string(program.source()).expect("a program can be read").lines().count();
        assert!(lines < SHORT, "{} has {lines} lines", program.file);
        assert!(table.contains(&format!("`{}`", program.file)), "examples_cameras/README.md does not tell of {}", program.file);
    }
}
