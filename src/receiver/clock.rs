//! The reference clock that `/gateway/time` tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::json;

use super::answer::{self, Refusal};
use super::disk::unix_ms;
use super::door::Call;
use super::service::Service;

/// This computer's clock, shifted.
pub(super) struct Clock {
    offset_ms_bits: AtomicU64,
}

impl Clock {
    pub(super) fn ahead_by_ms(offset: f64) -> Self {
        Self { offset_ms_bits: AtomicU64::new(offset.to_bits()) }
    }

    pub(super) fn set_offset_ms(&self, offset: f64) {
        self.offset_ms_bits.store(offset.to_bits(), Ordering::Relaxed);
    }

    fn shift(&self, unix_ms: f64) -> f64 {
        unix_ms + f64::from_bits(self.offset_ms_bits.load(Ordering::Relaxed))
    }
}

/// `GET /gateway/time`: when the request came, when its answer leaves.
pub(super) async fn tell(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let mut response = answer::json(json!({
        "receivedAtUnixMs": service.clock.shift(call.received_unix_ms),
        "transmittedAtUnixMs": service.clock.shift(unix_ms()),
    }));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
