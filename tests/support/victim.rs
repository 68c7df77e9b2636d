//! A process of its own that streams numbered frames until it is killed, or is told to finish: the test's own program, started
//! again. Whoever uses it has a function among its tests that calls `live`, which does nothing unless it is started for that.

use super::again::Again;
use super::frames::numbered;
use super::host::{OK, Stream};
use std::io::{Read, Write};

/// That function's name.
const NAME: &str = "the_process_that_is_killed";
const OPTIONS: &str = "RHEED_TEST_VICTIM";
const RESUMES: &str = "RHEED_TEST_VICTIM_RESUMES";

/// Its frames are squares.
pub const SIDE: u32 = 128;
pub const FRAME_BYTES: usize = (SIDE * SIDE) as usize;
/// As many frames as it holds in memory.
pub const SLOTS: u64 = (1 << 20) / FRAME_BYTES as u64;
/// When its frame number 0 was taken; the others follow at 10 frames per second.
pub const FIRST_STAMP_NS: i64 = 1_700_000_000_000_000_000;
pub const FRAME_NS: i64 = 100_000_000;

/// The process.
pub struct Victim {
    process: Again,
    /// Frames that it says were taken.
    pub taken: u64,
}

impl Victim {
    /// A process that opens a stream and pushes one frame after another.
    pub fn stream(options: &[String]) -> Victim {
        Victim::start(&[(OPTIONS, &options.join("\n"))])
    }

    /// A process that takes up a spool.
    pub fn resume(options: &[String]) -> Victim {
        Victim::start(&[(OPTIONS, &options.join("\n")), (RESUMES, "yes")])
    }

    fn start(environment: &[(&str, &str)]) -> Victim {
        Victim { process: Again::start(NAME, environment), taken: 0 }
    }

    fn listen(&mut self, mut enough: impl FnMut(&str) -> bool) {
        loop {
            let line = self.process.listen();
            self.hear(&line);
            if enough(&line) {
                return;
            }
        }
    }

    fn hear(&mut self, line: &str) {
        if let Some(taken) = line.strip_prefix("taken ") {
            self.taken = taken.parse().expect("a number");
        }
    }

    /// Waits until so many frames were taken.
    pub fn has_taken(&mut self, frames: u64) {
        self.listen(|line| line == format!("taken {frames}"));
    }

    /// Waits until its handle is open.
    pub fn is_open(&mut self) {
        self.listen(|line| line == "open");
    }

    /// Kills it with SIGKILL. `taken` is then what it said last.
    pub fn kill(mut self) -> u64 {
        for line in self.process.kill() {
            self.hear(&line);
        }
        self.taken
    }

    /// Lets it finalize its stream and end.
    #[track_caller]
    pub fn finish(mut self) -> u64 {
        self.process.hang_up();
        self.listen(|line| line == "finalized 0");
        self.process.ended_well();
        self.taken
    }
}

/// What the process does.
pub fn live() {
    let Ok(options) = std::env::var(OPTIONS) else { return };
    let options: Vec<String> = options.lines().map(str::to_string).collect();
    let told_to_end = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut out = std::io::stdout();
    if std::env::var_os(RESUMES).is_some() {
        let _resumed = Stream::resume(&options);
        writeln!(out, "open").expect("the test listens");
        let _ = told_to_end.join();
        return;
    }
    let stream = Stream::open(&options);
    writeln!(out, "open").expect("the test listens");
    for number in 0.. {
        if told_to_end.is_finished() {
            break;
        }
        let stamp_ns = FIRST_STAMP_NS + number as i64 * FRAME_NS;
        assert_eq!(stream.push(&numbered(number, FRAME_BYTES), SIDE, SIDE, number, stamp_ns), OK);
        writeln!(out, "taken {}", number + 1).expect("the test listens");
    }
    writeln!(out, "finalized {}", stream.finalize(-1)).expect("the test listens");
}
