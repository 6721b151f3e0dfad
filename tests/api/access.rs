//! Every route against every role.

use crate::on_both;
use crate::support::{TestApp, citizen, enrol};
use lodkast::access::Role;
use serde_json::json;

use Role::{Administrator, Auditor, Enroller, Monitor, Source, Statistician};

/// Method, path and the roles that may; everybody else gets 403. `{...}` are filled in below.
const TABLE: &[(&str, &str, &[Role])] = &[
    ("POST", "/v1/trials", &[Administrator]),
    (
        "GET",
        "/v1/trials",
        &[Administrator, Enroller, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/trials/{trial}",
        &[Administrator, Enroller, Statistician, Monitor, Auditor],
    ),
    ("PUT", "/v1/trials/{trial}", &[Administrator]),
    ("POST", "/v1/trials/{trial}/registration", &[Administrator]),
    ("POST", "/v1/trials/{trial}/status", &[Administrator]),
    ("POST", "/v1/trials/{trial}/enrolments", &[Enroller]),
    ("GET", "/v1/trials/{trial}/participants", &[Enroller]),
    (
        "GET",
        "/v1/trials/{trial}/participants/{participant}",
        &[Enroller],
    ),
    (
        "POST",
        "/v1/trials/{trial}/participants/search",
        &[Enroller],
    ),
    (
        "POST",
        "/v1/trials/{trial}/conversations",
        &[Enroller, Source],
    ),
    (
        "GET",
        "/v1/trials/{trial}/conversations",
        &[Enroller, Monitor],
    ),
    ("POST", "/v1/trials/{trial}/outcomes", &[Source]),
    (
        "GET",
        "/v1/trials/{trial}/outcomes",
        &[Statistician, Monitor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/flow",
        &[Administrator, Statistician, Monitor],
    ),
    (
        "POST",
        "/v1/trials/{trial}/data-cuts",
        &[Administrator, Statistician, Monitor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/data-cuts",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "POST",
        "/v1/trials/{trial}/analyses",
        &[Statistician, Monitor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/analyses",
        &[Statistician, Monitor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/analyses/{analysis}",
        &[Statistician, Monitor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/exports/{dataset}.csv",
        &[Statistician, Monitor],
    ),
    (
        "POST",
        "/v1/trials/{trial}/registration/public-randomness",
        &[Administrator],
    ),
    ("POST", "/v1/trials/{trial}/units", &[Administrator]),
    ("POST", "/v1/trials/{trial}/units/lists", &[Enroller]),
    (
        "GET",
        "/v1/trials/{trial}/ledger/checkpoint",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/ledger/entries",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/ledger/proofs/inclusion",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/ledger/proofs/consistency",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/trials/{trial}/bundle",
        &[Administrator, Auditor],
    ),
    ("POST", "/v1/keys", &[Administrator]),
    ("GET", "/v1/keys", &[Administrator]),
    (
        "POST",
        "/v1/keys/{key}/rotation",
        &[
            Administrator,
            Enroller,
            Source,
            Statistician,
            Monitor,
            Auditor,
        ],
    ),
    ("GET", "/v1/persons", &[Administrator]),
    ("POST", "/v1/persons", &[Administrator]),
    ("GET", "/v1/requests", &[Administrator]),
    ("POST", "/v1/requests", &[Administrator]),
    ("GET", "/v1/requests/{request}", &[Administrator]),
    ("POST", "/v1/requests/{request}/sign", &[Administrator]),
    ("POST", "/v1/requests/{request}/withdraw", &[Administrator]),
    (
        "POST",
        "/v1/trials/{trial}/factors/{factor}/codes",
        &[Administrator],
    ),
    (
        "GET",
        "/v1/installation/ledger/checkpoint",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/installation/ledger/entries",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/installation/ledger/proofs/inclusion",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    (
        "GET",
        "/v1/installation/ledger/proofs/consistency",
        &[Administrator, Statistician, Monitor, Auditor],
    ),
    ("DELETE", "/v1/keys/{key}", &[Administrator]),
];

const OPEN: &[(&str, &str)] = &[("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")];

#[test]
fn the_table_holds_every_route_of_the_openapi_document() {
    let document = serde_json::to_value(lodkast::api::openapi_document()).unwrap();
    let mut documented: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            documented.push((method.to_uppercase(), path.clone()));
        }
    }
    documented.sort();
    let known = TABLE.iter().map(|(method, path, _)| (method, path));
    let mut known: Vec<(String, String)> = known
        .chain(OPEN.iter().map(|(method, path)| (method, path)))
        .map(|(method, path)| (method.to_string(), path.to_string()))
        .collect();
    known.sort();
    assert_eq!(documented, known);
}

on_both! {
    fn each_role_may_exactly_what_the_table_says(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        for role in Role::ALL {
            let client = app.key(*role, "somebody", None, &[]);
            for (method, path, allowed) in TABLE {
                let path = filled(path, &participant);
                let answer = client.send(method, &path, &[("Content-Type", "application/json")], "{}");
                let what = format!("{role} {method} {path}: {} {}", answer.status, answer.text);
                assert_ne!(answer.status, 401, "{what}");
                assert!(answer.status < 500, "{what}");
                assert_eq!(answer.status == 403, !allowed.contains(role), "{what}");
                if answer.status == 403 {
                    let problem = answer.expect_problem(403, "missing-right");
                    assert!(problem["detail"].as_str().unwrap().contains(':'), "{what}");
                }
            }
        }
    }

    fn without_a_valid_key_there_is_nothing_but_health(app: &TestApp) {
        let revoked = app.enroller();
        let id = revoked.key.split('_').nth(1).unwrap().to_owned();
        app.administrator().delete(&format!("/v1/keys/{id}")).expect(204);
        let mut changed = app.enroller().key;
        let last = if changed.pop() == Some('0') { '1' } else { '0' };
        changed.push(last);
        for key in ["", "x", "lodk_", &revoked.key, &changed] {
            let client = app.client(key);
            for (method, path, _) in TABLE {
                let path = filled(path, "00000000-0000-0000-0000-000000000000");
                client.send(method, &path, &[], "{}").expect_problem(401, "unauthenticated");
            }
        }
        for (_, path) in OPEN {
            assert_eq!(app.client("").get(path).status, 200, "{path}");
        }
    }

    fn what_a_key_may_not_know_does_not_exist(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        for role in Role::ALL {
            let stranger = app.key(*role, "stranger", Some("another-trial"), &[]);
            for (method, path, _) in TABLE.iter().filter(|(_, path, _)| path.contains("{trial}")) {
                let path = filled(path, &participant);
                stranger.send(method, &path, &[], "{}").expect_problem(404, "not-found");
            }
            let trials = stranger.get("/v1/trials");
            assert!(trials.status == 403 || trials["items"] == json!([]), "{}", trials.text);
        }
    }

    fn a_key_bound_to_sites_sees_the_participants_of_those_sites_only(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let path = format!("/v1/trials/digital-conversations/participants/{participant}");
        let near = app.key(Enroller, "near", None, &["Aalborg"]);
        let far = app.key(Enroller, "far", None, &["Odense"]);
        near.get(&path).expect(200);
        far.get(&path).expect_problem(404, "unknown-participant");
        let list = "/v1/trials/digital-conversations/participants";
        assert_eq!(near.get(list)["items"].as_array().unwrap().len(), 1);
        assert_eq!(far.get(list)["items"], json!([]));
        let search = format!("{list}/search");
        let wanted = json!({"citizen": {"scheme": "cpr", "value": "0101901234"}});
        assert_eq!(near.post(&search, &wanted)["participant"], json!(participant));
        far.post(&search, &wanted).expect_problem(404, "unknown-participant");
    }
}

fn filled(path: &str, participant: &str) -> String {
    path.replace("{trial}", "digital-conversations")
        .replace("{participant}", participant)
        .replace("{dataset}", "participants")
        .replace("{analysis}", "none")
        .replace("{request}", "none")
        .replace("{factor}", "site")
        .replace("{key}", "none")
}
