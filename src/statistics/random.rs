//! Random numbers for imputation and simulation. The draw of a trial does not use them: it is whole-number
//! arithmetic of its own (`crate::randomization`).

use super::distributions::normal_quantile;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A stream of random numbers: the same for a seed and a number on every machine.
pub struct Random(ChaCha20Rng);

impl Random {
    /// Stream `number` of a seed; streams do not overlap.
    pub fn new(seed: [u8; 32], number: u64) -> Self {
        let mut generator = ChaCha20Rng::from_seed(seed);
        generator.set_stream(number);
        Self(generator)
    }

    /// Uniform within (0, 1), of 52 bits: with 53 the largest would round to 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Gamma with a shape and scale 1 (Marsaglia and Tsang, ACM Transactions on Mathematical Software
    /// 26, 2000, 363-372).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    pub fn chi_square(&mut self, df: f64) -> f64 {
        2.0 * self.gamma(df / 2.0)
    }

    /// Poisson, by counting exponential waits; for large means as a sum of smaller ones.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut rest, mut count) = (mean, 0);
        while rest > 500.0 {
            // A gamma number of waits either passes the mean or leaves a smaller Poisson.
            let waits = (rest * 7.0 / 8.0).floor();
            let passed = self.gamma(waits);
            if passed >= rest {
                // That many uniform points, of which those before the mean count.
                let share = rest / passed;
                return count
                    + (0..waits as u64 - 1)
                        .filter(|_| self.uniform() < share)
                        .count() as u64;
            }
            count += waits as u64;
            rest -= passed;
        }
        let mut time = self.exponential();
        while time < rest {
            count += 1;
            time += self.exponential();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of many draws within five standard errors.
    #[track_caller]
    fn moments(mut draw: impl FnMut(&mut Random) -> f64, mean: f64, variance: f64) {
        let mut random = Random::new([7; 32], 1);
        let n = 40_000;
        let values: Vec<f64> = (0..n).map(|_| draw(&mut random)).collect();
        let found = values.iter().sum::<f64>() / f64::from(n);
        let spread = values.iter().map(|v| (v - found).powi(2)).sum::<f64>() / f64::from(n);
        assert!(
            (found - mean).abs() < 5.0 * (variance / f64::from(n)).sqrt(),
            "{found}, not {mean}"
        );
        assert!(
            (spread / variance - 1.0).abs() < 0.08,
            "{spread}, not {variance}"
        );
    }

    #[test]
    fn distributions_have_their_moments() {
        moments(Random::uniform, 0.5, 1.0 / 12.0);
        moments(Random::normal, 0.0, 1.0);
        moments(|r| r.gamma(0.5), 0.5, 0.5);
        moments(|r| r.gamma(7.0), 7.0, 7.0);
        moments(|r| r.chi_square(9.0), 9.0, 18.0);
        moments(|r| r.poisson(3.0) as f64, 3.0, 3.0);
        moments(|r| r.poisson(700.0) as f64, 700.0, 700.0);
    }

    #[test]
    fn streams_differ_and_come_again() {
        let first = |number| Random::new([1; 32], number).uniform();
        assert_eq!(first(3), first(3));
        assert_ne!(first(3), first(4));
    }
}
