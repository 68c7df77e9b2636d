//! The table of routes.
//!
//! Paths are taken to the letter, the `/` at the end included: a client that gets one wrong shall hear of it here.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post, put};

use super::answer::Refusal;
use super::door::{self, Call};
use super::faults::Route;
use super::line::Peer;
use super::service::Service;
use super::{catalog, clock, control, staging, streams};

pub(super) fn table(service: Arc<Service>, prefix: &str) -> Router {
    let prefix = prefix.trim_end_matches('/');
    let at = |path: &str| format!("{prefix}{path}");
    Router::new()
        .route(&at("/gateway/time"), get(behind(&service, Route::Time, clock::tell)))
        .route(
            &at("/physical_samples/"),
            get(behind(&service, Route::Samples, catalog::list_samples)).post(behind(
                &service,
                Route::Samples,
                catalog::add_sample,
            )),
        )
        .route(
            &at("/tags/"),
            get(behind(&service, Route::Tags, catalog::list_tags)).post(behind(&service, Route::Tags, catalog::add_tag)),
        )
        .route(&at("/rheed/stream/"), post(behind(&service, Route::Create, streams::create)))
        .route(&at("/data_entries/physical_sample"), post(behind(&service, Route::Link, streams::link_sample)))
        .route(
            &at("/projects/{project_id}/configuration/tracking_samples"),
            post(behind(&service, Route::Link, streams::track_sample)),
        )
        .route(&at("/tags/data-items/"), post(behind(&service, Route::Link, streams::link_tags)))
        .route(&at("/data_entries/raw_data/staged/upload_urls/"), post(behind(&service, Route::Presign, staging::presign)))
        .route(&at("/staged/{*key}"), put(behind(&service, Route::Put, staging::put)))
        .route(&at("/rheed/stream/{data_id}/end"), post(behind(&service, Route::End, streams::end)))
        .route(&at("/rheed/stream/{data_id}/pause"), post(behind(&service, Route::End, streams::pause)))
        .route(&at("/rheed/stream/{data_id}/resume"), post(behind(&service, Route::End, streams::resume)))
        .route(&at("/data_entries/"), get(behind(&service, Route::Status, streams::status)))
        .route(&at("/_receiver/faults"), control::faults(&service))
        .fallback(behind(&service, Route::Any, nowhere))
        .method_not_allowed_fallback(behind(&service, Route::Any, not_that_way))
}

/// A handler behind the door.
fn behind<H, F>(
    service: &Arc<Service>,
    route: Route,
    handler: H,
) -> impl Fn(ConnectInfo<Peer>, Request) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync + 'static
where
    H: Fn(Arc<Service>, Call) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Result<Response, Refusal>> + Send + 'static,
{
    let service = service.clone();
    move |ConnectInfo(peer), request| Box::pin(door::pass(service.clone(), route, peer, request, handler))
}

async fn nowhere(_: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    Err(Refusal::unknown(call.uri.path()))
}

async fn not_that_way(_: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} takes another method", call.uri.path())))
}
