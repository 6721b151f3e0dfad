//! Liveness, readiness, measurements.

use super::{App, Problem, blocking};
use crate::conduct::Refusal;
use actix_web::{HttpResponse, get, web};
use serde_json::json;

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, description = "Alive")))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// The database answers and its schema is up to date.
#[utoipa::path(get, path = "/readyz", tag = "service", responses(
    (status = 200, description = "Ready"),
    (status = 503, description = "Not ready", body = Problem),
))]
#[get("/readyz")]
pub async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let service = app.service.clone();
    let ready = blocking(move || Ok(service.store.is_up_to_date()?)).await?;
    if !ready {
        return Err(Refusal::Busy.into());
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
