//! The slots: memory for frames between push and encoder.
//!
//! A pool is one allocation, cut into slots of one frame size. Free slots are taken last in, first out, so that the hot ones
//! stay in the caches and the others are never touched. Taking and giving back never lock: a camera's thread must not wait
//! for one that was put to sleep in the middle of it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// More would not help, and the queue behind has as many places.
pub const MOST_SLOTS: usize = 4096;

/// Slots begin on a cache line.
const CACHE_LINE: usize = 64;
/// What every allocator gives without further ado. More, and the system would not zero the memory lazily but write all of it.
const ALIGNMENT: usize = 16;
const NONE: u32 = u32::MAX;

/// Slots of one size.
pub struct Pool {
    memory: NonNull<u8>,
    layout: Layout,
    /// The first slot, on a cache line.
    first: NonNull<u8>,
    /// From one slot to the next.
    stride: usize,
    slot_bytes: usize,
    /// Top of the free slots in the low half; in the high half a count that tells one top from the same one later (ABA).
    top: AtomicU64,
    /// Below each free slot lies this one.
    below: Box<[AtomicU32]>,
    /// How many bytes were asked for of each slot that is lent; 0 = it is not.
    lent: Box<[AtomicUsize]>,
    /// What the holder of each slot notes on it.
    notes: Box<[AtomicU64]>,
}

// SAFETY: the memory is only reached through a `Slot`, and each slot is owned by one `Slot` at a time.
unsafe impl Send for Pool {}
// SAFETY: as above; the list of free slots is atomic.
unsafe impl Sync for Pool {}

impl Pool {
    /// As many slots of `slot_bytes` as fit in `most_bytes`, at least one. The memory is not touched yet. `None` when it cannot be
    /// had.
    pub fn new(slot_bytes: usize, most_bytes: u64) -> Option<Pool> {
        let stride = slot_bytes.max(1).checked_next_multiple_of(CACHE_LINE)?;
        let count = usize::try_from(most_bytes / stride as u64).unwrap_or(MOST_SLOTS).clamp(1, MOST_SLOTS);
        let layout = Layout::from_size_align(stride.checked_mul(count)?.checked_add(CACHE_LINE)?, ALIGNMENT).ok()?;
        // SAFETY: the layout's size is not zero. Zeroed, so that a slot's bytes are initialized; the system does it lazily.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // SAFETY: less than a cache line further, for which there is room.
        let first = unsafe { memory.add(memory.align_offset(CACHE_LINE)) };
        let below = (0..count as u32).map(|index| AtomicU32::new(if index == 0 { NONE } else { index - 1 })).collect();
        let lent = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let notes = (0..count).map(|_| AtomicU64::new(0)).collect();
        Some(Pool { memory, layout, first, stride, slot_bytes, top: AtomicU64::new(count as u64 - 1), below, lent, notes })
    }

    /// How many there are.
    pub fn slots(&self) -> usize {
        self.below.len()
    }

    /// How many of them are free. Each that is not holds the pool, as its owner does.
    pub fn free_slots(self: &Arc<Pool>) -> usize {
        (self.slots() + 1).saturating_sub(Arc::strong_count(self))
    }

    /// Bytes of a slot.
    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// Touches all memory, so that no push has to.
    pub fn touch(self: &Arc<Pool>) {
        let mut slots: Vec<Slot> = std::iter::from_fn(|| self.take()).collect();
        slots.iter_mut().for_each(|slot| slot.bytes_mut().fill(1));
    }

    /// A free slot.
    pub fn take(self: &Arc<Pool>) -> Option<Slot> {
        let mut top = self.top.load(Ordering::Acquire);
        loop {
            let index = top as u32;
            if index == NONE {
                return None;
            }
            let below = self.below[index as usize].load(Ordering::Relaxed);
            match self.top.compare_exchange_weak(top, after(top, below), Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some(Slot { pool: self.clone(), index }),
                Err(now) => top = now,
            }
        }
    }

    /// Whether any slot is lent.
    pub fn lends(&self) -> bool {
        self.lent.iter().any(|asked| asked.load(Ordering::Relaxed) > 0)
    }

    /// The lent slot that begins at this address, and how many bytes were asked for. One of those who try gets it. The address
    /// may be any number: it is compared, and nothing is read there.
    pub fn take_back(self: &Arc<Pool>, address: usize) -> Option<(Slot, usize)> {
        let offset = address.checked_sub(self.first.addr().get()).filter(|offset| offset % self.stride == 0)?;
        let index = offset / self.stride;
        let asked = self.lent.get(index)?.swap(0, Ordering::AcqRel);
        if asked == 0 {
            return None;
        }
        // SAFETY: `lend` has left one count behind, and the swap has made it this call's.
        let pool = unsafe { Arc::from_raw(Arc::as_ptr(self)) };
        Some((Slot { pool, index: index as u32 }, asked))
    }

    fn give_back(&self, index: u32) {
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            self.below[index as usize].store(top as u32, Ordering::Relaxed);
            match self.top.compare_exchange_weak(top, after(top, index), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }
}

/// The next value of `top`, with that slot on it.
fn after(top: u64, index: u32) -> u64 {
    ((top >> 32).wrapping_add(1) << 32) | u64::from(index)
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; every slot holds the pool, so none is left.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

/// A slot in use. Dropped, it is free again.
pub struct Slot {
    pool: Arc<Pool>,
    index: u32,
}

impl Slot {
    fn start(&self) -> NonNull<u8> {
        // SAFETY: the index is below the count, so this stays inside the allocation.
        unsafe { self.pool.first.add(self.index as usize * self.pool.stride) }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.pool.slot_bytes
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: initialized, inside the allocation, and nobody else has this slot.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.pool.slot_bytes) }
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: initialized, inside the allocation, and nobody else has this slot.
        unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.pool.slot_bytes) }
    }

    /// Notes a number on the slot, which stays with it also while it is lent; tells the former one.
    pub fn note(&mut self, number: u64) -> u64 {
        self.pool.notes[self.index as usize].swap(number, Ordering::Relaxed)
    }

    /// Leaves the slot to somebody outside, who may write so many bytes at the address until `Pool::take_back`; not less than
    /// one, and no more than it has. Till then it keeps its pool's memory.
    pub fn lend(self, bytes: usize) -> NonNull<u8> {
        assert!((1..=self.pool.slot_bytes).contains(&bytes));
        let start = self.start();
        self.pool.lent[self.index as usize].store(bytes, Ordering::Release);
        std::mem::forget(self);
        start
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.give_back(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_gives_each_slot_once_and_the_last_one_given_back_first() {
        let pool = Arc::new(Pool::new(100, 390).unwrap());
        let mut slots: Vec<Slot> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!((slots.len(), pool.free_slots()), (3, 0));
        let last = slots.pop().unwrap().index;
        assert_eq!(pool.take().unwrap().index, last);
    }

    #[test]
    fn a_lent_slot_comes_back_once_by_its_own_address_and_keeps_the_memory_till_then() {
        let pool = Arc::new(Pool::new(100, 3 * 128).unwrap());
        let gone = Arc::downgrade(&pool);
        let [first, second] = [(); 2].map(|()| pool.take().unwrap().lend(70));
        drop(pool.take().unwrap());
        assert_eq!(pool.free_slots(), 1, "lent ones are not");
        let pool = {
            drop(pool);
            gone.upgrade().unwrap()
        };
        let address = first.addr().get();
        assert_eq!(address % CACHE_LINE, 0);
        let free = pool.take().unwrap();
        let others = [0, 1, address + 1, address - 1, address + 64, free.start().addr().get(), usize::MAX, address + 128 * 100];
        assert!(others.into_iter().all(|other| pool.take_back(other).is_none()));
        // SAFETY: it is lent, and has so many bytes.
        unsafe { first.write_bytes(9, 70) };
        let (slot, asked) = pool.take_back(address).unwrap();
        assert_eq!((&slot.bytes()[..70], asked), (&[9; 70][..], 70));
        assert!(pool.take_back(address).is_none());
        assert_eq!(slot.lend(30).addr().get(), address);
        drop((pool, free));
        for (lent, bytes) in [(first, 30), (second, 70)] {
            let (_, asked) = gone.upgrade().unwrap().take_back(lent.addr().get()).unwrap();
            assert_eq!(asked, bytes);
        }
        assert!(gone.upgrade().is_none());
    }

    #[test]
    fn of_threads_that_take_a_slot_back_one_gets_it() {
        let pool = Arc::new(Pool::new(8, 64).unwrap());
        for _ in 0..if cfg!(miri) { 10 } else { 300 } {
            let address = pool.take().unwrap().lend(8).addr().get();
            let got = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| pool.take_back(address).is_some())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).filter(|got| *got).count()
            });
            assert_eq!((got, Arc::strong_count(&pool)), (1, 1));
        }
    }

    #[test]
    fn threads_never_share_a_slot() {
        let pool = Arc::new(Pool::new(8, 8 * 64).unwrap());
        std::thread::scope(|scope| {
            for id in 1..=4u64 {
                let pool = &pool;
                scope.spawn(move || {
                    for turn in 0..if cfg!(miri) { 50 } else { 20_000 } {
                        let Some(mut slot) = pool.take() else { continue };
                        let mark = (id << 32 | turn).to_le_bytes();
                        slot.bytes_mut().copy_from_slice(&mark);
                        assert_eq!(slot.bytes(), mark);
                    }
                });
            }
        });
        assert_eq!(std::iter::from_fn(|| pool.take()).collect::<Vec<_>>().len(), 8);
    }
}
