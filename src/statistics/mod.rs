//! Numbers in, estimates out. Knows no trial, no database, no JSON.
//!
//! An estimator answers a [`Question`] about plain slices with an [`Estimate`], or with a [`Fault`]
//! where the input bears no answer. It has no other way out: nothing is NaN, and nothing else is
//! estimated instead. Effects are arm minus (or over) reference. Results do not depend on
//! the order of the rows: counts are whole numbers, and sums are taken over sorted values or in an order that
//! the values decide. (Imputations and re-draws do: the one gives its random numbers row by row, the other
//! is the order of the draws.)
//! `docs/statistics.md` lists formula, reference and the agreement reached for each.

pub mod balance;
pub mod catalogue;
pub mod cost_effectiveness;
pub mod counts;
pub mod distributions;
pub mod fisher;
pub mod heterogeneity;
mod linear;
pub mod means;
pub mod missing;
pub mod multiplicity;
pub mod proportions;
pub mod random;
pub mod ratios;
pub mod regression;
pub(crate) mod roots;
pub mod sequential;
pub mod size;
pub mod stratified;
mod sum;
pub mod survival;
pub mod weights;

pub use sum::stable_sum;

crate::vocabulary! {
    /// Which values of the parameter speak against the null.
    pub enum Alternative { TwoSided = "two_sided", Greater = "greater", Less = "less" }
}

/// What is asked of an estimator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Confidence level of the two-sided interval, within (0, 1).
    pub level: f64,
    /// Value of the parameter under the null hypothesis.
    pub null: f64,
    pub alternative: Alternative,
}

impl Question {
    /// A two-sided question with null value 0.
    pub fn two_sided(level: f64) -> Self {
        Self {
            level,
            null: 0.0,
            alternative: Alternative::TwoSided,
        }
    }

    /// The normal quantile of the interval, 1.96 for a level of 0.95.
    pub fn z(&self) -> f64 {
        -distributions::normal_quantile((1.0 - self.level) / 2.0)
    }
}

crate::vocabulary! {
    /// The reference distribution of a test statistic.
    pub enum StatisticName { Z = "z", T = "t", F = "f", ChiSquare = "chi_square" }
}

/// A test statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistic {
    pub name: StatisticName,
    pub value: f64,
    /// Degrees of freedom, where the distribution has them; of F, those of the numerator.
    pub df: Option<f64>,
    /// Those of the denominator, of F.
    pub denominator_df: Option<f64>,
}

/// What an estimator found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimate {
    /// None for a test that estimates nothing.
    pub estimate: Option<f64>,
    pub standard_error: Option<f64>,
    /// Lower and upper confidence limit.
    pub limits: Option<(f64, f64)>,
    pub statistic: Option<Statistic>,
    pub p_value: Option<f64>,
    /// What the reader must know beside the number.
    pub warnings: Vec<String>,
}

impl Estimate {
    /// A normal estimate: Wald limits and z = (estimate - null) / standard error.
    pub(crate) fn normal(estimate: f64, standard_error: f64, question: &Question) -> Self {
        let half = question.z() * standard_error;
        let z = (estimate - question.null) / standard_error;
        Self {
            estimate: Some(estimate),
            standard_error: Some(standard_error),
            limits: Some((estimate - half, estimate + half)),
            statistic: Some(Statistic {
                name: StatisticName::Z,
                value: z,
                df: None,
                denominator_df: None,
            }),
            p_value: Some(distributions::normal_p(z, question.alternative)),
            warnings: Vec::new(),
        }
    }

    /// A ratio whose logarithm is normal: estimate, limits and the null are ratios, the standard error
    /// is that of the logarithm.
    pub(crate) fn log_normal(ratio: f64, standard_error: f64, question: &Question) -> Self {
        let on_log = Question {
            null: question.null.ln(),
            ..*question
        };
        let made = Self::normal(ratio.ln(), standard_error, &on_log);
        Self {
            estimate: Some(ratio),
            limits: made.limits.map(|(lower, upper)| (lower.exp(), upper.exp())),
            ..made
        }
    }

    /// An estimate with limits and p-value by Student's t.
    pub(crate) fn student(
        estimate: f64,
        standard_error: f64,
        df: f64,
        question: &Question,
    ) -> Self {
        let t = (estimate - question.null) / standard_error;
        let tail = (1.0 - question.level) / 2.0;
        let half = distributions::student_quantile_upper(tail, df) * standard_error;
        Self {
            estimate: Some(estimate),
            standard_error: Some(standard_error),
            limits: Some((estimate - half, estimate + half)),
            statistic: Some(Statistic {
                name: StatisticName::T,
                value: t,
                df: Some(df),
                denominator_df: None,
            }),
            p_value: Some(distributions::student_p(t, df, question.alternative)),
            warnings: Vec::new(),
        }
    }

    /// The same estimate with one more warning.
    pub(crate) fn warned(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// A test by a chi-square with one degree of freedom or more; it has no direction.
    pub(crate) fn chi_square(value: f64, df: f64) -> Self {
        Self {
            statistic: Some(Statistic {
                name: StatisticName::ChiSquare,
                value,
                df: Some(df),
                denominator_df: None,
            }),
            p_value: Some(distributions::chi_square_upper(value, df)),
            ..Self::default()
        }
    }
}

/// Why an estimate cannot be made from this input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("no participant with a value in the {0} arm")]
    EmptyArm(&'static str),
    #[error("fewer than two participants with a value in the {0} arm")]
    TooFew(&'static str),
    #[error("the values do not vary, so that no standard error can be given")]
    NoVariation,
    #[error("no participant of the {0} arm has the event, or all have it")]
    EmptyCell(&'static str),
    #[error("no events in either arm")]
    NoEvents,
    #[error("fewer than two strata in which some have the event and some have not")]
    FewStrata,
    #[error("no stratum holds participants of both arms")]
    NoCommonStratum,
    #[error("a value is not a finite number")]
    NotFinite,
    #[error("a time is negative or not a finite number")]
    BadTime,
    #[error("the horizon lies beyond the follow-up of the {0} arm")]
    BeyondFollowUp(&'static str),
    #[error("there is no horizon")]
    NoHorizon,
    #[error("the columns are not of one length")]
    Lengths,
    #[error("{0} does not vary")]
    Constant(String),
    #[error("{0} cannot be told apart from the other columns of the model")]
    Collinear(String),
    #[error("{rows} participants are too few for a model with {columns} columns")]
    FewRows { rows: usize, columns: usize },
    #[error("a model with {0} columns is too wide: at most 400 are fitted")]
    Wide(usize),
    #[error("the fit did not converge")]
    NotConverged,
    #[error("the values of {0} separate those with the event from those without")]
    Separation(String),
    #[error(
        "the likelihood has no maximum: it grows with the coefficient of {0} (all events on one side)"
    )]
    Monotone(String),
    #[error("fewer than two clusters in the {0} arm")]
    FewClusters(&'static str),
    #[error("there is no column of clusters")]
    NoClusters,
    #[error("there is no column of weights")]
    NoWeights,
    #[error("there is no record of what was received")]
    NoReceived,
    #[error("the arms do not differ in what was received")]
    NoFirstStage,
    #[error("{0}")]
    Input(String),
}

pub(crate) const ARM: &str = "compared";
pub(crate) const REFERENCE: &str = "reference";
