//! How long a push keeps the thread on which a camera's SDK calls back, beside the SDK's own work there: Aravis, and its GigE Vision
//! camera in software on this computer's loopback. And whether any frame is neither kept nor counted.

use super::Site;
use super::row::{Better, Row};
use super::samples::percentiles;
use super::table::Table;
use super::workshop::{CAMERA, Service, ask};
use crate::kit;
use crate::receiver::ends_with_us;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

pub const NAME: &str = "cameras";

const FAKE: &str = "arv-fake-gv-camera-0.8";
const ADDRESS: &str = "127.0.0.1";
const PUSH: &str = "push";
const NOISY_FRAMES: u32 = 60;
/// More than it reaches: as fast as it can.
const FASTEST: u32 = 1000;

const REPETITIONS: u32 = 5;

struct Case {
    width: u32,
    height: u32,
    fps: u32,
    /// Bytes.
    packet: u32,
    /// Of so many packets in a thousand, one is thrown away by the camera.
    lost_in_thousand: u32,
    /// Whether another stream on this machine has noisy frames of the same size flat out: the fake camera's own are easy to encode.
    is_busy: bool,
}

const CASES: [Case; 5] = [
    Case { width: 500, height: 300, fps: 120, packet: 1400, lost_in_thousand: 0, is_busy: false },
    Case { width: 1024, height: 1024, fps: 60, packet: 9000, lost_in_thousand: 0, is_busy: false },
    Case { width: 640, height: 480, fps: FASTEST, packet: 9000, lost_in_thousand: 0, is_busy: false },
    Case { width: 640, height: 480, fps: FASTEST, packet: 9000, lost_in_thousand: 2, is_busy: false },
    Case { width: 640, height: 480, fps: FASTEST, packet: 9000, lost_in_thousand: 0, is_busy: true },
];

impl Case {
    fn name(&self) -> String {
        let &Case { width, height, fps, packet, lost_in_thousand, is_busy } = self;
        let pace = if fps == FASTEST { "flat out".to_owned() } else { format!("{fps} fps") };
        let loss = if lost_in_thousand == 0 { String::new() } else { format!(", {lost_in_thousand} of 1000 lost") };
        let beside = if is_busy { ", beside a noisy stream flat out" } else { "" };
        format!("{width}x{height}, {pace}, packets of {packet}{loss}{beside}")
    }

    /// The camera, its SDK, the library and the service, all on this machine.
    fn play(&self, site: &Site) -> Result<Turn> {
        let camera = start_camera(self.lost_in_thousand)?;
        let service = site.workshop.service()?;
        let noises = site.workshop.service()?;
        let noise = if self.is_busy { Some(self.make_noise(site, &noises)?) } else { None };
        let mut program = site.workshop.program(CAMERA);
        let seconds = site.length.pick(1.0, 4.0);
        for (name, value) in [("--width", self.width), ("--height", self.height), ("--rate", self.fps), ("--packet", self.packet)]
        {
            program.args([name, &value.to_string()]);
        }
        program.args(["--camera", ADDRESS, "--seconds", &seconds.to_string()]).arg(format!("fps={}", self.fps));
        let answer = ask(service.serve(&mut program))?;
        drop((camera, noise));
        let [received, headless, kept, dropped] = ["received", "headless", "kept", "dropped"].map(|name| answer.number(name));
        Ok(Turn {
            push: answer.microseconds("push_ns")?,
            sdk: answer.microseconds("sdk_ns")?,
            between: answer.microseconds("between_ns")?,
            uncounted: received? - headless? - kept? - dropped.as_ref().map_or(0.0, |dropped| *dropped),
            dropped: dropped?,
        })
    }

    /// A stream whose encoder never rests, until it is dropped.
    fn make_noise(&self, site: &Site, service: &Service) -> Result<Running> {
        let mut program = site.workshop.program(PUSH);
        site.frames.noisy(self.width, self.height, NOISY_FRAMES)?.give(&mut program);
        program.args(["--flat-out", "1", "--copies", "0", "--seconds", "3600", "fps=100", "compression_level=9"]);
        let program = service.serve(&mut program).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Running(ends_with_us(program).spawn().context(PUSH)?))
    }
}

/// What one run comes to; times in microseconds.
struct Turn {
    push: Vec<f64>,
    sdk: Vec<f64>,
    between: Vec<f64>,
    uncounted: f64,
    dropped: f64,
}

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    ensure!(
        site.workshop.has(CAMERA) && kit::is_there(FAKE),
        "needs Aravis and its camera in software (on Debian: apt-get install libaravis-dev libusb-1.0-0-dev aravis-tools)"
    );
    for case in &CASES {
        let turns = (0..site.length.pick(1, REPETITIONS)).map(|_| case.play(site)).collect::<Result<Vec<_>>>()?;
        let of = |samples: fn(&Turn) -> &Vec<f64>| turns.iter().map(|turn| samples(turn).clone()).collect::<Vec<_>>();
        let (push, sdk, between) = (of(|turn| &turn.push), of(|turn| &turn.sdk), of(|turn| &turn.between));
        for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("maximum", 100.0)] {
            let row = || Row::new(NAME, case.name(), format!("push {name}, us"), Better::Less).ours(percentiles(&push, percent));
            table.add(row().beside("Aravis for the frame, CPU", percentiles(&sdk, percent)));
            table.add(row().beside("time between callbacks", percentiles(&between, percent)));
        }
        let all = |value: fn(&Turn) -> f64| turns.iter().map(value).collect::<Vec<_>>();
        table.add(Row::new(NAME, case.name(), "frames dropped", Better::Less).ours(all(|turn| turn.dropped)));
        let uncounted = Row::new(NAME, case.name(), "received, neither kept nor counted", Better::Less);
        table.add(uncounted.ours(all(|turn| turn.uncounted)).reach(0.0));
    }
    Ok(())
}

/// Aravis's camera in software; returns when it listens.
fn start_camera(lost_in_thousand: u32) -> Result<Running> {
    let mut command = Command::new(FAKE);
    command.args(["-i", ADDRESS, "-r", &lost_in_thousand.to_string(), "-d", "device:2"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut camera = Running(ends_with_us(&mut command).spawn().context(FAKE)?);
    let mut said = BufReader::new(camera.0.stderr.take().context("stderr is piped")?);
    let mut line = String::new();
    while said.read_line(&mut line)? > 0 {
        if line.contains("Listening to") {
            // It goes on talking, and stops when nobody listens.
            thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return Ok(camera);
        }
    }
    bail!("{FAKE} does not listen at {ADDRESS}: {}", line.trim())
}

/// A process that ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
