//! Who is enrolled in a simulated trial, when, and into which arm.

use super::World;
use crate::analysis::Column;
use crate::protocol::FactorKind;
use crate::randomization::{Redraw, StratumLabel};
use crate::simulation::scenario::ScenarioFault;
use crate::statistics::random::Random;
use std::collections::BTreeMap;

/// Stream of the random numbers, apart from the draw and from what happens.
const PEOPLE: u64 = 1;

/// The participants of one trial.
pub(super) struct People {
    pub group: Vec<usize>,
    pub site: Vec<u32>,
    pub week: Vec<f64>,
    pub arms: Vec<usize>,
    pub factors: BTreeMap<String, Column>,
}

impl World<'_> {
    pub(super) fn enrol(&self, seed: [u8; 32]) -> Result<People, ScenarioFault> {
        let mut random = Random::new(seed, PEOPLE);
        let worlds = self.scenario.worlds();
        let mut people = People {
            group: Vec::with_capacity(self.reach),
            site: Vec::with_capacity(self.reach),
            week: Vec::with_capacity(self.reach),
            arms: Vec::new(),
            factors: BTreeMap::new(),
        };
        for i in 0..self.reach {
            let mut rest = random.uniform();
            let group = worlds.iter().position(|(_, _, share)| {
                rest -= share;
                rest < 0.0
            });
            people.group.push(group.unwrap_or(worlds.len() - 1));
            people
                .site
                .push((random.uniform() * f64::from(self.scenario.sites)) as u32);
            people
                .week
                .push((i as f64 + random.uniform()) / self.scenario.per_week);
        }
        self.add_factors(&mut people, &mut random);
        people.arms = self.draw(&people, seed)?;
        Ok(people)
    }

    fn add_factors(&self, people: &mut People, random: &mut Random) {
        for factor in &self.protocol.factors {
            let column = if factor.kind == FactorKind::Number {
                Column::Numbers((0..self.reach).map(|_| Some(random.normal())).collect())
            } else if factor.open_levels {
                Column::Levels(
                    people
                        .site
                        .iter()
                        .map(|site| Some(format!("s{site}")))
                        .collect(),
                )
            } else {
                let own = |group: &usize| {
                    let levels = self.scenario.groups.get(*group).map(|group| &group.levels);
                    levels.and_then(|levels| levels.get(&factor.id)).cloned()
                };
                Column::Levels(people.group.iter().map(own).collect())
            };
            people.factors.insert(factor.id.clone(), column);
        }
    }

    /// The arms, by the protocol's own method.
    fn draw(&self, people: &People, seed: [u8; 32]) -> Result<Vec<usize>, ScenarioFault> {
        let factors: Vec<&str> = self.protocol.stratifiers().map(|f| f.id.as_str()).collect();
        let mut places: BTreeMap<Vec<&str>, u32> = BTreeMap::new();
        let (mut labels, mut of) = (Vec::new(), Vec::with_capacity(self.reach));
        for row in 0..self.reach {
            let level = |id: &&str| match &people.factors[*id] {
                Column::Levels(levels) => levels[row].as_deref().unwrap_or_default(),
                Column::Numbers(_) => "",
            };
            let levels: Vec<&str> = factors.iter().map(level).collect();
            let next = labels.len() as u32;
            let place = *places.entry(levels.clone()).or_insert(next);
            if place == next {
                labels.push(StratumLabel::of(factors.iter().copied().zip(levels)));
            }
            of.push(place);
        }
        let redraw = Redraw::new(self.protocol, labels, of, None)
            .map_err(|fault| ScenarioFault(fault.to_string()))?;
        Ok(crate::simulation::arms(&redraw, seed)
            .into_iter()
            .map(usize::from)
            .collect())
    }
}
