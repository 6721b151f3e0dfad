//! Measurements for Prometheus. None of them tells an arm.

use crate::conduct::Service;
use crate::conduct::writer::Writer;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};
use std::sync::atomic::Ordering;

/// The measurements of one process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    records: IntCounterVec,
    waiting: IntGauge,
    retries: IntCounter,
    many_reads: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = IntCounterVec::new(
            Opts::new("lodkast_http_requests_total", "Requests answered"),
            &["method", "route", "status"],
        );
        let seconds = HistogramVec::new(
            HistogramOpts::new("lodkast_http_request_seconds", "Time to the answer's head"),
            &["method", "route"],
        );
        let records = IntCounterVec::new(
            Opts::new(
                "lodkast_writes_total",
                "Writes of citizens and sources, by what came of them",
            ),
            &["what", "outcome"],
        );
        let waiting = IntGauge::new("lodkast_writer_waiting", "Single writes in the queue");
        let retries = IntCounter::new(
            "lodkast_store_retries_total",
            "Transactions run again after a lost race",
        );
        let many_reads = IntCounter::new(
            "lodkast_many_arms_read_total",
            "Keys that read many arms beyond their own enrolments, once a day each",
        );
        let named = "the names above are valid and differ";
        let metrics = Self {
            registry: Registry::new(),
            requests: requests.expect(named),
            seconds: seconds.expect(named),
            records: records.expect(named),
            waiting: waiting.expect(named),
            retries: retries.expect(named),
            many_reads: many_reads.expect(named),
        };
        let register = |collector: Box<dyn prometheus::core::Collector>| {
            metrics.registry.register(collector).expect(named);
        };
        register(Box::new(metrics.requests.clone()));
        register(Box::new(metrics.seconds.clone()));
        register(Box::new(metrics.records.clone()));
        register(Box::new(metrics.waiting.clone()));
        register(Box::new(metrics.retries.clone()));
        register(Box::new(metrics.many_reads.clone()));
        metrics
    }
}

impl Metrics {
    pub fn observe(&self, method: &str, route: &str, status: u16, seconds: f64) {
        // A client may invent methods; each would be a series of its own.
        let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"].contains(&method);
        let method = if known { method } else { "other" };
        self.requests
            .with_label_values(&[method, route, &status.to_string()])
            .inc();
        self.seconds
            .with_label_values(&[method, route])
            .observe(seconds);
    }

    /// Counts what came of a write.
    pub fn wrote(&self, what: &str, outcome: &str) {
        self.records.with_label_values(&[what, outcome]).inc();
    }

    /// The text that Prometheus reads.
    pub fn render(&self, service: &Service, writer: &Writer) -> String {
        self.waiting.set(writer.waiting() as i64);
        self.retries
            .inc_by(service.store.retries().saturating_sub(self.retries.get()));
        let many_reads = service.many_reads.load(Ordering::Relaxed);
        self.many_reads
            .inc_by(many_reads.saturating_sub(self.many_reads.get()));
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}
