//! Settings: the defaults of `config/default.toml`, overridden by a file and by the environment.
//!
//! Unknown keys of a file are refused; a name in the environment that is no setting is only warned
//! of, because other tools may use the prefix. Secrets are never printed.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const DEFAULTS: &str = include_str!("../config/default.toml");
const PREFIX: &str = "LODKAST_";

/// Names with the prefix that are no settings of the service.
const OTHER_NAMES: [&str; 4] = [
    "LODKAST_REAL_DATA",
    "LODKAST_TEST_POSTGRES",
    "LODKAST_API_KEY",
    "LODKAST_CONFIG",
];

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}: {1}")]
    File(PathBuf, String),
    #[error("{name}: {detail}")]
    Setting { name: String, detail: String },
}

/// Every setting of the service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    pub secret_key: Hidden,
    pub pseudonym_key: Hidden,
    pub key_file: PathBuf,
    pub database: Database,
    pub server: Server,
    pub limits: Limits,
    pub writer: Writer,
    pub ledger: Ledger,
    pub requests: Requests,
    pub blinding: Blinding,
    pub analysis: Analysis,
    pub log: Log,
}

/// A text that is not to be printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The text, where it is not empty.
    pub fn given(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() {
            "(not set)"
        } else {
            "(hidden)"
        })
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
    pub connections: u32,
    pub wait_seconds: u64,
    pub statement_seconds: u64,
    pub migrate_at_start: bool,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("url", &without_password(&self.url))
            .field("connections", &self.connections)
            .field("wait_seconds", &self.wait_seconds)
            .field("statement_seconds", &self.statement_seconds)
            .field("migrate_at_start", &self.migrate_at_start)
            .finish()
    }
}

/// An address as it may be printed: what stands between the scheme and the host is hidden, and so
/// is everything after a question mark, where libpq takes a password too.
pub fn without_password(url: &str) -> String {
    let url = match url.split_once('?') {
        Some((address, _)) => format!("{address}?(hidden)"),
        None => url.to_owned(),
    };
    match url
        .split_once("://")
        .map(|(scheme, rest)| (scheme, rest.rsplit_once('@')))
    {
        Some((scheme, Some((_, host)))) => format!("{scheme}://(hidden)@{host}"),
        _ => url,
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub workers: usize,
    pub shutdown_seconds: u64,
    pub public_url: String,
    /// Addresses, separated by commas.
    pub trusted_proxies: String,
}

impl Server {
    /// The proxies whose word on a client's address is believed.
    pub fn proxies(&self) -> Result<Vec<std::net::IpAddr>, String> {
        let named = self.trusted_proxies.split(',').map(str::trim);
        let read = |text: &str| {
            text.parse()
                .map_err(|_| format!("{text} is not an IP address"))
        };
        named.filter(|text| !text.is_empty()).map(read).collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub body_bytes: usize,
    pub line_bytes: usize,
    pub array_items: usize,
    pub unread_answer_bytes: usize,
    pub memory_bytes: usize,
    pub protocol_bytes: usize,
    pub page_items: u32,
    pub request_seconds: u64,
    pub stalled_seconds: u64,
    pub changed_repeats_per_day: i64,
    pub arm_reads_per_day: usize,
    pub wrong_key_milliseconds: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    pub queue: usize,
    pub group: usize,
    pub bulk: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    pub name: String,
    pub checkpoint_seconds: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    pub days: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blinding {
    pub smallest_cell: usize,
    pub smallest_difference: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    pub wait_seconds: u64,
    /// Re-draws of the randomization test.
    pub redraws: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// The configuration of this process: the defaults, the file (also named by `LODKAST_CONFIG`)
    /// and the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment: BTreeMap<String, String> = std::env::vars()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        let named = environment.get("LODKAST_CONFIG").map(PathBuf::from);
        let text = match file.map(Path::to_owned).or(named) {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|fault| ConfigError::File(path.clone(), fault.to_string()))?;
                Some((path, text))
            }
        };
        Self::build(text, &environment)
    }

    fn build(
        file: Option<(PathBuf, String)>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut table: Table = DEFAULTS
            .parse()
            .expect("config/default.toml is TOML: tested");
        if let Some((path, text)) = file {
            let given: Table = text.parse().map_err(|fault: toml::de::Error| {
                // Not the whole message: it shows the line, which may hold a secret.
                ConfigError::File(path.clone(), fault.message().to_owned())
            })?;
            merge(&mut table, given, "").map_err(|detail| ConfigError::File(path, detail))?;
        }
        override_by(&mut table, PREFIX, environment)?;
        let config: Self = Value::Table(table)
            .try_into()
            .map_err(|fault: toml::de::Error| ConfigError::Setting {
                name: "configuration".into(),
                detail: fault.message().into(),
            })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let positive = [
            ("database.connections", self.database.connections as usize),
            ("database.wait_seconds", self.database.wait_seconds as usize),
            (
                "limits.request_seconds",
                self.limits.request_seconds as usize,
            ),
            (
                "limits.stalled_seconds",
                self.limits.stalled_seconds as usize,
            ),
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.line_bytes", self.limits.line_bytes),
            ("limits.array_items", self.limits.array_items),
            (
                "limits.unread_answer_bytes",
                self.limits.unread_answer_bytes,
            ),
            ("limits.memory_bytes", self.limits.memory_bytes),
            ("limits.protocol_bytes", self.limits.protocol_bytes),
            ("limits.page_items", self.limits.page_items as usize),
            ("writer.queue", self.writer.queue),
            ("writer.group", self.writer.group),
            ("writer.bulk", self.writer.bulk),
            (
                "ledger.checkpoint_seconds",
                self.ledger.checkpoint_seconds as usize,
            ),
        ];
        if let Err(detail) = self.server.proxies() {
            return Err(setting("server.trusted_proxies", &detail));
        }
        let public = &self.server.public_url;
        if !public.is_empty() && !public.starts_with("https://") && !public.starts_with("http://") {
            return Err(setting(
                "server.public_url",
                "must begin with https:// or http://",
            ));
        }
        // Fewer could not tell a p-value below 0.001.
        if !(999..=1_000_000).contains(&self.analysis.redraws) {
            return Err(setting("analysis.redraws", "must be from 999 to 1000000"));
        }
        for (name, value) in positive {
            if value == 0 {
                return Err(setting(name, "must be at least 1"));
            }
        }
        if !(1..=366).contains(&self.requests.days) {
            return Err(setting("requests.days", "must be from 1 to 366"));
        }
        let name = &self.ledger.name;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            let detail = "must be a name without white space and plus signs";
            return Err(setting("ledger.name", detail));
        }
        Ok(())
    }
}

fn setting(name: &str, detail: &str) -> ConfigError {
    ConfigError::Setting {
        name: name.into(),
        detail: detail.into(),
    }
}

/// Lays `given` over `table`; both must know the same keys.
fn merge(table: &mut Table, given: Table, path: &str) -> Result<(), String> {
    for (key, value) in given {
        let name = format!("{path}{key}");
        match (table.get_mut(&key), value) {
            (None, _) => return Err(format!("{name} is not a setting")),
            (Some(Value::Table(inner)), Value::Table(value)) => {
                merge(inner, value, &format!("{name}."))?;
            }
            (Some(known), value) if known.same_type(&value) => *known = value,
            (Some(known), _) => return Err(format!("{name} must be a {}", known.type_str())),
        }
    }
    Ok(())
}

/// Lays the environment over the settings, each by its own name.
fn override_by(
    table: &mut Table,
    prefix: &str,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    for (key, value) in table.iter_mut() {
        let name = format!("{prefix}{}", key.to_uppercase());
        if let Value::Table(inner) = value {
            override_by(inner, &format!("{name}_"), environment)?;
            continue;
        }
        let Some(text) = environment.get(&name) else {
            continue;
        };
        *value = match value {
            Value::Integer(_) => text
                .parse()
                .map(Value::Integer)
                .map_err(|_| setting(&name, "must be a whole number"))?,
            Value::Boolean(_) => text
                .parse()
                .map(Value::Boolean)
                .map_err(|_| setting(&name, "must be true or false"))?,
            _ => Value::String(text.clone()),
        };
    }
    Ok(())
}

/// Names in the environment that look like settings and are none.
pub fn unknown_names() -> Vec<String> {
    let defaults: Table = DEFAULTS
        .parse()
        .expect("config/default.toml is TOML: tested");
    let known = names(&defaults, PREFIX);
    std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with(PREFIX))
        .filter(|name| !known.contains(name) && !OTHER_NAMES.contains(&name.as_str()))
        .collect()
}

fn names(table: &Table, prefix: &str) -> Vec<String> {
    table
        .iter()
        .flat_map(|(key, value)| {
            let name = format!("{prefix}{}", key.to_uppercase());
            match value {
                Value::Table(inner) => names(inner, &format!("{name}_")),
                _ => vec![name],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        Config::build(Some(("lodkast.toml".into(), file.into())), &environment)
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn the_environment_stands_over_the_file_and_the_file_over_the_defaults() {
        let file = "listen = '0.0.0.0:1'\n[limits]\nbody_bytes = 5\n";
        let config = build(file, &[("LODKAST_LIMITS_BODY_BYTES", "7")]).unwrap();
        assert_eq!(
            (config.listen.as_str(), config.limits.body_bytes),
            ("0.0.0.0:1", 7)
        );
        assert_eq!(config.limits.line_bytes, 65_536);
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused_by_name() {
        assert_eq!(
            build("[limits]\nbody = 5\n", &[]).unwrap_err(),
            "lodkast.toml: limits.body is not a setting"
        );
        assert_eq!(
            build("listen = 5\n", &[]).unwrap_err(),
            "lodkast.toml: listen must be a string"
        );
        assert_eq!(
            build("", &[("LODKAST_WRITER_GROUP", "many")]).unwrap_err(),
            "LODKAST_WRITER_GROUP: must be a whole number"
        );
        assert!(build("", &[("LODKAST_WRITER_GROUP", "0")]).is_err());
    }

    #[test]
    fn printing_hides_keys_and_passwords() {
        let key = "ab".repeat(32);
        let url = "postgres://user:hunter2@host/db?password=hunter3";
        let environment = [
            ("LODKAST_SECRET_KEY", key.as_str()),
            ("LODKAST_DATABASE_URL", url),
        ];
        let shown = format!("{:?}", build("", &environment).unwrap());
        assert!(
            !shown.contains(&key) && !shown.contains("hunter"),
            "{shown}"
        );
        assert!(shown.contains("postgres://(hidden)@host/db"), "{shown}");
    }
}
