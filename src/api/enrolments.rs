//! `/v1/trials/{trial}/enrolments`.

use super::body::{Body, MediaType, media_type};
use super::identity::Identity;
use super::trials::trial_for;
use super::{App, Problem};
use crate::access::Right;
use crate::conduct::enrol::Enrolled;
use crate::conduct::group::{Answer, Task, Work};
use crate::conduct::{Refusal, enrolment};
use actix_web::{HttpRequest, HttpResponse, post, web};

/// Enrol a citizen: 201 with the arm, 200 with the same arm where already enrolled, 422
/// `/not-eligible` where screened out.
#[utoipa::path(post, path = "/v1/trials/{trial}/enrolments", operation_id = "enrol", tag = "enrolments", params(("trial" = String, Path)),
    request_body = super::schema::EnrolmentRequest,
    responses((status = 201, description = "The citizen was drawn", body = Object), (status = 200, description = "The citizen takes part", body = Object), (status = 409, description = "The state of the trial forbids it", body = Problem), (status = 422, description = "Fields that are not usable, each named", body = Problem)))]
#[post("/v1/trials/{trial}/enrolments")]
pub async fn enrol(
    app: web::Data<App>,
    caller: Identity,
    trial: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, trial) = trial_for(&app, caller, &trial, Right::Enrol).await?;
    media_type(&request, &[MediaType::Json])?;
    let body = Body::read(&app, &request, payload).await?;
    let value = body.json()?;
    let candidate = enrolment::read(&app.service, &trial, &value)
        .inspect_err(|_| app.metrics.wrote("enrolment", "refused"))?;
    if !caller.0.sees_site(candidate.site.as_deref()) {
        return Err(Refusal::SiteOutOfScope.into());
    }
    let work = Work::Enrol(Box::new(candidate));
    let task = Task {
        caller: caller.0,
        idempotency: body.idempotency,
        work,
    };
    let answer = app.writer.write(&trial.id, task).await;
    match answer.inspect_err(|_| app.metrics.wrote("enrolment", "refused"))? {
        Answer::Enrolled(enrolled) => Ok(tell(&app, &enrolled)),
        Answer::Screened(screened) => {
            app.metrics.wrote("enrolment", "screened_out");
            Err(Problem::not_eligible(screened.failed))
        }
        Answer::Recorded(_) => Err(Refusal::IdempotencyMismatch.into()),
    }
}

fn tell(app: &App, enrolled: &Enrolled) -> HttpResponse {
    if enrolled.already_enrolled {
        app.metrics.wrote("enrolment", "already_enrolled");
        HttpResponse::Ok().json(enrolled)
    } else {
        app.metrics.wrote("enrolment", "enrolled");
        HttpResponse::Created().json(enrolled)
    }
}
