//! What goes back: a JSON value, or a refusal that says why.

use std::io;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) fn json(value: Value) -> Response {
    with_status(StatusCode::OK, &value)
}

fn with_status(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// The stream an answer is about, where its request could not say so: it did not exist yet.
#[derive(Clone, Copy)]
pub(super) struct About(pub(super) Uuid);

/// Why a request is refused: `{"detail": ...}`.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: Value,
    retry_after_s: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, detail: impl Into<Value>) -> Self {
        Self { status, detail: detail.into(), retry_after_s: None }
    }

    /// 422: a field of the body or the query is not what it should be.
    pub(super) fn field(name: &str, wanted: &str, found: &Value) -> Self {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(80) {
            found.truncate(cut);
            found.push('…');
        }
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{name}: {wanted} is wanted, not {found}"))
    }

    /// 422: a field is not there at all.
    pub(super) fn missing(name: &str, wanted: &str) -> Self {
        let wanted = wanted.trim_end_matches(',');
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{name}: {wanted} is wanted, and missing"))
    }

    /// 404: nothing here goes by that id.
    pub(super) fn unknown(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    /// 429: there is as much of it as this receiver keeps.
    pub(super) fn too_many(what: &str) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, format!("too many {what}")) }
    }
}

impl From<io::Error> for Refusal {
    /// Bad data is the client's doing, anything else the disk's.
    fn from(error: io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::InvalidData => StatusCode::BAD_REQUEST,
            io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = with_status(self.status, &json!({ "detail": self.detail }));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
