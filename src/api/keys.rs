//! `/v1/keys`.

use super::body::Body;
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::require;
use super::{App, Problem, blocking};
use crate::access::Right;
use crate::conduct::issue_key::{self, Answer, Made, Rotation, Wish};
use crate::store::KeyRow;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyItem {
    key_id: String,
    name: String,
    /// The person to whom it belongs.
    person: Option<String>,
    role: String,
    trial: Option<String>,
    sites: Option<Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    created_by: Option<String>,
    approved_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<DateTime<Utc>>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
    /// The last day on which it was used.
    #[schema(value_type = Option<String>, format = Date)]
    last_used_on: Option<NaiveDate>,
}

impl From<KeyRow> for KeyItem {
    fn from(row: KeyRow) -> Self {
        Self {
            key_id: row.id,
            name: row.name,
            role: row.role,
            trial: row.trial_id,
            sites: row.sites.and_then(|text| serde_json::from_str(&text).ok()),
            created_at: row.created_at.and_utc(),
            created_by: row.created_by,
            approved_by: row.approved_by,
            revoked_at: row.revoked_at.map(|time| time.and_utc()),
            person: row.person_id,
            expires_at: row.expires_at.map(|time| time.and_utc()),
            last_used_on: row.last_used_on,
        }
    }
}

/// A key that was made: with its text, the only time it is shown, unless its holder made it.
pub fn made(key: &Made) -> HttpResponse {
    HttpResponse::Created().json(match key {
        Made::Shown(key) => json!({"key_id": key.id, "key": key.reveal()}),
        Made::Own(id) => json!({"key_id": id}),
    })
}

/// Make a key: 201 with its text, the only time it is shown; 202 where another person has to sign (it sees
/// all arms or results, or is another person's), and then `secret_sha256` of its holder's own secret.
#[utoipa::path(post, path = "/v1/keys", operation_id = "make_key", tag = "keys", request_body = super::schema::KeyRequest, responses((status = 201, description = "The key", body = super::schema::KeyMade), (status = 202, description = "Another person has to sign", body = super::schema::KeyAwaited), (status = 422, description = "The request is not valid", body = Problem)))]
#[post("/v1/keys")]
pub async fn create(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let now = app.service.clock.now();
    let wish = Wish::read(&Body::read(&app, &request, payload).await?.json()?, now)?;
    let service = app.service.clone();
    Ok(
        match blocking(move || issue_key::ask(&service, &caller.0, &wish)).await? {
            Answer::Made(key) => made(&key),
            Answer::Awaiting(request) => HttpResponse::Accepted().json(json!({
                "request": request.request,
                "status": "awaiting_second_person",
                "awaits_second_person": true,
                "key_id": request.object["key_id"],
                "expires_at": request.expires_at,
                "approval": format!("/v1/requests/{}/sign", request.request),
            })),
        },
    )
}

/// Replace a key by a new one of the same holder and rights; the old one works on for the overlap.
#[utoipa::path(post, path = "/v1/keys/{key}/rotation", operation_id = "rotate_key", tag = "keys", params(("key" = String, Path)), request_body = super::schema::RotationRequest, responses((status = 201, description = "The new key", body = super::schema::KeyMade), (status = 404, description = "No such key, or another holder's", body = Problem), (status = 409, description = "Its holder replaces this key", body = Problem)))]
#[post("/v1/keys/{key}/rotation")]
pub async fn rotate(
    app: web::Data<App>,
    caller: Identity,
    key: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let now = app.service.clock.now();
    let body = Body::read(&app, &request, payload).await?.json_or_empty()?;
    let asked = Rotation::read(&body, now)?;
    let service = app.service.clone();
    let key = blocking(move || issue_key::rotate(&service, &caller.0, &key, &asked)).await?;
    Ok(made(&key))
}

/// The keys that the caller manages, without their secrets.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "keys", params(PageQuery), responses((status = 200, description = "Keys, without their secrets", body = page::Page<KeyItem>)))]
#[get("/v1/keys")]
pub async fn list(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after, service) = (
        query.limit(&app)?,
        query.cursor.clone(),
        app.service.clone(),
    );
    let rows =
        blocking(move || issue_key::list(&service, &caller.0, after.as_deref(), limit)).await?;
    let items: Vec<KeyItem> = rows.into_iter().map(Into::into).collect();
    let last = items.last().map(|item| item.key_id.clone());
    Ok(page::answer(&request, limit, items, last))
}

/// Revoke a key.
#[utoipa::path(delete, path = "/v1/keys/{key}", operation_id = "revoke_key", tag = "keys", params(("key" = String, Path)), responses((status = 204, description = "The key is revoked"), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[delete("/v1/keys/{key}")]
pub async fn revoke(
    app: web::Data<App>,
    caller: Identity,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let service = app.service.clone();
    blocking(move || issue_key::revoke(&service, &caller.0, &key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
