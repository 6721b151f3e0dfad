//! Examine a whole database: every record against its leaf, every row that counts against its records,
//! every draw against the seed, every note against the tree. Each difference is named.

use super::authentic::agrees;
use super::checkpoint::{self, KEPT};
use super::draw::{MINIMIZATION, unit_stream};
use super::fact::{FactKind, body_of};
use super::trial::Registration;
use super::{Refusal, Service, analyse, drawn, issue_key, levels, persons};
use crate::ledger::tree::{Edge, Hash, root};
use crate::protocol::canonical::sha256;
use crate::protocol::{DrawUnit, Method};
use crate::randomization::{MinimizationState, Replay, StratumLabel};
use crate::store::{FactRow, INSTALLATION, ParticipantRow, Tx};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Records that are read at once.
const PAGE: i64 = 20_000;
/// Differences of one kind that are named one by one.
const MOST: usize = 100;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records that were held against their leaves.
    pub records: u64,
    /// Draws that were drawn again from the seed.
    pub draws: u64,
    /// What is not as it was written; empty where all is well.
    pub differences: Vec<String>,
    /// What is well, and worth a look.
    pub notes: Vec<String>,
}

impl Report {
    fn differs(&mut self, ledger: &str, what: impl std::fmt::Display) {
        match self.differences.len() {
            0..MOST => self.differences.push(format!("{ledger}: {what}")),
            MOST => self
                .differences
                .push("and more differences than these".into()),
            _ => {}
        }
    }

    fn note(&mut self, ledger: &str, what: impl std::fmt::Display) {
        self.notes.push(format!("{ledger}: {what}"));
    }

    /// Takes what a check refused as a difference.
    fn hold<T>(&mut self, ledger: &str, outcome: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Refusal::Tampered { sequence, why, .. }) => {
                let at = sequence.map_or(String::new(), |number| format!("record {number}: "));
                self.differs(ledger, format!("{at}{why}"));
                Ok(None)
            }
            Err(Refusal::Internal(why)) => {
                self.differs(ledger, why);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

/// Examines the database, or one trial of it with the installation's own ledger.
pub fn run(service: &Service, only: Option<&str>) -> Result<Report, Refusal> {
    service.store.long().read(|tx| {
        let mut report = Report::default();
        if let Some(trial) = only
            && tx.find_trial(trial)?.is_none()
        {
            return Err(Refusal::NotFound("trial"));
        }
        installation(tx, service, &mut report)?;
        for row in tx.list_trials(only, None, i64::MAX)? {
            trial(tx, service, &row.id, &mut report)?;
        }
        Ok(report)
    })
}

/// The installation's own ledger, and the keys and persons that it vouches for.
fn installation(tx: &mut Tx, service: &Service, report: &mut Report) -> Result<(), Refusal> {
    let ledger = Ledger::read(tx, service, INSTALLATION, report)?;
    let issued: BTreeSet<&String> = ledger.subjects(FactKind::KeyIssued);
    let keys = tx.list_keys(None, None, i64::MAX)?;
    for key in &keys {
        let facts = tx.facts_about(INSTALLATION, &key.id)?;
        if let Some(why) = issue_key::fault_of(service, key, &facts) {
            report.differs(
                INSTALLATION,
                format!("key {} ({}): {why}", key.id, key.name),
            );
        }
    }
    let known: HashSet<&String> = keys.iter().map(|key| &key.id).collect();
    for id in issued.iter().filter(|id| !known.contains(**id)) {
        report.differs(INSTALLATION, format!("key {id} was issued and is gone"));
    }
    let rows = tx.list_persons(None, i64::MAX)?;
    for row in &rows {
        let checked = persons::checked(tx, service, &row.id);
        report.hold(INSTALLATION, checked)?;
    }
    let known: HashSet<&String> = rows.iter().map(|row| &row.id).collect();
    for id in ledger.subjects(FactKind::PersonAdded) {
        if !known.contains(id) {
            report.differs(INSTALLATION, format!("person {id} was entered and is gone"));
        }
    }
    let by_hand = keys
        .iter()
        .filter(|key| key.created_by.is_none() && key.revoked_at.is_none());
    let by_hand = by_hand.count();
    report.note(
        INSTALLATION,
        format!("{by_hand} valid keys were made on the command line"),
    );
    Ok(())
}

/// What is remembered of a ledger while it is read.
#[derive(Default)]
struct Ledger {
    size: i64,
    /// Records by kind that later checks need again.
    facts: HashMap<FactKind, Vec<FactRow>>,
    /// Participants with the key that enrolled them and their site, as long as nothing came later.
    silent: HashMap<String, (String, Option<String>)>,
}

impl Ledger {
    fn of(&self, kind: FactKind) -> &[FactRow] {
        self.facts.get(&kind).map_or(&[], Vec::as_slice)
    }

    fn subjects(&self, kind: FactKind) -> BTreeSet<&String> {
        let facts = self.of(kind).iter();
        facts
            .filter_map(|fact| fact.participant_id.as_ref())
            .collect()
    }

    /// Reads a ledger from its beginning; names what does not agree.
    fn read(
        tx: &mut Tx,
        service: &Service,
        name: &str,
        report: &mut Report,
    ) -> Result<Self, Refusal> {
        let erased = report.hold(name, service.erased_persons(tx, name))?;
        let erased = erased.unwrap_or_default();
        let mut ledger = Self::default();
        let mut edge = Edge::default();
        let mut tile: Vec<Hash> = Vec::new();
        let mut nodes: Vec<Hash> = Vec::new();
        let roots = notes(tx, service, name, report)?;
        let mut after = 0;
        loop {
            let page = tx.page_all_facts(name, after, i64::MAX, PAGE)?;
            if page.is_empty() {
                break;
            }
            for fact in page {
                for missing in after + 1..fact.sequence {
                    report.differs(name, format!("record {missing} is missing"));
                }
                after = fact.sequence;
                let Ok(leaf) = Hash::try_from(fact.leaf.as_slice()) else {
                    report.differs(name, format!("record {after}: its leaf is not of 32 bytes"));
                    continue;
                };
                edge.push(leaf);
                tile.push(leaf);
                if tile.len() == 256 {
                    nodes.push(root(&tile));
                    tile.clear();
                }
                if let Some(signed) = roots.get(&edge.size())
                    && *signed != edge.root()
                {
                    report.differs(
                        name,
                        format!("the note over {} records has another root", edge.size()),
                    );
                }
                let gone = fact.record.is_empty();
                let named = |person: &String| erased.contains(person);
                let fault = match gone {
                    false => service.fault_of(name, &fact),
                    true => (!fact.participant_id.as_ref().is_some_and(named))
                        .then_some("its record is gone, and nobody erased it"),
                };
                if let Some(why) = fault {
                    report.differs(name, format!("record {after}: {why}"));
                }
                report.records += u64::from(!gone);
                ledger.take(fact);
            }
        }
        ledger.size = after;
        if tx.last_sequence(name)? != after {
            let next = tx.last_sequence(name)? + 1;
            report.differs(
                name,
                format!("its last record has number {after}, and the next is to be {next}"),
            );
        }
        if let Some((size, _)) = roots.range(edge.size() + 1..).next() {
            report.differs(
                name,
                format!("{size} records were signed, and {} are there", edge.size()),
            );
        }
        check_nodes(tx, name, &nodes, report)?;
        Ok(ledger)
    }

    fn take(&mut self, fact: FactRow) {
        let Some(kind) = FactKind::parse(&fact.kind) else {
            return;
        };
        match (kind, &fact.participant_id) {
            (FactKind::Draw, Some(id)) => {
                let by = (fact.recorded_by.clone(), fact.site.clone());
                self.silent.insert(id.clone(), by);
            }
            (FactKind::Enrolment | FactKind::Screening | FactKind::LookUp, _) => {}
            (_, Some(id)) => {
                self.silent.remove(id);
            }
            (_, None) => {}
        }
        // What fills a ledger is not kept.
        let many = [
            FactKind::Conversation,
            FactKind::Outcome,
            FactKind::Enrolment,
        ];
        if !many.contains(&kind) {
            self.facts.entry(kind).or_default().push(fact);
        }
    }
}

/// The roots that were signed of a ledger, by size; notes that do not hold are named.
fn notes(
    tx: &mut Tx,
    service: &Service,
    name: &str,
    report: &mut Report,
) -> Result<BTreeMap<u64, Hash>, Refusal> {
    let mut roots = BTreeMap::new();
    for row in tx.list_checkpoints(name)? {
        let signed = checkpoint::signed_note(tx, service, name, row.size);
        if report.hold(name, signed)?.is_some()
            && let Ok(root) = Hash::try_from(row.root.as_slice())
        {
            roots.insert(row.size as u64, root);
        }
    }
    if let Some(boundary) = service.boundary(name) {
        roots.insert(boundary.size as u64, boundary.root);
    }
    for cut in tx.list_cuts(name, 0, i64::MAX)? {
        let of_before = service
            .boundary(name)
            .is_some_and(|b| cut.sequence <= b.size);
        if !of_before && !roots.contains_key(&(cut.sequence as u64)) {
            report.differs(
                name,
                format!("data cut {} has no signed note", cut.sequence),
            );
        }
    }
    Ok(roots)
}

/// The kept nodes of the tree are those of its leaves.
fn check_nodes(
    tx: &mut Tx,
    name: &str,
    below: &[Hash],
    report: &mut Report,
) -> Result<(), Refusal> {
    let above: Vec<Hash> = below.chunks_exact(256).map(root).collect();
    for (level, expected) in [(KEPT[0], below), (KEPT[1], above.as_slice())] {
        let kept = tx.list_nodes(name, level as i32, 0, i64::MAX)?;
        let differs = kept
            .iter()
            .zip(expected)
            .position(|(kept, node)| kept != node);
        if let Some(position) = differs {
            report.differs(
                name,
                format!("node {position} of level {level} is not the one of its leaves"),
            );
        }
        if kept.len() > expected.len() {
            report.differs(
                name,
                format!("level {level} has more nodes than its leaves make"),
            );
        }
    }
    Ok(())
}

/// A trial: its ledger, and all rows that rest on it.
fn trial(tx: &mut Tx, service: &Service, id: &str, report: &mut Report) -> Result<(), Refusal> {
    let ledger = Ledger::read(tx, service, id, report)?;
    let row = tx.find_trial(id)?.ok_or(Refusal::NotFound("trial"))?;
    let number = row.registration;
    let opened = service.open_trial(tx, row);
    report.hold(id, opened)?;
    results(tx, service, id, &ledger, report)?;
    if number == 0 {
        return Ok(());
    }
    let registration = service.registration(tx, id, number);
    let Some(registration) = report.hold(id, registration)? else {
        return Ok(());
    };
    draws(tx, service, &registration, &ledger, report)?;
    participants(tx, service, id, &ledger, report)?;
    lists(tx, id, number, &ledger, report)?;
    open_levels(tx, &registration, report)?;
    remarks(&registration, &ledger, report);
    Ok(())
}

/// Stored results are those of their facts, and none is gone.
fn results(
    tx: &mut Tx,
    service: &Service,
    id: &str,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), Refusal> {
    let rows = tx.list_analyses(id, false, None, i64::MAX)?;
    let mut stored = HashSet::new();
    for row in &rows {
        let result = analyse::stored(tx, service, row);
        if report.hold(id, result)?.flatten().is_some() {
            stored.insert(&row.id);
        }
    }
    for analysis in ledger.subjects(FactKind::Result) {
        if !stored.contains(analysis) {
            report.differs(
                id,
                format!("the result of analysis {analysis} was stored and is gone or changed"),
            );
        }
    }
    for fact in ledger.of(FactKind::Look) {
        let body = body_of(&fact.record);
        let Some(analysis) = body["analysis"].as_str() else {
            continue;
        };
        let same = rows.iter().any(|row| {
            row.id == analysis
                && body["data_cut"] == row.data_cut
                && body["look"] == serde_json::json!(row.look)
                && !row.pooled
        });
        if !same {
            report.differs(
                id,
                format!("record {}: its look is not the one on file", fact.sequence),
            );
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct DrawBody {
    label: String,
    arm: String,
    index: Option<i64>,
    unit: Option<String>,
    registration: i32,
}

#[derive(Deserialize)]
struct Joined {
    registration: i32,
    units: Vec<DrawUnit>,
}

/// Every draw is the one that the seed gives, and every counter stands where the draws left it.
fn draws(
    tx: &mut Tx,
    service: &Service,
    registration: &Registration,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), Refusal> {
    let protocol = &registration.protocol;
    let id = protocol.id.as_str();
    let external = protocol.randomization.method == Method::External;
    let mut replay = match (external, registration.seed.is_some()) {
        (false, true) => Some(
            Replay::new(protocol, registration.keys()?)
                .map_err(|fault| Refusal::Internal(fault.to_string()))?,
        ),
        _ => None,
    };
    for fact in ledger.of(FactKind::UnitsJoined) {
        let joined = serde_json::from_value::<Joined>(body_of(&fact.record));
        if let (Some(replay), Ok(joined)) = (&mut replay, joined)
            && joined.registration == registration.number
        {
            replay.join(&joined.units);
        }
    }
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for fact in ledger.of(FactKind::Draw) {
        let at = |why: String| format!("record {}: {why}", fact.sequence);
        let Ok(body) = serde_json::from_value::<DrawBody>(body_of(&fact.record)) else {
            report.differs(id, at("its draw cannot be read".into()));
            continue;
        };
        if body.registration != registration.number {
            report.differs(
                id,
                at("it was drawn by a registration that is not in force".into()),
            );
        }
        let stream = match (&body.unit, protocol.randomization.method) {
            (_, Method::External) => None,
            (_, Method::Minimization) => Some(MINIMIZATION.to_owned()),
            (Some(unit), _) => Some(unit_stream(unit)),
            (None, _) => Some(body.label.clone()),
        };
        if let Some(stream) = stream {
            *counts.entry(stream).or_default() += 1;
        }
        let Some(replay) = &mut replay else {
            continue;
        };
        let Some(label) = StratumLabel::parse(&body.label) else {
            report.differs(id, at("its label cannot be read".into()));
            continue;
        };
        match replay.next(&label, body.unit.as_deref()) {
            Err(fault) => report.differs(id, at(fault.to_string())),
            Ok(drawn) => {
                let arm = &protocol.arms[drawn.arm].id;
                if *arm != body.arm || body.index != Some(drawn.index as i64) {
                    report.differs(
                        id,
                        at(format!("the seed gives index {}, arm {arm}", drawn.index)),
                    );
                }
                report.draws += 1;
            }
        }
    }
    counters(tx, service, registration, &counts, report)
}

fn counters(
    tx: &mut Tx,
    service: &Service,
    registration: &Registration,
    counts: &BTreeMap<String, i64>,
    report: &mut Report,
) -> Result<(), Refusal> {
    let id = registration.protocol.id.as_str();
    if registration.protocol.randomization.method == Method::Minimization {
        let Some(text) = tx.find_minimization(id, registration.number)? else {
            if !counts.is_empty() {
                report.differs(id, "the state of its minimization is gone");
            }
            return Ok(());
        };
        let Ok(state) = serde_json::from_str::<MinimizationState>(&text) else {
            report.differs(id, "the state of its minimization cannot be read");
            return Ok(());
        };
        let checked = drawn::check_minimization(tx, service, registration, &state);
        report.hold(id, checked)?;
        return Ok(());
    }
    let rows: BTreeMap<String, i64> = tx.list_strata(id)?.into_iter().collect();
    let streams: BTreeSet<&String> = rows.keys().chain(counts.keys()).collect();
    for stream in streams {
        let (drawn, next) = (counts.get(stream), rows.get(stream));
        if drawn.unwrap_or(&0) != next.unwrap_or(&0) {
            report.differs(
                id,
                format!(
                    "{} were drawn of stream {stream}, and its next index is {}",
                    drawn.unwrap_or(&0),
                    next.unwrap_or(&0)
                ),
            );
        }
    }
    Ok(())
}

/// Rows of participants are what their draws say; only the erased have none.
fn participants(
    tx: &mut Tx,
    service: &Service,
    id: &str,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), Refusal> {
    let erased = report
        .hold(id, service.erased_persons(tx, id))?
        .unwrap_or_default();
    let mut draws: HashMap<&str, &FactRow> = HashMap::new();
    for fact in ledger.of(FactKind::Draw) {
        let person = fact.participant_id.as_deref().unwrap_or_default();
        if draws.insert(person, fact).is_some() {
            report.differs(id, format!("participant {person} is drawn twice"));
        }
    }
    let mut after: Option<String> = None;
    loop {
        let page: Vec<ParticipantRow> = tx.page_participants(id, None, after.as_deref(), PAGE)?;
        let Some(last) = page.last().map(|row| row.id.clone()) else {
            break;
        };
        for row in page {
            match draws.remove(row.id.as_str()) {
                None => report.differs(id, format!("participant {} has no draw", row.id)),
                Some(fact) if !agrees(&row, fact) => report.differs(
                    id,
                    format!(
                        "record {}: the row of its participant is not what it says",
                        fact.sequence
                    ),
                ),
                Some(_) => {}
            }
        }
        after = Some(last);
    }
    for (person, fact) in draws {
        if !erased.contains(person) {
            report.differs(
                id,
                format!(
                    "record {}: the row of its participant is gone",
                    fact.sequence
                ),
            );
        }
    }
    Ok(())
}

/// Frozen lists are those that were frozen, but for the erased.
fn lists(
    tx: &mut Tx,
    id: &str,
    number: i32,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), Refusal> {
    for fact in ledger.of(FactKind::UnitList) {
        let body = body_of(&fact.record);
        if body["registration"] != number {
            continue;
        }
        let unit = body["unit"].as_str().unwrap_or_default();
        let list = tx.find_unit_list(id, number, unit)?.unwrap_or_default();
        let mut list: Vec<String> = list.into_iter().collect();
        list.sort_unstable();
        let whole = body["digest"] == hex::encode(sha256(list.join("\n").as_bytes()));
        let erased = ledger
            .of(FactKind::Erasure)
            .iter()
            .filter_map(|fact| body_of(&fact.record)["lists"].as_u64())
            .sum::<u64>();
        let shorter = body["citizens"].as_u64().unwrap_or(0) <= list.len() as u64 + erased;
        if !(whole || (erased > 0 && shorter)) {
            report.differs(
                id,
                format!("the list of unit {unit} is not the one that was frozen"),
            );
        }
    }
    Ok(())
}

/// Every level that an enrolment names is on file.
fn open_levels(
    tx: &mut Tx,
    registration: &Registration,
    report: &mut Report,
) -> Result<(), Refusal> {
    let protocol = &registration.protocol;
    let on_file: HashMap<(String, String), Vec<String>> = tx
        .list_open_levels(&protocol.id)?
        .into_iter()
        .map(|(factor, skeleton, levels)| {
            let levels = serde_json::from_str(&levels).unwrap_or_default();
            ((factor, skeleton), levels)
        })
        .collect();
    for (place, named) in levels::by_skeleton(tx, protocol)? {
        let known = on_file.get(&place).cloned().unwrap_or_default();
        for level in named.iter().filter(|level| !known.contains(level)) {
            let factor = &place.0;
            report.differs(
                &protocol.id,
                format!("the level {level} of factor {factor} is not on file"),
            );
        }
    }
    Ok(())
}

/// What is well, and worth a look.
fn remarks(registration: &Registration, ledger: &Ledger, report: &mut Report) {
    let id = registration.protocol.id.as_str();
    if registration.protocol.citizen_scheme.is_none() {
        report.note(
            id,
            "its protocol names no citizen_scheme: one person may be drawn under two",
        );
    }
    let mut silent: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (key, site) in ledger.silent.values() {
        let place = (key.as_str(), site.as_deref().unwrap_or("no site"));
        *silent.entry(place).or_default() += 1;
    }
    for ((key, site), count) in silent {
        report.note(
            id,
            format!("{count} participants enrolled by key {key} at {site} have no later record"),
        );
    }
    for fact in ledger.of(FactKind::ArmsRead) {
        let body = body_of(&fact.record);
        report.note(
            id,
            format!(
                "record {}: key {} has read the arms of more than {} participants of others on {}",
                fact.sequence,
                body["key"].as_str().unwrap_or_default(),
                body["more_than"],
                body["day"].as_str().unwrap_or_default(),
            ),
        );
    }
}
