//! The embedded ingest service: the far end of a stream, for tests, demonstrations and a bad day on purpose.
//!
//! It speaks the service's protocol on loopback, keeps each stream as a Zarr v3 group that zarr-python opens by
//! itself, and can be told to fail (`faults`). `docs/receiver.md` is its manual; `rheed-receiver` its program.
//!
//! A request's way: `line` (the connection, which can be cut) -> `door` (journal, faults, bounds, key) ->
//! `routes` (the table) -> one of `clock`, `catalog`, `streams`, `staging`, `control`. A chunk's way goes on
//! from `staging` (presigned URL, body to disk) through `shard` (is it one?) to `stream` (its place), `layout`
//! (which place that is) and `group` (the Zarr metadata).
//!
//! It knows nothing of the library it is tested with: what both ends believe in common is the protocol alone.

mod answer;
mod catalog;
mod clock;
mod control;
mod disk;
mod door;
mod faults;
mod fields;
mod group;
mod intake;
mod journal;
mod layout;
mod line;
mod news;
mod routes;
mod service;
mod shard;
mod staging;
mod stream;
mod streams;

pub use faults::GRAMMAR as FAULT_GRAMMAR;
pub use journal::RequestRecord;
pub use stream::{ChunkRecord, Discarded, StreamRecord};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use service::Service;

/// Takes each line the receiver has to tell: streams created and ended, chunks received.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// How a [`Receiver`] is to run.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen. Port 0 takes any free one; [`Receiver::url`] tells which.
    pub listen: SocketAddr,
    /// The folder everything is kept in. Made if missing, for its owner's eyes only.
    pub data: PathBuf,
    /// The API key clients must send; `None` makes one up, [`Receiver::key`] tells which.
    pub key: Option<String>,
    /// How long a presigned URL lives.
    pub url_ttl: Duration,
    /// The longest shard taken, in bytes.
    pub max_body: u64,
    /// Scheme, host and port by which clients come, where something stands between: `https://rheed.example`.
    pub public_url: Option<String>,
    /// A path put before every route: empty, or like `/api/v2`.
    pub prefix: String,
    /// Fault rules, one a line ([`FAULT_GRAMMAR`]).
    pub faults: String,
    /// How far ahead of this computer's clock `/gateway/time` is.
    pub clock_offset_ms: f64,
    /// Decompress every frame of every shard before taking it, not only its index.
    pub verify_frames: bool,
    /// Read shards, count them and throw them away unseen: for measuring clients, which a busy disk would slow down.
    pub discard: bool,
    /// Takes what the receiver has to tell.
    pub log: Option<Log>,
}

impl Settings {
    /// Any port on loopback, a made-up key, URLs that live 300 s, shards up to 2 GiB, no faults.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: data.into(),
            key: None,
            url_ttl: Duration::from_secs(300),
            max_body: 2 << 30,
            public_url: None,
            prefix: String::new(),
            faults: String::new(),
            clock_offset_ms: 0.0,
            verify_frames: false,
            discard: false,
            log: None,
        }
    }
}

/// A running ingest service. Dropping it stops it.
pub struct Receiver {
    service: Arc<Service>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// Held while this receiver may write to its data folder.
    _folder: disk::FolderLock,
}

impl Receiver {
    /// Starts a receiver on a thread of its own, and returns once its port takes connections.
    /// Streams found in the data folder go on where they were.
    ///
    /// The error's text says which setting is wrong and what would be right.
    pub fn start(settings: Settings) -> io::Result<Self> {
        disk::private_folder(&settings.data)?;
        let folder = disk::FolderLock::take(&settings.data)?;
        let listener = TcpListener::bind(settings.listen)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", settings.listen)))?;
        listener.set_nonblocking(true)?;
        let service = Arc::new(Service::open(&settings, listener.local_addr()?)?);

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(4).thread_name("rheed-receiver").enable_all().build()?;
        let lines = {
            let _context = runtime.enter();
            line::Lines::listen(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let router = routes::table(service.clone(), &settings.prefix);
        // The runtime lives and dies on a thread of its own, so that a receiver may be started and stopped from anywhere,
        // async code included. Its end drops every connection: to the clients the service is gone at once.
        let thread = std::thread::Builder::new().name("rheed-receiver".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = axum::serve(lines, router.into_make_service_with_connect_info::<line::Peer>()) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(10));
        })?;
        Ok(Self { service, running: Mutex::new(Some(Running { stop, thread, _folder: folder })) })
    }

    /// The endpoint to give to a client, prefix and all, without a `/` at its end.
    pub fn url(&self) -> &str {
        self.service.url()
    }

    /// The key clients must send.
    pub fn key(&self) -> &str {
        self.service.key()
    }

    /// Replaces all fault rules, one a line; an empty text clears them. A bad rule changes nothing.
    pub fn set_faults(&self, rules: &str) -> Result<(), String> {
        self.service.faults.replace(rules)
    }

    /// How often each fault rule has fired, in their order.
    pub fn faults_fired(&self) -> Vec<(String, u64)> {
        self.service.faults.fired()
    }

    /// Moves the clock that `/gateway/time` tells.
    pub fn set_clock_offset_ms(&self, offset: f64) {
        self.service.clock.set_offset_ms(offset);
    }

    /// Every request this data folder has seen, in the order of their answers.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.service.journal.read_back()
    }

    /// Every stream of this data folder, oldest first.
    pub fn streams(&self) -> Vec<StreamRecord> {
        self.service.streams.records()
    }

    /// Waits until `arrived` holds, looking again after every request answered; false when `timeout` passes first.
    pub fn wait_until(&self, timeout: Duration, mut arrived: impl FnMut(&Self) -> bool) -> bool {
        self.service.news.wait_until(timeout, || arrived(self))
    }

    /// Stops: the port is closed, every connection cut, what was being written is finished. Records stay readable.
    pub fn stop(&self) {
        if let Some(Running { stop, thread, _folder }) = self.running.lock().take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}
