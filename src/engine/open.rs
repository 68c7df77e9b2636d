//! `rheed_init` and `rheed_resume`: a stream is opened; what earlier processes left is taken up.

use super::registry::REGISTRY;
use super::{Engine, Session};
use crate::clock::ReferenceClock;
use crate::codes::Code;
use crate::error::{Error, Result};
use crate::ledger::{Connection, Ledger, Notices};
use crate::log::Level;
use crate::options::{Endpoint, Options};
use crate::service::{Service, keep_measuring};
use crate::spool::{Bounds, Folder, Root};
use crate::stream::{Helpers, Stream, Works};
use crate::upload::{Courier, FirstAnswer, Waited, first_answer, keep_in_spool, note_no_answer};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A way to the service, with the clock and the workers that its streams share.
#[derive(Clone)]
pub(super) struct Way {
    service: Arc<Service>,
    clock: Arc<ReferenceClock>,
    workers: Arc<Semaphore>,
}

/// `rheed_init`: the handle, and a remark if there is something to say.
pub fn init(text: &str) -> Result<(u64, String)> {
    let options = Options::for_stream(text)?;
    let engine = Engine::running()?;
    let root = engine.root(&options.spool_dir, true, options.spool_retention)?;
    let bounds = Bounds::new(&options);
    let full = (root.room(&bounds) <= 0)
        .then(|| format!("spool_dir {}: no room within spool_max_bytes and spool_min_free_bytes", root.path().display()));
    // A service that is reached makes room by taking what an earlier process left.
    let may_clear = options.endpoint != Endpoint::None && root.used() > 0;
    if let Some(message) = full.clone().filter(|_| !may_clear) {
        return Err(Error::new(Code::EDiskFull, message));
    }
    let notices = engine.notices(&options, &root, "stream");
    let remarks = remarks(&options, &root, &notices);
    let way = engine.way(&options, &notices)?;
    let folder = Folder::create(&root, &options, notices.clone(), engine.syncer.queue())?;
    let opened = engine.open_stream(options, &notices, &root, bounds, way.as_ref(), folder.clone());
    let (handle, remark) = opened.inspect_err(|_| {
        let _ = folder.discard(); // Nothing was taken: nothing is to be left behind.
    })?;
    let full = full.map(|full| format!("{full}: frames are refused until what is there has been sent"));
    let remarks = [full, Some(remark)].into_iter().flatten().chain(remarks).filter(|remark| !remark.is_empty());
    Ok((handle, remarks.collect::<Vec<_>>().join("; ")))
}

/// `rheed_resume`: the handle of what is being taken up.
pub fn resume(text: &str) -> Result<(u64, String)> {
    let options = Options::for_resume(text)?;
    let engine = Engine::running()?;
    let root = engine.root(&options.spool_dir, false, options.spool_retention)?;
    let notices = engine.notices(&options, &root, "resume");
    let remarks = remarks(&options, &root, &notices);
    let way = engine.way(&options, &notices)?;
    let cancel = engine.cancel.child_token();
    let session = Arc::new(Session::resumed(notices, root, Bounds::new(&options), cancel));
    engine.take_up(&session, way, options.endpoint, true, session.cancel.clone());
    Ok((engine.register(session)?, remarks.join("; ")))
}

/// What others on this computer can read or change, and what the service may refuse: told in the log too. It is used all the same:
/// frames matter more.
fn remarks(options: &Options, root: &Root, notices: &Notices) -> Vec<String> {
    let remarks: Vec<String> = options.remarks.iter().cloned().chain(root.exposure()).collect();
    for remark in &remarks {
        notices.log.say(Level::Notice, || remark.clone());
    }
    remarks
}

impl Engine {
    fn notices(&self, options: &Options, root: &Root, label: &str) -> Arc<Notices> {
        let (log, failure) = self.logger.open(options, root.path(), label);
        if let Some(error) = failure {
            log.say(Level::Error, || format!("the log file cannot be written: {error}"));
        }
        Arc::new(Notices::new(log))
    }

    /// `None` where there is no service.
    fn way(&self, options: &Options, notices: &Arc<Notices>) -> Result<Option<Way>> {
        let Endpoint::Url(endpoint) = &options.endpoint else { return Ok(None) };
        let service = Arc::new(Service::new(endpoint, options, notices.log.clone())?);
        let (clock, is_new) = if options.clock_sync { self.clock(endpoint) } else { (Arc::default(), false) };
        if is_new {
            let measuring = keep_measuring(service.clone(), Arc::downgrade(&clock));
            let cancel = self.cancel.clone();
            self.tasks.spawn(async move { cancel.run_until_cancelled(measuring).await });
        }
        Ok(Some(Way { service, clock, workers: Arc::new(Semaphore::new(options.max_workers as usize)) }))
    }

    fn open_stream(
        self: &Arc<Self>,
        options: Options,
        notices: &Arc<Notices>,
        root: &Arc<Root>,
        bounds: Bounds,
        way: Option<&Way>,
        folder: Arc<Folder>,
    ) -> Result<(u64, String)> {
        let patience = options.connect_timeout;
        let endpoint = options.endpoint.clone();
        let connection = if way.is_some() { Connection::Connecting } else { Connection::Spooling };
        let ledger = Arc::new(Ledger::new(&folder.local_id(), &options.stream_name, connection, notices.clone()));
        let clock = way.map(|way| way.clock.clone()).unwrap_or_default();
        let works = Arc::new(Works::new(options, ledger.clone(), folder.clone(), clock, self.helpers.clone()));
        let stall_after = works.options.stall_after();
        let (stream, encode) = Stream::open(works)?;
        let faulty = stream.clone();
        let fault = move |what: &str| faulty.fault(what);
        let cancel = self.cancel.child_token();
        let session = Arc::new(Session::live(stream, root.clone(), bounds, cancel.clone()));

        self.encoders
            .spawn("rheed-encode", encode)
            .map_err(|error| Error::new(Code::EInternal, format!("the encoder's thread cannot be started: {error}")))?;
        // Encoders do without, and where threads run out the streams' own come first.
        self.helped.call_once(|| {
            for _ in 0..Helpers::wanted() {
                let _ = self.writers.spawn("rheed-help", self.helpers.helper());
            }
        });
        if let Some(timeout) = stall_after {
            let (watched, cancel) = (Arc::downgrade(&ledger), cancel.clone());
            self.tasks.spawn(async move { cancel.run_until_cancelled(look_after_camera(watched, timeout)).await });
        }
        let said = match way {
            None => {
                self.carry(&ledger, &folder, keep_in_spool(folder.clone(), ledger.clone(), cancel), fault);
                String::new()
            }
            Some(way) => {
                let (answering, awaiting) = first_answer();
                let mut courier = way.courier(&folder, &ledger, cancel);
                courier.first_answer = Some(answering);
                self.carry(&ledger, &folder, courier.run(), fault);
                remark(awaiting.wait(patience), patience, &ledger, &folder).inspect_err(|_| session.abort())?
            }
        };
        notices.log.say(Level::Notice, || format!("opened: {} ({})", ledger.name, ledger.local_id));
        let handle = self.register(session.clone())?;
        // Not stopped by an abort of this stream: what was left is the engine's to finish.
        self.take_up(&session, way.cloned(), endpoint, false, self.cancel.child_token());
        Ok((handle, said))
    }

    /// Gives the session its handle, unless a shutdown came first.
    fn register(&self, session: Arc<Session>) -> Result<u64> {
        let handle = REGISTRY.open(session.clone());
        let Some(handle) = handle else {
            session.abort();
            return Err(Error::new(Code::EInternal, "there are 65,536 open handles: free some"));
        };
        if self.closed.load(std::sync::atomic::Ordering::Acquire) {
            session.abort(); // Shut down meanwhile: as if it had been opened before.
        }
        Ok(handle)
    }
}

impl Way {
    /// Who carries a stream's chunks this way.
    pub fn courier(&self, folder: &Arc<Folder>, ledger: &Arc<Ledger>, cancel: CancellationToken) -> Courier {
        Courier {
            folder: folder.clone(),
            ledger: ledger.clone(),
            service: self.service.clone(),
            clock: self.clock.clone(),
            workers: self.workers.clone(),
            cancel,
            first_answer: None,
        }
    }
}

/// Tells when no frame comes, as long as some may. Not in the encoder: that may be waiting for a disk.
async fn look_after_camera(ledger: Weak<Ledger>, timeout: Duration) {
    while let Some(pause) = ledger.upgrade().and_then(|ledger| ledger.look_after_camera(timeout)) {
        tokio::time::sleep(pause).await;
    }
}

/// What init says of the service's first answer. No answer is no obstacle; a refusal is.
fn remark(waited: Waited, patience: Duration, ledger: &Ledger, folder: &Folder) -> Result<String> {
    let offline = |why: String| format!("{why}; frames go to the spool, and the stream is created when the service answers");
    match waited {
        Waited::Answered(FirstAnswer::Connected) => Ok(String::new()),
        Waited::Answered(FirstAnswer::Offline(why)) => Ok(offline(why)),
        Waited::Answered(FirstAnswer::Refused(error)) => Err(error),
        Waited::OutOfTime => {
            let why = format!("the service has not answered within {} ms", patience.as_millis());
            note_no_answer(ledger, folder, why.clone());
            Ok(offline(why))
        }
        Waited::Stopped => Err(Error::new(Code::EAborted, "rheed_shutdown came before the stream was open")),
    }
}
