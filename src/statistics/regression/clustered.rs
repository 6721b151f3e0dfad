//! Least squares where participants of a cluster are alike: cluster-robust errors.
//!
//! CR2 of Bell and McCaffrey (Survey Methodology 28, 2002, 169-181) with the degrees of freedom of
//! Satterthwaite for the one coefficient, as Pustejovsky and Tipton (Journal of Business and Economic
//! Statistics 36, 2018, 672-683) give them; CR0 without a correction, CR1 times m / (m - 1).
//!
//! The adjustment of a cluster is the inverse root of I - H_gg. H_gg = U U' has the rank of the model
//! at most, and everything that is needed of the root lies in the eigenvectors of U'U: the work grows
//! with the participants, whatever the sizes of the clusters.

use super::least_squares::{EFFECT, Fit};
use super::model::{Form, Model, Sample};
use crate::statistics::linear::{add_square, dot, mirror};
use crate::statistics::{Estimate, Fault, Question};
use nalgebra::{DMatrix, DVector};

/// More columns than this are not fitted: each cluster takes the cube of them.
const MOST_COLUMNS: usize = 120;

/// Clusters of both arms below which a warning is due.
const FEW: usize = 40;

crate::vocabulary! {
    /// How the residuals of a cluster are corrected.
    pub enum ClusterRobust { Cr0 = "cr0", Cr1 = "cr1", Cr2 = "cr2" }
}

/// What one cluster adds.
struct Part {
    /// p_g' e_g, whose square is the cluster's share of the variance.
    score: f64,
    /// |p_g|^2 and U'p_g, of which the degrees of freedom are made.
    length: f64,
    image: DVector<f64>,
}

/// The effect of the arm, with errors that allow for clusters.
///
/// # Errors
/// As [`super::fit`], without clusters, or with fewer than two clusters in an arm.
pub fn fit_clustered(
    sample: &Sample,
    form: Form,
    robust: ClusterRobust,
    question: &Question,
) -> Result<Estimate, Fault> {
    check(sample)?;
    if sample.weights.is_some() {
        return Err(Fault::Input("errors by cluster take no weights".into()));
    }
    let model = Model::new(sample, Some(form))?;
    if model.columns() > MOST_COLUMNS {
        return Err(Fault::Input(format!(
            "a model with {} columns is too wide for errors by cluster: at most {MOST_COLUMNS} are fitted",
            model.columns()
        )));
    }
    let fitted = Fit::of(model)?;
    if fitted.is_exact() {
        return Err(Fault::NoVariation);
    }
    let clusters = fitted.model.clusters.as_deref().unwrap_or_default();
    let mut parts = Vec::new();
    let mut start = 0;
    for group in clusters.chunk_by(|a, b| a == b) {
        parts.push(part(&fitted, start..start + group.len(), robust));
        start += group.len();
    }
    let m = parts.len();
    let correction = match robust {
        ClusterRobust::Cr1 => m as f64 / (m as f64 - 1.0),
        _ => 1.0,
    };
    let variance = correction * parts.iter().map(|part| part.score.powi(2)).sum::<f64>();
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let df = match robust {
        ClusterRobust::Cr2 => satterthwaite(&parts, fitted.model.columns()),
        _ => m as f64 - 1.0,
    };
    let mut made = Estimate::student(fitted.coefficients[EFFECT], variance.sqrt(), df, question);
    if m < FEW {
        made = made.warned(format!(
            "{m} clusters are few: the error rests on {df:.1} degrees of freedom"
        ));
    }
    Ok(made)
}

fn check(sample: &Sample) -> Result<(), Fault> {
    use crate::statistics::{ARM, REFERENCE};
    sample.check()?;
    let clusters = sample.clusters.ok_or(Fault::NoClusters)?;
    for (arm, name) in [(true, ARM), (false, REFERENCE)] {
        let rows = sample
            .treated
            .iter()
            .zip(clusters)
            .filter(|(t, _)| **t == arm);
        let mut seen = rows.map(|(_, cluster)| *cluster);
        let first = seen.next();
        if seen.all(|cluster| Some(cluster) == first) {
            return Err(Fault::FewClusters(name));
        }
    }
    Ok(())
}

fn part(fitted: &Fit, rows: std::ops::Range<usize>, robust: ClusterRobust) -> Part {
    let p = fitted.model.columns();
    // U = X_g L'^-1, so that U U' is the cluster's block of the hat matrix.
    let (mut square, mut scores) = (vec![0.0; p * p], vec![0.0; p]);
    let mut half = vec![0.0; p];
    for row in rows {
        half.copy_from_slice(fitted.model.row(row));
        fitted.factor.halve(&mut half);
        add_square(&mut square, &half, 1.0);
        for (score, u) in scores.iter_mut().zip(&half) {
            *score += u * fitted.residuals[row];
        }
    }
    mirror(&mut square, p);
    let mut unit = vec![0.0; p];
    unit[EFFECT] = 1.0;
    let effect = fitted.factor.half(&unit);
    if robust != ClusterRobust::Cr2 {
        return Part {
            score: dot(&effect, &scores),
            length: 0.0,
            image: DVector::zeros(0),
        };
    }
    let eigen = DMatrix::from_row_slice(p, p, &square).symmetric_eigen();
    let turn = |v: &[f64]| eigen.eigenvectors.transpose() * DVector::from_column_slice(v);
    let (effect, scores) = (turn(&effect), turn(&scores));
    let (mut score, mut length) = (0.0, 0.0);
    let mut image = DVector::zeros(p);
    for (i, share) in eigen.eigenvalues.iter().enumerate() {
        // What the model takes wholly from this cluster leaves no residual: the generalized inverse.
        let rest = 1.0 - share;
        if rest < 1e-10 {
            continue;
        }
        let share = share.max(0.0);
        score += effect[i] * scores[i] / rest.sqrt();
        length += effect[i].powi(2) * share / rest;
        image[i] = effect[i] * share / rest.sqrt();
    }
    Part {
        score,
        length,
        image: &eigen.eigenvectors * image,
    }
}

/// (tr P)^2 / tr(P^2), P the covariances of the clusters' scores when the outcomes are independent
/// with one variance: P_gh = [g = h] |p_g|^2 - w_g'w_h.
fn satterthwaite(parts: &[Part], p: usize) -> f64 {
    let mut crossed = vec![0.0; p * p];
    let (mut trace, mut squares) = (0.0, 0.0);
    for part in parts {
        let image = part.image.as_slice();
        let own = dot(image, image);
        let diagonal = part.length - own;
        trace += diagonal;
        squares += diagonal * diagonal - own * own;
        add_square(&mut crossed, image, 1.0);
    }
    mirror(&mut crossed, p);
    trace * trace / (squares + dot(&crossed, &crossed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_must_be_there_and_at_least_two_in_an_arm() {
        let (y, treated) = ([1.0, 2.0, 4.0, 3.0], [false, false, true, true]);
        let made = |clusters: Option<&[u32]>| {
            let sample = Sample {
                clusters,
                ..Sample::new(&y, &treated)
            };
            let question = Question::two_sided(0.95);
            fit_clustered(&sample, Form::Main, ClusterRobust::Cr2, &question)
        };
        assert_eq!(made(None), Err(Fault::NoClusters));
        assert_eq!(
            made(Some(&[1, 2, 3, 3])),
            Err(Fault::FewClusters(crate::statistics::ARM))
        );
        assert!(made(Some(&[1, 2, 3, 4])).is_ok());
    }
}
