//! Who is asking: the bearer of an API key.

use super::headers::EndsSoon;
use super::{App, Problem, blocking, throttle};
use crate::access::Caller;
use crate::conduct::{Refusal, issue_key};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::SecondsFormat;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// An authenticated caller.
pub struct Identity(pub Arc<Caller>);

impl FromRequest for Identity {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer(request);
        let app = request.app_data::<web::Data<App>>().cloned();
        let request = request.clone();
        Box::pin(async move {
            let app =
                app.ok_or_else(|| Refusal::Internal("the application is not set up".into()))?;
            let token = token.ok_or(Refusal::Unauthenticated)?;
            let service = app.service.clone();
            let known = web::block(move || issue_key::authenticate(&service, &token)).await;
            let known = known.unwrap_or_else(|_| {
                Err(Refusal::Internal("a task was cancelled or panicked".into()))
            });
            if matches!(known, Err(Refusal::Unauthenticated)) {
                let address = throttle::client(&request, &app.proxies);
                let step = app.service.config.limits.wrong_key_milliseconds;
                let wait = app.failures.count(address, Duration::from_millis(step));
                let address = address.map_or("unknown".into(), |address| address.to_string());
                tracing::warn!(%address, "a key that is not valid");
                tokio::time::sleep(wait).await;
            }
            let caller = known?;
            if let Some(at) = app.service.ends_soon(&caller) {
                let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
                request.extensions_mut().insert(EndsSoon(at));
            }
            tracing::Span::current().record("key", caller.key_id.as_str());
            note_use(&app, &caller);
            Ok(Self(Arc::new(caller)))
        })
    }
}

/// Writes down once a day that a key was used, outside of the request, and warns of one that ends soon.
fn note_use(app: &web::Data<App>, caller: &Caller) {
    if !app.service.note_use(&caller.key_id) {
        return;
    }
    if let Some(at) = app.service.ends_soon(caller) {
        tracing::warn!(key = %caller.key_id, expires_at = %at, "a key expires soon");
    }
    let (service, key) = (app.service.clone(), caller.key_id.clone());
    actix_web::rt::spawn(async move {
        if let Err(problem) = blocking(move || service.write_use(&key)).await {
            tracing::warn!(%problem, "the use of a key could not be written down");
        }
    });
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}
