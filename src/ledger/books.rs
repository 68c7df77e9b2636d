//! The books: where every frame is that was taken. A frame leaves one place and comes to another in one step, so that none is
//! in two places or in none.

use super::{Loss, Losses};

/// Where a frame can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory, on its way to the encoder or in its hands.
    Slots,
    /// In the file of the open chunk.
    OpenChunk,
    /// In a sealed chunk that waits.
    Waiting,
    /// At the service.
    Confirmed,
    /// Lost or set aside.
    Lost,
}

/// How many are where. That they have been taken is counted elsewhere, by those who take them and with one addition: `Slots`
/// is what has left the slots, below zero.
#[derive(Default)]
pub struct Books {
    frames: [i64; 5],
    losses: Losses,
}

impl Books {
    /// Frames go from one place to another.
    pub fn transfer(&mut self, from: Place, to: Place, frames: u64) {
        self.frames[from as usize] -= frames as i64;
        self.frames[to as usize] += frames as i64;
    }

    /// Frames are lost, for a reason.
    pub fn lose(&mut self, from: Place, reason: &str, loss: Loss) {
        self.losses.add(reason, loss);
        self.transfer(from, Place::Lost, loss.frames);
    }

    /// Frames in a place, of so many that were taken.
    pub fn at(&self, place: Place, accepted: i64) -> i64 {
        self.frames[place as usize] + if place == Place::Slots { accepted } else { 0 }
    }

    /// Taken, and neither confirmed nor lost: counted where they are.
    pub fn pending(&self, accepted: i64) -> i64 {
        [Place::Slots, Place::OpenChunk, Place::Waiting].into_iter().map(|place| self.at(place, accepted)).sum()
    }

    /// Losses by reason.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Whether every frame that was taken is in one place, and every lost one has a reason.
    pub fn are_right(&self, accepted: i64) -> bool {
        let places = [Place::Slots, Place::OpenChunk, Place::Waiting, Place::Confirmed, Place::Lost];
        let of_reasons: u64 = self.losses.iter().map(|(_, loss)| loss.frames).sum();
        places.iter().all(|place| self.at(*place, accepted) >= 0)
            && accepted == self.at(Place::Confirmed, accepted) + self.at(Place::Lost, accepted) + self.pending(accepted)
            && self.at(Place::Lost, accepted) == of_reasons as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_in_one_place_and_a_lost_one_has_its_reason() {
        let mut books = Books::default();
        assert!(books.are_right(5));
        books.transfer(Place::Slots, Place::OpenChunk, 3);
        books.lose(Place::OpenChunk, "a reason", Loss { frames: 1, chunks: 0 });
        assert_eq!((books.at(Place::Slots, 5), books.pending(5)), (2, 4));
        assert!(books.are_right(5));
        assert!(!books.are_right(2), "one more than was taken");
        books.transfer(Place::OpenChunk, Place::Lost, 1);
        assert!(!books.are_right(5), "one without a reason");
    }

    #[test]
    fn losses_that_are_known_are_left_out_however_they_were_grouped() {
        let loss = |frames| Loss { frames, chunks: 1 };
        let mut all = Losses::default();
        let mut known = Losses::default();
        for number in 0..60 {
            all.add(&format!("request {number}"), loss(2));
            known.add(&format!("request {}", 59 - number), loss(2));
        }
        assert!(all.without(&known).is_empty(), "{:?}", all.without(&known));
        all.add("another", loss(7));
        let frames: u64 = all.without(&known).iter().map(|(_, loss)| loss.frames).sum();
        assert_eq!(frames, 7);
        assert_eq!(known.without(&Losses::default()), known);
    }
}
