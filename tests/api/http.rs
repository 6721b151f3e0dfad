//! What holds of every answer, and of what is no request at all.

use crate::on_both;
use crate::support::{Client, TRIAL, TestApp, citizen, invalid, protocol, today};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Sends bytes as they are; the answer's head and body.
fn raw(app: &TestApp, bytes: &[u8]) -> (String, String) {
    let address = app.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    (head.to_owned(), body.to_owned())
}

#[test]
fn what_is_no_http_is_answered_with_a_problem() {
    let app = TestApp::with_settings(|config| config.limits.request_seconds = 1);
    for request in [
        &b"nonsense\r\n\r\n"[..],
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v1/trials HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
    ] {
        let (head, body) = raw(&app, request);
        let what = String::from_utf8_lossy(request).into_owned();
        assert!(
            head.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{what}: {head}"
        );
        assert!(head.contains("application/problem+json"), "{what}: {head}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["type"]),
            (&json!(400), &json!("/malformed-request"))
        );
    }
    let (head, body) = raw(&app, b"GET /healthz HTTP/1.1\r\nhost: x\r\n");
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(body.contains("/request-timeout"), "{body}");
    let long = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(200_000)
    );
    let (head, body) = raw(&app, long.as_bytes());
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
    assert!(body.contains("/headers-too-large"), "{body}");
}

#[test]
fn a_client_that_is_still_sending_can_read_that_its_body_is_too_large() {
    let app = TestApp::with_settings(|config| config.limits.body_bytes = 50_000);
    let key = app.administrator().key;
    let body = "x".repeat(3_000_000);
    let request = format!(
        "POST /v1/trials HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Everything is sent before anything is read: a connection that were reset would lose the answer.
    let (head, body) = raw(&app, request.as_bytes());
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    assert!(body.contains("/too-large"), "{body}");
}

/// Whether an answer bears what keeps browsers and caches from keeping or running it.
fn is_guarded(client: &Client, path: &str) {
    let answer = client.get(path);
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{path}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(
        answer.header("referrer-policy"),
        Some("no-referrer"),
        "{path}"
    );
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    assert!(
        !policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe"),
        "{policy}"
    );
}

on_both! {
    fn every_answer_is_guarded(app: &TestApp) {
        let administrator = app.enrolling();
        for path in ["/docs/", "/openapi.json", "/healthz", TRIAL, "/nowhere", "/v1/keys"] {
            is_guarded(&administrator, path);
            is_guarded(&app.client("wrong"), path);
        }
        let enroller = app.enroller();
        let answer = enroller.post(&format!("{TRIAL}/enrolments"), &today(citizen("010190-1234")));
        assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")));
    }

    fn ids_of_trials_are_safe_names_of_files(app: &TestApp) {
        let administrator = app.administrator();
        let create = |id: &str| {
            let mut protocol = protocol();
            protocol["id"] = json!(id);
            administrator.post("/v1/trials", &protocol)
        };
        for id in ["con", "NUL.2027", "Com1", "lpt9.x", "trial.", "..", ".hidden", "a/b", "a\\b"] {
            assert_eq!(invalid(&create(id).expect(422)), ["id"], "{id}");
        }
        for id in ["comet", "com10", "console.1", "trial"] {
            create(id).expect(201);
        }
        // On many systems the two would be one file.
        assert_eq!(invalid(&create("Trial").expect(422)), ["id"]);
    }
}

#[test]
fn wrong_keys_are_answered_slowly_and_others_at_once() {
    let app = TestApp::with_settings(|config| config.limits.wrong_key_milliseconds = 200);
    let wrong = app.client("nobody's");
    let timed = |client: &Client| {
        let begun = Instant::now();
        let status = client.get("/v1/trials").status;
        (status, begun.elapsed())
    };
    for _ in 0..5 {
        assert_eq!(timed(&wrong).0, 401);
    }
    let (status, waited) = timed(&wrong);
    assert_eq!(status, 401);
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    // Each wait is longer than the one before, and no right key waits.
    let (_, longer) = timed(&wrong);
    assert!(longer >= Duration::from_millis(400), "{longer:?}");
    assert_eq!(timed(&app.administrator()).0, 200);
}
