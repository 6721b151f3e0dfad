//! `/v1/trials`: drafts, registration, status.

use super::body::{Body, MediaType, media_type};
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::{App, Problem, blocking};
use crate::access::{Caller, Right, Role};
use crate::conduct::trial::Trial;
use crate::conduct::{self, Refusal, Service, draft};
use crate::document::{Faults, Object};
use crate::protocol::{self, Protocol};
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A trial as it is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialAnswer {
    id: String,
    /// draft, registered, enrolling, paused, closed, locked, unblinded, archived
    status: String,
    title: String,
    registration: Option<RegistrationAnswer>,
    /// What is to be known of a trial that an earlier release registered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
    /// The protocol; `randomization` is redacted for all but administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Value>,
}

/// What is public of a registration.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegistrationAnswer {
    registration: i32,
    version: i32,
    #[schema(value_type = String, format = DateTime)]
    registered_at: chrono::DateTime<chrono::Utc>,
    draw_version: String,
    /// SHA-256 that binds the service to the seed.
    commitment: String,
    /// SHA-256 over a salt and the canonical protocol.
    protocol_commitment: String,
}

fn read_protocol(app: &App, media: MediaType, bytes: &[u8]) -> Result<Protocol, Problem> {
    let limit = app.service.config.limits.protocol_bytes;
    if bytes.len() > limit {
        return Err(Problem::too_large("a protocol", limit));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Problem::new(
            "malformed-body",
            "Malformed body",
            400,
            "the body is not UTF-8",
        )
    })?;
    let read = match media {
        MediaType::Toml => protocol::from_toml(text),
        _ => protocol::from_value(super::body::parse(bytes)?),
    };
    read.map_err(|faults| Refusal::Invalid(faults).into())
}

/// Make a draft of a trial from its protocol, JSON or TOML.
#[utoipa::path(post, path = "/v1/trials", operation_id = "create_trial", tag = "trials",
    request_body(content((Object = "application/json"), (String = "application/toml"))),
    responses((status = 201, description = "The draft", body = TrialAnswer), (status = 409, description = "The state of the trial forbids it", body = Problem), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials")]
pub async fn create(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::DesignTrial)?;
    let media = media_type(&request, &[MediaType::Json, MediaType::Toml])?;
    let body = Body::read(&app, &request, payload).await?;
    let protocol = read_protocol(&app, media, &body.bytes)?;
    let service = app.service.clone();
    let answer = blocking(move || {
        let saved = draft::create(&service, &caller.0, body.idempotency.as_ref(), &protocol)?;
        tell(&service, &caller.0, &saved.trial)
    })
    .await?;
    let location = format!("/v1/trials/{}", answer.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(answer))
}

/// The trials that the caller knows of.
#[utoipa::path(get, path = "/v1/trials", operation_id = "list_trials", tag = "trials", params(PageQuery), responses((status = 200, description = "Trials that the key may see", body = page::Page<TrialAnswer>)))]
#[get("/v1/trials")]
pub async fn list(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ReadTrial)?;
    let query: PageQuery = page::query(&request)?;
    let limit = query.limit(&app)?;
    let (service, after) = (app.service.clone(), query.cursor.clone());
    let items = blocking(move || {
        let only = caller.0.trial.as_deref();
        let rows = service
            .store
            .read(|tx| Ok::<_, Refusal>(tx.list_trials(only, after.as_deref(), limit)?))?;
        rows.iter()
            .map(|row| {
                tell(&service, &caller.0, &row.id).map(|told| TrialAnswer {
                    protocol: None,
                    ..told
                })
            })
            .collect::<Result<Vec<_>, Refusal>>()
    })
    .await?;
    let last = items.last().map(|item| item.id.clone());
    Ok(page::answer(&request, limit, items, last))
}

/// One trial with its protocol.
#[utoipa::path(get, path = "/v1/trials/{trial}", operation_id = "get_trial", tag = "trials", params(("trial" = String, Path)), responses((status = 200, description = "The trial", body = TrialAnswer), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[get("/v1/trials/{trial}")]
pub async fn show(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let service = app.service.clone();
    let answer = blocking(move || tell(&service, &caller.0, &trial)).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// Change the protocol of a draft.
#[utoipa::path(put, path = "/v1/trials/{trial}", operation_id = "revise_trial", tag = "trials", params(("trial" = String, Path)),
    request_body(content((Object = "application/json"), (String = "application/toml"))),
    responses((status = 200, description = "The next revision of the draft", body = TrialAnswer), (status = 409, description = "The state of the trial forbids it", body = Problem), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[put("/v1/trials/{trial}")]
pub async fn revise(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::DesignTrial).await?;
    let media = media_type(&request, &[MediaType::Json, MediaType::Toml])?;
    let body = Body::read(&app, &request, payload).await?;
    let protocol = read_protocol(&app, media, &body.bytes)?;
    let service = app.service.clone();
    let answer = blocking(move || {
        draft::revise(&service, &caller.0, &trial, &protocol)?;
        tell(&service, &caller.0, &trial)
    })
    .await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// Register a draft: freeze the protocol, seal the seed, publish the commitments.
#[utoipa::path(post, path = "/v1/trials/{trial}/registration", operation_id = "register_trial", tag = "trials", params(("trial" = String, Path)), responses((status = 201, description = "Commitments of the registration", body = RegistrationAnswer), (status = 409, description = "The state of the trial forbids it", body = Problem)))]
#[post("/v1/trials/{trial}/registration")]
pub async fn register(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ConductTrial).await?;
    let body = Body::read(&app, &request, payload).await?;
    no_fields(&body.json_or_empty()?)?;
    let service = app.service.clone();
    let registered = blocking(move || {
        conduct::register::run(&service, &caller.0, body.idempotency.as_ref(), &trial)
    })
    .await?;
    Ok(HttpResponse::Created().json(registered))
}

/// Open, pause and close enrolment; lock, unblind (with a second person) and archive the trial.
#[utoipa::path(post, path = "/v1/trials/{trial}/status", operation_id = "change_status", tag = "trials", params(("trial" = String, Path)), request_body = super::schema::StatusRequest, responses((status = 200, description = "Where the trial stands now", body = Object), (status = 202, description = "Another administrator has to ask for it too", body = Object), (status = 409, description = "The state of the trial forbids it", body = Problem)))]
#[post("/v1/trials/{trial}/status")]
pub async fn change_status(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ConductTrial).await?;
    let body = Body::read(&app, &request, payload).await?;
    let (to, reason) = read_status(&body.json()?)?;
    let service = app.service.clone();
    let changed = blocking(move || {
        let key = body.idempotency.as_ref();
        conduct::change_status::run(&service, &caller.0, key, &trial, &to, &reason)
    })
    .await?;
    let mut response = match changed.awaits_second_person {
        true => HttpResponse::Accepted(),
        false => HttpResponse::Ok(),
    };
    Ok(response.json(changed))
}

fn read_status(value: &Value) -> Result<(String, String), Problem> {
    use crate::conduct::citizen::guarded_text;
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).and_then(|object| {
        let to = object.required::<String>("to");
        let reason = guarded_text(&object, "reason", 500);
        if !object.has("reason") {
            object.fault("reason", "is missing");
        }
        object.finish();
        Some((to?, reason?))
    });
    Ok(faults.settle(read).map_err(Refusal::Invalid)?)
}

/// Refuses a body with fields where none is taken.
pub fn no_fields(value: &Value) -> Result<(), Problem> {
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).map(|object| object.finish());
    Ok(faults.settle(read).map_err(Refusal::Invalid)?)
}

/// Refuses a caller without the right, before anything is read of the request.
pub fn require(caller: &Caller, right: Right) -> Result<(), Problem> {
    if caller.may(right) {
        Ok(())
    } else {
        Err(Refusal::MissingRight(right).into())
    }
}

/// Refuses a caller who may not do this in this trial, before anything is read of the body.
pub async fn allowed(
    app: &web::Data<App>,
    caller: Identity,
    trial: &str,
    right: Right,
) -> Result<Identity, Problem> {
    trial_for(app, caller, trial, right)
        .await
        .map(|(caller, _)| caller)
}

/// The same, with the trial.
pub async fn trial_for(
    app: &web::Data<App>,
    caller: Identity,
    trial: &str,
    right: Right,
) -> Result<(Identity, Trial), Problem> {
    let (service, trial) = (app.service.clone(), trial.to_owned());
    blocking(move || {
        let trial = service.trial(&caller.0, &trial, right)?;
        Ok((caller, trial))
    })
    .await
}

fn tell(service: &Service, caller: &Caller, id: &str) -> Result<TrialAnswer, Refusal> {
    let trial = service.trial(caller, id, Right::ReadTrial)?;
    let (protocol, registration) = match &trial.registration {
        Some(registration) => {
            let answer = RegistrationAnswer {
                registration: registration.number,
                version: registration.version,
                registered_at: registration.registered_at.and_utc(),
                draw_version: registration.draw_version.clone(),
                commitment: registration.commitment.clone(),
                protocol_commitment: registration.protocol_commitment.clone(),
            };
            (registration.protocol.clone(), Some(answer))
        }
        None => {
            let draft = service
                .store
                .read(|tx| tx.find_draft(id))?
                .ok_or_else(|| Refusal::Internal("a trial has no draft".into()))?;
            (service.open_protocol(id, &draft.sealed_protocol)?, None)
        }
    };
    let mut document = protocol.document;
    // Block sizes with the past arms let later ones be guessed.
    if caller.role != Role::Administrator && !trial.status.is_open() {
        document["randomization"] = json!({"redacted": "until unblinding"});
    }
    Ok(TrialAnswer {
        id: trial.id,
        status: trial.status.to_string(),
        title: protocol.title,
        warnings: match &registration {
            Some(_) if protocol.citizen_scheme.is_none() => vec![TWO_SCHEMES],
            _ => Vec::new(),
        },
        registration,
        protocol: Some(document),
    })
}

/// Of a trial that was registered before `citizen_scheme` was asked for.
const TWO_SCHEMES: &str = "the protocol names no citizen_scheme: citizens are taken under both, and one \
                           person may be drawn under each";
