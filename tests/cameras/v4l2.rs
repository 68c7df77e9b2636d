//! `v4l2_camera.c` with a driver of ours (v4l2_device.c), since no real one is here; and with a real one where there is.

use crate::programs::{Site, V4L2, count};
use crate::support::service::only_stream;
use crate::support::{Ended, skip, start_in};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, SystemTime};

/// The stand-in's.
pub const DEVICE: &str = "/dev/video77";
const WIDTH: u64 = 33;
const HEIGHT: u64 = 16;

/// Plays the driver that has this format, until its plug is pulled behind 60 frames.
#[track_caller]
fn play(site: &Site, fourcc: &str, row_bytes: u64) -> Ended {
    play_with("", site, fourcc, row_bytes, &[])
}

/// The same with a mishap, and with more options.
#[track_caller]
fn play_with(mishap: &str, site: &Site, fourcc: &str, row_bytes: u64, options: &[&str]) -> Ended {
    let environment = environment(mishap, site, fourcc, row_bytes);
    site.start_in(&environment, &[&["--device", DEVICE, "--seconds", "0"], options].concat()).finish()
}

/// In which the driver is preloaded.
#[track_caller]
pub fn environment(mishap: &str, site: &Site, fourcc: &str, row_bytes: u64) -> [(&'static str, String); 3] {
    driver(mishap, site, &format!("{fourcc} {WIDTH}x{HEIGHT} {row_bytes} 60"))
}

/// The same, with the driver's own words for what it has.
#[track_caller]
pub fn driver(mishap: &str, site: &Site, stand_in: &str) -> [(&'static str, String); 3] {
    [
        ("LD_PRELOAD", V4L2.preloaded(&site.workshop, "v4l2_device.c")),
        ("STAND_IN", stand_in.to_owned()),
        ("MISHAP", mishap.to_owned()),
    ]
}

fn unix_ms() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("the clock is right").as_secs_f64() * 1e3
}

/// Numbers of the frames: behind the 11th two are lost.
fn numbers() -> impl Iterator<Item = u64> {
    (0..62).filter(|number| !(12..14).contains(number))
}

#[test]
fn a_drivers_frames_arrive_bit_for_bit_and_what_it_lost_or_damaged_is_counted() {
    for (fourcc, row_bytes) in [("GREY", 40), ("Y10", 66), ("Y12", 72), ("Y14", 66), ("Y16", 80), ("YUYV", 66), ("UYVY", 80)] {
        let Some(site) = Site::stage(&V4L2) else { return };
        let began_ms = unix_ms();
        let ended = play(&site, fourcc, row_bytes).well();
        assert!(ended.err.contains("the camera is gone"), "{ended:?}");
        let (driver, stream) = (|word| count(&ended, "driver", word), |word| count(&ended, "stream", word));
        assert_eq!((driver("buffers"), driver("damaged"), driver("failures")), (60, 1, 1), "{ended:?}");
        assert_eq!((stream("taken"), stream("missed"), stream("incomplete")), (60, 2, 1), "{ended:?}");
        // The Y of YUYV and UYVY is from 16 to 235, and stays so.
        let shade = if fourcc.contains('V') { |sum: u64| (16 + sum % 220) as u8 } else { |sum| sum as u8 };
        let picture = |number| (0..HEIGHT).flat_map(move |y| (0..WIDTH).map(move |x| shade(x + y + number)));
        let expected: Vec<u8> = numbers().flat_map(picture).collect();
        assert!(site.arrived(&ended) == expected, "{fourcc}: the shards differ from what the driver gave");
        // By the driver's stamps, 4 ms apart or more.
        let chunk = &only_stream(&site.service).chunks[0];
        assert!(chunk.end_unix_ms_utc - chunk.start_unix_ms_utc > 59.0 * 4.0, "{chunk:?}");
        assert!(chunk.avg_frame_rate != chunk.raw_frame_rate, "{chunk:?}");
        let hour_ago = began_ms - 3_600_000.0..unix_ms() - 3_600_000.0;
        assert!(hour_ago.contains(&chunk.start_unix_ms_utc), "{hour_ago:?}: {chunk:?}");
    }
}

#[test]
fn a_format_that_is_no_picture_of_intensities_is_told_before_a_stream_is_opened() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = play(&site, "MJPG", 66);
    assert!(ended.status.code() == Some(1) && ended.err.contains("GREY"), "{ended:?}");
    assert!(site.service.streams().is_empty());
}

#[test]
fn a_driver_without_a_signal_is_begun_anew_ten_times_and_no_more() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = play_with("silence", &site, "GREY", 40, &[]).well();
    assert_eq!(ended.err.matches("the driver begins anew").count(), 10, "{ended:?}");
    assert!(ended.err.contains("the camera is gone"), "{ended:?}");
    assert_eq!((count(&ended, "driver", "buffers"), count(&ended, "stream", "confirmed")), (9, 9), "{ended:?}");
}

#[test]
fn an_empty_buffer_is_an_incomplete_frame() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = play_with("empty", &site, "GREY", 40, &[]).well();
    let stream = |word| count(&ended, "stream", word);
    assert_eq!((stream("taken"), stream("incomplete"), stream("rejected")), (60, 2, 0), "{ended:?}");
}

#[test]
fn one_odd_frame_is_told_once_and_ends_no_recording() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = play_with("odd", &site, "GREY", 40, &[]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let stream = |word| count(&ended, "stream", word);
    assert_eq!((stream("taken"), stream("confirmed"), stream("rejected")), (59, 59, 1), "{ended:?}");
    assert_eq!(ended.err.matches("a frame is refused").count(), 1, "{ended:?}");
}

#[test]
fn frames_of_which_none_can_be_taken_end_the_recording_and_it_is_said_why() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = play_with("", &site, "GREY", 40, &["roi=0,0,500,500"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.err.contains("a frame is refused") && ended.err.contains("roi"), "{ended:?}");
    assert_eq!((count(&ended, "stream", "taken"), count(&ended, "stream", "rejected")), (0, 1), "{ended:?}");
}

#[test]
fn a_stream_that_is_closed_meanwhile_ends_the_recording_and_it_is_said_why() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let endless = driver("none", &site, "GREY 33x16 40 4000000000");
    site.is_left_when_the_stream_is_closed(&V4L2, &endless, &["--device", DEVICE, "--seconds", "0"]);
}

#[test]
fn a_driver_that_cannot_start_or_tell_its_rate_leaves_no_empty_stream() {
    for (mishap, said) in [("bandwidth", "VIDIOC_STREAMON"), ("rateless", "--fps")] {
        let Some(site) = Site::stage(&V4L2) else { return };
        let ended = play_with(mishap, &site, "GREY", 40, &[]);
        assert!(ended.status.code() == Some(1) && ended.err.contains(said), "{ended:?}");
        assert!(site.service.streams().is_empty());
    }
}

#[test]
fn what_the_stream_has_to_tell_is_told_while_it_records() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = play_with("rateless", &site, "GREY", 40, &["--fps", "1"]).well();
    assert!(ended.out.contains("event: "), "250 frames a second are not 1: {ended:?}");
}

#[test]
fn a_second_interrupt_ends_a_program_that_finalizes() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let environment = environment("", &site, "GREY", 40);
    let spool = format!("spool_dir={}", site.workshop.spool().display());
    // Nobody listens there: to finalize would take a minute.
    let options = ["--device", DEVICE, "--seconds", "0", "endpoint=http://127.0.0.1:1", "api_key=none", &spool];
    let mut running = start_in(&environment, &site.program, options);
    let mut lines = running.lines();
    assert!(lines.any(|line| line.starts_with("driver: ")), "the camera is gone, and it finalizes");
    running.interrupt();
    assert!(!running.has_ended(), "the first one only ends the recording");
    while !running.has_ended() {
        running.interrupt();
        std::thread::sleep(Duration::from_millis(100));
    }
    let ended = running.finish();
    assert_eq!(ended.status.signal(), Some(2), "{ended:?}");
}

#[test]
fn a_device_that_is_none_is_told() {
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = site.start(&["--device", "/dev/null"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("/dev/null"), "{ended:?}");
}

#[test]
fn a_real_camera_of_this_computer_is_recorded() {
    const CAMERA: &str = "/dev/video0";
    if !std::path::Path::new(CAMERA).exists() {
        // The stand-in has shown the same, so that this is no gap on a machine without a camera.
        return println!("there is no {CAMERA}");
    }
    let Some(site) = Site::stage(&V4L2) else { return };
    let ended = site.start(&["--device", CAMERA, "--format", "YUYV", "--seconds", "3"]).finish();
    if !ended.status.success() {
        return skip(CAMERA, &ended.err);
    }
    site.arrived(&ended);
}
