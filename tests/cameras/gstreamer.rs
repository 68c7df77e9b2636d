//! `gstreamer_appsink.c` with GStreamer's own sources.

use crate::programs::{GSTREAMER, Site, count};
use crate::support::service::only_stream;
use crate::support::{MustSucceed, is_command, skip};
use std::path::PathBuf;
use std::process::Command;

fn stage() -> Option<Site> {
    if !is_command("gst-launch-1.0") {
        skip("GStreamer", "there is no gst-launch-1.0 (on Debian: gstreamer1.0-tools)");
        return None;
    }
    Site::stage(&GSTREAMER)
}

/// A file that GStreamer itself makes of a pipeline.
fn file_of(site: &Site, name: &str, pipeline: &str) -> PathBuf {
    let file = site.workshop.path().join(name);
    let mut tool = Command::new("gst-launch-1.0");
    tool.arg("-q").args(pipeline.split_whitespace()).args(["!", "filesink"]).arg(format!("location={}", file.display()));
    tool.must_succeed();
    file
}

/// The pictures that a pipeline gives, without what GStreamer pads rows to multiples of 4 bytes with.
fn pictures_of(site: &Site, pipeline: &str, row_bytes: usize) -> Vec<u8> {
    let padded = std::fs::read(file_of(site, "pictures", pipeline)).expect("GStreamer has written a file");
    padded.chunks_exact(row_bytes.next_multiple_of(4)).flat_map(|row| row[..row_bytes].to_vec()).collect()
}

const TURNING: &str = "videotestsrc num-buffers=50 horizontal-speed=3";
const SMALL: &str = "video/x-raw,format=GRAY8,width=64,height=32,framerate=50/1";

#[test]
fn frames_with_padded_rows_arrive_bit_for_bit() {
    let Some(site) = stage() else { return };
    let source = format!("{TURNING} ! video/x-raw,format=GRAY8,width=61,height=34,framerate=50/1");
    let ended = site.start(&[&source]).finish().well();
    assert_eq!(count(&ended, "stream", "taken"), 50, "{ended:?}");
    assert!(site.arrived(&ended) == pictures_of(&site, &source, 61), "the shards differ from what GStreamer makes");
    let stream = only_stream(&site.service);
    assert_eq!(stream.fps_capture_rate, 50.0, "the rate is the caps'");
}

#[test]
fn frames_of_16_bits_arrive_with_their_high_bytes_and_colour_as_grey() {
    for (caps, row_bytes) in [("GRAY16_LE", 2 * 61), ("RGB", 61)] {
        let Some(site) = stage() else { return };
        let source = format!("{TURNING} ! video/x-raw,format={caps},width=61,height=34,framerate=50/1");
        let ended = site.start(&[&source]).finish().well();
        let grey = if caps == "RGB" { format!("{source} ! videoconvert ! video/x-raw,format=GRAY8") } else { source };
        let mut expected = pictures_of(&site, &grey, row_bytes);
        if caps == "GRAY16_LE" {
            expected = expected.chunks_exact(2).map(|pixel| pixel[1]).collect();
        }
        assert!(site.arrived(&ended) == expected, "{caps}");
    }
}

#[test]
fn a_live_source_loses_nothing_and_its_frames_bear_their_times() {
    let Some(site) = stage() else { return };
    let source = format!("{TURNING} is-live=true ! {SMALL}");
    let ended = site.start(&[&source, "--fps", "50"]).finish().well();
    site.arrived(&ended);
    assert_eq!((count(&ended, "pipeline", "samples"), count(&ended, "stream", "taken")), (50, 50), "{ended:?}");
    let chunks = only_stream(&site.service).chunks;
    let lasted = chunks[0].end_unix_ms_utc - chunks[0].start_unix_ms_utc;
    assert!((lasted - 1000.0).abs() < 10.0, "50 stamps of a clock that ticks 50 times a second: {lasted} ms");
    assert_ne!(chunks[0].avg_frame_rate, chunks[0].raw_frame_rate, "measured by stamps, to the nanosecond");
    assert!(!ended.err.contains("does not number"), "{ended:?}");
}

#[test]
fn a_frames_time_is_when_it_was_taken_however_late_the_callback_comes() {
    let Some(site) = stage() else { return };
    // 30 ms for each frame, of which one comes every 20 ms.
    let source = format!("{TURNING} is-live=true ! {SMALL} ! queue ! identity sleep-time=30000");
    let ended = site.start(&[&source, "--fps", "50"]).finish().well();
    site.arrived(&ended);
    let chunk = &only_stream(&site.service).chunks[0];
    let lasted = chunk.end_unix_ms_utc - chunk.start_unix_ms_utc;
    assert!(chunk.avg_frame_rate != chunk.raw_frame_rate && (lasted - 1000.0).abs() < 10.0, "{chunk:?}");
}

#[test]
fn that_a_live_source_does_not_number_its_frames_is_said_once() {
    let Some(site) = stage() else { return };
    // A decoder takes the numbers away.
    let source = format!("{TURNING} is-live=true ! video/x-raw,width=64,height=32,framerate=50/1 ! theoraenc ! theoradec");
    let ended = site.start(&[&source, "--fps", "50"]).finish().well();
    assert_eq!(ended.err.matches("its source does not number frames").count(), 1, "{ended:?}");
    assert_eq!(count(&ended, "stream", "missed"), 0, "{ended:?}");
    site.arrived(&ended);
}

#[test]
fn what_is_lost_behind_a_live_source_is_missed_by_the_numbers_of_its_frames() {
    let Some(site) = stage() else { return };
    let source = format!("{TURNING} is-live=true ! {SMALL} ! identity drop-probability=0.3");
    let ended = site.start(&[&source, "--fps", "50"]).finish().well();
    let whole = pictures_of(&site, &format!("{TURNING} ! {SMALL}"), 64);
    let number = |frame: &[u8]| whole.chunks_exact(64 * 32).position(|picture| picture == frame).expect("one of the source's");
    let numbers: Vec<usize> = site.arrived(&ended).chunks_exact(64 * 32).map(number).collect();
    // What is lost before the first and behind the last nobody can see.
    let between = numbers.last().zip(numbers.first()).map_or(0, |(last, first)| 1 + last - first);
    assert_eq!(count(&ended, "stream", "missed"), (between - numbers.len()) as u64, "{ended:?}");
    assert!(between > numbers.len(), "of 50 none was lost: {ended:?}");
}

#[test]
fn a_frame_that_an_element_flags_as_corrupted_is_incomplete() {
    let Some(site) = stage() else { return };
    let flagging = GSTREAMER.preloaded(&site.workshop, "gstreamer_corrupted.c");
    let ended = site.start_in(&[("LD_PRELOAD", flagging)], &[&format!("{TURNING} ! video/x-raw,framerate=50/1")]).finish().well();
    assert_eq!((count(&ended, "stream", "taken"), count(&ended, "stream", "incomplete")), (50, 10), "{ended:?}");
}

#[test]
fn a_stream_that_is_closed_meanwhile_ends_the_recording_and_it_is_said_why() {
    let Some(site) = stage() else { return };
    let endless = "videotestsrc is-live=true ! video/x-raw,format=GRAY8,framerate=50/1";
    site.is_left_when_the_stream_is_closed(&GSTREAMER, &[], &[endless, "--fps", "50"]);
}

#[test]
fn a_live_source_whose_rate_is_not_known_is_asked_for_it() {
    let Some(site) = stage() else { return };
    // 0/1 is GStreamer's word for it. Of others the rate may be known before the first frame, or not.
    let ended = site.start(&[&format!("{TURNING} is-live=true ! video/x-raw,framerate=0/1")]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("--fps"), "{ended:?}");
    assert!(site.service.streams().is_empty());
}

#[test]
fn a_file_whose_frames_cannot_be_taken_ends_and_says_why() {
    let Some(site) = stage() else { return };
    let ended = site.start(&["videotestsrc", "roi=0,0,5000,5000"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("a frame is refused"), "{ended:?}");
    assert_eq!(count(&ended, "stream", "taken") + count(&ended, "stream", "missed"), 0, "{ended:?}");
}

/// Plays a file that GStreamer makes by this pipeline, and compares with what it reads from it again.
#[track_caller]
fn arrives_whole(site: &Site, pipeline: &str) {
    let file = file_of(site, "a video.ogv", pipeline).display().to_string();
    let ended = site.start(&[&file]).finish().well();
    // The same file by gst-launch-1.0; its name has a space, which that wants escaped.
    let plain = site.workshop.path().join("video.ogv");
    std::fs::copy(&file, &plain).expect("target can be written");
    let decoded = format!("filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=GRAY8", plain.display());
    assert!(site.arrived(&ended) == pictures_of(site, &decoded, 64), "the shards differ from what GStreamer reads");
    assert_eq!((count(&ended, "stream", "taken"), count(&ended, "stream", "missed")), (50, 0), "{ended:?}");
}

#[test]
fn a_video_file_arrives_whole_also_with_sound_and_at_a_rate_that_is_no_whole_number() {
    const SOUND: &str = "audiotestsrc num-buffers=60 ! vorbisenc ! queue ! film.";
    let Some(built) = stage() else { return };
    for (rate, sound) in [("50/1", ""), ("50/1", SOUND), ("60000/1001", "")] {
        let site = built.anew();
        let film = format!("{TURNING} ! video/x-raw,width=64,height=48,framerate={rate} ! theoraenc ! queue ! film.");
        arrives_whole(&site, &format!("{film} {sound} oggmux name=film"));
        let of_frames =
            |text: &str| text.split('/').map(|part| part.parse::<f64>().expect("a number")).reduce(|of, per| of / per);
        let told = only_stream(&site.service).fps_capture_rate;
        assert!((told - of_frames(rate).expect("two numbers")).abs() < 0.001, "{rate}: {told}");
    }
}

#[test]
fn a_source_whose_frames_have_no_even_rate_is_asked_for_one_and_then_taken_whole() {
    let Some(site) = stage() else { return };
    let size = "video/x-raw,format=GRAY8,width=64,height=34";
    let source = format!("{TURNING} ! {size},framerate=50/1 ! videorate drop-only=true ! video/x-raw,framerate=0/1");
    let ended = site.start(&[&source]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("--fps"), "{ended:?}");
    assert!(site.service.streams().is_empty());
    let ended = site.start(&[&source, "--fps", "50"]).finish().well();
    assert!(site.arrived(&ended) == pictures_of(&site, &source, 64), "the shards differ from what GStreamer makes");
}

#[test]
fn a_file_that_has_only_sound_is_told_and_opens_no_stream() {
    let Some(site) = stage() else { return };
    let file = file_of(&site, "sound.ogg", "audiotestsrc num-buffers=60 ! vorbisenc ! oggmux").display().to_string();
    let ended = site.start(&[&file]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("the pipeline ends"), "{ended:?}");
    assert!(site.service.streams().is_empty());
}

#[test]
fn what_is_no_pipeline_and_no_video_is_told_and_opens_no_stream() {
    let Some(site) = stage() else { return };
    let junk = site.workshop.write("junk", "no video").display().to_string();
    for (source, said) in
        [("nosuchsrc", "nosuchsrc"), (&junk, "the pipeline ends"), ("filesrc location=/nowhere ! decodebin", "ends")]
    {
        let ended = site.start(&[source]).finish();
        assert!(ended.status.code() == Some(1) && ended.err.contains(said), "{source}: {ended:?}");
    }
    assert!(site.service.streams().is_empty());
}
