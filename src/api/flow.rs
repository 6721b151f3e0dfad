//! `/v1/trials/{trial}/flow`.

use super::identity::Identity;
use super::{App, Problem, with_trial};
use crate::conduct::flow;
use actix_web::{HttpResponse, get, web};

/// The flow of participants (CONSORT): assessed, excluded with reasons, randomized, allocated.
#[utoipa::path(get, path = "/v1/trials/{trial}/flow", operation_id = "get_flow", tag = "monitoring", params(("trial" = String, Path)), responses((status = 200, description = "How many were assessed, excluded and drawn", body = Object)))]
#[get("/v1/trials/{trial}/flow")]
pub async fn show(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(with_trial(&app, caller, trial, flow::run).await?))
}
