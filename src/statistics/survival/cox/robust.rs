//! Score residuals, and the variance that they make.

use super::fit::Cox;
use super::likelihood::pass;
use crate::statistics::linear::dot;
use std::collections::BTreeMap;

impl Cox {
    /// The variance of the arm's coefficient from the residuals D = L I^-1, summed within clusters.
    pub(super) fn robust_variance(&self) -> f64 {
        let residuals = self.influence();
        let sums: Vec<f64> = match &self.rows.cluster {
            None => residuals,
            Some(clusters) => {
                let mut by_cluster: BTreeMap<u32, f64> = BTreeMap::new();
                for (cluster, residual) in clusters.iter().zip(residuals) {
                    *by_cluster.entry(*cluster).or_default() += residual;
                }
                by_cluster.into_values().collect()
            }
        };
        crate::statistics::stable_sum(sums.into_iter().map(|sum| sum * sum))
    }

    /// By how much each row moves the arm's coefficient: its score residual times the row of the
    /// inverse information. The exact method has none of its own and takes Breslow's.
    fn influence(&self) -> Vec<f64> {
        let rows = &self.rows;
        let p = rows.columns();
        let ties = if self.ties == super::Ties::Exact {
            super::Ties::Breslow
        } else {
            self.ties
        };
        let pass = pass(rows, &self.coefficients, ties, &[]);
        let mut unit = vec![0.0; p];
        unit[0] = 1.0;
        let direction = self.factor.solve(&unit);
        // Projected on the one direction that is needed, all sums over times are of single numbers.
        let along = |means: &[f64], t: usize| dot(&means[t * p..(t + 1) * p], &direction);
        let mut running = vec![0.0];
        for t in 0..rows.times.len() {
            running.push(running[t] + along(&pass.means.others, t));
        }
        let met = pass.met(rows, |_| 1.0);
        let mut influence: Vec<f64> = (0..rows.time.len())
            .map(|row| {
                let times = &rows.at_risk[row];
                let weight = pass.weights[row];
                let own = dot(rows.row(row), &direction);
                let event = rows.weight(row) * f64::from(u8::from(rows.event[row]));
                let passed = running[times.end as usize] - running[times.start as usize];
                own * (event - weight * met[row]) + weight * passed
            })
            .collect();
        for (t, at) in rows.times.iter().enumerate() {
            let cases: f64 = at.events.clone().map(|row| rows.weight(row)).sum();
            let mean = along(&pass.means.events, t) / cases;
            let change = along(&pass.means.own, t) - along(&pass.means.others, t);
            for row in at.events.clone() {
                influence[row] += pass.weights[row] * change - rows.weight(row) * mean;
            }
        }
        influence
    }
}
