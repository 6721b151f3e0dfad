//! REST: one file per resource. A handler reads a typed request, asks for the right, calls one use
//! case, and writes a typed answer.

mod analyses;
mod body;
mod budget;
mod data_cuts;
mod enrolments;
mod exports;
mod flow;
mod headers;
mod health;
mod identity;
mod keys;
mod ledger;
pub mod metrics;
mod ndjson;
mod openapi;
mod page;
mod participants;
mod problem;
mod randomization;
mod records;
mod request_log;
mod requests;
mod schema;
pub mod server;
mod throttle;
mod trials;
mod wire;

pub use openapi::document as openapi_document;
pub use problem::Problem;

use crate::conduct::writer::Writer;
use crate::conduct::{Refusal, Service};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as ActixApp, Error, web};
use budget::Budget;
use metrics::Metrics;
use throttle::Failures;

/// What every handler needs.
pub struct App {
    pub service: Service,
    pub writer: Writer,
    pub metrics: Metrics,
    pub budget: Budget,
    pub failures: Failures,
    /// Proxies whose word on a client's address is believed.
    pub proxies: Vec<std::net::IpAddr>,
}

/// The application for one worker of the server.
pub fn application(
    app: web::Data<App>,
) -> ActixApp<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    ActixApp::new()
        .app_data(app)
        .app_data(web::PathConfig::default().error_handler(|_, _| problem::unknown().into()))
        .wrap(Compress::default())
        .wrap(from_fn(problem::refuse_nul))
        .wrap(from_fn(headers::add))
        .wrap(from_fn(request_log::observe))
        .configure(routes)
        .default_service(web::to(problem::unknown_route))
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(health::healthz)
        .service(health::readyz)
        .service(health::metrics)
        .service(trials::create)
        .service(trials::list)
        .service(trials::show)
        .service(trials::revise)
        .service(trials::register)
        .service(trials::change_status)
        .service(randomization::give_public_value)
        .service(randomization::freeze_list)
        .service(randomization::join_units)
        .service(randomization::hold_codes)
        .service(enrolments::enrol)
        .service(participants::list)
        .service(participants::search)
        .service(participants::show)
        .service(records::post_conversations)
        .service(records::list_conversations)
        .service(records::post_outcomes)
        .service(records::list_outcomes)
        .service(flow::show)
        .service(data_cuts::create)
        .service(data_cuts::list)
        .service(analyses::create)
        .service(analyses::list)
        .service(analyses::show)
        .service(exports::download)
        .service(ledger::checkpoint)
        .service(ledger::entries)
        .service(ledger::inclusion)
        .service(ledger::consistency)
        .service(ledger::download)
        .service(ledger::installation_checkpoint)
        .service(ledger::installation_entries)
        .service(ledger::installation_inclusion)
        .service(ledger::installation_consistency)
        .service(requests::list)
        .service(requests::ask)
        .service(requests::show)
        .service(requests::sign)
        .service(requests::withdraw)
        .service(requests::list_persons)
        .service(requests::add_person)
        .service(keys::create)
        .service(keys::list)
        .service(keys::rotate)
        .service(keys::revoke)
        .service(openapi::show)
        .service(openapi::pages());
}

/// Runs work that waits for the database outside of the server's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Problem> {
    web::block(work)
        .await
        .map_err(|_| Problem::from(Refusal::Internal("a task was cancelled or panicked".into())))?
        .map_err(Problem::from)
}

/// Runs a use case that needs the trial's id and the caller.
async fn with_trial<T: Send + 'static>(
    app: &App,
    caller: identity::Identity,
    trial: web::Path<String>,
    run: impl FnOnce(&crate::conduct::Service, &crate::access::Caller, &str) -> Result<T, Refusal>
    + Send
    + 'static,
) -> Result<T, Problem> {
    let service = app.service.clone();
    blocking(move || run(&service, &caller.0, &trial)).await
}
