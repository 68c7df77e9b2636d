//! When to try again: delays that double, with jitter, never sooner than the service asks.

use std::time::{Duration, SystemTime};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A refusal that may end (a key that is renewed) is asked about this seldom.
const SLOW: Duration = Duration::from_secs(60);
/// A service that asks for more patience is not believed.
const MOST_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The delays of one thing that is tried again and again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// After another failure: how long to wait. `asked` is the service's Retry-After.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures += 1;
        jittered(doubled).max(asked.map_or(Duration::ZERO, |asked| jittered_up(asked.min(MOST_PATIENCE))))
    }

    /// How many failures there were.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The slow pace for what was refused.
    pub fn slow() -> Duration {
        jittered(SLOW)
    }
}

/// Between half and the whole of it, so that many clients do not come at once.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// What a service asked for, and up to a tenth more.
fn jittered_up(delay: Duration) -> Duration {
    delay.mul_f64(1.0 + fastrand::f64() / 10.0)
}

/// `Retry-After`: seconds or a date.
pub fn retry_after(header: &str) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_half_a_second_to_half_a_minute() {
        let mut backoff = Backoff::default();
        for whole in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let delay = backoff.next(None).as_secs_f64();
            assert!((whole / 2.0..=whole).contains(&delay), "{delay} of {whole}");
        }
    }

    #[test]
    fn never_sooner_than_the_service_asks_in_either_form() {
        assert!(Backoff::default().next(retry_after("7")).as_secs_f64() >= 7.0);
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        let asked = retry_after(&date).unwrap().as_secs();
        assert!((58..=60).contains(&asked), "{asked}");
        assert_eq!(retry_after("soon"), None);
        assert!(Backoff::default().next(retry_after("999999999")) < Duration::from_secs(20 * 60));
    }
}
