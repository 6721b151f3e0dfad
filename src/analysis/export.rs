//! Analysis data sets as CSV, with a data dictionary.
//!
//! `participants` has the columns of the data file of `lodkast analyse`, so that an export can be
//! analysed as it is. A role that must not see the arms has rows of its own ([`super::blinded`]).

use super::blinded::{self, Blinding};
use super::columns::{Column, Dataset, Received, Values};
use super::facts::{CutData, Enrolled};
use super::follow_up::UnknownArm;
use crate::clock::danish_day;
use crate::protocol::{EndpointKind, Protocol};

crate::vocabulary! {
    /// The data sets.
    pub enum DataSet {
        Participants = "participants",
        Conversations = "conversations",
        Outcomes = "outcomes",
        Dictionary = "dictionary",
    }
}

/// One column: its name, what it holds, and whether it shows the arm.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub meaning: String,
    pub unit: &'static str,
    pub shows_arm: bool,
}

pub(super) fn field(name: &str, meaning: &str, unit: &'static str, shows_arm: bool) -> Field {
    Field {
        name: name.into(),
        meaning: meaning.into(),
        unit,
        shows_arm,
    }
}

/// A data set of a cut as CSV, for whoever may see the arms.
pub fn to_csv(protocol: &Protocol, data: &CutData, set: DataSet) -> Result<String, UnknownArm> {
    Ok(match set {
        DataSet::Participants => participants(protocol, data)?,
        DataSet::Conversations => conversations(data),
        DataSet::Outcomes => outcomes(data),
        DataSet::Dictionary => dictionary(&[
            (DataSet::Participants, participant_fields(protocol)),
            (DataSet::Conversations, conversation_fields()),
            (DataSet::Outcomes, outcome_fields()),
        ]),
    })
}

/// A data set of a cut as CSV, for a role that must not see the arms; none where it would show them.
pub fn to_blinded_csv(
    protocol: &Protocol,
    data: &CutData,
    dataset: &Dataset,
    set: DataSet,
    blinding: &impl Blinding,
    smallest: usize,
) -> Option<String> {
    let told = || blinded::participants(protocol, data, dataset, blinding, smallest);
    Some(match set {
        DataSet::Participants => {
            let told = told();
            write(&told.fields, told.rows.into_iter())
        }
        DataSet::Outcomes => {
            let rows = blinded::outcomes(data, blinding);
            let cells = rows.iter().map(blinded::outcome_cells);
            write(&blinded::outcome_fields(), cells)
        }
        DataSet::Dictionary => {
            let mut text = dictionary(&[
                (DataSet::Participants, blinded::fields(protocol)),
                (DataSet::Outcomes, blinded::outcome_fields()),
            ]);
            for step in told().steps {
                let row = [
                    "coarsening",
                    &step.step,
                    "participants that it was done to",
                    "",
                ];
                text.push_str(&line(
                    row.iter().copied().chain([step.rows.to_string().as_str()]),
                ));
            }
            text
        }
        DataSet::Conversations => return None,
    })
}

fn participants(protocol: &Protocol, data: &CutData) -> Result<String, UnknownArm> {
    let dataset = Dataset::from_cut(protocol, data)?;
    let fields = participant_fields(protocol);
    // Draws of those who were erased keep their places in the order.
    let order = |row: usize| {
        let gone = data
            .erased
            .iter()
            .filter(|erased| erased.before <= row)
            .count();
        row + 1 + gone
    };
    Ok(table(
        &fields,
        data.participants.len(),
        |row, name| match name {
            "enrolment_order" => order(row).to_string(),
            _ => participant_cell(protocol, &dataset, &data.participants[row], row, name),
        },
    ))
}

fn participant_cell(
    protocol: &Protocol,
    dataset: &Dataset,
    enrolled: &Enrolled,
    row: usize,
    name: &str,
) -> String {
    match name {
        "participant" => enrolled.id.clone(),
        "arm" => enrolled.arm.clone(),
        "enrolled_on" => enrolled.enrolled_on.to_string(),
        "received" => match dataset.received.as_ref().map(|received| received[row]) {
            Some(Received::Arm(arm)) => protocol.arms[arm].id.clone(),
            Some(Received::Nothing) => "none".into(),
            Some(Received::Unknown) | None => String::new(),
        },
        _ => match (
            dataset.factors.get(name),
            endpoint_value(protocol, dataset, row, name),
        ) {
            (Some(Column::Levels(levels)), _) => levels[row].clone().unwrap_or_default(),
            (Some(Column::Numbers(numbers)), _) => number(numbers[row]),
            (None, value) => value,
        },
    }
}

/// The value as a data file has it: times in the unit that the protocol names.
fn endpoint_value(protocol: &Protocol, dataset: &Dataset, row: usize, name: &str) -> String {
    let unit = protocol
        .endpoint(name)
        .map_or(1.0, |endpoint| endpoint.time_unit.per_week());
    let event = name
        .strip_suffix("_event")
        .and_then(|id| dataset.endpoints.get(id));
    match (dataset.endpoints.get(name), event) {
        (Some(Values::Binary(values)), _) => {
            values[row].map_or(String::new(), |value| u8::from(value).to_string())
        }
        (Some(Values::Number(values)), _) => number(values[row]),
        (Some(Values::Time(values)), _) => number(values[row].map(|o| o.time * unit)),
        (None, Some(Values::Time(values))) => {
            let id = name.strip_suffix("_event").unwrap_or(name);
            values[row].map_or(String::new(), |o| {
                dataset.ended(id, row, o).cause.to_string()
            })
        }
        _ => String::new(),
    }
}

/// The shortest digits that read back as the same number.
fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn participant_fields(protocol: &Protocol) -> Vec<Field> {
    let mut fields = vec![
        field("participant", "Random id of the participant", "", false),
        field("arm", "Arm by the draw", "", true),
        field("enrolled_on", "Day of the draw", "date", false),
        field(
            "enrolment_order",
            "Place in the order of the draws, from 1",
            "",
            true,
        ),
    ];
    for factor in &protocol.factors {
        fields.push(field(&factor.id, &factor.label, "", false));
    }
    for endpoint in &protocol.endpoints {
        let shows_arm = protocol.shows_arm(endpoint);
        let unit = match endpoint.kind {
            EndpointKind::Binary => "0 or 1",
            EndpointKind::TimeToEvent => endpoint.time_unit.as_str(),
            _ => "",
        };
        fields.push(field(&endpoint.id, &endpoint.label, unit, shows_arm));
        if endpoint.kind == EndpointKind::TimeToEvent {
            let name = format!("{}_event", endpoint.id);
            fields.push(field(
                &name,
                "1 event, 2 competing event, 0 censored",
                "code",
                shows_arm,
            ));
        }
    }
    fields.push(field(
        "received",
        "Arm whose channels most conversations were held in",
        "",
        true,
    ));
    fields
}

fn conversation_fields() -> Vec<Field> {
    let mut fields = vec![
        field(
            "sequence",
            "Number of the record in the trial's sequence",
            "",
            true,
        ),
        field("participant", "Random id of the participant", "", true),
        field("source", "Source that posted the record", "", true),
        field("number", "Number of the conversation", "", true),
        field("kind", "first, regular, joint or follow_up", "", true),
        field(
            "scheduled_on",
            "Day of the conversation, in Denmark",
            "date",
            true,
        ),
    ];
    for (name, meaning, unit) in [
        ("status", "held, no_show, cancelled, rebooked or exempt", ""),
        ("assigned_channel", "Channel by the arm", ""),
        ("offered_channel", "Channel that was offered", ""),
        ("chosen_channel", "Channel that the citizen chose", ""),
        ("held_channel", "Channel in which it was held", ""),
        ("initiated_by", "Who asked for the conversation", ""),
        ("preparation_minutes", "Preparation", "minutes"),
        ("duration_minutes", "Conversation", "minutes"),
        ("follow_up_minutes", "Work afterwards", "minutes"),
        ("content", "advice, monitoring or both", ""),
    ] {
        fields.push(field(name, meaning, unit, true));
    }
    fields
}

fn conversations(data: &CutData) -> String {
    table(
        &conversation_fields(),
        data.conversations.len(),
        |row, name| {
            let record = &data.conversations[row];
            let body = &record.body;
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            match name {
                "sequence" => record.sequence.to_string(),
                "participant" => record.participant.clone(),
                "source" => record.source.clone(),
                "number" => body.number.map_or(String::new(), |n| n.to_string()),
                "kind" => text(body.kind.as_deref()),
                "scheduled_on" => danish_day(body.scheduled_at).to_string(),
                "status" => body.status.to_string(),
                "assigned_channel" => text(body.assigned_channel.map(|c| c.as_str())),
                "offered_channel" => text(body.offered_channel.map(|c| c.as_str())),
                "chosen_channel" => text(body.chosen_channel.map(|c| c.as_str())),
                "held_channel" => text(body.held_channel.map(|c| c.as_str())),
                "initiated_by" => text(body.initiated_by.as_deref()),
                "preparation_minutes" => number(body.preparation_minutes),
                "duration_minutes" => number(body.duration_minutes),
                "follow_up_minutes" => number(body.follow_up_minutes),
                _ => text(body.content.as_deref()),
            }
        },
    )
}

fn outcome_fields() -> Vec<Field> {
    [
        (
            "sequence",
            "Number of the record in the trial's sequence",
            "",
        ),
        ("participant", "Random id of the participant", ""),
        ("source", "Source that posted the record", ""),
        ("kind", "What happened", ""),
        ("effective_on", "Day on which it happened", "date"),
        ("until", "Announced first day without the job", "date"),
        ("code", "Code of the source", ""),
        ("hours", "Hours a week", "hours"),
        (
            "extracted_on",
            "Day to which the extract is complete",
            "date",
        ),
        ("endpoint", "Endpoint of a reported value", ""),
        ("value", "Reported value", ""),
        ("event", "1 event, 0 censored, 2 and above competing", ""),
    ]
    .map(|(name, meaning, unit)| field(name, meaning, unit, false))
    .into()
}

fn outcomes(data: &CutData) -> String {
    table(&outcome_fields(), data.outcomes.len(), |row, name| {
        let record = &data.outcomes[row];
        let body = &record.body;
        match name {
            "sequence" => record.sequence.to_string(),
            "participant" => record.participant.clone(),
            "source" => record.source.clone(),
            "kind" => body.kind.to_string(),
            "effective_on" => body.effective_on.to_string(),
            "until" => body.until.map_or(String::new(), |day| day.to_string()),
            "code" => body.code.clone().unwrap_or_default(),
            "hours" => number(body.hours),
            "extracted_on" => body.extracted_on.to_string(),
            "endpoint" => body.endpoint.clone().unwrap_or_default(),
            "value" => number(body.value),
            _ => body.event.map_or(String::new(), |event| event.to_string()),
        }
    })
}

fn dictionary(sets: &[(DataSet, Vec<Field>)]) -> String {
    let mut text = line(["data_set", "column", "meaning", "unit", "shows_arm"].into_iter());
    for (set, fields) in sets {
        for field in fields {
            let shows = if field.shows_arm { "yes" } else { "no" };
            let row = [set.as_str(), &field.name, &field.meaning, field.unit, shows];
            text.push_str(&line(row.map(inert).iter().map(String::as_str)));
        }
    }
    text
}

fn table(fields: &[Field], rows: usize, cell: impl Fn(usize, &str) -> String) -> String {
    let cells = |row: usize| {
        let cell = |field: &Field| match field.name.as_str() {
            "source" | "code" | "initiated_by" => inert(&cell(row, &field.name)),
            name => cell(row, name),
        };
        fields.iter().map(cell).collect::<Vec<_>>()
    };
    write(fields, (0..rows).map(cells))
}

/// A header and rows.
fn write(fields: &[Field], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(fields.iter().map(|field| field.name.as_str()));
    for row in rows {
        let _ = writer.write_record(row);
    }
    finish(writer)
}

/// One line.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _ = writer.write_record(cells);
    finish(writer)
}

/// A free text that a spreadsheet would run as a formula gets an apostrophe before it. Levels are
/// not touched, since the file must read back: those that could be formulas are refused at the door.
fn inert(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t']) && text.parse::<f64>().is_err();
    if risky {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn finish(writer: csv::Writer<Vec<u8>>) -> String {
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
