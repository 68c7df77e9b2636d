//! The service's clock, asked by four-timestamp exchanges.

use super::{Answer, Service, later};
use crate::clock::{Clocks, Exchange, ReferenceClock};
use crate::platform::steady_ns;
use reqwest::Method;
use serde_json::Value;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// At the beginning, and then.
const FIRST_EXCHANGES: u32 = 4;
const BETWEEN_FIRST: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_secs(300);
/// After a failure, until the first has succeeded.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How soon it is noticed that the clock was set, or that the computer slept.
const LOOK: Duration = Duration::from_secs(10);
/// A clock that was set by more may have been set because the steady one stood still, as that of a suspended virtual machine does.
const STEP_NS: u64 = 1_000_000_000;
/// The year 2100: what lies behind it is no time of a service.
const LATEST_MS: f64 = 4.1e12;

/// Feeds a clock as long as somebody uses it.
pub async fn keep_measuring(service: Arc<Service>, clock: Weak<ReferenceClock>) {
    let mut succeeded = 0;
    loop {
        let answer = service.exchange_time().await;
        let Some(clock) = clock.upgrade() else { return };
        let pause = match answer {
            Ok(exchange) => {
                clock.learn(&exchange);
                succeeded += 1;
                if succeeded < FIRST_EXCHANGES { BETWEEN_FIRST } else { BETWEEN }
            }
            Err(_) if succeeded < FIRST_EXCHANGES => AFTER_FAILURE,
            Err(_) => BETWEEN,
        };
        drop(clock);
        wait(pause).await;
    }
}

/// Waits by the clock that counts on while the computer sleeps, as the runtime's does not; no longer when the wall clock is set.
async fn wait(pause: Duration) {
    let began = Clocks::now();
    loop {
        let now = Clocks::now();
        let waited = Duration::from_nanos((now.steady_ns - began.steady_ns).max(0) as u64);
        let left = pause.saturating_sub(waited);
        if left.is_zero() || now.set_since(&began).unsigned_abs() > STEP_NS {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

impl Service {
    /// One exchange. Needs no key, so none is sent.
    pub(super) async fn exchange_time(&self) -> Answer<Exchange> {
        const PATH: &str = "/gateway/time";
        let request = self.api.request(Method::GET, format!("{}{PATH}", self.endpoint)).timeout(self.request_timeout);
        let sent = Clocks::now();
        let answer = self.json(PATH, request).await?;
        // Not a second look at the wall clock, which may have been set meanwhile.
        let took_ns = steady_ns() - sent.steady_ns;
        let time_ns = |name: &str| {
            answer.get(name).and_then(Value::as_f64).filter(|ms| (0.0..LATEST_MS).contains(ms)).map(|ms| (ms * 1e6) as i64)
        };
        match (time_ns("receivedAtUnixMs"), time_ns("transmittedAtUnixMs")) {
            (Some(server_received_ns), Some(server_sent_ns))
                // A service cannot have had the request for longer than it was away.
                if (0..=took_ns).contains(&(server_sent_ns - server_received_ns)) =>
            {
                Ok(Exchange { sent, server_received_ns, server_sent_ns, took_ns })
            }
            _ => Err(later(200, "no times in it")),
        }
    }
}
