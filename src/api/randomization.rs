//! What the draw is told after a registration: the value of its public randomness, and units that
//! join.

use super::body::Body;
use super::identity::Identity;
use super::trials::{allowed, trial_for};
use super::{App, Problem, with_trial};
use crate::access::Right;
use crate::conduct::{levels, public_randomness, units};
use actix_web::{HttpRequest, HttpResponse, post, web};

/// Give the value of the public randomness that the protocol names; before enrolment, and once.
#[utoipa::path(post, path = "/v1/trials/{trial}/registration/public-randomness", operation_id = "give_public_value", tag = "trials", params(("trial" = String, Path)), request_body = super::schema::PublicValueRequest, responses((status = 201, description = "The value is on file", body = Object), (status = 409, description = "The state of the trial forbids it", body = Problem)))]
#[post("/v1/trials/{trial}/registration/public-randomness")]
pub async fn give_public_value(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ConductTrial).await?;
    let body = Body::read(&app, &request, payload).await?;
    let value = public_randomness::read(&body.json()?)?;
    let given = with_trial(&app, caller, trial, move |service, caller, trial| {
        public_randomness::give(service, caller, body.idempotency.as_ref(), trial, &value)
    })
    .await?;
    Ok(HttpResponse::Created().json(given))
}

/// Let units join a trial that draws units: they are drawn among themselves.
#[utoipa::path(post, path = "/v1/trials/{trial}/units", operation_id = "join_units", tag = "trials", params(("trial" = String, Path)), request_body = super::schema::UnitsRequest, responses((status = 201, description = "The units joined", body = Object), (status = 409, description = "The state of the trial forbids it", body = Problem), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials/{trial}/units")]
pub async fn join_units(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ConductTrial).await?;
    let body = Body::read(&app, &request, payload).await?;
    let list = units::read(&body.json()?)?;
    let joined = with_trial(&app, caller, trial, move |service, caller, trial| {
        units::join(service, caller, body.idempotency.as_ref(), trial, &list)
    })
    .await?;
    Ok(HttpResponse::Created().json(joined))
}

/// Freeze the list of a unit's citizens, where they are known, before its arm is told.
#[utoipa::path(post, path = "/v1/trials/{trial}/units/lists", operation_id = "freeze_list", tag = "enrolments", params(("trial" = String, Path)), request_body = super::schema::UnitListRequest, responses((status = 201, description = "The list is frozen", body = Object), (status = 409, description = "The state of the trial forbids it", body = Problem), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials/{trial}/units/lists")]
pub async fn freeze_list(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, known) = trial_for(&app, caller, &trial, Right::Enrol).await?;
    let body = Body::read(&app, &request, payload).await?;
    let list = units::read_list(&app.service, &known, &body.json()?)?;
    let frozen = with_trial(&app, caller, trial, move |service, caller, trial| {
        units::freeze(service, caller, body.idempotency.as_ref(), trial, &list)
    })
    .await?;
    Ok(HttpResponse::Created().json(frozen))
}

/// Hold an open factor to a list of codes from now on: no other level joins.
#[utoipa::path(post, path = "/v1/trials/{trial}/factors/{factor}/codes", operation_id = "hold_codes", tag = "trials", params(("trial" = String, Path), ("factor" = String, Path)), request_body = super::schema::CodesRequest, responses((status = 201, description = "The codes that hold", body = super::schema::CodesRequest), (status = 404, description = "No such factor with open levels", body = Problem), (status = 409, description = "Enrolment has ended", body = Problem)))]
#[post("/v1/trials/{trial}/factors/{factor}/codes")]
pub async fn hold_codes(
    app: web::Data<App>,
    caller: Identity,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (trial, factor) = path.into_inner();
    let caller = allowed(&app, caller, &trial, Right::ConductTrial).await?;
    let body = Body::read(&app, &request, payload).await?;
    let codes = levels::read(&body.json()?)?;
    let service = app.service.clone();
    let held = super::blocking(move || {
        let key = body.idempotency.as_ref();
        levels::hold(&service, &caller.0, key, &trial, &factor, &codes)
    })
    .await?;
    Ok(HttpResponse::Created().json(held))
}
