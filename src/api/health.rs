//! Liveness, readiness, measurements.

use super::{App, Problem};
use crate::store::StoreError;
use actix_web::{HttpResponse, get, route, web};
use serde_json::json;
use std::time::Duration;

/// The process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "service", responses((status = 200, description = "Alive")))]
#[route("/healthz", method = "GET", method = "HEAD")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// The database answers, has room, is up to date, and was made with this secret key.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "service", responses(
    (status = 200, description = "Ready"),
    (status = 503, description = "Not ready", body = Problem),
))]
#[route("/readyz", method = "GET", method = "HEAD")]
pub async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let service = app.service.clone();
    let limit = Duration::from_secs(service.config.database.wait_seconds);
    let asked = web::block(move || {
        let up_to_date = service.store.is_up_to_date()?;
        Ok::<_, StoreError>(up_to_date && service.store.has_room() && service.has_present_key()?)
    });
    let ready = tokio::time::timeout(limit, asked).await;
    if !matches!(ready, Ok(Ok(Ok(true)))) {
        let detail = "the database does not answer, has no room, is not up to date, or has another secret key";
        return Err(Problem::new("not-ready", "Not ready", 503, detail));
    }
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}

/// Measurements in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service", responses((status = 200, description = "Measurements", content_type = "text/plain")))]
#[get("/metrics")]
pub async fn metrics(app: web::Data<App>) -> HttpResponse {
    let text = app.metrics.render(&app.service, &app.writer);
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text)
}
