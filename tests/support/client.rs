//! An HTTP client with one key.

use chrono::{DateTime, NaiveDate, Utc};
use lodkast::clock::Clock;
use serde_json::Value;
use std::ops::Index;
use std::sync::{Arc, Mutex};
use ureq::Agent;

#[derive(Clone)]
pub struct Client {
    agent: Agent,
    pub address: String,
    pub key: String,
    calendar: Option<Calendar>,
}

/// Lets enrolments happen on the day that they tell: the clock of the service stands on it meanwhile.
/// Several at once are of one day.
#[derive(Clone)]
pub struct Calendar(Arc<Mutex<(usize, Option<DateTime<Utc>>)>>, Clock);

impl Calendar {
    pub fn of(clock: &Clock) -> Self {
        Self(Arc::default(), clock.clone())
    }

    /// Does something on a day.
    fn on<T>(&self, day: NaiveDate, work: impl FnOnce() -> T) -> T {
        {
            let mut under_way = self.0.lock().unwrap();
            if under_way.0 == 0 {
                under_way.1 = Some(self.1.now());
            }
            under_way.0 += 1;
            self.1.set(day.and_hms_opt(12, 0, 0).unwrap().and_utc());
        }
        let done = work();
        let mut under_way = self.0.lock().unwrap();
        under_way.0 -= 1;
        if under_way.0 == 0 {
            self.1.set(under_way.1.take().unwrap());
        }
        done
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub body: Value,
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// The body, where the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// The body of a problem of this status and type.
    #[track_caller]
    pub fn expect_problem(self, status: u16, kind: &str) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.text
        );
        let body = self.expect(status);
        assert_eq!(body["type"], format!("/{kind}"), "{body}");
        assert_eq!(body["status"], status);
        body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The lines of an NDJSON body.
    pub fn lines(&self) -> Vec<Value> {
        self.text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.body[key]
    }
}

/// The invalid fields of a problem.
pub fn invalid(problem: &Value) -> Vec<&str> {
    let list = problem["invalid"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(|fault| fault["field"].as_str())
        .collect()
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
            key: key.to_owned(),
            calendar: None,
        }
    }

    pub fn of(address: &str, key: &str, calendar: &Calendar) -> Self {
        Self {
            calendar: Some(calendar.clone()),
            ..Self::new(address, key)
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(
            "POST",
            path,
            &[("Content-Type", "application/json")],
            &body.to_string(),
        )
    }

    /// Posts JSON; nothing where the service is gone.
    pub fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.try_send(
            "POST",
            path,
            &[("Content-Type", "application/json")],
            &body.to_string(),
        )
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(
            "PUT",
            path,
            &[("Content-Type", "application/json")],
            &body.to_string(),
        )
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "")
    }

    pub fn post_with_key(&self, path: &str, idempotency_key: &str, body: &Value) -> Answer {
        let headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", idempotency_key),
        ];
        self.send("POST", path, &headers, &body.to_string())
    }

    /// Posts records as NDJSON.
    pub fn post_lines(&self, path: &str, records: &[Value]) -> Answer {
        let body: String = records.iter().map(|record| format!("{record}\n")).collect();
        self.send(
            "POST",
            path,
            &[("Content-Type", "application/x-ndjson")],
            &body,
        )
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_send(method, path, headers, body)
            .expect("the service answers")
    }

    fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let told = serde_json::from_str::<Value>(body)
            .ok()
            .filter(|_| path.ends_with("/enrolments"))
            .and_then(|body| body["enrolled_on"].as_str()?.parse().ok());
        match (&self.calendar, told) {
            (Some(calendar), Some(day)) => {
                calendar.on(day, || self.send_now(method, path, headers, body))
            }
            _ => self.send_now(method, path, headers, body),
        }
    }

    fn send_now(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("Authorization", format!("Bearer {}", self.key));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = if method == "GET" || method == "DELETE" {
            self.agent.run(request.body(()).unwrap()).ok()?
        } else {
            self.agent
                .run(request.body(body.to_owned()).unwrap())
                .ok()?
        };
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()))
            .collect();
        let text = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string()
            .ok()?;
        Some(Answer {
            status: answer.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            headers,
        })
    }
}
