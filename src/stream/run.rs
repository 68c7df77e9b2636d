//! Pull mode: the source is asked for a frame once a frame time.

use super::Stream;
use crate::codes::Code;
use crate::error::{Error, Result};
use crate::platform;
use crate::wait::Deadline;
use std::time::{Duration, Instant};

/// When the source is called.
struct Pace {
    period: Duration,
    /// The next call's time.
    due: Instant,
}

impl Pace {
    fn begin(fps: f64, now: Instant) -> Pace {
        Pace { period: Duration::from_secs_f64(1.0 / fps), due: now }
    }

    /// The call that was due is made now. One that is a little late changes nothing for the next; after one that is later
    /// than half a frame time the schedule shifts, so that no two calls are closer than that.
    fn called(&mut self, now: Instant) {
        let latest = self.due + self.period / 2;
        self.due = if now <= latest { self.due + self.period } else { now + self.period / 2 };
    }
}

/// What a source answers.
const GO_ON: i32 = 1;
const END: i32 = 0;

impl Stream {
    /// Asks `source` until it ends; then closes the last chunk, and returns when all is in the spool.
    pub fn run(&self, mut source: impl FnMut(u64) -> i32) -> Result<()> {
        self.intake.check_open()?;
        let running = self.intake.begin_run()?;
        let mut pace = self.works.options.paced.then(|| Pace::begin(self.works.options.fps, Instant::now()));
        for index in 0.. {
            if let Some(pace) = &mut pace {
                self.wait(pace.due)?;
                pace.called(Instant::now());
            }
            self.intake.check_open()?;
            let answer = source(index);
            if platform::is_forked_child() {
                // The source has forked, and this is the child: nobody here encodes what is pushed, or wakes who waits.
                return Err(Error::plain(Code::EForked, "this process is a fork of the one that opened the stream", [0; 4]));
            }
            match answer {
                GO_ON => {}
                END => break,
                negative if negative < 0 => {
                    self.abort();
                    return Err(Error::plain(Code::EAborted, "the source aborted the stream", [0; 4]));
                }
                other => {
                    let message = "the source answered {}: 1 is to go on, 0 to end, a negative number to abort";
                    return Err(Error::plain(Code::EArgument, message, [other as u64, 0, 0, 0]));
                }
            }
        }
        drop(running);
        self.seal_and_wait()
    }

    /// Until then, or until the stream is closed, which fails. The last of it is slept, where who waits for a bell is woken late.
    fn wait(&self, due: Instant) -> Result<()> {
        let deadline = Deadline::at(due.checked_sub(platform::WOKEN_LATE_BY).unwrap_or(due));
        let closed = self.works.ledger.notices.bell.wait_until(deadline, || self.intake.check_open().err());
        if !platform::WOKEN_LATE_BY.is_zero() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        closed.map_or(Ok(()), Err)
    }

    fn seal_and_wait(&self) -> Result<()> {
        self.intake.request_seal();
        let sealed = || match self.intake.seal_requested() {
            false => Some(Ok(())),
            true => self.intake.check_open().err().map(Err),
        };
        self.works.ledger.notices.bell.wait_until(Deadline::never(), sealed).unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    /// When calls are due, in milliseconds, where each is made so late.
    fn due_when_late(lateness_ms: &[u64]) -> Vec<u128> {
        let begin = Instant::now();
        let mut pace = Pace::begin(10.0, begin);
        let mut made = |late: &u64| {
            let due = pace.due;
            pace.called(due + Duration::from_millis(*late));
            due.duration_since(begin).as_millis()
        };
        lateness_ms.iter().map(&mut made).collect()
    }

    #[test]
    fn calls_that_are_a_little_late_do_not_slow_the_pace() {
        assert_eq!(due_when_late(&[3, 50, 0, 49, 1]), [0, 100, 200, 300, 400]);
    }

    #[test]
    fn after_a_late_call_the_schedule_shifts_and_nothing_is_bunched_up() {
        // The second call is 730 ms late: at 830. The next follows half a frame time later, then one a frame time.
        assert_eq!(due_when_late(&[0, 730, 0, 0, 0]), [0, 100, 880, 980, 1080]);
    }

    #[test]
    fn no_two_calls_are_closer_than_half_a_frame_time() {
        let begin = Instant::now();
        let mut pace = Pace::begin(10.0, begin);
        let mut before = None;
        for _ in 0..10_000 {
            let now = pace.due + Duration::from_millis(fastrand::u64(0..300) * fastrand::u64(0..2));
            assert!(before.is_none_or(|before| now - before >= PERIOD / 2));
            pace.called(now);
            before = Some(now);
        }
    }
}
