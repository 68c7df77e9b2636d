//! The thread that makes sealed chunks survive a power cut: file, then folder. The encoder does not wait for it.

use super::folder::Folder;
use crate::platform;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A way to the syncing thread.
pub type SyncQueue = Sender<Job>;

/// What the thread has to do.
pub enum Job {
    /// A chunk that was just sealed: its file, its folder, its index.
    Sync(Arc<File>, Arc<Folder>, u64),
    /// End.
    Stop,
}

/// The syncing thread's other end, held by the engine.
pub struct Syncer {
    queue: SyncQueue,
}

impl Syncer {
    /// The syncer, and what its thread has to run.
    pub fn new() -> (Syncer, impl FnOnce() + Send + 'static) {
        let (queue, jobs) = channel();
        (Syncer { queue }, move || sync_all(&jobs))
    }

    /// For a stream.
    pub fn queue(&self) -> SyncQueue {
        self.queue.clone()
    }

    /// Lets the thread do what waits, and end.
    pub fn stop(&self) {
        let _ = self.queue.send(Job::Stop);
    }
}

fn sync_all(jobs: &Receiver<Job>) {
    let mut stopped = false;
    // What was sent before the end is still done.
    while let Some(job) = if stopped { jobs.try_recv().ok() } else { jobs.recv().ok() } {
        let Job::Sync(file, folder, chunk) = job else {
            stopped = true;
            continue;
        };
        let synced = file.sync_all().and_then(|()| platform::sync_folder(folder.path()));
        // Confirmed meanwhile, chunk and folder are gone: then there is nothing to keep.
        folder.synced(chunk, synced.err().filter(|error| error.kind() != io::ErrorKind::NotFound));
    }
}
