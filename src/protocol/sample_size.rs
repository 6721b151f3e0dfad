//! `[sample_size]`: the planned size and what it was computed from.

use crate::document::Object;

/// What the sample size was computed from.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Assumptions {
    /// Value of the primary endpoint in the control arm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<f64>,
    /// Effect on the primary endpoint's scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
    /// Share of participants whose endpoint will be missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accrual_per_week: Option<f64>,
    /// Of a continuous endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// Of a count: its variance is mu + dispersion mu^2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispersion: Option<f64>,
    /// Mean participants of a cluster, their intraclass correlation, and the coefficient of variation
    /// of the clusters' sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_size: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intraclass_correlation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_variation: Option<f64>,
}

/// The planned size.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleSize {
    pub planned: Option<u32>,
    pub power: Option<f64>,
    pub assume: Option<Assumptions>,
}

impl SampleSize {
    pub(super) fn read(object: &Object) -> Self {
        let planned = object.optional::<u32>("planned");
        let power = object.optional::<f64>("power");
        let assume = object.object("assume").map(|assume| {
            let read = Assumptions {
                control: assume.optional("control"),
                effect: assume.optional("effect"),
                dropout: assume.optional("dropout"),
                accrual_per_week: assume.optional("accrual_per_week"),
                standard_deviation: assume.optional("standard_deviation"),
                dispersion: assume.optional("dispersion"),
                cluster_size: assume.optional("cluster_size"),
                intraclass_correlation: assume.optional("intraclass_correlation"),
                cluster_variation: assume.optional("cluster_variation"),
            };
            assume.finish();
            if read
                .dropout
                .is_some_and(|share| !(0.0..1.0).contains(&share))
            {
                assume.fault("dropout", "must lie between 0 and 1");
            }
            let above = |name: &str, value: Option<f64>, least: f64, text: &str| {
                if value.is_some_and(|value| value < least || (value == 0.0 && least == 0.0)) {
                    assume.fault(name, text);
                }
            };
            above(
                "accrual_per_week",
                read.accrual_per_week,
                0.001,
                "must be at least 0.001",
            );
            above(
                "standard_deviation",
                read.standard_deviation,
                0.0,
                "must be above 0",
            );
            above("cluster_size", read.cluster_size, 1.0, "must be at least 1");
            if read.dispersion.is_some_and(|value| value < 0.0) {
                assume.fault("dispersion", "must be at least 0");
            }
            if read.cluster_variation.is_some_and(|value| value < 0.0) {
                assume.fault("cluster_variation", "must be at least 0");
            }
            if read
                .intraclass_correlation
                .is_some_and(|value| !(0.0..=1.0).contains(&value))
            {
                assume.fault("intraclass_correlation", "must lie between 0 and 1");
            }
            read
        });
        object.finish();
        if planned == Some(0) {
            object.fault("planned", "must be at least 1");
        }
        if power.is_some_and(|power| !(power > 0.0 && power < 1.0)) {
            object.fault("power", "must lie between 0 and 1");
        }
        Self {
            planned,
            power,
            assume,
        }
    }
}
