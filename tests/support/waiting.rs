//! One call of each kind that waits, each waiting for what will not come by itself.

use super::frames::numbered;
use super::host::{OK, Stream};
use super::spool::{files, options as spool_options, with};
use super::stalled_disk::StalledDisk;
use super::waiter::Waiter;
use super::{Workshop, service};
use rheed_stream::codes::{Stat, Text};
use rheed_stream::receiver::Receiver;
use std::sync::Arc;

/// Frames that the streams of a service have taken: a chunk that is not confirmed, and a part of the next.
pub const FRAMES: i64 = 25;

/// The calls under way.
pub struct Waiting {
    pub workshop: Workshop,
    pub service: Receiver,
    /// Of the first are flush, finalize and next_event; of the second the push; of the third the run.
    pub streams: [Arc<Stream>; 3],
    pub flush: Waiter<i32>,
    pub finalize: Waiter<i32>,
    pub next_event: Waiter<i32>,
    pub push: Waiter<i32>,
    pub run: Waiter<i32>,
    /// What keeps the push waiting.
    pub stalled: StalledDisk,
}

impl Waiting {
    #[track_caller]
    pub fn begin() -> Waiting {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        service.set_faults("presign:status=503").expect("a rule");

        let sent = Arc::new(Stream::open(&with(service::options(&service, &workshop), &["fps=10"])));
        sent.push_counted(0, FRAMES as u64);
        sent.wait_until("a chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 1);
        let flush = wait_in("rheed_flush", &sent, |stream| stream.flush(-1));
        let finalize = wait_in("rheed_finalize", &sent, |stream| stream.finalize(-1));
        sent.wait_until("the last chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 2);
        let next_event = wait_in("rheed_next_event", &sent, events_to_the_end);

        let blocking = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "when_full=block"]);
        let blocked = Arc::new(Stream::open(&blocking));
        let folder = workshop.spool().join("streams").join(blocked.text(Text::LocalId));
        let stalled = StalledDisk::under_chunk(&folder, 0);
        let large = numbered(0, 700 * 700);
        assert_eq!([blocked.push(&large, 700, 700, 0, 0), blocked.push(&large, 700, 700, 1, 0)], [OK, OK]);
        let push = wait_in("rheed_push", &blocked, move |stream| stream.push(&large, 700, 700, 2, 0));
        stalled.holds_a_writer();

        let paced = Arc::new(Stream::open(&with(spool_options(&workshop), &["fps=0.001"])));
        let run = wait_in("rheed_run", &paced, |stream| stream.run(|index| stream.push_shade(1, index, 0) + 1));
        paced.wait_until("the first frame", |stream| stream.stat(Stat::FramesAccepted) == 1);

        let waiting =
            Waiting { workshop, service, streams: [sent, blocked, paced], flush, finalize, next_event, push, run, stalled };
        for waiter in [&waiting.flush, &waiting.finalize, &waiting.next_event, &waiting.push, &waiting.run] {
            assert!(waiter.is_waiting(), "{}", waiter.what());
        }
        waiting
    }

    /// The first stream's folder, and the shards in it.
    pub fn shards(&self) -> usize {
        let id = self.streams[0].text(Text::LocalId);
        files(&self.workshop.spool().join("streams").join(id), ".shard").len()
    }
}

fn wait_in(what: &str, stream: &Arc<Stream>, call: impl FnOnce(&Stream) -> i32 + Send + 'static) -> Waiter<i32> {
    let stream = stream.clone();
    Waiter::start(what, move || call(&stream))
}

/// Takes events until there is none although it waits, or an error.
pub fn events_to_the_end(stream: &Stream) -> i32 {
    loop {
        match stream.next_event(-1) {
            Ok(Some(_)) => {}
            Ok(None) => return OK,
            Err(code) => return code,
        }
    }
}
