//! Binary outcomes across strata: Mantel-Haenszel's risk difference, risk ratio and odds ratio, the
//! Cochran-Mantel-Haenszel test, and the test of one common odds ratio.
//!
//! Sources: Mantel and Haenszel 1959; Greenland and Robins, Biometrics 41 (1985) 55-68 (risk ratio);
//! Sato, Biometrics 45 (1989) 1323-1324 (difference); Robins, Breslow and Greenland, Biometrics 42
//! (1986) 311-323 (odds ratio): their variances hold for few large and for many sparse strata. Breslow
//! and Day 1980; Tarone, Biometrika 72 (1985) 91-95.

use super::distributions::normal_p;
use super::proportions::{Counts, constrained_variance};
use super::roots::bisect;
use super::{ARM, Estimate, Fault, Question, REFERENCE, Statistic, StatisticName};

/// The two arms of one stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Table {
    pub arm: Counts,
    pub reference: Counts,
}

impl Table {
    fn comparable(&self) -> bool {
        self.arm.n > 0 && self.reference.n > 0
    }
}

/// The strata with both arms, and a warning that counts who is lost with the others.
fn comparable(tables: &[Table]) -> Result<(Vec<Table>, Vec<String>), Fault> {
    let used: Vec<Table> = tables.iter().copied().filter(Table::comparable).collect();
    if used.is_empty() {
        return Err(Fault::NoCommonStratum);
    }
    let lost: u64 = tables
        .iter()
        .filter(|table| !table.comparable())
        .map(|table| table.arm.n + table.reference.n)
        .sum();
    Ok((used, lost_warning(lost)))
}

/// The warning that counts participants of strata with one arm only.
pub(crate) fn lost_warning(lost: u64) -> Vec<String> {
    let text = format!("{lost} participants of strata that hold one arm only contribute nothing");
    if lost > 0 { vec![text] } else { Vec::new() }
}

/// The Mantel-Haenszel risk difference with Sato's variance.
///
/// Estimates a risk difference common to the strata, weights n1 n2 / N.
pub fn mantel_haenszel(tables: &[Table], question: &Question) -> Result<Estimate, Fault> {
    let (tables, warnings) = comparable(tables)?;
    let (mut weighted, mut weights, mut p, mut q) = (0.0, 0.0, 0.0, 0.0);
    for table in &tables {
        let (a, n1) = (table.arm.events as f64, table.arm.n as f64);
        let (c, n2) = (table.reference.events as f64, table.reference.n as f64);
        let n = n1 + n2;
        weighted += a * n2 / n - c * n1 / n;
        weights += n1 * n2 / n;
        p += c * (n1 / n).powi(2) - a * (n2 / n).powi(2) + n1 * n2 * (n2 - n1) / (2.0 * n * n);
        q += (a * (n2 - c) + c * (n1 - a)) / (2.0 * n);
    }
    let difference = weighted / weights;
    // Zero, or below it by rounding, where all or none had the event.
    let variance = (difference * p + q) / (weights * weights);
    if variance <= f64::EPSILON * f64::EPSILON {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate {
        warnings,
        ..Estimate::normal(difference, variance.sqrt(), question)
    })
}

/// The four cells of a table: events and others of the arm, then of the reference.
fn cells(table: &Table) -> (f64, f64, f64, f64) {
    let (a, n1) = (table.arm.events as f64, table.arm.n as f64);
    let (c, n2) = (table.reference.events as f64, table.reference.n as f64);
    (a, n1 - a, c, n2 - c)
}

/// The Mantel-Haenszel risk ratio with Greenland and Robins' variance.
///
/// Estimates a risk ratio common to the strata.
pub fn mantel_haenszel_risk_ratio(
    tables: &[Table],
    question: &Question,
) -> Result<Estimate, Fault> {
    let (tables, warnings) = comparable(tables)?;
    let (mut r, mut s, mut p) = (0.0, 0.0, 0.0);
    for table in &tables {
        let (a, b, c, d) = cells(table);
        let (n1, n2) = (a + b, c + d);
        let n = n1 + n2;
        r += a * n2 / n;
        s += c * n1 / n;
        p += ((a + c) * n1 * n2 - a * c * n) / (n * n);
    }
    if r == 0.0 || s == 0.0 {
        return Err(Fault::EmptyCell(if r == 0.0 { ARM } else { REFERENCE }));
    }
    if p <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate {
        warnings,
        ..Estimate::log_normal(r / s, (p / (r * s)).sqrt(), question)
    })
}

/// The sums of the Mantel-Haenszel odds ratio: R and S of each table, added up.
fn odds_sums(tables: &[Table]) -> (f64, f64) {
    tables.iter().fold((0.0, 0.0), |(r, s), table| {
        let (a, b, c, d) = cells(table);
        let n = a + b + c + d;
        (r + a * d / n, s + b * c / n)
    })
}

/// The Mantel-Haenszel odds ratio with the variance of Robins, Breslow and Greenland.
///
/// Estimates an odds ratio common to the strata.
pub fn mantel_haenszel_odds_ratio(
    tables: &[Table],
    question: &Question,
) -> Result<Estimate, Fault> {
    let (tables, warnings) = comparable(tables)?;
    let (r, s) = odds_sums(&tables);
    if r == 0.0 || s == 0.0 {
        return Err(Fault::EmptyCell(if r == 0.0 { ARM } else { REFERENCE }));
    }
    let variance: f64 = tables
        .iter()
        .map(|table| {
            let (a, b, c, d) = cells(table);
            let n = a + b + c + d;
            let (p, q) = ((a + d) / n, (b + c) / n);
            let (ri, si) = (a * d / n, b * c / n);
            p * ri / (2.0 * r * r) + (p * si + q * ri) / (2.0 * r * s) + q * si / (2.0 * s * s)
        })
        .sum();
    Ok(Estimate {
        warnings,
        ..Estimate::log_normal(r / s, variance.sqrt(), question)
    })
}

/// Breslow and Day's test that the strata have one odds ratio, with Tarone's correction for having
/// estimated it by Mantel and Haenszel. Strata without an event, or in which all have it, say nothing.
pub fn breslow_day_tarone(tables: &[Table]) -> Result<Estimate, Fault> {
    let (tables, mut warnings) = comparable(tables)?;
    let (r, s) = odds_sums(&tables);
    if r == 0.0 || s == 0.0 {
        return Err(Fault::EmptyCell(if r == 0.0 { ARM } else { REFERENCE }));
    }
    let (mut sum, mut excess, mut variances, mut strata) = (0.0, 0.0, 0.0, 0_u32);
    for table in &tables {
        let (a, b, c, d) = cells(table);
        let (n1, n2, m) = (a + b, c + d, a + c);
        if m == 0.0 || m == n1 + n2 {
            continue;
        }
        let expected = fitted(n1, n2, m, r / s);
        let variance = 1.0
            / (1.0 / expected
                + 1.0 / (m - expected)
                + 1.0 / (n1 - expected)
                + 1.0 / (n2 - m + expected));
        sum += (a - expected).powi(2) / variance;
        excess += a - expected;
        variances += variance;
        strata += 1;
    }
    if strata < 2 {
        return Err(Fault::FewStrata);
    }
    let skipped = tables.len() as u32 - strata;
    if skipped > 0 {
        warnings.push(format!(
            "{skipped} strata in which nobody or everybody has the event say nothing"
        ));
    }
    let statistic = sum - excess * excess / variances;
    Ok(Estimate {
        warnings,
        ..Estimate::chi_square(statistic, f64::from(strata - 1))
    })
}

/// The events of the arm that go with an odds ratio, the margins being given: the root of a
/// quadratic that lies within them.
fn fitted(n1: f64, n2: f64, m: f64, odds_ratio: f64) -> f64 {
    if (odds_ratio - 1.0).abs() < 1e-12 {
        return n1 * m / (n1 + n2);
    }
    let a = 1.0 - odds_ratio;
    let b = n2 - m + odds_ratio * (n1 + m);
    let c = -odds_ratio * n1 * m;
    // The form that does not cancel: b is above 0.
    let root = (b * b - 4.0 * a * c).sqrt();
    -2.0 * c / (b + root)
}

/// The Cochran-Mantel-Haenszel test of 2 x 2 x K tables, without continuity correction.
pub fn cochran_mantel_haenszel(tables: &[Table]) -> Result<Estimate, Fault> {
    cochran_mantel_haenszel_z(tables).map(|(made, _)| made)
}

/// The same with z: above 0 where the arm has more events than expected.
pub fn cochran_mantel_haenszel_z(tables: &[Table]) -> Result<(Estimate, f64), Fault> {
    let (tables, warnings) = comparable(tables)?;
    let (mut excess, mut variance) = (0.0, 0.0);
    for table in &tables {
        let (n1, n2) = (table.arm.n as f64, table.reference.n as f64);
        let (n, m) = (n1 + n2, (table.arm.events + table.reference.events) as f64);
        excess += table.arm.events as f64 - n1 * m / n;
        if n > 1.0 {
            variance += n1 * n2 * m * (n - m) / (n * n * (n - 1.0));
        }
    }
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let made = Estimate {
        warnings,
        ..Estimate::chi_square(excess * excess / variance, 1.0)
    };
    Ok((made, excess / variance.sqrt()))
}

/// The stratified score interval of a risk difference, with Mantel-Haenszel weights w = n1 n2 / N.
///
/// z(d) = sum w (p1 - p2 - d) over the root of sum w^2 V(d), V each stratum's variance at the risks that
/// are likeliest under the difference d, times N/(N - 1) (Miettinen and Nurminen 1985; the weights are
/// not their iterated ones).
pub fn miettinen_nurminen(tables: &[Table], question: &Question) -> Result<Estimate, Fault> {
    let (tables, warnings) = comparable(tables)?;
    let weights: Vec<f64> = tables
        .iter()
        .map(|table| {
            let (n1, n2) = (table.arm.n as f64, table.reference.n as f64);
            n1 * n2 / (n1 + n2)
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let over = |value: &dyn Fn(&Table) -> f64, power: i32| -> f64 {
        let parts = tables.iter().zip(&weights);
        parts
            .map(|(table, w)| (w / total).powi(power) * value(table))
            .sum()
    };
    let estimate = over(&|table| table.arm.share() - table.reference.share(), 1);
    let variance = |d: f64| {
        over(
            &|table| constrained_variance(table.arm, table.reference, d),
            2,
        )
    };
    let score = |d: f64| match (estimate - d, variance(d)) {
        (0.0, _) => 0.0,
        (distance, variance) if variance <= 0.0 => distance.signum() * f64::MAX,
        (distance, variance) => distance / variance.sqrt(),
    };
    let z = question.z();
    let limits = (
        bisect(-1.0, estimate, |d| score(d) - z),
        bisect(estimate, 1.0, |d| score(d) + z),
    );
    let at_null = score(question.null);
    if at_null.abs() == f64::MAX {
        return Err(Fault::NoVariation);
    }
    let unpooled = over(
        &|table| {
            let part = |counts: Counts| counts.share() * (1.0 - counts.share()) / counts.n as f64;
            part(table.arm) + part(table.reference)
        },
        2,
    );
    Ok(Estimate {
        estimate: Some(estimate),
        standard_error: Some(unpooled.sqrt()),
        limits: Some(limits),
        statistic: Some(Statistic {
            name: StatisticName::Z,
            value: at_null,
            df: None,
            denominator_df: None,
        }),
        p_value: Some(normal_p(at_null, question.alternative)),
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(a: u64, n1: u64, c: u64, n2: u64) -> Table {
        Table {
            arm: Counts { events: a, n: n1 },
            reference: Counts { events: c, n: n2 },
        }
    }

    /// The BCG vaccine trials (Colditz et al. 1994; `dat.bcg` of R metafor): tuberculosis among the
    /// vaccinated and among the controls.
    pub(super) fn bcg() -> Vec<Table> {
        [
            (4, 123, 11, 139),
            (6, 306, 29, 303),
            (3, 231, 11, 220),
            (62, 13598, 248, 12867),
            (33, 5069, 47, 5808),
            (180, 1541, 372, 1451),
            (8, 2545, 10, 629),
            (505, 88391, 499, 88391),
            (29, 7499, 45, 7277),
            (17, 1716, 65, 1665),
            (186, 50634, 141, 27338),
            (5, 2498, 3, 2341),
            (27, 16913, 29, 17854),
        ]
        .map(|(a, n1, c, n2)| table(a, n1, c, n2))
        .to_vec()
    }

    #[test]
    fn the_risk_difference_of_the_bcg_trials_is_that_of_metafor() {
        let found = mantel_haenszel(&bcg(), &Question::two_sided(0.95)).unwrap();
        // R metafor rma.mh(measure = "RD"), printed digits: half a unit of the last one.
        assert!(
            (found.estimate.unwrap() - -0.00328818).abs() < 0.5e-8,
            "{found:?}"
        );
        assert!(
            (found.standard_error.unwrap() - 0.000286657).abs() < 0.5e-9,
            "{found:?}"
        );
    }

    #[test]
    fn the_ratios_of_the_bcg_trials_are_those_of_metafor() {
        // R metafor rma.mh(measure = "RR") and "OR": log ratio and its standard error, as printed.
        let question = Question {
            null: 1.0,
            ..Question::two_sided(0.95)
        };
        for (made, log, error) in [
            (
                mantel_haenszel_risk_ratio(&bcg(), &question),
                -0.453710,
                0.0393374,
            ),
            (
                mantel_haenszel_odds_ratio(&bcg(), &question),
                -0.473411,
                0.0410078,
            ),
        ] {
            let made = made.unwrap();
            assert!(
                (made.estimate.unwrap().ln() - log).abs() < 0.5e-6,
                "{made:?}"
            );
            assert!(
                (made.standard_error.unwrap() - error).abs() < 0.5e-7,
                "{made:?}"
            );
        }
    }

    #[test]
    fn the_test_of_the_berkeley_admissions_is_that_of_r() {
        // UCBAdmissions: men and women admitted by department; mantelhaen.test(correct = FALSE).
        let tables = [
            table(512, 825, 89, 108),
            table(353, 560, 17, 25),
            table(120, 325, 202, 593),
            table(138, 417, 131, 375),
            table(53, 191, 94, 393),
            table(22, 373, 24, 341),
        ];
        let statistic = cochran_mantel_haenszel(&tables).unwrap().statistic.unwrap();
        assert!((statistic.value - 1.52461).abs() < 0.5e-5, "{statistic:?}");
    }

    #[test]
    fn a_stratum_with_one_arm_is_counted_and_changes_nothing() {
        let mut tables = vec![table(3, 10, 5, 12), table(4, 9, 2, 8)];
        let before = mantel_haenszel(&tables, &Question::two_sided(0.95)).unwrap();
        tables.push(table(2, 7, 0, 0));
        let after = mantel_haenszel(&tables, &Question::two_sided(0.95)).unwrap();
        assert_eq!(
            (before.estimate, before.standard_error),
            (after.estimate, after.standard_error)
        );
        assert_eq!(
            after.warnings,
            ["7 participants of strata that hold one arm only contribute nothing"]
        );
        assert_eq!(
            cochran_mantel_haenszel(&[table(2, 7, 0, 0)]),
            Err(Fault::NoCommonStratum)
        );
    }

    /// The example of R's lrstat: all printed digits.
    #[test]
    fn the_stratified_score_interval_is_that_of_lrstat() {
        let tables = [table(4, 10, 2, 20), table(3, 10, 0, 10)];
        let made = miettinen_nurminen(&tables, &Question::two_sided(0.95)).unwrap();
        let (lower, upper) = made.limits.unwrap();
        assert!((made.estimate.unwrap() - 0.3).abs() < 1e-12, "{made:?}");
        assert!(
            (lower - 0.0825).abs() < 0.5e-4 && (upper - 0.5321).abs() < 0.5e-4,
            "{made:?}"
        );
    }

    #[test]
    fn one_stratum_has_the_plain_score_interval() {
        let question = Question::two_sided(0.95);
        let one = table(9, 10, 3, 10);
        let plain =
            crate::statistics::proportions::miettinen_nurminen(one.arm, one.reference, &question);
        let made = miettinen_nurminen(&[one], &question).unwrap();
        let (a, b) = (made.limits.unwrap(), plain.unwrap().limits.unwrap());
        assert!((a.0 - b.0).abs() < 1e-12 && (a.1 - b.1).abs() < 1e-12);
    }

    #[test]
    fn one_odds_ratio_alone_cannot_differ() {
        let one = [table(3, 10, 5, 12), table(0, 4, 0, 5)];
        assert_eq!(breslow_day_tarone(&one), Err(Fault::FewStrata));
    }

    #[test]
    fn no_events_at_all_is_named() {
        assert_eq!(
            cochran_mantel_haenszel(&[table(0, 5, 0, 5)]),
            Err(Fault::NoVariation)
        );
        let question = Question::two_sided(0.95);
        assert_eq!(
            mantel_haenszel(&[table(0, 5, 0, 5)], &question),
            Err(Fault::NoVariation)
        );
    }
}
