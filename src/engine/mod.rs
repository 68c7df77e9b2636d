//! What a process has once: the runtime, the writing and syncing threads, the open handles; and how all of it ends.

mod open;
mod registry;
mod session;
mod threads;

pub use open::{init, resume};
pub use session::Session;

use crate::clock::ReferenceClock;
use crate::codes::{Code, Stat};
use crate::error::{Error, Result};
use crate::ledger::{Ledger, Phase};
use crate::log::{self, Callback, Logger};
use crate::platform;
use crate::spool::{Folder, Root, Syncer};
use crate::wait::Deadline;
use parking_lot::Mutex;
use registry::REGISTRY;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use threads::Gauge;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;

/// The running engine, from the first init until shutdown.
static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);
/// Held by the one that shuts down.
static SHUTTING_DOWN: Mutex<()> = Mutex::new(());

const DISK_LOOK: Duration = Duration::from_secs(1);
/// In disk looks: other processes share the spool.
const SPOOL_LOOK: u64 = 60;
const RETENTION_LOOK: u64 = 3600;

/// Everything that runs in the background.
struct Engine {
    runtime: Mutex<Option<Runtime>>,
    tasks: Handle,
    logger: Logger,
    syncer: Syncer,
    /// Encoders' threads.
    encoders: Gauge,
    /// The writing and the syncing thread.
    writers: Gauge,
    couriers: Gauge,
    roots: Mutex<Vec<(Weak<Root>, Duration)>>,
    clocks: Mutex<Vec<(String, Weak<ReferenceClock>)>>,
    carried: Mutex<Vec<(Weak<Ledger>, Weak<Folder>)>>,
    outcome: Arc<Outcome>,
    cancel: CancellationToken,
    closed: AtomicBool,
}

impl Engine {
    /// The running one, or a new one.
    fn running() -> Result<Arc<Engine>> {
        let mut engine = ENGINE.lock();
        if let Some(running) = engine.as_ref() {
            return Ok(running.clone());
        }
        platform::prepare_process();
        install_crypto();
        let started = Engine::start()
            .map_err(|error| Error::new(Code::EInternal, format!("the library cannot start its threads: {error}")))?;
        *engine = Some(started.clone());
        Ok(started)
    }

    fn start() -> std::io::Result<Arc<Engine>> {
        let runtime = platform::with_signals_blocked(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .max_blocking_threads(16)
                .thread_name("rheed-net")
                .enable_all()
                .build()
        })?;
        let (logger, write_log) = Logger::new();
        let (syncer, sync) = Syncer::new();
        let engine = Engine {
            tasks: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            logger,
            syncer,
            encoders: Gauge::default(),
            writers: Gauge::default(),
            couriers: Gauge::default(),
            roots: Mutex::default(),
            clocks: Mutex::default(),
            carried: Mutex::default(),
            outcome: Arc::default(),
            cancel: CancellationToken::new(),
            closed: AtomicBool::new(false),
        };
        engine.writers.spawn("rheed-log", write_log)?;
        engine.writers.spawn("rheed-sync", sync)?;
        let engine = Arc::new(engine);
        engine.tasks.spawn(keep_house(Arc::downgrade(&engine)));
        Ok(engine)
    }

    /// The spool folder, shared by all who use it.
    fn root(&self, path: &Path, create: bool, retention: Duration) -> Result<Arc<Root>> {
        let mut roots = self.roots.lock();
        roots.retain(|(root, _)| root.strong_count() > 0);
        let root = Root::open(path, create)?;
        // Now too, since few programs run until the next look.
        let opened = root.clone();
        self.tasks.spawn_blocking(move || opened.remove_old(retention));
        if let Some(known) = roots.iter().filter_map(|(root, _)| root.upgrade()).find(|known| known.path() == root.path()) {
            return Ok(known);
        }
        roots.push((Arc::downgrade(&root), retention));
        Ok(root)
    }

    /// The clock of an endpoint, and whether it is new and has to be fed.
    fn clock(&self, endpoint: &str) -> (Arc<ReferenceClock>, bool) {
        let mut clocks = self.clocks.lock();
        clocks.retain(|(_, clock)| clock.strong_count() > 0);
        if let Some(clock) = clocks.iter().find(|(known, _)| known == endpoint).and_then(|(_, clock)| clock.upgrade()) {
            return (clock, false);
        }
        let clock = Arc::new(ReferenceClock::default());
        clocks.push((endpoint.into(), Arc::downgrade(&clock)));
        (clock, true)
    }

    /// Runs a courier, or what stands for one, and keeps track of its stream.
    fn carry(&self, ledger: &Arc<Ledger>, folder: &Arc<Folder>, courier: impl Future<Output = ()> + Send + 'static) {
        let mut carried = self.carried.lock();
        carried.retain(|(ledger, _)| ledger.strong_count() > 0);
        carried.push((Arc::downgrade(ledger), Arc::downgrade(folder)));
        drop(carried);
        let running = self.couriers.enter();
        let ledger = ledger.clone();
        let outcome = self.outcome.clone();
        // Dropped with the courier however it ends: done, in a panic, or with the runtime in a shutdown that does not wait.
        let carried = Carried(folder.clone());
        let courier = self.tasks.spawn(async move {
            let _carried = carried;
            courier.await;
        });
        self.tasks.spawn(async move {
            let ended = courier.await;
            if ended.is_err_and(|error| error.is_panic()) {
                if ledger.enter(Phase::Fault) {
                    let text = "an internal error in the uploads: the stream is closed, its spool is kept";
                    ledger.notices.tell(crate::codes::Event::Fault, 0, text);
                }
            }
            outcome.note(&ledger);
            drop(running);
        });
    }

    /// Folders of streams that were aborted are let go as soon as their encoders are done: then they can be taken up.
    async fn aborted_are_released(&self) {
        let waiting = || {
            let carried = self.carried.lock();
            carried.iter().any(|(ledger, folder)| {
                let aborted = ledger.upgrade().is_some_and(|ledger| ledger.phase() >= Phase::Aborted);
                aborted && folder.upgrade().is_some_and(|folder| !folder.is_released())
            })
        };
        while waiting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn shut_down(&self, deadline: Deadline) -> Result<Code> {
        self.closed.store(true, Ordering::Release);
        self.cancel.cancel();
        let ledgers: Vec<Arc<Ledger>> = self.carried.lock().iter().filter_map(|(ledger, _)| ledger.upgrade()).collect();
        for ledger in ledgers.iter().filter(|ledger| !ledger.is_over()) {
            ledger.enter(Phase::Aborted);
        }
        let mut in_time = self.encoders.wait(deadline) && self.couriers.wait(deadline);
        if let Some(runtime) = self.runtime.lock().take() {
            match deadline.left() {
                None => drop(runtime),
                Some(left) => runtime.shutdown_timeout(left),
            }
        }
        self.syncer.stop();
        self.logger.stop();
        in_time &= self.writers.wait(deadline);
        Ok(if !in_time || self.outcome.frames_left.load(Ordering::Relaxed) {
            Code::WPending
        } else if self.outcome.frames_lost.load(Ordering::Relaxed) {
            Code::WLoss
        } else {
            Code::Ok
        })
    }
}

/// A stream's folder has somebody who uploads from it.
struct Carried(Arc<Folder>);

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// What has become of the streams that this engine carried.
#[derive(Default)]
struct Outcome {
    frames_left: AtomicBool,
    frames_lost: AtomicBool,
}

impl Outcome {
    /// A stream's courier has ended.
    fn note(&self, ledger: &Ledger) {
        let values = ledger.snapshot();
        if ledger.phase() != Phase::Finalized && values[Stat::FramesPending as usize] > 0 {
            self.frames_left.store(true, Ordering::Relaxed);
        }
        if values[Stat::FramesLost as usize] > 0 {
            self.frames_lost.store(true, Ordering::Relaxed);
        }
    }
}

/// Looks at disks and spools now and then.
async fn keep_house(engine: Weak<Engine>) {
    for look in 0u64.. {
        let Some(roots) = engine.upgrade().map(|engine| engine.roots.lock().clone()) else { return };
        for (root, retention) in roots {
            let Some(root) = root.upgrade() else { continue };
            // A network disk may hang: not on a thread that the uploads need.
            let _ = tokio::task::spawn_blocking(move || {
                let _ = root.measure_disk();
                if look % SPOOL_LOOK == SPOOL_LOOK - 1 {
                    root.measure_spool();
                }
                if look % RETENTION_LOOK == RETENTION_LOOK - 1 {
                    root.remove_old(retention);
                }
            })
            .await;
        }
        tokio::time::sleep(DISK_LOOK).await;
    }
}

/// The library's TLS: chosen here, since more than one could be linked into a program.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What an open handle stands for.
pub fn find(handle: u64) -> Option<Arc<Session>> {
    REGISTRY.find(handle)
}

/// `rheed_free`
pub fn free(session: &Session) {
    if let Some(session) = REGISTRY.close(session.handle()) {
        session.free();
    }
}

/// `rheed_set_log`
pub fn set_log(callback: Option<Callback>) {
    log::set_callback(callback);
}

/// `rheed_shutdown`
pub fn shutdown(deadline: Deadline) -> Result<Code> {
    if log::is_calling_host() {
        return Err(Error::argument("rheed_shutdown inside a log callback would wait for itself: call it from another thread"));
    }
    let one_at_a_time = match deadline.left() {
        None => Some(SHUTTING_DOWN.lock()),
        Some(left) => SHUTTING_DOWN.try_lock_for(left),
    };
    if one_at_a_time.is_none() {
        return Ok(Code::WPending);
    }
    let Some(engine) = ENGINE.lock().take() else { return Ok(Code::Ok) };
    for session in REGISTRY.all() {
        session.abort();
    }
    engine.shut_down(deadline)
}
