//! Slots that outlive their handles: a camera may still be writing into one when its stream is freed.

use crate::stream::Loans;
use parking_lot::Mutex;
use std::sync::Arc;

/// The slots of freed streams, by handle.
pub struct Outlived {
    freed: Mutex<Vec<(u64, Arc<Loans>)>>,
}

/// The process's.
pub static OUTLIVED: Outlived = Outlived { freed: Mutex::new(Vec::new()) };

impl Outlived {
    /// A handle is just being freed. Forgets those of which no slot is left.
    pub fn note(&self, handle: u64, loans: &Arc<Loans>) {
        let mut freed = self.freed.lock();
        freed.retain(|(_, loans)| !loans.are_over());
        if freed.iter().all(|(known, _)| *known != handle) {
            freed.push((handle, loans.clone()));
        }
    }

    /// Gives a slot back; tells whether it was one of that handle's.
    pub fn discard(&self, handle: u64, address: usize) -> bool {
        let mut freed = self.freed.lock();
        let of_handle = freed.iter().find(|(known, _)| *known == handle);
        let is_back = of_handle.is_some_and(|(_, loans)| loans.discard(address).is_ok());
        freed.retain(|(_, loans)| !loans.are_over());
        is_back
    }
}
