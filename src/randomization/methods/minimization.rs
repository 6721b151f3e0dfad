//! Minimization.

use super::NotDrawn;
use crate::protocol::{Protocol, Scheme};
use crate::randomization::stream::Stream;
use crate::randomization::{StratumLabel, StreamKeys};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Pocock and Simon, "Sequential treatment assignment with balancing for prognostic factors in the
/// controlled clinical trial", Biometrics 31 (1975), with the range as the measure of imbalance.
///
/// The arm depends on everybody drawn before: the trial draws from one stream, one at a time.
pub struct Minimization {
    stream: Stream,
    probability: (u32, u32),
    weights: Vec<(String, u64)>,
    arms: usize,
    index: u64,
    counts: BTreeMap<String, BTreeMap<String, Vec<u64>>>,
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
        let weight_of = |id: &String| u64::from(weights.get(id).copied().unwrap_or(1));
        Ok(Self {
            stream: Stream::at(keys.minimization(), state.word),
            probability: *probability,
            weights: protocol
                .stratifiers()
                .map(|factor| (factor.id.clone(), weight_of(&factor.id)))
                .collect(),
            arms: protocol.arms.len(),
            index: state.index,
            counts: state.counts,
        })
    }

    /// What [`Minimization::resume`] goes on from.
    pub fn state(&self) -> MinimizationState {
        MinimizationState {
            index: self.index,
            word: self.stream.position(),
            counts: self.counts.clone(),
        }
    }

    /// Index of the next draw; the indexes of a trial that minimizes run through all of it.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Draws a participant with the levels of this label.
    pub fn draw(&mut self, label: &StratumLabel) -> Result<usize, NotDrawn> {
        let levels = label.levels();
        let scores = self.scores(&levels)?;
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
        self.count(&levels, arm)?;
        Ok(arm)
    }

    /// What the imbalance would be with the participant in this or that arm: the ranges of the counts
    /// at the participant's levels, weighted and added up.
    fn scores(&self, levels: &Value) -> Result<Vec<u64>, NotDrawn> {
        let mut scores = vec![0; self.arms];
        let nobody = vec![0; self.arms];
        for (factor, weight) in &self.weights {
            let level = level_of(levels, factor)?;
            let counts = self
                .counts
                .get(factor)
                .and_then(|by_level| by_level.get(level));
            let counts = counts.unwrap_or(&nobody);
            for (arm, score) in scores.iter_mut().enumerate() {
                let there = |other: usize| counts[other] + u64::from(other == arm);
                let most = (0..self.arms).map(there).max().unwrap_or_default();
                let least = (0..self.arms).map(there).min().unwrap_or_default();
                *score += weight * (most - least);
            }
        }
        Ok(scores)
    }

    fn count(&mut self, levels: &Value, arm: usize) -> Result<(), NotDrawn> {
        for (factor, _) in &self.weights {
            let level = level_of(levels, factor)?;
            let by_level = self.counts.entry(factor.clone()).or_default();
            let counts = by_level
                .entry(level.to_owned())
                .or_insert_with(|| vec![0; self.arms]);
            counts[arm] += 1;
        }
        self.index += 1;
        Ok(())
    }
}

fn level_of<'a>(levels: &'a Value, factor: &str) -> Result<&'a str, NotDrawn> {
    levels[factor]
        .as_str()
        .ok_or_else(|| NotDrawn::NoLevel(factor.to_owned()))
}
