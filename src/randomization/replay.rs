//! The draws of a whole trial, one after the other in the order of their commits: for work offline,
//! for audits, and for holding a second implementation against this one.

use super::methods::{Allocator, Clusters, Minimization, MinimizationState, UnitDraw};
use super::{NotDrawn, StratumLabel, StreamKeys};
use crate::protocol::{DrawUnit, Protocol, Scheme};
use std::collections::HashMap;

/// One draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Counts the draws of a stratum from 0; of the trial, where it minimizes; of the units of a
    /// stratum, where units are drawn.
    pub index: u64,
    /// Position of the arm in the protocol.
    pub arm: usize,
}

/// A trial that is drawn from its beginning.
pub struct Replay<'a> {
    protocol: &'a Protocol,
    keys: StreamKeys,
    state: State,
}

enum State {
    Strata(HashMap<StratumLabel, (Allocator, u64)>),
    Minimization(Box<Minimization>),
    Clusters(Clusters),
}

impl<'a> Replay<'a> {
    pub fn new(protocol: &'a Protocol, keys: StreamKeys) -> Result<Self, NotDrawn> {
        let state = match &protocol.randomization.scheme {
            Scheme::External => return Err(NotDrawn::External),
            Scheme::Minimization { .. } => State::Minimization(Box::new(Minimization::resume(
                protocol,
                &keys,
                MinimizationState::default(),
            )?)),
            Scheme::Clusters { units } => {
                State::Clusters(Clusters::draw(protocol, &keys, std::slice::from_ref(units)))
            }
            _ => State::Strata(HashMap::new()),
        };
        Ok(Self {
            protocol,
            keys,
            state,
        })
    }

    /// Units that join: the next batch.
    pub fn join(&mut self, units: &[DrawUnit]) {
        if let State::Clusters(drawn) = &mut self.state {
            drawn.join(self.protocol, &self.keys, units);
        }
    }

    /// The draw of a unit, where units are drawn.
    pub fn unit(&self, unit: &str) -> Option<&UnitDraw> {
        match &self.state {
            State::Clusters(drawn) => drawn.of(unit).ok(),
            _ => None,
        }
    }

    /// Draws the next participant of a stratum (with clusters: finds the draw of the unit).
    pub fn next(&mut self, label: &StratumLabel, unit: Option<&str>) -> Result<Drawn, NotDrawn> {
        match &mut self.state {
            State::Strata(strata) => {
                if !strata.contains_key(label) {
                    let allocator = Allocator::new(self.protocol, &self.keys, label)?;
                    strata.insert(label.clone(), (allocator, 0));
                }
                let (allocator, next) = strata.get_mut(label).expect("inserted above");
                let index = *next;
                *next += 1;
                let arm = allocator.next_arm();
                Ok(Drawn { index, arm })
            }
            State::Minimization(minimization) => {
                let index = minimization.index();
                let arm = minimization.draw(label)?;
                Ok(Drawn { index, arm })
            }
            State::Clusters(drawn) => {
                let unit = drawn.of(unit.ok_or(NotDrawn::UnknownUnit)?)?;
                Ok(Drawn {
                    index: unit.index,
                    arm: unit.arm,
                })
            }
        }
    }
}
