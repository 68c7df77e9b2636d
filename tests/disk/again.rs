//! One service, again and again: for every state of a disk the same stream exists there, and nothing of it has come.

use crate::support::spool::{copy, entries};
use crate::support::{Workshop, service};
use rheed_stream::receiver::{Receiver, Settings};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A service that can be started again as it was when the stream had been created, its port and key the same.
pub struct Service {
    address: SocketAddr,
    key: String,
    created: PathBuf,
    workshop: Workshop,
}

impl Service {
    /// Of a service that runs.
    pub fn remember(service: &Receiver, workshop: Workshop) -> Service {
        let created = workshop.path().join("created");
        copy(&workshop.path().join("service"), &created);
        Service { address: service::address(service), key: service.key().into(), created, workshop }
    }

    /// On its port, with what it kept then; ended or not.
    pub fn start_again(&self, is_ended: bool) -> Receiver {
        let data = self.workshop.path().join("again");
        let _ = fs::remove_dir_all(&data);
        copy(&self.created, &data);
        if is_ended {
            let about = entries(&data).into_iter().map(|folder| folder.join("stream.json")).find(|file| file.exists());
            let about = about.expect("the stream was created");
            let text = fs::read_to_string(&about).expect("it can be read");
            assert!(text.contains("\"active\""), "{text}");
            fs::write(about, text.replace("\"active\"", "\"ended\"")).expect("it can be written");
        }
        let settings = Settings { listen: self.address, key: Some(self.key.clone()), ..Settings::new(data) };
        Receiver::start(settings).expect("its port is free")
    }
}
