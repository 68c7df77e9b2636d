//! `opencv_capture.cpp` with a video that OpenCV itself has written.

use crate::programs::{OPENCV, Site, count};
use crate::support::service::only_stream;
use crate::support::{MustSucceed, root};
use std::process::Command;

/// An 8-bit luma may be rounded otherwise than OpenCV rounds its own.
const ROUNDING: u8 = 1;

#[test]
fn a_video_file_arrives_whole_as_grey() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let [video, raw] = ["video.avi", "grey.raw"].map(|name| site.workshop.path().join(name));
    let writer = OPENCV.build(&site.workshop, &root().join("tests/cameras/opencv_video.cpp")).expect("the SDK is there");
    Command::new(writer).args([&video, &raw]).args(["40", "50"]).must_succeed();
    let ended = site.start(&[&video.display().to_string()]).finish().well();
    assert_eq!((count(&ended, "opencv", "read"), count(&ended, "stream", "taken")), (40, 40), "{ended:?}");
    let (arrived, expected) = (site.arrived(&ended), std::fs::read(raw).expect("the writer wrote it"));
    assert_eq!(arrived.len(), expected.len());
    assert!(arrived.iter().zip(&expected).all(|(ours, theirs)| ours.abs_diff(*theirs) <= ROUNDING), "the shards differ");
    assert_eq!(only_stream(&site.service).fps_capture_rate, 50.0, "the rate is the file's");
}

#[test]
fn what_opencv_cannot_open_is_told_and_opens_no_stream() {
    let Some(site) = Site::stage(&OPENCV) else { return };
    let ended = site.start(&["/nowhere.avi"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("/nowhere.avi"), "{ended:?}");
    assert!(site.service.streams().is_empty());
}
