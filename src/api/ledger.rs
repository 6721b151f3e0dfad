//! `/v1/trials/{trial}/ledger` and `/bundle`: what proves that nothing was changed.

use super::identity::Identity;
use super::page::{self, PageQuery};
use super::trials::{allowed, require};
use super::{App, Problem, blocking, with_trial};
use crate::access::{Caller, Right};
use crate::conduct::{Refusal, Service, bundle, ledger};
use crate::document::Field;
use crate::ledger::bundle::Audience;
use crate::store::INSTALLATION;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use tokio::sync::mpsc;
use utoipa::IntoParams;

/// Bytes of a bundle that are sent at once, and how many such chunks wait for a slow reader.
const CHUNK: usize = 256 * 1024;
const WAITING: usize = 8;

/// Which checkpoint is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CheckpointQuery {
    /// Number of entries that it covers; without it, the newest.
    size: Option<i64>,
}

/// Which entry is to be proved.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InclusionQuery {
    /// Number of the entry.
    sequence: i64,
    /// Size of the tree; without it, the newest.
    size: Option<i64>,
}

/// Between which trees consistency is to be proved.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// Size of the older tree.
    from: i64,
    /// Size of the newer tree; without it, the newest.
    to: Option<i64>,
}

/// For whom the bundle is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BundleQuery {
    /// auditor (usual) or public
    audience: Option<String>,
}

/// Answers a question about the ledger, whose query is read once the caller may ask.
async fn ask<Q, T>(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    answer: impl FnOnce(&Service, &Caller, &str, Q) -> Result<T, Refusal> + Send + 'static,
) -> Result<HttpResponse, Problem>
where
    Q: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    let caller = allowed(&app, caller, &trial, Right::ReadLedger).await?;
    let query: Q = page::query(&request)?;
    let told = with_trial(&app, caller, trial, move |service, caller, trial| {
        answer(service, caller, trial, query)
    })
    .await?;
    Ok(HttpResponse::Ok().json(told))
}

/// The signed head of the ledger.
#[utoipa::path(get, path = "/v1/trials/{trial}/ledger/checkpoint", operation_id = "get_checkpoint", tag = "ledger", params(("trial" = String, Path), CheckpointQuery), responses((status = 200, description = "A signed note over the ledger", body = Object), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[get("/v1/trials/{trial}/ledger/checkpoint")]
pub async fn checkpoint(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    ask(
        app,
        caller,
        trial,
        request,
        |service, caller, trial, query: CheckpointQuery| {
            ledger::head(service, caller, trial, query.size)
        },
    )
    .await
}

/// The entries of the ledger: their hashes, and for auditors after unblinding their records.
#[utoipa::path(get, path = "/v1/trials/{trial}/ledger/entries", operation_id = "list_entries", tag = "ledger", params(("trial" = String, Path), PageQuery), responses((status = 200, description = "Leaves of the ledger, with records where the role may see them", body = Object)))]
#[get("/v1/trials/{trial}/ledger/entries")]
pub async fn entries(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ReadLedger).await?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.after_number()?);
    let items = with_trial(&app, caller, trial, move |service, caller, trial| {
        ledger::entries(service, caller, trial, after, limit)
    })
    .await?;
    let last = items.last().map(|item| item.sequence.to_string());
    Ok(page::answer(&request, limit, items, last))
}

/// Prove that an entry is in the ledger.
#[utoipa::path(get, path = "/v1/trials/{trial}/ledger/proofs/inclusion", operation_id = "prove_inclusion", tag = "ledger", params(("trial" = String, Path), InclusionQuery), responses((status = 200, description = "Hashes that prove an entry to be in the tree", body = Object), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[get("/v1/trials/{trial}/ledger/proofs/inclusion")]
pub async fn inclusion(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    ask(
        app,
        caller,
        trial,
        request,
        |service, caller, trial, query: InclusionQuery| {
            ledger::inclusion(service, caller, trial, query.sequence, query.size)
        },
    )
    .await
}

/// Prove that an older ledger is the beginning of a newer one.
#[utoipa::path(get, path = "/v1/trials/{trial}/ledger/proofs/consistency", operation_id = "prove_consistency", tag = "ledger", params(("trial" = String, Path), ConsistencyQuery), responses((status = 200, description = "Hashes that prove one tree to go on from another", body = Object), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[get("/v1/trials/{trial}/ledger/proofs/consistency")]
pub async fn consistency(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    ask(
        app,
        caller,
        trial,
        request,
        |service, caller, trial, query: ConsistencyQuery| {
            ledger::consistency(service, caller, trial, query.from, query.to)
        },
    )
    .await
}

/// The bundle of an unblinded trial, for `lodkast verify`.
#[utoipa::path(get, path = "/v1/trials/{trial}/bundle", operation_id = "download_bundle", tag = "ledger", params(("trial" = String, Path), BundleQuery), responses((status = 200, description = "The bundle, for lodkast verify", body = Object), (status = 409, description = "The state of the trial forbids it", body = Problem)))]
#[get("/v1/trials/{trial}/bundle")]
pub async fn download(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let caller = allowed(&app, caller, &trial, Right::ReadBundle).await?;
    let query: BundleQuery = page::query(&request)?;
    let audience = match query.audience {
        None => Audience::Auditor,
        Some(name) => Audience::read(&name.into())
            .map_err(|detail| Problem::from(Refusal::field("audience", detail)))?,
    };
    let bundle = with_trial(&app, caller, trial, move |service, caller, trial| {
        bundle::prepare(service, caller, trial, audience)
    })
    .await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    actix_web::rt::spawn(async move {
        let written = blocking(move || {
            let mut chunks = Chunks {
                sender,
                waiting: Vec::with_capacity(CHUNK),
            };
            let written = bundle.write(&mut chunks);
            if written.is_err() {
                // The body must not end as if it were whole.
                let broken = io::Error::other("the bundle could not be written to its end");
                let _ = chunks.sender.blocking_send(Err(broken));
            }
            written
        });
        if let Err(problem) = written.await {
            tracing::warn!(%problem, "a bundle was not sent to its end");
        }
    });
    let body = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .streaming(body))
}

/// The signed head of the installation's own ledger.
#[utoipa::path(get, path = "/v1/installation/ledger/checkpoint", operation_id = "installation_checkpoint", tag = "ledger", params(CheckpointQuery), responses((status = 200, description = "The signed head", body = super::schema::CheckpointAnswer), (status = 404, description = "No checkpoint of this size", body = Problem)))]
#[get("/v1/installation/ledger/checkpoint")]
pub async fn installation_checkpoint(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    of_installation(
        app,
        caller,
        request,
        |service, caller, query: CheckpointQuery| {
            ledger::head(service, caller, INSTALLATION, query.size)
        },
    )
    .await
}

/// The entries of the installation's own ledger, with their records: persons, keys and acts of two.
#[utoipa::path(get, path = "/v1/installation/ledger/entries", operation_id = "installation_entries", tag = "ledger", params(PageQuery), responses((status = 200, description = "A page of entries", body = page::Page<super::schema::EntryAnswer>)))]
#[get("/v1/installation/ledger/entries")]
pub async fn installation_entries(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&caller.0, Right::ReadLedger)?;
    let query: PageQuery = page::query(&request)?;
    let (limit, after) = (query.limit(&app)?, query.after_number()?);
    let service = app.service.clone();
    let items =
        blocking(move || ledger::entries(&service, &caller.0, INSTALLATION, after, limit)).await?;
    let last = items.last().map(|item| item.sequence.to_string());
    Ok(page::answer(&request, limit, items, last))
}

/// Prove that an entry is in the installation's own ledger.
#[utoipa::path(get, path = "/v1/installation/ledger/proofs/inclusion", operation_id = "installation_inclusion", tag = "ledger", params(InclusionQuery), responses((status = 200, description = "The proof", body = super::schema::ProofAnswer), (status = 422, description = "No such entry or size", body = Problem)))]
#[get("/v1/installation/ledger/proofs/inclusion")]
pub async fn installation_inclusion(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    of_installation(
        app,
        caller,
        request,
        |service, caller, query: InclusionQuery| {
            ledger::inclusion(service, caller, INSTALLATION, query.sequence, query.size)
        },
    )
    .await
}

/// Prove that an older ledger of the installation is the beginning of a newer one.
#[utoipa::path(get, path = "/v1/installation/ledger/proofs/consistency", operation_id = "installation_consistency", tag = "ledger", params(ConsistencyQuery), responses((status = 200, description = "The proof", body = super::schema::ProofAnswer), (status = 422, description = "No such sizes", body = Problem)))]
#[get("/v1/installation/ledger/proofs/consistency")]
pub async fn installation_consistency(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    of_installation(
        app,
        caller,
        request,
        |service, caller, query: ConsistencyQuery| {
            ledger::consistency(service, caller, INSTALLATION, query.from, query.to)
        },
    )
    .await
}

/// Answers a question about the installation's own ledger.
async fn of_installation<Q, T>(
    app: web::Data<App>,
    caller: Identity,
    request: HttpRequest,
    answer: impl FnOnce(&Service, &Caller, Q) -> Result<T, Refusal> + Send + 'static,
) -> Result<HttpResponse, Problem>
where
    Q: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    require(&caller.0, Right::ReadLedger)?;
    let query: Q = page::query(&request)?;
    let service = app.service.clone();
    let told = blocking(move || answer(&service, &caller.0, query)).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// Hands chunks over to the body of an answer.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = Bytes::from(std::mem::take(&mut self.waiting));
        self.sender
            .blocking_send(Ok(chunk))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader has gone away"))
    }
}
