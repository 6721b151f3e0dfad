//! Estimators of times to an event.

use super::{Comparison, Made};
use crate::analysis::document::CurvePoint;
use crate::statistics::catalogue::Asked;
use crate::statistics::regression::{self, Form, Robust};
use crate::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use crate::statistics::survival::{self, Curve, Ended, Limits, Observation, Weights};
use crate::statistics::{Fault, Question};

/// p-value of the test of proportional hazards below which a warning is due.
const DOUBTFUL: f64 = 0.05;

impl Comparison<'_> {
    pub(super) fn time(
        &self,
        asked: &Asked,
        values: &[Option<Observation>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let (arm, reference) = self.split(values);
        let horizon = || {
            self.endpoint
                .horizon_weeks
                .map(f64::from)
                .ok_or(Fault::NoHorizon)
        };
        match asked.entry.id {
            "log_rank" => signed(survival::log_rank_z(
                &[(arm, reference)],
                Weights::default(),
            )?),
            "log_rank_stratified" => {
                let strata: Vec<_> = self.by_stratum(values).into_values().collect();
                signed(survival::log_rank_z(&strata, Weights::default())?)
            }
            "fleming_harrington" => {
                signed(survival::log_rank_z(&[(arm, reference)], weights(asked))?)
            }
            "rmst_difference" => {
                let made = survival::rmst_difference(&arm, &reference, horizon()?, question)?;
                Ok(Made::of("restricted_mean_difference", made))
            }
            "rmst_ratio" => {
                let made = survival::rmst_ratio(&arm, &reference, horizon()?, question)?;
                Ok(Made::of("restricted_mean_ratio", made))
            }
            "rmst_difference_adjusted" => self.adjusted_mean(values, horizon()?, question),
            "cox" | "cox_stratified" | "cox_clustered" => self.cox(asked, values, question),
            "cause_specific_cox" => self.cox(asked, values, question),
            "fine_gray" => self.fine_gray(values, question),
            "gray_test" => {
                let ended = self.ended(values);
                let strata: Vec<_> = self.by_stratum(&ended).into_values().collect();
                Ok(Made::test(survival::gray_test(&strata)?))
            }
            other => Err(Fault::Input(format!("{other} does not take a time"))),
        }
    }

    fn cox(
        &self,
        asked: &Asked,
        values: &[Option<Observation>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let adjusted = self.adjusted(false);
        let rows = &adjusted.rows;
        let observed: Vec<Observation> = rows.iter().filter_map(|row| values[*row]).collect();
        let time: Vec<f64> = observed.iter().map(|o| o.time).collect();
        let event: Vec<bool> = observed.iter().map(|o| o.event).collect();
        let id = asked.entry.id;
        let strata = (id == "cox_stratified").then(|| self.stratum_numbers(rows));
        let clusters = match id {
            "cox_clustered" => Some(self.clusters(rows)?),
            _ => None,
        };
        let plain = ["cause_specific_cox", "cox_clustered"].contains(&id);
        let follow = Follow {
            covariates: if plain { &[] } else { &adjusted.covariates },
            strata: strata.as_deref(),
            clusters: clusters.as_deref(),
            ..Follow::new(&time, &event, &adjusted.treated)
        };
        let ties = asked.option.and_then(Ties::parse).unwrap_or(Ties::Efron);
        let fitted = Cox::fit(&follow, ties)?;
        let robust = clusters.is_some() || asked.option == Some("robust");
        let spread = if robust {
            Spread::Robust
        } else {
            Spread::Model
        };
        let mut estimate = fitted.estimate(spread, question)?;
        if !plain {
            estimate.warnings.extend(adjusted.warnings);
        }
        if let Some(clusters) = &clusters {
            let distinct: std::collections::BTreeSet<&u32> = clusters.iter().collect();
            if distinct.len() < 40 {
                estimate.warnings.push(format!(
                    "{} clusters are few for errors that count on many",
                    distinct.len()
                ));
            }
        }
        let proportionality = fitted.proportionality().ok().map(|(arm, _)| arm);
        if let Some(test) = proportionality
            && test.p_value < DOUBTFUL
        {
            estimate.warnings.push(format!(
                "the hazards are not proportional (p {:.2}): the ratio is a mean over this follow-up",
                test.p_value
            ));
        }
        let made = Made::of("hazard_ratio", estimate)
            .with("wald_chi_square", fitted.wald)
            .with("score_chi_square", fitted.score)
            .with("likelihood_ratio_chi_square", fitted.likelihood_ratio)
            .with("ties", ties.as_str());
        Ok(match proportionality {
            Some(test) => made
                .with("proportional_hazards_chi_square", test.chi_square)
                .with("proportional_hazards_p_value", test.p_value),
            None => made,
        })
    }

    fn adjusted_mean(
        &self,
        values: &[Option<Observation>],
        tau: f64,
        question: &Question,
    ) -> Result<Made, Fault> {
        let adjusted = self.adjusted(true);
        let observed: Vec<Observation> = adjusted
            .rows
            .iter()
            .filter_map(|row| values[*row])
            .collect();
        let pseudo = survival::pseudo_values(&observed, tau)?;
        let sample = adjusted.sample(&pseudo, None);
        let mut made = regression::fit(&sample, Form::Main, Robust::Hc2, question)?;
        made.warnings.extend(adjusted.warnings);
        Ok(Made::of("restricted_mean_difference", made))
    }

    /// How each row's follow-up ended, competing events told apart.
    fn ended(&self, values: &[Option<Observation>]) -> Vec<Option<Ended>> {
        values
            .iter()
            .enumerate()
            .map(|(row, value)| {
                value.map(|value| self.dataset.ended(&self.endpoint.id, row, value))
            })
            .collect()
    }

    fn fine_gray(
        &self,
        values: &[Option<Observation>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let rows = self.rows();
        let all = self.ended(values);
        let ended: Vec<Ended> = rows.iter().filter_map(|row| all[*row]).collect();
        let made = survival::fine_gray(&ended, &self.treated(&rows), &[], question)?;
        Ok(Made::of("subdistribution_hazard_ratio", made))
    }
}

/// A test whose direction is known: fewer events than expected speak for longer times.
fn signed((estimate, z): (crate::statistics::Estimate, f64)) -> Result<Made, Fault> {
    Ok(Made {
        signed: Some(z),
        ..Made::test(estimate)
    })
}

/// rho and gamma of the option, late differences where there is none.
fn weights(asked: &Asked) -> Weights {
    let parsed = asked.option.and_then(|option| {
        let (rho, gamma) = option.split_once(',')?;
        Some(Weights {
            rho: rho.parse().ok()?,
            gamma: gamma.parse().ok()?,
        })
    });
    parsed.unwrap_or(Weights {
        rho: 0.0,
        gamma: 1.0,
    })
}

/// The whole weeks at which curves are told, up to the horizon or the last time (at most 520).
fn weeks(horizon: Option<u32>, last: f64) -> u32 {
    horizon.unwrap_or(last.floor().min(520.0) as u32)
}

/// The Kaplan-Meier curve of one arm: survival at the horizon, the median, and the curve at whole weeks.
pub(in crate::analysis) fn kaplan_meier(
    observations: &[Observation],
    horizon: Option<u32>,
    scale: Limits,
    question: &Question,
) -> Result<Made, Fault> {
    let curve = Curve::of(observations, "reported")?;
    let last = weeks(horizon, curve.last_time());
    let points = (0..=last)
        .map(|week| {
            let point = curve.with_limits(f64::from(week), question.z(), scale);
            CurvePoint {
                time: point.time,
                at_risk: point.at_risk,
                events: point.events,
                survival: Some(point.survival),
                incidence: None,
                lower: point.limits.map(|limits| limits.0),
                upper: point.limits.map(|limits| limits.1),
            }
        })
        .collect();
    Ok(Made {
        estimate: curve.estimate_at(f64::from(last), scale, question),
        measure: Some("survival_probability"),
        median: Some(curve.median()),
        curve: Some(points),
        ..Made::default()
    })
}

/// The cumulative incidence of one arm.
pub(in crate::analysis) fn cumulative_incidence(
    ended: &[Ended],
    horizon: Option<u32>,
    question: &Question,
) -> Result<Made, Fault> {
    let last = weeks(
        horizon,
        ended.iter().fold(0.0, |most, e| f64::max(most, e.time)),
    );
    let times: Vec<f64> = (0..=last).map(f64::from).collect();
    let points = survival::cumulative_incidence(ended, &times)?;
    let told = |point: &survival::Incidence| {
        let limits = survival::incidence_estimate(point, question).limits;
        CurvePoint {
            time: point.time,
            at_risk: point.at_risk,
            events: point.events,
            survival: None,
            incidence: Some(point.incidence),
            lower: limits.map(|limits| limits.0),
            upper: limits.map(|limits| limits.1),
        }
    };
    let at_end = points.last().expect("week 0 at least");
    Ok(Made {
        estimate: survival::incidence_estimate(at_end, question),
        measure: Some("cumulative_incidence"),
        curve: Some(points.iter().map(told).collect()),
        ..Made::default()
    })
}
