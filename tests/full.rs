//! The disk fails: each thing that is asked of it fails once, for a while, and until it is mended. What is taken arrives, what
//! is not taken is refused and counted, and it goes on by itself.
#![cfg(feature = "receiver")]

mod disk;
mod support;

use disk::again::Service;
use disk::cut::{Kept, Platter, Tree};
use disk::{Asked, Disk, Kind, Verdict};
use rheed_stream::codes::{Code, Event, Stat, Text};
use rheed_stream::receiver::Receiver;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::frames::{numbered, numbers};
use support::host::{self, OK, PENDING, Stream};
use support::spool::{set_aside, streams, with};
use support::{HANGS_AFTER, Workshop, long_run, service};

const DISK_FULL: i32 = Code::EDiskFull as i32;
const LOSS: i32 = Code::WLoss as i32;
const SIDE: u32 = 32;
const FRAME_BYTES: usize = (SIDE * SIDE) as usize;
const PATIENCE_MS: i32 = HANGS_AFTER.as_millis() as i32;

/// A spool on a disk of its own, and a service elsewhere.
struct Place {
    disk: Disk,
    spool: PathBuf,
    service: Receiver,
    _workshop: Workshop,
    _elsewhere: Option<Workshop>,
}

impl Place {
    fn new() -> Place {
        let elsewhere = Workshop::new();
        let service = service::start(&elsewhere);
        Place { _elsewhere: Some(elsewhere), ..Place::holding(&Tree::default(), service) }
    }

    /// With this on the disk.
    fn holding(tree: &Tree, service: Receiver) -> Place {
        let workshop = Workshop::new();
        let folder = workshop.path().join("disk");
        tree.lay_out(&folder);
        Place { disk: Disk::below(&folder), spool: folder.join("spool"), service, _workshop: workshop, _elsewhere: None }
    }

    fn options(&self, more: &[&str]) -> Vec<String> {
        let lines = vec![
            format!("endpoint={}", self.service.url()),
            format!("api_key={}", self.service.key()),
            format!("spool_dir={}", self.spool.display()),
            "spool_min_free_bytes=0".into(),
            "log_file=none".into(),
            "clock_sync=off".into(),
        ];
        with(lines, more)
    }

    /// From the operation of this number on, of those that are meant, so many fail.
    fn fails(&self, first: u64, times: u64, number: i32, is_meant: impl Fn(&Asked) -> bool + Send + 'static) -> Arc<AtomicU64> {
        let asked_for = Arc::new(AtomicU64::new(0));
        let count = asked_for.clone();
        self.disk.decide(move |asked| {
            if !is_meant(asked) {
                return Verdict::Do;
            }
            let before = count.fetch_add(1, Ordering::SeqCst);
            if (first..first.saturating_add(times)).contains(&before) { Verdict::Fail(number) } else { Verdict::Do }
        });
        asked_for
    }

    /// Shards beside the spool.
    fn set_aside(&self) -> usize {
        set_aside(&self.spool).iter().filter(|file| file.to_string_lossy().ends_with(".shard")).count()
    }

    /// The numbers of all frames that have arrived, chunk by chunk.
    fn arrived(&self) -> Vec<u64> {
        let kept = self.service.streams();
        kept.iter().flat_map(|stream| numbers(&service::pixels(stream), FRAME_BYTES)).collect()
    }
}

fn push(stream: &Stream, number: u64) -> i32 {
    stream.push(&numbered(number, FRAME_BYTES), SIDE, SIDE, number, 0)
}

/// How a disk fails: so many times, with this number.
#[derive(Clone, Copy, Debug)]
struct Fault {
    times: u64,
    number: i32,
}

/// Once, for a while, until it is mended; for want of room, by a fault, and since nothing may be written any more.
fn faults() -> impl Iterator<Item = Fault> {
    let numbers = [libc::ENOSPC, libc::EIO, libc::EROFS];
    (0..9).map(move |index| Fault { times: [1, 3, u64::MAX][index / 3], number: numbers[(index + index / 3) % 3] })
}

/// The faults that are tried at one operation: some in the ordinary run, all in the long one.
fn faults_at(operation: u64) -> Vec<Fault> {
    let all: Vec<Fault> = faults().collect();
    let wanted = long_run::times("RHEED_TORTURE_DISK", 1).min(all.len() as u64);
    (0..wanted).map(|index| all[((operation + index) % all.len() as u64) as usize]).collect()
}

const FRAMES: u64 = 7;
const CHUNK: u64 = 2;

/// Streams while the disk fails from one of its operations on; says whether there was such an operation.
fn stream_on_a_failing_disk(first: u64, fault: Fault) -> bool {
    let place = Place::new();
    place.service.set_faults("presign:chunk=1,status=422").expect("a rule");
    let asked = place.fails(first, fault.times, fault.number, |asked| asked.kind.is_change());
    let lines = place.options(&["fps=1", "chunk_size=2"]);
    let mut opened = Stream::try_open(&lines);
    if let Err((code, said)) = &opened {
        assert!([DISK_FULL, Code::ESpool as i32].contains(code) && said.contains("spool_dir"), "{code} {said}");
        place.disk.heal();
        opened = Stream::try_open(&lines);
    }
    let (stream, _) = opened.unwrap_or_else(|(code, said)| panic!("rheed_init answers {code}: {said}"));

    let mut taken = Vec::new();
    for number in 0..FRAMES {
        match push(&stream, number) {
            OK => taken.push(number),
            code => assert_eq!(code, DISK_FULL),
        }
        stream.stats();
    }
    assert_eq!(stream.stat(Stat::FramesDropped) as u64, FRAMES - taken.len() as u64);
    if fault.times == u64::MAX {
        while asked.load(Ordering::SeqCst) <= first && stream.finalize(20) == PENDING {}
        // As far as it comes with such a disk.
        let code = stream.finalize(300);
        assert!([OK, PENDING, LOSS].contains(&code), "{code}");
        place.disk.heal();
    }
    let code = stream.finalize(PATIENCE_MS);
    assert!([OK, LOSS].contains(&code), "{code} {}", stream.text(Text::Report));

    // The second chunk is set aside, and nothing else is lost.
    let refused: Vec<u64> = taken.iter().copied().skip(CHUNK as usize).take(CHUNK as usize).collect();
    assert_eq!(stream.stat(Stat::FramesLost) as usize, refused.len(), "{}", stream.text(Text::Report));
    assert_eq!(stream.stat(Stat::FramesConfirmed) as usize, taken.len() - refused.len());
    assert_eq!(place.set_aside(), refused.len().div_ceil(CHUNK as usize));
    drop(stream);

    // What could not be cleared away is, the next time; nothing is sent twice or told as lost.
    place.disk.heal();
    let resumed = Stream::resume(&place.options(&[]));
    let code = resumed.flush(PATIENCE_MS);
    assert!([OK, LOSS].contains(&code), "{code} {}", resumed.text(Text::Report));
    assert_eq!(resumed.stat(Stat::FramesPending), 0);
    let left: Vec<PathBuf> =
        streams(&place.spool).into_iter().filter(|folder| !folder.to_string_lossy().contains("/.new-")).collect();
    assert!(left.is_empty(), "{left:?} {}", resumed.text(Text::Report));
    assert_eq!(place.set_aside(), refused.len().div_ceil(CHUNK as usize), "{}", resumed.text(Text::Report));
    let expected = taken.iter().copied().filter(|number| !refused.contains(number));
    assert!(place.arrived().into_iter().eq(expected), "{:?} of {taken:?}", place.arrived());
    asked.load(Ordering::SeqCst) > first
}

#[test]
fn whatever_fails_while_a_stream_is_written_costs_no_frame_that_was_taken() {
    let mut runs = 0;
    let operations = (0..)
        .take_while(|&first| {
            let faults = faults_at(first);
            runs += faults.len();
            faults.into_iter().all(|fault| {
                println!("from operation {first} on: {fault:?}");
                stream_on_a_failing_disk(first, fault)
            })
        })
        .count();
    assert!(operations > 50, "only {operations} operations were met");
    long_run::figure(&format!(
        "disk: {operations} operations of a stream failed in {runs} runs, no frame that was taken is missing"
    ));
}

/// What a process leaves that is killed while nothing can be sent: three chunks, and a frame in the fourth.
fn left_behind() -> (Tree, Service) {
    let elsewhere = Workshop::new();
    let place = Place::holding(&Tree::default(), service::start(&elsewhere));
    place.service.set_faults("presign:status=503").expect("a rule");
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
    let service = Service::remember(&place.service, elsewhere);
    (0..FRAMES).for_each(|number| assert_eq!(push(&stream, number), OK));
    stream.wait_until("all frames are written", |_| support::spool::frames(&place.spool) == FRAMES);
    let tree = as_a_kill_leaves_it(&place);
    assert_eq!(stream.abort(), OK);
    (tree, service)
}

/// What is on its disk now, as a kill would leave it.
fn as_a_kill_leaves_it(place: &Place) -> Tree {
    let mut platter = Platter::new(place.spool.parent().expect("it lies on the disk"));
    place.disk.changes().iter().for_each(|change| platter.note(change));
    platter.after_cut(Kept::Everything)
}

/// Takes a spool up while the disk fails from one of its operations on; says whether there was such an operation.
fn resume_on_a_failing_disk(tree: &Tree, service: &Service, first: u64, fault: Fault) -> bool {
    let place = Place::holding(tree, service.start_again(false));
    let asked = place.fails(first, fault.times, fault.number, |asked| asked.kind != Kind::Look);
    let resumed = Stream::resume(&place.options(&[]));
    if fault.times == u64::MAX {
        while asked.load(Ordering::SeqCst) <= first && resumed.flush(20) == PENDING {}
        let code = resumed.flush(300);
        assert!([OK, PENDING].contains(&code), "{code} {}", resumed.text(Text::Report));
        place.disk.heal();
    }
    // What could not be taken up is left for another time: then not all is done.
    let code = resumed.flush(PATIENCE_MS);
    assert!([OK, PENDING].contains(&code), "{code} {}", resumed.text(Text::Report));
    assert_eq!(resumed.stat(Stat::FramesLost), 0, "{}", resumed.text(Text::Report));
    let is_all_done = place.arrived().into_iter().eq(0..FRAMES);
    assert!(is_all_done || code == PENDING, "{:?} {}", place.arrived(), resumed.text(Text::Report));
    drop(resumed);
    place.disk.heal();

    let again = Stream::resume(&place.options(&[]));
    assert_eq!(again.flush(PATIENCE_MS), OK, "{}", again.text(Text::Report));
    assert_eq!((streams(&place.spool).len(), place.set_aside()), (0, 0), "{}", again.text(Text::Report));
    assert!(place.arrived().into_iter().eq(0..FRAMES), "{:?}", place.arrived());
    asked.load(Ordering::SeqCst) > first
}

#[test]
fn whatever_fails_while_a_spool_is_taken_up_costs_nothing_that_was_in_it() {
    let (tree, service) = left_behind();
    let every = if long_run::times("RHEED_TORTURE_DISK", 1) == 1 { 3 } else { 1 };
    let mut runs = 0;
    let operations = (0..)
        .step_by(every)
        .take_while(|&first| {
            let faults = faults_at(first);
            runs += faults.len();
            faults.into_iter().all(|fault| {
                println!("from operation {first} on: {fault:?}");
                resume_on_a_failing_disk(&tree, &service, first, fault)
            })
        })
        .count();
    assert!(operations > 20, "only {operations} operations were met");
    long_run::figure(&format!("disk: {operations} operations of a recovery failed in {runs} runs, every frame arrived"));
}

#[test]
fn a_data_id_that_could_not_be_written_at_first_is_written_before_a_kill_can_split_the_stream() {
    // What the disk refuses: the next manifest, once; or every one until a chunk that was sent has made room.
    for times in [1, u64::MAX] {
        println!("a manifest cannot be written {times} times");
        let place = Place::new();
        place.service.set_faults("create:status=503").expect("a rule");
        let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
        let has_room = AtomicBool::new(false);
        let asked = place.fails(0, times, libc::ENOSPC, move |asked| {
            has_room.fetch_or(asked.kind == Kind::RemoveFile && asked.is_of(".shard"), Ordering::SeqCst);
            !has_room.load(Ordering::SeqCst) && asked.kind == Kind::Write && asked.is_of("stream.next")
        });
        place.service.set_faults("presign:chunk=1,status=503").expect("a rule");
        (0..FRAMES).for_each(|number| assert_eq!(push(&stream, number), OK));
        stream.wait_until("a chunk is confirmed", |stream| stream.stat(Stat::ChunksConfirmed) == 1);
        stream.wait_until("all other frames are written", |_| support::spool::frames(&place.spool) == FRAMES - CHUNK);
        assert!(asked.load(Ordering::SeqCst) > 0);
        let left = as_a_kill_leaves_it(&place);
        assert_eq!(stream.abort(), OK);
        drop(stream);

        let Place { service, _elsewhere, .. } = place;
        service.set_faults("").expect("no rules");
        let again = Place::holding(&left, service);
        let resumed = Stream::resume(&again.options(&[]));
        assert_eq!(resumed.flush(PATIENCE_MS), OK, "{}", resumed.text(Text::Report));
        let kept = again.service.streams();
        assert!(kept.len() == 1 && kept[0].ended, "{kept:?}");
        assert!(again.arrived().into_iter().eq(0..FRAMES), "{:?}", again.arrived());
    }
}

#[test]
fn a_disk_that_hangs_holds_up_neither_pushes_nor_other_streams() {
    for kind in [Kind::MakeFile, Kind::Write, Kind::Rename, Kind::Sync, Kind::RemoveFile] {
        println!("{kind:?} hangs");
        let (hanging, well) = (Place::new(), Place::new());
        let stream = Stream::open(&hanging.options(&["fps=1", "chunk_size=2"]));
        hanging.disk.decide(move |asked| if asked.kind == kind { Verdict::Hang } else { Verdict::Do });
        // Each push returns although the disk does not.
        (0..FRAMES).for_each(|number| assert_eq!(push(&stream, number), OK));
        stream.wait_until("the disk hangs", |_| hanging.disk.hanging() > 0);

        let other = Stream::open(&well.options(&["fps=1", "chunk_size=2"]));
        (0..FRAMES).for_each(|number| assert_eq!(push(&other, number), OK));
        assert_eq!(other.finalize(PATIENCE_MS), OK, "{}", other.text(Text::Report));
        assert!(well.arrived().into_iter().eq(0..FRAMES));

        assert_eq!(stream.finalize(0), PENDING);
        assert_eq!(stream.stat(Stat::FramesAccepted) as u64, FRAMES);
        hanging.disk.heal();
        assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
        assert!(hanging.arrived().into_iter().eq(0..FRAMES));
    }
}

#[test]
fn a_sync_that_fails_is_told_once_and_such_a_chunk_is_read_through_before_it_is_sent() {
    let place = Place::new();
    // Nothing is under way to the service before the disk has said what it has to say.
    place.service.set_faults("create:status=503").expect("a rule");
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
    place.fails(0, u64::MAX, libc::EIO, |asked| asked.kind == Kind::Sync && asked.is_of(".shard"));
    (0..4).for_each(|number| assert_eq!(push(&stream, number), OK));
    let told = stream.wait_for(Event::DiskLow);
    assert!(told.text.contains("cannot be synced"), "{told:?}");
    let shard = |chunk: u64| support::spool::only_stream(&place.spool).join(format!("c{chunk:010}-2.shard"));
    stream.wait_until("both chunks are sealed", |_| shard(1).exists());
    assert!(stream.stat(Stat::Health) > 0);

    // The disk gives back something else than was written.
    let mut bytes = std::fs::read(shard(0)).expect("a shard");
    bytes[200] ^= 1;
    std::fs::write(shard(0), bytes).expect("it can be written");
    place.service.set_faults("").expect("no rules");
    assert_eq!(stream.finalize(PATIENCE_MS), LOSS);
    assert!(place.arrived().into_iter().eq(2..4), "{:?}", place.arrived());
    assert_eq!(place.set_aside(), 1);
    assert!(stream.events().iter().all(|told| !told.text.contains("cannot be synced")));
}

#[test]
fn two_streams_on_a_failing_disk_go_on_when_it_does_and_one_may_be_aborted_meanwhile() {
    let place = Place::new();
    let open = |name: &str| Stream::open(&place.options(&["fps=1", "chunk_size=2", &format!("stream_name={name}")]));
    let streams = ["kept", "kept too", "aborted"].map(open);
    place.fails(0, u64::MAX, libc::ENOSPC, |asked| asked.kind == Kind::Write);
    let mut taken = [0; 3];
    let push_once = |stream: &Stream, taken: &mut u64| {
        let code = push(stream, *taken);
        *taken += u64::from(code == OK);
        assert!([OK, DISK_FULL].contains(&code), "{code}");
        code
    };
    for (stream, taken) in streams.iter().zip(&mut taken) {
        // What one of them has found out holds for all.
        stream.wait_until("frames are refused", |stream| push_once(stream, taken) == DISK_FULL);
    }
    assert_eq!(streams[2].abort(), OK);
    for (stream, taken) in streams[..2].iter().zip(&mut taken) {
        stream.wait_until("frames are still refused", |stream| push_once(stream, taken) == DISK_FULL);
    }
    place.disk.heal();
    for (stream, taken) in streams[..2].iter().zip(&mut taken) {
        stream.wait_until("frames are taken again", |stream| push_once(stream, taken) == OK);
        assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
    }
    for (name, taken) in ["kept", "kept too"].into_iter().zip(taken) {
        let kept = place.service.streams().into_iter().find(|kept| kept.name == name).expect("it is there");
        assert!(kept.ended && numbers(&service::pixels(&kept), FRAME_BYTES).into_iter().eq(0..taken), "{kept:?}");
    }
}

#[test]
fn a_spool_that_is_removed_costs_the_sealed_chunks_in_it_and_nothing_that_comes_after() {
    let place = Place::new();
    place.service.set_faults("presign:status=503").expect("a rule");
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
    (0..3).for_each(|number| assert_eq!(push(&stream, number), OK));
    stream.wait_until("a chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 1);
    stream.wait_until("the third frame is written", |_| support::spool::frames(&place.spool) == 3);
    let folder = support::spool::only_stream(&place.spool);
    std::fs::remove_dir_all(&place.spool).expect("a folder can be removed");
    (3..FRAMES).for_each(|number| assert_eq!(push(&stream, number), OK));
    stream.wait_until("the folder is there again", |_| folder.join("stream.json").exists());
    // Else a try that had opened the chunk before would bring it through.
    stream.wait_until("the chunk is found missing", |stream| stream.stat(Stat::FramesLost) == 2);
    place.service.set_faults("").expect("no rules");

    assert_eq!(stream.finalize(PATIENCE_MS), LOSS, "{}", stream.text(Text::Report));
    assert!(stream.text(Text::Report).contains("missing from the spool"), "{}", stream.text(Text::Report));
    assert_eq!(stream.stat(Stat::FramesLost), 2);
    assert!(place.arrived().into_iter().eq(2..FRAMES), "{:?}", place.arrived());
    assert!(streams(&place.spool).is_empty());
}

/// Streams four frames to one chunk, of which somebody removes something when two are written; the disk is then as `fails` says.
#[track_caller]
fn an_open_chunk_survives(remove: impl Fn(&std::path::Path), fails: impl Fn(&Place)) {
    let place = Place::new();
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=4"]));
    (0..2).for_each(|number| assert_eq!(push(&stream, number), OK));
    stream.wait_until("the frames are written", |_| support::spool::frames(&place.spool) == 2);
    remove(&support::spool::only_stream(&place.spool));
    fails(&place);
    (2..4).for_each(|number| assert_eq!(push(&stream, number), OK));
    stream.wait_until("the chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 1);
    place.disk.heal();
    assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
    assert!(place.arrived().into_iter().eq(0..4), "{:?}", place.arrived());
    assert!(streams(&place.spool).is_empty() && place.set_aside() == 0);
}

#[test]
fn an_open_chunk_whose_folder_is_removed_is_copied_whole_however_often_the_copy_fails_half_way() {
    let remove = |folder: &std::path::Path| std::fs::remove_dir_all(folder).expect("it can be removed");
    for number in [libc::ENOSPC, libc::EIO] {
        an_open_chunk_survives(remove, |place| {
            place.fails(0, 3, number, |asked| asked.kind == Kind::Write && asked.is_of(".part"));
        });
    }
}

#[test]
fn an_open_chunk_survives_the_removal_of_any_file_of_its_folder() {
    for file in ["c0000000000.part", "lock", "stream.json"] {
        println!("{file} is removed");
        let remove = |folder: &std::path::Path| std::fs::remove_file(folder.join(file)).expect("it can be removed");
        an_open_chunk_survives(remove, |_| ());
    }
}

#[test]
fn a_folder_that_can_be_made_again_only_in_part_at_first_is_made_again_in_the_end() {
    let remove = |folder: &std::path::Path| std::fs::remove_dir_all(folder).expect("it can be removed");
    for (kind, ending) in [(Kind::MakeFile, "lock"), (Kind::Write, "stream.next"), (Kind::MakeFile, ".part")] {
        println!("{kind:?} of {ending} fails");
        an_open_chunk_survives(remove, |place| {
            place.fails(0, 3, libc::ENOSPC, move |asked| asked.kind == kind && asked.is_of(ending));
        });
    }
}

#[test]
fn a_rename_that_took_place_though_the_server_denies_it_is_seen() {
    let place = Place::new();
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
    let folder = support::spool::only_stream(&place.spool);
    let (part, shard) = (folder.join("c0000000000.part"), folder.join("c0000000000-2.shard"));
    place.fails(0, 1, libc::ENOENT, move |asked| {
        let is_meant = asked.kind == Kind::Rename && asked.is_of(".part");
        // Past the disk, which is just asked.
        is_meant && std::process::Command::new("mv").args([&part, &shard]).status().is_ok_and(|status| status.success())
    });
    (0..2).for_each(|number| assert_eq!(push(&stream, number), OK));
    assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
    assert!(place.arrived().into_iter().eq(0..2), "{:?}", place.arrived());
    let parts = place.disk.changes().iter().filter(|change| change.to_string().contains(".part is made")).count();
    assert_eq!(parts, 1, "the chunk is written once");
}

#[test]
fn folders_that_cannot_be_synced_or_opened_are_used_all_the_same() {
    let is_folder = |asked: &Asked| asked.path.extension().is_none() && !asked.is_of("lock");
    for (kind, number) in
        [(Kind::Open, libc::EACCES), (Kind::Sync, libc::EBADF), (Kind::Sync, libc::EINVAL), (Kind::Sync, libc::ENOTSUP)]
    {
        println!("{kind:?} fails with {number}");
        let place = Place::new();
        let asked = place.fails(0, u64::MAX, number, move |asked| asked.kind == kind && is_folder(asked));
        let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
        (0..FRAMES).for_each(|number| assert_eq!(push(&stream, number), OK));
        assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
        assert!(place.arrived().into_iter().eq(0..FRAMES) && asked.load(Ordering::SeqCst) > 0);
        assert!(stream.events().iter().all(|told| told.kind != Event::DiskLow as i32));
    }
}

#[test]
fn a_stream_whose_folder_cannot_be_synced_into_the_spool_leaves_nothing() {
    let place = Place::new();
    // The first time is that of the folder's making, the second that of its naming.
    place.fails(1, 1, libc::EIO, |asked| asked.kind == Kind::Sync && asked.is_of("/streams"));
    let (code, said) = Stream::try_open(&place.options(&["fps=1"])).err().expect("the disk fails");
    assert!(code == Code::ESpool as i32 && said.contains("spool_dir"), "{code} {said}");
    assert_eq!(streams(&place.spool), [] as [PathBuf; 0]);
}

#[test]
fn a_stream_that_cannot_be_looked_at_or_read_for_a_time_is_not_taken_for_one_that_is_gone() {
    let (tree, service) = left_behind();
    let refused = [("lock", Kind::Look), ("stream.json", Kind::Look), ("-2.shard", Kind::Look), ("", Kind::Look)];
    for (ending, kind) in refused {
        println!("{kind:?} at {ending:?} fails");
        let place = Place::holding(&tree, service.start_again(false));
        let folder = support::spool::only_stream(&place.spool);
        let named = if ending.is_empty() { folder.to_string_lossy().into_owned() } else { ending.to_string() };
        let asked = place.fails(0, u64::MAX, libc::EIO, move |asked| asked.kind == kind && asked.is_of(&named));
        let resumed = Stream::resume(&place.options(&[]));
        assert_eq!(resumed.flush(PATIENCE_MS), PENDING, "{}", resumed.text(Text::Report));
        assert!(asked.load(Ordering::SeqCst) > 0);
        drop(resumed);
        place.disk.heal();
        let again = Stream::resume(&place.options(&[]));
        assert_eq!(again.flush(PATIENCE_MS), OK, "{}", again.text(Text::Report));
        assert!(place.arrived().into_iter().eq(0..FRAMES) && place.set_aside() == 0, "{:?}", place.arrived());
    }
}

#[test]
fn a_full_disk_is_emptied_by_sending_what_is_on_it_and_then_the_rest_of_the_stream_is_taken_up() {
    let (tree, service) = left_behind();
    let place = Place::holding(&tree, service.start_again(false));
    place.service.set_faults("presign:chunk=1,status=422").expect("a rule");
    let has_room = AtomicBool::new(false);
    let refused = place.fails(0, u64::MAX, libc::ENOSPC, move |asked| {
        has_room.fetch_or(asked.kind == Kind::RemoveFile && asked.is_of(".shard"), Ordering::SeqCst);
        asked.kind == Kind::Write && !has_room.load(Ordering::SeqCst)
    });
    let resumed = Stream::resume(&place.options(&[]));
    assert_eq!(resumed.flush(PATIENCE_MS), PENDING, "{}", resumed.text(Text::Report));
    assert!(refused.load(Ordering::SeqCst) > 0);
    assert!(place.arrived().into_iter().eq([0, 1, 4, 5]), "{:?}", place.arrived());
    assert!(place.service.streams().iter().all(|stream| !stream.ended), "the rest is to come");
    assert!(resumed.text(Text::Report).contains("not taken up"), "{}", resumed.text(Text::Report));

    resumed.wait_until("the rest is sent", |resumed| resumed.flush(PATIENCE_MS) == LOSS);
    assert!(place.arrived().into_iter().eq([0, 1, 4, 5, 6]), "{:?}", place.arrived());
    assert!(place.service.streams().iter().all(|stream| stream.ended));
    let count = |stat: Stat| resumed.stat(stat) as u64;
    let counted = [Stat::FramesAccepted, Stat::FramesConfirmed, Stat::FramesLost, Stat::ChunksSealed].map(count);
    assert_eq!(counted, [FRAMES, FRAMES - CHUNK, CHUNK, 4], "each is counted once: {}", resumed.text(Text::Report));
    let report = resumed.text(Text::Report);
    assert!(report.contains("\"complete\":true") && !report.contains("not taken up"), "{report}");
    assert_eq!((streams(&place.spool).len(), place.set_aside()), (0, 1));
}

#[test]
fn what_is_sent_of_a_folder_that_can_be_neither_finished_nor_cleared_is_sent_once() {
    let (tree, service) = left_behind();
    let place = Place::holding(&tree, service.start_again(false));
    place.fails(0, u64::MAX, libc::EACCES, |asked| matches!(asked.kind, Kind::Write | Kind::RemoveFile));
    let resumed = Stream::resume(&place.options(&[]));
    resumed.wait_until("what can be sent is", |resumed| resumed.stat(Stat::FramesConfirmed) as u64 == FRAMES - 1);
    let told = resumed.wait_for(Event::DiskLow);
    assert!(told.text.contains("cannot be removed"), "{told:?}");
    assert_eq!(resumed.flush(0), PENDING);
    place.disk.heal();
    resumed.wait_until("the rest is sent", |resumed| resumed.flush(PATIENCE_MS) == OK);
    assert!(place.arrived().into_iter().eq(0..FRAMES) && streams(&place.spool).is_empty(), "{:?}", place.arrived());
    assert_eq!(service::puts(&place.service).len() as u64, FRAMES.div_ceil(CHUNK));
    assert_eq!(resumed.stat(Stat::FramesAccepted) as u64, FRAMES, "{}", resumed.text(Text::Report));
}

#[test]
fn a_confirmed_chunk_that_is_not_found_while_the_disk_is_away_is_not_sent_again() {
    let place = Place::new();
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
    place.fails(0, 1, libc::ENOENT, |asked| asked.kind == Kind::RemoveFile && asked.is_of(".shard"));
    (0..FRAMES).for_each(|number| assert_eq!(push(&stream, number), OK));
    assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
    assert!(place.arrived().into_iter().eq(0..FRAMES));
    assert_eq!(streams(&place.spool), [] as [PathBuf; 0]);
}

#[test]
fn a_chunk_that_was_refused_does_not_arrive_though_the_disk_does_not_let_it_be_removed() {
    // Until the disk is mended; or killed before that, when at least it could be emptied.
    for is_killed in [false, true] {
        let place = Place::new();
        let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
        let mut written = 0;
        place.disk.decide(move |asked| {
            written += u32::from(asked.kind == Kind::Write && asked.is_of(".part"));
            let fails = match asked.kind {
                Kind::Write => asked.is_of(".part") && written > 2, // Head and first frame are.
                Kind::SetLength => !is_killed,
                kind => kind == Kind::RemoveFile,
            };
            if fails { Verdict::Fail(libc::EIO) } else { Verdict::Do }
        });
        let frames = [numbered(7, host::FRAME_BYTES), numbered(8, host::FRAME_BYTES)].concat();
        assert!(stream.push_chunk(3, &frames, 2, 0) < OK);
        assert_eq!(stream.stat(Stat::FramesDropped), 2);
        let left = as_a_kill_leaves_it(&place);
        place.disk.heal();
        if !is_killed {
            assert_eq!(stream.push_chunk(4, &frames, 2, 0), OK);
            assert_eq!(stream.finalize(PATIENCE_MS), OK, "{}", stream.text(Text::Report));
            assert_eq!(streams(&place.spool), [] as [PathBuf; 0]);
            let chunks: Vec<u64> = service::only_stream(&place.service).chunks.iter().map(|chunk| chunk.index).collect();
            assert_eq!(chunks, [4]);
            continue;
        }
        assert_eq!(stream.abort(), OK);
        drop(stream);
        let Place { service, _elsewhere, .. } = place;
        let again = Place::holding(&left, service);
        let resumed = Stream::resume(&again.options(&[]));
        assert_eq!(resumed.flush(PATIENCE_MS), OK, "{}", resumed.text(Text::Report));
        assert_eq!((again.arrived().len(), resumed.stat(Stat::FramesAccepted)), (0, 0));
    }
}

/// So often is a folder that is in use asked for before it is left for later.
const TRIES: u64 = 5;

#[test]
fn a_stream_that_another_process_still_has_is_taken_up_later_by_a_program_that_runs_on() {
    let (tree, service) = left_behind();
    let place = Place::holding(&tree, service.start_again(false));
    let folder = support::spool::only_stream(&place.spool);
    let lock = std::fs::File::open(folder.join("lock")).expect("its lock");
    lock.lock().expect("nobody has it"); // As the program that is just ending.
    let path = folder.join("lock");
    let asked = place.fails(0, 0, 0, move |asked| asked.kind != Kind::Look && asked.path == path);
    let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
    stream.wait_until("it was asked for", |_| asked.load(Ordering::SeqCst) >= TRIES);
    drop(lock);

    let told = stream.wait_for(Event::TakenUp);
    assert_eq!(told.value as u64, FRAMES, "{told:?}");
    assert!(
        place
            .service
            .wait_until(HANGS_AFTER, |service| { service.streams().iter().any(|kept| kept.ended && kept.frames() == FRAMES) })
    );
    assert_eq!(stream.finalize(PATIENCE_MS), OK);
    assert!(place.arrived().into_iter().eq(0..FRAMES), "{:?}", place.arrived());
}

#[test]
fn a_stream_that_could_not_be_taken_up_for_a_time_is_by_the_same_resume() {
    let run = |kind: Kind, ending: &'static str| {
        let (tree, service) = left_behind();
        let place = Place::holding(&tree, service.start_again(false));
        place.fails(0, u64::MAX, libc::EIO, move |asked| asked.kind == kind && asked.is_of(ending));
        let resumed = Stream::resume(&place.options(&[]));
        assert_eq!(resumed.flush(PATIENCE_MS), PENDING, "{}", resumed.text(Text::Report));
        assert!(resumed.text(Text::Report).contains("not taken up"), "{}", resumed.text(Text::Report));
        place.disk.heal();
        resumed.wait_until("all is done", |resumed| resumed.flush(PATIENCE_MS) == OK);
        let report = resumed.text(Text::Report);
        assert!(report.contains("\"complete\":true") && !report.contains("not taken up"), "{report}");
        assert!(place.arrived().into_iter().eq(0..FRAMES), "{:?}", place.arrived());
        assert_eq!(streams(&place.spool).len(), 0);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(Kind::Look, "stream.json"));
        scope.spawn(|| run(Kind::List, "/streams"));
    });
}

#[test]
fn what_is_aborted_after_a_resume_that_still_looks_for_it_stays_where_it_is() {
    let (tree, service) = left_behind();
    let place = Place::holding(&tree, service.start_again(false));
    place.service.set_faults("presign:status=503").expect("a rule");
    let folder = support::spool::only_stream(&place.spool);
    let lock = std::fs::File::open(folder.join("lock")).expect("its lock");
    lock.lock().expect("nobody has it");
    // Behind all others in the order in which they are looked at: it tells when a look is over.
    std::fs::create_dir(place.spool.join("streams/z")).expect("a folder can be made");
    std::fs::write(place.spool.join("streams/z/stream.json"), "no manifest").expect("a file can be written");
    let looked = place.fails(0, 0, 0, |asked| asked.kind == Kind::Open && asked.is_of("z/stream.json"));
    let first = Stream::resume(&place.options(&[]));
    assert_eq!(first.flush(PATIENCE_MS), PENDING);
    drop(lock);

    let second = Stream::resume(&place.options(&[]));
    second.wait_for(Event::TakenUp);
    assert_eq!(second.abort(), OK);
    let before = looked.load(Ordering::SeqCst);
    // The first one's, and at most one of the second's that was on its way.
    first.wait_until("it has looked again", |_| looked.load(Ordering::SeqCst) >= before + 2);
    assert!(first.events().iter().all(|told| told.kind != Event::TakenUp as i32));
    assert_eq!((first.stat(Stat::FramesAccepted), support::spool::frames(&place.spool)), (0, FRAMES));
}

#[test]
fn an_aborted_stream_whose_disk_hangs_holds_up_the_taking_up_neither_elsewhere_nor_for_good_beside_it() {
    let (tree, service) = left_behind();
    let elsewhere = Place::new();
    let place = Place::holding(&tree, service.start_again(false));
    let hangs = |place: &Place| {
        let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
        let local_id = stream.text(Text::LocalId);
        place.disk.decide(move |asked| {
            let is_its = asked.kind == Kind::Write && asked.path.to_string_lossy().contains(&local_id);
            if is_its { Verdict::Hang } else { Verdict::Do }
        });
        assert_eq!(push(&stream, 0), OK);
        stream.wait_until("the disk hangs", |_| place.disk.hanging() > 0);
        assert_eq!(stream.abort(), OK);
        stream
    };
    let _far = hangs(&elsewhere);
    let resumed = Stream::resume(&place.options(&[]));
    assert_eq!(resumed.flush(PATIENCE_MS), OK, "{}", resumed.text(Text::Report));
    assert!(place.arrived().into_iter().eq(0..FRAMES), "{:?}", place.arrived());

    drop((resumed, place));
    let place = Place::holding(&tree, service.start_again(false));
    place.service.set_faults("").expect("no rules");
    let left = support::spool::only_stream(&place.spool);
    let lock = std::fs::File::open(left.join("lock")).expect("its lock");
    lock.lock().expect("nobody has it"); // So that the first search, the stream's own, leaves it.
    let near = hangs(&place);
    drop(lock);
    let resumed = Stream::resume(&place.options(&[]));
    assert_eq!(resumed.flush(PATIENCE_MS), OK, "{}", resumed.text(Text::Report));
    let is_whole = |service: &Receiver| service.streams().iter().any(|kept| kept.ended && kept.frames() == FRAMES);
    assert!(place.service.wait_until(HANGS_AFTER, is_whole));
    place.disk.heal();
    drop(near);
}

#[test]
fn a_stream_that_another_process_finishes_just_now_leaves_nothing_to_do() {
    let (tree, service) = left_behind();
    let place = Place::holding(&tree, service.start_again(false));
    let folder = support::spool::only_stream(&place.spool);
    place.disk.decide(move |asked| {
        if asked.kind == Kind::Open && asked.is_of("stream.json") {
            let _ = std::process::Command::new("rm").arg("-rf").arg(&folder).status(); // By another process, indeed.
        }
        Verdict::Do
    });
    let resumed = Stream::resume(&place.options(&[]));
    assert_eq!(resumed.flush(PATIENCE_MS), OK, "{}", resumed.text(Text::Report));
    assert!(streams(&place.spool).is_empty() && resumed.text(Text::Report).contains("\"complete\":true"));
}

#[test]
fn a_chunk_that_the_disk_does_not_let_be_read_for_a_time_is_sent_later() {
    let (tree, service) = left_behind();
    for number in [libc::EACCES, libc::EPERM] {
        let place = Place::holding(&tree, service.start_again(false));
        let asked = place.fails(0, 3, number, |asked| asked.kind == Kind::Open && asked.is_of(".shard"));
        let resumed = Stream::resume(&place.options(&[]));
        assert_eq!(resumed.flush(PATIENCE_MS), OK, "{}", resumed.text(Text::Report));
        assert!(place.arrived().into_iter().eq(0..FRAMES) && place.set_aside() == 0, "{:?}", place.arrived());
        assert!(asked.load(Ordering::SeqCst) > 3);
    }
}

#[test]
fn a_shard_that_fails_to_be_read_while_it_is_sent_is_the_disks_trouble_and_set_aside_if_that_does_not_end() {
    let shard_of_chunk_1 = |asked: &Asked| asked.kind == Kind::Read && asked.is_of("c0000000001-2.shard");
    let run = |times: u64| {
        let place = Place::new();
        let stream = Stream::open(&place.options(&["fps=1", "chunk_size=2"]));
        // Head and seal are read each time before the body is.
        let (mut reads, mut failed) = (0, 0);
        place.disk.decide(move |asked| {
            if !shard_of_chunk_1(asked) {
                return Verdict::Do;
            }
            reads += 1;
            if reads % 3 > 0 || failed == times {
                return Verdict::Do;
            }
            failed += 1;
            Verdict::Fail(libc::EIO)
        });
        (0..6).for_each(|number| assert_eq!(push(&stream, number), OK));
        let told = stream.wait_for(Event::DiskLow);
        assert!(told.text.contains("chunk 1: the chunk's file cannot be read: Input/output error"), "{told:?}");
        let is_lost = times == u64::MAX;
        assert_eq!(stream.finalize(PATIENCE_MS), if is_lost { LOSS } else { OK }, "{}", stream.text(Text::Report));
        let told = stream.events();
        assert!(told.iter().all(|told| ![Event::DiskLow as i32, Event::Offline as i32].contains(&told.kind)), "{told:#?}");
        let aside: Vec<_> = told.iter().filter(|told| told.kind == Event::ChunkSetAside as i32).collect();
        assert_eq!((aside.len(), place.set_aside()), (usize::from(is_lost), usize::from(is_lost)), "{aside:?}");
        assert!(aside.iter().all(|aside| aside.value == 1 && aside.text.contains("Input/output error")), "{aside:?}");
        assert!(place.arrived().into_iter().eq((0..6).filter(|number| !is_lost || number / 2 != 1)), "{:?}", place.arrived());
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(2));
        scope.spawn(|| run(u64::MAX));
    });
}
