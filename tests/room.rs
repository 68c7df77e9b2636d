//! A spool that has no more room: frames are refused and counted, its bounds hold on the disk, and it goes on when there is room.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, NO_FRAME_ID, Stat, Text};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use support::frames::{numbered, numbers};
use support::host::{OK, Stream};
use support::spool::{bytes, entries, options, with};
use support::{Workshop, service};

const DISK_FULL: i32 = Code::EDiskFull as i32;
const QUEUE_FULL: i32 = Code::EQueueFull as i32;
const SIDE: u32 = 128;
const FRAME_BYTES: usize = (SIDE * SIDE) as usize;
const MIB: u64 = 1 << 20;

fn push(stream: &Stream, number: u64) -> i32 {
    stream.push(&numbered(number, FRAME_BYTES), SIDE, SIDE, number, 0)
}

/// Pushes until the spool is full; says how many frames it took.
fn fill(stream: &Stream, first: u64) -> u64 {
    let mut number = first;
    loop {
        match push(stream, number) {
            OK => number += 1,
            QUEUE_FULL => {}
            // Frames on their way have more promised to them than they will take.
            DISK_FULL if stream.stat(Stat::QueueFrames) > 0 => {}
            DISK_FULL => return number - first,
            code => panic!("rheed_push answers {code}"),
        }
    }
}

/// Of all that was told of the disk since the last look, so much at least was of refused frames.
fn refusals_told(stream: &Stream, least: usize) {
    let told: Vec<_> = stream.events().into_iter().filter(|told| told.kind == Event::DiskLow as i32).collect();
    assert!(told.iter().filter(|told| told.text.contains("are refused")).count() >= least, "{told:?}");
}

#[test]
fn a_full_spool_refuses_within_its_bound_and_takes_frames_again_when_chunks_are_confirmed() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=503").expect("a rule");
    let lines = with(service::options(&service, &workshop), &["fps=10", "spool_max_bytes=1048576"]);
    let stream = Stream::open(&lines);
    let (spool, over) = (workshop.spool(), AtomicBool::new(false));
    let taken = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                // A count in which a chunk went after it was counted is of no one moment: the next one is.
                let used = (0..5).map(|_| bytes(&spool)).find(|used| *used <= MIB);
                assert!(used.is_some(), "more than {MIB} bytes are in the spool");
            }
        });
        let mut taken = fill(&stream, 0);
        assert!((40..64).contains(&taken), "{taken} frames fill 1 MiB");
        let used = stream.stat(Stat::SpoolBytes);
        assert!(used <= MIB as i64 && used > (MIB - 3 * FRAME_BYTES as u64) as i64, "{used}");
        let refused = stream.stat(Stat::FramesDropped);
        assert_eq!([push(&stream, taken), push(&stream, taken)], [DISK_FULL; 2]);
        assert_eq!(stream.stat(Stat::FramesDropped), refused + 2);
        refusals_told(&stream, 1);

        service.set_faults("").expect("no rules");
        for _ in 0..2 {
            stream.wait_until("there is room again", |stream| push(stream, taken) == OK);
            taken += 1 + fill(&stream, taken + 1);
            refusals_told(&stream, 1);
        }
        assert_eq!(stream.finalize(-1), OK);
        over.store(true, Ordering::SeqCst);
        taken
    });
    let kept = service::only_stream(&service);
    assert!(numbers(&service::pixels(&kept), FRAME_BYTES).into_iter().eq(0..taken));
    assert_eq!(stream.stat(Stat::FramesConfirmed) as u64, taken);
    assert_eq!(stream.stat(Stat::FramesMissed), 0);
    assert_eq!(stream.stat(Stat::SpoolBytes), 0);
}

#[test]
fn what_was_set_aside_counts_towards_the_bound() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=422").expect("a rule");
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "spool_max_bytes=1048576"]));
    let taken = fill(&stream, 0);
    assert!(bytes(&workshop.spool()) <= MIB);
    assert_eq!(stream.finalize(-1), Code::WLoss as i32);
    assert_eq!(stream.stat(Stat::FramesLost) as u64, taken);
    let used = bytes(&workshop.spool());
    assert!((MIB / 2..=MIB).contains(&used), "{used}");
    drop(stream);
    let again = Stream::open(&with(options(&workshop), &["fps=10", "spool_max_bytes=1048576"]));
    assert!(again.stat(Stat::SpoolBytes) as u64 >= MIB / 2);
}

/// A small disk of its own, in memory; gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(workshop: &Workshop, bytes: u64) -> Option<SmallDisk> {
        let folder = workshop.spool();
        std::fs::create_dir(&folder).expect("target can be written");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(folder));
        }
        support::skip("a nearly full disk", "only root can mount one");
        None
    }

    fn free(&self) -> u64 {
        free_bytes(&self.0)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a log or lock file may still be open for a moment.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn free_bytes(folder: &Path) -> u64 {
    let output = Command::new("df").args(["-B1", "--output=avail"]).arg(folder).output().expect("df is there");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().and_then(|line| line.trim().parse().ok()).expect("a number of bytes")
}

#[test]
fn room_on_the_disk_is_left_to_others() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(&workshop, 4 * MIB) else { return };
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "spool_min_free_bytes=1048576"]));
    // The disk has blocks: what is free is looked at now and then.
    stream.wait_until("frames are refused", |stream| {
        fill(stream, 0);
        disk.free() < 2 * MIB
    });
    assert!(disk.free() + 64 * 1024 >= MIB, "{} bytes are free", disk.free());
    stream.wait_for(Event::DiskLow);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::FramesLost), 0);
}

#[test]
fn a_disk_that_others_fill_up_costs_no_frame_that_was_taken() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(&workshop, 8 * MIB) else { return };
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "spool_min_free_bytes=0", "stream_name=first"]));
    assert_eq!(push(&stream, 0), OK);
    stream.wait_until("the first frame is written", |stream| stream.stat(Stat::QueueFrames) == 0);

    let filler = disk.0.join("of somebody else");
    let _ = std::fs::write(&filler, vec![0; 8 << 20]); // As much as fits.
    assert_eq!(disk.free(), 0);
    let mut taken = 1;
    stream.wait_until("a write fails", |stream| {
        let code = push(stream, taken);
        taken += u64::from(code == OK);
        code == DISK_FULL
    });
    stream.wait_for(Event::DiskLow);
    assert_eq!(stream.finalize(0), Code::WPending as i32);
    std::fs::remove_file(filler).expect("it can be removed");
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::FramesLost), 0);

    let service = service::start(&workshop);
    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert!(numbers(&service::pixels(&service::only_stream(&service)), FRAME_BYTES).into_iter().eq(0..taken));
}

#[test]
fn a_chunk_that_the_disk_does_not_take_is_counted_and_may_come_again() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(&workshop, 4 * MIB) else { return };
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "spool_min_free_bytes=0"]));
    let filler = disk.0.join("of somebody else");
    let _ = std::fs::write(&filler, vec![0; 4 << 20]);
    let frames = numbered(5, 20 * 512);
    assert_eq!(stream.push_chunk(5, &frames, 20, 0), DISK_FULL);
    assert_eq!(stream.stat(Stat::FramesDropped), 20);
    std::fs::remove_file(filler).expect("it can be removed");
    stream.wait_until("the chunk is taken", |stream| stream.push_chunk(5, &frames, 20, 0) == OK);
    assert_eq!(stream.stat(Stat::FramesAccepted), 20);
    assert_eq!(stream.push_shade(1, NO_FRAME_ID, 0), Code::EArgument as i32);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn init_without_room_says_so_and_sends_what_was_left() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let left = Stream::open(&with(options(&workshop), &["fps=10"]));
    assert_eq!(push(&left, 0), OK);
    assert_eq!(left.finalize(-1), OK);
    // More room is to be left to others than any disk has.
    let without_room = |lines: Vec<String>| Stream::try_open(&with(lines, &["fps=10", "spool_min_free_bytes=1000000 GiB"]));
    let (code, said) = without_room(options(&workshop)).err().expect("nothing would ever make room");
    assert!(code == DISK_FULL && said.contains("no room"), "{code} {said}");

    let resumed = service::options(&service, &workshop);
    service.set_faults("presign:status=503").expect("a rule");
    let sending = Stream::resume(&resumed);
    sending.wait_for(Event::Connected); // From now on the recording belongs to this service.
    assert_eq!(sending.abort(), OK);
    drop(sending);
    service.set_faults("").expect("no rules");
    let (stream, remark) = without_room(resumed).expect("what is there can be sent");
    assert!(remark.contains("no room"), "{remark}");
    assert_eq!(push(&stream, 1), DISK_FULL);
    assert!(service.wait_until(support::HANGS_AFTER, |service| {
        service.streams().iter().any(|stream| stream.ended && stream.frames() == 1)
    }));
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn more_memory_than_there_is_is_refused_at_init_with_a_sentence() {
    let workshop = Workshop::new();
    for wanted in ["100000000 GiB", "1000000 GiB"] {
        let lines = with(options(&workshop), &["fps=10", &format!("queue_bytes={wanted}")]);
        let (code, said) = Stream::try_open(&lines).err().expect("no machine has so much");
        assert!(code == Code::EOption as i32 && said.contains("queue_bytes"), "{code} {said}");
    }
    assert!(support::spool::streams(&workshop.spool()).is_empty(), "nothing is left of it");
}

#[test]
fn a_disk_that_is_away_for_a_while_costs_nothing_and_nothing_is_written_in_its_place() {
    let (workshop, elsewhere) = (Workshop::new(), Workshop::new());
    let Some(disk) = SmallDisk::mount(&workshop, MIB * MIB) else { return };
    let place = elsewhere.path().join("place");
    std::fs::create_dir(&place).expect("target can be written");
    let come = || assert!(Command::new("mount").arg("--bind").args([&disk.0, &place]).status().is_ok_and(|done| done.success()));
    let go = || assert!(Command::new("umount").arg("-l").arg(&place).status().is_ok_and(|done| done.success()));
    come();
    let _bound = SmallDisk(place.clone());
    let service = service::start(&elsewhere);
    service.set_faults("presign:status=503").expect("a rule");
    let stream = Stream::open(&[
        format!("endpoint={}", service.url()),
        format!("api_key={}", service.key()),
        format!("spool_dir={}", place.join("spool").display()),
        "fps=1\nchunk_size=2\nspool_min_free_bytes=0\nlog_file=none\nclock_sync=off".into(),
    ]);
    (0..5).for_each(|number| assert_eq!(push(&stream, number), OK));
    stream.wait_until("two chunks wait", |stream| stream.stat(Stat::ChunksSealed) == 2 && stream.stat(Stat::QueueFrames) == 0);

    go();
    service.set_faults("").expect("no rules");
    let told = stream.wait_for(Event::DiskLow); // The disk is too large to be told of as nearly full.
    assert!(told.text.contains("the disk that the spool lies on is not there"), "{told:?}");
    assert_eq!(push(&stream, 5), OK);
    assert_eq!(stream.finalize(100), Code::WPending as i32);
    assert!(stream.stat(Stat::Health) > 0);
    assert_eq!(stream.stat(Stat::FramesLost), 0, "{}", stream.text(Text::Report));
    assert_eq!(entries(&place), [] as [PathBuf; 0]);

    come();
    assert_eq!(stream.finalize(-1), OK, "{}", stream.text(Text::Report));
    assert!(numbers(&service::pixels(&service::only_stream(&service)), FRAME_BYTES).into_iter().eq(0..6));
}
