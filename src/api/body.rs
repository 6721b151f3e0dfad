//! Reading a request's body, after it is known that the caller may send one.

use super::budget::Held;
use super::{App, Problem};
use crate::conduct::Refusal;
use crate::conduct::idempotency::Idempotency;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use serde_json::Value;
use std::time::Duration;

/// A body within the limit, with the request's Idempotency-Key.
pub struct Body {
    pub bytes: Vec<u8>,
    pub idempotency: Option<Idempotency>,
    /// Memory that is held as long as the body is.
    _held: Held,
}

impl Body {
    /// Reads the whole body.
    pub async fn read(
        app: &App,
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<Self, Problem> {
        let mut held = Held::default();
        let bytes = read_bytes(app, payload, &mut held).await?;
        let idempotency = match idempotency_key(request)? {
            None => None,
            Some(key) => {
                let asked = format!("{} {}", request.method(), request.path());
                Some(Idempotency::new(&app.service, &key, &asked, &bytes))
            }
        };
        Ok(Self {
            bytes,
            idempotency,
            _held: held,
        })
    }

    /// The body as JSON; an empty one is refused.
    pub fn json(&self) -> Result<Value, Problem> {
        parse(&self.bytes)
    }

    /// The body as JSON, where an empty one means an empty object.
    pub fn json_or_empty(&self) -> Result<Value, Problem> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        self.json()
    }
}

/// Parses JSON without repeating any of it in an error.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    crate::document::parse(bytes).map_err(|fault| Problem::malformed(&fault))
}

/// Most bytes of a body that is too large that are still taken in, so that a client that sends first
/// and reads afterwards gets its answer; and the longest time for that.
const DRAINED: usize = 64 * 1024 * 1024;
const DRAINING: Duration = Duration::from_secs(10);

async fn read_bytes(
    app: &App,
    mut payload: web::Payload,
    held: &mut Held,
) -> Result<Vec<u8>, Problem> {
    let limit = app.service.config.limits.body_bytes;
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| broken_body())?;
        if bytes.len() + chunk.len() > limit {
            drain(payload).await;
            return Err(Problem::too_large("the body", limit));
        }
        if let Err(problem) = app.budget.take_text(chunk.len(), held).await {
            drain(payload).await;
            return Err(problem);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A body that broke off.
pub fn broken_body() -> Problem {
    let detail = "the body could not be read to its end";
    Problem::new("broken-body", "Broken body", 400, detail)
}

/// Takes in what is left of a body, and throws it away.
async fn drain(mut payload: web::Payload) {
    let mut left = DRAINED;
    let all = async {
        while let Some(Ok(chunk)) = payload.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAINING, all).await;
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        Refusal::field(
            "Idempotency-Key",
            "must be 1 to 255 visible ASCII characters",
        )
        .into()
    })
}

/// What kind of body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Json,
    Toml,
    NdJson,
}

/// The media type of the request, if it is one of those that the resource takes.
pub fn media_type(request: &HttpRequest, taken: &[MediaType]) -> Result<MediaType, Problem> {
    let text = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = text
        .and_then(|text| text.split(';').next())
        .map(|text| text.trim().to_lowercase());
    let kind = match essence.as_deref() {
        None | Some("application/json") => Some(MediaType::Json),
        Some("application/toml") => Some(MediaType::Toml),
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => {
            Some(MediaType::NdJson)
        }
        Some(_) => None,
    };
    kind.filter(|kind| taken.contains(kind)).ok_or_else(|| {
        let detail = "the resource does not take a body of this Content-Type";
        Problem::new(
            "unsupported-media-type",
            "Unsupported media type",
            415,
            detail,
        )
    })
}
