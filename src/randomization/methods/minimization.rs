//! Minimization.

use super::NotDrawn;
use crate::protocol::{Protocol, Scheme};
use crate::randomization::stream::Stream;
use crate::randomization::{StratumLabel, StreamKeys};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Pocock and Simon, "Sequential treatment assignment with balancing for prognostic factors in the
/// controlled clinical trial", Biometrics 31 (1975), with the range as the measure of imbalance.
///
/// The arm depends on everybody drawn before: the trial draws from one stream, one at a time.
pub struct Minimization {
    stream: Stream,
    probability: (u32, u32),
    factors: Vec<Counted>,
    arms: usize,
    index: u64,
    /// Where the levels of a label are counted: one position for each factor.
    places: HashMap<StratumLabel, Vec<usize>>,
}

/// A factor with the counts at each of its levels, by arm.
struct Counted {
    id: String,
    weight: u64,
    levels: BTreeMap<String, usize>,
    counts: Vec<Vec<u64>>,
}

/// Where a minimization stands: what is kept between two draws, and can be rebuilt from the draws.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinimizationState {
    /// Index of the next draw.
    pub index: u64,
    /// Position of the next word of the stream.
    pub word: u64,
    /// Participants by factor, level and arm (in the order of the protocol).
    pub counts: BTreeMap<String, BTreeMap<String, Vec<u64>>>,
}

impl Minimization {
    /// A minimization that goes on from a state; the default state is its beginning.
    pub fn resume(
        protocol: &Protocol,
        keys: &StreamKeys,
        state: MinimizationState,
    ) -> Result<Self, NotDrawn> {
        let Scheme::Minimization {
            probability,
            weights,
        } = &protocol.randomization.scheme
        else {
            return Err(NotDrawn::NotByStratum(
                protocol.randomization.method.to_string(),
            ));
        };
        let MinimizationState {
            index,
            word,
            mut counts,
        } = state;
        let factors = protocol.stratifiers().map(|factor| {
            let known = counts.remove(&factor.id).unwrap_or_default();
            let (levels, counts): (Vec<String>, Vec<Vec<u64>>) = known.into_iter().unzip();
            Counted {
                id: factor.id.clone(),
                weight: u64::from(weights.get(&factor.id).copied().unwrap_or(1)),
                levels: levels.into_iter().zip(0..).collect(),
                counts,
            }
        });
        Ok(Self {
            stream: Stream::at(keys.minimization(), word),
            probability: *probability,
            factors: factors.collect(),
            arms: protocol.arms.len(),
            index,
            places: HashMap::new(),
        })
    }

    /// What [`Minimization::resume`] goes on from.
    pub fn state(&self) -> MinimizationState {
        let counted = |factor: &Counted| {
            let levels = factor.levels.iter();
            levels
                .map(|(level, place)| (level.clone(), factor.counts[*place].clone()))
                .collect()
        };
        let factors = self.factors.iter();
        MinimizationState {
            index: self.index,
            word: self.stream.position(),
            counts: factors
                .filter(|factor| !factor.levels.is_empty())
                .map(|factor| (factor.id.clone(), counted(factor)))
                .collect(),
        }
    }

    /// Index of the next draw; the indexes of a trial that minimizes run through all of it.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Draws a participant with the levels of this label.
    pub fn draw(&mut self, label: &StratumLabel) -> Result<usize, NotDrawn> {
        let places = match self.places.get(label) {
            Some(known) => known.clone(),
            None => self.place(label)?,
        };
        let scores: Vec<u64> = (0..self.arms).map(|arm| self.score(&places, arm)).collect();
        let least = scores.iter().min().copied().unwrap_or_default();
        let (preferred, others): (Vec<usize>, Vec<usize>) =
            (0..self.arms).partition(|arm| scores[*arm] == least);
        let (numerator, denominator) = self.probability;
        let candidates = if others.is_empty() || self.stream.below(denominator) < numerator {
            preferred
        } else {
            others
        };
        let arm = candidates[self.stream.below(candidates.len() as u32) as usize];
        for (factor, place) in self.factors.iter_mut().zip(places) {
            factor.counts[place][arm] += 1;
        }
        self.index += 1;
        Ok(arm)
    }

    /// Finds or makes the places at which the levels of a label are counted.
    fn place(&mut self, label: &StratumLabel) -> Result<Vec<usize>, NotDrawn> {
        let levels = label.levels();
        let mut places = Vec::with_capacity(self.factors.len());
        for factor in &self.factors {
            if levels[&factor.id].as_str().is_none() {
                return Err(NotDrawn::NoLevel(factor.id.clone()));
            }
        }
        for factor in &mut self.factors {
            let level = levels[&factor.id].as_str().unwrap_or_default().to_owned();
            let next = factor.counts.len();
            let place = *factor.levels.entry(level).or_insert(next);
            if place == next {
                factor.counts.push(vec![0; self.arms]);
            }
            places.push(place);
        }
        self.places.insert(label.clone(), places.clone());
        Ok(places)
    }

    /// What the imbalance would be with the participant in this arm: the ranges of the counts at the
    /// participant's levels, weighted and added up.
    fn score(&self, places: &[usize], arm: usize) -> u64 {
        let range = |counts: &[u64]| {
            let there = |other: usize| counts[other] + u64::from(other == arm);
            let most = (0..self.arms).map(there).max().unwrap_or_default();
            let least = (0..self.arms).map(there).min().unwrap_or_default();
            most - least
        };
        let factors = self.factors.iter().zip(places);
        factors
            .map(|(factor, place)| factor.weight * range(&factor.counts[*place]))
            .sum()
    }
}
