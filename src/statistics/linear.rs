//! Small symmetric systems, and sums of products over many rows.
//!
//! Matrices are row-major slices. A sum over rows is taken in chunks of a fixed size, each by one
//! thread, and the chunks are added up in their order: the number of threads changes no bit.

use super::Fault;
use rayon::prelude::*;

/// Rows that are summed as one; the rounding of a sum grows with this number, not with the rows.
const CHUNK: usize = 2048;

/// What is left of a column, relative to its length, below which it counts as a mix of the others.
const DEPENDENT: f64 = 1e-10;

/// Adds up what `add` writes for each row into `size` sums.
pub(crate) fn sum_rows(
    rows: usize,
    size: usize,
    add: impl Fn(std::ops::Range<usize>, &mut [f64]) + Sync,
) -> Vec<f64> {
    let chunks = rows.div_ceil(CHUNK);
    let parts: Vec<Vec<f64>> = (0..chunks)
        .into_par_iter()
        .map(|chunk| {
            let mut part = vec![0.0; size];
            add(chunk * CHUNK..rows.min((chunk + 1) * CHUNK), &mut part);
            part
        })
        .collect();
    let mut sums = vec![0.0; size];
    let mut lost = vec![0.0; size];
    for part in parts {
        for ((sum, lost), value) in sums.iter_mut().zip(&mut lost).zip(part) {
            // Neumaier's step.
            let next = *sum + value;
            *lost += if sum.abs() >= value.abs() {
                (*sum - next) + value
            } else {
                (value - next) + *sum
            };
            *sum = next;
        }
    }
    for (sum, lost) in sums.iter_mut().zip(lost) {
        *sum += lost;
    }
    sums
}

/// A positive definite matrix, as the lower triangle L of L L'.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    pub size: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factorizes a symmetric matrix of which the upper triangle is given.
    ///
    /// # Errors
    /// The position of the first column that is a mix of the columns before it.
    pub fn of(matrix: &[f64], size: usize) -> Result<Self, usize> {
        let mut lower = vec![0.0; size * size];
        for j in 0..size {
            for i in j..size {
                let mut sum = matrix[j * size + i];
                for k in 0..j {
                    sum -= lower[i * size + k] * lower[j * size + k];
                }
                if i > j {
                    lower[i * size + j] = sum / lower[j * size + j];
                } else if sum.is_nan() || sum <= DEPENDENT * matrix[j * size + j] {
                    return Err(j);
                } else {
                    lower[j * size + j] = sum.sqrt();
                }
            }
        }
        Ok(Self { size, lower })
    }

    /// The same, with the fault that names the column.
    pub fn named(matrix: &[f64], names: &[String]) -> Result<Self, Fault> {
        Self::of(matrix, names.len()).map_err(|column| Fault::Collinear(names[column].clone()))
    }

    /// Solves the system for a right-hand side.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        self.half_transposed(&self.half(right))
    }

    /// L^-1 times a vector, so that its squared length is the quadratic form of the inverse.
    pub fn half(&self, right: &[f64]) -> Vec<f64> {
        let mut x = right.to_vec();
        self.halve(&mut x);
        x
    }

    /// L'^-1 times a vector: of independent numbers it makes some with the inverse as covariance.
    pub fn half_transposed(&self, right: &[f64]) -> Vec<f64> {
        let mut x = right.to_vec();
        for i in (0..self.size).rev() {
            for k in i + 1..self.size {
                x[i] -= self.lower[k * self.size + i] * x[k];
            }
            x[i] /= self.lower[i * self.size + i];
        }
        x
    }

    /// L^-1 times a vector, in place.
    pub fn halve(&self, x: &mut [f64]) {
        for i in 0..self.size {
            let row = &self.lower[i * self.size..i * self.size + i];
            let known: f64 = row.iter().zip(&x[..i]).map(|(l, x)| l * x).sum();
            x[i] = (x[i] - known) / self.lower[i * self.size + i];
        }
    }

    /// The whole inverse.
    pub fn inverse(&self) -> Vec<f64> {
        let n = self.size;
        let mut inverse = vec![0.0; n * n];
        for column in 0..n {
            let mut unit = vec![0.0; n];
            unit[column] = 1.0;
            for (row, value) in self.solve(&unit).into_iter().enumerate() {
                inverse[row * n + column] = value;
            }
        }
        inverse
    }
}

/// a'b.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Adds `weight * x x'` to the upper triangle of a matrix.
#[inline]
pub(crate) fn add_square(matrix: &mut [f64], x: &[f64], weight: f64) {
    let n = x.len();
    for i in 0..n {
        let scaled = weight * x[i];
        let row = &mut matrix[i * n + i..(i + 1) * n];
        for (sum, value) in row.iter_mut().zip(&x[i..]) {
            *sum += scaled * value;
        }
    }
}

/// Copies the upper triangle to the lower one.
pub(crate) fn mirror(matrix: &mut [f64], n: usize) {
    for i in 0..n {
        for j in 0..i {
            matrix[i * n + j] = matrix[j * n + i];
        }
    }
}

/// The quadratic form a' M a of a full symmetric matrix.
pub(crate) fn quadratic(matrix: &[f64], a: &[f64]) -> f64 {
    let n = a.len();
    (0..n)
        .map(|i| a[i] * dot(&matrix[i * n..(i + 1) * n], a))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_inverted() {
        // 4 x + 2 y = 2, 2 x + 3 y = 7.
        let matrix = [4.0, 2.0, 0.0, 3.0];
        let factor = Cholesky::of(&matrix, 2).unwrap();
        let x = factor.solve(&[2.0, 7.0]);
        assert!(
            (x[0] + 1.0).abs() < 1e-15 && (x[1] - 3.0).abs() < 1e-15,
            "{x:?}"
        );
        let inverse = factor.inverse();
        assert!((inverse[0] - 0.375).abs() < 1e-15 && (inverse[1] + 0.25).abs() < 1e-15);
    }

    #[test]
    fn a_dependent_column_is_named() {
        let matrix = [1.0, 2.0, 0.0, 4.0];
        assert_eq!(Cholesky::of(&matrix, 2).unwrap_err(), 1);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit_of_a_sum() {
        let values: Vec<f64> = (0..100_000).map(|i| 1.0 / f64::from(i + 1)).collect();
        let sum = || {
            sum_rows(values.len(), 1, |rows, sum| {
                for row in rows {
                    sum[0] += values[row];
                }
            })[0]
        };
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(sum().to_bits(), one.install(sum).to_bits());
    }
}
