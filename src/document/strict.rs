//! JSON in which every key stands once, and no more of anything than a request can need.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;

/// Deepest nesting that is taken.
const DEEPEST: usize = 32;
/// Most values of one document: each takes some hundred bytes of memory, however few of the text.
const MOST_VALUES: usize = 500_000;
/// Most fields of one object.
const MOST_FIELDS: usize = 10_000;

/// Why a text is not taken as JSON. None of it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("is not JSON: line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    #[error("names a field twice in one object: line {line}, column {column}")]
    Twice { line: usize, column: usize },
    #[error("is nested deeper than {DEEPEST} levels")]
    TooDeep,
    #[error("holds more than {MOST_VALUES} values, or an object of more than {MOST_FIELDS} fields")]
    TooMuch,
}

/// Parses JSON in which no object names a key twice: of two answers to one question, none may be
/// chosen in silence.
pub fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    let (values, fault) = (Cell::new(0), Cell::new(None));
    let strict = Strict {
        depth: 0,
        values: &values,
        fault: &fault,
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = strict.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match fault.get() {
            Some(Limit::Depth) => Malformed::TooDeep,
            Some(Limit::Size) => Malformed::TooMuch,
            Some(Limit::Twice) => Malformed::Twice { line, column },
            None => Malformed::Syntax { line, column },
        }
    })
}

#[derive(Clone, Copy)]
enum Limit {
    Depth,
    Size,
    Twice,
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    values: &'a Cell<usize>,
    fault: &'a Cell<Option<Limit>>,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= DEEPEST {
            return Err(self.refuse(Limit::Depth));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let values = self.values.get() + 1;
        self.values.set(values);
        if values > MOST_VALUES {
            return Err(self.refuse(Limit::Size));
        }
        Ok(())
    }

    fn refuse<E: Error>(self, limit: Limit) -> E {
        self.fault.set(Some(limit));
        E::custom("not taken")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(within)? {
            self.count()?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.count()?;
            if map.len() >= MOST_FIELDS {
                return Err(self.refuse(Limit::Size));
            }
            let value = entries.next_value_seed(within)?;
            if map.insert(key, value).is_some() {
                return Err(self.refuse(Limit::Twice));
            }
        }
        Ok(Value::Object(map))
    }
}
