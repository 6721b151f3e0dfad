//! One line of log for each request, its id, and its measurements.
//!
//! The log holds the route's pattern, never its path: a path may hold what a mistaken client put
//! there.

use super::App;
use super::metrics::Metrics;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use std::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Observes one request.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let id = request_id(&request);
    let method = request.method().to_string();
    let app = request.app_data::<web::Data<App>>().cloned();
    let span = tracing::info_span!("request", %id, %method, key = tracing::field::Empty);
    let outcome = next.call(request).instrument(span.clone()).await;
    let mut response = outcome?;
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "(none)".into());
    let status = response.status().as_u16();
    let seconds = begun.elapsed().as_secs_f64();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    span.in_scope(|| tracing::info!(route, status, milliseconds = seconds * 1e3, "answered"));
    if let Some(app) = app {
        Metrics::observe(&app.metrics, &method, &route, status, seconds);
    }
    Ok(response)
}

/// The client's own id where it is a plain one, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let plain = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            // A citizen's number must not come into the log this way either.
            && !crate::conduct::citizen::holds_number(text)
    };
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(plain)
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}
