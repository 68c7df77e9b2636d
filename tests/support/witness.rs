//! A process of its own that pushes numbered frames at a camera's pace and tells how it fared: how long its pushes took and how
//! much memory it holds. The test's own program, started again, as with `victim`.

use super::HANGS_AFTER;
use super::again::Again;
use super::frames::numbered;
use super::host::{OK, Stream};
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// The function among the user's tests that calls `live`.
const NAME: &str = "the_process_that_pushes_at_a_pace";
const OPTIONS: &str = "RHEED_TEST_WITNESS";

/// Its frames are squares; they do not compress. A chunk of them is 2 MB: an upload that is never answered is given up after a
/// time that grows with it.
pub const SIDE: u32 = 128;
pub const FRAME_BYTES: usize = (SIDE * SIDE) as usize;
pub const FPS: u32 = 60;

/// The process.
pub struct Witness(Again);

/// How it fared since it was asked last.
#[derive(Clone, Copy, Debug)]
pub struct Testimony {
    /// Microseconds.
    pub p50: u64,
    pub p99: u64,
    pub longest: u64,
    /// KiB of resident memory now, and the most there was.
    pub resident: u64,
    pub most: u64,
    /// Frames that were taken, from the beginning.
    pub taken: u64,
    /// Chunks that wait in the spool.
    pub waiting: u64,
}

impl Witness {
    pub fn start(options: &[String]) -> Witness {
        Witness(Again::start(NAME, &[(OPTIONS, &options.join("\n"))]))
    }

    /// How it fared since it was asked last.
    pub fn asked(&mut self) -> Testimony {
        self.0.order("tell");
        let line = self.line("fared ");
        let mut numbers = line.split(' ').skip(1).map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("all numbers");
        Testimony { p50: next(), p99: next(), longest: next(), resident: next(), most: next(), taken: next(), waiting: next() }
    }

    /// Lets it finalize its stream and end; says how many frames were taken.
    #[track_caller]
    pub fn finish(mut self) -> u64 {
        self.0.order("finish");
        let line = self.line("finalized ");
        self.0.ended_well();
        let taken = line.strip_prefix("finalized 0 ").unwrap_or_else(|| panic!("rheed_finalize answers {line}"));
        taken.parse().expect("a number")
    }

    /// The next line that begins like this.
    #[track_caller]
    fn line(&mut self, begins: &str) -> String {
        loop {
            let line = self.0.listen();
            if line.starts_with(begins) {
                return line;
            }
        }
    }
}

/// What the process does.
pub fn live() {
    let Ok(options) = std::env::var(OPTIONS) else { return };
    let options: Vec<String> = options.lines().map(str::to_string).collect();
    let (sends, orders) = std::sync::mpsc::channel();
    std::thread::spawn(move || std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| sends.send(line)));
    let mut out = std::io::stdout();
    let stream = Stream::open(&options);
    // Made before: making noise takes longer than a push.
    let mut frames: Vec<Vec<u8>> = (0..u64::from(FPS)).map(|number| numbered(number, FRAME_BYTES)).collect();
    let frame_time = Duration::from_secs(1) / FPS;
    let mut pushes: Vec<u64> = Vec::new();
    let mut due = Instant::now();
    forget_the_most();
    for number in 0u64.. {
        let frame = &mut frames[(number % u64::from(FPS)) as usize];
        let began = Instant::now();
        assert_eq!(stream.push(frame, SIDE, SIDE, number, 0), OK);
        pushes.push(began.elapsed().as_micros() as u64);
        due = (due + frame_time).max(began);
        // The camera's pace.
        match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(order) if order == "tell" => {
                pushes.sort_unstable();
                let part = |parts: usize| pushes[(pushes.len() - 1) * parts / 100];
                let waiting = stream.stat(rheed_stream::codes::Stat::ChunksPending);
                let (p50, p99, longest) = (part(50), part(99), part(100));
                let (resident, most) = (kib("VmRSS:"), kib("VmHWM:"));
                writeln!(out, "fared {p50} {p99} {longest} {resident} {most} {} {waiting}", number + 1)
                    .expect("the test listens");
                pushes.clear();
                forget_the_most();
            }
            Ok(_) => {
                let code = stream.finalize(HANGS_AFTER.as_millis() as i32);
                writeln!(out, "finalized {code} {}", number + 1).expect("the test listens");
                return;
            }
            Err(_) => {}
        }
    }
}

/// A line of /proc/self/status.
fn kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it tells of memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The most memory there was counts from now on.
fn forget_the_most() {
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may reset its own peak");
}
