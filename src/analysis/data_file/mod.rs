//! The data file of `lodkast analyse`: CSV with a header, one row a participant.
//!
//! Every factor has a column by its id, and every endpoint too; a time to an event has another one,
//! ending in `_event`, that tells how the time ended (`docs/data-file.md`). A field left empty is
//! missing. Every fault names its line.

mod file;

use super::columns::{Column, Dataset, Received, Values};
use super::flow::{Flow, allocated};
use super::follow_up::{COMPETING, until_horizon};
use crate::document::Invalid;
use crate::protocol::canonical::sha256;
use crate::protocol::{Endpoint, EndpointKind, Factor, FactorKind, Protocol};
use crate::statistics::survival::Observation;
use file::{File, printable};
use std::collections::{BTreeMap, BTreeSet};

/// Weights that are usable: beyond, nothing but rounding would be left of the others.
const WEIGHTS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;

/// Columns that are known beside those of the protocol.
const OTHERS: [&str; 5] = [
    "enrolled_on",
    "enrolment_order",
    "cluster",
    "received",
    "weight",
];

impl Dataset {
    /// Reads a data file under a protocol.
    pub fn from_csv(protocol: &Protocol, bytes: &[u8]) -> Result<Self, Vec<Invalid>> {
        let mut file = File::parse(bytes)?;
        file.require(protocol);
        if !file.faults.is_empty() {
            return Err(file.settle());
        }
        file.order();
        if !file.faults.is_empty() {
            return Err(file.settle());
        }
        let arms = file.arms(protocol);
        file.check_participants();
        let mut dataset = Self {
            digest: hex::encode(sha256(bytes)),
            ..Self::default()
        };
        for factor in &protocol.factors {
            let column = file.factor(factor);
            dataset.factors.insert(factor.id.clone(), column);
        }
        dataset.clusters = file.clusters(protocol, &dataset);
        dataset.received = file.received(protocol);
        dataset.weights = file.weights();
        for endpoint in &protocol.endpoints {
            let (values, warnings) = file.endpoint(endpoint, &mut dataset.competing);
            dataset.endpoints.insert(endpoint.id.clone(), values);
            if !warnings.is_empty() {
                dataset
                    .endpoint_warnings
                    .insert(endpoint.id.clone(), warnings);
            }
        }
        if !file.faults.is_empty() {
            return Err(file.settle());
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for arm in &arms {
            *counts.entry(&protocol.arms[*arm].id).or_default() += 1;
        }
        dataset.flow = Flow {
            randomized: arms.len() as u64,
            arms: Some(allocated(protocol, |arm| {
                counts.get(arm).copied().unwrap_or(0)
            })),
            ..Flow::default()
        };
        dataset.arms = arms;
        dataset.warnings = file.ignored(protocol);
        Ok(dataset)
    }
}

/// The values of the primary endpoint alone, without a look at the arms: the column `arm` need not be there.
pub(super) fn blinded_values(
    protocol: &Protocol,
    bytes: &[u8],
) -> Result<(Values, Vec<String>), Vec<Invalid>> {
    let mut file = File::parse(bytes)?;
    let endpoint = protocol
        .endpoint(&protocol.analysis.primary)
        .ok_or_else(|| {
            vec![Invalid::new(
                "analysis.primary",
                "is not the id of an endpoint",
            )]
        })?;
    file.need("participant");
    file.need_endpoint(endpoint);
    if file.rows.is_empty() {
        file.fault(None, "participant", "has no rows");
    }
    if file.faults.is_empty() {
        file.check_participants();
        let made = file.endpoint(endpoint, &mut BTreeMap::new());
        if file.faults.is_empty() {
            return Ok(made);
        }
    }
    Err(file.settle())
}

impl File {
    /// Every column that the protocol needs must be there.
    fn require(&mut self, protocol: &Protocol) {
        self.need("participant");
        self.need("arm");
        for factor in &protocol.factors {
            self.need(&factor.id);
        }
        for endpoint in &protocol.endpoints {
            self.need_endpoint(endpoint);
        }
        if self.rows.is_empty() {
            self.fault(None, "participant", "has no rows");
        }
    }

    fn need_endpoint(&mut self, endpoint: &Endpoint) {
        self.need(&endpoint.id);
        if endpoint.kind == EndpointKind::TimeToEvent {
            self.need(&format!("{}_event", endpoint.id));
        }
    }

    fn ignored(&self, protocol: &Protocol) -> Vec<String> {
        let mut known: BTreeSet<String> = ["participant", "arm"].map(str::to_owned).into();
        known.extend(OTHERS.map(str::to_owned));
        known.extend(protocol.factors.iter().map(|factor| factor.id.clone()));
        for endpoint in &protocol.endpoints {
            known.insert(endpoint.id.clone());
            known.insert(format!("{}_event", endpoint.id));
        }
        let mut ignored: Vec<&String> = self
            .columns
            .keys()
            .filter(|name| !known.contains(*name))
            .collect();
        ignored.sort_unstable();
        ignored
            .into_iter()
            .map(|name| printable(name))
            .map(|name| format!("the column {name} is not in the protocol and was left out"))
            .collect()
    }

    fn arms(&mut self, protocol: &Protocol) -> Vec<usize> {
        let fields = self.fields("arm");
        let mut arms = Vec::with_capacity(fields.len());
        for (row, field) in fields.iter().enumerate() {
            match field.as_ref().and_then(|field| protocol.arm_index(field)) {
                Some(arm) => arms.push(arm),
                None => self.fault(Some(row), "arm", "is not an arm of the protocol"),
            }
        }
        arms
    }

    /// Brings the rows into the order of the enrolments, where the column `enrolment_order` gives it: the
    /// randomization test draws the trial again in that order.
    fn order(&mut self) {
        const ORDER: &str = "enrolment_order";
        if !self.columns.contains_key(ORDER) {
            return;
        }
        let places = self.numbers(ORDER);
        let mut seen = BTreeSet::new();
        for (row, place) in places.iter().enumerate() {
            let whole = place.filter(|place| *place >= 1.0 && place.fract() == 0.0);
            match whole {
                None => self.fault(Some(row), ORDER, "is not a whole number from 1 on"),
                Some(place) if !seen.insert(place as u64) => {
                    self.fault(Some(row), ORDER, "stands on an earlier line already");
                }
                Some(_) => {}
            }
        }
        if self.faults.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            let mut ordered: Vec<_> = places.into_iter().zip(rows).collect();
            ordered.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
            self.rows = ordered.into_iter().map(|(_, row)| row).collect();
        }
    }

    /// The column `cluster`; without it the factor that is named like the unit of the draw.
    fn clusters(&self, protocol: &Protocol, dataset: &Dataset) -> Option<Vec<Option<String>>> {
        if self.columns.contains_key("cluster") {
            return Some(self.fields("cluster"));
        }
        match dataset.factors.get(protocol.unit.as_str()) {
            Some(Column::Levels(levels)) => Some(levels.clone()),
            _ => None,
        }
    }

    /// The column `received`: an arm, `none`, or empty where nobody knows.
    fn received(&mut self, protocol: &Protocol) -> Option<Vec<Received>> {
        if !self.columns.contains_key("received") {
            return None;
        }
        let fields = self.fields("received");
        let mut found = Vec::with_capacity(fields.len());
        for (row, field) in fields.iter().enumerate() {
            found.push(match field.as_deref() {
                None => Received::Unknown,
                Some(text) => match protocol.arm_index(text) {
                    Some(arm) => Received::Arm(arm),
                    None if text == "none" => Received::Nothing,
                    None => {
                        self.fault(
                            Some(row),
                            "received",
                            "is neither an arm of the protocol nor none",
                        );
                        Received::Unknown
                    }
                },
            });
        }
        // An empty column tells as little as none.
        found
            .iter()
            .any(|received| *received != Received::Unknown)
            .then_some(found)
    }

    /// The column `weight`: a number above 0; 0 or empty where a participant stands for nobody.
    fn weights(&mut self) -> Option<Vec<Option<f64>>> {
        if !self.columns.contains_key("weight") {
            return None;
        }
        let mut weights = self.numbers("weight");
        for (row, weight) in weights.iter_mut().enumerate() {
            let usable = |weight: f64| weight == 0.0 || WEIGHTS.contains(&weight);
            if weight.is_some_and(|weight| !usable(weight)) {
                self.fault(
                    Some(row),
                    "weight",
                    "is neither 0 nor from 0.000000001 to 1000000000",
                );
            }
            *weight = weight.filter(|weight| *weight > 0.0);
        }
        Some(weights)
    }

    fn check_participants(&mut self) {
        let fields = self.fields("participant");
        let mut seen = BTreeSet::new();
        for (row, field) in fields.into_iter().enumerate() {
            match field {
                None => self.fault(Some(row), "participant", "is missing"),
                Some(id) => {
                    if !seen.insert(id) {
                        self.fault(
                            Some(row),
                            "participant",
                            "stands on an earlier line already",
                        );
                    }
                }
            }
        }
    }

    fn factor(&mut self, factor: &Factor) -> Column {
        if factor.kind == FactorKind::Number {
            return Column::Numbers(self.numbers(&factor.id));
        }
        let levels = self.fields(&factor.id);
        for (row, level) in levels.iter().enumerate() {
            let known = |level: &String| factor.open_levels || factor.levels.contains(level);
            if level.as_ref().is_some_and(|level| !known(level)) {
                self.fault(Some(row), &factor.id, "is not a level of this factor");
            }
        }
        Column::Levels(levels)
    }

    fn endpoint(
        &mut self,
        endpoint: &Endpoint,
        competing: &mut BTreeMap<String, Vec<bool>>,
    ) -> (Values, Vec<String>) {
        match endpoint.kind {
            EndpointKind::Binary => (Values::Binary(self.flags(&endpoint.id)), Vec::new()),
            EndpointKind::Continuous => (Values::Number(self.numbers(&endpoint.id)), Vec::new()),
            EndpointKind::Count => {
                let counts = self.numbers(&endpoint.id);
                for (row, count) in counts.iter().enumerate() {
                    if count.is_some_and(|count| count < 0.0 || count.fract() != 0.0) {
                        self.fault(Some(row), &endpoint.id, "is not a count");
                    }
                }
                (Values::Number(counts), Vec::new())
            }
            EndpointKind::TimeToEvent => self.times(endpoint, competing),
        }
    }

    fn times(
        &mut self,
        endpoint: &Endpoint,
        others: &mut BTreeMap<String, Vec<bool>>,
    ) -> (Values, Vec<String>) {
        let weeks = endpoint.time_unit.per_week();
        let event_column = format!("{}_event", endpoint.id);
        let (times, events) = (self.numbers(&endpoint.id), self.numbers(&event_column));
        let mut observations = Vec::with_capacity(times.len());
        let mut competing = vec![false; times.len()];
        for (row, (time, event)) in times.into_iter().zip(events).enumerate() {
            if time.is_some_and(|time| time < 0.0) {
                self.fault(Some(row), &endpoint.id, "is negative");
            }
            if event.is_some_and(|event| event < 0.0 || event.fract() != 0.0) {
                self.fault(
                    Some(row),
                    &event_column,
                    "is neither 0 nor a whole number above it",
                );
            }
            if time.is_some() != event.is_some() {
                self.fault(
                    Some(row),
                    &event_column,
                    "is missing where its time is given, or the reverse",
                );
            }
            observations.push(time.zip(event).map(|(time, event)| {
                let observation = Observation {
                    time: time / weeks,
                    event: event == 1.0,
                };
                let within = until_horizon(observation, endpoint);
                competing[row] = event > 1.0 && within == observation;
                within
            }));
        }
        let mut warnings = Vec::new();
        if competing.contains(&true) {
            warnings.push(COMPETING.to_owned());
            others.insert(endpoint.id.clone(), competing);
        }
        (Values::Time(observations), warnings)
    }
}
