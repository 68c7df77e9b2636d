//! `opencv_capture.cpp` with a video that OpenCV itself has written.

use crate::programs::{OPENCV, Site, count};
use crate::support::service::only_stream;
use crate::support::{MustSucceed, root};
use crate::v4l2;
use std::process::Command;

/// The driver's of tests/cameras/v4l2_device.c.
const NUMBER: &str = "77";

/// By BT.601, a half upwards.
fn luma(pixel: &[u8]) -> u8 {
    let [blue, green, red] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

#[test]
fn a_video_file_arrives_whole_as_its_luma() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let [video, raw] = ["video.avi", "colour.raw"].map(|name| site.workshop.path().join(name));
    let writer = OPENCV.build(&site.workshop, &root().join("tests/cameras/opencv_video.cpp")).expect("the SDK is there");
    Command::new(writer).args([&video, &raw]).args(["40", "50"]).must_succeed();
    let ended = site.start(&[&video.display().to_string()]).finish().well();
    assert_eq!((count(&ended, "opencv", "read"), count(&ended, "stream", "taken")), (40, 40), "{ended:?}");
    let colours = std::fs::read(raw).expect("the writer wrote it");
    let expected: Vec<u8> = colours.chunks_exact(3).map(luma).collect();
    assert!(site.arrived(&ended) == expected, "the shards differ from what OpenCV reads");
    assert_eq!(only_stream(&site.service).fps_capture_rate, 50.0, "the rate is the file's");
}

#[test]
fn a_cameras_frames_arrive_until_it_is_gone_and_that_is_told() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let driver = v4l2::driver("none", &site, "GREY 32x16 32 60"); // Odd widths OpenCV 4.6 itself tears.
    let ended = site.start_in(&driver, &[NUMBER, "--seconds", "0"]).finish().well();
    assert!(ended.err.contains("the camera is gone"), "{ended:?}");
    let picture = |number| (0..16).flat_map(move |y| (0..32).map(move |x| (x + y + number) as u8));
    // The first of the driver's 60 OpenCV keeps to itself.
    assert!(
        site.arrived(&ended) == (1..60).flat_map(picture).collect::<Vec<u8>>(),
        "the shards differ from what the driver gave"
    );
    assert_eq!((count(&ended, "opencv", "read"), count(&ended, "stream", "taken")), (59, 59), "{ended:?}");
}

#[test]
fn pictures_as_the_driver_has_them_arrive_with_their_luma() {
    let Some(built) = Site::stage(&OPENCV) else { return };
    for (fourcc, row_bytes) in [("GREY", 32), ("YUYV", 64), ("UYVY", 64), ("Y16", 64)] {
        let site = built.anew();
        let driver = v4l2::driver("none", &site, &format!("{fourcc} 32x16 {row_bytes} 40"));
        let ended = site.start_in(&driver, &[NUMBER, "--raw", "--seconds", "0"]).finish().well();
        let shade = if fourcc.contains('V') { |sum: u64| (16 + sum % 220) as u8 } else { |sum| sum as u8 };
        let picture = |number: u64| (0..16).flat_map(move |y| (0..32).map(move |x| shade(x + y + number)));
        assert!(site.arrived(&ended) == (1..40).flat_map(picture).collect::<Vec<u8>>(), "{fourcc}: {ended:?}");
    }
}

#[test]
fn what_is_not_one_picture_is_refused_by_its_type_and_never_pushed_as_another() {
    let Some(built) = Site::stage(&OPENCV) else { return };
    for fourcc in ["MJPG", "NV12"] {
        let site = built.anew();
        let driver = v4l2::driver("none", &site, &format!("{fourcc} 32x16 32 40"));
        let ended = site.start_in(&driver, &[NUMBER, "--raw", "--seconds", "0"]).finish();
        assert!(
            ended.status.code() == Some(1) && ended.err.contains("is not one picture") && !ended.err.contains("32 x 16"),
            "{fourcc}: {ended:?}"
        );
        assert_eq!(count(&ended, "stream", "taken"), 0, "{fourcc}: {ended:?}");
    }
}

#[test]
fn a_stream_that_is_closed_meanwhile_ends_the_recording_and_it_is_said_why() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let endless = v4l2::driver("none", &site, "GREY 32x16 32 4000000000");
    site.is_left_when_the_stream_is_closed(&OPENCV, &endless, &[NUMBER, "--seconds", "0"]);
}

#[test]
fn what_opencv_cannot_open_is_told_and_opens_no_stream() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let ended = site.start(&["/nowhere.avi"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("/nowhere.avi"), "{ended:?}");
    assert!(site.service.streams().is_empty());
}
