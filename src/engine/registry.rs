//! The handles: a slot plus a generation. They are looked up, never dereferenced.

use super::Session;
use parking_lot::RwLock;
use std::sync::Arc;

const SLOT_BITS: u32 = 16;
/// Handles lie between 2^32 and 2^53: an int cuts them to something that is none, a double holds them exactly.
const FIRST_GENERATION: u64 = 1 << (32 - SLOT_BITS);
const LAST_GENERATION: u64 = (1 << (53 - SLOT_BITS)) - 1;

/// All open handles of the process. They outlive engines: questions are answered until a handle is freed.
pub struct Registry {
    slots: RwLock<Vec<Slot>>,
}

struct Slot {
    generation: u64,
    session: Option<Arc<Session>>,
}

/// The process's registry.
pub static REGISTRY: Registry = Registry { slots: RwLock::new(Vec::new()) };

impl Registry {
    /// A new handle. `None` when there are 65,536 already.
    pub fn open(&self, session: Arc<Session>) -> Option<u64> {
        let mut slots = self.slots.write();
        let index = match slots.iter().position(|slot| slot.session.is_none()) {
            Some(index) => index,
            None if slots.len() < 1 << SLOT_BITS => {
                // Begins anywhere, so that a handle kept from an earlier process is none here.
                let generation = fastrand::u64(FIRST_GENERATION..LAST_GENERATION / 2);
                slots.push(Slot { generation, session: None });
                slots.len() - 1
            }
            None => return None,
        };
        let slot = &mut slots[index];
        slot.generation = if slot.generation == LAST_GENERATION { FIRST_GENERATION } else { slot.generation + 1 };
        let handle = (slot.generation << SLOT_BITS) | index as u64;
        session.set_handle(handle);
        slot.session = Some(session);
        Some(handle)
    }

    /// What an open handle stands for.
    pub fn find(&self, handle: u64) -> Option<Arc<Session>> {
        let slots = self.slots.read();
        let slot = slots.get((handle & ((1 << SLOT_BITS) - 1)) as usize)?;
        if slot.generation == handle >> SLOT_BITS { slot.session.clone() } else { None }
    }

    /// Closes a handle.
    pub fn close(&self, handle: u64) -> Option<Arc<Session>> {
        let mut slots = self.slots.write();
        let slot = slots.get_mut((handle & ((1 << SLOT_BITS) - 1)) as usize)?;
        if slot.generation == handle >> SLOT_BITS { slot.session.take() } else { None }
    }

    /// All that are open.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.slots.read().iter().filter_map(|slot| slot.session.clone()).collect()
    }
}
