//! `/v1/requests` and `/v1/persons`: acts of two persons, and the persons.

use super::body::Body;
use super::identity::Identity;
use super::keys::made;
use super::page::{self, PageQuery};
use super::trials::{no_fields, require};
use super::{App, Problem, blocking};
use crate::access::Right;
use crate::conduct::requests::{self, Act, Signed};
use crate::conduct::{Refusal, persons, rules};
use crate::document::{Faults, Identifier, Object};
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde_json::{Value, json};

/// The requests that the caller may know of: open, signed, withdrawn and expired ones.
#[utoipa::path(get, path = "/v1/requests", operation_id = "list_requests", tag = "requests", params(PageQuery), responses((status = 200, description = "A page of requests", body = page::Page<super::schema::RequestAnswer>)))]
#[get("/v1/requests")]
pub async fn list(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.cursor.clone());
    let service = app.service.clone();
    let items =
        blocking(move || requests::list(&service, &caller.0, after.as_deref(), limit)).await?;
    let last = items.last().map(|item| item.request.clone());
    Ok(page::answer(&request, limit, items, last))
}

/// Ask for an act that takes two persons and has no resource of its own: the adoption of later rules.
#[utoipa::path(post, path = "/v1/requests", operation_id = "ask_request", tag = "requests", request_body = super::schema::ActRequest, responses((status = 202, description = "Another person has to sign", body = super::schema::RequestAnswer), (status = 409, description = "The act is not admissible now", body = Problem), (status = 422, description = "The request is not valid", body = Problem)))]
#[post("/v1/requests")]
pub async fn ask(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let trial = read(&Body::read(&app, &request, payload).await?.json()?)?;
    let service = app.service.clone();
    let asked = blocking(move || rules::ask(&service, &caller.0, &trial)).await?;
    let location = format!("/v1/requests/{}", asked.request);
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, location))
        .json(asked))
}

/// Reads `{act, trial}`.
fn read(value: &Value) -> Result<String, Problem> {
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).and_then(|object| {
        let act = object.required::<Act>("act");
        let trial = object.required::<Identifier>("trial");
        object.finish();
        if act.is_some_and(|act| act != Act::AdoptRules) {
            object.fault("act", "is asked for at the resource that it is about");
        }
        trial.map(|trial| trial.0)
    });
    Ok(faults.settle(read).map_err(Refusal::Invalid)?)
}

/// One request.
#[utoipa::path(get, path = "/v1/requests/{request}", operation_id = "show_request", tag = "requests", params(("request" = String, Path)), responses((status = 200, description = "The request", body = super::schema::RequestAnswer), (status = 404, description = "No such request", body = Problem)))]
#[get("/v1/requests/{request}")]
pub async fn show(
    app: web::Data<App>,
    caller: Identity,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let service = app.service.clone();
    let found = blocking(move || requests::find(&service, &caller.0, &id)).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// Sign what another person asked for; it is done at once.
#[utoipa::path(post, path = "/v1/requests/{request}/sign", operation_id = "sign_request", tag = "requests", params(("request" = String, Path)), responses((status = 200, description = "What was done", body = Object), (status = 201, description = "The key that was made", body = super::schema::KeyMade), (status = 409, description = "The same person, or no longer what was asked for", body = Problem)))]
#[post("/v1/requests/{request}/sign")]
pub async fn sign(
    app: web::Data<App>,
    caller: Identity,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    no_fields(&Body::read(&app, &request, payload).await?.json_or_empty()?)?;
    let service = app.service.clone();
    Ok(
        match blocking(move || requests::sign(&service, &caller.0, &id)).await? {
            Signed::Key(key) => made(&key),
            Signed::Unblinded(changed) => HttpResponse::Ok().json(changed),
            Signed::Rules(adopted) => HttpResponse::Ok().json(adopted),
        },
    )
}

/// Withdraw a request that the caller's person asked for.
#[utoipa::path(post, path = "/v1/requests/{request}/withdraw", operation_id = "withdraw_request", tag = "requests", params(("request" = String, Path)), responses((status = 200, description = "The withdrawn request", body = super::schema::RequestAnswer), (status = 409, description = "Not open any more, or another person's", body = Problem)))]
#[post("/v1/requests/{request}/withdraw")]
pub async fn withdraw(
    app: web::Data<App>,
    caller: Identity,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    no_fields(&Body::read(&app, &request, payload).await?.json_or_empty()?)?;
    let service = app.service.clone();
    let withdrawn = blocking(move || requests::withdraw(&service, &caller.0, &id)).await?;
    Ok(HttpResponse::Ok().json(withdrawn))
}

/// The persons to whom keys belong.
#[utoipa::path(get, path = "/v1/persons", operation_id = "list_persons", tag = "keys", params(PageQuery), responses((status = 200, description = "A page of persons", body = page::Page<super::schema::PersonAnswer>)))]
#[get("/v1/persons")]
pub async fn list_persons(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.cursor.clone());
    let service = app.service.clone();
    let items =
        blocking(move || persons::list(&service, &caller.0, after.as_deref(), limit)).await?;
    let last = items.last().map(|item| item.person.clone());
    Ok(page::answer(&request, limit, items, last))
}

/// Enter a person. Keys of theirs take two persons.
#[utoipa::path(post, path = "/v1/persons", operation_id = "add_person", tag = "keys", request_body = super::schema::PersonRequest, responses((status = 201, description = "The person", body = super::schema::PersonAnswer), (status = 409, description = "The name is taken", body = Problem), (status = 422, description = "The request is not valid", body = Problem)))]
#[post("/v1/persons")]
pub async fn add_person(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let name = persons::read(&Body::read(&app, &request, payload).await?.json()?)?;
    let service = app.service.clone();
    let person = blocking(move || persons::add(&service, &caller.0, &name)).await?;
    Ok(HttpResponse::Created().json(json!(person)))
}
