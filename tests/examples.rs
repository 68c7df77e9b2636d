//! The programs that users copy from: they compile without a warning, are short, and do what they show.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::receiver::{Receiver, StreamRecord};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::service::{self, only_stream, pixels};
use support::{Dialect, Ended, Linked, MustSucceed, Workshop, root, run, skip};

/// Lines that a reader still takes in.
const SHORT: usize = 160;

fn programs() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("examples_c")).expect("examples_c is there");
    let mut programs: Vec<PathBuf> = folder.map(|entry| entry.expect("a folder can be read").path()).collect();
    programs.retain(|file| dialect(file).is_some());
    programs.sort();
    programs
}

fn dialect(source: &Path) -> Option<Dialect> {
    match source.extension()?.to_str()? {
        "c" => Some(Dialect::c("c99")),
        "cpp" => Some(Dialect::cpp("c++17")),
        _ => None,
    }
}

/// A program, a service for it, and how it went.
struct Played {
    workshop: Workshop,
    service: Receiver,
}

impl Played {
    fn stage() -> Played {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        Played { workshop, service }
    }

    #[track_caller]
    fn run(&self, name: &str, arguments: &[&str]) -> Ended {
        let source = root().join("examples_c").join(name);
        let program = self.workshop.build(&dialect(&source).expect("a program is C or C++"), &source, Linked::Shared);
        let options = service::options(&self.service, &self.workshop);
        run(&program, arguments.iter().copied().chain(options.iter().map(String::as_str))).well()
    }

    /// The stream that arrived, which has to be ended and whole.
    #[track_caller]
    fn arrived(&self, frames: u64) -> StreamRecord {
        let stream = only_stream(&self.service);
        assert_eq!(stream.frames(), frames, "{stream:?}");
        stream
    }
}

#[test]
fn every_example_is_short_and_in_the_table() {
    let table = std::fs::read_to_string(root().join("examples_c/README.md")).expect("examples_c has a README");
    for program in programs() {
        let name = program.file_name().expect("a file has a name").to_string_lossy();
        let lines = std::fs::read_to_string(&program).expect("a program can be read").lines().count();
        assert!(lines < SHORT, "{name} has {lines} lines");
        assert!(table.contains(&format!("`{name}`")), "examples_c/README.md does not tell of {name}");
    }
}

#[test]
fn every_example_compiles_without_a_warning() {
    let workshop = Workshop::new();
    assert!(programs().len() >= 4);
    for program in programs() {
        workshop.check(&dialect(&program).expect("a program is C or C++"), &program);
    }
}

#[test]
fn hello_streams_its_frames() {
    let played = Played::stage();
    let ended = played.run("hello.cpp", &[]);
    let stream = played.arrived(90);
    assert!(ended.out.contains(&stream.data_id), "{}", ended.out);
    let expected: Vec<u8> = (0..90u8).flat_map(|shade| vec![shade; 320 * 240]).collect();
    assert!(pixels(&stream) == expected);
}

#[test]
fn a_callback_camera_loses_nothing() {
    let played = Played::stage();
    let ended = played.run("camera_callback.c", &["--seconds", "1", "--fps", "60", "--width", "120", "--height", "80"]);
    let stream = played.arrived(60);
    assert!(ended.out.contains("60 frames taken, 60 confirmed, 0 pending, 0 lost, 0 dropped"), "{}", ended.out);
    assert_eq!(stream.fps_capture_rate, 60.0);
    assert!(stream.chunks.iter().all(|chunk| (chunk.width, chunk.height) == (120, 80)));
}

/// Runs the camera that writes into slots; how many frames were taken and dropped, of which all that were taken have arrived.
#[track_caller]
fn writes_into_slots(frames: u64, fps: u32, options: &[&str]) -> (u64, u64) {
    let played = Played::stage();
    let [frames_text, fps] = [frames.to_string(), fps.to_string()];
    let ended = played.run("zero_copy.c", &[&[frames_text.as_str(), &fps], options].concat());
    let (_, counts) = ended.out.split_once("done: ").unwrap_or_else(|| panic!("{}", ended.out));
    let counts: Vec<u64> = counts.split(|it: char| !it.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let [taken, confirmed, dropped, without_place] = counts[..] else { panic!("{}", ended.out) };
    assert_eq!((confirmed, taken + dropped, without_place), (taken, frames, 0), "{}", ended.out);
    let all = pixels(&played.arrived(taken));
    let frames: Vec<&[u8]> = all.chunks_exact(640 * 480).collect();
    assert!(frames.iter().all(|frame| frame.iter().all(|pixel| *pixel == frame[0])), "a frame is of two");
    let shades: Vec<u8> = frames.iter().map(|frame| frame[0]).collect();
    assert!(shades.windows(2).all(|pair| pair[0] < pair[1]), "a frame came twice: {shades:?}");
    (taken, dropped)
}

#[test]
fn a_camera_that_writes_into_slots_loses_nothing() {
    assert_eq!(writes_into_slots(60, 60, &[]), (60, 0));
}

#[test]
fn a_camera_that_writes_into_slots_goes_on_behind_a_full_queue() {
    // Three slots, of which the camera has one, and frames without a pause.
    let (taken, dropped) = writes_into_slots(150, 10_000, &["queue_bytes=1MiB"]);
    assert!(taken > 3 && dropped > 0, "{taken} taken, {dropped} dropped");
}

/// The growth rates that `oscillation` showed, as time went on.
fn rates(shown: &str) -> Vec<f64> {
    let rates = shown.lines().filter_map(|line| line.split_once(" ML/s")?.0.rsplit_once(' ')?.1.parse().ok());
    rates.collect()
}

/// `oscillation`, which needs no service, and the options for it.
fn offline(workshop: &Workshop) -> (PathBuf, [String; 2]) {
    let program = workshop.build(&Dialect::c("c99"), &root().join("examples_c/oscillation.c"), Linked::Shared);
    (program, ["endpoint=none".into(), format!("spool_dir={}", workshop.spool().display())])
}

/// Whether the last one is that of the simulated growth.
#[track_caller]
fn is_told(ended: &Ended, layers_a_second: f64) {
    let last = *rates(&ended.out).last().unwrap_or_else(|| panic!("no rate is told:\n{}", ended.out));
    assert!((last / layers_a_second - 1.0).abs() < 0.02, "{last} for {layers_a_second}:\n{}", ended.out);
    assert!(!ended.out.contains("missed"), "{}", ended.out);
}

#[test]
fn the_spots_oscillation_tells_the_growth_rate() {
    let played = Played::stage();
    let ended = played.run("oscillation.c", &["--seconds", "25", "pace=off"]);
    is_told(&ended, 0.5);
    played.arrived(1500);
}

#[test]
fn without_a_network_the_spots_oscillation_tells_the_growth_rate_all_the_same() {
    let workshop = Workshop::new();
    let (program, offline) = offline(&workshop);
    // What grows slowly is looked at for longer, also in a camera's fewer frames.
    let slow = "--slowest 60 --fps 10 --width 64 --height 48";
    for (simulated, period) in [
        ("--period 0.7 --seconds 15 --noise 20", 0.7),
        ("--period 4 --seconds 45 --noise 20", 4.0),
        (&format!("--period 12 --seconds 100 {slow}"), 12.0),
        (&format!("--period 55 --seconds 300 {slow}"), 55.0),
    ] {
        let simulated = simulated.split(' ').map(String::from).chain(["pace=off".into()]);
        let ended = run(&program, simulated.chain(offline.clone())).well();
        is_told(&ended, 1.0 / period);
        assert!(ended.out.contains("0 confirmed"), "{}", ended.out);
    }
}

#[test]
fn the_spots_intensity_is_shown_while_the_camera_films() {
    let workshop = Workshop::new();
    let (program, offline) = offline(&workshop);
    let mut filming =
        Command::new(program).args(["--seconds", "60"]).args(offline).stdout(Stdio::piped()).spawn().expect("it runs");
    let shown = filming.stdout.as_mut().expect("it is piped");
    // Each line is written whole and at once: what waits to be read ends where a line does.
    let mut lines = [0; 1 << 16];
    for _ in 0..3 {
        let read = shown.read(&mut lines).expect("a pipe can be read");
        let lines = String::from_utf8_lossy(&lines[..read]);
        assert!(lines.contains(" s ") && lines.contains('|') && lines.ends_with('\n'), "{lines:?}");
    }
    let ended = filming.try_wait().expect("it is a child");
    filming.kill().and_then(|()| filming.wait()).expect("it is a child");
    assert_eq!(ended, None);
}

#[test]
fn incomplete_frames_leave_the_growth_rate_and_the_chart_as_they_are() {
    let workshop = Workshop::new();
    let (program, offline) = offline(&workshop);
    for torn in ["1", "10", "50"] {
        let simulated = ["--torn", torn, "--seconds", "25", "pace=off"].map(String::from);
        let ended = run(&program, simulated.into_iter().chain(offline.clone())).well();
        is_told(&ended, 0.5);
        let (_, since) = ended.out.split_once(" ML/s").expect("a rate is told");
        assert!(!since.contains("no oscillation"), "{}", ended.out);
        let left_out = 15 * torn.parse::<u64>().expect("a number");
        assert!(ended.out.contains(&format!("\n{left_out} incomplete frames are left out\n")), "{}", ended.out);
    }
}

#[test]
fn frames_that_are_refused_and_a_stream_that_does_not_open_are_no_success() {
    let workshop = Workshop::new();
    let (program, offline) = offline(&workshop);
    let ended = run(&program, offline.iter().map(String::as_str).chain(["roi=0,0,1000,1000"]));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.err.starts_with("a frame was refused: ") && ended.err.contains("roi") && ended.err.contains("\n1 refused in all\n"),
        "{ended:?}"
    );
    // A full spool stops no camera. These frames cannot be compressed.
    let file = workshop.path().join("noise.raw").display().to_string();
    std::fs::write(&file, recording(1000 * 100 * 100)).expect("target can be written");
    let full = ["--width", "100", "--height", "100", "--file", &file, "pace=off", "spool_max_bytes=1MiB"];
    let ended = run(&program, offline.iter().map(String::as_str).chain(full));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.out.contains("done: finalized") && ended.err.ends_with(" refused in all\n"), "{ended:?}");
    assert!(!ended.err.contains("\n1 refused in all\n"), "{ended:?}");
    // More than any memory.
    let endless = ["--width", "1000000000", "--height", "1000000000"];
    let ended = run(&program, offline.iter().map(String::as_str).chain(endless));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.err, "the stream does not open: it is of another version, or memory is short\n");
}

#[test]
fn a_spot_that_is_still_or_only_flickers_is_told_no_growth_rate() {
    for noise in ["0", "2", "60"] {
        let ended = Played::stage().run("oscillation.c", &["--period", "0", "--noise", noise, "--seconds", "35", "pace=off"]);
        assert!(ended.out.contains("| no oscillation") && rates(&ended.out).is_empty(), "{}", ended.out);
    }
}

#[test]
fn a_recorded_spot_tells_the_growth_rate_of_the_night_it_was_recorded() {
    const SIDES: [usize; 2] = [48, 32];
    // 20 s at 30 frames a second, a layer in 1.5 s; beside the spot it is bright, and nothing happens.
    let spot = |frame: usize| 100.0 + 50.0 * (std::f64::consts::TAU * frame as f64 / 45.0).cos();
    let shade = |frame, at| if (at % SIDES[0], at / SIDES[0]) == (9, 5) { spot(frame) as u8 } else { 200 };
    let frames: Vec<u8> = (0..600).flat_map(|frame| (0..SIDES[0] * SIDES[1]).map(move |at| shade(frame, at))).collect();
    let deep: Vec<u8> = frames.iter().flat_map(|pixel| [7, *pixel]).collect();
    for (bits, frames) in [("8", frames), ("16", deep)] {
        let played = Played::stage();
        let file = played.workshop.path().join("recording.raw");
        std::fs::write(&file, frames).expect("target can be written");
        let recording = ["--width", "48", "--height", "32", "--bits", bits, "--fps", "30", "--file", &file.display().to_string()];
        let ended = played.run("oscillation.c", &[&recording[..], &["--region", "9,5,1,1", "pace=off"]].concat());
        is_told(&ended, 1.0 / 1.5);
        played.arrived(600);
        let ended = Played::stage().run("oscillation.c", &[&recording[..], &["--region", "20,5,10,10", "pace=off"]].concat());
        assert!(rates(&ended.out).is_empty(), "{}", ended.out);
        let ended = Played::stage().run("oscillation.c", &[&recording[..], &["--region", "40,5,10,10", "pace=off"]].concat());
        assert!(ended.out.contains("does the region lie in the frames?"), "{}", ended.out);
    }
}

#[test]
fn chunks_arrive_under_their_numbers() {
    let played = Played::stage();
    played.run("push_chunk.c", &["3"]);
    let stream = played.arrived(180);
    assert_eq!(stream.chunks.iter().map(|chunk| chunk.index).collect::<Vec<_>>(), [0, 1, 2]);
    // Two seconds of recording each, one after another.
    for pair in stream.chunks.windows(2) {
        assert!((pair[1].start_unix_ms_utc - pair[0].start_unix_ms_utc - 2000.0).abs() < 1.0, "{pair:?}");
    }
    let all = pixels(&stream);
    for (number, frame) in all.chunks_exact(320 * 240).enumerate() {
        assert_eq!((frame[0], usize::from(frame[120 * 320 + 160])), (6, 64 + number % 128));
    }
}

/// A recording in which no two frames and no two rows are alike.
fn recording(bytes: usize) -> Vec<u8> {
    let mut state = 88172645463325252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..bytes).map(|_| (next() >> 32) as u8).collect()
}

#[track_caller]
fn replays(bits: usize, as_kept: fn(&[u8]) -> Vec<u8>) {
    const FRAMES: usize = 47;
    let played = Played::stage();
    let raw = recording(FRAMES * 33 * 17 * bits / 8);
    let file = played.workshop.path().join("recording.raw");
    std::fs::write(&file, &raw).expect("target can be written");

    let name = file.display().to_string();
    let ended = played.run("replay_raw.c", &[&name, "33", "17", &bits.to_string(), "10", "pace=off", "chunk_size=20"]);
    assert!(ended.out.contains("47 taken, 47 confirmed, 0 lost"), "{}", ended.out);
    assert!(ended.out.contains("last push to last confirmation: "), "{}", ended.out);

    let stream = played.arrived(FRAMES as u64);
    let expected = as_kept(&raw);
    assert!(pixels(&stream) == expected, "the shards differ from the file");

    let Some(python) = support::python() else {
        return skip("replayed frames read by zarr-python", "RHEED_TEST_PYTHON names none");
    };
    let kept = played.workshop.path().join("kept.raw");
    std::fs::write(&kept, &expected).expect("target can be written");
    let array = stream.folder.join(&stream.chunks[0].array);
    Command::new(python).arg(root().join("tests/python/same_pixels.py")).arg(array).arg(kept).must_succeed();
}

#[test]
fn a_replayed_file_of_8_bits_arrives_bit_for_bit() {
    replays(8, <[u8]>::to_vec);
}

#[test]
fn a_replayed_file_of_16_bits_arrives_with_its_high_bytes() {
    replays(16, |raw| raw.chunks_exact(2).map(|pixel| pixel[1]).collect());
}

#[test]
fn a_replay_holds_a_frame_and_not_the_file() {
    const FILE_MB: f64 = 400.0;
    let played = Played::stage();
    let file = played.workshop.path().join("long.raw");
    File::create(&file).and_then(|file| file.set_len(FILE_MB as u64 * 1_000_000)).expect("a file with nothing in it can be long");
    let name = file.display().to_string();
    let options = ["pace=off", "chunk_size=100", "queue_bytes=8000000"];
    let ended = played.run("replay_raw.c", &[&[name.as_str(), "1000", "1000", "8", "10"][..], &options].concat());
    played.arrived(400);
    let (_, peak) = ended.out.split_once("peak memory: ").expect("the program tells its peak memory");
    let peak: f64 = peak.split(' ').next().and_then(|number| number.parse().ok()).expect("it is a number");
    assert!(peak < FILE_MB / 4.0, "{}", ended.out);
}

/// What a program says that is built with growth_rate.h and nothing else.
fn said_with_growth_rate(source: &str) -> String {
    let workshop = Workshop::new();
    let folder = format!("-I{}", root().join("examples_c").display());
    let source = workshop.write("growth.c", source);
    let program = workshop.build_with(&Dialect::c("c99"), &source, Linked::No, &[folder]);
    run(&program, [""; 0]).well().out
}

#[test]
fn a_clock_that_is_set_begins_the_growth_rate_anew_and_costs_no_more_than_a_reading() {
    let said = said_with_growth_rate(
        r#"
#include "growth_rate.h"
#include <stdio.h>

static growth spot;

/* Twenty seconds of layers of 2 s, from then on. */
static double measured_from(double begin) {
    for (int at = 0; at < 1200; at++) growth_note(&spot, begin + at / 60.0, 100.0 + 50.0 * cos(3.14159265 * at / 60.0));
    return growth_measure(&spot).seconds_a_layer;
}

int main(void) {
    const double begins[] = {1.7e9, 3e9, 100.0, 1e14, 0.0, -5e13};
    for (int at = 0; at < 6; at++) printf("%.2f\n", measured_from(begins[at]));
    growth_note(&spot, NAN, 1.0);
    growth_note(&spot, INFINITY, 1.0);
    /* Out of order by a little is no clock that was set. */
    for (int at = 0; at < 1200; at++) growth_note(&spot, at / 60.0 - (at % 3) * 0.1, 100.0 + 50.0 * cos(3.14159265 * at / 60.0));
    printf("%.1f\n", growth_measure(&spot).seconds_a_layer);
    /* So is how slowly it grows what the caller has said. */
    spot.slowest = 60.0;
    for (int at = 0; at < 30000; at++) growth_note(&spot, 5e9 + at / 100.0, 100.0 + 50.0 * cos(3.14159265 * at / 2000.0));
    printf("%.0f\n", growth_measure(&spot).seconds_a_layer);
    return 0;
}
"#,
    );
    assert_eq!(said, "2.00\n2.00\n2.00\n2.00\n2.00\n2.00\n2.0\n40\n");
}

#[test]
fn readings_that_come_unevenly_give_the_wave_and_the_growth_rate_of_those_that_come_evenly() {
    let said = said_with_growth_rate(
        r#"
#include "growth_rate.h"
#include <stdio.h>

static double at_time(double seconds) { return 100.0 + 50.0 * cos(3.14159265 * seconds); }

int main(void) {
    static growth spot;
    double furthest = 0.0;
    unsigned random = 1;
    /* Of 20 frames a second two of three are incomplete, now and then five behind one another. */
    for (int at = 0; at < 500; at++) {
        random = random * 1664525u + 1013904223u;
        if ((random >> 16) % 3 == 0 || at % 6 == 0) growth_note(&spot, at / 20.0, at_time(at / 20.0));
    }
    for (int at = 0; at < spot.steps; at++) furthest = fmax(furthest, fabs(spot.intensity[at] - at_time(at / 20.0)));
    printf("%.2f, within %d grey levels\n", growth_measure(&spot).seconds_a_layer, (int)ceil(furthest / 10.0) * 10);
    return 0;
}
"#,
    );
    assert_eq!(said, "2.00, within 10 grey levels\n");
}
