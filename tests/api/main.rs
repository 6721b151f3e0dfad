//! The service through its public API, on both databases.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod analyses;
mod bad_input;
mod blinding;
mod bundle;
mod changed_behind;
mod concealment;
mod concurrency;
mod draw;
mod enrolments;
mod erasure;
mod forgeries;
mod http;
mod keys;
mod ledger;
mod openapi;
mod outages;
mod records;
mod service;
mod streams;
mod tampered;
mod the_lot;
mod trials;
mod unblinding;
