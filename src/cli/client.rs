//! A plain HTTP client with one API key: the demonstration knows no other way into the service.

use super::Stopped;
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;

/// Longest wait for the answer to a GET.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the service.
pub struct Client {
    agent: Agent,
    address: String,
    authorization: String,
}

/// What the service said to a body of NDJSON.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub recorded: u64,
    pub duplicate: u64,
    pub refused: u64,
}

impl Client {
    pub fn new(address: &str, key: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self {
            agent,
            address: address.to_owned(),
            authorization: format!("Bearer {key}"),
        }
    }

    pub fn get(&self, path: &str) -> Result<Value, Stopped> {
        let answer = self
            .agent
            .get(format!("{}{path}", self.address))
            .config()
            .timeout_global(Some(PATIENCE))
            .build()
            .header("Authorization", &self.authorization)
            .call();
        let (status, value) = read(path, answer)?;
        if status < 300 {
            Ok(value)
        } else {
            Err(unexpected(path, status, &value))
        }
    }

    /// Posts JSON and expects success.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Stopped> {
        let (status, value) = self.try_post(path, body)?;
        if status < 300 {
            Ok(value)
        } else {
            Err(unexpected(path, status, &value))
        }
    }

    /// Posts JSON; any answer will do.
    pub fn try_post(&self, path: &str, body: &Value) -> Result<(u16, Value), Stopped> {
        let answer = self
            .agent
            .post(format!("{}{path}", self.address))
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json")
            .send(body.to_string());
        read(path, answer)
    }

    /// Posts records as NDJSON and adds up what came of them.
    pub fn post_lines(&self, path: &str, records: &[Value]) -> Result<Tally, Stopped> {
        let body: String = records.iter().map(|record| format!("{record}\n")).collect();
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.address))
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/x-ndjson")
            .send(body)
            .map_err(|fault| Stopped::failed(format!("{path}: {fault}")))?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string()
            .map_err(|fault| Stopped::failed(format!("{path}: {fault}")))?;
        let last: Value = text
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| Stopped::failed(format!("{path}: the answer has no summary")))?;
        let count = |key: &str| last["summary"][key].as_u64().unwrap_or(0);
        if let Some(line) = text
            .lines()
            .find(|line| line.contains("\"refused\",\"problem\""))
        {
            return Err(Stopped::failed(format!("{path}: {line}")));
        }
        Ok(Tally {
            recorded: count("recorded"),
            duplicate: count("duplicate"),
            refused: count("refused"),
        })
    }
}

fn read(
    path: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<(u16, Value), Stopped> {
    let mut answer = answer.map_err(|fault| Stopped::failed(format!("{path}: {fault}")))?;
    let status = answer.status().as_u16();
    let text = answer
        .body_mut()
        .read_to_string()
        .map_err(|fault| Stopped::failed(format!("{path}: {fault}")))?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

fn unexpected(path: &str, status: u16, value: &Value) -> Stopped {
    Stopped::failed(format!("{path}: {status} {value}"))
}
