//! Frames that a camera writes straight into slots: they arrive as if they had been pushed, and a slot is the host's until it is
//! given back.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::{rheed_commit, rheed_discard, rheed_free, rheed_push};
use rheed_stream::codes::{Code, Event, Format, FrameFlag, NO_FRAME_ID, Stat, Text};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::formats::TAKEN;
use support::frames::{numbered, numbers};
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::spool::{only_stream, options as spool_options, with};
use support::stalled_disk::StalledDisk;
use support::waiter::Waiter;
use support::{Workshop, service};

const ARGUMENT: i32 = Code::EArgument as i32;
const QUEUE_FULL: i32 = Code::EQueueFull as i32;
const DISK_FULL: i32 = Code::EDiskFull as i32;
const MONO16: u32 = Format::Mono16 as u32;

/// How a frame is described besides its memory.
#[derive(Clone, Copy, Debug)]
struct Told {
    width: u32,
    height: u32,
    stride: u32,
    format: u32,
    id: u64,
    stamp_ns: i64,
    flags: u32,
}

impl Told {
    fn mono8(id: u64) -> Told {
        Told { width: WIDTH, height: HEIGHT, stride: 0, format: 0, id, stamp_ns: 0, flags: 0 }
    }

    fn push(self, stream: &Stream, memory: &[u8]) -> i32 {
        let Told { width, height, stride, format, id, stamp_ns, flags } = self;
        rheed_push(stream.0, memory.as_ptr().cast(), memory.len() as u64, width, height, stride, format, id, stamp_ns, flags)
    }

    /// The same by a slot, which is given back if it was not taken.
    fn commit(self, stream: &Stream, memory: &[u8]) -> i32 {
        let slot = match stream.acquire(memory.len()) {
            Ok(slot) => slot,
            Err(code) => return code,
        };
        slot.copy_from_slice(memory);
        let code = self.commit_slot(stream, slot);
        if code != OK {
            assert!(slot == memory, "what is refused is left as it is");
            assert_eq!(stream.discard(slot), OK);
        }
        code
    }

    fn commit_slot(self, stream: &Stream, slot: &mut [u8]) -> i32 {
        let Told { width, height, stride, format, id, stamp_ns, flags } = self;
        rheed_commit(stream.0, slot.as_mut_ptr().cast(), width, height, stride, format, id, stamp_ns, flags)
    }
}

#[test]
fn every_format_and_stride_that_is_committed_arrives_bit_for_bit_as_if_pushed() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    for significant_bits in [16, 12, 9] {
        let bits = format!("significant_bits={significant_bits}");
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=1", "chunk_size=2", &bits]));
        let mut frames = 0;
        for (width, height) in [(1, 1), (2, 5), (33, 7), (64, 3), (1500, 4)] {
            for stored in TAKEN {
                for padding in [0, 1, 2, 37, 64] {
                    for more in [0, padding, padding + 3] {
                        let row = stored.row_bytes(width as usize) as u32;
                        let stride = row + padding;
                        let memory = numbered(frames, (stride * (height - 1) + row + more) as usize);
                        let stride = if padding == 0 { 0 } else { stride };
                        let told = Told { width, height, stride, format: stored.code, ..Told::mono8(NO_FRAME_ID) };
                        assert_eq!((told.push(&stream, &memory), told.commit(&stream, &memory)), (OK, OK), "{told:?}");
                        frames += 2;
                    }
                }
            }
        }
        assert_eq!(stream.finalize(-1), OK);
        let data_id = stream.text(Text::DataId);
        let kept = service.streams().into_iter().find(|kept| kept.data_id == data_id).expect("the stream is kept");
        assert_eq!(kept.frames(), frames);
        for chunk in &kept.chunks {
            let pixels = service::chunk_pixels(&kept, chunk);
            let (pushed, committed) = pixels.split_at(pixels.len() / 2);
            assert!(chunk.frames == 2 && pushed == committed, "{chunk:?}");
        }
    }
}

/// Everything that can be seen of a night.
#[derive(Debug, PartialEq)]
struct Night {
    answers: Vec<i32>,
    counts: Vec<i64>,
    events: Vec<(i32, i64)>,
    chunk_starts: Vec<f64>,
    frames: Vec<u64>,
}

/// What a camera and its host may get wrong or do seldom, by one of the two ways.
fn bad_night(give: fn(Told, &Stream, &[u8]) -> i32) -> Night {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let lines = with(service::options(&service, &workshop), &["fps=2", "chunk_size=5", "queue_bytes=1048576"]);
    let stream = Stream::open(&lines);
    let begin_ns = 1_700_000_000_000_000_000;
    let mut answers = Vec::new();
    for number in 0..23 {
        let mut told = Told { stamp_ns: begin_ns + number as i64 * 100_000_000, ..Told::mono8(number) };
        let mut bytes = FRAME_BYTES;
        match number {
            3 => told.flags = FrameFlag::Incomplete as u32,
            4 => told.flags = 2,
            5 => told.format = Format::BayerRG8 as u32,
            6 => bytes -= 1,
            7 => told.width = 0,
            9 => told.stamp_ns = 12,
            10 => told.id = 1000,
            11 => told.id = NO_FRAME_ID,
            12 => told.stride = WIDTH - 1,
            13 => told.height = HEIGHT + 1,
            14 => told.id = 1100,
            _ => {}
        }
        answers.push(give(told, &stream, &numbered(number, bytes)));
    }
    assert_eq!(stream.finalize(-1), OK);
    answers.push(give(Told::mono8(0), &stream, &numbered(0, FRAME_BYTES)));
    let counted = [
        Stat::FramesAccepted,
        Stat::FramesConfirmed,
        Stat::FramesDropped,
        Stat::FramesRejected,
        Stat::FramesMissed,
        Stat::FramesIncomplete,
        Stat::ChunksConfirmed,
        Stat::BytesRaw,
        Stat::QueueFrames,
        Stat::FpsMilli,
    ];
    let counts = counted.map(|stat| stream.stat(stat)).to_vec();
    let told = [Event::FramesMissed, Event::StampsOdd, Event::RateOff].map(|kind| kind as i32);
    let mut events: Vec<(i32, i64)> = stream.events().into_iter().map(|event| (event.kind, event.value)).collect();
    events.retain(|(kind, _)| told.contains(kind));
    events.sort_unstable(); // Those of the push and those of the encoder's thread cross.
    let kept = service::only_stream(&service);
    // Where a stamp was odd, the chunk's times are those at which it came.
    let mut chunk_starts: Vec<f64> = kept.chunks.iter().map(|chunk| chunk.start_unix_ms_utc).collect();
    chunk_starts.retain(|start| start - begin_ns as f64 / 1e6 < 1e6);
    Night { answers, counts, events, chunk_starts, frames: numbers(&service::pixels(&kept), FRAME_BYTES) }
}

#[test]
fn a_committed_frame_is_answered_counted_stamped_and_told_as_a_pushed_one() {
    let (committed, pushed) = (bad_night(Told::commit), bad_night(Told::push));
    assert_eq!(pushed.answers.iter().filter(|code| **code == OK).count(), 17);
    assert!(pushed.events.len() >= 3 && pushed.chunk_starts.len() == 3, "{pushed:?}");
    assert_eq!(committed, pushed);
}

#[test]
fn frames_of_threads_that_push_and_commit_arrive_whole_once_and_each_threads_in_its_order() {
    const THREADS: u64 = 4;
    const EACH: u64 = 300;
    const SIDE: u32 = 128;
    let frame_bytes = (SIDE * SIDE) as usize;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "queue_bytes=1048576"]));
    let refused: i64 = std::thread::scope(|scope| {
        let film = |thread: u64| {
            let mut refused = 0;
            for number in 0..EACH {
                let id = thread << 32 | number;
                let frame = numbered(id, frame_bytes);
                let mut in_vain = number % 7 == 5;
                loop {
                    let code = match (thread + number) % 3 {
                        0 => stream.push(&frame, SIDE, SIDE, NO_FRAME_ID, 0),
                        _ => match stream.acquire(frame_bytes) {
                            Ok(slot) if std::mem::take(&mut in_vain) => {
                                assert_eq!(stream.discard(slot), OK);
                                continue;
                            }
                            Ok(slot) => {
                                slot.copy_from_slice(&frame);
                                stream.commit(slot, SIDE, SIDE, NO_FRAME_ID, 0)
                            }
                            Err(code) => code,
                        },
                    };
                    match code {
                        OK => break,
                        QUEUE_FULL => refused += 1,
                        code => panic!("{code}"),
                    }
                }
            }
            refused
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || film(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread ends")).sum()
    });
    assert_eq!(stream.finalize(-1), OK);
    let stats = stream.stats();
    assert_eq!(stats[Stat::FramesConfirmed as usize], (THREADS * EACH) as i64);
    assert_eq!(stats[Stat::FramesDropped as usize], refused);
    let mut by_thread: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for number in numbers(&service::pixels(&service::only_stream(&service)), frame_bytes) {
        by_thread.entry(number >> 32).or_default().push(number & 0xFFFF_FFFF);
    }
    assert_eq!(by_thread.len() as u64, THREADS);
    assert!(by_thread.values().all(|numbers| numbers.iter().copied().eq(0..EACH)), "{by_thread:?}");
}

/// A frame of which two fit the smallest queue.
const LARGE: usize = 700 * 700;

#[test]
fn frames_are_taken_in_the_order_of_their_commits_whatever_the_order_of_their_slots() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    let mut slots: Vec<_> = (0..8).map(|_| stream.acquire(FRAME_BYTES).expect("a slot is free")).collect();
    for (number, slot) in [5, 0, 7, 1, 6, 2, 4, 3].into_iter().enumerate() {
        slots[slot].copy_from_slice(&numbered(2 * number as u64, FRAME_BYTES));
        assert_eq!(stream.commit(slots[slot], WIDTH, HEIGHT, NO_FRAME_ID, 0), OK);
        assert_eq!(stream.push(&numbered(2 * number as u64 + 1, FRAME_BYTES), WIDTH, HEIGHT, NO_FRAME_ID, 0), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    let pixels = service::pixels(&service::only_stream(&service));
    assert!(numbers(&pixels, FRAME_BYTES).into_iter().eq(0..16));
}

#[test]
fn without_a_free_slot_an_acquire_is_counted_and_told_once() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576"]));
    let slots = [stream.acquire(LARGE).expect("one"), stream.acquire(LARGE).expect("another")];
    for _ in 0..3 {
        assert_eq!(stream.acquire(LARGE).err(), Some(QUEUE_FULL));
    }
    let told: Vec<_> = stream.events().into_iter().filter(|told| told.kind == Event::QueueFull as i32).collect();
    assert_eq!(told.iter().map(|told| told.value).collect::<Vec<_>>(), [1]);
    for text in [&told[0].text, &stream.text(Text::LastError)] {
        assert!(text.contains("2 are acquired and not given back, 980000 bytes"), "{text}");
    }
    assert!(stream.text(Text::Report).contains(r#""slots_acquired":2"#));
    assert_eq!((stream.stat(Stat::FramesDropped), stream.stat(Stat::QueueFrames)), (3, 0));
    for slot in slots {
        assert_eq!(stream.discard(slot), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn slots_of_growing_sizes_are_at_most_queue_bytes_and_of_two_sizes_and_hinder_no_push() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576"]));
    let small = stream.acquire(300_000).expect("the first");
    let middle = stream.acquire(400_000).expect("of another size");
    let why = |stream: &Stream| stream.text(Text::LastError);
    assert_eq!(stream.acquire(400_000).err(), Some(QUEUE_FULL), "its pool has one, and 1,100,000 bytes are too much");
    assert!(why(&stream).contains("2 are acquired and not given back, 700000 bytes"), "{}", why(&stream));
    assert_eq!(stream.acquire(400_001).err(), Some(QUEUE_FULL), "slots of two sizes are acquired");
    assert!(why(&stream).contains("of 2 sizes"), "{}", why(&stream));
    assert_eq!(stream.push(&numbered(0, LARGE), 700, 700, NO_FRAME_ID, 0), OK);
    assert_eq!(stream.discard(small), OK);
    assert_eq!(stream.flush(-1), OK, "the pushed frame is written, and its slot is free");
    let large = stream.acquire(LARGE).expect("890,000 bytes of two sizes");
    assert_eq!(stream.acquire(LARGE).err(), Some(QUEUE_FULL));
    assert_eq!([middle, large].map(|slot| stream.discard(slot)), [OK; 2]);
    let both = [(); 2].map(|()| stream.acquire(LARGE).expect("nothing else is acquired"));
    assert_eq!(both.map(|slot| stream.discard(slot)), [OK; 2]);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesDropped)), (1, 3));
}

#[test]
fn who_waits_for_a_slot_takes_one_of_the_larger_that_came_meanwhile() {
    let workshop = Workshop::new();
    let options = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "when_full=block"]);
    let stream = Arc::new(Stream::open(&options));
    let slots = [stream.acquire(LARGE).expect("one"), stream.acquire(LARGE).expect("another")];
    let waits = stream.clone();
    let waiter = Waiter::start("a push without a slot", move || waits.push(&numbered(0, LARGE), 700, 700, NO_FRAME_ID, 0));
    assert!(waiter.is_waiting());
    assert_eq!(stream.push(&numbered(1, 1000 * 1000), 1000, 1000, NO_FRAME_ID, 0), OK);
    assert_eq!(waiter.answer(), OK);
    assert_eq!(slots.map(|slot| stream.discard(slot)), [OK; 2]);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::FramesAccepted), 2);
}

#[test]
fn with_when_full_block_an_acquire_waits_until_a_slot_is_given_back_or_the_stream_ends() {
    let workshop = Workshop::new();
    let options = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "when_full=block"]);
    let waiting = |stream: &Arc<Stream>| {
        let (stream, what) = (stream.clone(), "an acquire without a slot");
        let waiter = Waiter::start(what, move || stream.acquire(LARGE).map(|slot| slot.as_mut_ptr().addr()));
        assert!(waiter.is_waiting());
        waiter
    };
    for (end, refusal) in ENDS {
        let stream = Arc::new(Stream::open(&options));
        let slots = [stream.acquire(LARGE).expect("one"), stream.acquire(LARGE).expect("another")];
        let waiter = waiting(&stream);
        let address = slots[0].as_ptr().addr();
        assert_eq!(stream.discard(slots[0]), OK);
        assert_eq!(waiter.answer(), Ok(address));
        let waiter = waiting(&stream);
        end(&stream);
        assert_eq!(waiter.answer(), Err(refusal as i32));
        slots[1].fill(9); // The camera does not know.
        for slot in slots {
            assert_eq!(stream.discard(slot), OK);
        }
    }
}

/// What happens to a stream under those who wait, and what they are answered.
type End = (fn(&Stream), Code);

const ENDS: [End; 3] = [
    (|stream| _ = stream.finalize(0), Code::EClosed),
    (|stream| _ = stream.abort(), Code::EAborted),
    (|stream| _ = rheed_free(stream.0), Code::EClosed),
];

#[test]
fn with_when_full_block_a_commit_waits_for_a_place_until_the_encoder_makes_one_or_the_stream_ends() {
    const PLACES: i64 = 4096;
    let nothing_ends: End = (|_| {}, Code::Ok);
    for (end, answer) in ENDS.into_iter().chain([nothing_ends]) {
        let workshop = Workshop::new();
        let lines = ["fps=10", "queue_bytes=1048576", "chunk_size=100000", "when_full=block"];
        let stream = Arc::new(Stream::open(&with(spool_options(&workshop), &lines)));
        let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
        // Slots of each size are as many as places, so only of two sizes they are more.
        for (height, frames) in [(8, PLACES / 2), (16, PLACES)] {
            let frame = numbered(0, 8 * height as usize);
            while stream.stat(Stat::QueueFrames) < frames {
                assert_eq!(stream.push(&frame, 8, height, NO_FRAME_ID, 0), OK);
            }
        }
        let (waiter, address) = loop {
            let slot = stream.acquire(8 * 16).expect("of the second size there are some").as_mut_ptr().addr();
            let commits = stream.clone();
            let commit = move || rheed_commit(commits.0, slot as *mut _, 8, 16, 0, 0, NO_FRAME_ID, 0, 0);
            let waiter = Waiter::start("a commit without a place", commit);
            if waiter.is_waiting() {
                break (waiter, slot);
            }
            assert_eq!(waiter.answer(), OK, "the pipe has taken a frame meanwhile");
        };
        end(&stream);
        let discard = || rheed_discard(stream.0, address as *mut _);
        let answered = |waiter: Waiter<i32>| {
            assert_eq!(waiter.answer(), answer as i32);
            assert_eq!(discard(), if answer == Code::Ok { ARGUMENT } else { OK });
        };
        if answer == Code::Ok {
            drop((stalled.flow(), answered(waiter), stream.finalize(-1)));
        } else {
            answered(waiter);
            drop(stalled.flow());
        }
    }
}

#[test]
fn in_a_run_its_source_alone_acquires_and_commits() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "pace=off"]));
    let elsewhere = |call: &(dyn Fn() -> i32 + Sync)| std::thread::scope(|scope| scope.spawn(call).join().expect("it ends"));
    let ran = stream.run(|index| {
        let slot = stream.acquire(FRAME_BYTES).expect("a slot is free");
        slot.copy_from_slice(&numbered(index, FRAME_BYTES));
        let address = slot.as_mut_ptr().addr();
        assert_eq!(elsewhere(&|| stream.acquire(FRAME_BYTES).map_or_else(|code| code, |_| OK)), ARGUMENT);
        let commit = || rheed_commit(stream.0, address as *mut _, WIDTH, HEIGHT, 0, 0, index, 0, 0);
        assert_eq!(elsewhere(&commit), ARGUMENT);
        assert_eq!(commit(), OK);
        i32::from(index < 9)
    });
    assert_eq!(ran, OK);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesRejected)), (10, 20));
    let pixels = service::pixels(&service::only_stream(&service));
    assert!(numbers(&pixels, FRAME_BYTES).into_iter().eq(0..10));

    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    assert_eq!(stream.push_chunk(0, &[1; FRAME_BYTES], 1, 0), OK);
    assert_eq!(stream.acquire(FRAME_BYTES).err(), Some(ARGUMENT), "it takes chunks");
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    let slot = stream.acquire(FRAME_BYTES).expect("a slot is free");
    assert_eq!((stream.push_chunk(0, &[1; FRAME_BYTES], 1, 0), stream.run(|_| 0)), (ARGUMENT, ARGUMENT), "it takes frames");
    assert_eq!(stream.discard(slot), OK);
}

/// A frame of 16 bits, and what is kept of it.
fn deep(number: u64, pixels: usize) -> (Vec<u8>, Vec<u8>) {
    let words = numbered(number, 2 * pixels);
    let kept = words.chunks_exact(2).map(|word| word[1]).collect();
    (words, kept)
}

#[test]
fn a_full_spool_refuses_a_commit_whose_slot_is_taken_whole_when_there_is_room() {
    const SIDE: u32 = 128;
    let frame_bytes = (SIDE * SIDE) as usize;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=503").expect("a rule");
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "spool_max_bytes=1048576"]));
    let (words, kept) = deep(1 << 20, frame_bytes);
    let slot = stream.acquire(words.len()).expect("a slot is free");
    slot.copy_from_slice(&words);
    let told = |id: u64| Told { width: SIDE, height: SIDE, format: MONO16, ..Told::mono8(id) };
    let push = |number: u64, id: u64| stream.push(&numbered(number, frame_bytes), SIDE, SIDE, id, 0);

    let mut taken = 0;
    loop {
        match push(taken, if taken == 0 { 1 } else { 10 }) {
            OK => taken += 1,
            QUEUE_FULL => {}
            DISK_FULL if stream.stat(Stat::QueueFrames) > 0 => {}
            code => break assert_eq!(code, DISK_FULL),
        }
    }
    let dropped = stream.stat(Stat::FramesDropped);
    assert_eq!(stream.stat(Stat::FramesMissed), 8);
    for _ in 0..3 {
        assert_eq!(told(5).commit_slot(&stream, slot), DISK_FULL);
    }
    assert_eq!(stream.stat(Stat::FramesDropped), dropped + 3);
    assert_eq!(stream.stat(Stat::FramesMissed), 7, "a frame comes late, and once");
    // The next frame in the slot, and while it waits for room the camera goes on.
    assert_eq!((told(11).commit_slot(&stream, slot), push(0, 12)), (DISK_FULL, DISK_FULL));
    service.set_faults("").expect("no rules");
    stream.wait_until("there is room again", |stream| told(11).commit_slot(stream, slot) == OK);
    for id in [6, 14] {
        assert_eq!(told(id).commit_slot(&stream, slot), ARGUMENT, "it is taken");
    }
    assert_eq!(push(taken + 1, 13), OK);
    assert_eq!(stream.stat(Stat::FramesMissed), 7);
    assert_eq!(stream.finalize(-1), OK);
    let pixels = service::pixels(&service::only_stream(&service));
    let (before, last) = pixels.split_at(taken as usize * frame_bytes);
    assert!(numbers(before, frame_bytes).into_iter().eq(0..taken) && last[..frame_bytes] == kept);
    assert_eq!(numbers(&last[frame_bytes..], frame_bytes), [taken + 1]);
    assert_eq!(stream.stat(Stat::FramesConfirmed) as u64, taken + 2);
}

#[test]
fn a_queue_without_a_place_refuses_a_commit_whose_slot_is_taken_whole_later() {
    const SIDE: u32 = 64;
    const SLOTS: u64 = 8;
    let frame_bytes = (SIDE * SIDE) as usize;
    let workshop = Workshop::new();
    let options = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "chunk_size=100000"]);
    let stream = Stream::open(&options);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let small = (0..).take_while(|id| stream.push(&numbered(*id, 64), 8, 8, NO_FRAME_ID, 0) == OK).count() as i64;
    let told = Told { width: SIDE, height: SIDE, format: MONO16, ..Told::mono8(NO_FRAME_ID) };
    let mut slots: Vec<_> = (0..SLOTS).map(|_| stream.acquire(2 * frame_bytes).expect("of another pool")).collect();
    for (number, slot) in (0..).zip(&mut slots) {
        slot.copy_from_slice(&deep(number, frame_bytes).0);
    }
    // What the pipe still takes makes a place or two.
    let (mut committed, mut refused) = (Vec::new(), Vec::new());
    for (number, slot) in (0..).zip(slots) {
        match told.commit_slot(&stream, slot) {
            OK => committed.push(number),
            code => {
                assert_eq!(code, QUEUE_FULL);
                refused.push((number, slot));
            }
        }
    }
    assert!(!refused.is_empty(), "the queue of {small} frames has places for all");
    let flowing = stalled.flow();
    for (number, slot) in refused {
        stream.wait_until("there is a place", |stream| told.commit_slot(stream, slot) == OK);
        committed.push(number);
    }
    assert_eq!(stream.finalize(-1), OK);
    drop(flowing);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLost)), (small + SLOTS as i64, 0));
    let shard = only_stream(&workshop.spool()).join(format!("c0000000001-{SLOTS}.shard"));
    let shard = std::fs::read(&shard).unwrap_or_else(|error| panic!("{}: {error}", shard.display()));
    let expected: Vec<u8> = committed.into_iter().flat_map(|number| deep(number, frame_bytes).1).collect();
    assert!(service::shard_pixels(&shard, SLOTS, SLOTS) == expected);
}
