//! Pull mode: the source is asked for a frame once a frame time.

use super::Stream;
use crate::codes::Code;
use crate::error::{Error, Result};
use crate::wait::Deadline;
use std::time::{Duration, Instant};

/// What a source answers.
const GO_ON: i32 = 1;
const END: i32 = 0;

impl Stream {
    /// Asks `source` until it ends; then closes the last chunk, and returns when all is in the spool.
    pub fn run(&self, mut source: impl FnMut(u64) -> i32) -> Result<()> {
        self.intake.check_open()?;
        let running = self.intake.begin_run()?;
        let period = self.works.options.paced.then(|| Duration::from_secs_f64(1.0 / self.works.options.fps));
        let mut due = Instant::now();
        for index in 0.. {
            if let Some(period) = period {
                self.wait(Deadline::at(due))?;
                // Late: the schedule shifts from here, so that nothing is bunched up.
                due = due.max(Instant::now() - period / 2) + period;
            }
            self.intake.check_open()?;
            match source(index) {
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

    /// Until then, or until the stream is closed, which fails.
    fn wait(&self, deadline: Deadline) -> Result<()> {
        let closed = self.works.ledger.notices.bell.wait_until(deadline, || self.intake.check_open().err());
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
