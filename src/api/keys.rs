//! `/v1/keys`.

use super::body::Body;
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::{no_fields, require};
use super::{App, Problem, blocking};
use crate::access::Right;
use crate::conduct::issue_key::{self, Answer, Issued, Wish};
use crate::store::KeyRow;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyItem {
    key_id: String,
    name: String,
    role: String,
    trial: Option<String>,
    sites: Option<Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<Utc>,
    created_by: Option<String>,
    approved_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<DateTime<Utc>>,
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
        }
    }
}

fn shown_once(issued: &Issued) -> HttpResponse {
    HttpResponse::Created().json(json!({"key_id": issued.key.id, "key": issued.key.reveal()}))
}

/// Make a key: 201 with its text, the only time it is shown; 202 where a second administrator has
/// to approve (a monitor or statistician, once enrolment has begun).
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = super::schema::KeyRequest, responses((status = 201, body = Object), (status = 202, body = Object), (status = 422, body = Problem)))]
#[post("/v1/keys")]
pub async fn create(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    let wish = Wish::read(&Body::read(&app, &request, payload).await?.json()?)?;
    let service = app.service.clone();
    Ok(
        match blocking(move || issue_key::ask(&service, &caller.0, &wish)).await? {
            Answer::Issued(issued) => shown_once(&issued),
            Answer::Awaiting(request) => HttpResponse::Accepted().json(json!({
                "request": request,
                "status": "awaiting_second_person",
                "approval": format!("/v1/keys/requests/{request}/approval"),
            })),
        },
    )
}

/// Approve the key that another administrator asked for.
#[utoipa::path(post, path = "/v1/keys/requests/{request}/approval", tag = "keys", params(("request" = String, Path)), responses((status = 201, body = Object), (status = 409, body = Problem)))]
#[post("/v1/keys/requests/{request}/approval")]
pub async fn approve(
    app: web::Data<App>,
    caller: Identity,
    wanted: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ManageKeys)?;
    no_fields(&Body::read(&app, &request, payload).await?.json_or_empty()?)?;
    let service = app.service.clone();
    let issued = blocking(move || issue_key::approve(&service, &caller.0, &wanted)).await?;
    Ok(shown_once(&issued))
}

/// The keys that the caller manages, without their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(PageQuery), responses((status = 200, body = page::Page<KeyItem>)))]
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
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "keys", params(("key" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
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
