//! One chunk's history of failures, and when it has had enough of them.
//!
//! What is set aside is not sent again by itself. So only what the service itself refuses is set aside at once; whatever may pass,
//! a gateway's words, a key that is good at one door and not at the other, has to last.

use crate::codes::Code;
use crate::platform::is_disk_fault;
use crate::service::{Backoff, Trouble, UploadTrouble};
use crate::spool::is_damage;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::time::Instant;

/// So long, and so often, a refusal that may pass is borne.
const PATIENCE: Duration = Duration::from_secs(600);
const REFUSALS: u32 = 4;
/// So often the disk failed to read it, a chunk is set aside at the next: ten seconds are enough for a disk that comes back.
const DISK_FAULTS: u32 = 5;

/// What happened to a chunk.
#[derive(Default)]
pub(super) struct Tries {
    backoff: Backoff,
    /// It is not tried before.
    pub not_before: Option<Instant>,
    refusals: Option<Refusals>,
    /// So often the disk failed when the chunk's file was read.
    pub disk_faults: u32,
}

impl Tries {
    /// It is tried again after a while, and not before what was asked for.
    pub fn again(&mut self, asked: Option<Duration>) {
        self.not_before = Some(Instant::now() + self.backoff.next(asked));
    }

    /// It was refused, in whatever form, when so many others were confirmed; tells whether others were since it was first.
    pub fn refused(&mut self, trouble: &UploadTrouble, confirmed: u64, now: Instant) -> bool {
        let refusals = self.refusals.get_or_insert_with(|| Refusals::new(trouble, confirmed, now));
        refusals.own += u32::from(confirmed > refusals.confirmed);
        refusals.confirmed = confirmed;
        refusals.times += 1;
        self.not_before = Some(now + refusals.backoff.next(None));
        refusals.own > 0
    }

    /// Whether it was ever refused.
    pub fn was_refused(&self) -> bool {
        self.refusals.is_some()
    }

    /// What it has had enough of. `alone`: nothing else is left of a stream that the service took before.
    pub fn enough(&self, alone: bool, now: Instant) -> Enough {
        let long = |refusals: &&Refusals| refusals.times >= REFUSALS && now - refusals.first >= PATIENCE;
        let refusals = self.refusals.as_ref().filter(long);
        Enough {
            of_refusals: refusals.is_some(),
            of_its_own: refusals.is_some_and(|refusals| refusals.own >= REFUSALS - 1),
            alone,
            of_disk_faults: self.disk_faults >= DISK_FAULTS,
        }
    }
}

/// Refusals that may be the chunk's own, or of the key, or of a gateway: who else is taken meanwhile tells.
struct Refusals {
    first: Instant,
    times: u32,
    backoff: Backoff,
    /// Chunks that were confirmed up to the last.
    confirmed: u64,
    /// Those before which others were confirmed.
    own: u32,
}

impl Refusals {
    /// Another URL may well be taken, the same question hardly.
    fn new(trouble: &UploadTrouble, confirmed: u64, now: Instant) -> Refusals {
        let backoff = match trouble {
            UploadTrouble::Put(_) => Backoff::default(),
            _ => Backoff::after_refusals(),
        };
        Refusals { first: now, times: 0, backoff, confirmed, own: 0 }
    }
}

/// What a chunk had too much of: the next of it sets the chunk aside.
#[derive(Clone, Copy, Default)]
pub(super) struct Enough {
    of_refusals: bool,
    /// Others were taken all the while.
    of_its_own: bool,
    alone: bool,
    of_disk_faults: bool,
}

impl Enough {
    /// Whether a refusal, in whatever form, means this chunk for good.
    fn of(self, refused: &Trouble) -> bool {
        match refused {
            // Whether it is the chunk or the key, only others can tell.
            Trouble::Auth { .. } => self.of_its_own,
            Trouble::Refused { in_json, .. } => self.of_its_own || (self.of_refusals && (*in_json || self.alone)),
            _ => false,
        }
    }
}

/// Why a chunk is not to be delivered.
pub(super) struct NoDelivery {
    pub code: Code,
    pub reason: String,
}

impl NoDelivery {
    /// If the trouble will not pass.
    pub fn of(trouble: &UploadTrouble, enough: Enough) -> Option<NoDelivery> {
        let (code, reason) = match trouble {
            UploadTrouble::Presign(refused) if is_meant(refused) || enough.of(refused) => (Code::ERefused, trouble.to_string()),
            UploadTrouble::Put(refused) if enough.of(refused) => (Code::ERefused, trouble.to_string()),
            UploadTrouble::File(error) if error.kind() == ErrorKind::NotFound => {
                (Code::ESpool, "its file is missing from the spool".into())
            }
            UploadTrouble::File(error) if is_damage(error) => (Code::ESpool, format!("damaged in the spool: {error}")),
            UploadTrouble::File(error) if enough.of_disk_faults && is_disk_fault(error) => (Code::ESpool, trouble.to_string()),
            _ => return None,
        };
        Some(NoDelivery { code, reason })
    }
}

/// Whether the service means the chunk, at once. That nobody is there who knows the stream may be said by a gateway, in JSON too.
fn is_meant(refused: &Trouble) -> bool {
    refused.is_final() && !matches!(refused.status(), 404 | 405 | 410)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, in_json: bool) -> Trouble {
        Trouble::Refused { status, words: "no".into(), in_json }
    }

    fn auth() -> UploadTrouble {
        UploadTrouble::Presign(Trouble::Auth { status: 403, words: "no".into() })
    }

    /// Refused once a minute, so many times; others are confirmed before each of the later ones, or not. Whether it is set aside
    /// at the next.
    fn is_given_up(trouble: &UploadTrouble, times: u64, others: bool, alone: bool) -> bool {
        let (mut tries, began) = (Tries::default(), Instant::now());
        for minute in 0..times {
            assert_eq!(
                tries.refused(trouble, if others { minute } else { 0 }, began + Duration::from_secs(60 * minute)),
                others && minute > 0
            );
        }
        NoDelivery::of(trouble, tries.enough(alone, began + Duration::from_secs(60 * times))).is_some()
    }

    #[test]
    fn what_the_service_means_is_set_aside_at_once() {
        assert!([400, 409, 413, 422].iter().all(|status| is_given_up(
            &UploadTrouble::Presign(refused(*status, true)),
            0,
            false,
            false
        )));
        for later in [refused(404, true), refused(405, true), refused(410, true), refused(422, false)] {
            assert!(!is_given_up(&UploadTrouble::Presign(later.clone()), 9, false, false), "{later}");
        }
        assert!(!is_given_up(&UploadTrouble::Put(refused(413, false)), 9, false, false));
    }

    #[test]
    fn a_refusal_of_a_chunk_while_others_are_taken_is_its_own_after_ten_minutes_and_not_before() {
        for trouble in [auth(), UploadTrouble::Presign(refused(413, false)), UploadTrouble::Put(refused(403, false))] {
            assert!(!is_given_up(&trouble, 9, true, false) && is_given_up(&trouble, 10, true, false), "{trouble}");
            assert!(!is_given_up(&trouble, 1000, false, false), "{trouble}");
        }
        let mut tries = Tries::default();
        let (first, last) = (Instant::now(), Instant::now() + PATIENCE);
        (0..2).for_each(|confirmed| _ = tries.refused(&auth(), confirmed, first));
        assert!(NoDelivery::of(&auth(), tries.enough(false, last)).is_none(), "twice is not often");
    }

    #[test]
    fn the_last_chunk_of_a_stream_that_was_taken_is_not_tried_for_ever_unless_it_may_be_the_key() {
        assert!(is_given_up(&UploadTrouble::Put(refused(413, false)), 10, false, true));
        assert!(is_given_up(&UploadTrouble::Presign(refused(413, false)), 10, false, true));
        assert!(!is_given_up(&auth(), 1000, false, true));
    }

    #[test]
    fn a_stream_that_nobody_knows_is_not_tried_for_ever() {
        assert!(is_given_up(&UploadTrouble::Presign(refused(404, true)), 10, false, false));
    }
}
