//! Binary outcomes across strata: Mantel-Haenszel risk difference and Cochran-Mantel-Haenszel test.
//!
//! Sources: Mantel and Haenszel 1959; Greenland and Robins, Biometrics 41 (1985) 55-68; Sato,
//! Biometrics 45 (1989) 1323-1324, whose variance holds for few large and for many sparse strata.

use super::{Estimate, Fault, Question, proportions::Counts};

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

/// The Cochran-Mantel-Haenszel test of 2 x 2 x K tables, without continuity correction.
pub fn cochran_mantel_haenszel(tables: &[Table]) -> Result<Estimate, Fault> {
    let (tables, warnings) = comparable(tables)?;
    let (mut excess, mut variance) = (0.0, 0.0);
    for table in &tables {
        let (n1, n2) = (table.arm.n as f64, table.reference.n as f64);
        let (n, m) = (n1 + n2, (table.arm.events + table.reference.events) as f64);
        excess += table.arm.events as f64 - n1 * m / n;
        variance += n1 * n2 * m * (n - m) / (n * n * (n - 1.0));
    }
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate {
        warnings,
        ..Estimate::chi_square(excess * excess / variance, 1.0)
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
