//! Files of a spool that are torn, cut off, flipped or foreign: set aside with a logged reason, never sent as if they were good,
//! and no obstacle to the rest.
//!
//! One stream's folder holds hundreds of chunks, each damaged otherwise, with good ones among them; another stream lies beside
//! it. `RHEED_TORTURE_FLIPS` says how many bits of a file are flipped; 0 = all of them.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Stat, Text};
use rheed_stream::receiver::{Receiver, StreamRecord};
use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::frames::{numbered, numbers};
use support::host::{OK, PENDING, Stream};
use support::long_run::{figure, times};
use support::spool::{entries, frame_ids, options, set_aside, streams, with};
use support::{MustSucceed, PATIENCE_MS, Workshop, night, service};

/// Small frames make small files, of which every byte can be tried.
const SIDE: u32 = 4;
const FRAME_BYTES: usize = (SIDE * SIDE) as usize;
const LOSS: i32 = Code::WLoss as i32;
/// Record of 72 bytes before all frames, of 80 and the index behind them: 16 bytes a frame, and 4.
const HEAD: usize = 72;
const fn seal_bytes(frames: usize) -> usize {
    80 + 16 * frames + 4
}

/// Frames of each chunk.
const FRAMES: u64 = 3;

/// A spool that waits for a resume: a stream of many chunks, and another that nobody touches.
struct Bench {
    workshop: Workshop,
    service: Receiver,
    folder: PathBuf,
    chunks: u64,
}

/// What a resume made of it.
struct Outcome {
    resumed: Stream,
    code: i32,
    /// The frames of the damaged stream that arrived, chunk by chunk.
    arrived: Vec<Vec<u64>>,
}

impl Bench {
    fn new(chunks: u64) -> Bench {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        record(&workshop, "untouched", 2);
        let folder = record(&workshop, "damaged", chunks);
        Bench { workshop, service, folder, chunks }
    }

    fn shard(&self, chunk: u64) -> PathBuf {
        self.folder.join(format!("c{chunk:010}-{FRAMES}.shard"))
    }

    fn part(&self, chunk: u64) -> PathBuf {
        self.folder.join(format!("c{chunk:010}.part"))
    }

    /// As a kill leaves it that comes before the seal.
    fn unseal(&self, chunk: u64) -> PathBuf {
        let bytes = fs::read(self.shard(chunk)).expect("a shard");
        self.keep_as_part(chunk, &bytes[..bytes.len() - seal_bytes(FRAMES as usize)])
    }

    /// As a kill leaves it that comes between seal and rename.
    fn unname(&self, chunk: u64) -> PathBuf {
        let bytes = fs::read(self.shard(chunk)).expect("a shard");
        self.keep_as_part(chunk, &bytes)
    }

    fn keep_as_part(&self, chunk: u64, bytes: &[u8]) -> PathBuf {
        fs::remove_file(self.shard(chunk)).expect("it was there");
        fs::write(self.part(chunk), bytes).expect("a file can be written");
        self.part(chunk)
    }

    /// Takes the spool up. Both streams have to be ended and gone from the spool, the untouched one whole, and all that was set
    /// aside has a reason, which the log tells with the chunk or the file.
    #[track_caller]
    fn resume(&self) -> Outcome {
        let log = self.workshop.path().join("resume.log");
        let resumed = Stream::resume(&self.options(&log));
        let code = resumed.flush(PATIENCE_MS);
        let named = |name: &str| self.service.streams().into_iter().find(|stream| stream.name == name);
        let untouched = named("untouched").expect("the other stream is sent");
        assert!(untouched.ended);
        assert!(numbers(&service::pixels(&untouched), FRAME_BYTES).into_iter().eq(0..2 * FRAMES));
        let damaged = named("damaged").expect("what is good is sent");
        assert!(damaged.ended, "{damaged:?}");
        assert_eq!(streams(&self.workshop.spool()), [] as [PathBuf; 0], "{}", resumed.text(Text::Report));
        assert_eq!(resumed.stat(Stat::FramesPending), 0);
        self.reasons_are_logged(&resumed, &log);
        Outcome { arrived: by_chunk(&damaged, self.chunks), resumed, code }
    }

    fn options(&self, log: &Path) -> Vec<String> {
        let options = service::options(&self.service, &self.workshop);
        let log = format!("log_file={}", log.display());
        options.into_iter().filter(|line| line != "log_file=none").chain([log]).collect()
    }

    #[track_caller]
    fn reasons_are_logged(&self, resumed: &Stream, log: &Path) {
        let mut untold: Vec<(String, String)> = set_aside(&self.workshop.spool())
            .iter()
            .map(|file| {
                let reason = fs::read_to_string(format!("{}.reason.txt", file.display())).expect("a reason");
                assert!(!reason.is_empty());
                (file.file_name().expect("a name").to_string_lossy().into_owned(), reason)
            })
            .collect();
        resumed.wait_until("the log names files and reasons", |_| {
            let log = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(" set aside")).collect();
            untold.retain(|(name, reason)| {
                let chunk = name.strip_prefix('c').and_then(|rest| rest.get(..10)?.parse::<u64>().ok());
                // The second of a name has a number behind it.
                let subjects = [Some(name.trim_end_matches(".2").to_string()), chunk.map(|chunk| format!("chunk {chunk}"))];
                let abouts: Vec<String> = subjects.iter().flatten().map(|subject| format!("{subject} set aside")).collect();
                !lines.iter().any(|line| line.ends_with(reason.as_str()) && abouts.iter().any(|about| line.contains(about)))
            });
            untold.is_empty()
        });
    }
}

/// A stream of so many chunks that lies complete in the test's spool; its folder. Its frames are numbered from 0.
fn record(workshop: &Workshop, name: &str, chunks: u64) -> PathBuf {
    let size = format!("chunk_size={FRAMES}");
    let stream = Stream::open(&with(options(workshop), &["fps=1", "when_full=block", &size, &format!("stream_name={name}")]));
    for number in 0..chunks * FRAMES {
        assert_eq!(stream.push(&numbered(number, FRAME_BYTES), SIDE, SIDE, number, 0), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    workshop.spool().join("streams").join(stream.text(Text::LocalId))
}

/// Whole frames, chunk after chunk; none of a chunk that has not come.
#[track_caller]
fn by_chunk(stream: &StreamRecord, chunks: u64) -> Vec<Vec<u64>> {
    let mut found = vec![Vec::new(); chunks as usize];
    for chunk in &stream.chunks {
        let alone = StreamRecord { chunks: vec![chunk.clone()], ..stream.clone() };
        found[chunk.index as usize] = numbers(&service::pixels(&alone), FRAME_BYTES);
    }
    found
}

/// The frames that a chunk has when nothing happens to it.
fn frames_of(chunk: u64) -> Vec<u64> {
    (chunk * FRAMES..(chunk + 1) * FRAMES).collect()
}

fn flip(file: &Path, bit: usize) {
    let mut bytes = fs::read(file).expect("a file can be read");
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(file, bytes).expect("a file can be written");
}

fn cut(file: &Path, length: usize) {
    File::options().write(true).open(file).expect("a file").set_len(length as u64).expect("a file can be cut");
}

/// Bits of a file to flip: one of each byte and some more, unless all are asked for.
fn bits(length: usize) -> Vec<usize> {
    let wanted = times("RHEED_TORTURE_FLIPS", 100) as usize;
    if wanted == 0 {
        return (0..8 * length).collect();
    }
    let of_each_byte = (0..length).map(|byte| 8 * byte + fastrand::usize(..8));
    of_each_byte.chain((0..wanted).map(|_| fastrand::usize(..8 * length))).collect()
}

/// Of so many chunks the first is good, the last, and one here and there between those that are damaged.
const GOOD_EACH: usize = 8;

fn is_good(chunk: usize) -> bool {
    chunk.is_multiple_of(GOOD_EACH)
}

/// A bench with chunks for so many cases, and the chunks that are to be damaged.
fn bench_for(cases: usize) -> (Bench, impl Iterator<Item = u64>) {
    let chunks = (cases / (GOOD_EACH - 1) + 1) * GOOD_EACH + 1;
    (Bench::new(chunks as u64), (0..chunks).filter(|chunk| !is_good(*chunk)).take(cases).map(|chunk| chunk as u64))
}

/// Of what all chunks of these tests are long.
fn usual_length() -> usize {
    let bench = Bench::new(1);
    fs::metadata(bench.shard(0)).expect("a shard").len() as usize
}

impl Outcome {
    /// What arrived of the chunks that were damaged, of so many. Those that nobody touched have arrived whole.
    #[track_caller]
    fn damaged(&self, cases: usize) -> Vec<Vec<u64>> {
        let (_, damaged): (Vec<_>, Vec<_>) = self.arrived.iter().enumerate().partition(|(chunk, _)| is_good(*chunk));
        let untouched = self.arrived.iter().enumerate().filter(|(chunk, _)| is_good(*chunk) || chunk - chunk / GOOD_EACH > cases);
        for (chunk, frames) in untouched {
            assert_eq!(*frames, frames_of(chunk as u64), "chunk {chunk}");
        }
        damaged.into_iter().take(cases).map(|(_, frames)| frames.clone()).collect()
    }
}

#[test]
fn a_sealed_chunk_cut_off_at_any_byte_is_set_aside() {
    let length = usual_length();
    let (bench, chunks) = bench_for(length);
    for (length, chunk) in chunks.enumerate() {
        cut(&bench.shard(chunk), length);
    }
    let outcome = bench.resume();
    assert_eq!((outcome.code, outcome.resumed.stat(Stat::FramesLost)), (LOSS, length as i64 * FRAMES as i64));
    assert!(outcome.damaged(length).iter().all(Vec::is_empty));
    assert_eq!(set_aside(&bench.workshop.spool()).len(), length);
    figure(&format!("damage: sealed chunks cut off at {length} bytes: each set aside"));
}

#[test]
fn a_part_filled_chunk_cut_off_at_any_byte_loses_the_torn_frame_and_no_other() {
    let length = usual_length();
    let (bench, chunks) = bench_for(length);
    let mut expected = Vec::new();
    for (length, chunk) in chunks.enumerate() {
        let part = bench.unname(chunk);
        cut(&part, length);
        expected.push(frame_ids(&part));
    }
    let outcome = bench.resume();
    // A kill leaves no more and no less: nothing is damaged.
    assert_eq!((outcome.code, set_aside(&bench.workshop.spool())), (OK, vec![]));
    assert_eq!(outcome.damaged(length), expected);
    figure(&format!("damage: part-filled chunks cut off at {length} bytes: each sent but for the torn frame"));
}

#[test]
fn a_sealed_chunk_with_a_flipped_bit_is_set_aside() {
    let bits = bits(usual_length());
    let (bench, chunks) = bench_for(bits.len());
    for (bit, chunk) in bits.iter().zip(chunks) {
        flip(&bench.shard(chunk), *bit);
    }
    let outcome = bench.resume();
    assert_eq!((outcome.code, outcome.resumed.stat(Stat::FramesLost)), (LOSS, (bits.len() as u64 * FRAMES) as i64));
    assert!(outcome.damaged(bits.len()).iter().all(Vec::is_empty));
    assert_eq!(set_aside(&bench.workshop.spool()).len(), bits.len());
    figure(&format!("damage: {} flipped bits in sealed chunks: each set aside", bits.len()));
}

#[test]
fn a_part_filled_chunk_with_a_flipped_bit_is_set_aside_and_its_frames_are_counted() {
    let bits = bits(usual_length() - seal_bytes(FRAMES as usize));
    let (bench, chunks) = bench_for(bits.len());
    for (bit, chunk) in bits.iter().zip(chunks) {
        flip(&bench.unseal(chunk), *bit);
    }
    let outcome = bench.resume();
    assert_eq!((outcome.code, outcome.resumed.stat(Stat::FramesLost)), (LOSS, (bits.len() as u64 * FRAMES) as i64));
    assert!(outcome.damaged(bits.len()).iter().all(Vec::is_empty));
    assert_eq!(set_aside(&bench.workshop.spool()).len(), bits.len());
    figure(&format!("damage: {} flipped bits in part-filled chunks: each set aside, its frames counted", bits.len()));
}

/// Every frame has a crc of its own, from which seal and index can be made again: a flip behind the frames is mended and does no
/// harm. The beginning of the seal alone says that it is one; without it the file is damaged.
#[test]
fn a_flipped_bit_behind_the_frames_of_a_chunk_that_was_not_yet_renamed_is_mended_or_the_chunk_is_set_aside() {
    let seal = usual_length() - seal_bytes(FRAMES as usize);
    let bits: Vec<usize> = bits(seal_bytes(FRAMES as usize)).into_iter().map(|bit| 8 * seal + bit).collect();
    let is_in_magic = |bit: usize| bit < 8 * (seal + 8);
    let in_magic = bits.iter().filter(|bit| is_in_magic(**bit)).count();
    let (bench, chunks) = bench_for(bits.len());
    let chunks: Vec<u64> = chunks.collect();
    for (bit, chunk) in bits.iter().zip(&chunks) {
        flip(&bench.unname(*chunk), *bit);
    }
    let outcome = bench.resume();
    assert_eq!(set_aside(&bench.workshop.spool()).len(), in_magic);
    assert_eq!((outcome.code, outcome.resumed.stat(Stat::FramesLost)), (LOSS, in_magic as i64 * FRAMES as i64));
    for (arrived, (bit, chunk)) in outcome.damaged(bits.len()).into_iter().zip(bits.iter().zip(chunks)) {
        let expected = if is_in_magic(*bit) { vec![] } else { frames_of(chunk) };
        assert_eq!(arrived, expected, "bit {bit}");
    }
    let flipped = bits.len();
    figure(&format!("damage: {flipped} flipped bits behind the frames of a chunk: {in_magic} set aside, the others mended"));
}

/// What somebody may put where a chunk's file was.
fn put(what: &str, at: &Path, bench: &Bench) {
    let elsewhere = |name: &str| bench.workshop.path().join(name);
    fs::remove_file(at).expect("it was there");
    match what {
        "noise" => fs::write(at, numbered(7, 5000)).expect("a file can be written"),
        "text" => fs::write(at, "from the night shift").expect("a file can be written"),
        "nothing" => fs::write(at, "").expect("a file can be written"),
        "a chunk of another stream" => drop(fs::copy(elsewhere("another.shard"), at).expect("a file can be copied")),
        "another chunk of this stream" => drop(fs::copy(bench.shard(0), at).expect("a file can be copied")),
        "a folder" => fs::create_dir(at).expect("a folder can be made"),
        "a full folder" => {
            fs::create_dir(at).expect("a folder can be made");
            fs::copy(elsewhere("another.shard"), at.join("inside")).map(drop).expect("a file can be copied");
        }
        "a link to a good chunk" => symlink(elsewhere("another.shard"), at).expect("links can be made"),
        "a link to nothing" => symlink(elsewhere("nowhere"), at).expect("links can be made"),
        "a pipe" => make_pipe(at),
        "a huge hole" => File::create(at).expect("a file").set_len(1 << 40).expect("files may have holes"),
        _ => panic!("{what}"),
    }
}

fn make_pipe(at: &Path) {
    let name = CString::new(at.as_os_str().as_bytes()).expect("no NUL in it");
    // SAFETY: the name is NUL-terminated.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "{}", at.display());
}

#[test]
fn what_is_no_chunk_though_its_name_says_so_is_set_aside() {
    const KINDS: [&str; 11] = [
        "noise",
        "text",
        "nothing",
        "a chunk of another stream",
        "another chunk of this stream",
        "a folder",
        "a full folder",
        "a link to a good chunk",
        "a link to nothing",
        "a pipe",
        "a huge hole",
    ];
    let (bench, mut chunks) = bench_for(2 * KINDS.len());
    let another = bench.workshop.path().join("another.shard");
    let untouched = streams(&bench.workshop.spool()).into_iter().find(|folder| *folder != bench.folder).expect("two streams");
    fs::copy(&entries(&untouched)[0], &another).expect("a file can be copied");
    let before = fs::read(&another).expect("a file can be read");
    let mut put_there = Vec::new();
    for what in KINDS {
        let chunk = chunks.next().expect("enough");
        put(what, &bench.shard(chunk), &bench);
        put_there.push(bench.shard(chunk));
        let chunk = chunks.next().expect("enough");
        let part = bench.unseal(chunk);
        put(what, &part, &bench);
        // A kill leaves such a file too: no frame had reached it.
        put_there.extend((what != "nothing").then_some(part));
    }
    let outcome = bench.resume();
    assert_eq!(outcome.code, LOSS);
    assert!(outcome.damaged(2 * KINDS.len()).iter().all(Vec::is_empty));
    let mut expected: Vec<_> = put_there.iter().map(|file| file.file_name()).collect();
    expected.sort_unstable();
    let aside = set_aside(&bench.workshop.spool());
    assert!(aside.iter().map(|file| file.file_name()).eq(expected), "{aside:?}");
    assert_eq!(fs::read(another).expect("a file can be read"), before, "what a link leads to is let alone");
    // Of shards the name tells the frames; of what was part-filled, the bytes: here those of another chunk of this stream.
    assert_eq!(outcome.resumed.stat(Stat::FramesLost), (KINDS.len() as i64 + 1) * FRAMES as i64);
}

#[test]
fn what_is_not_of_the_library_is_set_aside_and_leftovers_of_a_kill_are_removed() {
    let bench = Bench::new(3);
    let strangers =
        ["c1.part", "c0000000001-03.shard", "notes.txt", "of the night shift", "stream.next.txt", "sp\u{fc}l-\u{1f52c}"];
    for name in strangers {
        fs::copy(bench.shard(1), bench.folder.join(name)).expect("a file can be copied");
    }
    fs::create_dir(bench.folder.join("folder")).expect("a folder can be made");
    make_pipe(&bench.folder.join("pipe"));
    symlink(bench.workshop.path(), bench.folder.join("link")).expect("links can be made");
    fs::write(bench.folder.join("stream.next"), "{").expect("a file can be written");
    // One of that name lies there from another time.
    let aside = bench.workshop.spool().join("set-aside").join(bench.folder.file_name().expect("a name"));
    fs::create_dir(&aside).expect("a folder can be made");
    fs::write(aside.join("notes.txt"), "earlier").expect("a file can be written");
    fs::write(aside.join("notes.txt.reason.txt"), NOT_OURS).expect("a file can be written");

    let outcome = bench.resume();
    assert_eq!((outcome.code, outcome.resumed.stat(Stat::FramesLost)), (OK, 0), "no frame of the stream is lost by that");
    assert_eq!(outcome.arrived, [0, 1, 2].map(frames_of));
    let expected = strangers.into_iter().chain(["folder", "pipe", "link", "notes.txt.2"]);
    for name in expected {
        assert!(fs::symlink_metadata(aside.join(name)).is_ok(), "{name}");
    }
    assert_eq!(fs::read_to_string(aside.join("notes.txt")).expect("it is there"), "earlier");
    assert_eq!(set_aside(&bench.workshop.spool()).len(), strangers.len() + 4);
}

const NOT_OURS: &str = "not a file of this library";

#[test]
fn of_several_files_of_one_chunk_a_whole_one_is_sent_and_the_others_are_set_aside() {
    let bench = Bench::new(5);
    let copy = |from: &Path, to: PathBuf| fs::copy(from, to).map(drop).expect("a file can be copied");
    let longer = |chunk: u64| bench.folder.join(format!("c{chunk:010}-9.shard"));
    // Sealed, and part-filled besides.
    let whole = fs::read(bench.shard(0)).expect("a shard");
    fs::write(bench.part(0), &whole[..whole.len() - seal_bytes(FRAMES as usize)]).expect("a file can be written");
    // The sealed one is damaged, the other is not.
    copy(&bench.shard(1), bench.part(1));
    flip(&bench.shard(1), 8 * (HEAD + 40));
    // Two that are sealed: the one whose name promises more does not keep it.
    copy(&bench.shard(2), longer(2));
    // None is whole.
    copy(&bench.shard(3), longer(3));
    flip(&bench.shard(3), 8 * (HEAD + 40));

    let outcome = bench.resume();
    assert_eq!(outcome.arrived, [frames_of(0), frames_of(1), frames_of(2), vec![], frames_of(4)]);
    assert_eq!(outcome.code, LOSS);
    let mut expected = [bench.part(0), bench.shard(1), longer(2), bench.shard(3), longer(3)];
    expected.sort_unstable();
    let aside = set_aside(&bench.workshop.spool());
    assert!(aside.iter().map(|file| file.file_name()).eq(expected.iter().map(|file| file.file_name())), "{aside:?}");
}

#[test]
fn a_stream_whose_manifest_cannot_be_trusted_stays_where_it_is_and_does_not_stop_the_rest() {
    const KINDS: [&str; 8] = ["flipped", "torn", "empty", "noise", "a folder", "a link", "a pipe", "none"];
    let bench = Bench::new(2);
    let broken = KINDS.map(|kind| {
        let folder = record(&bench.workshop, kind, 1);
        let manifest = folder.join("stream.json");
        let text = fs::read(&manifest).expect("a manifest");
        fs::remove_file(&manifest).expect("it was there");
        match kind {
            "flipped" => {
                let at = text.windows(4).position(|bytes| bytes == b"none").expect("its endpoint");
                fs::write(&manifest, [&text[..at], b"mone", &text[at + 4..]].concat())
            }
            "torn" => fs::write(&manifest, &text[..text.len() / 2]),
            "empty" => fs::write(&manifest, ""),
            "noise" => fs::write(&manifest, numbered(7, 5000)),
            "a folder" => fs::create_dir(&manifest),
            "a link" => {
                let elsewhere = bench.workshop.path().join("manifest");
                fs::write(&elsewhere, &text).and_then(|()| symlink(elsewhere, &manifest))
            }
            "a pipe" => {
                make_pipe(&manifest);
                Ok(())
            }
            "none" => fs::remove_file(folder.join("lock")),
            _ => panic!("{kind}"),
        }
        .expect("a folder can be changed");
        (folder.clone(), entries(&folder))
    });
    let log = bench.workshop.path().join("resume.log");
    let resumed = Stream::resume(&bench.options(&log));
    // Frames that nobody knows where to send are no reason to be content.
    assert_eq!(resumed.flush(PATIENCE_MS), PENDING);
    let mut sent: Vec<(String, bool, u64)> =
        bench.service.streams().iter().map(|stream| (stream.name.clone(), stream.ended, stream.frames())).collect();
    sent.sort();
    assert_eq!(sent, [("damaged".into(), true, 2 * FRAMES), ("untouched".into(), true, 2 * FRAMES)]);
    for (folder, held) in broken {
        assert_eq!(entries(&folder), held);
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        resumed.wait_until("the log names folder and file", |_| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.lines().any(|line| line.contains(&name) && (line.contains("stream.json") || line.contains("manifest")))
        });
    }
}

#[test]
fn what_is_no_stream_among_the_streams_does_not_stop_the_rest() {
    let bench = Bench::new(2);
    let spool = bench.workshop.spool();
    let elsewhere = bench.workshop.path().join("elsewhere");
    fs::rename(record(&bench.workshop, "elsewhere", 1), &elsewhere).expect("a folder can be moved");
    let held = entries(&elsewhere);
    let link = spool.join("streams/link");
    symlink(&elsewhere, &link).expect("links can be made");
    fs::write(spool.join("streams/notes.txt"), "from the night shift").expect("a file can be written");
    make_pipe(&spool.join("streams/pipe"));
    make_pipe(&spool.join("reports/pipe.json"));
    symlink("nowhere", spool.join("streams/dangling")).expect("links can be made");

    let log = bench.workshop.path().join("resume.log");
    let resumed = Stream::resume(&bench.options(&log));
    assert_eq!(resumed.flush(PATIENCE_MS), PENDING, "there may be frames where the link leads");
    assert_eq!(bench.service.streams().iter().map(StreamRecord::frames).sum::<u64>(), 4 * FRAMES);
    assert_eq!((streams(&spool), entries(&elsewhere)), (vec![link], held), "what a link leads to is let alone");
    let names = ["dangling", "notes.txt", "pipe"];
    let strays: Vec<PathBuf> = names.iter().map(|name| spool.join("set-aside/strays").join(name)).collect();
    assert_eq!(set_aside(&spool), strays);
    bench.reasons_are_logged(&resumed, &log);
    assert!(resumed.text(Text::Report).contains("it is a link"));
}

#[test]
fn a_chunk_that_may_not_be_read_is_set_aside() {
    let bench = Bench::new(5);
    for file in [bench.shard(1), bench.unseal(3)] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).expect("it is the test's own");
    }
    let host = night::build(&bench.workshop, "night");
    let mut command = Command::new(host);
    command.arg("resume").arg(bench.workshop.path().join("account")).args(service::options(&bench.service, &bench.workshop));
    // SAFETY: prctl takes numbers, and is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            // Root reads what it likes, unless it does without that.
            const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
            const CAP_DAC_READ_SEARCH: libc::c_ulong = 2;
            for capability in [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH] {
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            Ok(())
        })
    };
    command.must_succeed();
    let damaged = bench.service.streams().into_iter().find(|stream| stream.name == "damaged").expect("what is good is sent");
    assert!(damaged.ended);
    assert_eq!(by_chunk(&damaged, 5), [frames_of(0), vec![], frames_of(2), vec![], frames_of(4)]);
    let aside = set_aside(&bench.workshop.spool());
    assert!(aside.iter().map(|file| file.file_name()).eq([bench.shard(1), bench.part(3)].iter().map(|file| file.file_name())));
    for file in aside {
        let reason = fs::read_to_string(format!("{}.reason.txt", file.display())).expect("a reason");
        assert!(reason.contains("ermission denied"), "{reason}");
    }
    assert_eq!(streams(&bench.workshop.spool()), [] as [PathBuf; 0]);
}
