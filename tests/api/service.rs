//! Health, measurements, documents, request ids.

use crate::on_both;
use crate::support::{TRIAL, TestApp, citizen, enrol};

on_both! {
    fn health_measurements_and_documents_are_there(app: &TestApp) {
        app.enrolling();
        enrol(&app.enroller(), &citizen("010190-1234"));
        let anybody = app.client("");
        assert_eq!(anybody.get("/healthz")["status"], "alive");
        assert_eq!(anybody.get("/readyz")["status"], "ready");
        let metrics = anybody.get("/metrics").text;
        assert!(metrics.contains("lodkast_writes_total{outcome=\"enrolled\",what=\"enrolment\"} 1"), "{metrics}");
        assert!(metrics.contains("route=\"/v1/trials/{trial}/enrolments\""), "{metrics}");
        assert!(!metrics.contains("physical"), "{metrics}");
        let document = anybody.get("/openapi.json");
        assert_eq!(document["openapi"], "3.1.0");
        assert!(anybody.get("/docs/").text.contains("swagger"), "the pages of the API");
    }

    fn every_answer_has_a_request_id(app: &TestApp) {
        let client = app.administrator();
        let answer = client.get("/v1/trials");
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
        let own = client.send("GET", "/v1/trials", &[("X-Request-Id", "abc-1")], "");
        assert_eq!(own.header("x-request-id"), Some("abc-1"));
        let hidden = client.send("GET", TRIAL, &[("X-Request-Id", "0101901234")], "");
        assert_ne!(hidden.header("x-request-id"), Some("0101901234"));
    }
}
