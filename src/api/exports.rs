//! `/v1/trials/{trial}/exports/{dataset}.csv`.

use super::identity::Identity;
use super::page;
use super::trials::allowed;
use super::{App, Problem, blocking};
use crate::access::Right;
use crate::analysis::export::DataSet;
use crate::conduct::{Refusal, export};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

/// Data sets that are written at once.
const AT_ONCE: usize = 2;

/// Which cut is exported.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    data_cut: i64,
}

/// A data set of a cut as CSV: participants, conversations, outcomes, or dictionary.
#[utoipa::path(get, path = "/v1/trials/{trial}/exports/{dataset}.csv", operation_id = "download_data_set", tag = "analyses", params(("trial" = String, Path), ("dataset" = String, Path), ExportQuery), responses((status = 200, description = "One data set of a data cut", content_type = "text/csv", body = String), (status = 404, description = "Nothing here, or nothing that this key may know of", body = Problem)))]
#[get("/v1/trials/{trial}/exports/{dataset}.csv")]
pub async fn download(
    app: web::Data<App>,
    caller: Identity,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (trial, name) = path.into_inner();
    let caller = allowed(&app, caller, &trial, Right::Export).await?;
    let query: ExportQuery = page::query(&request)?;
    // A cut lies in memory while it is written: few at once.
    static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
    let _turn = TURNS.acquire().await;
    let service = app.service.clone();
    let text = blocking(move || {
        let set = DataSet::parse(&name).ok_or(Refusal::NotFound("data set"));
        export::run(&service, &caller.0, &trial, query.data_cut, set?)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .body(text))
}
