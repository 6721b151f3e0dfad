//! `/v1/trials/{trial}/data-cuts`.

use super::body::Body;
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::{allowed, no_fields};
use super::{App, Problem, with_trial};
use crate::access::Right;
use crate::conduct::cut;
use actix_web::{HttpRequest, HttpResponse, get, post, web};

/// Freeze a data cut: everything that is recorded now.
#[utoipa::path(post, path = "/v1/trials/{trial}/data-cuts", operation_id = "create_data_cut", tag = "analyses", params(("trial" = String, Path)), responses((status = 201, description = "A frozen data cut", body = Object)))]
#[post("/v1/trials/{trial}/data-cuts")]
pub async fn create(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::WriteDataCut).await?;
    let body = Body::read(&app, &request, payload).await?;
    no_fields(&body.json_or_empty()?)?;
    let cut = with_trial(&app, caller, trial, move |service, caller, trial| {
        cut::create(service, caller, body.idempotency.as_ref(), trial)
    })
    .await?;
    Ok(HttpResponse::Created().json(cut))
}

/// The data cuts of a trial.
#[utoipa::path(get, path = "/v1/trials/{trial}/data-cuts", operation_id = "list_data_cuts", tag = "analyses", params(("trial" = String, Path), PageQuery), responses((status = 200, description = "Data cuts of the trial", body = Object)))]
#[get("/v1/trials/{trial}/data-cuts")]
pub async fn list(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ReadDataCut).await?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.after_number()?);
    let items = with_trial(&app, caller, trial, move |service, caller, trial| {
        cut::list(service, caller, trial, after, limit)
    })
    .await?;
    let last = items.last().map(|item| item.data_cut.to_string());
    Ok(page::answer(&request, limit, items, last))
}
