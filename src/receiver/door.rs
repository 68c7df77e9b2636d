//! The door every request comes through: it is noted down, meets the faults in force, has its body bounded and its key
//! checked. Behind it stand the handlers, which know nothing of all that.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::RequestPartsExt;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::answer::{About, Refusal};
use super::faults::{Act, Garble, RetryAfter, Route};
use super::intake::Intake;
use super::journal::{Entry, LONGEST_NOTED_BODY};
use super::line::Peer;
use super::service::Service;
use super::staging;

/// The longest body of any request but a PUT.
const LONGEST_JSON: u64 = 1 << 20;
const HUGE_ANSWER: u64 = 64 << 20;

/// A request that was let in.
pub(super) struct Call {
    pub(super) received_unix_ms: f64,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// The ids in the path, by their names in the table of routes.
    ids: HashMap<String, String>,
    /// The JSON body, `Null` when there is none.
    pub(super) json: Value,
    /// The body of a PUT, yet to be read.
    pub(super) body: Intake,
    /// How long a URL that is now issued lives, if a fault shortens it.
    pub(super) url_ttl: Option<Duration>,
}

impl Call {
    /// An id from the path. What is no UUID names nothing here.
    pub(super) fn id(&self, name: &str, what: &str) -> Result<Uuid, Refusal> {
        self.ids.get(name).and_then(|id| id.parse().ok()).ok_or_else(|| Refusal::unknown(what))
    }

    /// All pairs of the query, in their order.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        Query::try_from_uri(&self.uri).map(|Query(pairs)| pairs).unwrap_or_default()
    }
}

/// Lets a request in to its handler and its answer out, or neither.
pub(super) async fn pass<H, F>(service: Arc<Service>, route: Route, peer: Peer, request: Request, handler: H) -> Response
where
    H: FnOnce(Arc<Service>, Call) -> F,
    F: Future<Output = Result<Response, Refusal>>,
{
    let (mut parts, body) = request.into_parts();
    let mut body = Intake::new(body, peer.clone(), if route == Route::Put { service.max_body } else { LONGEST_JSON });
    let mut entry = Entry::new(service.clone(), &parts, peer.port, body.meter());
    let mut act = Act::None;
    if let Some(fault) = service.faults.decide(route, staging::chunk_asked_for(&parts.uri)) {
        entry.fault(&fault.rule);
        if let Some(bytes_per_s) = fault.bytes_per_s {
            body.slow_to(bytes_per_s);
        }
        tokio::time::sleep(fault.delay).await;
        act = fault.act;
    }
    match act {
        Act::HangRequest => {
            entry.write();
            return pending().await;
        }
        Act::CutRequest => peer.cut(),
        Act::CutAfterBytes(bytes) => body.cut_after(bytes),
        _ => {}
    }
    if peer.is_cut() {
        return Response::default();
    }

    let ids = parts.extract::<Path<HashMap<String, String>>>().await.map(|Path(ids)| ids).unwrap_or_default();
    let call = Call {
        received_unix_ms: entry.received_unix_ms(),
        uri: parts.uri,
        headers: parts.headers,
        ids,
        json: Value::Null,
        body,
        url_ttl: if let Act::UrlTtl(ttl) = act { Some(ttl) } else { None },
    };
    let response = answer(service, route, &act, &mut entry, call, handler).await.into_response();
    if let Some(About(stream)) = response.extensions().get() {
        entry.about([*stream]);
    }

    match act {
        Act::HangAnswer => {
            entry.write();
            return pending().await;
        }
        Act::CutAnswer => peer.cut(),
        _ => {}
    }
    if peer.is_cut() {
        return response;
    }
    entry.answered(response.status().as_u16());
    match act {
        Act::Garble(what) => garbled(response, what).await,
        Act::Status { body: Some(what), .. } => garbled(response, what).await,
        _ => response,
    }
}

/// What the service answers: as the fault says, or else as the handler does.
async fn answer<H, F>(
    service: Arc<Service>,
    route: Route,
    act: &Act,
    entry: &mut Entry,
    mut call: Call,
    handler: H,
) -> Result<Response, Refusal>
where
    H: FnOnce(Arc<Service>, Call) -> F,
    F: Future<Output = Result<Response, Refusal>>,
{
    let mut json = Ok(Value::Null);
    if route != Route::Put {
        let body = call.body.whole().await?;
        if !body.is_empty() {
            json = parse(&call.headers, &body);
        }
        if let Ok(json) = json.as_ref()
            && !body.is_empty()
            && body.len() <= LONGEST_NOTED_BODY
        {
            entry.body(json);
        }
    }
    let on_purpose = match act {
        Act::Status { status, retry_after, .. } => Some((*status, header::RETRY_AFTER, retry_after.map(RetryAfter::header))),
        Act::Redirect(url) => Some((StatusCode::TEMPORARY_REDIRECT, header::LOCATION, Some(url.clone()))),
        _ => None,
    };
    if let Some((status, name, value)) = on_purpose {
        call.body.drain(u64::MAX).await?;
        let mut response = Refusal::new(status, "a fault on purpose").into_response();
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
        return Ok(response);
    }
    // The clock is for everyone, and what guards a presigned URL is the URL itself.
    if !matches!(route, Route::Time | Route::Put) {
        service.check_key(&call.headers)?;
    }
    call.json = json?;
    handler(service, call).await
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Refusal::field("content-type", "application/json", &kind.into()));
    }
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("body: no proper JSON: {error}")))
}

/// The same answer with another body.
async fn garbled(response: Response, what: Garble) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = match what {
        Garble::Empty => Body::empty(),
        Garble::Garbage => Body::from("<html>\u{0}\u{fffd} no service here"),
        Garble::Null => Body::from("null"),
        Garble::Wrong => Body::from(r#"{"unexpected": [true]}"#),
        Garble::RequestTimeout => Body::from(REQUEST_TIMEOUT),
        Garble::Huge => Body::from_stream(ReaderStream::with_capacity(tokio::io::repeat(b' ').take(HUGE_ANSWER), 64 << 10)),
        Garble::Half => {
            let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len().max(2)));
            let half = whole.slice(..whole.len() / 2);
            Body::from_stream(ReaderStream::new(AsyncReadExt::chain(Cursor::new(half), BreaksOff::default())))
        }
    };
    Response::from_parts(parts, body)
}

/// As object storage words it.
const REQUEST_TIMEOUT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>RequestTimeout</Code><Message>Your socket \
                               connection to the server was not read from or written to within the timeout period.</Message></Error>";

/// The end of a body that never comes. It fails at the second look only: before that, what is there gets sent.
#[derive(Default)]
struct BreaksOff {
    looked: bool,
}

impl AsyncRead for BreaksOff {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.looked, true) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
