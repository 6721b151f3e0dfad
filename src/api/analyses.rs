//! `/v1/trials/{trial}/analyses`.

use super::body::Body;
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::allowed;
use super::{App, Problem, blocking, with_trial};
use crate::access::Right;
use crate::conduct::Refusal;
use crate::conduct::analyse::{self, Progress, Request};
use crate::document::{Faults, Object};
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde_json::Value;

/// Analyse a data cut: 201 with the result, or 202 and a place to ask where it takes long.
#[utoipa::path(post, path = "/v1/trials/{trial}/analyses", operation_id = "create_analysis", tag = "analyses", params(("trial" = String, Path)), request_body = super::schema::AnalysisRequest, responses((status = 201, description = "The analysis of a data cut, made or found", body = Object), (status = 202, description = "Under way: ask again", body = Object), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials/{trial}/analyses")]
pub async fn create(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::Analyse).await?;
    let body = Body::read(&app, &request, payload).await?;
    let asked = read(&body.json()?)?;
    let told = with_trial(
        &app,
        caller,
        trial.clone().into(),
        move |service, caller, trial| {
            let id = analyse::ask(service, caller, body.idempotency.as_ref(), trial, &asked)?;
            analyse::wait(service, &id);
            analyse::find(service, caller, trial, &id)
        },
    )
    .await?;
    let location = format!("/v1/trials/{trial}/analyses/{}", told.analysis);
    let mut response = match told.status {
        Progress::Running => HttpResponse::Accepted(),
        Progress::Done | Progress::Failed => HttpResponse::Created(),
    };
    Ok(response.insert_header((LOCATION, location)).json(told))
}

/// The analyses that the caller may see.
#[utoipa::path(get, path = "/v1/trials/{trial}/analyses", operation_id = "list_analyses", tag = "analyses", params(("trial" = String, Path), PageQuery), responses((status = 200, description = "Analyses of the trial, the latest first", body = Object)))]
#[get("/v1/trials/{trial}/analyses")]
pub async fn list(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ReadAnalysis).await?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.cursor.clone());
    let items = with_trial(&app, caller, trial, move |service, caller, trial| {
        analyse::list(service, caller, trial, after.as_deref(), limit)
    })
    .await?;
    let last = items.last().map(|item| item.analysis.clone());
    Ok(page::answer(&request, limit, items, last))
}

/// One analysis with its result.
#[utoipa::path(get, path = "/v1/trials/{trial}/analyses/{analysis}", operation_id = "get_analysis", tag = "analyses", params(("trial" = String, Path), ("analysis" = String, Path)), responses((status = 200, description = "One analysis, with its result where the role may see it", body = Object), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[get("/v1/trials/{trial}/analyses/{analysis}")]
pub async fn show(
    app: web::Data<App>,
    caller: Identity,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (trial, analysis) = path.into_inner();
    let service = app.service.clone();
    let told = blocking(move || analyse::find(&service, &caller.0, &trial, &analysis)).await?;
    Ok(HttpResponse::Ok().json(told))
}

fn read(value: &Value) -> Result<Request, Problem> {
    let faults = Faults::default();
    let request = Object::open(value, "", &faults).and_then(|object| {
        let data_cut = object.required::<i64>("data_cut");
        let look = object.optional::<u32>("look");
        object.finish();
        Some(Request {
            data_cut: data_cut?,
            look,
        })
    });
    Ok(faults.settle(request).map_err(Refusal::Invalid)?)
}
