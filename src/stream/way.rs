//! In which way a stream is given its frames: one by one, in whole chunks, or by the source of `rheed_run`. It is one of them for good.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// How frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Way {
    /// `rheed_push`, `rheed_acquire`
    Frames = 1,
    /// `rheed_push_chunk`
    Chunks = 2,
    /// `rheed_run`
    Run = 3,
}

/// The way of one stream.
#[derive(Default)]
pub struct OneWay {
    /// 0 = not known yet.
    way: AtomicU8,
    /// The thread that is inside `rheed_run`; 0 = none.
    runner: AtomicUsize,
}

impl OneWay {
    /// Whether this is its way, or it has none yet.
    pub fn may_be(&self, way: Way) -> Result<()> {
        if [0, way as u8].contains(&self.way.load(Ordering::Relaxed)) { Ok(()) } else { Err(other_way()) }
    }

    /// It has this way and no other from now on; tells whether that is new. Asked for only with what is good: a mistake decides nothing.
    pub fn claim(&self, way: Way) -> Result<bool> {
        if self.is(way) {
            return Ok(false); // As for all frames but the first: nothing is written.
        }
        match self.way.compare_exchange(0, way as u8, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(true),
            Err(before) if before == way as u8 => Ok(false),
            Err(_) => Err(other_way()),
        }
    }

    /// Whether this is its way.
    pub fn is(&self, way: Way) -> bool {
        self.way.load(Ordering::Relaxed) == way as u8
    }

    /// `rheed_run` begins on this thread, until the answer is dropped.
    pub fn begin_run(&self) -> Result<Run<'_>> {
        if self.runner.compare_exchange(0, this_thread(), Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(Error::argument("rheed_run is already running on this stream"));
        }
        Ok(Run(self))
    }

    /// Whether this thread is inside `rheed_run`.
    pub fn is_run_here(&self) -> bool {
        self.runner.load(Ordering::Relaxed) == this_thread()
    }

    /// The way in which a frame comes that is given one by one here.
    pub fn of_frame_here(&self) -> Way {
        if self.is_run_here() { Way::Run } else { Way::Frames }
    }
}

fn other_way() -> Error {
    Error::argument(
        "this stream is already given its frames in another way: use one of rheed_push (or rheed_acquire and rheed_commit), \
         rheed_push_chunk and rheed_run",
    )
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

/// `rheed_run` is running.
pub struct Run<'a>(&'a OneWay);

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.0.runner.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_decides_and_a_look_does_not() {
        let way = OneWay::default();
        assert!([Way::Frames, Way::Chunks, Way::Run].iter().all(|one| way.may_be(*one).is_ok() && !way.is(*one)));
        assert!(way.claim(Way::Chunks).unwrap() && !way.claim(Way::Chunks).unwrap());
        assert!(way.is(Way::Chunks) && way.may_be(Way::Chunks).is_ok());
        assert!([Way::Frames, Way::Run].iter().all(|other| way.may_be(*other).is_err() && way.claim(*other).is_err()));
    }

    #[test]
    fn a_run_is_its_own_threads_until_it_ends() {
        let way = OneWay::default();
        let run = way.begin_run().unwrap();
        assert!(way.of_frame_here() == Way::Run && way.begin_run().is_err());
        std::thread::scope(|scope| {
            let elsewhere = scope.spawn(|| (way.of_frame_here(), way.begin_run().is_err()));
            assert_eq!(elsewhere.join().unwrap(), (Way::Frames, true));
        });
        drop(run);
        assert!(!way.is_run_here() && way.begin_run().is_ok());
    }
}
