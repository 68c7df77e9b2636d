//! When to try again: delays that double, with jitter, never sooner than the service asks.

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::time::{Duration, SystemTime};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A refusal that may end (a key that is renewed) is asked about more seldom.
const FIRST_AFTER_A_REFUSAL: Duration = Duration::from_secs(4);
const LONGEST_AFTER_A_REFUSAL: Duration = Duration::from_secs(60);
/// A service that asks for more patience is not believed.
const MOST_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The delays of one thing that is tried again and again.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    failures: u32,
    first: Duration,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { failures: 0, first: FIRST, longest: LONGEST }
    }
}

impl Backoff {
    /// The slow pace for what was refused.
    pub fn after_refusals() -> Backoff {
        Backoff { failures: 0, first: FIRST_AFTER_A_REFUSAL, longest: LONGEST_AFTER_A_REFUSAL }
    }

    /// After another failure: how long to wait. `asked` is the service's Retry-After.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(10)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        jittered(doubled).max(asked.map_or(Duration::ZERO, |asked| jittered_up(asked.min(MOST_PATIENCE))))
    }

    /// How many failures there were.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// Between half and the whole of it, so that many clients do not come at once.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// What a service asked for, and up to a quarter or a second more: it has told many clients the same.
fn jittered_up(delay: Duration) -> Duration {
    delay + (delay / 4).max(Duration::from_secs(1)).mul_f64(fastrand::f64())
}

/// `Retry-After`: seconds or a date. A date is counted from the answer's own, where it has one: this computer's clock may be
/// hours off.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(asked).ok()?;
    let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now);
    Some(date.duration_since(now).unwrap_or_default())
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
    fn after_refusals_they_double_to_a_minute() {
        let mut backoff = Backoff::after_refusals();
        for whole in [4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let delay = backoff.next(None).as_secs_f64();
            assert!((whole / 2.0..=whole).contains(&delay), "{delay} of {whole}");
        }
    }

    fn asked(after: &str, date: Option<SystemTime>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, httpdate::fmt_http_date(date).parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn never_sooner_than_the_service_asks_in_either_form() {
        assert!(Backoff::default().next(asked("7", None)).as_secs_f64() >= 7.0);
        let in_a_minute = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        let seconds = asked(&in_a_minute, None).unwrap().as_secs();
        assert!((58..=60).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_date_is_counted_from_the_date_of_the_answer_whatever_the_time_is_here() {
        let day = Duration::from_secs(24 * 3600);
        for there in [SystemTime::now() - day, SystemTime::now() + day] {
            let date = httpdate::fmt_http_date(there + Duration::from_secs(60));
            assert_eq!(asked(&date, Some(there)), Some(Duration::from_secs(60)));
        }
        let past = httpdate::fmt_http_date(SystemTime::now() - day);
        assert_eq!(asked(&past, None), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_absurd_or_no_time_at_all_is_not_believed() {
        for absurd in ["999999999", "18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert!(Backoff::default().next(asked(absurd, None)) < Duration::from_secs(20 * 60), "{absurd}");
        }
        for no_time in ["soon", "-5", "1.5", "", "18446744073709551616", "Mon, 99 Foo"] {
            assert_eq!(asked(no_time, None), None, "{no_time}");
        }
    }

    #[test]
    fn many_who_were_asked_to_wait_as_long_do_not_come_back_at_once() {
        let delays = (0..1000).map(|_| Backoff::default().next(Some(Duration::from_secs(2))));
        let mut in_tenths = [0; 10];
        for delay in delays {
            in_tenths[((delay.as_secs_f64() - 2.0) * 10.0) as usize] += 1;
        }
        assert!(in_tenths.iter().all(|clients| *clients < 200), "{in_tenths:?}");
    }
}
