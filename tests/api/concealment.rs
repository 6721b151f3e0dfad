//! What must be found nowhere: citizens' numbers, the seed, block sizes.

use crate::on_both;
use crate::support::{TRIAL, TestApp, citizen, conversation, enrol, protocol};
use lodkast::access::Role;
use serde_json::json;

#[test]
fn a_citizens_number_is_in_no_table_on_sqlite() {
    no_number_is_kept(TestApp::sqlite());
}

#[test]
fn a_citizens_number_is_in_no_table_on_postgres() {
    no_number_is_kept(TestApp::postgres());
}

fn no_number_is_kept(mut app: TestApp) {
    app.enrolling();
    let (enroller, source) = (app.enroller(), app.source());
    let path = format!("{TRIAL}/enrolments");
    enroller
        .post_with_key(&path, "010190-1234", &citizen("010190-1234"))
        .expect(201);
    let mut excluded = citizen("0202904321");
    excluded["eligibility"]["needs_interpreter"] = json!(true);
    enroller.post(&path, &excluded).expect(422);
    let mut record = conversation("c1", "");
    record.as_object_mut().unwrap().remove("participant");
    record["citizen"] = json!({"scheme": "cpr", "value": "010190-1234"});
    source
        .post(&format!("{TRIAL}/conversations"), &record)
        .expect(201);
    source
        .post_lines(&format!("{TRIAL}/conversations"), &[record])
        .expect(200);
    let wanted = json!({"citizen": {"scheme": "cpr", "value": "0101901234"}});
    enroller
        .post(&format!("{TRIAL}/participants/search"), &wanted)
        .expect(200);
    // A system that uses the number as its own id, or puts it into the wrong column.
    let mut record = conversation("311290-1234", "");
    record.as_object_mut().unwrap().remove("participant");
    record["citizen"] = json!({"scheme": "cpr", "value": "010190-1234"});
    let first = source
        .post(&format!("{TRIAL}/conversations"), &record)
        .expect(201);
    assert_eq!(
        source
            .post(&format!("{TRIAL}/conversations"), &record)
            .expect(200)["id"],
        first["id"]
    );
    record["source_id"] = json!("3112901234");
    source
        .post(&format!("{TRIAL}/conversations"), &record)
        .expect(201);
    record["source_id"] = json!("n1");
    record["number"] = json!(3_112_901_234_u32);
    source
        .post(&format!("{TRIAL}/conversations"), &record)
        .expect(422);
    let mut request = citizen("040490-1234");
    request["factors"]["age"] = json!(3_112_901_234_u32);
    enroller.post(&path, &request).expect(422);
    let name = json!({"role": "source", "name": "311290-1234"});
    app.administrator().post("/v1/keys", &name).expect(422);
    let seed = {
        let administrator = app.key(Role::Administrator, "x", None, &[]);
        let key = administrator.key.clone();
        let service = &app.service;
        let caller = lodkast::conduct::issue_key::authenticate(service, &key).unwrap();
        let id = "digital-conversations";
        let trial = service
            .trial(&caller, id, lodkast::access::Right::ConductTrial)
            .unwrap();
        *trial.registered().unwrap().secret.bytes()
    };
    let dump = app.stop_and_dump();
    let holds = |wanted: &[u8]| dump.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"digital-conversations"), "the dump is not empty");
    for secret in [
        "0101901234",
        "010190-1234",
        "0202904321",
        "020290-4321",
        "3112901234",
        "block_sizes",
    ] {
        assert!(!holds(secret.as_bytes()), "{secret} is in the database");
    }
    assert!(
        !holds(&seed) && !holds(hex::encode(seed).as_bytes()),
        "the seed is in the clear"
    );
}

on_both! {
    fn block_sizes_are_told_to_the_designer_only(app: &TestApp) {
        let administrator = app.enrolling();
        assert_eq!(
            administrator.get(TRIAL)["protocol"]["randomization"]["block_sizes"],
            protocol()["randomization"]["block_sizes"]
        );
        for role in Role::ALL.iter().filter(|role| **role != Role::Administrator) {
            let told = app.key(*role, "x", None, &[]).get(TRIAL).text;
            assert!(!told.contains("block_sizes") && !told.contains("permuted"), "{role}: {told}");
        }
    }

    fn nobody_who_enrols_learns_index_or_stratum(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let participant = enrol(&enroller, &citizen("010190-1234"));
        for path in ["participants", &format!("participants/{participant}"), "conversations"] {
            let told = enroller.get(&format!("{TRIAL}/{path}")).text;
            assert!(!told.contains("index") && !told.contains("stratum"), "{told}");
        }
        for path in ["flow", "data-cuts", "analyses", "outcomes", "exports/participants.csv?data_cut=1"] {
            assert_eq!(enroller.get(&format!("{TRIAL}/{path}")).status, 403, "{path}");
        }
    }
}
