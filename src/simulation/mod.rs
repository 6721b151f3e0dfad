//! The very protocol, run many times over in a made-up world: type I error, power, size, duration, and
//! what early stopping does to estimates and intervals.
//!
//! A simulated trial is enrolled week by week, drawn by the protocol's own method, looked at when the planned
//! share of values is known, and analysed by the primary estimator and the plan of looks that a real trial
//! has. The scenario says what the world is like; the seed and the number of a trial decide everything
//! in it, so that threads change nothing.

mod scenario;
mod summary;
mod trial;
mod truth;

pub use scenario::{Closure, Group, Scenario, ScenarioFault};
pub use summary::{Operating, Share, Simulated};

use crate::analysis::design::Design;
use crate::protocol::Protocol;
use crate::randomization::{Redraw, Seed};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use trial::World;

/// Runs `trials` trials under the null and as many under the scenario's effect; `done` is called after
/// each.
///
/// # Errors
/// Where protocol and scenario do not fit together.
pub fn simulate(
    protocol: &Protocol,
    scenario: &Scenario,
    trials: u32,
    done: impl Fn() + Sync,
) -> Result<Simulated, ScenarioFault> {
    scenario.check(protocol)?;
    let design = Design::of(protocol).map_err(|fault| ScenarioFault(fault.to_string()))?;
    let planned = design
        .sample_size
        .planned
        .map(u64::from)
        .or(design.sample_size.total);
    let size = planned.ok_or_else(|| {
        ScenarioFault("the protocol neither plans a size nor assumes enough to compute one".into())
    })? as usize;
    let most = trial::reach(protocol, size);
    if most > 2_000_000 {
        return Err(ScenarioFault(format!(
            "{most} participants are too many to simulate"
        )));
    }
    let null_effect = truth::effect_at_null(protocol, scenario, size);
    let null = scenario.with_effect(null_effect);
    let run = |scenario: &Scenario, name: &str| {
        let world = World::of(protocol, scenario, &design, size)?;
        let runs = (0..trials)
            .into_par_iter()
            .map(|number| {
                let outcome = world.run(seed(name, number))?;
                done();
                Ok(outcome)
            })
            .collect::<Result<Vec<_>, ScenarioFault>>()?;
        Ok::<_, ScenarioFault>(summary::of(
            &runs,
            scenario.effect,
            world.truth,
            most > size,
        ))
    };
    Ok(Simulated {
        protocol: protocol.id.clone(),
        trials,
        planned: size,
        under_null: run(&null, "null")?,
        under_effect: run(scenario, "effect")?,
        warnings: scenario.warnings(protocol, size),
    })
}

/// The seed of a trial: the same on any machine and any number of threads.
fn seed(name: &str, number: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"lodkast simulation v1\0");
    hash.update(name.as_bytes());
    hash.update(number.to_be_bytes());
    hash.finalize().into()
}

/// Draws the arms of a simulated trial.
fn arms(redraw: &Redraw, seed: [u8; 32]) -> Vec<u8> {
    let mut arms = Vec::new();
    redraw.arms(&Seed::new(seed), &mut arms);
    arms
}
