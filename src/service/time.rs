//! The service's clock, asked by four-timestamp exchanges.

use super::{Answer, Service, later};
use crate::clock::{Exchange, ReferenceClock};
use crate::platform::unix_ns;
use reqwest::Method;
use serde_json::Value;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// At the beginning, and then.
const FIRST_EXCHANGES: u32 = 4;
const BETWEEN_FIRST: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_secs(300);
/// After a failure, until the first has succeeded.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
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
                clock.learn(exchange);
                succeeded += 1;
                if succeeded < FIRST_EXCHANGES { BETWEEN_FIRST } else { BETWEEN }
            }
            Err(_) if succeeded < FIRST_EXCHANGES => AFTER_FAILURE,
            Err(_) => BETWEEN,
        };
        drop(clock);
        tokio::time::sleep(pause).await;
    }
}

impl Service {
    /// One exchange. Needs no key, so none is sent.
    pub(super) async fn exchange_time(&self) -> Answer<Exchange> {
        const PATH: &str = "/gateway/time";
        let request = self.api.request(Method::GET, format!("{}{PATH}", self.endpoint)).timeout(self.request_timeout);
        let sent_ns = unix_ns();
        let began = Instant::now();
        let answer = self.json(PATH, request).await?;
        // Not a second look at the wall clock, which may have been set meanwhile.
        let received_ns = sent_ns + began.elapsed().as_nanos() as i64;
        let time_ns = |name: &str| {
            answer.get(name).and_then(Value::as_f64).filter(|ms| (0.0..LATEST_MS).contains(ms)).map(|ms| (ms * 1e6) as i64)
        };
        match (time_ns("receivedAtUnixMs"), time_ns("transmittedAtUnixMs")) {
            (Some(server_received_ns), Some(server_sent_ns))
                // A service cannot have had the request for longer than it was away.
                if (0..=received_ns - sent_ns).contains(&(server_sent_ns - server_received_ns)) =>
            {
                Ok(Exchange { sent_ns, server_received_ns, server_sent_ns, received_ns })
            }
            _ => Err(later(200, "no times in it")),
        }
    }
}
