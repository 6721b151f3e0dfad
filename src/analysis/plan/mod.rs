//! Follows the protocol's plan over the columns: which estimator, on which endpoint, against what.

mod entry;
mod question;

pub(super) use entry::fill;
pub(super) use question::question;

use super::baseline;
use super::columns::{Column, Dataset, Values};
use super::design::Design;
use super::document::{Aim, DataRef, Document, Entry, ProtocolRef, Software};
use super::estimators::{Comparison, Made, cumulative_incidence, kaplan_meier};
use super::multiplicity;
use super::rerandomization::{self, Redraws, Wanted};
use super::sequential::{self, Monitored, Sequential};
use super::settings::Settings;
use super::subgroups;
use crate::protocol::{Endpoint, Hypothesis, Protocol, Unit};
use crate::statistics::catalogue::{self, Asked, Gives};
use crate::statistics::distributions::normal_p;
use crate::statistics::survival::Limits;
use crate::statistics::{Alternative, Fault, Question};
use entry::{allows_for_units, blank};
use question::two_one_sided;

/// p-value of a sample ratio below which a warning is due.
const UNEVEN: f64 = 0.001;

/// Everything that the estimates of a document share.
pub(super) struct Run<'a> {
    pub protocol: &'a Protocol,
    pub dataset: &'a Dataset,
    pub strata: Vec<String>,
    pub groups: Vec<Option<usize>>,
    pub seed: [u8; 32],
    pub redraws: Result<Redraws<'a>, Fault>,
}

/// Analyses the columns by arm. `digest` names the protocol.
pub fn run(
    protocol: &Protocol,
    digest: String,
    dataset: &Dataset,
    settings: &Settings,
) -> Document {
    let seed = settings
        .seed
        .unwrap_or_else(|| Settings::usual_seed(&digest, &dataset.digest));
    let mut run = Run::of(protocol, dataset, seed);
    run.redraws = run.drawn_anew(settings.draws);
    let run = run;
    let mut estimates = Vec::new();
    let mut signed = Vec::new();
    for endpoint in endpoints(protocol) {
        for asked in run.estimators(endpoint) {
            run.add_entries(endpoint, &asked, &mut estimates, &mut signed);
        }
    }
    // Estimates of groups that were not drawn stand behind those of the draw.
    estimates.sort_by_key(|entry: &Entry| (!entry.primary, entry.analysis_set != "as_randomized"));
    let mut warnings = warnings(protocol, dataset);
    let sample_ratio = match &run.redraws {
        Ok(redraws) => redraws.sample_ratios().to_vec(),
        Err(fault) => {
            warnings.push(format!(
                "the arms' numbers are not held against the draw: {fault}"
            ));
            Vec::new()
        }
    };
    for uneven in sample_ratio.iter().filter(|ratio| ratio.p_value < UNEVEN) {
        warnings.push(format!(
            "the numbers of the {} are not those of the draw (p {:.4}): look for the reason before you \
             read any effect",
            uneven.of, uneven.p_value
        ));
    }
    let design = match Design::of(protocol) {
        Ok(design) => Some(design),
        Err(fault) => {
            warnings.push(format!("the plan of looks has no solution: {fault}"));
            None
        }
    };
    let sequential = protocol.analysis.looks.as_ref().map(|looks| {
        let monitored = Monitored {
            looks,
            settings,
            design: design.as_ref(),
            entries: &estimates,
            signed: &signed,
            chances: true,
        };
        sequential::of(protocol, &monitored)
    });
    let several = multiplicity::of(&run, &estimates);
    if several.is_none() && protocol.analysis.multiplicity.is_some() {
        warnings.push(
            "the planned method for several arms was not followed: an arm has no p-value".into(),
        );
    }
    Document {
        protocol: ProtocolRef {
            id: protocol.id.clone(),
            digest,
        },
        data: DataRef {
            rows: dataset.rows(),
            digest: dataset.digest.clone(),
            root: dataset.root.clone(),
        },
        software: Software::this(),
        flow: dataset.flow.clone(),
        balance: baseline::balance_of(protocol, dataset),
        balance_test: baseline::omnibus(protocol, dataset),
        sample_ratio,
        subgroups: run.subgroups(),
        multiplicity: several,
        sequential,
        estimates,
        warnings,
    }
}

/// The primary estimates alone, and what the plan of looks makes of them: what a simulated trial needs.
pub fn primary_at(
    protocol: &Protocol,
    dataset: &Dataset,
    settings: &Settings,
    design: &Design,
) -> (Vec<Entry>, Option<Sequential>) {
    let mut run = Run::of(protocol, dataset, settings.seed.unwrap_or_default());
    let primary = protocol
        .endpoint(&protocol.analysis.primary)
        .and_then(|endpoint| primary_asked(protocol, endpoint));
    if primary.is_some_and(|asked| asked.entry.id == "randomization_test") {
        run.redraws = run.drawn_anew(settings.draws);
    }
    let run = run;
    let (mut entries, mut signed) = (Vec::new(), Vec::new());
    if let Some(endpoint) = protocol.endpoint(&protocol.analysis.primary)
        && let Some(asked) = primary_asked(protocol, endpoint)
    {
        run.add_entries(endpoint, &asked, &mut entries, &mut signed);
    }
    let sequential = protocol.analysis.looks.as_ref().map(|looks| {
        let monitored = Monitored {
            looks,
            settings,
            design: Some(design),
            entries: &entries,
            signed: &signed,
            chances: false,
        };
        sequential::of(protocol, &monitored)
    });
    (entries, sequential)
}

/// The endpoints, the primary one first.
fn endpoints(protocol: &Protocol) -> impl Iterator<Item = &Endpoint> {
    let primary = protocol.endpoint(&protocol.analysis.primary);
    let others = protocol
        .endpoints
        .iter()
        .filter(|e| e.id != protocol.analysis.primary);
    primary.into_iter().chain(others)
}

/// The one primary estimator, where this is the primary endpoint.
pub(super) fn primary_asked<'a>(
    protocol: &'a Protocol,
    endpoint: &'a Endpoint,
) -> Option<Asked<'a>> {
    (endpoint.id == protocol.analysis.primary)
        .then(|| protocol.primary_asked(endpoint).ok())
        .flatten()
}

impl<'a> Run<'a> {
    /// Nothing is drawn anew yet.
    fn of(protocol: &'a Protocol, dataset: &'a Dataset, seed: [u8; 32]) -> Self {
        Self {
            protocol,
            dataset,
            strata: protocol
                .analysis_strata()
                .into_iter()
                .map(|factor| factor.id.clone())
                .collect(),
            groups: dataset.arms.iter().copied().map(Some).collect(),
            seed,
            redraws: Err(Fault::Input("nothing was drawn anew".into())),
        }
    }

    /// The estimators of an endpoint, the primary one first.
    fn estimators(&self, endpoint: &'a Endpoint) -> Vec<Asked<'a>> {
        let told = |entry: &catalogue::Entry| {
            (!entry.needs_received() || self.dataset.received.is_some())
                && (!entry.needs_weights() || self.dataset.weights.is_some())
        };
        let mut wanted: Vec<Asked> = match &endpoint.estimators {
            Some(texts) => texts
                .iter()
                .filter_map(|text| Asked::parse(text).ok())
                .collect(),
            None => catalogue::defaults(endpoint.outcome(), self.protocol.draws_units())
                .filter(|entry| told(entry))
                .map(|entry| Asked {
                    entry,
                    option: None,
                })
                .collect(),
        };
        if let Some(primary) = primary_asked(self.protocol, endpoint) {
            wanted.retain(|asked| asked.name() != primary.name());
            wanted.insert(0, primary);
        }
        wanted
    }

    pub fn comparison(&'a self, endpoint: &'a Endpoint, arm: usize) -> Comparison<'a> {
        Comparison {
            protocol: self.protocol,
            dataset: self.dataset,
            endpoint,
            arm,
            reference: self.protocol.control(),
            strata: &self.strata,
            groups: &self.groups,
            seed: self.seed,
        }
    }

    pub fn compared_arms(&self) -> impl Iterator<Item = usize> {
        let control = self.protocol.control();
        (0..self.protocol.arms.len()).filter(move |arm| *arm != control)
    }

    fn add_entries(
        &'a self,
        endpoint: &'a Endpoint,
        asked: &Asked,
        entries: &mut Vec<Entry>,
        signed: &mut Vec<Option<f64>>,
    ) {
        match asked.entry.gives {
            Gives::Subgroups => {}
            Gives::Curve => {
                for arm in 0..self.protocol.arms.len() {
                    entries.push(self.one_arm(endpoint, asked, arm));
                }
            }
            _ => {
                for arm in self.compared_arms() {
                    let (entry, z) = self.two_arms(endpoint, asked, arm);
                    if entry.primary {
                        signed.push(z);
                    }
                    entries.push(entry);
                }
            }
        }
    }

    fn subgroups(&'a self) -> Vec<subgroups::Subgroup> {
        let asks = |endpoint: &&'a Endpoint| {
            self.estimators(endpoint)
                .iter()
                .any(|asked| asked.entry.gives == Gives::Subgroups)
        };
        let wanted: Vec<&'a Endpoint> = endpoints(self.protocol).filter(asks).collect();
        wanted
            .into_iter()
            .flat_map(|endpoint| {
                self.compared_arms()
                    .flat_map(|arm| subgroups::of(&self.comparison(endpoint, arm), self.protocol))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// A curve of its own for each arm.
    fn one_arm(&self, endpoint: &Endpoint, asked: &Asked, arm: usize) -> Entry {
        let question = Question::two_sided(self.protocol.analysis.confidence_level());
        let Values::Time(times) = &self.dataset.endpoints[&endpoint.id] else {
            unreachable!("the catalogue lets only times through")
        };
        let own = || {
            let rows = self.dataset.arms.iter().zip(times).enumerate();
            rows.filter(|(_, (other, _))| **other == arm)
                .filter_map(|(row, (_, observation))| Some((row, (*observation)?)))
        };
        let made = match asked.entry.id {
            "cumulative_incidence" => {
                let ended: Vec<_> = own()
                    .map(|(row, o)| self.dataset.ended(&endpoint.id, row, o))
                    .collect();
                cumulative_incidence(&ended, endpoint.horizon_weeks, &question)
            }
            _ => {
                let scale = asked
                    .option
                    .and_then(Limits::parse)
                    .unwrap_or(Limits::LogLog);
                let observations: Vec<_> = own().map(|(_, o)| o).collect();
                kaplan_meier(&observations, endpoint.horizon_weeks, scale, &question)
            }
        };
        let mut entry = blank(self.protocol, self.dataset, endpoint, asked, &[arm]);
        entry.arm = Some(self.protocol.arms[arm].id.clone());
        fill(&mut entry, made, &question);
        entry
    }

    /// A comparison, and its z toward a larger value where it is a test without an estimate.
    fn two_arms(
        &'a self,
        endpoint: &'a Endpoint,
        asked: &Asked,
        arm: usize,
    ) -> (Entry, Option<f64>) {
        let protocol = self.protocol;
        let reference = protocol.control();
        let primary =
            primary_asked(protocol, endpoint).is_some_and(|other| other.name() == asked.name());
        let mut entry = blank(protocol, self.dataset, endpoint, asked, &[arm, reference]);
        entry.arm = Some(protocol.arms[arm].id.clone());
        entry.reference = Some(protocol.arms[reference].id.clone());
        entry.primary = primary;
        if asked.entry.stratified || asked.entry.id == "randomization_test" {
            entry.stratified_by.clone_from(&self.strata);
        }
        if asked.entry.gives == Gives::Regrouped {
            entry.analysis_set = asked.entry.id;
        }
        let comparison = self.comparison(endpoint, arm);
        let mut question = question(protocol, endpoint, asked.entry, primary);
        let made = if primary && protocol.analysis.hypothesis == Hypothesis::Equivalence {
            let margin = protocol.analysis.margin.unwrap_or_default();
            two_one_sided(&comparison, asked, margin, &question).map(|(made, reported)| {
                question = reported;
                made
            })
        } else if asked.entry.id == "randomization_test" {
            self.randomization_test(endpoint, (arm, reference), &question)
        } else {
            comparison.make(asked, &question)
        };
        let signed = made.as_ref().ok().and_then(|made| made.signed);
        fill(&mut entry, made, &question);
        if primary
            && question.alternative != Alternative::TwoSided
            && let Some(z) = signed
        {
            // One-sided by the sign of the excess, where the plan has one side.
            entry.p_value = Some(normal_p(z, question.alternative));
            entry.alternative = Some(question.alternative);
        }
        if protocol.unit != Unit::Citizen && !allows_for_units(asked) {
            entry.warnings.push(
                "units were drawn: this takes participants as drawn one by one, and its error is too small"
                    .into(),
            );
        }
        if primary {
            let analysis = &protocol.analysis;
            entry.aim = Some(Aim {
                hypothesis: analysis.hypothesis,
                margin: analysis.margin,
            });
            if analysis.hypothesis != Hypothesis::Superiority && entry.estimate.is_none() {
                entry
                    .warnings
                    .push("this estimator cannot be held against a margin".into());
            }
        }
        (entry, signed)
    }

    /// The trial drawn anew for every randomization test that is asked for, and for the arms' numbers.
    fn drawn_anew(&self, draws: u32) -> Result<Redraws<'a>, Fault> {
        let has_levels =
            |factor: &&String| matches!(self.dataset.factors.get(*factor), Some(Column::Levels(_)));
        let strata: Vec<String> = self.strata.iter().filter(has_levels).cloned().collect();
        let mut wanted = Vec::new();
        for endpoint in endpoints(self.protocol) {
            if !self.dataset.endpoints.contains_key(&endpoint.id) {
                continue;
            }
            let asked = self.estimators(endpoint);
            if asked
                .iter()
                .any(|asked| asked.entry.id == "randomization_test")
            {
                wanted.extend(self.compared_arms().map(|arm| Wanted {
                    endpoint,
                    arm,
                    strata: &strata,
                }));
            }
        }
        Redraws::of(self.protocol, self.dataset, &wanted, self.seed, draws)
    }

    fn randomization_test(
        &self,
        endpoint: &Endpoint,
        arms: (usize, usize),
        question: &Question,
    ) -> Result<Made, Fault> {
        let redraws = self.redraws.as_ref().map_err(Clone::clone)?;
        rerandomization::test(redraws, self.dataset, endpoint, arms, question)
    }
}

fn warnings(protocol: &Protocol, dataset: &Dataset) -> Vec<String> {
    let mut warnings = dataset.warnings.clone();
    if protocol.analysis.looks.is_some() {
        warnings.push(
            "the protocol plans looks: p-values and intervals of the single estimates are fixed-sample \
             ones; what they say at a look stands under \"sequential\""
                .into(),
        );
    }
    warnings
}
