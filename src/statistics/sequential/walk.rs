//! The statistic on its way through the looks, by recursive numerical integration (Armitage,
//! McPherson and Rowe, 1969), on the grid of Jennison and Turnbull (2000, section 19.2).

use crate::statistics::distributions::{normal_density, normal_upper};

/// Fineness of the grid: 12 * 32 - 3 points. Enough to agree with R rpact to 1e-6 on every design of
/// `tests/golden/sequential.R`.
const FINENESS: usize = 32;

/// Distance from the mean beyond which there is no mass: 1e-65 of it.
const FARTHEST: f64 = 17.0;

/// Deviations of a step beyond which there are 1e-37 left.
const REACH: f64 = 13.0;

/// No two neighbours of the grid are further apart.
const WIDEST: f64 = 0.125;

/// The distribution of Z at the last look among those who were not stopped.
pub(super) struct Walk {
    drift: f64,
    time: f64,
    /// Grid points and their masses; none before the first look.
    stage: Vec<(f64, f64)>,
}

impl Walk {
    pub(super) fn new(drift: f64) -> Self {
        Self {
            drift,
            time: 0.0,
            stage: Vec::new(),
        }
    }

    /// Starts at a look whose Z is known.
    pub(super) fn from(drift: f64, time: f64, z: f64) -> Self {
        Self {
            drift,
            time,
            stage: vec![(z, 1.0)],
        }
    }

    /// Probability of not having been stopped before and of Z above the bound at `time`.
    pub(super) fn above(&self, time: f64, bound: f64) -> f64 {
        self.beyond(time, bound, 1.0)
    }

    /// Probability of not having been stopped before and of Z below the bound at `time`.
    pub(super) fn below(&self, time: f64, bound: f64) -> f64 {
        self.beyond(time, bound, -1.0)
    }

    fn beyond(&self, time: f64, bound: f64, side: f64) -> f64 {
        if bound.is_infinite() {
            return if bound * side > 0.0 {
                0.0
            } else {
                self.going_on()
            };
        }
        if self.time == 0.0 {
            return normal_upper(side * (bound - self.drift * time.sqrt()));
        }
        let step = time - self.time;
        let (root, before, scale) = (time.sqrt(), self.time.sqrt(), step.sqrt());
        self.stage
            .iter()
            .map(|(z, mass)| {
                let distance = (bound * root - z * before - self.drift * step) / scale;
                mass * normal_upper(side * distance)
            })
            .sum()
    }

    fn going_on(&self) -> f64 {
        if self.time == 0.0 {
            return 1.0;
        }
        self.stage.iter().map(|(_, mass)| mass).sum()
    }

    /// Goes on to the look at `time`, where Z between the bounds is not stopped.
    pub(super) fn advance(&mut self, time: f64, lower: f64, upper: f64) {
        let (root, before) = (time.sqrt(), self.time.sqrt());
        let step = time - self.time;
        let scale = step.sqrt();
        // Where each point would be without chance, in deviations of the step; they are sorted as the points are.
        let centre = |from: f64| (from * before + self.drift * step) / scale;
        let density = |z: f64| -> f64 {
            if self.time == 0.0 {
                return normal_density(z - self.drift * root);
            }
            let z = z * root / scale;
            let first = self
                .stage
                .partition_point(|(from, _)| centre(*from) < z - REACH);
            let near = self.stage[first..].iter();
            let jumps = near.map(|(from, mass)| (z - centre(*from), mass));
            let jumps = jumps.take_while(|(distance, _)| *distance >= -REACH);
            jumps
                .map(|(distance, mass)| mass * normal_density(distance))
                .sum::<f64>()
                * root
                / scale
        };
        let stage: Vec<(f64, f64)> = grid(self.drift * root, lower, upper)
            .into_iter()
            .map(|(z, weight)| (z, weight * density(z)))
            .collect();
        // Points without weight cost as much as others at the next look.
        let most = stage
            .iter()
            .fold(0.0_f64, |most, (_, mass)| most.max(*mass));
        self.stage = stage
            .into_iter()
            .filter(|(_, mass)| *mass > 1e-24 * most)
            .collect();
        self.time = time;
    }
}

/// Points between the bounds, dense around the mean, with weights of Simpson's rule on the uneven
/// grid: each second point is the middle of its neighbours.
fn grid(mean: f64, lower: f64, upper: f64) -> Vec<(f64, f64)> {
    let r = FINENESS as f64;
    // Beyond there is nothing: without this a far mean would ask for any number of points.
    let (lower, upper) = (
        if lower.is_finite() {
            lower.max(mean - FARTHEST)
        } else {
            lower
        },
        if upper.is_finite() {
            upper.min(mean + FARTHEST)
        } else {
            upper
        },
    );
    if lower >= upper || upper < mean - FARTHEST || lower > mean + FARTHEST {
        return Vec::new();
    }
    let mut ends: Vec<f64> = Vec::new();
    for i in 1..6 * FINENESS {
        let i = i as f64;
        let x = if i < r {
            -3.0 - 4.0 * (r / i).ln()
        } else if i <= 5.0 * r {
            -3.0 + 3.0 * (i - r) / (2.0 * r)
        } else {
            3.0 + 4.0 * (r / (6.0 * r - i)).ln()
        };
        let x = mean + x;
        if x > lower && x < upper {
            ends.push(x);
        }
    }
    // Finite bounds are ends of the grid themselves.
    if lower.is_finite() {
        ends.insert(0, lower);
    }
    if upper.is_finite() {
        ends.push(upper);
    }
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(3 * ends.len());
    for (from, to) in ends.windows(2).flat_map(|pair| parts(pair[0], pair[1])) {
        let width = to - from;
        match points.last_mut() {
            Some(last) => last.1 += width / 6.0,
            None => points.push((from, width / 6.0)),
        }
        points.push((from + width / 2.0, 4.0 * width / 6.0));
        points.push((to, width / 6.0));
    }
    points
}

/// An interval in equal parts no wider than [`WIDEST`]. The tail is where the mass lies when the mean is
/// beyond a boundary.
fn parts(from: f64, to: f64) -> impl Iterator<Item = (f64, f64)> {
    let n = ((to - from) / WIDEST).ceil().max(1.0);
    let at = move |i: f64| {
        if i == n {
            to
        } else {
            from + (to - from) * i / n
        }
    };
    (0..n as u32).map(move |i| (at(f64::from(i)), at(f64::from(i) + 1.0)))
}
