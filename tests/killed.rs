//! A process is killed with SIGKILL while it streams: the next one on its spool sends every frame that had reached the disk, and
//! ends its stream.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Event, Stat, Text};
use rheed_stream::receiver::{Receiver, StreamRecord};
use support::frames::numbers;
use support::host::{OK, Stream};
use support::spool::{entries, files, only_stream, streams, with};
use support::victim::{FIRST_STAMP_NS, FRAME_BYTES, FRAME_NS, SLOTS, Victim};
use support::{HANGS_AFTER, Workshop, service};

/// Is no test by itself: the others start it as a process of its own, and kill it.
#[test]
fn the_process_that_is_killed() {
    support::victim::live();
}

/// How the victim is told to stream: a push waits for a slot, so that frames are taken one after another.
fn streaming(service: &Receiver, workshop: &Workshop) -> Vec<String> {
    with(service::options(service, workshop), &["fps=10", "queue_bytes=1048576", "when_full=block"])
}

/// The frames of a stream that was taken up are whole, in order, each once, with the stamps that they were given; says how many.
#[track_caller]
fn frames_in_order(kept: &StreamRecord) -> u64 {
    assert!(kept.ended, "{kept:?}");
    let found = numbers(&service::pixels(kept), FRAME_BYTES);
    assert!(found.iter().copied().eq(0..found.len() as u64), "{found:?}");
    let mut first = 0;
    for (index, chunk) in kept.chunks.iter().enumerate() {
        assert_eq!(chunk.index, index as u64);
        let ms = |frame: u64| ((FIRST_STAMP_NS + frame as i64 * FRAME_NS) / 1_000_000) as f64;
        assert_eq!(chunk.start_unix_ms_utc, ms(first), "{chunk:?}");
        first += chunk.frames;
        assert_eq!(chunk.end_unix_ms_utc, ms(first), "{chunk:?}");
        assert!((chunk.avg_frame_rate - 10.0).abs() < 1e-9, "{chunk:?}");
    }
    found.len() as u64
}

/// Of the frames that were taken at most those in the slots are missing. One more may have been taken than was told.
#[track_caller]
fn only_slots_are_lost(arrived: u64, taken: u64) {
    assert!((taken.saturating_sub(SLOTS)..=taken + 1).contains(&arrived), "{arrived} arrived of {taken} that were taken");
}

#[test]
fn what_had_reached_the_disk_of_a_killed_process_is_sent_and_its_stream_ended() {
    for frames in [1, 7, 45, 200] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let mut victim = Victim::stream(&streaming(&service, &workshop));
        victim.has_taken(frames);
        let taken = victim.kill();

        let resumed = Stream::resume(&service::options(&service, &workshop));
        assert_eq!(resumed.flush(-1), OK);
        let arrived = frames_in_order(&service::only_stream(&service));
        only_slots_are_lost(arrived, taken);
        // What was confirmed before the kill is mostly no longer in the spool.
        assert!(resumed.stat(Stat::FramesConfirmed) <= arrived as i64);
        assert_eq!(streams(&workshop.spool()), [] as [std::path::PathBuf; 0]);
        assert_eq!(entries(&workshop.spool().join("reports")).len(), 1);
    }
}

#[test]
fn a_part_filled_chunk_is_sent_although_no_chunk_was_ever_sealed() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let mut victim = Victim::stream(&with(streaming(&service, &workshop), &["chunk_size=100000"]));
    victim.has_taken(SLOTS + 30);
    let taken = victim.kill();
    let folder = only_stream(&workshop.spool());
    assert_eq!((files(&folder, ".part").len(), files(&folder, ".shard").len()), (1, 0));

    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!(kept.chunks.len(), 1);
    only_slots_are_lost(frames_in_order(&kept), taken);
    assert_eq!(resumed.stat(Stat::FramesConfirmed) as u64, kept.frames());
}

#[test]
fn a_recovery_that_is_killed_itself_is_done_again() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=503").expect("a rule");
    let mut victim = Victim::stream(&with(streaming(&service, &workshop), &["compression_level=-20"]));
    victim.has_taken(150);
    let taken = victim.kill();
    service.set_faults("put:delay_ms=20").expect("a rule");
    let options = with(service::options(&service, &workshop), &["max_workers=1"]);
    for chunks in 0..4 {
        let mut victim = Victim::resume(&options);
        victim.is_open();
        assert!(service.wait_until(HANGS_AFTER, |service| service.streams()[0].chunks.len() >= chunks));
        victim.kill();
    }
    let resumed = Stream::resume(&options);
    assert_eq!(resumed.flush(-1), OK);
    only_slots_are_lost(frames_in_order(&service::only_stream(&service)), taken);
}

#[test]
fn init_takes_up_what_was_left_under_its_endpoint_and_leaves_the_rest() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let elsewhere = Workshop::new();
    let other = service::start(&elsewhere);
    let mut victim = Victim::stream(&streaming(&service, &workshop));
    victim.has_taken(60);
    let taken = victim.kill();
    let left = only_stream(&workshop.spool());

    let stream = Stream::open(&with(service::options(&other, &workshop), &["fps=10"]));
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(service::only_stream(&other).frames(), 20);
    assert!(stream.events().iter().all(|told| told.kind != Event::TakenUp as i32));
    assert_eq!(streams(&workshop.spool()), [left]);
    drop(stream);

    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    stream.wait_for(Event::TakenUp);
    assert!(service.wait_until(HANGS_AFTER, |service| service.streams()[0].ended));
    only_slots_are_lost(frames_in_order(&service.streams()[0]), taken);
    assert_eq!(other.streams().len(), 1);
    assert_eq!(stream.stat(Stat::FramesAccepted), 0, "what was taken up is not this stream's");
}

#[test]
fn a_live_stream_is_not_taken_from_its_process() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let mut victim = Victim::stream(&streaming(&service, &workshop));
    victim.has_taken(30);
    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(resumed.stat(Stat::FramesAccepted), 0);
    let report = resumed.text(Text::Report);
    assert!(report.contains("in use"), "{report}");
    victim.has_taken(victim.taken + 30);
    let taken = victim.finish();
    assert_eq!(frames_in_order(&service::only_stream(&service)), taken);
}
