//! Lists in pages: `limit`, `cursor`, and a `Link` to the next page.

use super::{App, Problem, problem};
use crate::conduct::Refusal;
use actix_web::http::header::LINK;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Items of a page where no limit is asked for.
const USUAL: u32 = 100;

/// Which page is asked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most items of the page.
    pub limit: Option<u32>,
    /// Where the page begins, as the `Link` of the page before tells it.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
}

/// Reads the query of the address, after it is known that the caller may ask.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    web::Query::<T>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|_| problem::bad_query())
}

impl PageQuery {
    /// The number of items, within the configured limit.
    pub fn limit(&self, app: &App) -> Result<i64, Problem> {
        let most = app.service.config.limits.page_items;
        let limit = self.limit.unwrap_or(USUAL.min(most));
        if (1..=most).contains(&limit) {
            Ok(i64::from(limit))
        } else {
            Err(Refusal::field("limit", format!("must be from 1 to {most}")).into())
        }
    }

    /// A cursor that is a number of the record sequence; 0 where there is none.
    pub fn after_number(&self) -> Result<i64, Problem> {
        match &self.cursor {
            None => Ok(0),
            Some(text) => text
                .parse()
                .map_err(|_| Refusal::field("cursor", "is not a cursor of this list").into()),
        }
    }
}

/// Answers with a page; a full page links to the next one, which begins after `last` and asks for
/// the same otherwise.
pub fn answer<T: Serialize>(
    request: &HttpRequest,
    limit: i64,
    items: Vec<T>,
    last: Option<String>,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if items.len() as i64 == limit
        && let Some(last) = last
    {
        // The rest of the query is repeated as it came; cursors are ids and numbers, in which
        // nothing needs escaping.
        let kept = request
            .query_string()
            .split('&')
            .filter(|part| !part.is_empty() && !part.starts_with("cursor="));
        let query: Vec<&str> = kept.collect();
        let join = if query.is_empty() { "" } else { "&" };
        let next = format!(
            "<{}?{}{join}cursor={last}>; rel=\"next\"",
            request.path(),
            query.join("&")
        );
        response.insert_header((LINK, next));
    }
    response.json(Page { items })
}
