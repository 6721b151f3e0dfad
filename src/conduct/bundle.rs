//! Publish the bundle of an unblinded trial: what `lodkast verify` checks.

use super::checkpoint::newest;
use super::fact::{FactKind, body_of};
use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::ledger::bundle::{Audience, Entry, FORMAT, PublicDraw, Registered, SMALLEST_CELL};
use crate::protocol::Method;
use crate::store::{CheckpointRow, LedgerEntry};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Entries that are read at once.
const PAGE: i64 = 5_000;

/// Records of the trial and its draw; nothing that is told of a person's life.
const SHOWN_TO_AUDITORS: &[FactKind] = &[
    FactKind::Registration,
    FactKind::PublicRandomness,
    FactKind::UnitsJoined,
    FactKind::UnitList,
    FactKind::Status,
    FactKind::UnblindingRequested,
    FactKind::Draw,
    FactKind::Look,
    FactKind::KeyIssued,
    FactKind::Resealed,
];

/// Records without which nobody draws anew. All others name persons.
const SHOWN_TO_ALL: &[FactKind] = &[
    FactKind::Registration,
    FactKind::PublicRandomness,
    FactKind::UnitsJoined,
];

/// A bundle that may be written.
pub struct Bundle {
    service: Service,
    trial: String,
    audience: Audience,
    registrations: Vec<Registered>,
    checkpoints: Vec<CheckpointRow>,
    keys: Vec<String>,
    size: i64,
    method: Method,
}

/// Prepares the bundle; refused before the trial is unblinded.
pub fn prepare(
    service: &Service,
    caller: &Caller,
    trial: &str,
    audience: Audience,
) -> Result<Bundle, Refusal> {
    let known = service.trial(caller, trial, Right::ReadBundle)?;
    if !known.status.is_open() {
        return Err(Refusal::WrongStatus {
            status: known.status.to_string(),
            why: "its bundle is published once it is unblinded".into(),
        });
    }
    let method = known.registered()?.protocol.randomization.method;
    let size = newest(service, trial)?.size;
    service.store.read(|tx| {
        let numbers = tx
            .list_registrations(trial)?
            .into_iter()
            .map(|row| row.number);
        let registrations = numbers
            .map(|number| {
                let opened = service.registration(tx, trial, number)?;
                Ok(Registered {
                    number,
                    version: opened.version as u32,
                    draw_version: opened.draw_version.clone(),
                    protocol: opened.protocol.document.clone(),
                    protocol_salt: hex::encode(opened.salt),
                    protocol_commitment: opened.protocol_commitment.clone(),
                    secret: hex::encode(opened.secret.bytes()),
                    commitment: opened.commitment.clone(),
                    public_randomness: opened.public_value.clone(),
                })
            })
            .collect::<Result<_, Refusal>>()?;
        let keys = service.ledger_keys(tx, trial)?;
        Ok(Bundle {
            service: service.clone(),
            trial: trial.to_owned(),
            audience,
            registrations,
            checkpoints: last_of_each_day(tx.list_checkpoints(trial)?, size),
            keys: keys.iter().map(ToString::to_string).collect(),
            size,
            method,
        })
    })
}

/// The last checkpoint of each day, and the one over everything.
fn last_of_each_day(rows: Vec<CheckpointRow>, size: i64) -> Vec<CheckpointRow> {
    let mut days = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.size <= size) {
        days.insert(row.signed_at.date(), row);
    }
    let mut kept: Vec<CheckpointRow> = days.into_values().collect();
    kept.sort_by_key(|row| row.size);
    kept
}

impl Bundle {
    /// Writes the document, the entries page by page.
    pub fn write(&self, out: &mut impl Write) -> Result<(), Refusal> {
        let mut json = Json { out, first: true };
        json.begin()?;
        json.key("format", &FORMAT)?;
        json.key("trial", &self.trial)?;
        json.key("audience", &self.audience)?;
        json.key("origin", &self.service.ledger_origin(&self.trial))?;
        json.key("keys", &self.keys)?;
        json.key("registrations", &self.registrations)?;
        let notes: Vec<&str> = self
            .checkpoints
            .iter()
            .map(|row| row.note.as_str())
            .collect();
        json.key("checkpoints", &notes)?;
        if self.audience == Audience::Public {
            let (draws, left_out) = self.public_draws()?;
            json.key("draws", &draws)?;
            json.key("draws_left_out", &left_out)?;
        }
        json.list("entries")?;
        let mut after = 0;
        while after < self.size {
            let limit = PAGE.min(self.size - after);
            let rows = self.page(after, limit)?;
            for row in rows {
                json.item(&self.entry(row))?;
            }
            after += limit;
        }
        json.end()
    }

    fn page(&self, after: i64, limit: i64) -> Result<Vec<LedgerEntry>, Refusal> {
        let rows = self
            .service
            .store
            .read(|tx| tx.page_entries(&self.trial, after, limit))?;
        if rows.len() as i64 != limit {
            return Err(Refusal::Internal("a ledger lacks entries".into()));
        }
        Ok(rows)
    }

    /// An entry, with its record where the audience may see it.
    fn entry(&self, row: LedgerEntry) -> Entry {
        let among = |kinds: &[FactKind]| kinds.iter().any(|kind| kind.as_str() == row.kind);
        let is_shown = match self.audience {
            Audience::Auditor => among(SHOWN_TO_AUDITORS),
            Audience::Full => true,
            Audience::Public => among(SHOWN_TO_ALL),
        };
        let shown = is_shown && !row.record.is_empty();
        let is_erased = self.audience == Audience::Full && row.record.is_empty();
        Entry {
            sequence: row.sequence as u64,
            leaf: hex::encode(row.leaf),
            salt: shown.then(|| hex::encode(row.salt)),
            record: shown.then_some(row.record),
            erased: row.participant_id.filter(|_| is_erased),
        }
    }

    /// The draws by stratum without their participants, and how many are left out. What was
    /// minimized cannot be drawn anew without everybody's levels: nothing of it is listed.
    fn public_draws(&self) -> Result<(Vec<PublicDraw>, usize), Refusal> {
        let facts = self
            .service
            .store
            .read(|tx| tx.list_facts(&self.trial, FactKind::Draw.as_str(), self.size))?;
        let in_all = facts.len();
        if matches!(self.method, Method::Minimization | Method::External) {
            return Ok((Vec::new(), in_all));
        }
        let mut cells: BTreeMap<(String, Option<String>), Vec<PublicDraw>> = BTreeMap::new();
        for fact in facts {
            let draw = public(&body_of(&fact.record))
                .ok_or_else(|| Refusal::Internal("a draw cannot be read".into()))?;
            let cell = (draw.stratum.clone(), draw.unit.clone());
            cells.entry(cell).or_default().push(draw);
        }
        let mut listed = Vec::new();
        let mut shown = 0;
        for mut draws in cells
            .into_values()
            .filter(|cell| cell.len() >= SMALLEST_CELL)
        {
            shown += draws.len();
            draws.sort_by_key(|draw| draw.index);
            // A unit is drawn once, however many belong to it.
            draws.dedup();
            listed.extend(draws);
        }
        Ok((listed, in_all - shown))
    }
}

fn public(body: &serde_json::Value) -> Option<PublicDraw> {
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    Some(PublicDraw {
        registration: body["registration"].as_i64()? as i32,
        stratum: text("label")?,
        unit: text("unit"),
        index: body["index"].as_u64()?,
        arm: text("arm")?,
    })
}

/// Writes one object key by key, without ever holding all of it.
struct Json<'a, W> {
    out: &'a mut W,
    first: bool,
}

impl<W: Write> Json<'_, W> {
    fn begin(&mut self) -> Result<(), Refusal> {
        self.raw(b"{\n")
    }

    fn key(&mut self, name: &str, value: &impl Serialize) -> Result<(), Refusal> {
        self.comma()?;
        serde_json::to_writer(&mut *self.out, name).map_err(written)?;
        self.raw(b": ")?;
        serde_json::to_writer(&mut *self.out, value).map_err(written)
    }

    fn list(&mut self, name: &str) -> Result<(), Refusal> {
        self.comma()?;
        serde_json::to_writer(&mut *self.out, name).map_err(written)?;
        self.first = true;
        self.raw(b": [\n")
    }

    fn item(&mut self, value: &impl Serialize) -> Result<(), Refusal> {
        self.comma()?;
        serde_json::to_writer(&mut *self.out, value).map_err(written)
    }

    fn end(&mut self) -> Result<(), Refusal> {
        self.raw(b"\n]\n}\n")?;
        self.out.flush().map_err(written)
    }

    fn comma(&mut self) -> Result<(), Refusal> {
        if !std::mem::take(&mut self.first) {
            self.raw(b",\n")?;
        }
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.out.write_all(bytes).map_err(written)
    }
}

fn written(fault: impl Into<io::Error>) -> Refusal {
    Refusal::Internal(format!("a bundle cannot be written: {}", fault.into()))
}
