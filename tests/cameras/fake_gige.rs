//! Aravis's GigE Vision camera in software, on this computer's loopback: what it sent, and what it threw away on purpose.

use crate::support::{self, HANGS_AFTER, Workshop};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Debian's name for it.
pub const PROGRAM: &str = "arv-fake-gv-camera-0.8";

/// A camera listens on one port of an address that is the interface's own.
pub const ADDRESSES: [&str; 4] = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

pub struct Camera {
    child: Child,
    log: PathBuf,
}

/// What a camera sent, by its own account. A frame's packets are a leader, the picture and a trailer.
pub struct Sent {
    /// In the order in which they were sent; from 65535 they go on with 1.
    pub ids: Vec<u64>,
    /// Their leader was thrown away.
    pub headless: BTreeSet<u64>,
    /// Some other packet was, and not the leader.
    pub damaged: BTreeSet<u64>,
}

impl Camera {
    /// Of so many packets in a thousand that it is to send, it throws one away.
    pub fn start(workshop: &Workshop, address: &str, lost_in_thousand: u32) -> Camera {
        let log = workshop.path().join(format!("camera-{address}.log"));
        let mut command = Command::new(PROGRAM);
        command.args(["-i", address, "-s", address, "-r", &lost_in_thousand.to_string(), "-d", "device:2,stream-thread:2"]);
        let file = File::create(&log).expect("target can be written");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("the fake camera starts");
        let camera = Camera { child, log };
        let began = Instant::now();
        while !camera.said().contains("Listening to") {
            assert!(began.elapsed() < HANGS_AFTER, "the fake camera does not listen: {}", camera.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        camera
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("the log is there")).into_owned()
    }

    /// How many frames it has begun to send.
    pub fn frames(&self) -> usize {
        self.said().matches("Send frame").count()
    }

    /// Pulls its plug, or ends it after its work; what it had sent until then.
    pub fn end(mut self) -> Sent {
        self.stop();
        let said = self.said();
        let frames = |what: &'static str| {
            let lines = said.lines().filter_map(move |line| line.split_once(what));
            lines.map(|(_, rest)| {
                let digits = rest.trim_start_matches(|it: char| !it.is_ascii_digit());
                let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
                digits[..end].parse::<u64>().expect("a frame has a number")
            })
        };
        let headless: BTreeSet<u64> = frames("Drop GVSP leader").collect();
        let damaged = frames("Drop GVSP data").chain(frames("Drop GVSP trailer")).filter(|id| !headless.contains(id));
        Sent { ids: frames("Send frame").collect(), damaged: damaged.collect(), headless }
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs the calling test once more in a network of its own, with a loopback that has all of `ADDRESSES`: the port is fixed, and
/// there may be a real camera's. Whether this is that run.
pub fn is_alone_on_a_network() -> bool {
    const LOOPBACK: &str =
        "ip link set lo up && for host in 2 3 4; do ip addr add 127.0.0.$host/8 dev lo || exit; done && exec \"$@\"";
    if !support::is_command(PROGRAM) {
        support::skip("a GigE Vision camera", &format!("there is no {PROGRAM} (on Debian: aravis-tools)"));
        return false;
    }
    let Some(starter) = support::in_a_namespace("--net", LOOPBACK) else {
        support::skip("a GigE Vision camera", "this user may not have a network of its own, or there is no `ip` (iproute2)");
        return false;
    };
    support::run_alone_by(&starter, &[]).is_none()
}
