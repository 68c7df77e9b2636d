//! `aravis_camera.c` with Aravis's own camera, over GigE Vision.

use crate::fake_gige::{Camera, Sent, is_alone_on_a_network};
use crate::programs::{ARAVIS, Site, count};
use crate::support::Ended;
use std::time::Duration;

const WIDTH: u64 = 256;
const HEIGHT: u64 = 128;
const SIZE: &str = "Width=256 Height=128";
/// The first camera's address.
const HERE: &str = "127.0.0.1";

/// `None`: the test is over, here.
fn stage() -> Option<Site> {
    is_alone_on_a_network().then(|| Site::stage(&ARAVIS)).flatten()
}

/// Records from a camera, whose features are set so, for some seconds.
#[track_caller]
fn record(site: &Site, features: &str, lost_in_thousand: u32, fps: &str, seconds: &str) -> (Ended, Sent) {
    let camera = Camera::start(&site.workshop, HERE, lost_in_thousand);
    let features = format!("{SIZE} {features}");
    let ended = site.start(&["--camera", HERE, "--set", &features, "--fps", fps, "--seconds", seconds]).finish();
    (ended, camera.end())
}

/// Every frame that was sent is confirmed, or counted as missed by its number; the last one, and the first, perhaps not: of one
/// whose leader is lost no number is known, and before the first and behind the last there is no gap.
#[track_caller]
fn all_is_accounted_for(ended: &Ended, sent: &Sent) {
    let stream = |word| count(ended, "stream", word);
    assert_eq!(stream("taken"), stream("confirmed"), "{ended:?}");
    assert_eq!((stream("lost"), stream("dropped"), stream("rejected")), (0, 0, 0), "{ended:?}");
    let is_headless = |id: &&u64| sent.headless.contains(id);
    let at_the_ends = sent.ids.iter().take_while(is_headless).count() + sent.ids.iter().rev().take_while(is_headless).count();
    assert_eq!(stream("confirmed") + stream("missed") + at_the_ends as u64, sent.ids.len() as u64, "{ended:?}");
    // What the SDK says of the same frames.
    let (camera, callback) = (|word| count(ended, "camera", word), |word| count(ended, "callback", word));
    assert_eq!(camera("completed") + camera("failures"), stream("taken") + callback("headless"), "{ended:?}");
    assert_eq!(camera("completed") + stream("incomplete"), stream("taken"), "{ended:?}");
}

/// The fake camera's picture.
fn picture(id: u64, as_kept: fn(u64) -> u8) -> Vec<u8> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| as_kept(x + y + id))).collect()
}

#[track_caller]
fn arrives_bit_for_bit(features: &str, as_kept: fn(u64) -> u8) {
    let Some(site) = stage() else { return };
    // Long enough for the numbers to wrap: they begin at 65401.
    let (ended, sent) = record(&site, features, 0, "100", "2");
    let ended = ended.well();
    all_is_accounted_for(&ended, &sent);
    assert!(sent.ids.contains(&65535) && sent.ids.contains(&1), "{:?}", sent.ids);
    assert_eq!(count(&ended, "stream", "missed"), 0, "a wrap is no loss: {ended:?}");
    let kept = site.arrived(&ended);
    let expected: Vec<u8> = sent.ids.iter().flat_map(|id| picture(*id, as_kept)).collect();
    assert!(kept == expected, "the shards differ from what the camera sent");
}

#[test]
fn a_gige_cameras_frames_arrive_bit_for_bit_and_its_numbers_wrap() {
    arrives_bit_for_bit("PixelFormat=Mono8", |sum| (sum % 255) as u8);
}

#[test]
fn frames_of_16_bits_arrive_with_their_high_bytes() {
    arrives_bit_for_bit("PixelFormat=Mono16", |sum| ((256 * sum % 65535) >> 8) as u8);
}

#[test]
fn a_frame_of_which_packets_are_missing_is_kept_and_counted_as_incomplete_and_one_without_a_number_as_missed() {
    let Some(site) = stage() else { return };
    let (ended, sent) = record(&site, "", 40, "100", "3");
    let ended = ended.well();
    all_is_accounted_for(&ended, &sent);
    assert!(!sent.damaged.is_empty() && !sent.headless.is_empty(), "the camera lost nothing");
    assert_eq!(count(&ended, "stream", "incomplete"), sent.damaged.len() as u64, "{ended:?}");
    assert_eq!(count(&ended, "callback", "headless"), sent.headless.len() as u64, "{ended:?}");
}

#[test]
fn a_camera_whose_plug_is_pulled_ends_the_recording_well() {
    let Some(site) = stage() else { return };
    let camera = Camera::start(&site.workshop, HERE, 0);
    let program = site.start(&["--camera", HERE, "--set", SIZE, "--seconds", "0"]);
    while camera.frames() < 20 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = camera.end();
    let ended = program.finish().well();
    assert!(ended.err.contains("the camera is gone"), "{ended:?}");
    site.arrived(&ended);
    let taken = count(&ended, "stream", "taken");
    // The last one may have been under way.
    assert!(taken == sent.ids.len() as u64 || taken + 1 == sent.ids.len() as u64, "{} sent, {ended:?}", sent.ids.len());
}

#[test]
fn a_colour_mosaic_is_refused_by_name_with_advice() {
    let Some(site) = stage() else { return };
    let (ended, _) = record(&site, "PixelFormat=BayerRG8", 0, "50", "20");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.err.contains("BayerRG8") && ended.err.contains("Mono8"), "{ended:?}");
    assert_eq!(count(&ended, "stream", "taken"), 0);
}

#[test]
fn no_camera_and_no_such_feature_are_told() {
    let Some(site) = stage() else { return };
    let ended = site.start(&["--camera", "nobody"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("nobody"), "{ended:?}");
    let (ended, _) = record(&site, "PixelFormat=Mono9", 0, "50", "20");
    assert!(ended.status.code() == Some(1) && ended.err.contains("Mono9"), "{ended:?}");
}
