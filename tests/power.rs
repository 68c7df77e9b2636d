//! The power is cut between any two things that a process does to its disk: what fsync promises is there afterwards, nothing
//! wrong is sent, and the rest goes on.
#![cfg(feature = "receiver")]

mod disk;
mod support;

use disk::again::Service;
use disk::cut::{Kept, Platter, Tree};
use disk::{Change, Disk, Verdict};
use rheed_stream::codes::{Code, Stat, Text};
use rheed_stream::receiver::{ChunkRecord, Receiver, StreamRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use support::frames::{numbered, numbers};
use support::host::{OK, Stream};
use support::spool::{set_aside, streams, with};
use support::{HANGS_AFTER, Workshop, long_run, service};

const SIDE: u32 = 72;
/// More than a page.
const FRAME_BYTES: usize = (SIDE * SIDE) as usize;
const CHUNK: u64 = 5;
/// The chunk that the service will not have.
const REFUSED: u64 = 3;
const FRAMES: u64 = 43;
const FIRST_NS: i64 = 1_700_000_000_000_000_000;
const FRAME_NS: i64 = 500_000_000;

/// What the service has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    arrived: BTreeSet<u64>,
    ended: bool,
}

impl Known {
    fn to(service: &Receiver) -> Known {
        let streams = service.streams();
        let arrived = streams.iter().flat_map(|stream| &stream.chunks).map(|chunk| chunk.index).collect();
        Known { arrived, ended: streams.iter().any(|stream| stream.ended) }
    }
}

/// All that a process did to its disk, and what the service had before each step, and at last.
struct Life {
    workshop: Workshop,
    began_with: Tree,
    changes: Vec<Change>,
    known: Vec<Known>,
}

/// The only thing on the disk.
fn spool(workshop: &Workshop) -> PathBuf {
    workshop.path().join("disk/spool")
}

fn options(service: &Receiver, spool: &Path) -> Vec<String> {
    vec![
        format!("endpoint={}", service.url()),
        format!("api_key={}", service.key()),
        format!("spool_dir={}", spool.display()),
        "spool_min_free_bytes=0".into(),
        "log_file=none".into(),
        "clock_sync=off".into(),
    ]
}

impl Life {
    /// Watches what `live` does to a disk that begins so.
    fn watch(began_with: Tree, service: &Arc<Receiver>, live: impl FnOnce(&Path)) -> Life {
        let workshop = Workshop::new();
        let folder = workshop.path().join("disk");
        began_with.lay_out(&folder);
        let disk = Disk::below(&folder);
        let known = Arc::new(Mutex::new(Vec::new()));
        disk.decide({
            let (known, service) = (known.clone(), service.clone());
            move |asked| {
                let mut known = known.lock().expect("nobody panics with it");
                known.resize(asked.changes, Known::default());
                known.push(Known::to(&service));
                Verdict::Do
            }
        });
        live(&spool(&workshop));
        let changes = disk.changes();
        let mut known = known.lock().expect("nobody panics with it").clone();
        known.truncate(changes.len());
        known.push(Known::to(service));
        Life { workshop, began_with, changes, known }
    }

    /// From before the first change to after the last: the number of changes, and the disk after them.
    fn cuts(&self, mut cut: impl FnMut(usize, &Platter)) {
        let mut platter = Platter::holding(&self.workshop.path().join("disk"), &self.began_with);
        cut(0, &platter);
        for (number, change) in self.changes.iter().enumerate() {
            platter.note(change);
            cut(number + 1, &platter);
        }
    }

    /// What is promised after so many changes: each chunk's frames that have to be there still, or to have arrived.
    fn promised(&self, changes: usize, kept: Kept) -> BTreeMap<u64, u64> {
        let mut promised = BTreeMap::new();
        // The frames that were written to each chunk; the chunks whose file was synced after it was sealed.
        let (mut written, mut synced) = (BTreeMap::new(), BTreeSet::new());
        for change in &self.changes[..changes] {
            match change {
                Change::Write { path, at: 1.., bytes } if is_part(path) && !bytes.starts_with(b"RHEEDse1") => {
                    *written.entry(chunk_of(path)).or_default() += 1
                }
                Change::Sync(path) if path.extension() == Some(OsStr::new("shard")) => _ = synced.insert(chunk_of(path)),
                Change::Sync(path) if path.parent().and_then(Path::file_name) == Some(OsStr::new("streams")) => {
                    promised.extend(synced.iter().map(|chunk| (*chunk, frames_of(*chunk).count() as u64)));
                }
                _ => {}
            }
        }
        if matches!(kept, Kept::Everything) { written } else { promised }
    }
}

/// Whether a file is a chunk that is being filled. Behind its head come frames, and at last the seal.
fn is_part(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("part"))
}

/// The chunk that a file is of.
fn chunk_of(path: &Path) -> u64 {
    let name = path.file_name().expect("a name").to_string_lossy();
    name[1..11].parse().unwrap_or_else(|_| panic!("{name} is no chunk's file"))
}

fn frames_of(chunk: u64) -> std::ops::Range<u64> {
    chunk * CHUNK..FRAMES.min((chunk + 1) * CHUNK)
}

/// What arrived of a chunk is its first frames and nothing else; says how many.
#[track_caller]
fn first_frames(stream: &StreamRecord, chunk: &ChunkRecord) -> u64 {
    let first = chunk.index * CHUNK;
    let one = StreamRecord { chunks: vec![chunk.clone()], ..stream.clone() };
    assert!(numbers(&service::pixels(&one), FRAME_BYTES).into_iter().eq(first..first + chunk.frames), "{chunk:?}");
    assert!(chunk.frames <= frames_of(chunk.index).count() as u64, "{chunk:?}");
    let ms = |frame: u64| ((FIRST_NS + frame as i64 * FRAME_NS) / 1_000_000) as f64;
    assert_eq!((chunk.start_unix_ms_utc, chunk.end_unix_ms_utc), (ms(first), ms(first + chunk.frames)), "{chunk:?}");
    chunk.frames
}

/// The morning after: everything that was promised is there, and all that is there is sent, but what is damaged.
#[track_caller]
fn is_recovered(tree: &Tree, promised: &BTreeMap<u64, u64>, known: &Known, service: &Service, room: &Workshop) {
    let disk = room.path().join("after");
    tree.lay_out(&disk);
    let spool = disk.join("spool");
    let service = service.start_again(known.ended);
    let mut arrived = BTreeMap::new();
    if spool.join("streams").is_dir() {
        let resumed = Stream::resume(&options(&service, &spool));
        let code = resumed.flush(HANGS_AFTER.as_millis() as i32);
        assert!(code == OK || code == Code::WLoss as i32, "flush answers {code}: {}", resumed.text(Text::Report));
        for stream in service.streams() {
            for chunk in &stream.chunks {
                assert!(stream.ended, "{stream:?}");
                assert_eq!(arrived.insert(chunk.index, first_frames(&stream, chunk)), None, "chunk {} came twice", chunk.index);
            }
        }
        let confirmed: u64 = arrived.values().sum();
        assert_eq!(resumed.stat(Stat::FramesConfirmed) as u64, confirmed);
        assert_eq!(resumed.stat(Stat::FramesPending), 0);
        // One that was not yet complete is left for a while: its maker may live.
        let is_unborn = |folder: &PathBuf| folder.to_string_lossy().contains("/.new-");
        assert!(streams(&spool).iter().all(is_unborn), "{:?} {}", streams(&spool), resumed.text(Text::Report));
    }
    let aside = set_aside(&spool);
    if known.ended {
        let is_no_loss = |file: &PathBuf| chunk_of(file) == REFUSED || !promised.contains_key(&chunk_of(file));
        assert!(aside.iter().all(is_no_loss), "what was confirmed is told as lost: {aside:?}");
    }
    let is_aside = |chunk: u64, frames: u64| {
        let file = aside.iter().find(|file| file.ends_with(format!("c{chunk:010}-{frames}.shard")));
        let shard = file.map(|file| fs::read(file).expect("it can be read"));
        let pixels = shard.map(|shard| service::shard_pixels(&shard, frames, frames));
        pixels.is_some_and(|pixels| numbers(&pixels, FRAME_BYTES).into_iter().eq(frames_of(chunk)))
    };
    for (&chunk, &frames) in promised {
        let has_arrived = known.arrived.contains(&chunk) || arrived.get(&chunk).is_some_and(|there| *there >= frames);
        let is_kept = has_arrived || (chunk == REFUSED && is_aside(chunk, frames));
        assert!(is_kept, "{frames} frames of chunk {chunk} are lost; arrived: {arrived:?}, aside: {aside:?}");
    }
}

/// Cuts the power after every change of a life, and takes up what the disk holds then; says how often.
fn torture(name: &str, life: &Life, at_first: &BTreeMap<u64, u64>, service: &Service) -> u64 {
    let room = Workshop::new();
    let variants = long_run::times("RHEED_TORTURE_CUTS", 1);
    let mut recovered = 0;
    life.cuts(|changes, platter| {
        let before = &life.known[changes.saturating_sub(1)];
        let after = &life.known[changes];
        for variant in 0..variants {
            let kept = match if variants == 1 { changes as u64 % 3 } else { variant } {
                0 => Kept::Everything,
                1 => Kept::Synced,
                _ => Kept::Some(changes as u64 * variants + variant),
            };
            let mut promised = at_first.clone();
            promised.extend(life.promised(changes, kept));
            let tree = platter.after_cut(kept);
            // The service may have been as far as before the last change, or as it was just before the next.
            for known in if before.ended == after.ended { vec![before] } else { vec![before, after] } {
                let next = life.changes.get(changes);
                println!("{name}: {kept:?} after change {changes}, before {}", next.map_or("the end".into(), Change::to_string));
                is_recovered(&tree, &promised, known, service, &room);
                recovered += 1;
            }
        }
    });
    long_run::figure(&format!(
        "power: {name}: {} cuts, {recovered} disks recovered, none lost what was promised",
        life.changes.len() + 1
    ));
    recovered
}

#[track_caller]
fn push_all(stream: &Stream) {
    for frame in 0..FRAMES {
        let pixels = numbered(frame, FRAME_BYTES);
        assert_eq!(stream.push(&pixels, SIDE, SIDE, frame, FIRST_NS + frame as i64 * FRAME_NS), OK);
    }
}

/// A stream from its beginning to its end. One chunk is refused, others wait for their turn.
fn a_stream() -> (Life, Service) {
    let workshop = Workshop::new();
    let receiver = Arc::new(service::start(&workshop));
    let faults = format!("presign:chunk={REFUSED},status=422\nput:delay_ms=20,every=2");
    receiver.set_faults(&faults).expect("rules");
    let mut kept = None;
    let life = Life::watch(Tree::default(), &receiver, |spool| {
        let stream = Stream::open(&with(options(&receiver, spool), &["fps=2", "chunk_size=5", "max_workers=2"]));
        kept = Some(Service::remember(&receiver, workshop));
        push_all(&stream);
        assert_eq!(stream.finalize(-1), Code::WLoss as i32);
        assert_eq!(stream.stat(Stat::FramesConfirmed) as u64, FRAMES - CHUNK);
    });
    receiver.stop();
    (life, kept.expect("it was remembered"))
}

#[test]
fn what_was_synced_before_a_power_cut_is_sent_after_it_and_nothing_wrong_is() {
    let (life, service) = a_stream();
    torture("a stream's life", &life, &BTreeMap::new(), &service);
}

#[test]
fn a_recording_that_is_finalized_is_whole_after_a_power_cut() {
    let workshop = Workshop::new();
    let receiver = Arc::new(service::start(&workshop));
    let service = Service::remember(&receiver, workshop);
    let life = Life::watch(Tree::default(), &receiver, |spool| {
        let lines = ["endpoint=none".into(), format!("spool_dir={}", spool.display()), "log_file=none".into()];
        let stream = Stream::open(&with(lines.into(), &["fps=2", "chunk_size=5", "spool_min_free_bytes=0"]));
        push_all(&stream);
        assert_eq!(stream.finalize(-1), OK);
    });
    receiver.stop();
    assert_eq!(life.promised(life.changes.len(), Kept::Synced).into_values().sum::<u64>(), FRAMES);
    torture("a recording", &life, &BTreeMap::new(), &service);
}

#[test]
fn a_power_cut_in_a_recovery_costs_nothing_that_was_on_the_disk() {
    let (life, service) = a_stream();
    // Killed when chunks waited and another was open.
    let mut killed = None;
    life.cuts(|changes, platter| {
        let tree = platter.after_cut(Kept::Everything);
        let count = |ending: &str| tree.files.keys().filter(|file| file.to_string_lossy().ends_with(ending)).count();
        let written = life.promised(changes, Kept::Everything);
        if count(".shard") > 2 && count(".part") == 1 && written.values().any(|frames| *frames == 3) {
            let there = |chunk: &u64| tree.files.keys().any(|file| file.to_string_lossy().contains(&format!("/c{chunk:010}")));
            let written = written.into_iter().filter(|(chunk, _)| there(chunk)).collect::<BTreeMap<_, _>>();
            killed = Some((tree, written));
        }
    });
    let (mut tree, mut there) = killed.expect("chunks waited while another was open");
    // One of them is damaged, and is to be set aside.
    let (&damaged, _) = there.first_key_value().expect("a chunk");
    there.remove(&damaged);
    let (_, bytes) =
        tree.files.iter_mut().find(|(file, _)| file.to_string_lossy().contains(&format!("/c{damaged:010}"))).expect("a file");
    bytes[3000] ^= 1;

    let receiver = Arc::new(service.start_again(false));
    let life = Life::watch(tree, &receiver, |spool| {
        let resumed = Stream::resume(&options(&receiver, spool));
        assert_eq!(resumed.flush(-1), Code::WLoss as i32, "{}", resumed.text(Text::Report));
    });
    receiver.stop();
    torture("a recovery", &life, &there, &service);
}
