//! `aravis_camera.c` with Aravis's own camera, over GigE Vision.

use crate::fake_gige::{ADDRESSES, Camera, Sent, is_alone_on_a_network};
use crate::programs::{ARAVIS, GSTREAMER, Site, count};
use crate::support::frames::numbered;
use crate::support::host::Stream;
use crate::support::long_run::{figure, times};
use crate::support::service::only_stream;
use crate::support::spool::{options as spool_options, with};
use crate::support::{Ended, HANGS_AFTER, Running};
use rheed_stream::codes::{NO_FRAME_ID, Stat};
use rheed_stream::receiver::StreamRecord;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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

/// Records until the camera has sent so many frames, however long that takes here.
#[track_caller]
fn record_frames(
    site: &Site,
    environment: &[(&str, String)],
    features: &str,
    lost_in_thousand: u32,
    frames: usize,
) -> (Ended, Sent) {
    let camera = Camera::start(&site.workshop, HERE, lost_in_thousand);
    let features = format!("{SIZE} {features}");
    let mut program = site.start_in(environment, &["--camera", HERE, "--set", &features, "--fps", "100", "--seconds", "0"]);
    let began = Instant::now();
    while camera.frames() < frames {
        assert!(
            began.elapsed() < HANGS_AFTER && !program.has_ended(),
            "{} frames of {frames}: {:?}",
            camera.frames(),
            program.finish()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    program.interrupt();
    (program.finish(), camera.end())
}

/// Every frame that was sent, from the first that was pushed to the last, is confirmed, or counted as dropped, or as missed by its
/// number. Before and behind them there is no gap that could tell.
#[track_caller]
fn all_is_accounted_for(ended: &Ended, sent: &Sent) {
    let [camera, callback, stream] = ["camera", "callback", "stream"].map(|line| move |word| count(ended, line, word));
    assert_eq!(stream("taken"), stream("confirmed"), "{ended:?}");
    assert_eq!((stream("lost"), stream("rejected")), (0, 0), "{ended:?}");
    // Numbers come again after the 65535th.
    let first = sent.ids.iter().position(|id| *id == callback("the first number"));
    let last = sent.ids.iter().rposition(|id| *id == callback("the last"));
    let (Some(first), Some(last)) = (first, last) else { panic!("not of this camera: {ended:?}") };
    let counted = stream("confirmed") + stream("dropped") + stream("missed");
    assert_eq!(counted, (last + 1 - first) as u64, "of {} that the camera sent: {ended:?}", sent.ids.len());
    // What the SDK says of the same frames.
    let received = camera("completed") + camera("failures");
    assert_eq!(stream("confirmed") + stream("dropped") + callback("headless"), received, "of what the SDK received: {ended:?}");
    assert_eq!(callback("pushed"), stream("taken") + stream("dropped"), "{ended:?}");
    assert!(stream("incomplete") <= camera("failures"), "{ended:?}");
}

/// Whether it is the one that the fake camera draws for that number.
fn is_picture(frame: &[u8], id: u64, as_kept: fn(u64) -> u8) -> bool {
    let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| x + y));
    frame.iter().zip(places).all(|(pixel, place)| *pixel == as_kept(place + id))
}

#[track_caller]
fn arrives_bit_for_bit(features: &str, as_kept: fn(u64) -> u8) {
    let Some(site) = stage() else { return };
    // Enough for the numbers to wrap: they begin at 65401.
    let (ended, sent) = record_frames(&site, &[], features, 0, 180);
    let ended = ended.well();
    all_is_accounted_for(&ended, &sent);
    assert!(sent.ids.contains(&65535) && sent.ids.contains(&1), "a wrap is no loss, but there was none: {:?}", sent.ids);
    // In the order in which they were sent. On a machine that is busy packets may be lost in earnest: then not all are whole.
    let (mut whole, mut later) = (0, &sent.ids[..]);
    for frame in site.arrived(&ended).chunks_exact((WIDTH * HEIGHT) as usize) {
        if let Some(place) = later.iter().position(|id| is_picture(frame, *id, as_kept)) {
            (whole, later) = (whole + 1, &later[place + 1..]);
        }
    }
    assert_eq!(whole, count(&ended, "camera", "completed"), "the shards differ from what the camera sent: {ended:?}");
    assert!(whole > 100, "{ended:?}");
    // Of frames without a time the declared rate would be told.
    let chunks = only_stream(&site.service).chunks;
    assert!(chunks.iter().all(|chunk| chunk.avg_frame_rate != chunk.raw_frame_rate), "{chunks:?}");
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
    let environment = [("LD_PRELOAD", ARAVIS.preloaded(&site.workshop, "pushes_told.c"))];
    let (ended, sent) = record_frames(&site, &environment, "", 40, 300);
    let ended = ended.well();
    all_is_accounted_for(&ended, &sent);
    assert!(!sent.damaged.is_empty() && !sent.headless.is_empty(), "the camera lost nothing");
    let (camera, stream) = (|word| count(&ended, "camera", word), |word| count(&ended, "stream", word));
    let headless = count(&ended, "callback", "headless");
    assert_eq!(camera("completed") + stream("incomplete"), stream("taken"), "{ended:?}");
    assert_eq!(stream("incomplete") + headless, camera("failures"), "{ended:?}");
    // What the camera did not throw away, and was lost all the same: on a machine that is busy.
    let whole = (sent.ids.len() - sent.damaged.len() - sent.headless.len()) as u64;
    let never_came = sent.ids.len() as u64 - camera("completed") - camera("failures");
    let in_earnest = whole.checked_sub(camera("completed")).expect("no more whole ones than were sent") + never_came;
    assert!(stream("incomplete").abs_diff(sent.damaged.len() as u64) <= in_earnest, "{in_earnest}, {ended:?}");
    assert!(headless.abs_diff(sent.headless.len() as u64) <= in_earnest, "{in_earnest}, {ended:?}");
    // And it is these, and no others.
    let pushed = |how: &str| -> BTreeSet<u64> {
        ended.err.lines().filter_map(|line| line.strip_prefix(how)).map(|id| id.trim().parse().expect("a number")).collect()
    };
    let (whole, incomplete) = (pushed("whole"), pushed("incomplete"));
    assert_eq!(whole.len() as u64 + stream("incomplete"), stream("taken"), "{ended:?}");
    assert!(whole.is_disjoint(&sent.damaged) && whole.is_disjoint(&sent.headless), "whole? {ended:?}");
    assert!(incomplete.difference(&sent.damaged).count() as u64 <= in_earnest, "{in_earnest}, {ended:?}");
}

#[test]
fn the_cameras_own_time_is_mapped_to_this_computers() {
    let Some(site) = stage() else { return };
    let camera = Camera::start(&site.workshop, HERE, 0);
    let environment = [("LD_PRELOAD", ARAVIS.preloaded(&site.workshop, "aravis_device_time.c"))];
    let options = ["timestamp_clock=device", "device_tick_hz=1000000000"];
    let given = [&["--camera", HERE, "--set", SIZE, "--fps", "100", "--seconds", "2"], &options[..]].concat();
    let ended = site.start_in(&environment, &given).finish().well();
    camera.end();
    site.arrived(&ended);
    // The fake camera's clock counts Unix time. However slowly this computer brings its packets, it is not a second.
    let [off, bound] = ["off by", "the bound"].map(|word| count(&ended, "clock", word));
    assert!(off < bound + 1_000_000_000, "{ended:?}");
    figure(&format!(
        "cameras: the clock of Aravis's camera in software, which is this computer's, mapped {off} ns off, with a bound of {bound} ns"
    ));
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
    all_is_accounted_for(&ended, &sent);
    assert!(count(&ended, "stream", "taken") >= 10, "{ended:?}");
}

#[test]
fn a_stream_that_is_closed_meanwhile_ends_the_recording_and_it_is_said_why() {
    let Some(site) = stage() else { return };
    let camera = Camera::start(&site.workshop, HERE, 0);
    site.is_left_when_the_stream_is_closed(&ARAVIS, &[], &["--camera", HERE, "--set", SIZE, "--fps", "50", "--seconds", "0"]);
    camera.end();
}

#[test]
fn a_camera_that_does_not_hear_the_stop_does_not_keep_the_program() {
    let Some(site) = stage() else { return };
    let camera = Camera::start(&site.workshop, HERE, 0);
    let environment = [("LD_PRELOAD", ARAVIS.preloaded(&site.workshop, "aravis_deaf.c"))];
    let given = ["--camera", HERE, "--set", SIZE, "--fps", "50", "--seconds", "1"];
    let ended = site.start_in(&environment, &given).finish().well();
    camera.end();
    assert!(ended.err.contains("the camera does not stop: no answer"), "{ended:?}");
    site.arrived(&ended);
}

#[test]
fn a_wrong_option_leaves_the_camera_free_for_the_next_run() {
    let Some(site) = stage() else { return };
    let camera = Camera::start(&site.workshop, HERE, 0);
    let ended = site.start(&["--camera", HERE, "--set", SIZE, "queue_bites=1"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("queue_bites"), "{ended:?}");
    let ended = site.start(&["--camera", HERE, "--set", SIZE, "--seconds", "1"]).finish().well();
    assert!(count(&ended, "stream", "taken") > 0, "{ended:?}");
    camera.end();
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
fn packed_rows_that_do_not_fill_bytes_are_refused_before_a_stream_is_opened_and_others_are_not() {
    let Some(site) = stage() else { return };
    let environment = [("LD_PRELOAD", ARAVIS.preloaded(&site.workshop, "aravis_packed.c"))];
    let camera = Camera::start(&site.workshop, HERE, 0);
    let record = |size| site.start_in(&environment, &["--camera", HERE, "--set", size, "--seconds", "0.1"]).finish();
    let ended = record("Width=257 Height=128");
    assert!(ended.status.code() == Some(1) && ended.err.contains("set Width to a multiple of 4"), "{ended:?}");
    assert!(site.service.streams().is_empty());
    record("Width=256 Height=128").well();
    camera.end();
}

#[test]
fn no_camera_and_no_such_feature_are_told() {
    let Some(site) = stage() else { return };
    let ended = site.start(&["--camera", "nobody"]).finish();
    assert!(ended.status.code() == Some(1) && ended.err.contains("nobody"), "{ended:?}");
    let (ended, _) = record(&site, "PixelFormat=Mono9", 0, "50", "20");
    assert!(ended.status.code() == Some(1) && ended.err.contains("Mono9"), "{ended:?}");
}

/// Why gstreamer.md advises against it.
#[test]
fn aravissrc_throws_damaged_frames_away_and_that_it_numbers_none_is_said() {
    let Some(site) = is_alone_on_a_network().then(|| Site::stage(&GSTREAMER)).flatten() else { return };
    let camera = Camera::start(&site.workshop, HERE, 40);
    let source =
        format!("aravissrc camera-name={HERE} num-buffers=50 ! video/x-raw,format=GRAY8,width=256,height=128,framerate=50/1");
    let ended = site.start(&[&source, "--fps", "50"]).finish().well();
    let sent = camera.end();
    assert_eq!(ended.err.matches("its source does not number frames").count(), 1, "{ended:?}");
    let [missed, incomplete] = ["missed", "incomplete"].map(|word| count(&ended, "stream", word));
    assert!(!sent.damaged.is_empty() && (missed, incomplete) == (0, 0), "of {} damaged: {ended:?}", sent.damaged.len());
    site.arrived(&ended);
}

const LARGE: &str = "Width=640 Height=480 ArvGevSCPSPacketSize=9000";
/// More than it reaches: as fast as it can.
const FASTEST: &str = "1000";
const SECONDS: u64 = 2;

/// Some of these cameras at their fastest, a program for each; what becomes of their frames, all of which are accounted for.
fn keep_up(
    site: &Site,
    addresses: &[&str],
    lost_in_thousand: u32,
    seconds: u64,
    how: &str,
    options: &[&str],
) -> Vec<(Ended, Sent)> {
    let cameras: Vec<Camera> = addresses.iter().map(|address| Camera::start(&site.workshop, address, lost_in_thousand)).collect();
    let programs: Vec<Running> = addresses
        .iter()
        .map(|address| {
            let seconds_given = seconds.to_string();
            let arguments = ["--camera", address, "--set", LARGE, "--fps", FASTEST, "--seconds", &seconds_given];
            site.start(&[&arguments, options].concat()).with_work_for(Duration::from_secs(seconds))
        })
        .collect();
    let ends = programs.into_iter().zip(cameras).map(|(program, camera)| (program.finish(), camera.end()));
    let ends: Vec<(Ended, Sent)> = ends.collect();
    for ((ended, sent), address) in ends.iter().zip(addresses) {
        all_is_accounted_for(ended, sent);
        let stream = |word| count(ended, "stream", word);
        figure(&format!(
            "cameras: {address} sent {} frames of 640x480 in {seconds} s{how}: {} confirmed ({} of them incomplete), {} dropped for want of room, {} missed",
            sent.ids.len(),
            stream("confirmed"),
            stream("incomplete"),
            stream("dropped"),
            stream("missed"),
        ));
    }
    let confirmed = ends.iter().map(|(ended, _)| count(ended, "stream", "confirmed")).sum::<u64>();
    assert_eq!(site.service.streams().iter().map(StreamRecord::frames).sum::<u64>(), confirmed);
    ends
}

/// However busy the machine: half of what comes is not much to ask.
#[track_caller]
fn most_are_kept(ended: &Ended) {
    let stream = |word| count(ended, "stream", word);
    assert!(stream("dropped") < stream("confirmed"), "{ended:?}");
}

#[test]
fn cameras_at_their_fastest_that_lose_packets_are_kept_up_with_and_every_frame_is_confirmed_or_counted() {
    let Some(site) = stage() else { return };
    let seconds = times("RHEED_TORTURE_CAMERAS", SECONDS);
    // Two are more than the cores of a small machine bear, with their own work and the encoder's.
    let addresses = if seconds > SECONDS { &ADDRESSES[..] } else { &ADDRESSES[..2] };
    for (ended, _) in keep_up(&site, addresses, 2, seconds, ", 2 of 1000 packets lost", &[]) {
        most_are_kept(&ended);
    }
}

#[test]
fn beside_an_encoder_that_never_rests_every_frame_is_confirmed_or_counted() {
    let Some(site) = stage() else { return };
    // Another stream of this machine, whose frames come flat out and do not compress.
    let noisy = Stream::open(&with(spool_options(&site.workshop), &["fps=100", "queue_bytes=4194304", "compression_level=19"]));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let noise = numbered(1, 640 * 480);
            while !is_over.load(Ordering::Relaxed) {
                noisy.push(&noise, 640, 480, NO_FRAME_ID, 0);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let _ends = Ends(&is_over);
        let ends = keep_up(&site, &ADDRESSES[..1], 0, SECONDS, " beside an encoder of noise", &[]);
        most_are_kept(&ends[0].0);
    });
    assert!(noisy.stat(Stat::FramesDropped) > 0, "its encoder was busy all the time");
}

#[test]
fn of_an_encoder_that_cannot_keep_up_every_frame_is_confirmed_or_counted_as_dropped() {
    let Some(site) = stage() else { return };
    // Room for three frames.
    let ends = keep_up(
        &site,
        &ADDRESSES[..1],
        2,
        SECONDS,
        ", with room for three and level 19",
        &["queue_bytes=1048576", "compression_level=19"],
    );
    let (ended, _) = &ends[0];
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(count(ended, "stream", "dropped") > 0 && count(ended, "stream", "confirmed") > 0, "{ended:?}");
}

/// Also where the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
