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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Bounds;
    use crate::spool::scratch::Scratch;
    use std::collections::HashSet;
    use tokio_util::sync::CancellationToken;

    fn session(scratch: &Scratch) -> Arc<Session> {
        let root = scratch.folder.root().clone();
        Arc::new(Session::resumed(scratch.notices.clone(), root, Bounds::new(&scratch.options), CancellationToken::new()))
    }

    #[test]
    fn threads_that_open_use_and_close_handles_never_get_one_for_another() {
        const TURNS: usize = 3000;
        let scratch = Scratch::new("endpoint=none");
        let registry = Registry { slots: RwLock::new(Vec::new()) };
        let (closed, seen) = (RwLock::new(Vec::new()), RwLock::new(HashSet::new()));
        std::thread::scope(|scope| {
            let play = || {
                for turn in 0..TURNS {
                    let mine = session(&scratch);
                    let handle = registry.open(mine.clone()).unwrap();
                    assert!((1 << 32..1 << 53).contains(&handle) && seen.write().insert(handle), "{handle:#x}");
                    assert!(registry.find(handle).is_some_and(|found| Arc::ptr_eq(&found, &mine) && found.handle() == handle));
                    let stale: Option<u64> = closed.read().get(turn % 64).copied();
                    if let Some(stale) = stale {
                        assert!(registry.find(stale).is_none() && registry.close(stale).is_none());
                    }
                    // Whoever is first has closed it: here nobody else tries.
                    assert!(registry.close(handle).is_some_and(|found| Arc::ptr_eq(&found, &mine)));
                    assert!(registry.find(handle).is_none() && registry.close(handle).is_none());
                    let mut closed = closed.write();
                    if closed.len() < 64 { closed.push(handle) } else { closed[turn % 64] = handle }
                }
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(play)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert_eq!((registry.all().len(), seen.read().len()), (0, 4 * TURNS));
    }

    #[test]
    fn a_handle_is_closed_by_one_of_those_who_try() {
        let scratch = Scratch::new("endpoint=none");
        let registry = Registry { slots: RwLock::new(Vec::new()) };
        for _ in 0..200 {
            let handle = registry.open(session(&scratch)).unwrap();
            let closed = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| registry.close(handle).is_some())).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count()
            });
            assert_eq!(closed, 1);
        }
    }
}
