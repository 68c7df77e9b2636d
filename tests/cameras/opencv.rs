//! `opencv_capture.cpp` with a video that OpenCV itself has written.

use crate::programs::{OPENCV, Site, count};
use crate::support::service::only_stream;
use crate::support::{MustSucceed, root};
use std::process::Command;

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
fn what_opencv_cannot_open_is_told_and_opens_no_stream() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let ended = site.start(&["/nowhere.avi"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("/nowhere.avi"), "{ended:?}");
    assert!(site.service.streams().is_empty());
}
