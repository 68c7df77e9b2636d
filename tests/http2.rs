//! Uploads by HTTP/2, which is what the service speaks, to a front that breaks streams and connections: a proxy that is
//! restarted, a server that sheds load, a line that is cut. Everything arrives, each frame once.
#![cfg(feature = "receiver")]

mod support;

use h2::Reason;
use rheed_stream::codes::{Event, Stat};
use rheed_stream::receiver::Receiver;
use std::ops::Range;
use std::thread;
use support::frames::{numbered, numbers};
use support::host::{HEIGHT, OK, PATIENCE, Stream, WIDTH};
use support::http2::{Front, Trick};
use support::liar::Kind;
use support::spool::with;
use support::tls::Authority;
use support::{Workshop, long_run, service};

/// A service behind HTTP/2.
struct Site {
    _workshop: Workshop,
    service: Receiver,
    front: Front,
    options: Vec<String>,
}

impl Site {
    fn start() -> Site {
        let workshop = Workshop::new();
        let authority = Authority::new("of the laboratory");
        let front = Front::start(&authority.certify());
        let service = service::start_with(&workshop, |settings| settings.public_url = Some(front.url()));
        front.pass_on_to(service::address(&service));
        let trusted = format!("ca_file={}", workshop.write("roots.pem", &authority.pem()).display());
        let mut options = with(service::options(&service, &workshop), &["fps=10", &trusted]);
        options[0] = format!("endpoint={}", front.url());
        Site { _workshop: workshop, service, front, options }
    }

    /// Plays a trick so many times on a stream of so many frames, all of which arrive.
    #[track_caller]
    fn streams_through(&self, kind: Option<Kind>, trick: Trick, times: u64, frames: u64) {
        self.streams_frames_through(WIDTH, HEIGHT, kind, trick, times, frames);
    }

    #[track_caller]
    fn streams_frames_through(&self, width: u32, height: u32, kind: Option<Kind>, trick: Trick, times: u64, frames: u64) {
        let bytes = (width * height) as usize;
        let stream = Stream::open(&with(self.options.clone(), &["request_timeout_ms=3000"]));
        let push = |numbers: Range<u64>| {
            numbers.for_each(|number| assert_eq!(stream.push(&numbered(number, bytes), width, height, number, 0), OK));
        };
        // A connection is under way, and the client knows how much it may send.
        push(0..20);
        stream.wait_until("a chunk is confirmed", |stream| stream.stat(Stat::FramesConfirmed) == 20);
        self.front.play(kind, trick, times);
        push(20..frames);
        assert_eq!(stream.finalize(PATIENCE), OK, "{trick:?} {:#?}", stream.events());
        assert_eq!(self.front.played(), times, "{trick:?}");
        let kept = service::only_stream(&self.service);
        assert!(numbers(&service::pixels(&kept), bytes).into_iter().eq(0..frames), "{trick:?} {kept:?}");
        assert_eq!([Stat::FramesConfirmed, Stat::FramesLost].map(|stat| stream.stat(stat)), [frames as i64, 0]);
        let never = [Event::ChunkSetAside, Event::FramesLost, Event::Fault].map(|kind| kind as i32);
        assert!(stream.events().iter().all(|event| !never.contains(&event.kind)), "{trick:?} {:#?}", stream.events());
    }
}

/// The same at a site of its own for each, all at once: most of it is waiting.
fn each_streams_through(tricks: &[(Kind, Trick)], times: u64, frames: u64) {
    let rounds = long_run::times("RHEED_TORTURE_HTTP2", 1);
    for _ in 0..rounds {
        thread::scope(|scope| {
            for &(kind, trick) in tricks {
                scope.spawn(move || Site::start().streams_through(Some(kind), trick, times, frames));
            }
        });
    }
    let streams = rounds * tricks.len() as u64;
    let tricks = tricks.iter().map(|(kind, trick)| format!("{trick:?} of {kind:?}")).collect::<Vec<_>>().join(", ");
    long_run::figure(&format!("http2: {streams} streams of {frames} frames, each through {times} of {tricks}: none lost"));
}

#[test]
fn a_request_whose_stream_is_reset_is_made_again() {
    let kinds = [Kind::Presign, Kind::Put, Kind::End];
    let reasons = [Reason::REFUSED_STREAM, Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM, Reason::NO_ERROR];
    let tricks =
        kinds.map(|kind| reasons.map(|reason| [Trick::Reset(reason), Trick::ResetWhenDone(reason)].map(|it| (kind, it))));
    each_streams_through(tricks.as_flattened().as_flattened(), 2, 100);
}

#[test]
fn a_connection_that_is_cut_in_the_middle_of_uploads_costs_no_frame() {
    each_streams_through(&[Kind::Presign, Kind::Put, Kind::End].map(|kind| (kind, Trick::Cut)), 3, 200);
}

#[test]
fn a_server_that_goes_away_in_the_middle_of_uploads_is_connected_to_anew() {
    let reasons = [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM, Reason::INTERNAL_ERROR, Reason::PROTOCOL_ERROR];
    let mut tricks = reasons.map(|reason| (Kind::Put, Trick::GoAway(reason))).to_vec();
    tricks.extend([Kind::Presign, Kind::End].map(|kind| (kind, Trick::GoAway(Reason::NO_ERROR))));
    each_streams_through(&tricks, 2, 200);
}

#[test]
fn a_server_that_says_goodbye_at_every_request_gets_everything_over_many_connections() {
    let site = Site::start();
    site.streams_through(None, Trick::Farewell, 20, 400);
    // Those that were under way together said goodbye to the same one.
    assert!(site.front.connections() > 4, "{}", site.front.connections());
}

#[test]
fn a_storm_of_connections_that_end_at_once_passes() {
    let site = Site::start();
    site.streams_through(None, Trick::GoAway(Reason::ENHANCE_YOUR_CALM), 6, 200);
    assert!(site.front.connections() > 6, "{}", site.front.connections());
}

#[test]
fn an_upload_that_the_server_never_lets_go_on_is_given_up_in_time_and_made_again() {
    each_streams_through(&[(Kind::Put, Trick::Stall)], 2, 100);
}

#[test]
fn an_upload_that_is_said_to_have_come_before_it_was_sent_is_no_confirmation() {
    // Shards that the client has wholly in hand, and shards that it reads in pieces.
    for (width, height) in [(WIDTH, HEIGHT), (256, 256)] {
        for status in [200, 204] {
            Site::start().streams_frames_through(width, height, Some(Kind::Put), Trick::AnswerEarly(status), 2, 45);
        }
    }
}
