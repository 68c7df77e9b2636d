//! Where a stream's chunks lie: which array, and which place in it.
//!
//! A pure function of the chunks that have come. Frames of one size make an array; where the size changes the next
//! array opens: `frames`, `frames_1`, `frames_2`, ... in the order of time. The first array's places are the stream's
//! chunk indexes; a later array starts at the first of its chunks that has come. So when chunks come out of order, a late
//! one may move others: [`super::stream`] sees to that.

use std::collections::BTreeMap;

/// A chunk as far as its place depends on it.
pub(super) trait Sized2d {
    fn frame_size(&self) -> (u64, u64);
}

/// One array: the chunks of one frame size that follow each other.
#[derive(Debug, PartialEq)]
pub(super) struct Run {
    pub(super) name: String,
    /// The stream's index of the chunk at place 0.
    pub(super) first_chunk: u64,
    /// The chunks that have come, in order.
    pub(super) chunks: Vec<u64>,
}

impl Run {
    pub(super) fn place(&self, chunk: u64) -> u64 {
        chunk - self.first_chunk
    }
}

pub(super) fn runs<C: Sized2d>(chunks: &BTreeMap<u64, C>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut size = None;
    for (&index, chunk) in chunks {
        match runs.last_mut() {
            Some(run) if size == Some(chunk.frame_size()) => run.chunks.push(index),
            last => {
                let (name, first_chunk) = match last {
                    None => ("frames".to_owned(), 0),
                    Some(_) => (format!("frames_{}", runs.len()), index),
                };
                runs.push(Run { name, first_chunk, chunks: vec![index] });
                size = Some(chunk.frame_size());
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sized2d for (u64, u64) {
        fn frame_size(&self) -> (u64, u64) {
            *self
        }
    }

    fn lay(chunks: &[(u64, (u64, u64))]) -> Vec<(String, u64, Vec<u64>)> {
        runs(&chunks.iter().copied().collect()).into_iter().map(|run| (run.name, run.first_chunk, run.chunks)).collect()
    }

    #[test]
    fn a_lost_chunk_keeps_its_place_and_a_size_that_returns_opens_an_array_of_its_own() {
        let (small, large) = ((4, 6), (8, 8));
        assert_eq!(
            lay(&[(2, small), (3, small), (7, large), (9, small)]),
            [("frames".to_owned(), 0, vec![2, 3]), ("frames_1".to_owned(), 7, vec![7]), ("frames_2".to_owned(), 9, vec![9])]
        );
    }

    #[test]
    fn no_chunks_make_no_arrays() {
        assert_eq!(lay(&[]), []);
    }
}
