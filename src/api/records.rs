//! `/v1/trials/{trial}/conversations` and `/outcomes`: one record, an array, or NDJSON.

use super::body::{Body, MediaType, media_type};
use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::trial_for;
use super::{App, Problem, blocking, ndjson, with_trial};
use crate::conduct::group::{Answer, Recorded, Task, Work};
use crate::conduct::record::{self, Stream};
use crate::conduct::{Refusal, Trial, export};
use crate::store::FactRow;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// What came of one record.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineAnswer {
    /// Line of the body, or position in the array, from 1.
    pub line: u64,
    /// recorded, duplicate or refused
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// A recorded record.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordAnswer {
    id: String,
    sequence: i64,
    /// recorded or duplicate
    status: &'static str,
}

/// A record in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordItem {
    sequence: i64,
    /// Absent, with `source_id`, for who sees blinded ids.
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    participant: Option<String>,
    source: Option<String>,
    source_id: Option<String>,
    /// Number of the record that this one replaces.
    replaces: Option<i64>,
    recorded_at: Option<String>,
    record: Value,
}

/// Which records are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RecordQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    /// Only records of this participant.
    participant: Option<String>,
    /// For a role that sees blinded rows only: the data cut of which they are.
    data_cut: Option<i64>,
}

fn status_of(recorded: &Recorded) -> &'static str {
    if recorded.duplicate {
        "duplicate"
    } else {
        "recorded"
    }
}

impl LineAnswer {
    pub fn of(line: u64, outcome: Result<Recorded, Refusal>) -> Self {
        match outcome {
            Ok(recorded) => Self {
                line,
                status: status_of(&recorded),
                id: Some(recorded.id),
                sequence: Some(recorded.sequence),
                problem: None,
            },
            Err(refusal) => Self::refused(line, refusal.into()),
        }
    }

    pub fn refused(line: u64, problem: Problem) -> Self {
        Self {
            line,
            status: "refused",
            id: None,
            sequence: None,
            problem: Some(problem),
        }
    }
}

/// Post conversations: one, an array, or NDJSON.
#[utoipa::path(post, path = "/v1/trials/{trial}/conversations", operation_id = "post_conversations", tag = "records", params(("trial" = String, Path)),
    request_body(content((super::schema::ConversationRequest = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 201, description = "The record is on file", body = RecordAnswer), (status = 200, description = "What came of each record", body = Vec<LineAnswer>), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials/{trial}/conversations")]
pub async fn post_conversations(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    receive(app, caller, trial, request, payload, Stream::Conversations).await
}

/// Post outcomes: one, an array, or NDJSON.
#[utoipa::path(post, path = "/v1/trials/{trial}/outcomes", operation_id = "post_outcomes", tag = "records", params(("trial" = String, Path)),
    request_body(content((super::schema::OutcomeRequest = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 201, description = "The record is on file", body = RecordAnswer), (status = 200, description = "What came of each record", body = Vec<LineAnswer>), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials/{trial}/outcomes")]
pub async fn post_outcomes(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    receive(app, caller, trial, request, payload, Stream::Outcomes).await
}

/// The conversations of the caller's sites.
#[utoipa::path(get, path = "/v1/trials/{trial}/conversations", operation_id = "list_conversations", tag = "records", params(("trial" = String, Path), RecordQuery), responses((status = 200, description = "Conversations that the key may see", body = page::Page<RecordItem>)))]
#[get("/v1/trials/{trial}/conversations")]
pub async fn list_conversations(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    tell_page(app, caller, trial, request, Stream::Conversations).await
}

/// The outcomes of the trial.
#[utoipa::path(get, path = "/v1/trials/{trial}/outcomes", operation_id = "list_outcomes", tag = "records", params(("trial" = String, Path), RecordQuery), responses((status = 200, description = "Outcomes that the key may see", body = page::Page<RecordItem>)))]
#[get("/v1/trials/{trial}/outcomes")]
pub async fn list_outcomes(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    tell_page(app, caller, trial, request, Stream::Outcomes).await
}

async fn receive(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    stream: Stream,
) -> Result<HttpResponse, Problem> {
    let (caller, trial) = trial_for(&app, caller, &trial, stream.write_right()).await?;
    trial.registered()?;
    if media_type(&request, &[MediaType::Json, MediaType::NdJson])? == MediaType::NdJson {
        return Ok(ndjson::receive(app, caller.0, trial, stream, payload));
    }
    let body = Body::read(&app, &request, payload).await?;
    match body.json()? {
        Value::Array(items) => array(&app, caller, trial, stream, items).await,
        value => one(&app, caller, &trial, stream, &body, &value).await,
    }
}

async fn one(
    app: &App,
    caller: Identity,
    trial: &Trial,
    stream: Stream,
    body: &Body,
    value: &Value,
) -> Result<HttpResponse, Problem> {
    let what = stream.kind().as_str();
    let posted = record::read(&app.service, trial, stream, value)
        .inspect_err(|_| app.metrics.wrote(what, "refused"))?;
    let work = Work::Record(Box::new(posted));
    let task = Task {
        caller: caller.0,
        idempotency: body.idempotency.clone(),
        work,
    };
    let answer = app.writer.write(&trial.id, task).await;
    let answer = answer.inspect_err(|_| app.metrics.wrote(what, "refused"))?;
    let Answer::Recorded(recorded) = answer else {
        return Err(Refusal::IdempotencyMismatch.into());
    };
    app.metrics.wrote(what, status_of(&recorded));
    let mut response = if recorded.duplicate {
        HttpResponse::Ok()
    } else {
        HttpResponse::Created()
    };
    let status = status_of(&recorded);
    Ok(response.json(RecordAnswer {
        id: recorded.id,
        sequence: recorded.sequence,
        status,
    }))
}

async fn array(
    app: &web::Data<App>,
    caller: Identity,
    trial: Trial,
    stream: Stream,
    items: Vec<Value>,
) -> Result<HttpResponse, Problem> {
    let limit = app.service.config.limits.array_items;
    if items.len() > limit {
        let detail = format!("must not hold more than {limit} records: send NDJSON");
        return Err(Refusal::field("", detail).into());
    }
    let (service, bulk) = (app.service.clone(), app.service.config.writer.bulk);
    let outcomes = blocking(move || {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut items = items.into_iter();
        loop {
            let chunk: Vec<_> = items.by_ref().take(bulk).map(Ok).collect();
            if chunk.is_empty() {
                return Ok(outcomes);
            }
            outcomes.extend(record::bulk(&service, &trial, stream, &caller.0, chunk));
        }
    })
    .await?;
    let answers: Vec<LineAnswer> = (1..)
        .zip(outcomes)
        .map(|(line, outcome)| LineAnswer::of(line, outcome))
        .collect();
    for answer in &answers {
        app.metrics.wrote(stream.kind().as_str(), answer.status);
    }
    Ok(HttpResponse::Ok().json(answers))
}

async fn tell_page(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    stream: Stream,
) -> Result<HttpResponse, Problem> {
    let (caller, known) = trial_for(&app, caller, &trial, stream.read_right()).await?;
    let query: RecordQuery = page::query(&request)?;
    if !caller
        .0
        .role
        .reads_records_unblinded(known.status.is_open())
    {
        return tell_blinded(app, caller, trial, request, query).await;
    }
    if query.data_cut.is_some() {
        let detail = "is for roles that see blinded rows only";
        return Err(Refusal::field("data_cut", detail).into());
    }
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let (limit, after) = (page.limit(&app)?, page.after_number()?);
    let participant = query.participant;
    let rows = with_trial(&app, caller, trial, move |service, caller, trial| {
        record::page(
            service,
            caller,
            trial,
            stream,
            participant.as_deref(),
            after,
            limit,
        )
    })
    .await?;
    let last = rows.last().map(|row| row.sequence.to_string());
    let items: Vec<RecordItem> = rows.into_iter().map(item).collect();
    Ok(page::answer(&request, limit, items, last))
}

/// Rows for a blinded role: of a data cut, in the order of their blinded ids; a cursor is a place in it.
async fn tell_blinded(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    query: RecordQuery,
) -> Result<HttpResponse, Problem> {
    if query.participant.is_some() {
        // The answer would tell which blinded id belongs to which participant.
        let detail = "cannot be asked for while the trial is blinded";
        return Err(Refusal::field("participant", detail).into());
    }
    let data_cut = query.data_cut.ok_or_else(|| {
        let detail = "is missing: while the trial is blinded, rows are those of a data cut";
        Refusal::field("data_cut", detail)
    })?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let (limit, after) = (page.limit(&app)?, page.after_number()?);
    let place = usize::try_from(after).unwrap_or(0);
    let items = with_trial(&app, caller, trial, move |service, caller, trial| {
        let most = limit as usize;
        export::blinded_outcomes(service, caller, trial, data_cut, place, most)
    })
    .await?;
    let last = Some((place + items.len()).to_string());
    Ok(page::answer(&request, limit, items, last))
}

fn item(fact: FactRow) -> RecordItem {
    let record: Value = serde_json::from_str(&fact.record).unwrap_or_else(|_| json!({}));
    let text = |key: &str| record[key].as_str().map(str::to_owned);
    RecordItem {
        sequence: fact.sequence,
        id: fact.id,
        participant: fact.participant_id,
        source: fact.source,
        source_id: text("source_id"),
        replaces: fact.replaces,
        recorded_at: text("recorded_at"),
        record: record["body"].clone(),
    }
}
