//! The service through its public API, on both databases.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod analyses;
mod bad_input;
mod concealment;
mod concurrency;
mod enrolments;
mod keys;
mod records;
mod service;
mod trials;
