//! Slots on loan: the host acquires one, its camera writes into it, and commit or discard brings it back.
//!
//! A slot that is lent keeps its pool, so this account needs none of them: it may outlive the stream, and whatever address a
//! host brings is only looked for here.

use super::slots::{Pool, Slot};
use crate::codes::NO_FRAME_ID;
use crate::error::{Error, Result};
use parking_lot::RwLock;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// The former size of the frames and the present one.
const MOST_SIZES: usize = 2;

/// The pools of one stream that slots may be lent from, and what is lent.
#[derive(Default)]
pub struct Loans {
    pools: RwLock<Vec<Weak<Pool>>>,
    slots: AtomicUsize,
    bytes: AtomicUsize,
}

impl Loans {
    /// Slots of this pool may be lent from now on.
    pub fn enlist(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.write();
        pools.retain(|known| known.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Slots that are lent now.
    pub fn slots(&self) -> usize {
        self.slots.load(Ordering::Relaxed)
    }

    /// Bytes of all these slots.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Of how many sizes these are.
    pub fn sizes(&self) -> usize {
        self.pools.read().iter().filter_map(Weak::upgrade).filter(|pool| pool.lends()).count()
    }

    /// Whether the slots that are lent from other pools leave this one its turn: a slot keeps its whole pool. So while frames
    /// grow, slots of the former size may be kept, but not of one size after the other.
    fn may_lend_from(&self, pool: &Arc<Pool>) -> bool {
        let pools = self.pools.read();
        if pools.len() <= MOST_SIZES {
            return true;
        }
        let others = pools.iter().filter_map(Weak::upgrade).filter(|other| !Arc::ptr_eq(other, pool));
        others.filter(|other| other.lends()).count() < MOST_SIZES
    }

    /// Lends a slot, of which the host asks for so many bytes; none where more than `most_bytes` would be lent, or slots of more
    /// than two sizes.
    pub fn lend(&self, pool: &Arc<Pool>, asked: usize, most_bytes: u64) -> Option<NonNull<u8>> {
        if !self.may_lend_from(pool) {
            return None;
        }
        // First, so that no slot is taken in vain while others look for one.
        let within = |bytes: usize| bytes.checked_add(pool.slot_bytes()).filter(|bytes| *bytes as u64 <= most_bytes);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok()?;
        let Some(mut slot) = pool.take() else {
            self.bytes.fetch_sub(pool.slot_bytes(), Ordering::Relaxed);
            return None;
        };
        self.slots.fetch_add(1, Ordering::Relaxed);
        slot.note(NO_FRAME_ID);
        Some(slot.lend(asked))
    }

    /// The lent slot that begins there.
    pub fn take_back(&self, address: usize) -> Result<Loan<'_>> {
        let pools = self.pools.read();
        let found = pools.iter().rev().filter_map(Weak::upgrade).find_map(|pool| pool.take_back(address));
        let (slot, asked) = found.ok_or(Error::argument(
            "pixels is no slot that was acquired from this stream and not yet given back: give what rheed_acquire gave, once",
        ))?;
        Ok(Loan { account: self, slot: Some(slot), asked })
    }

    /// The lent slot that begins there is free again.
    pub fn discard(&self, address: usize) -> Result<()> {
        self.take_back(address).map(|loan| drop(loan.keep()))
    }

    /// Whether none is lent and, where this is all that is left of the stream, none will be.
    pub fn are_over(self: &Arc<Loans>) -> bool {
        Arc::strong_count(self) == 1 && self.pools.read().iter().all(|pool| pool.strong_count() == 0)
    }
}

/// A slot that was taken back. Unless it is kept it is lent again: the host still has it.
pub struct Loan<'a> {
    account: &'a Loans,
    slot: Option<Slot>,
    asked: usize,
}

impl Loan<'_> {
    /// How many bytes the host had asked for.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// Notes the id of the frame that is in it; tells whether it is new.
    pub fn note_id(&mut self, id: u64) -> bool {
        self.slot.as_mut().is_some_and(|slot| slot.note(id) != id)
    }

    /// What is in it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.slot.as_mut().map_or(&mut [], Slot::bytes_mut)
    }

    /// The slot is the library's from now on.
    pub fn keep(mut self) -> Slot {
        let slot = self.slot.take().expect("a loan has its slot until it is kept");
        self.account.slots.fetch_sub(1, Ordering::Relaxed);
        self.account.bytes.fetch_sub(slot.len(), Ordering::Relaxed);
        slot
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.lend(self.asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_a_stream_that_is_gone_is_over_with_its_last_slot() {
        let loans = Arc::new(Loans::default());
        let lend = |bytes: usize| {
            let pool = Arc::new(Pool::new(bytes, 4 * bytes as u64).unwrap());
            loans.enlist(&pool);
            loans.lend(&pool, bytes - 1, 2000).unwrap().addr().get()
        };
        let [small, large] = [100, 1000].map(lend);
        assert_eq!((loans.slots(), loans.bytes()), (2, 1100));
        assert!(!loans.are_over());
        assert!(loans.discard(small + 64).is_err());
        loans.discard(small).unwrap();
        assert!(!loans.are_over() && loans.discard(small).is_err());
        drop(loans.take_back(large).unwrap()); // Not kept, it is lent as before.
        assert_eq!((loans.slots(), loans.bytes()), (1, 1000));
        let stream = loans.clone();
        drop(loans.take_back(large).unwrap().keep());
        assert!(!loans.are_over(), "the stream may lend another one");
        drop(stream);
        assert!(loans.are_over());
        assert_eq!((loans.slots(), loans.bytes()), (0, 0));
    }

    #[test]
    fn no_more_bytes_are_lent_than_may_be_and_no_slots_of_a_third_size() {
        let loans = Loans::default();
        let pool = |bytes: usize| {
            let pool = Arc::new(Pool::new(bytes, 1024).unwrap());
            loans.enlist(&pool);
            pool
        };
        let lend = |pool: &Arc<Pool>| loans.lend(pool, 1, 1000);
        let small = pool(64);
        let first = lend(&small).unwrap().addr().get();
        drop(small);
        let middle = pool(256);
        let lent: Vec<_> = std::iter::from_fn(|| lend(&middle)).collect();
        assert_eq!((lent.len(), loans.bytes()), (3, 64 + 3 * 256), "its fourth slot is free, and too much");
        loans.discard(lent[0].addr().get()).unwrap();
        drop(middle);
        let large = pool(512);
        assert!(lend(&large).is_none(), "of two former sizes some are lent");
        loans.discard(first).unwrap();
        assert!(lend(&large).is_none(), "the middle ones leave 488 bytes");
        loans.discard(lent[1].addr().get()).unwrap();
        let last = lend(&large).expect("there is room for one");
        assert_eq!((loans.slots(), loans.bytes()), (2, 256 + 512));
        for slot in [lent[2], last] {
            loans.discard(slot.addr().get()).unwrap();
        }
        assert_eq!((loans.slots(), loans.bytes()), (0, 0));
    }
}
