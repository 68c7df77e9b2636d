//! How long `rheed_push` keeps a camera's thread, beside memcpys of the same frame: all in one loop of bench/push.c. And how long
//! `rheed_commit` does, beside the waking of a thread: both in one loop of bench/commit.c.

use super::Site;
use super::frames::Frames;
use super::row::{Better, Row};
use super::samples::percentiles;
use super::table::Table;
use super::workshop::{Answer, Service, ask};
use anyhow::Result;

pub const NAME: &str = "push";

/// Width, height, frames per second.
const CAMERAS: [(u32, u32, u32); 3] = [(500, 300, 120), (1388, 1038, 60), (2048, 2048, 30)];
/// 2048 x 2048 pixels that are brought to 8 bits on the way: bytes of a row, and the format's PFNC code.
const CONVERTED: [(&str, u32, u32); 6] = [
    ("Mono16", 4096, 0x0110_0007),
    ("Mono12Packed", 3072, 0x010C_0006),
    ("Mono12p", 3072, 0x010C_0047),
    ("Mono10p", 2560, 0x010A_0046),
    ("YUYV", 4096, 0x0210_0032),
    ("RGB8", 6144, 0x0218_0014),
];
/// 2048 x 2048 pixels of Mono8 of which less is kept, by such an option.
const REDUCED: [&str; 3] = ["roi=512,512,1024,1024", "bin=2", "bin=4"];
/// Kept in memory, so many bytes of frames at most.
const FRAMES_BYTES: u32 = 64 << 20;
/// Within this many times of a memcpy to such a place as the slots are: in the cache where a few of them do, cold where all of
/// them come round.
const REACH: f64 = 2.0;
/// Paced, so many in all repetitions, for a p99.
const PUSHES: u32 = 1050;
/// Microseconds of a commit, besides the waking of the encoder.
const COMMIT_REACH: f64 = 1.0;

const REPETITIONS: u32 = 5;

/// A camera that pushes.
pub struct Camera<'a> {
    pub frames: &'a Frames,
    pub fps: u32,
    pub threads: u32,
    /// As fast as slots are free, instead of at `fps`.
    pub flat_out: bool,
    pub seconds: f64,
}

impl Camera<'_> {
    fn case(&self, what: &str) -> String {
        let &Camera { fps, threads, flat_out, .. } = self;
        let pace = if flat_out { "flat out".to_owned() } else { format!("{fps} fps") };
        format!("{what}, {pace}, {threads} thread{}", if threads > 1 { "s" } else { "" })
    }

    /// Plays it in a program of bench/; `more` are further arguments and options.
    fn play(&self, site: &Site, service: &Service, program: &str, more: &[&str]) -> Result<Answer> {
        let mut program = site.workshop.program(program);
        self.frames.give(&mut program).args(["--rate", &self.fps.to_string(), "--seconds", &self.seconds.to_string()]);
        program.args(["--threads", &self.threads.to_string(), "--flat-out", if self.flat_out { "1" } else { "0" }]);
        program.arg(format!("fps={}", self.fps)).args(more);
        ask(service.serve(&mut program))
    }
}

/// What one run of it comes to.
pub struct Turn {
    /// Microseconds of each.
    pub push: Vec<f64>,
    /// A memcpy to one place, again and again, and one to a place that went out of the cache.
    hot: Vec<f64>,
    cold: Vec<f64>,
    /// Of a region's new readings, ten times a second.
    poll: Vec<f64>,
    pub refused: f64,
    pub sent_bytes: f64,
    pub cpu_seconds_a_gigabyte: f64,
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    for (width, height, fps) in CAMERAS {
        let frames = site.frames.noisy(width, height, (FRAMES_BYTES / (width * height)).min(240))?;
        let what = format!("{width}x{height}");
        for flat_out in [false, true] {
            let seconds = if flat_out { site.length.pick(0.5, 2.0) } else { paced_seconds(site, fps) };
            for threads in [1, 4] {
                compare(site, table, &what, &Camera { frames: &frames, fps, threads, flat_out, seconds }, &[])?;
            }
            commit(site, table, &what, &Camera { frames: &frames, fps, threads: 1, flat_out, seconds })?;
        }
    }
    for (width, height, fps) in &CAMERAS[..2] {
        let frames = site.frames.noisy(*width, *height, (FRAMES_BYTES / (width * height)).min(240))?;
        let camera = Camera { frames: &frames, fps: *fps, threads: 1, flat_out: false, seconds: paced_seconds(site, *fps) };
        watch(site, table, &camera.case(&format!("{width}x{height}, 8 regions")), &camera)?;
    }
    for (format, row_bytes, code) in CONVERTED {
        let frames = site.frames.noisy(row_bytes, 2048, FRAMES_BYTES / (row_bytes * 2048))?;
        let fps = 60;
        let camera = Camera { frames: &frames, fps, threads: 1, flat_out: false, seconds: paced_seconds(site, fps) };
        compare(site, table, &format!("2048x2048 {format}"), &camera, &["--format", &code.to_string()])?;
    }
    let frames = site.frames.noisy(2048, 2048, FRAMES_BYTES / (2048 * 2048))?;
    for option in REDUCED {
        let fps = 60;
        let camera = Camera { frames: &frames, fps, threads: 1, flat_out: false, seconds: paced_seconds(site, fps) };
        compare(site, table, &format!("2048x2048 {option}"), &camera, &[option])?;
    }
    Ok(())
}

fn paced_seconds(site: &Site, fps: u32) -> f64 {
    site.length.pick(1.0, (f64::from(PUSHES) / f64::from(REPETITIONS * fps)).max(4.0))
}

fn compare(site: &Site, table: &mut Table, what: &str, camera: &Camera, more: &[&str]) -> Result<()> {
    let turns = (0..site.length.pick(1, REPETITIONS)).map(|_| run(site, camera, more)).collect::<Result<Vec<_>>>()?;
    let case = camera.case(what);
    add_pushes(table, NAME, &case, &turns, Some((REACH, camera.flat_out)));
    if !camera.flat_out && turns.iter().any(|turn| turn.refused > 0.0) {
        let refused = turns.iter().map(|turn| turn.refused).collect();
        table.add(Row::new(NAME, &case, "frames refused", Better::Less).ours(refused).reach(0.0));
    }
    Ok(())
}

/// A camera whose spots are watched, in turns with one whose are not.
fn watch(site: &Site, table: &mut Table, case: &str, camera: &Camera) -> Result<()> {
    let (mut watched, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..site.length.pick(1, REPETITIONS) {
        watched.push(run(site, camera, &["--regions", "8"])?);
        alone.push(run(site, camera, &[])?);
    }
    let pushes = |turns: &[Turn]| turns.iter().map(|turn| turn.push.clone()).collect::<Vec<_>>();
    for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
        let row = Row::new(NAME, case, format!("push {name}, us"), Better::Less).ours(percentiles(&pushes(&watched), percent));
        table.add(row.beside("without regions", percentiles(&pushes(&alone), percent)));
    }
    let polls: Vec<Vec<f64>> = watched.iter().map(|turn| turn.poll.clone()).collect();
    table.add(Row::new(NAME, case, "rheed_region_read p50, us", Better::Less).ours(percentiles(&polls, 50.0)));
    let microseconds_a_frame = |turns: &[Turn]| {
        let frame_bytes = camera.frames.frame_bytes() as f64;
        turns.iter().map(|turn| turn.cpu_seconds_a_gigabyte * frame_bytes * 1e-3).collect::<Vec<_>>()
    };
    let row = Row::new(NAME, case, "CPU a frame, us", Better::Less).ours(microseconds_a_frame(&watched));
    table.add(row.beside("without regions", microseconds_a_frame(&alone)));
    Ok(())
}

/// One run of pushes; `more` are further arguments and options.
pub fn run(site: &Site, camera: &Camera, more: &[&str]) -> Result<Turn> {
    let service = site.workshop.service()?;
    let answer = camera.play(site, &service, "push", more)?;
    Ok(Turn {
        push: answer.microseconds("push_ns")?,
        hot: answer.microseconds("hot_ns")?,
        cold: answer.microseconds("cold_ns")?,
        poll: answer.microseconds("poll_ns")?,
        sent_bytes: service.received()?,
        refused: answer.number("refused")?,
        cpu_seconds_a_gigabyte: answer.number("cpu_ns")? / answer.number("raw_bytes")?,
    })
}

/// A camera that writes into slots. Flat out its commits find the encoder awake; paced they wake it.
fn commit(site: &Site, table: &mut Table, what: &str, camera: &Camera) -> Result<()> {
    let (mut commits, mut wakes) = (Vec::new(), Vec::new());
    for _ in 0..site.length.pick(1, REPETITIONS) {
        let answer = camera.play(site, &site.workshop.service()?, "commit", &[])?;
        commits.push(answer.microseconds("commit_ns")?);
        wakes.push(answer.microseconds("wake_ns")?);
    }
    let case = camera.case(what);
    for (name, percent, is_to_reach) in [("p50", 50.0, true), ("p99", 99.0, false)] {
        let row = Row::new(NAME, &case, format!("commit {name}, us"), Better::Less).ours(percentiles(&commits, percent));
        table.add(if camera.flat_out {
            row.reach(is_to_reach.then_some(COMMIT_REACH))
        } else {
            let allowed = percentiles(&wakes, percent).into_iter().map(|wake| COMMIT_REACH + wake).collect();
            row.beside("1 us and a wake-up", allowed).reach(is_to_reach.then_some(1.0))
        });
    }
    Ok(())
}

/// How long they took, as far as there are samples enough to tell; `reach` beside a memcpy that is cold, or in the cache.
pub fn add_pushes(table: &mut Table, part: &'static str, case: &str, turns: &[Turn], reach: Option<(f64, bool)>) {
    let of = |samples: fn(&Turn) -> &Vec<f64>| turns.iter().map(|turn| samples(turn).clone()).collect::<Vec<_>>();
    let (pushes, hot, cold) = (of(|turn| &turn.push), of(|turn| &turn.hot), of(|turn| &turn.cold));
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("maximum", 100.0)] {
        let row = || Row::new(part, case, format!("push {name}, us"), Better::Less).ours(percentiles(&pushes, percent));
        let to_reach = |is_cold| reach.filter(|(_, cold)| percent <= 99.0 && *cold == is_cold).map(|(reach, _)| reach);
        table.add(row().beside("memcpy, in cache", percentiles(&hot, percent)).reach(to_reach(false)));
        table.add(row().beside("memcpy, cold", percentiles(&cold, percent)).reach(to_reach(true)));
    }
}
