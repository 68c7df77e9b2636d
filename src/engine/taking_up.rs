//! Taking up what earlier processes left: at once, and again now and then what could not be.

use super::open::Way;
use super::{Engine, Session};
use crate::codes;
use crate::ledger::{Connection, Ledger, Notices, Phase};
use crate::log::Level;
use crate::options::Endpoint;
use crate::spool::{Folder, Root, Search, Skipped, TakenUp, name_of, take_up_all};
use crate::upload::{account_for, keep_in_spool, tell_taken_up};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Another process may just be ending, and a disk be full for a moment.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// So long what was aborted is waited for: its disk may hang, which is not to hold up the others.
const ABORTED_PATIENCE: Duration = Duration::from_secs(10);

/// The folders of streams that were aborted in this process, until they are taken up: they stay where they are, for all who began
/// to look before.
#[derive(Clone, Default)]
pub(super) struct Aborted(Arc<Mutex<Numbered>>);

#[derive(Default)]
struct Numbered {
    next: u64,
    folders: HashMap<PathBuf, u64>,
}

impl Aborted {
    /// Another one, before anybody can take it up.
    pub fn note(&self, path: &Path) {
        let mut numbered = self.0.lock();
        let number = numbered.next;
        numbered.next += 1;
        numbered.folders.insert(path.into(), number);
    }

    /// It is taken up.
    pub fn forget(&self, path: &Path) {
        self.0.lock().folders.remove(path);
    }

    /// What is aborted from now on has this number or a higher one.
    fn now(&self) -> u64 {
        self.0.lock().next
    }

    fn since(&self, number: u64, path: &Path) -> bool {
        self.0.lock().folders.get(path).is_some_and(|aborted| *aborted >= number)
    }

    /// Others have finished or removed some in a spool: asks its disk. Where there is no spool, nothing is known to be gone.
    fn forget_those_that_are_gone(&self, streams: &Path) {
        let known: Vec<PathBuf> = self.0.lock().folders.keys().filter(|path| path.starts_with(streams)).cloned().collect();
        let is_gone = |path: &Path| fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let gone: Vec<&PathBuf> = known.iter().filter(|path| is_gone(path)).collect();
        if streams.is_dir() {
            gone.into_iter().for_each(|path| self.forget(path));
        }
    }
}

/// The stream folders of a spool that a process held at a moment.
#[derive(Default)]
struct Held {
    /// Theirs who live. Should one be aborted later, it stays where it is.
    live: HashSet<PathBuf>,
    /// Theirs who were being aborted: let go as soon as their encoders are done.
    aborted: HashMap<PathBuf, Weak<Folder>>,
    /// What was aborted later has this number or a higher one.
    since: u64,
}

impl Held {
    /// Now.
    fn by(engine: &Engine, root: &Arc<Root>) -> Held {
        let mut held = Held::default();
        for (ledger, folder) in engine.carried.lock().iter() {
            let Some((ledger, folder)) = ledger.upgrade().zip(folder.upgrade()) else { continue };
            if !Arc::ptr_eq(folder.root(), root) {
                continue;
            } else if ledger.phase() >= Phase::Aborted {
                // Let go or not: it may yet be noted as aborted.
                held.aborted.insert(folder.path().into(), Arc::downgrade(&folder));
            } else if !folder.is_released() {
                held.live.insert(folder.path().into());
            }
        }
        held.since = engine.aborted.now(); // Now, when those are known that were aborted before.
        held
    }

    /// Whether it is this process's own: it was held then, or aborted since.
    fn is_ours(&self, engine: &Engine, path: &Path) -> bool {
        self.live.contains(path) || (engine.aborted.since(self.since, path) && !self.aborted.contains_key(path))
    }

    /// Until what was aborted can be taken up.
    async fn aborted_are_released(&self) {
        while self.aborted.values().any(|folder| folder.upgrade().is_some_and(|folder| !folder.is_released())) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A search of a spool, for the handle whose call began it.
struct TakingUp {
    engine: Arc<Engine>,
    /// Not kept alive by this: the memory of a stream goes with its handle.
    session: Weak<Session>,
    root: Arc<Root>,
    /// How the handle's owner is told.
    owner: Arc<Notices>,
    /// How what is taken up tells. A live stream's owner is told that something was taken up, and no more: its events and errors
    /// are the stream's own.
    notices: Arc<Notices>,
    way: Option<Way>,
    endpoint: Endpoint,
    adopt: bool,
    cancel: CancellationToken,
    held: Held,
    /// What is to be looked at again; the first look is at everything.
    again: BTreeMap<PathBuf, Left>,
    has_looked: bool,
    /// Of its kind: the latest goes on looking.
    number: u64,
}

/// A folder of which something is left.
struct Left {
    reason: String,
    /// What could be taken up of it.
    taken: Option<(Arc<Ledger>, Arc<Folder>)>,
}

impl Engine {
    /// In the background: what earlier processes left under this endpoint. `adopt`: also what was recorded without one.
    pub(super) fn take_up(
        self: &Arc<Self>,
        session: &Arc<Session>,
        way: Option<Way>,
        endpoint: Endpoint,
        adopt: bool,
        cancel: CancellationToken,
    ) {
        if way.is_none() && !adopt {
            return; // Without a service there is nothing to be done with it, unless that was asked for.
        }
        let owner = session.notices.clone();
        let mut search = TakingUp {
            engine: self.clone(),
            session: Arc::downgrade(session),
            root: session.root.clone(),
            notices: if adopt { owner.clone() } else { Arc::new(Notices::new(owner.log.clone())) },
            owner,
            way,
            endpoint,
            adopt,
            cancel,
            // Now and not when the task gets to run: what is aborted after this call is not its to take up.
            held: Held::by(self, &session.root),
            again: BTreeMap::new(),
            has_looked: false,
            number: 0,
        };
        if !adopt {
            let mut searches = self.searches.lock();
            let count = searches.entry(search.place()).or_default();
            *count += 1;
            search.number = *count;
        }
        let running = self.couriers.enter();
        self.tasks.spawn(async move {
            search.run().await;
            drop(running);
        });
    }
}

impl TakingUp {
    /// Until nothing is left that might be taken up another time.
    async fn run(mut self) {
        let _ = tokio::time::timeout(ABORTED_PATIENCE, self.held.aborted_are_released()).await;
        let (cancel, session) = (self.cancel.clone(), self.session.clone());
        let mut pause = FIRST_PAUSE;
        loop {
            let looking = move || {
                self.look();
                self
            };
            self = match tokio::task::spawn_blocking(looking).await {
                Ok(looked) => looked,
                Err(error) => {
                    if let Some(session) = session.upgrade().filter(|_| error.is_panic()) {
                        session.search_failed();
                    }
                    return;
                }
            };
            if self.again.is_empty()
                || cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none()
                || self.is_taken_over()
            {
                return;
            }
            pause = LONGEST_PAUSE.min(2 * pause);
        }
    }

    /// Whether a later call of the same kind looks at the same spool now. A resume's handle tells of what it finds itself.
    fn is_taken_over(&self) -> bool {
        let has_parts = self.again.values().any(|left| left.taken.is_some());
        !self.adopt && !has_parts && self.engine.searches.lock().get(&self.place()).is_some_and(|latest| *latest != self.number)
    }

    fn place(&self) -> (PathBuf, String) {
        (self.root.path().into(), self.endpoint.as_str().into())
    }

    fn look(&mut self) {
        if self.cancel.is_cancelled() {
            return;
        }
        self.engine.aborted.forget_those_that_are_gone(&self.root.streams());
        // What is still being sent is let go first.
        let (mut before, under_way) = std::mem::take(&mut self.again).into_iter().partition(|(_, left)| left.is_let_go());
        self.again = under_way;
        if !std::mem::replace(&mut self.has_looked, true) || !before.is_empty() {
            let (root, notices, endpoint, adopt) = (self.root.clone(), self.notices.clone(), self.endpoint.clone(), self.adopt);
            let (engine, held) = (self.engine.clone(), std::mem::take(&mut self.held));
            let is_ours = |path: &Path| held.is_ours(&engine, path);
            let search = Search { endpoint: &endpoint, adopt, is_ours: &is_ours, only: before.keys().cloned().collect() };
            let sync = self.engine.syncer.queue();
            take_up_all(&root, &search, &notices, &sync, |path, met| match met {
                Ok(taken) => self.carry(path, before.remove(path), taken),
                Err(skipped) => self.skip(path, before.remove(path), skipped),
            });
            self.held = held;
        }
        // What was not met is no longer there: finished by somebody else.
        for (path, left) in before {
            left.close();
            self.tell_session(|session| session.no_longer_skipped(&name_of(&path)));
        }
        self.tell_session(Session::all_taken_up);
    }

    /// What was taken up is sent, or kept in whole chunks.
    fn carry(&mut self, path: &Path, before: Option<Left>, mut taken: TakenUp) {
        let folder = taken.folder.clone();
        let ledger = match before.and_then(|left| left.taken) {
            // What is sent is no longer in the folder: the account goes on.
            Some((ledger, _)) if self.way.is_some() => {
                taken.losses = taken.losses.without(&ledger.losses());
                ledger
            }
            _ => {
                let name = folder.facts().stream_name;
                Arc::new(Ledger::new(&folder.local_id(), &name, Connection::Connecting, self.notices.clone()))
            }
        };
        account_for(&taken, &ledger);
        self.tell_session(|session| session.add_ledger(ledger.clone(), folder.clone()));
        tell_taken_up(&taken, &ledger, &self.owner);
        match taken.left.take() {
            Some(error) => {
                let left = Left { reason: String::new(), taken: Some((ledger.clone(), folder.clone())) };
                self.skip(path, Some(left), error.into());
            }
            None => self.tell_session(|session| session.no_longer_skipped(&name_of(path))),
        }
        let fault = {
            let ledger = ledger.clone();
            move |what: &str| {
                ledger.enter(Phase::Fault);
                ledger.notices.tell(codes::Event::Fault, 0, format!("{what}: its spool is kept"));
            }
        };
        let cancel = self.cancel.clone();
        match &self.way {
            Some(way) => self.engine.carry(&ledger, &folder, way.courier(&folder, &ledger, cancel).run(), fault),
            // Whole chunks of what was left, and no more: a resume with an endpoint sends them.
            None => {
                let kept = keep_in_spool(folder.clone(), ledger.clone(), cancel);
                self.engine.carry(&ledger, &folder, kept, fault);
            }
        }
    }

    /// It is not taken up, or not all of it: told, and looked at again if that may help.
    fn skip(&mut self, path: &Path, before: Option<Left>, skipped: Skipped) {
        let (name, reason) = (name_of(path), skipped.to_string());
        let is_new = before.as_ref().is_none_or(|left| left.reason != reason);
        if is_new && matches!(skipped, Skipped::Unusable(_)) {
            self.owner.log.say(Level::Error, || format!("{name} is not taken up: {reason}"));
        }
        self.tell_session(|session| session.add_skipped(&name, &skipped));
        let left = Left { reason, taken: before.and_then(|left| left.taken) };
        if skipped.may_pass() {
            self.again.insert(path.into(), left);
        } else {
            left.close();
        }
    }

    fn tell_session(&self, tell: impl FnOnce(&Session)) {
        if let Some(session) = self.session.upgrade() {
            tell(&session);
        }
    }
}

impl Left {
    /// Whether nobody here works in it any more.
    fn is_let_go(&self) -> bool {
        self.taken.as_ref().is_none_or(|(_, folder)| folder.is_released())
    }

    /// What is left is no longer this search's: the account of what was taken up ends with that.
    fn close(&self) {
        if let Some((ledger, _)) = &self.taken {
            ledger.enter(Phase::Finalized);
        }
    }
}
