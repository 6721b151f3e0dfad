//! Problem details (RFC 9457): the one table of what a refusal becomes over HTTP.

use crate::conduct::Refusal;
use crate::document::{Invalid, Malformed};
use crate::store::StoreError;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which a client that found the service busy may try again.
const RETRY_AFTER: &str = "1";

/// A problem document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Kind of the problem, relative to the service: `/not-eligible`.
    #[serde(rename = "type")]
    #[schema(example = "/invalid-request")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    /// Every field that is not usable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<InvalidField>)]
    pub invalid: Vec<Invalid>,
    /// Ids of the eligibility rules that excluded the citizen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// What went wrong inside, for the log only.
    #[serde(skip)]
    pub inside: Option<String>,
}

/// One field that is not usable: the schema of `Invalid`, which lives below the HTTP layer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvalidField)]
pub struct InvalidField {
    /// Path of the field, as in `factors.age`.
    field: String,
    detail: String,
}

impl Problem {
    pub fn new(code: &str, title: &'static str, status: u16, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/{code}"),
            title,
            status,
            detail: detail.into(),
            invalid: Vec::new(),
            failed: Vec::new(),
            inside: None,
        }
    }

    /// Whether a refusal is a failure of the service's own.
    pub fn is_failure(refusal: &Refusal) -> bool {
        matches!(
            refusal,
            Refusal::Store(_) | Refusal::Internal(_) | Refusal::Tampered { .. }
        )
    }

    /// A citizen who was screened out; the screening is kept.
    pub fn not_eligible(failed: Vec<String>) -> Self {
        let detail = "the citizen was screened out and not drawn";
        let problem = Self::new("not-eligible", "Not eligible", 422, detail);
        Self { failed, ..problem }
    }

    /// A body that is no JSON; its text is not repeated.
    pub fn malformed(fault: &Malformed) -> Self {
        let detail = format!("the body {fault}");
        Self::new("malformed-json", "Malformed JSON", 400, detail)
    }

    /// A body or line beyond the configured limit.
    pub fn too_large(what: &str, limit: usize) -> Self {
        let detail = format!("{what} must not be larger than {limit} bytes");
        Self::new("too-large", "Too large", 413, detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        use Refusal::*;
        let detail = refusal.to_string();
        let (code, title, status) = match &refusal {
            Unauthenticated => ("unauthenticated", "Not authenticated", 401),
            MissingRight(_) => ("missing-right", "Right missing", 403),
            SiteOutOfScope => ("site-out-of-scope", "Site out of scope", 403),
            NotFound("participant") => ("unknown-participant", "Unknown participant", 404),
            NotFound(_) => ("not-found", "Not found", 404),
            Invalid(_) => ("invalid-request", "Invalid request", 422),
            TrialExists => ("trial-exists", "Trial exists", 409),
            WrongStatus { .. } => ("wrong-status", "Not in this status", 409),
            CitizenElsewhere => ("citizen-elsewhere", "Citizen at another site", 409),
            IdempotencyMismatch => ("idempotency-mismatch", "Idempotency-Key used before", 422),
            SourceIdTaken => ("source-id-taken", "source_id used before", 409),
            AlreadyReplaced => ("already-replaced", "Record replaced before", 409),
            Impossible(_) => ("impossible", "Impossible", 422),
            SecondPersonNeeded(_) => ("second-person", "Second person needed", 409),
            TooManyRepeats => ("too-many-repeats", "Too many repeats", 429),
            PersonExists => ("person-exists", "Person exists", 409),
            TooClose { .. } => ("too-close-to-another-cut", "Too close to another cut", 409),
            Tampered { .. } => ("ledger-does-not-verify", "Ledger does not verify", 500),
            Busy => ("busy", "Busy", 503),
            Store(StoreError::Unreachable(_) | StoreError::Race(_)) => {
                ("unavailable", "Database not available", 503)
            }
            Store(StoreError::Full(_)) => ("insufficient-storage", "Storage full", 507),
            Store(_) | Internal(_) => ("internal", "Internal error", 500),
        };
        let mut problem = Problem::new(code, title, status, detail);
        match refusal {
            Invalid(invalid) => problem.invalid = invalid,
            SecondPersonNeeded(why) => {
                problem.detail = format!("another person must approve: {why}")
            }
            Store(error) => problem.inside = Some(error.to_string()),
            Internal(why) => {
                problem.detail = "the service failed; its log tells more".into();
                problem.inside = Some(why);
            }
            _ => {}
        }
        problem
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if self.status >= 500 {
            let inside = self.inside.as_deref().unwrap_or("");
            tracing::error!(problem = %self.kind, inside, "a request failed");
        }
        let mut response = HttpResponse::build(self.status_code());
        if self.status == 429 {
            response.insert_header((header::RETRY_AFTER, "3600"));
        }
        if self.status == 503 {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        if self.status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response
            .insert_header(ContentType(
                "application/problem+json".parse().expect("a media type"),
            ))
            .body(serde_json::to_string(self).unwrap_or_default())
    }
}

/// A query string that cannot be read; its text is not repeated.
pub fn bad_query() -> Problem {
    Problem::new(
        "bad-query",
        "Bad query",
        400,
        "the query of the address cannot be read",
    )
}

/// An address at which there is nothing.
pub fn unknown() -> Problem {
    Problem::new(
        "not-found",
        "Not found",
        404,
        "there is nothing at this address",
    )
}

/// Refuses an address with a NUL: no id holds one, and PostgreSQL cannot even look for it.
pub async fn refuse_nul(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.uri().to_string().contains("%00") {
        let response = unknown().error_response();
        return Ok(request.into_response(response).map_into_right_body());
    }
    next.call(request)
        .await
        .map(ServiceResponse::map_into_left_body)
}

/// Answers what no route takes.
pub async fn unknown_route(request: HttpRequest) -> HttpResponse {
    let taken = super::openapi::methods_at(request.path());
    if taken.is_empty() {
        return unknown().error_response();
    }
    let detail = "this resource does not take this method";
    let problem = Problem::new("method-not-allowed", "Method not allowed", 405, detail);
    let mut response = problem.error_response();
    if let Ok(allow) = header::HeaderValue::from_str(&taken.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
