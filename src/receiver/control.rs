//! `/_receiver/faults`: the fault rules over HTTP. Beside the protocol: not noted down, met by no fault.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use super::answer::{self, Refusal};
use super::service::Service;

/// The longest text of rules, in bytes.
const LONGEST_RULES: usize = 64 << 10;

pub(super) fn faults(service: &Arc<Service>) -> MethodRouter {
    let with = |change: fn(&Service, &str) -> Result<(), String>| {
        let service = service.clone();
        move |request: Request| async move { rule(&service, request, change).await.unwrap_or_else(Refusal::into_response) }
    };
    get(with(|_, _| Ok(())))
        .post(with(|service, rules| service.faults.replace(rules)))
        .delete(with(|service, _| service.faults.replace("")))
}

/// Changes the rules, and lists them as they then are.
async fn rule(
    service: &Service,
    request: Request,
    change: fn(&Service, &str) -> Result<(), String>,
) -> Result<Response, Refusal> {
    service.check_key(request.headers())?;
    let body = axum::body::to_bytes(request.into_body(), LONGEST_RULES)
        .await
        .map_err(|_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "at most 64 KiB of rules are wanted"))?;
    let rules = std::str::from_utf8(&body)
        .map_err(|_| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "rules in UTF-8 are wanted, one a line"))?;
    change(service, rules).map_err(|why| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let list = service.faults.fired().into_iter().map(|(rule, fired)| json!({ "rule": rule, "fired": fired }));
    Ok(answer::json(Value::Array(list.collect())))
}
