//! A stream's folder for unit tests, in a spool of its own that goes with it.

use super::{Folder, Root, Syncer};
use crate::ledger::Notices;
use crate::log::Logger;
use crate::options::Options;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The folder and what it was made with.
pub struct Scratch {
    /// As for a stream.
    pub options: Options,
    /// Read by nobody else.
    pub notices: Arc<Notices>,
    /// Locked.
    pub folder: Arc<Folder>,
    spool: PathBuf,
}

impl Scratch {
    /// With these options and a spool.
    pub fn new(options: &str) -> Scratch {
        let spool = std::env::temp_dir().join(format!("rheed-scratch-{}", uuid::Uuid::now_v7()));
        let text = format!("fps=10\nlog_file=none\nspool_dir={}\n{options}", spool.display());
        let options = Options::for_stream(&text).unwrap();
        Root::prepare(&spool, true).unwrap();
        let root = Root::open(&spool, Duration::MAX).unwrap();
        let (logger, _) = Logger::new();
        let notices = Arc::new(Notices::new(logger.open(&options, &spool, "test").0));
        let folder = Folder::create(&root, &options, notices.clone(), Syncer::new().0.queue()).unwrap();
        Scratch { options, notices, folder, spool }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.spool);
    }
}
