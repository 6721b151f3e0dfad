//! A copy of the database is one of a moment, and what it holds verifies.

use super::{Installation, printed, refused};
use crate::support::{TRIAL, citizen, new_postgres_database, number, protocol, today};
use serde_json::json;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Eight clients enrol as fast as they can while something else is done; how many were enrolled
/// before, and meanwhile.
fn while_enrolling(installation: &Installation, work: impl FnOnce()) -> (usize, usize) {
    let (admin, enroller) = (
        installation.key("administrator", "Anna"),
        installation.key("enroller", "Erik"),
    );
    let service = installation.serve();
    let administrator = service.client(&admin);
    administrator.post("/v1/trials", &protocol()).expect(201);
    administrator
        .post(&format!("{TRIAL}/registration"), &json!({}))
        .expect(201);
    let open = json!({"to": "enrolling", "reason": "ready"});
    administrator
        .post(&format!("{TRIAL}/status"), &open)
        .expect(200);
    let client = service.client(&enroller);
    let (ended, enrolled) = (AtomicBool::new(false), AtomicUsize::new(0));
    let counts = std::thread::scope(|scope| {
        for thread in 0..8 {
            let (client, ended, enrolled) = (client.clone(), &ended, &enrolled);
            scope.spawn(move || {
                for i in 0.. {
                    let request = today(citizen(&number(thread * 1_200 + i)));
                    client
                        .post(&format!("{TRIAL}/enrolments"), &request)
                        .expect(201);
                    enrolled.fetch_add(1, Ordering::SeqCst);
                    if ended.load(Ordering::SeqCst) || i == 1_100 {
                        break;
                    }
                }
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        let before = enrolled.load(Ordering::SeqCst);
        work();
        let meanwhile = enrolled.load(Ordering::SeqCst) - before;
        ended.store(true, Ordering::SeqCst);
        (before, meanwhile)
    });
    service.signal("-TERM");
    assert!(service.ended().0);
    counts
}

/// What `lodkast check` says of another database under the same keys: how many draws it found.
fn draws_of(installation: &Installation, url: &str) -> usize {
    let output = installation
        .command(&["check", "--format", "json"])
        .env("LODKAST_DATABASE_URL", url)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_str(&printed(&output)).unwrap();
    assert_eq!(report["differences"], json!([]), "{report}");
    report["draws"].as_u64().unwrap() as usize
}

#[test]
fn a_copy_is_made_while_citizens_are_enrolled_and_verifies() {
    let installation = Installation::sqlite();
    let file = installation.folder.path().join("copy.sqlite");
    let path = file.display().to_string();
    let (before, meanwhile) = while_enrolling(&installation, || {
        let output = installation.command(&["backup", &path]).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("draws their arms again"), "{said}");
    });
    assert!(before > 50 && meanwhile > 0, "{before}, {meanwhile}");
    let copied = draws_of(&installation, &format!("sqlite://{path}"));
    assert!(
        copied >= before && copied <= before + meanwhile + 8,
        "{copied}"
    );
    // It is a whole database that a service can go on from, and no copy is overwritten.
    assert!(draws_of(&installation, &format!("sqlite://{path}")) == copied);
    let again = installation.command(&["backup", &path]).output().unwrap();
    assert!(refused(&again, 2).contains("is there already"));
}

fn tool(name: &str, arguments: &[&str]) {
    let output = Command::new(name).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {said}");
}

#[test]
fn a_postgres_database_is_copied_by_its_own_tools_and_verifies() {
    let installation = Installation::postgres();
    let refused_by = installation.command(&["backup", "copy"]).output().unwrap();
    let said = refused(&refused_by, 2);
    assert!(
        said.contains("pg_dump") && said.contains("pg_basebackup"),
        "{said}"
    );
    let dump = installation
        .folder
        .path()
        .join("dump.sql")
        .display()
        .to_string();
    let (before, meanwhile) = while_enrolling(&installation, || {
        let url = &installation.database;
        tool(
            "pg_dump",
            &["--no-owner", "--no-privileges", "--file", &dump, url],
        );
    });
    let restored = new_postgres_database();
    tool(
        "psql",
        &[
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "--file",
            &dump,
            &restored,
        ],
    );
    let copied = draws_of(&installation, &restored);
    assert!(
        copied >= before && copied <= before + meanwhile + 8,
        "{copied}"
    );
}
