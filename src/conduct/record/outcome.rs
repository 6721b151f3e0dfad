//! Outcomes: employment, benefit, death, emigration, and values that a source reports as such.

use super::Particulars;
use crate::conduct::citizen::{could_be_number, guarded_text};
use crate::conduct::enrolment::past_date;
use crate::document::Object;
use crate::protocol::{EndpointKind, Origin, Protocol};
use chrono::NaiveDate;
use serde_json::{Value, json};

crate::vocabulary! {
    pub enum OutcomeKind {
        /// First day in the job.
        EmploymentStarted = "employment_started",
        /// First day without the job.
        EmploymentEnded = "employment_ended",
        BenefitWeek = "benefit_week",
        LeftRegister = "left_register",
        Died = "died",
        Emigrated = "emigrated",
        EndpointValue = "endpoint_value",
    }
}

pub(super) fn read(object: &Object, protocol: &Protocol, today: NaiveDate) -> Option<Particulars> {
    let kind = object.required::<OutcomeKind>("kind");
    let effective_on = past_date(object, "effective_on", today);
    let extracted_on = past_date(object, "extracted_on", today);
    for key in ["effective_on", "extracted_on"] {
        if !object.has(key) {
            object.fault(key, "is missing");
        }
    }
    let until = object.optional::<NaiveDate>("until");
    let hours = object.optional::<f64>("hours");
    if hours.is_some_and(|hours| !(0.0..=168.0).contains(&hours)) {
        object.fault("hours", "must be from 0 to 168 a week");
    }
    let mut body = json!({
        "kind": kind,
        "effective_on": effective_on,
        "until": until,
        "code": guarded_text(object, "code", 100),
        "hours": hours,
        "extracted_on": extracted_on,
    });
    let (kind, effective_on, extracted_on) = (kind?, effective_on?, extracted_on?);
    if effective_on > extracted_on {
        object.fault("effective_on", "lies after the day of the extract");
    }
    if until.is_some_and(|until| until < effective_on) {
        object.fault("until", "lies before effective_on");
    }
    if kind == OutcomeKind::EndpointValue {
        read_value(object, protocol, &mut body);
    } else {
        for key in ["endpoint", "value", "event"] {
            if object.has(key) {
                object.fault(key, "belongs to an endpoint_value");
            }
        }
    }
    use OutcomeKind::{Died, Emigrated, EndpointValue, LeftRegister};
    let after_enrolment = matches!(kind, Died | Emigrated | LeftRegister | EndpointValue);
    Some(Particulars {
        effective_on,
        after_enrolment,
        body,
    })
}

fn read_value(object: &Object, protocol: &Protocol, body: &mut Value) {
    // Asked for at once, so that neither is an unknown field where the endpoint is wrong.
    let (given, event) = (object.value("value"), object.optional::<u32>("event"));
    let Some(id) = object.required::<String>("endpoint") else {
        return;
    };
    let reported = protocol
        .endpoint(&id)
        .filter(|endpoint| endpoint.from == Origin::Reported);
    let Some(endpoint) = reported else {
        object.fault("endpoint", "is not an endpoint with from = \"reported\"");
        return;
    };
    let value = match given {
        Some(Value::Bool(yes)) if endpoint.kind == EndpointKind::Binary => {
            Some(f64::from(u8::from(*yes)))
        }
        _ => object.required::<f64>("value"),
    };
    let Some(value) = value else { return };
    if could_be_number(value) {
        object.fault("value", "must not be a citizen's number");
    }
    let usable = match endpoint.kind {
        EndpointKind::Binary => value == 0.0 || value == 1.0,
        EndpointKind::Count => value >= 0.0 && value.fract() == 0.0,
        EndpointKind::TimeToEvent => value >= 0.0,
        EndpointKind::Continuous => true,
    };
    if !usable {
        object.fault(
            "value",
            format!("is no value of a {} endpoint", endpoint.kind),
        );
    }
    match (endpoint.kind, event) {
        (EndpointKind::TimeToEvent, None) => object.fault("event", "is missing"),
        (EndpointKind::TimeToEvent, Some(_)) | (_, None) => {}
        (_, Some(_)) => object.fault("event", "belongs to a time to an event"),
    }
    body["endpoint"] = json!(id);
    body["value"] = json!(value);
    body["event"] = json!(event);
}
