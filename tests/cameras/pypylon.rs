//! `pypylon_camera.py` with Basler's pylon itself, as its maker's wheel brings it, and the camera in software that is part of it.

use crate::programs::{Site, count};
use crate::support::formats::Stored;
use crate::support::service::only_stream;
use crate::support::{self, Ended, HANGS_AFTER, Running, Workshop, root, skip};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const WIDTH: usize = 61;
const HEIGHT: usize = 34;
/// At 100 fps.
const FRAME_MS: f64 = 10.0;

/// A site whose program is Python; each run is told what to do by `Scene`.
struct Pylon {
    site: Site,
}

/// What pylon handed to the program, by what stood between them.
struct Witnessed {
    frames: Vec<Handed>,
    pixels: Vec<u8>,
    /// How many pictures waited when the grabbing was ended.
    left: Option<u64>,
}

struct Handed {
    id: u64,
    is_whole: bool,
    at_unix_ms: f64,
    bytes: usize,
}

impl Pylon {
    /// `None`: the test is over, since pylon is not there.
    fn stage() -> Option<Pylon> {
        let asked = support::python().ok_or("RHEED_TEST_PYTHON is not set".to_owned()).and_then(|python| {
            let tried =
                Command::new(&python).args(["-c", "from pypylon import pylon"]).output().map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&tried.stderr);
            if tried.status.success() { Ok(python) } else { Err(said.lines().last().unwrap_or_default().to_owned()) }
        });
        let python = asked.map_err(|why| skip("pypylon", &why)).ok()?;
        Some(Pylon { site: Site::of(Workshop::new(), python) })
    }

    /// Starts the program in a scene of pypylon_witness.py, with so many cameras.
    fn start(&self, scene: &str, cameras: u32, set: &str, given: &[&str]) -> Running {
        let folder = self.site.workshop.path();
        let environment = [
            ("PYLON_CAMEMU", cameras.to_string()),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
            ("RHEED_LIBRARY", self.site.workshop.shared_library().display().to_string()),
        ];
        let witness = root().join("tests/cameras/pypylon_witness.py").display().to_string();
        let folder = folder.display().to_string();
        let set = format!("Width={WIDTH} Height={HEIGHT} {set}");
        let first = [&witness, &folder, scene, "--seconds", "0", "--fps", "100", "--set", &set];
        self.site.start_in(&environment, &[&first, given].concat())
    }

    /// So many frames of one camera.
    fn record(&self, scene: &str, set: &str, frames: u32) -> Ended {
        self.start(scene, 1, set, &["--frames", &frames.to_string()]).finish()
    }

    fn told(&self) -> PathBuf {
        self.site.workshop.path().join("told")
    }

    fn witnessed(&self) -> Witnessed {
        let told = fs::read_to_string(self.told()).expect("the witness has written");
        let left = told.lines().find_map(|line| line.strip_prefix("left ")).map(|left| left.parse().expect("a count"));
        let number = |word: &str| word.parse::<u64>().expect("a number");
        let frames = told.lines().filter(|line| !line.starts_with("left")).map(|line| {
            let [id, is_whole, at, bytes] = line.split(' ').map(number).collect::<Vec<_>>()[..] else { panic!("{line}") };
            Handed { id, is_whole: is_whole == 1, at_unix_ms: at as f64 / 1e6, bytes: bytes as usize }
        });
        let pixels = fs::read(self.site.workshop.path().join("pixels")).expect("the witness has written");
        Witnessed { frames: frames.collect(), pixels, left }
    }

    /// That every frame which pylon handed over is confirmed, frame for frame as a format says; what was witnessed.
    #[track_caller]
    fn all_arrived(&self, ended: &Ended, format: u32, width: usize) -> Witnessed {
        let seen = self.witnessed();
        assert_eq!(count(ended, "stream", "taken"), seen.frames.len() as u64, "{ended:?}");
        let frame_bytes = seen.frames[0].bytes;
        assert!(seen.frames.iter().all(|frame| frame.bytes == frame_bytes));
        let stored = Stored::of(format, 16).expect("it is taken");
        let frames = seen.pixels.chunks_exact(frame_bytes);
        let expected: Vec<Vec<u8>> =
            frames.map(|frame| stored.kept_of_frame(frame, width, HEIGHT, frame_bytes / HEIGHT)).collect();
        assert!(expected.windows(2).all(|two| two[0] != two[1]), "the camera's picture moves");
        assert!(self.site.arrived(ended) == expected.concat(), "the shards differ from what pylon handed over, {format:#x}");
        seen
    }
}

/// As the emulated camera calls them, and what pylon calls them in turn has to be their PFNC code.
const FORMATS: [(&str, u32); 6] = [
    ("Mono8", 0x0108_0001),
    ("Mono10", 0x0110_0003),
    ("Mono12", 0x0110_0005),
    ("Mono16", 0x0110_0007),
    ("RGB8Packed", 0x0218_0014),
    ("BGR8Packed", 0x0218_0015),
];

#[test]
fn every_frame_that_pylon_hands_over_is_confirmed_as_it_was_in_every_format_of_its_emulated_camera() {
    for (name, format) in FORMATS {
        let Some(pylon) = Pylon::stage() else { return };
        let ended = pylon.record("plain", &format!("PixelFormat={name}"), 30).well();
        let seen = pylon.all_arrived(&ended, format, WIDTH);
        assert!(seen.frames.iter().map(|frame| frame.id).eq(0..30), "{name}");
        assert_eq!((count(&ended, "stream", "missed"), count(&ended, "stream", "incomplete")), (0, 0), "{ended:?}");
    }
}

/// The emulated camera has none: pylon's own image class holds the noise, says how long its rows are, and unpacks it.
#[test]
fn packed_pixels_are_unpacked_as_pylon_unpacks_them() {
    for (name, unpacked) in
        [("Mono10packed", 0x0110_0003), ("Mono12packed", 0x0110_0005), ("Mono10p", 0x0110_0003), ("Mono12p", 0x0110_0005)]
    {
        let Some(pylon) = Pylon::stage() else { return };
        let ended = pylon.record(name, "Width=64", 20).well();
        pylon.all_arrived(&ended, unpacked, 64);
    }
}

#[test]
fn rows_that_pylon_pads_arrive_without_their_padding() {
    let Some(pylon) = Pylon::stage() else { return };
    let ended = pylon.record("padded", "", 20).well();
    pylon.all_arrived(&ended, FORMATS[0].1, WIDTH);
}

#[test]
fn packed_rows_that_pylon_lets_end_within_a_byte_are_refused_with_the_width_that_would_be_right() {
    for (name, width) in [("Mono12p", 61), ("Mono12packed", 61), ("Mono10packed", 61), ("Mono10p", 62)] {
        let Some(pylon) = Pylon::stage() else { return };
        let ended = pylon.record(name, &format!("Width={width}"), 20);
        assert!(ended.status.code() == Some(1) && ended.err.contains("multiple of 4"), "{name}: {ended:?}");
        assert_eq!(count(&ended, "stream", "taken"), 0, "{ended:?}");
    }
}

#[test]
fn a_format_that_is_no_intensity_is_refused_by_its_name_with_the_ones_that_are() {
    for (format, named, advice) in [
        ("BayerRG8", "BayerRG8", "Set the camera to Mono8"),
        ("BayerGB12", "BayerGB12", "Set the camera to Mono8"),
        ("RGB16Packed", "RGB16", "set the camera to RGB8"),
        ("BGRA8Packed", "BGRa8", "set the camera to RGB8"),
    ] {
        let Some(pylon) = Pylon::stage() else { return };
        let ended = pylon.record("plain", &format!("PixelFormat={format}"), 30);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.err.contains(&format!("{named} is not taken: ")) && ended.err.contains(advice), "{ended:?}");
        assert_eq!((count(&ended, "stream", "taken"), count(&ended, "stream", "rejected")), (0, 1), "{ended:?}");
    }
}

#[test]
fn a_grab_that_failed_is_kept_in_full_size_and_counted_as_incomplete() {
    for (name, format) in [FORMATS[0], FORMATS[2]] {
        let Some(pylon) = Pylon::stage() else { return };
        let ended = pylon.record("failed", &format!("PixelFormat={name}"), 30).well();
        let seen = pylon.all_arrived(&ended, format, WIDTH);
        assert_eq!(seen.frames.iter().filter(|frame| !frame.is_whole).count(), 3);
        assert_eq!((count(&ended, "pylon", "failed"), count(&ended, "stream", "incomplete")), (3, 3), "{ended:?}");
        assert_eq!(count(&ended, "stream", "missed"), 0, "{ended:?}");
    }
}

#[test]
fn a_frame_that_never_reaches_the_program_is_missed_by_its_block_id() {
    let Some(pylon) = Pylon::stage() else { return };
    let ended = interrupted(&pylon, "skipped").well();
    pylon.all_arrived(&ended, FORMATS[0].1, WIDTH);
    assert_eq!(count(&ended, "stream", "missed"), 1, "{ended:?}");
}

#[test]
fn what_waits_in_pylons_buffers_at_ctrl_c_is_not_thrown_away() {
    let Some(pylon) = Pylon::stage() else { return };
    let ended = interrupted(&pylon, "slow").well();
    let seen = pylon.all_arrived(&ended, FORMATS[0].1, WIDTH);
    assert_eq!(seen.left, Some(0), "pictures waited when the grabbing was ended");
}

/// Plays a scene until Ctrl-C, which comes behind 20 pictures.
#[track_caller]
fn interrupted(pylon: &Pylon, scene: &str) -> Ended {
    let mut running = pylon.start(scene, 1, "", &[]);
    let began = Instant::now();
    while fs::read_to_string(pylon.told()).map_or(0, |told| told.lines().count()) < 20 {
        assert!(began.elapsed() < HANGS_AFTER && !running.has_ended(), "no picture comes: {:?}", running.finish());
        std::thread::sleep(Duration::from_millis(5));
    }
    running.interrupt();
    running.finish()
}

#[test]
fn a_camera_that_is_lost_ends_the_recording_aloud_and_all_that_came_is_confirmed() {
    for (scene, said) in [("lost", "the camera is lost: the cable is out"), ("gone", "the camera is lost")] {
        let Some(pylon) = Pylon::stage() else { return };
        let ended = pylon.record(scene, "", 30);
        assert!(ended.status.code() == Some(1) && ended.err.contains(said), "{scene}: {ended:?}");
        let seen = pylon.all_arrived(&ended, FORMATS[0].1, WIDTH);
        // Behind the ninth; another one may have waited in a buffer by then.
        assert!((9..30).contains(&seen.frames.len()), "{scene}: {} frames", seen.frames.len());
    }
}

/// The emulated camera's time stamps are 0, which is none.
#[test]
fn a_recording_without_the_cameras_time_begins_when_pylon_handed_over_its_first_frame() {
    let Some(pylon) = Pylon::stage() else { return };
    let ended = pylon.record("plain", "", 30).well();
    let seen = pylon.all_arrived(&ended, FORMATS[0].1, WIDTH);
    let [chunk] = &only_stream(&pylon.site.service).chunks[..] else { panic!("all are in one chunk") };
    let pushed = chunk.start_unix_ms_utc + FRAME_MS; // It was exposed and read out before.
    let (handed, next) = (seen.frames[0].at_unix_ms, seen.frames[1].at_unix_ms);
    assert!(handed - 1.0 <= pushed && pushed <= next + 1.0, "{pushed} is not between {handed} and {next}");
    let lasted = chunk.end_unix_ms_utc - chunk.start_unix_ms_utc;
    assert!((lasted - 30.0 * FRAME_MS).abs() < 1.0, "{lasted} ms");
}

#[test]
fn the_cameras_ticks_reach_the_library_as_they_are_which_tells_that_they_are_twice_as_many_as_is_said() {
    let Some(pylon) = Pylon::stage() else { return };
    let mut running = pylon.start("ticks", 1, "", &["--seconds", "30"]); // It takes some seconds.
    let mut lines = running.lines();
    let told = lines.find(|line| line.contains("ticks")).expect("the program tells its events");
    let rate =
        told.split(|it: char| !it.is_ascii_digit()).filter_map(|digits| digits.parse::<f64>().ok()).find(|rate| *rate > 1.5e9);
    assert!((rate.expect("a rate") / 2e9 - 1.0).abs() < 0.01, "{told}");
    running.interrupt();
    running.finish().well();
}

#[test]
fn a_camera_is_found_by_its_serial_number_and_what_is_not_there_or_refused_is_told_and_opens_no_stream() {
    let Some(pylon) = Pylon::stage() else { return };
    let second = ["--camera", "0815-0001"];
    let try_it = |pylon: &Pylon, cameras, set, given: &[&str]| {
        pylon.start("plain", cameras, set, &[given, &["--frames", "5"]].concat()).finish()
    };
    try_it(&pylon, 2, "", &second).well();
    let Some(pylon) = Pylon::stage() else { return };
    for (cameras, set, given, said) in [
        (0, "", &[][..], "No device is available"),
        (1, "", &second, "No device is available"),
        (1, "PixelFormat=Mono7", &[], "Mono7"),
        (1, "Width=99999", &[], "99999"),
        (1, "", &["--fps", "1000000"], "1000000"),
    ] {
        let ended = try_it(&pylon, cameras, set, given);
        assert!(ended.status.code() == Some(1) && ended.err.contains(said), "{set} {given:?}: {ended:?}");
    }
    assert!(pylon.site.service.streams().is_empty());
}
