//! The draws in their order, with those whose participants have no row any more: without them a later draw of
//! their stratum would come from another place of its blocks.

use crate::analysis::columns::{Dataset, Gone};
use crate::protocol::{Protocol, Scheme};
use crate::randomization::StratumLabel;
use crate::statistics::Fault;

pub(super) struct Order {
    /// The stratum labels of the draw.
    pub strata: Vec<StratumLabel>,
    /// For each draw the position of its stratum.
    pub stratum_of: Vec<u32>,
    /// The place of each row among the draws; none where every draw has a row.
    pub rows: Option<Vec<u32>>,
}

impl Order {
    pub fn of(protocol: &Protocol, dataset: &Dataset) -> Result<Self, Fault> {
        let factors: Vec<&str> = protocol
            .stratifiers()
            .map(|factor| factor.id.as_str())
            .collect();
        let clusters = matches!(protocol.randomization.scheme, Scheme::Clusters { .. });
        let used = if clusters { &[][..] } else { &factors[..] };
        let (stratum_of, mut levels) = dataset.strata(used);
        // The arm of a unit does not depend on who else is in it.
        let gone = if clusters { &[][..] } else { &dataset.gone[..] };
        let mut order = Self {
            strata: Vec::new(),
            stratum_of,
            rows: None,
        };
        if !gone.is_empty() {
            order.insert(gone, used, &mut levels);
        }
        if levels.iter().flatten().any(|level| level.is_empty()) {
            return Err(Fault::Input(
                "a stratification factor of a participant is missing".into(),
            ));
        }
        let label =
            |levels: &Vec<&str>| StratumLabel::of(used.iter().copied().zip(levels.iter().copied()));
        order.strata = levels.iter().map(label).collect();
        Ok(order)
    }

    fn insert<'a>(&mut self, gone: &'a [Gone], factors: &[&str], levels: &mut Vec<Vec<&'a str>>) {
        let n = self.stratum_of.len();
        let mut stratum_of = Vec::with_capacity(n + gone.len());
        let mut rows = Vec::with_capacity(n);
        let mut left = gone.iter().peekable();
        for row in 0..=n {
            while let Some(draw) = left.next_if(|draw| draw.before <= row) {
                let level = |id: &&str| draw.levels.get(*id).map_or("", String::as_str);
                let own: Vec<&str> = factors.iter().map(level).collect();
                let place = levels.iter().position(|other| *other == own);
                stratum_of.push(place.unwrap_or(levels.len()) as u32);
                if place.is_none() {
                    levels.push(own);
                }
            }
            if row < n {
                rows.push(stratum_of.len() as u32);
                stratum_of.push(self.stratum_of[row]);
            }
        }
        (self.stratum_of, self.rows) = (stratum_of, Some(rows));
    }

    /// The arms of all draws.
    pub fn arms(&self, dataset: &Dataset) -> Vec<usize> {
        let Some(rows) = &self.rows else {
            return dataset.arms.clone();
        };
        let mut arms = vec![usize::MAX; self.stratum_of.len()];
        for (place, arm) in rows.iter().zip(&dataset.arms) {
            arms[*place as usize] = *arm;
        }
        let mut free = dataset.gone.iter().map(|gone| gone.arm);
        for arm in arms.iter_mut().filter(|arm| **arm == usize::MAX) {
            *arm = free.next().unwrap_or_default();
        }
        arms
    }
}
