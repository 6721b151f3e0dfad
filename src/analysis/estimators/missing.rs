//! What missing values could do: bounds and imputation.

use super::{Comparison, Made, as_numbers};
use crate::analysis::columns::Values;
use crate::statistics::catalogue::Asked;
use crate::statistics::missing::{Bounds, Incomplete, impute, lee, manski};
use crate::statistics::{Estimate, Fault, Question};

/// Imputations where the protocol names no number.
const USUAL: u32 = 50;

impl Comparison<'_> {
    /// The rows whose value is due: others are not missing yet.
    fn due(&self) -> impl Iterator<Item = usize> {
        let (dataset, id) = (self.dataset, &self.endpoint.id);
        (0..dataset.rows()).filter(move |row| !dataset.is_immature(id, *row))
    }

    pub(super) fn bounds(&self, id: &str, question: &Question) -> Result<Made, Fault> {
        let values = &self.dataset.endpoints[&self.endpoint.id];
        let numbers = as_numbers(values);
        let (arm, reference) = self.split(&numbers);
        let drawn = |arm: bool| {
            self.due()
                .filter(|row| self.side(*row) == Some(arm))
                .count()
        };
        let answers = ((&arm[..], drawn(true)), (&reference[..], drawn(false)));
        let mut warnings = Vec::new();
        let bounds = if id == "lee_bounds" {
            lee(answers.0, answers.1, question)?
        } else if matches!(values, Values::Binary(_)) {
            manski(answers.0, answers.1, (0.0, 1.0), question)?
        } else {
            let all = || arm.iter().chain(&reference).copied();
            let least = all().fold(f64::INFINITY, f64::min);
            let most = all().fold(f64::NEG_INFINITY, f64::max);
            warnings.push(format!(
                "missing values are taken to lie where the known ones do, from {least} to {most}"
            ));
            manski(answers.0, answers.1, (least, most), question)?
        };
        Ok(told(&bounds, warnings))
    }

    pub(super) fn imputed(&self, asked: &Asked, question: &Question) -> Result<Made, Fault> {
        let values = &self.dataset.endpoints[&self.endpoint.id];
        let m = asked.option.and_then(|m| m.parse().ok()).unwrap_or(USUAL);
        // Everybody in the two arms, with or without a value.
        let rows: Vec<usize> = self.due().filter(|row| self.side(*row).is_some()).collect();
        let mut warnings = Vec::new();
        let covariates = self.covariates_of(&rows, &mut warnings);
        let numbers = as_numbers(values);
        let outcome: Vec<Option<f64>> = rows.iter().map(|row| numbers[*row]).collect();
        let data = Incomplete {
            outcome: &outcome,
            treated: &self.treated(&rows),
            covariates: &covariates,
            binary: matches!(values, Values::Binary(_)),
        };
        let made = impute(&data, m, self.seed, question)?;
        let mut estimate = made.pooled.estimate;
        estimate.warnings.extend(warnings);
        let missing = outcome.iter().filter(|y| y.is_none()).count();
        let measure = if data.binary {
            "risk_difference"
        } else {
            "difference_in_means"
        };
        let with = Made::of(measure, estimate)
            .with("imputations", made.imputations)
            .with("imputed", missing)
            .with("missing_variance_share", made.pooled.fraction_missing);
        Ok(match made.tipping_point {
            Some(delta) => with.with("tipping_point", delta),
            None => with,
        })
    }
}

fn told(bounds: &Bounds, mut warnings: Vec<String>) -> Made {
    warnings.push(
        "the effect lies between the bounds, nothing tells where; the interval holds it, not the bounds"
            .into(),
    );
    let made = Made::of(
        "bounds",
        Estimate {
            limits: Some(bounds.limits),
            warnings,
            ..Estimate::default()
        },
    )
    .with("lower_bound", bounds.lower)
    .with("lower_bound_standard_error", bounds.lower_error)
    .with("upper_bound", bounds.upper)
    .with("upper_bound_standard_error", bounds.upper_error);
    let made = match bounds.trimmed {
        Some(share) => made.with("trimmed_share", share),
        None => made,
    };
    match bounds.by_quantile {
        Some((lower, upper)) => made
            .with("lower_bound_by_quantile", lower)
            .with("upper_bound_by_quantile", upper),
        None => made,
    }
}
