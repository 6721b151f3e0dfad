//! Headers that every answer bears: what browsers and caches may do with it, and when the key ends.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

/// Tells a client that its key expires within 60 days.
pub const KEY_EXPIRES: HeaderName = HeaderName::from_static("lodkast-key-expires");

/// When the key of a request expires, where that is soon.
pub struct EndsSoon(pub String);

/// The pages of the API's description run the scripts that are shipped with them, and nothing else.
const PAGES: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                     img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
                     form-action 'none'";
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Adds the headers to an answer.
pub async fn add(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let policy = if request.path().starts_with("/docs/") {
        PAGES
    } else {
        NOTHING
    };
    let mut response = next.call(request).await?;
    let ends = response
        .request()
        .extensions()
        .get::<EndsSoon>()
        .and_then(|ends| HeaderValue::from_str(&ends.0).ok());
    let headers = response.headers_mut();
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, REFERRER_POLICY, "no-referrer");
    set(headers, CONTENT_SECURITY_POLICY, policy);
    // Answers are about persons, or about what only this key may know.
    set(headers, CACHE_CONTROL, "no-store");
    if let Some(ends) = ends {
        headers.insert(KEY_EXPIRES, ends);
    }
    Ok(response)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
