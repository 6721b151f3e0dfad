//! Who is asking, and within which scope.

use super::{Right, Role};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub key_id: String,
    /// The holder; for records that are posted, the source.
    pub name: String,
    pub role: Role,
    /// The person to whom the key belongs.
    pub person: String,
    /// When the key expires; never on the command line.
    pub expires_at: Option<DateTime<Utc>>,
    /// The only trial that the caller knows of; none means all.
    pub trial: Option<String>,
    /// The only sites that the caller knows of; none means all.
    pub sites: Option<BTreeSet<String>>,
}

impl Caller {
    /// Whoever works on the command line of the service's machine, with the rights of a role.
    pub fn command_line(role: Role) -> Self {
        Self {
            key_id: "command-line".into(),
            name: "command line".into(),
            person: "command-line".into(),
            expires_at: None,
            role,
            trial: None,
            sites: None,
        }
    }

    /// Whether it is the command line, which has no key.
    pub fn is_command_line(&self) -> bool {
        self.key_id == "command-line"
    }

    pub fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }

    pub fn sees_trial(&self, trial: &str) -> bool {
        self.trial.as_deref().is_none_or(|only| only == trial)
    }

    /// Whether the caller sees this place; who is bound to sites sees nobody without a site.
    pub fn sees_site(&self, site: Option<&str>) -> bool {
        match (&self.sites, site) {
            (None, _) => true,
            (Some(sites), Some(site)) => sites.contains(site),
            (Some(_), None) => false,
        }
    }

    /// The sites as a list, for queries.
    pub fn site_list(&self) -> Option<Vec<String>> {
        self.sites
            .as_ref()
            .map(|sites| sites.iter().cloned().collect())
    }
}
