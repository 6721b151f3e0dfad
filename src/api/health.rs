//! Liveness, readiness, measurements.

use super::{App, Problem};
use actix_web::{HttpResponse, get, route, web};
use serde_json::json;
use std::time::Duration;

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, description = "Alive")))]
#[route("/healthz", method = "GET", method = "HEAD")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// The database answers and its schema is up to date.
#[utoipa::path(get, path = "/readyz", tag = "service", responses(
    (status = 200, description = "Ready"),
    (status = 503, description = "Not ready", body = Problem),
))]
#[route("/readyz", method = "GET", method = "HEAD")]
pub async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let service = app.service.clone();
    let limit = Duration::from_secs(service.config.database.wait_seconds);
    let asked = web::block(move || service.store.is_up_to_date());
    let ready = tokio::time::timeout(limit, asked).await;
    if !matches!(ready, Ok(Ok(Ok(true)))) {
        let detail = "the database does not answer, or its schema is not up to date";
        return Err(Problem::new("not-ready", "Not ready", 503, detail));
    }
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}

/// Measurements in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, description = "Measurements", content_type = "text/plain")))]
#[get("/metrics")]
pub async fn metrics(app: web::Data<App>) -> HttpResponse {
    let text = app.metrics.render(&app.service, &app.writer);
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text)
}
