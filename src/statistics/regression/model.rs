//! The rows and columns of a linear model.

use crate::statistics::linear::sum_rows;
use crate::statistics::{ARM, Fault, REFERENCE, weights};
use rayon::prelude::*;
use std::cmp::Ordering;

/// More columns than this are not fitted: the work grows with their square.
const MOST_COLUMNS: usize = 400;

/// A baseline covariate, one value a participant.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariate {
    pub name: String,
    pub values: Vec<f64>,
}

/// Participants of two arms; all slices are of one length.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    pub outcome: &'a [f64],
    /// Whether the participant is in the arm that is compared with the reference.
    pub treated: &'a [bool],
    pub covariates: &'a [Covariate],
    /// Number of each participant's cluster.
    pub clusters: Option<&'a [u32]>,
    /// How many each participant stands for, above 0; one where there are none.
    pub weights: Option<&'a [f64]>,
}

/// How the covariates enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Main effects: analysis of covariance.
    Main,
    /// Centred and interacted with the arm (Lin, Annals of Applied Statistics 7, 2013, 295-318).
    Interacted,
}

/// A model whose rows stand in an order that the data alone decide, so that no sum depends on the
/// order in which they came.
pub(crate) struct Model {
    pub names: Vec<String>,
    pub rows: usize,
    /// Row-major: intercept, arm, covariates centred and scaled, then their products with the arm. Where
    /// there are weights, rows and values are times their roots: least squares of these is weighted.
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    pub clusters: Option<Vec<u32>>,
    /// Position of each row in the sample.
    pub order: Vec<u32>,
}

impl<'a> Sample<'a> {
    /// Without covariates, clusters or weights.
    pub fn new(outcome: &'a [f64], treated: &'a [bool]) -> Self {
        Self {
            outcome,
            treated,
            covariates: &[],
            clusters: None,
            weights: None,
        }
    }
}

impl Sample<'_> {
    /// Checks lengths, values and arms.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let n = self.outcome.len();
        let other = self.covariates.iter().any(|c| c.values.len() != n)
            || self.clusters.is_some_and(|clusters| clusters.len() != n)
            || self.weights.is_some_and(|weights| weights.len() != n);
        if self.treated.len() != n || other {
            return Err(Fault::Lengths);
        }
        let mut values = self
            .covariates
            .iter()
            .flat_map(|c| &c.values)
            .chain(self.outcome);
        if values.any(|value| !value.is_finite()) {
            return Err(Fault::NotFinite);
        }
        weights::check(self.weights.unwrap_or_default())?;
        for (arm, name) in [(true, ARM), (false, REFERENCE)] {
            match self
                .treated
                .iter()
                .filter(|treated| **treated == arm)
                .count()
            {
                0 => return Err(Fault::EmptyArm(name)),
                1 => return Err(Fault::TooFew(name)),
                _ => {}
            }
        }
        Ok(())
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        self.treated[a]
            .cmp(&self.treated[b])
            .then_with(|| self.outcome[a].total_cmp(&self.outcome[b]))
            .then_with(|| {
                let differs = self
                    .covariates
                    .iter()
                    .map(|c| c.values[a].total_cmp(&c.values[b]));
                differs
                    .into_iter()
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            })
            .then_with(|| self.weight(a).total_cmp(&self.weight(b)))
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// The rows in their canonical order; clusters stay together, where there are any.
    fn order(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.outcome.len() as u32).collect();
        order.par_sort_unstable_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let by_cluster = self.clusters.map_or(Ordering::Equal, |c| c[a].cmp(&c[b]));
            by_cluster.then_with(|| self.compare(a, b))
        });
        order
    }
}

impl Model {
    /// The covariates enter by `form`; without one the arm has no column.
    pub fn new(sample: &Sample, form: Option<Form>) -> Result<Self, Fault> {
        sample.check()?;
        let covariates = sample.covariates;
        let (n, k) = (sample.outcome.len(), covariates.len());
        let first = if form.is_none() { 1 } else { 2 };
        let interacted = form == Some(Form::Interacted);
        let p = first + if interacted { 2 * k } else { k };
        if p > MOST_COLUMNS {
            return Err(Fault::Wide(p));
        }
        if n <= p {
            return Err(Fault::FewRows {
                rows: n,
                columns: p,
            });
        }
        let order = sample.order();
        let (means, scales) = centre(sample, &order)?;
        let mut names = vec!["the intercept".to_owned()];
        names.extend((first == 2).then(|| "the arm".to_owned()));
        names.extend(covariates.iter().map(|c| c.name.clone()));
        if interacted {
            names.extend(
                covariates
                    .iter()
                    .map(|c| format!("{} within an arm", c.name)),
            );
        }
        let mut x = vec![0.0; n * p];
        x.par_chunks_mut(p)
            .zip(order.par_iter())
            .for_each(|(x, row)| {
                let row = *row as usize;
                let root = sample.weight(row).sqrt();
                let treated = f64::from(u8::from(sample.treated[row]));
                x[0] = root;
                if first == 2 {
                    x[1] = root * treated;
                }
                for (j, covariate) in covariates.iter().enumerate() {
                    let value = root * (covariate.values[row] - means[j]) / scales[j];
                    x[first + j] = value;
                    if interacted {
                        x[first + k + j] = treated * value;
                    }
                }
            });
        Ok(Self {
            names,
            rows: n,
            x,
            y: order
                .iter()
                .map(|row| *row as usize)
                .map(|row| sample.weight(row).sqrt() * sample.outcome[row])
                .collect(),
            clusters: sample
                .clusters
                .map(|clusters| order.iter().map(|row| clusters[*row as usize]).collect()),
            order,
        })
    }

    pub fn columns(&self) -> usize {
        self.names.len()
    }

    pub fn row(&self, row: usize) -> &[f64] {
        let p = self.columns();
        &self.x[row * p..(row + 1) * p]
    }
}

/// Mean and standard deviation of each covariate, by the weights. The scale changes no estimate, but keeps the sums
/// of products near one size.
fn centre(sample: &Sample, order: &[u32]) -> Result<(Vec<f64>, Vec<f64>), Fault> {
    let (n, k) = (order.len(), sample.covariates.len());
    let value = |row: usize, j: usize| sample.covariates[j].values[order[row] as usize];
    let weight = |row: usize| sample.weight(order[row] as usize);
    let total = sum_rows(n, 1, |rows, sums| {
        rows.for_each(|row| sums[0] += weight(row))
    })[0];
    let mut means = sum_rows(n, k, |rows, sums| {
        rows.for_each(|row| {
            sums.iter_mut()
                .enumerate()
                .for_each(|(j, s)| *s += weight(row) * value(row, j))
        });
    });
    means.iter_mut().for_each(|mean| *mean /= total);
    let squares = sum_rows(n, k, |rows, sums| {
        for row in rows {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum += weight(row) * (value(row, j) - means[j]).powi(2);
            }
        }
    });
    let mut scales = Vec::with_capacity(k);
    for (j, squares) in squares.into_iter().enumerate() {
        let scale = (squares / total).sqrt();
        // A constant leaves nothing but the rounding of its mean.
        if scale <= 1e-13 * means[j].abs() || scale == 0.0 {
            return Err(Fault::Constant(sample.covariates[j].name.clone()));
        }
        scales.push(scale);
    }
    Ok((means, scales))
}
