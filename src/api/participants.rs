//! `/v1/trials/{trial}/participants`.

use super::body::Body;
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::allowed;
use super::{App, Problem, blocking, with_trial};
use crate::access::Right;
use crate::conduct::participants as conduct;
use crate::store::ParticipantRow;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// A participant, as who enrols sees them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParticipantAnswer {
    participant: String,
    site: Option<String>,
    arm: String,
    #[schema(value_type = String, format = Date)]
    enrolled_on: NaiveDate,
    #[schema(value_type = String, format = DateTime)]
    enrolled_at: DateTime<Utc>,
}

impl From<ParticipantRow> for ParticipantAnswer {
    fn from(row: ParticipantRow) -> Self {
        Self {
            participant: row.id,
            site: row.site,
            arm: row.arm,
            enrolled_on: row.enrolled_on,
            enrolled_at: row.enrolled_at.and_utc(),
        }
    }
}

/// The participants of the caller's sites.
#[utoipa::path(get, path = "/v1/trials/{trial}/participants", operation_id = "list_participants", tag = "participants", params(("trial" = String, Path), PageQuery), responses((status = 200, description = "Participants whom the key may see", body = page::Page<ParticipantAnswer>)))]
#[get("/v1/trials/{trial}/participants")]
pub async fn list(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ReadParticipant).await?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.cursor.clone());
    let rows = with_trial(&app, caller, trial, move |service, caller, trial| {
        conduct::list(service, caller, trial, after.as_deref(), limit)
    })
    .await?;
    let items: Vec<ParticipantAnswer> = rows.into_iter().map(Into::into).collect();
    let last = items.last().map(|item| item.participant.clone());
    Ok(page::answer(&request, limit, items, last))
}

/// One participant.
#[utoipa::path(get, path = "/v1/trials/{trial}/participants/{participant}", operation_id = "get_participant", tag = "participants", params(("trial" = String, Path), ("participant" = String, Path)), responses((status = 200, description = "One participant", body = ParticipantAnswer), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[get("/v1/trials/{trial}/participants/{participant}")]
pub async fn show(
    app: web::Data<App>,
    caller: Identity,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (trial, participant) = path.into_inner();
    let service = app.service.clone();
    let row = blocking(move || conduct::find(&service, &caller.0, &trial, &participant)).await?;
    Ok(HttpResponse::Ok().json(ParticipantAnswer::from(row)))
}

/// The participant who is a citizen; the number stands in the body, never in an address.
#[utoipa::path(post, path = "/v1/trials/{trial}/participants/search", operation_id = "search_participant", tag = "participants", params(("trial" = String, Path)), request_body = super::schema::CitizenSearch, responses((status = 200, description = "The participant of this number", body = ParticipantAnswer), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[post("/v1/trials/{trial}/participants/search")]
pub async fn search(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ReadParticipant).await?;
    let value = Body::read(&app, &request, payload).await?.json()?;
    let row = with_trial(&app, caller, trial, move |service, caller, trial| {
        conduct::search(service, caller, trial, &value)
    })
    .await?;
    Ok(HttpResponse::Ok().json(ParticipantAnswer::from(row)))
}
