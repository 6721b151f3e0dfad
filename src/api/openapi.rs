//! The OpenAPI document, and the pages that show it.

use super::{
    analyses, data_cuts, enrolments, exports, flow, health, keys, ledger, participants,
    randomization, records, requests, trials,
};
use actix_web::{HttpResponse, get};
use std::sync::OnceLock;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

#[derive(OpenApi)]
#[openapi(
    info(title = "lodkast", description = "Randomized controlled trials in public employment services"),
    paths(
        health::healthz, health::readyz, health::metrics,
        trials::create, trials::list, trials::show, trials::revise, trials::register,
        trials::change_status,
        randomization::give_public_value, randomization::join_units, randomization::freeze_list,
        randomization::hold_codes,
        enrolments::enrol,
        participants::list, participants::show, participants::search,
        records::post_conversations, records::list_conversations,
        records::post_outcomes, records::list_outcomes,
        flow::show,
        data_cuts::create, data_cuts::list,
        analyses::create, analyses::list, analyses::show,
        exports::download,
        ledger::checkpoint, ledger::entries, ledger::inclusion, ledger::consistency, ledger::download,
        ledger::installation_checkpoint, ledger::installation_entries,
        ledger::installation_inclusion, ledger::installation_consistency,
        keys::create, keys::list, keys::rotate, keys::revoke,
        requests::list, requests::ask, requests::show, requests::sign, requests::withdraw,
        requests::list_persons, requests::add_person,
    ),
    security(("api_key" = [])),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi
            .components
            .get_or_insert_with(Default::default)
            .add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The whole document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The OpenAPI document of this service.
#[get("/openapi.json")]
pub async fn show() -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_json().unwrap_or_default());
    HttpResponse::Ok()
        .content_type("application/json")
        .body(text.as_str())
}

/// The pages that show the document, at `/docs/`.
pub fn pages() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").url("/docs/openapi.json", document())
}

/// The methods that are taken at this path.
pub fn methods_at(path: &str) -> Vec<&'static str> {
    document()
        .paths
        .paths
        .iter()
        .filter(|(pattern, _)| fits(pattern, path))
        .flat_map(|(_, item)| {
            [
                ("GET", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PUT", item.put.is_some()),
                ("DELETE", item.delete.is_some()),
            ]
        })
        .filter_map(|(method, taken)| taken.then_some(method))
        .collect()
}

/// Whether a path is one of a pattern, as in `/v1/trials/{trial}`.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut known, mut asked) = (pattern.split('/'), path.split('/'));
    loop {
        match (known.next(), asked.next()) {
            (None, None) => return true,
            (Some(known), Some(part))
                if known == part || (known.starts_with('{') && !part.is_empty()) => {}
            _ => return false,
        }
    }
}
