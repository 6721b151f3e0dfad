//! Several hypotheses at once: adjusted p-values.
//!
//! An adjusted p-value is the smallest total error at which its hypothesis is rejected. Bonferroni, Holm
//! (Scandinavian Journal of Statistics 6, 1979), Hochberg (Biometrika 75, 1988), Hommel (Biometrika 75, 1988),
//! Benjamini and Hochberg (JRSS B 57, 1995; the false discovery rate), fixed sequence, and the graphs of
//! Bretz, Maurer, Brannath and Posch (Statistics in Medicine 28, 2009, 586-604, algorithm 2).

use super::Fault;

crate::vocabulary! {
    /// How p-values are adjusted.
    pub enum Method {
        Bonferroni = "bonferroni",
        Holm = "holm",
        Hochberg = "hochberg",
        Hommel = "hommel",
        BenjaminiHochberg = "benjamini_hochberg",
        FixedSequence = "fixed_sequence",
    }
}

/// The adjusted p-values, in the order given.
pub fn adjust(p: &[f64], method: Method) -> Result<Vec<f64>, Fault> {
    check(p)?;
    let n = p.len() as f64;
    let capped = |values: Vec<f64>| values.into_iter().map(|v| v.min(1.0)).collect();
    Ok(match method {
        Method::Bonferroni => capped(p.iter().map(|p| n * p).collect()),
        Method::Holm => capped(step_down(p, |i| n - i as f64)),
        Method::Hochberg => capped(step_up(p, |i| n - i as f64)),
        Method::BenjaminiHochberg => capped(step_up(p, |i| n / (i as f64 + 1.0))),
        Method::Hommel => hommel(p),
        Method::FixedSequence => {
            let so_far = p.iter().scan(0.0_f64, |most, p| {
                *most = most.max(*p);
                Some(*most)
            });
            so_far.collect()
        }
    })
}

fn check(p: &[f64]) -> Result<(), Fault> {
    if p.iter().all(|p| (0.0..=1.0).contains(p)) {
        Ok(())
    } else {
        Err(Fault::Input(
            "a p-value does not lie between 0 and 1".into(),
        ))
    }
}

/// Positions by rising p-value.
fn ranked(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    order
}

/// The largest so far of the p-values times their factors, from the smallest up.
fn step_down(p: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut most = 0.0_f64;
    for (rank, i) in ranked(p).into_iter().enumerate() {
        most = most.max(factor(rank) * p[i]);
        adjusted[i] = most;
    }
    adjusted
}

/// The smallest so far, from the largest down.
fn step_up(p: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut least = f64::INFINITY;
    for (rank, i) in ranked(p).into_iter().enumerate().rev() {
        least = least.min(factor(rank) * p[i]);
        adjusted[i] = least;
    }
    adjusted
}

/// Hommel's procedure as Wright (Biometrics 48, 1992) computes it: for each size m of a subset its Simes
/// p-value bounds all others.
fn hommel(p: &[f64]) -> Vec<f64> {
    let n = p.len();
    let order = ranked(p);
    let sorted: Vec<f64> = order.iter().map(|i| p[*i]).collect();
    let mut adjusted = sorted.clone();
    for m in (2..=n).rev() {
        // The m - 1 largest share one bound; the others take it or m times themselves.
        let split = n - m + 1;
        let largest = (split..n).map(|i| m as f64 * sorted[i] / (i - split + 2) as f64);
        let bound = largest.fold(f64::INFINITY, f64::min);
        for (i, value) in adjusted.iter_mut().enumerate() {
            let own = if i < split {
                bound.min(m as f64 * sorted[i])
            } else {
                bound
            };
            *value = value.max(own);
        }
    }
    let mut given = vec![0.0; n];
    for (i, value) in order.into_iter().zip(adjusted) {
        given[i] = value.min(1.0);
    }
    given
}

/// A graph of hypotheses: shares of the error, and how the share of a rejected one is handed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub weights: Vec<f64>,
    /// Row-major; row i tells where the weight of hypothesis i goes.
    pub transitions: Vec<f64>,
}

impl Graph {
    /// Checks shapes and sums.
    pub fn new(mut weights: Vec<f64>, mut transitions: Vec<f64>) -> Result<Self, Fault> {
        let n = weights.len();
        let fault = |text: &str| Err(Fault::Input(text.into()));
        if transitions.len() != n * n {
            return Err(Fault::Lengths);
        }
        let share = |v: &f64| (0.0..=1.0).contains(v);
        if !weights.iter().chain(&transitions).all(share) {
            return fault("a weight of the graph does not lie between 0 and 1");
        }
        if weights.iter().sum::<f64>() > 1.0 + 1e-9 {
            return fault("the weights of the hypotheses sum to more than 1");
        }
        for i in 0..n {
            let row = &transitions[i * n..(i + 1) * n];
            if row[i] != 0.0 || row.iter().sum::<f64>() > 1.0 + 1e-9 {
                return fault("a hypothesis hands on more than its weight, or hands it to itself");
            }
        }
        // Thirds do not sum to 1: what is above it by rounding is taken off.
        for row in std::iter::once(&mut weights[..]).chain(transitions.chunks_mut(n.max(1))) {
            let sum: f64 = row.iter().sum();
            if sum > 1.0 {
                row.iter_mut().for_each(|share| *share /= sum);
            }
        }
        Ok(Self {
            weights,
            transitions,
        })
    }

    /// Adjusted p-values: hypotheses leave in the order of p over weight, handing on their weights.
    pub fn adjust(&self, p: &[f64]) -> Result<Vec<f64>, Fault> {
        check(p)?;
        let n = self.weights.len();
        if p.len() != n {
            return Err(Fault::Lengths);
        }
        let (mut weights, mut graph) = (self.weights.clone(), self.transitions.clone());
        let mut left: Vec<usize> = (0..n).collect();
        let (mut adjusted, mut most) = (vec![1.0; n], 0.0_f64);
        while !left.is_empty() {
            let of = |i: &usize| match (p[*i], weights[*i]) {
                (p, _) if p == 0.0 && weights[*i] > 0.0 => 0.0,
                (p, w) if w > 0.0 => p / w,
                _ => f64::INFINITY,
            };
            let first = left
                .iter()
                .copied()
                .min_by(|a, b| of(a).total_cmp(&of(b)))
                .expect("some are left");
            if of(&first).is_infinite() {
                break;
            }
            most = most.max(of(&first));
            adjusted[first] = most.min(1.0);
            left.retain(|i| *i != first);
            hand_on(&mut weights, &mut graph, &left, first);
        }
        Ok(adjusted)
    }
}

fn hand_on(weights: &mut [f64], graph: &mut [f64], left: &[usize], gone: usize) {
    let n = weights.len();
    let before = graph.to_vec();
    let g = |i: usize, j: usize| before[i * n + j];
    for l in left {
        weights[*l] += weights[gone] * g(gone, *l);
        for k in left {
            // What comes back whole leaves nothing to share; next to that, rounding would be blown up.
            let back = g(*l, gone) * g(gone, *l);
            graph[l * n + k] = if l != k && back < 1.0 - 1e-6 {
                (g(*l, *k) + g(*l, gone) * g(gone, *k)) / (1.0 - back)
            } else {
                0.0
            };
        }
    }
    weights[gone] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_that_shares_evenly_is_holm() {
        let p = [0.01, 0.04, 0.03, 0.005];
        let even = (0..16)
            .map(|i| if i / 4 == i % 4 { 0.0 } else { 1.0 / 3.0 })
            .collect();
        let graph = Graph::new(vec![0.25; 4], even).unwrap();
        let holm = adjust(&p, Method::Holm).unwrap();
        for (a, b) in graph.adjust(&p).unwrap().iter().zip(holm) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_p_value_or_no_graph_is_named() {
        assert!(adjust(&[0.5, 1.5], Method::Holm).is_err());
        assert!(adjust(&[f64::NAN], Method::Holm).is_err());
        assert!(Graph::new(vec![0.7, 0.7], vec![0.0; 4]).is_err());
        assert!(Graph::new(vec![0.5, 0.5], vec![1.0, 0.0, 0.0, 0.0]).is_err());
    }
}
