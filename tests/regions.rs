//! Regions: every frame that is taken is measured, whatever becomes of the network and the disk, and by however many threads it is
//! compressed.

mod support;

use rheed_stream::codes::{Code, Stat};
use std::net::TcpListener;
use support::Workshop;
use support::frames::numbered;
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::spool::{only_stream, options, with};
use support::stalled_disk::StalledDisk;

/// A frame of noise, 300 x 300 pixels: large enough that others help to compress it.
const SIDE: u32 = 300;

/// Of the part of a frame that is so wide.
fn sum(frame: &[u8], frame_width: u32, [x, y, width, height]: [u32; 4]) -> i64 {
    let rows = frame.chunks_exact(frame_width as usize).skip(y as usize).take(height as usize);
    rows.flat_map(|row| &row[x as usize..][..width as usize]).map(|pixel| i64::from(*pixel)).sum()
}

#[test]
fn frames_that_several_threads_compress_are_measured_once_and_in_their_order() {
    const FRAMES: u64 = 300;
    const PART: [u32; 4] = [17, 50, 99, 211];
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "when_full=block", "queue_bytes=2MiB"]));
    let [x, y, width, height] = PART;
    assert_eq!(stream.set_region(2, x, y, width, height), OK);
    let frame = |number| numbered(number, (SIDE * SIDE) as usize);
    for number in 0..FRAMES {
        assert_eq!(stream.push(&frame(number), SIDE, SIDE, number, 0), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    let readings = stream.readings(2, &mut 0);
    assert_eq!(readings.len() as u64, FRAMES);
    for (number, reading) in (0..).zip(readings) {
        assert_eq!((reading.frame_id, reading.sum), (number, sum(&frame(number), SIDE, PART)));
    }
}

#[test]
fn without_the_service_every_frame_is_measured_all_the_same() {
    const FRAMES: u64 = 500;
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has free ports");
    let workshop = Workshop::new();
    let spool = format!("spool_dir={}", workshop.spool().display());
    let endpoint = format!("endpoint=http://{silent}");
    let stream = Stream::open(&[&endpoint, "api_key=k", &spool, "log_file=none", "fps=10"].map(String::from));
    assert_eq!(stream.set_region(0, 0, 0, WIDTH, HEIGHT), OK);
    let mut position = 0;
    let mut read = Vec::new();
    for number in 0..FRAMES {
        assert_eq!(stream.push_shade(number as u8, number, 0), OK);
        read.extend(stream.readings(0, &mut position));
    }
    stream.wait_until("every frame is measured", |stream| {
        read.extend(stream.readings(0, &mut position));
        read.len() as u64 == FRAMES
    });
    assert!((0..).zip(&read).all(|(number, reading)| reading.frame_id == number && reading.mean == f64::from(number as u8)));
    assert!(read.windows(2).all(|pair| pair[0].time_ns <= pair[1].time_ns), "stamped as they were pushed");
}

#[test]
fn behind_a_disk_that_takes_nothing_frames_are_measured_when_it_goes_on_and_a_refused_one_never() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=100", "queue_bytes=1MiB"]));
    assert_eq!(stream.set_region(0, 0, 0, SIDE, SIDE), OK);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let (mut taken, mut number) = (Vec::new(), 0);
    let mut push = |stream: &Stream| {
        let code = stream.push(&numbered(number, (SIDE * SIDE) as usize), SIDE, SIDE, number, 0);
        taken.extend((code == OK).then_some(number));
        number += 1;
        code
    };
    // Until the disk has stopped the encoder, and the frames behind it have filled the slots.
    assert_eq!(push(&stream), OK);
    stalled.holds_a_writer();
    while push(&stream) != Code::EQueueFull as i32 {}
    let stopped = stream.readings(0, &mut 0).len();
    assert_eq!(push(&stream), Code::EQueueFull as i32);
    assert_eq!(stream.set_region(1, 0, 0, 1, 1), OK, "nobody waits for the disk");
    let flowing = stalled.flow();
    stream.wait_until("the queue is empty", |stream| stream.stat(Stat::QueueFrames) == 0);
    assert_eq!(push(&stream), OK);
    assert_eq!(stream.flush(support::PATIENCE_MS), OK);
    let readings = stream.readings(0, &mut 0);
    assert!(stopped < readings.len(), "{stopped} frames were measured while the disk stood still");
    assert_eq!(readings.iter().map(|reading| reading.frame_id).collect::<Vec<_>>(), taken);
    stream.abort();
    drop((stream, flowing));
}

#[test]
fn what_was_measured_can_be_read_after_an_abort() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10"]));
    assert_eq!(stream.set_region(7, 3, 3, 5, 5), OK);
    stream.push_counted(0, 50);
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.abort(), OK);
    assert_eq!(stream.push(&[0; FRAME_BYTES], WIDTH, HEIGHT, 50, 0), Code::EAborted as i32);
    let readings = stream.readings(7, &mut 0);
    assert_eq!(
        readings.iter().map(|reading| reading.sum).collect::<Vec<_>>(),
        (0..50).map(|shade| 25 * shade).collect::<Vec<_>>()
    );
}
