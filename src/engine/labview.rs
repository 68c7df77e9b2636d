//! Nodes of LabVIEW that call the library, and the streams that are attached to each.
//!
//! LabVIEW keeps a pointer's worth of data for every Call Library Function Node, and hands it to the node's callbacks. What is kept
//! there is a number: it is looked up, never dereferenced. Numbers are drawn, so that one which was left behind by an unloaded
//! library or by a copied VI is none.

use super::{Session, find, free};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What LabVIEW keeps for a node: where that lies, and what is there now.
#[derive(Clone, Copy)]
pub struct Instance {
    pub place: usize,
    pub number: usize,
}

/// The nodes of the VIs that are reserved.
pub struct Nodes {
    reserved: Mutex<BTreeMap<usize, Node>>,
}

struct Node {
    place: usize,
    /// How many top-level VIs run that reserved it.
    holders: usize,
    /// Handles, in the order in which they were attached.
    streams: Vec<u64>,
}

/// The process's.
pub static NODES: Nodes = Nodes { reserved: Mutex::new(BTreeMap::new()) };

impl Nodes {
    /// The number of a node that is reserved. One that is reserved again, by a second top-level VI, keeps its own; a copy of a
    /// node gets another.
    pub fn reserve(&self, instance: Instance) -> usize {
        let mut reserved = self.reserved.lock();
        if let Some(node) = reserved.get_mut(&instance.number).filter(|node| node.place == instance.place) {
            node.holders += 1;
            return instance.number;
        }
        let number = loop {
            // Fits a pointer of 32 bits, and is not 0, which LabVIEW begins with.
            let drawn = fastrand::u32(1..) as usize;
            if !reserved.contains_key(&drawn) {
                break drawn;
            }
        };
        reserved.insert(number, Node { place: instance.place, holders: 1, streams: Vec::new() });
        number
    }

    /// Opens a stream that is attached from its beginning. Where the node is over by then, the stream is over too.
    pub fn init(&self, options: &str, number: usize) -> Result<(u64, String)> {
        if !self.reserved.lock().contains_key(&number) {
            return Err(not_reserved());
        }
        let opened = super::init(options)?;
        if let Some(session) = find(opened.0) {
            self.attach(&session, number).inspect_err(|_| free(&session))?;
        }
        Ok(opened)
    }

    /// From now on this node's callbacks end the stream, and no other's.
    pub fn attach(&self, session: &Session, number: usize) -> Result<()> {
        let mut reserved = self.reserved.lock();
        if !reserved.contains_key(&number) {
            return Err(not_reserved());
        }
        for node in reserved.values_mut() {
            node.streams.retain(|stream| *stream != session.handle() && find(*stream).is_some());
        }
        if let Some(node) = reserved.get_mut(&number) {
            node.streams.push(session.handle());
        }
        Ok(())
    }

    /// The node's VI is aborted: its streams stop, and who waits for them goes on. They stay attached.
    pub fn abort(&self, number: usize) -> Result<()> {
        let streams = self.reserved.lock().get(&number).map(|node| node.streams.clone());
        open(streams.ok_or_else(not_reserved)?).for_each(|session| session.abort());
        Ok(())
    }

    /// One of the node's top-level VIs is over. After the last of them, its streams are freed, those that no VI has freed itself.
    /// Tells whether it was the last.
    pub fn unreserve(&self, number: usize) -> Result<bool> {
        let mut reserved = self.reserved.lock();
        let node = reserved.get_mut(&number).ok_or_else(not_reserved)?;
        node.holders -= 1;
        if node.holders > 0 {
            return Ok(false);
        }
        let streams = std::mem::take(&mut node.streams);
        reserved.remove(&number);
        drop(reserved); // Freeing a stream takes its own locks.
        open(streams).for_each(|session| free(&session));
        Ok(true)
    }
}

/// What is still open of these handles.
fn open(streams: Vec<u64>) -> impl Iterator<Item = Arc<Session>> {
    streams.into_iter().filter_map(find)
}

fn not_reserved() -> Error {
    Error::argument(
        "instance is no node that is reserved: set rheed_labview_reserve on the node's Callbacks tab, and let LabVIEW give the \
         parameter (type Instance Data Pointer)",
    )
}
