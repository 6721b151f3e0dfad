//! To which day something is reported: without it, no news would be taken for news of nothing.

use crate::analysis::facts::{About, CutData, Outcome};
use crate::conduct::record::OutcomeKind;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// To which day something is reported: everywhere, and at single sites.
#[derive(Default)]
pub(super) struct Known<'a> {
    everywhere: Option<NaiveDate>,
    sites: HashMap<&'a str, NaiveDate>,
}

impl<'a> Known<'a> {
    /// The day to which the employment of each site is reported: the latest extract that came, under
    /// a key that covers the site, from a source that reports employment.
    pub(super) fn employment(data: &'a CutData) -> Self {
        let of_employment: BTreeSet<&str> = data
            .outcomes
            .iter()
            .filter(|outcome| is_of_employment(outcome))
            .map(|outcome| outcome.source.as_str())
            .collect();
        let coverage: BTreeMap<&str, Option<&Vec<String>>> = data
            .coverage
            .iter()
            .map(|c| (c.key.as_str(), c.sites.as_ref()))
            .collect();
        let mut known = Self::default();
        for outcome in &data.outcomes {
            if !of_employment.contains(outcome.source.as_str()) {
                continue;
            }
            let day = outcome.body.extracted_on;
            match coverage.get(outcome.key.as_str()).copied().flatten() {
                None => known.everywhere = known.everywhere.max(Some(day)),
                Some(sites) => sites.iter().for_each(|site| known.note(site, day)),
            }
        }
        known
    }

    /// The last day on which a conversation was recorded of each site.
    pub(super) fn attendance(data: &'a CutData) -> Self {
        let mut known = Self::default();
        for conversation in &data.conversations {
            match &conversation.site {
                Some(site) => known.note(site, conversation.recorded_on),
                None => known.everywhere = known.everywhere.max(Some(conversation.recorded_on)),
            }
        }
        known
    }

    fn note(&mut self, site: &'a str, day: NaiveDate) {
        let known = self.sites.entry(site).or_insert(day);
        *known = day.max(*known);
    }

    pub(super) fn at(&self, site: Option<&str>) -> Option<NaiveDate> {
        self.everywhere
            .max(site.and_then(|site| self.sites.get(site)).copied())
    }
}

fn is_of_employment(outcome: &About<Outcome>) -> bool {
    matches!(
        outcome.body.kind,
        OutcomeKind::EmploymentStarted | OutcomeKind::EmploymentEnded
    )
}

/// To which day each source has reported anything at all.
pub(super) fn extracts(data: &CutData) -> HashMap<&str, NaiveDate> {
    let mut days = HashMap::new();
    for outcome in &data.outcomes {
        let day = outcome.body.extracted_on;
        let known = days.entry(outcome.source.as_str()).or_insert(day);
        *known = day.max(*known);
    }
    days
}
