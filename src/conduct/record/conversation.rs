//! Conversations: channel assigned, offered, chosen, held; status; minutes.

use super::Particulars;
use crate::clock::danish_day;
use crate::conduct::citizen::guarded_text;
use crate::document::Object;
use crate::protocol::Channel;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

crate::vocabulary! {
    pub enum ConversationKind {
        First = "first",
        Regular = "regular",
        Joint = "joint",
        FollowUp = "follow_up",
    }
}

crate::vocabulary! {
    pub enum ConversationStatus {
        Held = "held",
        NoShow = "no_show",
        CancelledByCitizen = "cancelled_by_citizen",
        CancelledByOffice = "cancelled_by_office",
        Rebooked = "rebooked",
        Exempt = "exempt",
    }
}

crate::vocabulary! {
    pub enum Content { Advice = "advice", Monitoring = "monitoring", Both = "both" }
}

/// Most minutes of one conversation: a day.
const MOST_MINUTES: f64 = 1_440.0;

pub(super) fn read(object: &Object, now: DateTime<Utc>) -> Option<Particulars> {
    let scheduled_at = object.required::<DateTime<Utc>>("scheduled_at");
    let status = object.required::<ConversationStatus>("status");
    let held_channel = object.optional::<Channel>("held_channel");
    let duration = minutes(object, "duration_minutes");
    let body = json!({
        "number": number(object),
        "kind": object.optional::<ConversationKind>("kind"),
        "scheduled_at": scheduled_at.map(|t| t.to_rfc3339_opts(SecondsFormat::Secs, true)),
        "assigned_channel": object.optional::<Channel>("assigned_channel"),
        "offered_channel": object.optional::<Channel>("offered_channel"),
        "chosen_channel": object.optional::<Channel>("chosen_channel"),
        "held_channel": held_channel,
        "status": status,
        "initiated_by": guarded_text(object, "initiated_by", 100),
        "preparation_minutes": minutes(object, "preparation_minutes"),
        "duration_minutes": duration,
        "follow_up_minutes": minutes(object, "follow_up_minutes"),
        "content": object.optional::<Content>("content"),
        "caseworker": guarded_text(object, "caseworker", 100),
    });
    let (scheduled_at, status) = (scheduled_at?, status?);
    let took_place = status == ConversationStatus::Held;
    if (took_place || status == ConversationStatus::NoShow) && scheduled_at > now {
        object.fault(
            "scheduled_at",
            format!("lies in the future, but the status is {status}"),
        );
    }
    if !took_place && held_channel.is_some() {
        object.fault(
            "held_channel",
            format!("cannot be given when the status is {status}"),
        );
    }
    if !took_place && duration.is_some_and(|minutes| minutes > 0.0) {
        object.fault(
            "duration_minutes",
            format!("cannot be given when the status is {status}"),
        );
    }
    Some(Particulars {
        effective_on: danish_day(scheduled_at),
        after_enrolment: true,
        body,
    })
}

fn number(object: &Object) -> Option<u32> {
    let number = object.optional::<u32>("number")?;
    if !(1..=10_000).contains(&number) {
        object.fault("number", "must be from 1 to 10000");
        return None;
    }
    Some(number)
}

fn minutes(object: &Object, key: &'static str) -> Option<f64> {
    let minutes = object.optional::<f64>(key)?;
    if !(0.0..=MOST_MINUTES).contains(&minutes) {
        object.fault(key, "must be from 0 to 1440");
        return None;
    }
    Some(minutes)
}
