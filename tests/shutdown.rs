//! Shutdown: it ends every wait and every thread, loses nothing, and init works again. Each test has the process to itself.
#![cfg(feature = "receiver")]

mod support;

use parking_lot::{Mutex, MutexGuard};
use rheed_stream::abi::calls::rheed_shutdown;
use rheed_stream::codes::{Code, Stat, State, Text};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::host::{FRAME_BYTES, OK, PENDING, Stream};
use support::spool::{streams, with};
use support::waiter::Waiter;
use support::waiting::{FRAMES, Waiting};
use support::{Workshop, service};

const ABORTED: i32 = Code::EAborted as i32;

/// Shutdown is the whole process's.
fn alone() -> MutexGuard<'static, ()> {
    static PROCESS: Mutex<()> = Mutex::new(());
    let alone = PROCESS.lock();
    assert!(rheed_shutdown(-1) >= 0);
    alone
}

/// The library's threads by their names.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    // The receiver is the test's.
    names.map(|name| name.trim().to_string()).filter(|name| name.starts_with("rheed-") && name != "rheed-receiver").collect()
}

/// The system takes a moment to forget those that have ended.
fn no_thread_is_left() {
    let end = std::time::Instant::now() + support::HANGS_AFTER;
    while !threads().is_empty() {
        assert!(std::time::Instant::now() < end, "{:?} go on", threads());
        std::thread::yield_now();
    }
}

#[test]
fn shutdown_frees_every_call_that_waits_ends_every_thread_and_keeps_the_spool() {
    let _alone = alone();
    let waiting = Waiting::begin();
    assert!(!threads().is_empty());
    let shutdown = Waiter::start("rheed_shutdown", || rheed_shutdown(-1));
    let Waiting { flush, finalize, next_event, push, run, stalled, streams: handles, service, workshop } = waiting;
    for waiter in [flush, finalize, next_event, push, run] {
        let what = waiter.what().to_string();
        assert_eq!(waiter.answer(), ABORTED, "{what}");
    }
    // What was taken is still written, as soon as the disk goes on.
    assert!(shutdown.is_waiting());
    let flowing = stalled.flow();
    assert_eq!(shutdown.answer(), PENDING, "frames are left in the spool");
    drop(flowing);
    no_thread_is_left();
    for stream in &handles {
        assert_eq!(stream.stat(Stat::State), State::Aborted as i64);
        assert_eq!(stream.push_shade(1, 1, 0), ABORTED);
    }
    assert_eq!(handles[0].stat(Stat::FramesPending), FRAMES);
    assert!(!handles[0].text(Text::Report).is_empty());

    service.set_faults("").expect("no rules");
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    assert!(service.wait_until(support::HANGS_AFTER, |service| service.streams()[0].ended));
    assert_eq!(service.streams()[0].frames() as i64, FRAMES);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn a_shutdown_with_nothing_left_to_do_is_ok_however_often() {
    let _alone = alone();
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!([rheed_shutdown(-1), rheed_shutdown(-1), rheed_shutdown(0)], [OK; 3]);
    assert_eq!(stream.stat(Stat::FramesConfirmed), 25);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn what_a_shutdown_without_time_leaves_can_be_taken_up_while_the_old_handle_is_still_open() {
    let _alone = alone();
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=503").expect("a rule");
    for round in 1..=5 {
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
        stream.push_counted(0, FRAMES as u64);
        assert_eq!(rheed_shutdown(0), PENDING);
        assert_eq!(stream.stat(Stat::State), State::Aborted as i64);

        service.set_faults("").expect("no rules");
        // It may still be writing: then its folder is in use for a moment.
        stream.wait_until("it is taken up", |_| {
            let resumed = Stream::resume(&service::options(&service, &workshop));
            assert_eq!(resumed.flush(-1), OK);
            resumed.stat(Stat::FramesConfirmed) == FRAMES
        });
        assert_eq!(service.streams().iter().filter(|kept| kept.ended && kept.frames() as i64 == FRAMES).count(), round);
        service.set_faults("presign:status=503").expect("a rule");
    }
}

#[test]
fn a_chunk_that_is_being_given_ends_with_shutdown() {
    let _alone = alone();
    let workshop = Workshop::new();
    let stream = std::sync::Arc::new(Stream::open(&with(support::spool::options(&workshop), &["fps=10"])));
    let stalled = support::stalled_disk::StalledDisk::under_chunk(&support::spool::only_stream(&workshop.spool()), 0);
    let giving = stream.clone();
    let giver = Waiter::start("rheed_push_chunk", move || {
        let frames = support::frames::numbered(0, 20 * 250_000);
        let (size, pixels) = (frames.len() as u64, frames.as_ptr().cast());
        rheed_stream::abi::calls::rheed_push_chunk(giving.0, 0, pixels, size, 20, 500, 500, 0, 0)
    });
    stalled.holds_a_writer();
    let shutdown = Waiter::start("rheed_shutdown", || rheed_shutdown(-1));
    let _flowing = stalled.flow();
    assert_eq!(giver.answer(), ABORTED);
    assert_eq!(shutdown.answer(), OK, "it was not taken, so nothing is left");
    assert_eq!(stream.stat(Stat::FramesAccepted), 0);
}

#[test]
fn inits_pushes_and_shutdowns_at_once_end_well_and_every_frame_that_was_taken_arrives_once() {
    let _alone = alone();
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let options = with(service::options(&service, &workshop), &["fps=10"]);
    let (taken, over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let streamers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for round in 0..25 {
                        let stream = match Stream::try_open(&options) {
                            Ok((stream, _)) => stream,
                            Err((ABORTED, _)) => continue,
                            Err((code, said)) => panic!("rheed_init answers {code}: {said}"),
                        };
                        for id in 0..30 {
                            match stream.push_shade(id as u8, id, 0) {
                                OK => taken.fetch_add(1, Ordering::SeqCst),
                                ABORTED => break,
                                code => panic!("rheed_push answers {code}"),
                            };
                        }
                        let code = if round % 2 == 0 { stream.finalize(-1) } else { stream.flush(0) };
                        assert!([OK, PENDING, ABORTED].contains(&code), "{code}");
                    }
                })
            })
            .collect();
        for timeout_ms in [-1, 0] {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let code = rheed_shutdown(timeout_ms);
                    assert!([OK, PENDING].contains(&code), "{code}");
                    std::thread::sleep(std::time::Duration::from_millis(fastrand::u64(0..20))); // Any moment will do.
                }
            });
        }
        let ended: Vec<_> = streamers.into_iter().map(|streamer| streamer.join()).collect();
        over.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok), "all end well");
    });
    assert!(rheed_shutdown(-1) >= 0);
    no_thread_is_left();
    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(streams(&workshop.spool()), [] as [std::path::PathBuf; 0]);
    let kept = service.streams();
    let pixels: usize = kept.iter().map(|stream| service::pixels(stream).len()).sum();
    assert_eq!(pixels as u64, taken.into_inner() * FRAME_BYTES as u64);
}
