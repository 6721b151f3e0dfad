//! Reading a bundle from its text, entry by entry.

use super::{Audience, PublicDraw, Registered};
use crate::document::Field;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A bundle, its entries not read yet. What it says beside this, nothing would vouch for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle<'a> {
    pub format: String,
    pub trial: String,
    audience: String,
    pub origin: String,
    pub keys: Vec<String>,
    pub registrations: Vec<Registered>,
    pub checkpoints: Vec<String>,
    #[serde(default)]
    pub draws: Vec<PublicDraw>,
    pub draws_left_out: Option<u64>,
    #[serde(borrow)]
    entries: &'a RawValue,
}

/// An entry, as it lies in the text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub sequence: u64,
    #[serde(borrow)]
    pub leaf: Cow<'a, str>,
    #[serde(borrow, default)]
    pub salt: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub record: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub erased: Option<Cow<'a, str>>,
}

impl<'a> Bundle<'a> {
    pub fn parse(text: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|fault| fault.to_string())
    }

    pub fn audience(&self) -> Result<Audience, String> {
        Audience::read(&self.audience.as_str().into())
            .map_err(|detail| format!("audience {detail}"))
    }

    /// Hands over one entry after the other; what the taker refuses ends the reading.
    pub fn each_entry<E>(
        &self,
        mut take: impl FnMut(&Line) -> Result<(), E>,
    ) -> Result<Result<(), E>, String> {
        let mut refused = None;
        let mut deserializer = serde_json::Deserializer::from_str(self.entries.get());
        let entries = Entries(|line: &Line| match take(line) {
            Ok(()) => true,
            Err(fault) => {
                refused = Some(fault);
                false
            }
        });
        let outcome = entries.deserialize(&mut deserializer);
        match (refused, outcome) {
            (Some(fault), _) => Ok(Err(fault)),
            (None, Ok(())) => Ok(Ok(())),
            (None, Err(fault)) => Err(format!("entries: {fault}")),
        }
    }
}

/// Gives entries to a function until it answers false.
struct Entries<F>(F);

impl<'de, F: FnMut(&Line) -> bool> DeserializeSeed<'de> for Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&Line) -> bool> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the entries of a ledger")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(line) = entries.next_element::<Line>()? {
            if !(self.0)(&line) {
                return Err(A::Error::custom("ended"));
            }
        }
        Ok(())
    }
}
