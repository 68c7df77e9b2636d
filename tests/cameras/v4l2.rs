//! `v4l2_camera.c` with a driver of ours (v4l2_device.c), since no real one is here; and with a real one where there is.

use crate::programs::{Site, V4L2, count};
use crate::support::service::only_stream;
use crate::support::{Ended, MustSucceed, root, skip};
use std::process::Command;

const WIDTH: u64 = 33;
const HEIGHT: u64 = 16;

/// Plays the driver that has this format, until its plug is pulled behind 60 frames.
#[track_caller]
fn play(site: &Site, fourcc: &str, row_bytes: u64) -> Ended {
    let driver = site.workshop.path().join("v4l2_device.so");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&driver);
    gcc.arg(root().join("tests/cameras/v4l2_device.c")).arg("-ldl").must_succeed();
    let environment =
        [("LD_PRELOAD", driver.display().to_string()), ("STAND_IN", format!("{fourcc} {WIDTH}x{HEIGHT} {row_bytes} 60"))];
    site.start_in(&environment, &["--device", "/dev/video-stand-in", "--seconds", "0"]).finish()
}

/// Numbers of the frames: behind the 11th two are lost.
fn numbers() -> impl Iterator<Item = u64> {
    (0..62).filter(|number| !(12..14).contains(number))
}

#[test]
fn a_drivers_frames_arrive_bit_for_bit_and_what_it_lost_or_damaged_is_counted() {
    for (fourcc, row_bytes) in [("GREY", 40), ("Y10", 66), ("Y12", 72), ("Y14", 66), ("Y16", 80), ("YUYV", 66), ("UYVY", 80)] {
        let Some(site) = Site::stage(&V4L2) else { return };
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
