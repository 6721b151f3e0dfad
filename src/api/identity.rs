//! Who is asking: the bearer of an API key.

use super::{App, Problem, blocking};
use crate::access::Caller;
use crate::conduct::{Refusal, issue_key};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// An authenticated caller.
pub struct Identity(pub Arc<Caller>);

impl FromRequest for Identity {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer(request);
        let app = request.app_data::<web::Data<App>>().cloned();
        Box::pin(async move {
            let app =
                app.ok_or_else(|| Refusal::Internal("the application is not set up".into()))?;
            let token = token.ok_or(Refusal::Unauthenticated)?;
            let service = app.service.clone();
            let caller = blocking(move || issue_key::authenticate(&service, &token)).await?;
            tracing::Span::current().record("key", caller.key_id.as_str());
            Ok(Self(Arc::new(caller)))
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}
