//! Slots on loan: the host acquires one, its camera writes into it, and commit or discard brings it back.
//!
//! A slot that is lent keeps its pool, so this account needs none of them: it may outlive the stream, and whatever address a
//! host brings is only looked for here.

use super::slots::{Pool, Slot};
use crate::error::{Error, Result};
use parking_lot::RwLock;
use std::sync::{Arc, Weak};

/// The pools of one stream that slots may be lent from.
#[derive(Default)]
pub struct Loans {
    pools: RwLock<Vec<Weak<Pool>>>,
}

impl Loans {
    /// Slots of this pool may be lent from now on.
    pub fn enlist(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.write();
        pools.retain(|known| known.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// The lent slot that begins there.
    pub fn take_back(&self, address: usize) -> Result<Loan> {
        let pools = self.pools.read();
        let found = pools.iter().rev().filter_map(Weak::upgrade).find_map(|pool| pool.take_back(address));
        let (slot, bytes) = found.ok_or(Error::argument(
            "pixels is no slot that was acquired from this stream and not yet given back: give what rheed_acquire gave, once",
        ))?;
        Ok(Loan { slot: Some(slot), bytes })
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
pub struct Loan {
    slot: Option<Slot>,
    bytes: usize,
}

impl Loan {
    /// How many bytes the host had asked for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is in it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.slot.as_mut().map_or(&mut [], Slot::bytes_mut)
    }

    /// The slot is the library's from now on.
    pub fn keep(mut self) -> Slot {
        self.slot.take().expect("a loan has its slot until it is kept")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.lend(self.bytes);
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
            pool.take().unwrap().lend(bytes).addr().get()
        };
        let [small, large] = [100, 1000].map(lend);
        assert!(!loans.are_over());
        assert!(loans.discard(small + 64).is_err());
        loans.discard(small).unwrap();
        assert!(!loans.are_over() && loans.discard(small).is_err());
        drop(loans.take_back(large).unwrap()); // Not kept, it is lent as before.
        let stream = loans.clone();
        drop(loans.take_back(large).unwrap().keep());
        assert!(!loans.are_over(), "the stream may lend another one");
        drop(stream);
        assert!(loans.are_over());
    }
}
