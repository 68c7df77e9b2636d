//! What a process has once: the runtime, the writing and syncing threads, the open handles; and how all of it ends.

mod labview;
mod open;
mod outlived;
mod registry;
mod session;
mod taking_up;
mod threads;

pub use labview::{Instance, NODES};
pub use open::{init, resume};
pub use session::Session;

use crate::clock::ReferenceClock;
use crate::codes::{Code, Stat};
use crate::error::{Error, Result};
use crate::ledger::{Ledger, Phase};
use crate::log::{self, Callback, Logger};
use crate::panics;
use crate::platform;
use crate::spool::{Folder, Root, Syncer};
use crate::stream::Helpers;
use crate::wait::Deadline;
use outlived::OUTLIVED;
use parking_lot::Mutex;
use registry::REGISTRY;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, Weak};
use std::time::Duration;
use taking_up::Aborted;
use threads::Gauge;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;

/// The running engine, from the first init until shutdown.
static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);
/// Held by the one that shuts down: engines that had not ended when the time for it was over.
static LEAVING: Mutex<Vec<Arc<Engine>>> = Mutex::new(Vec::new());

const DISK_LOOK: Duration = Duration::from_secs(1);
/// In disk looks: other processes share the spool.
const SPOOL_LOOK: u64 = 60;
const THREAD_LOOK: Duration = Duration::from_secs(6);
const RETENTION_LOOK: u64 = 3600;

/// Everything that runs in the background.
struct Engine {
    runtime: Mutex<Option<Runtime>>,
    tasks: Handle,
    logger: Logger,
    syncer: Syncer,
    helpers: Helpers,
    helped: Once,
    /// The runtime's threads. A shutdown without time leaves them to end by themselves.
    networkers: Gauge,
    /// Encoders' threads.
    encoders: Gauge,
    /// The writing and the syncing thread, and the encoders' helpers.
    writers: Gauge,
    couriers: Gauge,
    roots: Mutex<Vec<Weak<Root>>>,
    clocks: Mutex<Vec<(String, Weak<ReferenceClock>)>>,
    carried: Mutex<Vec<(Weak<Ledger>, Weak<Folder>)>>,
    aborted: Aborted,
    /// How many searches there were of each spool, by endpoint.
    searches: Mutex<HashMap<(PathBuf, String), u64>>,
    outcome: Arc<Outcome>,
    cancel: CancellationToken,
    closed: AtomicBool,
}

impl Engine {
    /// The running one, or a new one.
    fn running() -> Result<Arc<Engine>> {
        platform::keep_console_numbers();
        let mut engine = ENGINE.lock();
        if let Some(running) = engine.as_ref() {
            return Ok(running.clone());
        }
        platform::prepare_process();
        panics::silence();
        // Without threads tokio panics, and says why.
        let started = panics::contained(Engine::start).unwrap_or_else(|what| Err(std::io::Error::other(what)));
        let started = started.map_err(|error| {
            let what = format!("the library cannot start its threads: {error}: this process needs more threads or open files");
            Error::new(Code::EInternal, what)
        })?;
        *engine = Some(started.clone());
        Ok(started)
    }

    fn start() -> std::io::Result<Arc<Engine>> {
        let networkers = Gauge::default();
        let here = networkers.clone();
        let runtime = platform::with_signals_blocked(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                // Where the system has one thread but not two, tokio would wait forever for the first one's end.
                .worker_threads(1)
                .max_blocking_threads(64) // A disk that hangs holds up as many as a stream has workers.
                .thread_name("rheed-net")
                .on_thread_start(move || here.enter_thread())
                .on_thread_stop(Gauge::leave_thread)
                .enable_all()
                .build()?;
            // The first thread for files: now, since tokio ends a task whose file read finds none and gets none.
            runtime.spawn_blocking(|| {});
            Ok::<_, std::io::Error>(runtime)
        })?;
        let (logger, write_log) = Logger::new();
        let (syncer, sync) = Syncer::new();
        let engine = Engine {
            tasks: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            logger,
            syncer,
            helpers: Helpers::default(),
            helped: Once::new(),
            networkers,
            encoders: Gauge::default(),
            writers: Gauge::default(),
            couriers: Gauge::default(),
            roots: Mutex::default(),
            clocks: Mutex::default(),
            carried: Mutex::default(),
            aborted: Aborted::default(),
            searches: Mutex::default(),
            outcome: Arc::default(),
            cancel: CancellationToken::new(),
            closed: AtomicBool::new(false),
        };
        engine.writers.spawn("rheed-log", write_log)?;
        engine.writers.spawn("rheed-sync", sync)?;
        engine.tasks.spawn(keep_a_thread());
        Ok(Arc::new(engine))
    }

    /// The spool folder, shared by all who use it.
    fn root(&self, path: &Path, create: bool, retention: Duration) -> Result<Arc<Root>> {
        Root::prepare(path, create)?;
        // One folder is one spool, by whatever name.
        let path = &platform::one_name(path);
        // A statement of its own: its lock is let go before the disk is asked.
        let known = known_root(&mut self.roots.lock(), path);
        let root = match known {
            Some(known) => known,
            None => {
                // Not under the lock: a slow disk must not hold up those who use the others.
                let root = Root::open(path, retention)?;
                let mut roots = self.roots.lock();
                known_root(&mut roots, path).unwrap_or_else(|| {
                    roots.push(Arc::downgrade(&root));
                    self.tasks.spawn(look_after(Arc::downgrade(&root)));
                    root
                })
            }
        };
        root.keep_for(retention); // Who opened it last says how long.
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
    /// Should it fail inside, `fault` closes the stream.
    fn carry(
        &self,
        ledger: &Arc<Ledger>,
        folder: &Arc<Folder>,
        courier: impl Future<Output = ()> + Send + 'static,
        fault: impl FnOnce(&str) + Send + 'static,
    ) {
        let mut carried = self.carried.lock();
        carried.retain(|(ledger, _)| ledger.strong_count() > 0);
        carried.push((Arc::downgrade(ledger), Arc::downgrade(folder)));
        drop(carried);
        let running = self.couriers.enter();
        let ledger = ledger.clone();
        let outcome = self.outcome.clone();
        self.aborted.forget(folder.path());
        // Dropped with the courier however it ends: done, in a panic, or with the runtime in a shutdown that does not wait.
        let carried = Carried { folder: folder.clone(), ledger: ledger.clone(), aborted: self.aborted.clone() };
        let courier = self.tasks.spawn(async move {
            let _carried = carried;
            courier.await;
        });
        self.tasks.spawn(async move {
            if let Err(error) = courier.await
                && error.is_panic()
            {
                fault(&format!("an error inside the uploads: {}", panics::message(&*error.into_panic())));
            }
            outcome.note(&ledger);
            drop(running);
        });
    }

    fn shut_down(&self, deadline: Deadline) -> Result<Code> {
        let ledgers: Vec<Arc<Ledger>> = self.carried.lock().iter().filter_map(|(ledger, _)| ledger.upgrade()).collect();
        for ledger in &ledgers {
            ledger.enter(Phase::Aborted);
        }
        let mut in_time = self.encoders.wait(deadline) && self.couriers.wait(deadline);
        if let Some(runtime) = self.runtime.lock().take() {
            match deadline.left() {
                _ if !platform::CAN_JOIN_THREADS => runtime.shutdown_background(),
                None => drop(runtime),
                Some(left) => runtime.shutdown_timeout(left),
            }
        }
        in_time &= self.networkers.wait(deadline); // They may have something to write still.
        self.syncer.stop();
        self.helpers.stop();
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

    /// Whether nothing of it runs any more, at the latest then.
    fn has_ended(&self, deadline: Deadline) -> bool {
        [&self.encoders, &self.couriers, &self.writers, &self.networkers].iter().all(|gauge| gauge.wait(deadline))
    }
}

/// One that is in use.
fn known_root(roots: &mut Vec<Weak<Root>>, path: &Path) -> Option<Arc<Root>> {
    roots.retain(|root| root.strong_count() > 0);
    roots.iter().filter_map(Weak::upgrade).find(|root| root.path() == path)
}

/// A stream's folder has somebody who uploads from it.
struct Carried {
    folder: Arc<Folder>,
    ledger: Arc<Ledger>,
    aborted: Aborted,
}

impl Drop for Carried {
    fn drop(&mut self) {
        if self.ledger.phase() >= Phase::Aborted {
            self.aborted.note(self.folder.path());
        }
        self.folder.abandon();
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

/// Looks at a spool and its disk now and then, as long as somebody uses it. Each on its own: a network disk may hang.
async fn look_after(root: Weak<Root>) {
    for look in 0u64.. {
        let Some(root) = root.upgrade() else { return };
        let looked = tokio::task::spawn_blocking(move || {
            let _ = root.measure_disk();
            root.follow_clock();
            if look % SPOOL_LOOK == SPOOL_LOOK - 1 {
                root.measure_spool();
            }
            // At the beginning too: many programs do not run for an hour.
            if root.has_new_retention() || look % RETENTION_LOOK == RETENTION_LOOK - 1 {
                root.remove_old();
            }
        });
        let _ = looked.await;
        tokio::time::sleep(DISK_LOOK).await;
    }
}

/// A thread for files ends after 10 s without work. This keeps one of them, for there might be no other when it is needed, and
/// only one, since they take turns.
async fn keep_a_thread() {
    loop {
        let _ = tokio::task::spawn_blocking(|| {}).await;
        tokio::time::sleep(THREAD_LOOK).await;
    }
}

/// What an open handle stands for.
pub fn find(handle: u64) -> Option<Arc<Session>> {
    REGISTRY.find(handle)
}

/// What a call on a handle that is not open gets.
pub fn not_open() -> Error {
    Error::plain(Code::EHandle, "the handle is not open", [0; 4])
}

/// `rheed_discard` on a handle that is not open: the slot may have outlived it.
pub fn discard_outlived(handle: u64, address: usize) -> Result<()> {
    if OUTLIVED.discard(handle, address) { Ok(()) } else { Err(not_open()) }
}

/// `rheed_free`
pub fn free(session: &Session) {
    if let Ok(stream) = session.stream() {
        OUTLIVED.note(session.handle(), stream.loans()); // First, so that a slot can be given back at any moment.
    }
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
        None => Some(LEAVING.lock()),
        Some(left) => LEAVING.try_lock_for(left),
    };
    let Some(mut leaving) = one_at_a_time else { return Ok(Code::WPending) };
    let Some(engine) = ENGINE.lock().take() else {
        leaving.retain(|engine| !engine.has_ended(deadline));
        return Ok(if leaving.is_empty() { Code::Ok } else { Code::WPending });
    };
    // Before the look at the registry: what is registered after it finds the engine closed.
    engine.closed.store(true, Ordering::Release);
    engine.cancel.cancel();
    for session in REGISTRY.all().iter().filter(|session| session.cancel.is_cancelled()) {
        session.abort(); // This engine's, or aborted anyway; another engine may be running already.
    }
    let ended = engine.shut_down(deadline);
    leaving.retain(|engine| !engine.has_ended(deadline));
    if !engine.has_ended(deadline) {
        leaving.push(engine);
    }
    if leaving.is_empty() { ended } else { Ok(Code::WPending) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{Event, State};

    #[test]
    fn a_stream_that_an_internal_error_closes_tells_it_and_keeps_its_spool() {
        let spool = std::env::temp_dir().join(format!("rheed-engine-{}", uuid::Uuid::now_v7()));
        let (handle, _) = init(&format!("endpoint=none\nfps=10\nlog_file=none\nspool_dir={}", spool.display())).unwrap();
        let session = find(handle).unwrap();
        session.stream().unwrap().fault("an error made by a test");
        let told = session.next_event(Deadline::never()).unwrap();
        assert_eq!((told.kind, told.value), (Event::Fault, 0));
        assert!(told.text.contains("an error made by a test"), "{}", told.text);
        assert_eq!(session.stats()[Stat::State as usize], State::Fault as i64);
        assert_eq!(session.finalize(Deadline::never()).unwrap_err().code, Code::EInternal);
        assert_eq!(std::fs::read_dir(spool.join("streams")).unwrap().count(), 1);
        free(&session);
        std::fs::remove_dir_all(spool).unwrap();
    }
}
