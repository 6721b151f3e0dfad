//! `[randomization]`: the method of the draw and its keys.

use crate::document::{Faults, Object};
use std::collections::BTreeMap;

crate::vocabulary! {
    /// The methods of the draw.
    pub enum Method {
        Simple = "simple",
        PermutedBlocks = "permuted_blocks",
        BiasedCoin = "biased_coin",
        BigStick = "big_stick",
        BlockUrn = "block_urn",
        Minimization = "minimization",
        Clusters = "clusters",
        External = "external",
    }
}

/// A method with the values of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    Simple,
    PermutedBlocks {
        block_sizes: Vec<u32>,
    },
    BiasedCoin {
        probability: (u32, u32),
    },
    BigStick {
        limit: u32,
    },
    BlockUrn {
        lambda: u32,
    },
    Minimization {
        probability: (u32, u32),
        weights: BTreeMap<String, u32>,
    },
    Clusters {
        units: Vec<DrawUnit>,
    },
    External,
}

/// A unit (a caseworker or a site) that is drawn as one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DrawUnit {
    pub id: String,
    pub factors: BTreeMap<String, String>,
}

/// How participants are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Randomization {
    pub method: Method,
    pub scheme: Scheme,
    /// Names a public draw of lots, later than the commitment, whose result goes into the seed.
    pub public_randomness: Option<String>,
}

impl Randomization {
    pub(super) fn read(object: &Object, faults: &Faults) -> Option<Self> {
        let method = object.required::<Method>("method");
        let public_randomness = object.optional::<String>("public_randomness");
        // Without a method it is not known which keys are right: only the method is at fault.
        let method = method?;
        let scheme = match method {
            Method::Simple => Some(Scheme::Simple),
            Method::External => Some(Scheme::External),
            Method::PermutedBlocks => read_block_sizes(object),
            Method::BiasedCoin => {
                read_probability(object).map(|probability| Scheme::BiasedCoin { probability })
            }
            Method::BigStick => {
                read_at_least_one(object, "limit").map(|limit| Scheme::BigStick { limit })
            }
            Method::BlockUrn => {
                read_at_least_one(object, "lambda").map(|lambda| Scheme::BlockUrn { lambda })
            }
            Method::Minimization => read_minimization(object, faults),
            Method::Clusters => read_units(object, faults),
        };
        object.finish();
        Some(Self {
            method,
            scheme: scheme?,
            public_randomness,
        })
    }
}

fn read_block_sizes(object: &Object) -> Option<Scheme> {
    let block_sizes = object.values::<u32>("block_sizes");
    if block_sizes.is_empty() {
        object.fault("block_sizes", "must list at least one size");
        return None;
    }
    Some(Scheme::PermutedBlocks { block_sizes })
}

fn read_at_least_one(object: &Object, key: &'static str) -> Option<u32> {
    let value = object.required::<u32>(key)?;
    if !(1..=1_000).contains(&value) {
        object.fault(key, "must be from 1 to 1000");
        return None;
    }
    Some(value)
}

fn read_probability(object: &Object) -> Option<(u32, u32)> {
    if !object.has("probability") {
        object.fault("probability", "is missing");
        return None;
    }
    match object.values::<u32>("probability")[..] {
        [numerator, denominator] if numerator < denominator && denominator <= 1_000_000 => {
            Some((numerator, denominator))
        }
        _ => {
            object.fault("probability", "must be [numerator, denominator], below 1");
            None
        }
    }
}

fn read_minimization(object: &Object, faults: &Faults) -> Option<Scheme> {
    let probability = read_probability(object);
    let mut weights = BTreeMap::new();
    for (path, name, value) in object.entries("weights") {
        match value.as_u64().filter(|weight| (1..=1_000).contains(weight)) {
            Some(weight) => {
                weights.insert(name.to_owned(), weight as u32);
            }
            None => faults.add(path, "must be a whole number from 1 to 1000"),
        }
    }
    Some(Scheme::Minimization {
        probability: probability?,
        weights,
    })
}

fn read_units(object: &Object, faults: &Faults) -> Option<Scheme> {
    let units = units(object, faults);
    if units.is_empty() {
        object.fault("units", "must list the units to be drawn");
        return None;
    }
    Some(Scheme::Clusters { units })
}

/// The list `units` of an object: `{id, factors}` each.
pub fn units(object: &Object, faults: &Faults) -> Vec<DrawUnit> {
    let mut units = Vec::new();
    for (path, value) in object.list("units") {
        let Some(unit) = Object::open(value, path, faults) else {
            continue;
        };
        let id = unit.required::<String>("id");
        let mut factors = BTreeMap::new();
        for (path, name, level) in unit.entries("factors") {
            match level.as_str() {
                Some(level) => {
                    factors.insert(name.to_owned(), level.to_owned());
                }
                None => faults.add(path, "must be a text"),
            }
        }
        unit.finish();
        if let Some(id) = id {
            units.push(DrawUnit { id, factors });
        }
    }
    units
}
