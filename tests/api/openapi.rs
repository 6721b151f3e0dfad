//! The OpenAPI document is valid: generators of clients take it.

use crate::support::TestApp;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];
const TYPES: [&str; 7] = [
    "string", "number", "integer", "boolean", "array", "object", "null",
];

fn object(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is no object"))
}

/// Every reference of a document, and every schema's type.
fn walk<'a>(value: &'a Value, references: &mut Vec<&'a str>, types: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("$ref", Value::String(path)) => references.push(path),
                    ("type", Value::String(_) | Value::Array(_)) if !map.contains_key("scheme") => {
                        types.push(inner);
                    }
                    _ => {}
                }
                walk(inner, references, types);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| walk(inner, references, types)),
        _ => {}
    }
}

#[test]
fn the_document_is_valid() {
    let app = TestApp::sqlite();
    let document = app.client("").get("/openapi.json");
    oas3::from_json(&document.text).expect("it is a document of OpenAPI 3.1");
    let document = document.body;
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());

    let mut ids = BTreeSet::new();
    let mut answers = 0;
    for (path, item) in object(&document["paths"]) {
        let template: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.split_once('{')?.1.split_once('}'))
            .map(|(name, _)| name)
            .collect();
        for (method, operation) in object(item)
            .iter()
            .filter(|(m, _)| METHODS.contains(&m.as_str()))
        {
            let at = format!("{method} {path}");
            let id = operation["operationId"]
                .as_str()
                .unwrap_or_else(|| panic!("{at}: no id"));
            assert!(ids.insert(id.to_owned()), "{at}: the id {id} stands twice");
            assert!(
                id.chars()
                    .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()),
                "{id}"
            );
            let parameters = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let mut of_path = BTreeSet::new();
            let mut seen = BTreeSet::new();
            for parameter in &parameters {
                let (name, place) = (
                    parameter["name"].as_str().unwrap(),
                    parameter["in"].as_str().unwrap(),
                );
                assert!(seen.insert((name, place)), "{at}: {name} stands twice");
                assert!(
                    parameter["schema"].is_object(),
                    "{at}: {name} has no schema"
                );
                if place == "path" {
                    assert_eq!(parameter["required"], true, "{at}: {name}");
                    of_path.insert(name);
                }
            }
            assert_eq!(of_path, template, "{at}");
            if let Some(body) = operation.get("requestBody") {
                assert!(!object(&body["content"]).is_empty(), "{at}");
            }
            let responses = object(&operation["responses"]);
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{at}"
            );
            for (status, response) in responses {
                assert!(
                    status.len() == 3 && status.parse::<u16>().is_ok(),
                    "{at}: {status}"
                );
                let says = response["description"].as_str().unwrap_or_default();
                assert!(says.len() > 3, "{at}: {status} has no description");
                answers += 1;
            }
            let security = operation.get("security").unwrap_or(&document["security"]);
            for scheme in security
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|named| object(named).keys())
            {
                assert!(
                    document["components"]["securitySchemes"][scheme].is_object(),
                    "{at}: {scheme}"
                );
            }
        }
    }
    assert!(answers > 70, "{answers}");
    let (mut references, mut types) = (Vec::new(), Vec::new());
    walk(&document["paths"], &mut references, &mut types);
    walk(
        &document["components"]["schemas"],
        &mut references,
        &mut types,
    );
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference within the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    for named in types {
        let all = named
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![named.clone()]);
        assert!(
            all.iter()
                .all(|t| t.as_str().is_some_and(|t| TYPES.contains(&t))),
            "{named}"
        );
    }
}
