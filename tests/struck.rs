//! A host is killed at each of its steps on disk and network in turn: before the call, when half of its bytes are written, after
//! it. Whatever it was about to do, what had reached the disk arrives.
//!
//! `RHEED_TORTURE_STEPS` says how many steps of each kind are tried; 0 = all.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Text};
use rheed_stream::receiver::Receiver;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use support::host::{OK, Stream};
use support::long_run::{figure, several_at_a_time, times};
use support::night::{Night, arrived, build, reached, the_stream_of};
use support::spool::{copy, entries, frame_ids, frames, options as without_service, set_aside, streams, with};
use support::{PATIENCE_MS, Workshop, service};

const LOSS: i32 = Code::WLoss as i32;
const SIZE: (u32, u32) = (32, 16);
const FRAMES: u64 = 5;
/// Chunks of two frames.
const CHUNKS: [&str; 2] = ["fps=1", "chunk_size=2"];
/// A sealed chunk, and three frames of the next.
const LEFT: (u64, [&str; 2]) = (7, ["fps=2", "chunk_size=4"]);
/// Of the first chunk.
const LOST: u64 = 4;
const HOWS: [&str; 3] = ["before", "half", "after"];

/// The steps to be struck at, of so many: all, or a random choice of `ordinary`.
fn choice(steps: u64, ordinary: u64) -> Vec<u64> {
    let wanted = times("RHEED_TORTURE_STEPS", ordinary) as usize;
    let mut steps: Vec<u64> = (1..=steps).collect();
    if wanted > 0 {
        fastrand::shuffle(&mut steps);
        steps.truncate(wanted);
    }
    steps
}

/// Strikes at the steps of a program that `play` starts with the environment it is given; it says whether it was killed.
fn walk(what: &str, ordinary: u64, play: impl Fn(&[(&str, String)]) -> Struck + Sync) {
    let (tried, killed) = (AtomicU64::new(0), AtomicU64::new(0));
    for how in HOWS {
        let Struck::Ended(said) = play(&[("STRUCK_HOW", how.into()), ("STRUCK_AT", "0".into())]) else { panic!("{how}") };
        let steps: u64 = said.trim().parse().expect("the number of steps");
        assert!(steps > 4, "{how}: {steps}");
        several_at_a_time(choice(steps, ordinary).into_iter(), |at| {
            let died = play(&[("STRUCK_HOW", how.into()), ("STRUCK_AT", at.to_string())]);
            tried.fetch_add(1, Ordering::Relaxed);
            killed.fetch_add(u64::from(matches!(died, Struck::Killed)), Ordering::Relaxed);
        });
    }
    let (tried, killed) = (tried.into_inner(), killed.into_inner());
    assert!(killed > tried / 2, "{killed} of {tried}: the program has as many steps each time, or nearly");
    figure(&format!("struck: {what} was killed at {killed} steps, before, in the middle of and after a call"));
}

enum Struck {
    Killed,
    /// It came to its end, and said this.
    Ended(String),
}

impl Struck {
    fn wait(night: Night) -> Struck {
        let ended = night.finish();
        if ended.status.code().is_none() {
            return Struck::Killed;
        }
        Struck::Ended(ended.well().out)
    }
}

/// Takes up what is left, whatever that is, and looks at what has arrived.
#[track_caller]
fn all_arrives(service: &Receiver, workshop: &Workshop, name: &str, expected: u64, case: &str) {
    let reports: Vec<_> =
        entries(&workshop.spool().join("reports")).into_iter().filter(|file| file.extension() == Some("json".as_ref())).collect();
    let told: Vec<_> = reports.iter().map(fs::read).map(|report| report.expect("a report")).collect();
    if workshop.spool().join("streams").exists() {
        let resumed = Stream::resume(&service::options(service, workshop));
        assert_eq!(resumed.flush(PATIENCE_MS), OK, "{case}: {}", resumed.text(Text::Report));
    }
    let tell: Vec<_> = reports.iter().map(fs::read).map(|report| report.expect("a report")).collect();
    assert_eq!(tell, told, "{case}: a final report is final");
    let (kept, _) = the_stream_of(service, name);
    assert_eq!(kept.map_or(0, |stream| arrived(&stream, SIZE)), expected, "{case}");
    assert_eq!(set_aside(&workshop.spool()), [] as [PathBuf; 0], "{case}");
    assert!(streams(&workshop.spool()).iter().all(|folder| folder.to_string_lossy().contains("/.new-")), "{case}");
}

#[test]
fn a_host_that_is_killed_at_any_step_loses_nothing_that_had_reached_the_disk() {
    let workshop = Workshop::new();
    let host = build(&workshop, "struck");
    walk("a host that streams and finalizes", 8, |environment| {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let case = format!("{environment:?}");
        let options = with(with(service::options(&service, &workshop), &CHUNKS), &["stream_name=host"]);
        let account = workshop.path().join("account");
        let mut night = Night::stream_with(environment, &host, account, FRAMES, SIZE, &options);
        night.wait_until("it ends", |_| false);
        let account = night.account();
        let struck = Struck::wait(night);
        let reached = reached(&service, &workshop.spool(), "host", SIZE);
        assert!((account.accepted.saturating_sub(FRAMES)..=account.begun).contains(&reached), "{case}: {account:?} {reached}");
        all_arrives(&service, &workshop, "host", reached, &case);
        struck
    });
}

/// A spool as a kill leaves it: a sealed chunk and a part-filled one.
fn left_behind(host: &Path) -> Workshop {
    let left = Workshop::new();
    let options = with(with(without_service(&left), &LEFT.1), &["stream_name=host"]);
    let mut night = Night::stream(host, left.path().join("account"), u64::MAX, SIZE, &options);
    night.wait_until("some frames are written", |_| frames(&left.spool()) >= LEFT.0);
    night.kill();
    left
}

#[test]
fn a_recovery_that_is_killed_at_any_step_is_done_again() {
    let workshop = Workshop::new();
    let host = build(&workshop, "struck");
    let left = left_behind(&host);
    walk("a recovery", 8, |environment| {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let case = format!("{environment:?}");
        copy(&left.spool(), &workshop.spool());
        let reached = reached(&service, &workshop.spool(), "host", SIZE);
        assert!(reached >= LEFT.0, "{reached}");
        let options = service::options(&service, &workshop);
        let night = Night::resume_with(environment, &host, workshop.path().join("account"), &options);
        let struck = Struck::wait(night);
        all_arrives(&service, &workshop, "host", reached, &case);
        struck
    });
}

#[test]
fn a_chunk_that_is_refused_counts_as_lost_once_at_whatever_step_who_sets_it_aside_is_killed() {
    let workshop = Workshop::new();
    let host = build(&workshop, "struck");
    let left = left_behind(&host);
    walk("a recovery of which a chunk is refused", 0, |environment| {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        service.set_faults("presign:chunk=0,status=422").expect("a rule");
        let case = format!("{environment:?}");
        copy(&left.spool(), &workshop.spool());
        let reached = frames(&workshop.spool());
        let options = service::options(&service, &workshop);
        let night = Night::resume_with(environment, &host, workshop.path().join("account"), &options);
        let struck = Struck::wait(night);
        let code = Stream::resume(&options).flush(PATIENCE_MS);
        assert!([OK, LOSS].contains(&code), "{case}: {code}");

        let aside = set_aside(&workshop.spool());
        assert_eq!(aside.iter().map(|file| frame_ids(file).len() as u64).sum::<u64>(), LOST, "{case}: {aside:?}");
        let sent: u64 = service.streams().iter().map(|stream| stream.frames()).sum();
        assert_eq!(sent + LOST, reached, "{case}");
        let reports = entries(&workshop.spool().join("reports"));
        let told: Vec<serde_json::Value> = reports
            .iter()
            .filter(|file| file.extension() == Some("json".as_ref()))
            .map(|file| serde_json::from_slice(&fs::read(file).expect("a report")).expect("JSON"))
            .collect();
        assert!(told.len() == 1 && told[0]["frames"]["lost"] == LOST, "{case}: {told:?}");
        assert_eq!(told[0]["chunks"]["lost"], 1, "{case}: {told:?}");
        struck
    });
}
