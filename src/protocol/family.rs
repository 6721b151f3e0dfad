//! `[analysis.multiplicity]`: how the error is shared between the arms that are compared with the control.

use crate::document::{Field, Object};
use std::collections::BTreeMap;

crate::vocabulary! {
    /// How the p-values of several arms are adjusted.
    pub enum FamilyMethod {
        Bonferroni = "bonferroni",
        Holm = "holm",
        Hochberg = "hochberg",
        Hommel = "hommel",
        /// Bounds the false discovery rate, not the chance of any error.
        BenjaminiHochberg = "benjamini_hochberg",
        /// In the order of the protocol's arms.
        FixedSequence = "fixed_sequence",
        /// Bretz, Maurer, Brannath and Posch.
        Graphical = "graphical",
    }
}

/// The planned method; weights and transitions by arm are those of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub method: FamilyMethod,
    /// Share of the error that each arm starts with.
    pub weights: BTreeMap<String, f64>,
    /// Whereto the share of a rejected arm goes: by arm, then by arm.
    pub transitions: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Family {
    pub(super) fn read(object: &Object) -> Option<Self> {
        let method = object.required::<FamilyMethod>("method");
        let numbers = |object: &Object, key: &'static str| -> BTreeMap<String, f64> {
            let mut found = BTreeMap::new();
            for (path, name, value) in object.entries(key) {
                match f64::read(value) {
                    Ok(number) => {
                        found.insert(name.to_owned(), number);
                    }
                    Err(detail) => object.fault_at(path, detail),
                }
            }
            found
        };
        let weights = numbers(object, "weights");
        let mut transitions = BTreeMap::new();
        for (path, name, value) in object.entries("transitions") {
            let mut row = BTreeMap::new();
            let Some(map) = value.as_object() else {
                object.fault_at(path, "must be an object");
                continue;
            };
            for (to, value) in map {
                match f64::read(value) {
                    Ok(number) => {
                        row.insert(to.clone(), number);
                    }
                    Err(detail) => object.fault_at(format!("{path}.{to}"), detail),
                }
            }
            transitions.insert(name.to_owned(), row);
        }
        object.finish();
        Some(Self {
            method: method?,
            weights,
            transitions,
        })
    }
}
