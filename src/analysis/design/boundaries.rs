//! From the protocol's looks to the plan of their boundaries.

use crate::protocol::{self, Looks, Protocol};
use crate::statistics::sequential::{Boundaries, Futility, Plan, PlanFault, Spending, shapes};

/// Power for which a size is computed where the protocol names none, and type II error of futility.
const USUAL_POWER: f64 = 0.9;

/// Boundary of Haybittle and Peto before the last look, where the protocol names none.
const USUAL_INTERIM: f64 = 3.0;

/// The power that is planned: named, else what is left of beta, else the usual one.
pub(in crate::analysis) fn planned_power(protocol: &Protocol) -> f64 {
    let named = protocol.sample_size.as_ref().and_then(|size| size.power);
    let beta = protocol
        .analysis
        .looks
        .as_ref()
        .and_then(|looks| looks.beta);
    named.or(beta.map(|beta| 1.0 - beta)).unwrap_or(USUAL_POWER)
}

/// The plan of boundaries in the direction of success; without looks, one at the end.
pub(super) fn plan(
    looks: Option<&Looks>,
    alpha: f64,
    symmetric: bool,
    power: f64,
) -> Result<Plan, PlanFault> {
    let spending = match looks {
        Some(looks) => spending_of(looks, alpha, symmetric)?,
        None => Spending::ObrienFleming,
    };
    let planned = looks.filter(|looks| looks.futility != protocol::Futility::None && !symmetric);
    Ok(Plan {
        information: looks.map_or_else(|| vec![1.0], |looks| looks.information.clone()),
        alpha,
        symmetric,
        futility: planned.map(|looks| Futility {
            beta: 1.0 - power,
            spending: spending.clone(),
            binding: looks.futility == protocol::Futility::BindingBeta,
        }),
        spending,
    })
}

/// How the plan spends its error; shapes of boundaries by what they spend at the planned looks.
pub(in crate::analysis) fn spending_of(
    looks: &Looks,
    alpha: f64,
    symmetric: bool,
) -> Result<Spending, PlanFault> {
    use crate::protocol::Spending as Named;
    Ok(match looks.spending {
        Named::ObrienFleming => Spending::ObrienFleming,
        Named::Pocock => Spending::Pocock,
        Named::HwangShihDecani => Spending::HwangShihDecani {
            gamma: looks.gamma.unwrap_or_default(),
        },
        Named::Power => Spending::Power {
            rho: looks.rho.unwrap_or(1.0),
        },
        Named::WangTsiatis => {
            let delta = looks.delta.unwrap_or_default();
            shapes::wang_tsiatis(&looks.information, alpha, symmetric, delta)?
        }
        Named::HaybittlePeto => {
            let z = looks.z.unwrap_or(USUAL_INTERIM);
            shapes::haybittle_peto(&looks.information, alpha, symmetric, z)?
        }
    })
}

/// The error spent up to each of these looks; `ends` says that the last of them spends all that is left, wherever
/// it stands.
pub(in crate::analysis) fn spent(looks: &Looks, plan: &Plan, ends: bool) -> Vec<f64> {
    let (times, alpha) = (&plan.information, plan.alpha);
    if looks.spending == protocol::Spending::HaybittlePeto {
        let z = looks.z.unwrap_or(USUAL_INTERIM);
        return shapes::haybittle_peto_spent(times, alpha, plan.symmetric, z, ends);
    }
    let last = times.len() - 1;
    let at = |(j, t): (usize, &f64)| {
        plan.spending
            .spent(alpha, if ends && j == last { 1.0 } else { *t })
    };
    times.iter().enumerate().map(at).collect()
}

/// The boundary of harm at these fractions: as far on the other side as its own error asks for, success not
/// counted on it.
pub(in crate::analysis) fn harm(
    looks: &Looks,
    information: &[f64],
    harm: f64,
    ends: bool,
) -> Result<Vec<f64>, PlanFault> {
    let plan = Plan {
        information: information.to_vec(),
        alpha: harm,
        spending: spending_of(looks, harm, false)?,
        symmetric: false,
        futility: None,
    };
    let found = Boundaries::spending(&plan, &spent(looks, &plan, ends))?;
    Ok(found.upper.into_iter().map(|z| -z).collect())
}
