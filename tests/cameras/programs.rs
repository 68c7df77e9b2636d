//! The programs of examples_cameras/: short, in the table, without a warning; how they are built and what they said.

use crate::support::service::{self, only_stream, pixels};
use crate::support::{Dialect, Ended, Linked, MustSucceed, Running, Workshop, root, skip, start_in};
use rheed_stream::receiver::Receiver;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines that a reader still takes in.
const SHORT: usize = 150;
/// What they share, for all of them together.
const SHARED: (&str, usize) = ("recording.h", 100);

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
pub const GSTREAMER: Program =
    Program { file: "gstreamer_appsink.c", packages: &["gstreamer-app-1.0", "gstreamer-video-1.0"], headers: "", libraries: &[] };
pub const V4L2: Program = Program { file: "v4l2_camera.c", packages: &[], headers: "", libraries: &[] };
pub const OPENCV: Program = Program {
    file: "opencv_capture.cpp",
    packages: &[],
    headers: "/usr/include/opencv4",
    libraries: &["opencv_core", "opencv_videoio"],
};
/// Those that are compiled.
const COMPILED: [&Program; 4] = [&ARAVIS, &GSTREAMER, &V4L2, &OPENCV];
const PYPYLON: &str = "pypylon_camera.py";

impl Program {
    pub fn source(&self) -> PathBuf {
        root().join("examples_cameras").join(self.file)
    }

    fn dialect(&self) -> Dialect {
        if self.file.ends_with(".cpp") { Dialect::cpp("c++17") } else { Dialect::c("c99") }
    }

    /// What the compiler is told of the SDK, whose headers may have warnings of their own. `Err`: why it cannot be had here.
    pub fn sdk(&self) -> Result<Vec<String>, String> {
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

    /// Builds it, or another source that needs the same SDK, under `STRICT`. `Err`: what of the SDK is not on this machine.
    pub fn build(&self, workshop: &Workshop, source: &Path) -> Result<PathBuf, String> {
        let sdk = self.sdk()?;
        Ok(workshop.build_with(&self.dialect(), source, Linked::Shared, &sdk))
    }

    /// A library of this folder that stands before the SDK's, or ours: what `LD_PRELOAD` is told.
    #[track_caller]
    pub fn preloaded(&self, workshop: &Workshop, source: &str) -> String {
        let library = workshop.path().join(source).with_extension("so");
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library);
        gcc.arg(format!("-I{}", root().join("include").display()));
        gcc.arg(root().join("tests/cameras").join(source)).args(self.sdk().expect("the program is built with it"));
        gcc.arg("-ldl").must_succeed();
        library.display().to_string()
    }
}

/// A program that is built, and a service for it.
pub struct Site {
    pub workshop: Workshop,
    pub service: Receiver,
    pub program: PathBuf,
}

impl Site {
    /// `None`: the test is over, since the SDK is not there.
    pub fn stage(program: &Program) -> Option<Site> {
        let workshop = Workshop::new();
        let built = program.build(&workshop, &program.source()).map_err(|why| skip(program.file, &why)).ok()?;
        Some(Site::of(workshop, built))
    }

    /// With a program that is ready to run.
    pub fn of(workshop: Workshop, program: PathBuf) -> Site {
        Site { service: service::start(&workshop), workshop, program }
    }

    /// The same program, which is not built again, with a service of its own.
    pub fn anew(&self) -> Site {
        let workshop = Workshop::new();
        Site { service: service::start(&workshop), workshop, program: self.program.clone() }
    }

    /// Starts it with these arguments, behind which it is told of the service.
    pub fn start(&self, given: &[&str]) -> Running {
        self.start_in(&[], given)
    }

    /// The same, in an environment with these variables besides.
    pub fn start_in(&self, environment: &[(&str, String)], given: &[&str]) -> Running {
        let options = service::options(&self.service, &self.workshop);
        start_in(environment, &self.program, given.iter().copied().chain(options.iter().map(String::as_str)))
    }

    /// Plays it a camera that goes on for ever. Before the 20th frame the stream is closed behind the program's back.
    #[track_caller]
    pub fn is_left_when_the_stream_is_closed(&self, program: &Program, environment: &[(&'static str, String)], given: &[&str]) {
        let mut environment = environment.to_vec();
        let closing = program.preloaded(&self.workshop, "closes_stream.c");
        match environment.iter_mut().find(|(name, _)| *name == "LD_PRELOAD") {
            Some((_, libraries)) => *libraries = format!("{closing}:{libraries}"),
            None => environment.push(("LD_PRELOAD", closing)),
        }
        let ended = self.start_in(&environment, given).finish();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert_eq!(ended.err.matches("the stream is closed, and takes no more frames").count(), 1, "{ended:?}");
        assert_eq!((count(&ended, "stream", "taken"), count(&ended, "stream", "rejected")), (19, 0), "{ended:?}");
    }

    #[track_caller]
    pub fn arrived(&self, ended: &Ended) -> Vec<u8> {
        taken_and_confirmed(&self.service, ended)
    }
}

/// The pixels of all frames that arrived, so many as the program says that were taken and confirmed, and no other was refused.
#[track_caller]
pub fn taken_and_confirmed(service: &Receiver, ended: &Ended) -> Vec<u8> {
    let stream = |word| count(ended, "stream", word);
    assert_eq!((stream("lost"), stream("dropped"), stream("rejected")), (0, 0, 0), "{ended:?}");
    assert_eq!(stream("confirmed"), stream("taken"), "{ended:?}");
    let arrived = only_stream(service);
    assert_eq!(arrived.frames(), stream("taken"), "{ended:?}");
    pixels(&arrived)
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
    let is_program = |file: &&str| [".c", ".cpp", ".py"].iter().any(|ending| file.ends_with(ending));
    let mut sources: Vec<&str> = files.lines().filter(is_program).collect();
    sources.sort();
    let mut tested: Vec<&str> = COMPILED.iter().map(|program| program.file).chain([PYPYLON]).collect();
    tested.sort();
    assert_eq!(sources, tested);
    let lines = |file: &str| {
        let source = root().join("examples_cameras").join(file);
        std::fs::read_to_string(source).expect("a program can be read").lines().count()
    };
    assert!(lines(SHARED.0) < SHARED.1, "{} has {} lines", SHARED.0, lines(SHARED.0));
    for file in tested {
        assert!(lines(file) < SHORT, "{file} has {} lines", lines(file));
        assert!(table.contains(&format!("`{file}`")), "examples_cameras/README.md does not tell of {file}");
    }
}
