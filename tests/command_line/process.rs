//! The service as a process: restarts, kills, keys, logs.

use super::{Installation, refused};
use crate::support::sending::Sending;
use crate::support::{Client, TRIAL, citizen, conversation, enrol, number, protocol, today};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The same conversation, held at this moment.
fn now(mut conversation: serde_json::Value) -> serde_json::Value {
    conversation["scheduled_at"] = json!(lodkast::clock::Clock::system().now());
    conversation
}

fn open_trial(administrator: &Client) {
    administrator.post("/v1/trials", &protocol()).expect(201);
    administrator
        .post(&format!("{TRIAL}/registration"), &json!({}))
        .expect(201);
    let open = json!({"to": "enrolling", "reason": "ready"});
    administrator
        .post(&format!("{TRIAL}/status"), &open)
        .expect(200);
}

/// Four clients enrol until the service is gone; gives every arm that was told.
fn enrol_until_the_end(client: &Client, stop: impl FnOnce()) -> BTreeMap<usize, String> {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (client, ended) = (client.clone(), &ended);
                scope.spawn(move || {
                    let mut told = BTreeMap::new();
                    for i in 0..900 {
                        let n = thread * 1_000 + i;
                        let Some(answer) = client
                            .try_post(&format!("{TRIAL}/enrolments"), &today(citizen(&number(n))))
                        else {
                            break;
                        };
                        if answer.status == 201 {
                            told.insert(n, answer["arm"].as_str().unwrap().to_owned());
                        } else {
                            assert_eq!(answer.status, 503, "{}", answer.text);
                        }
                        if ended.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                    told
                })
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(400));
        stop();
        std::thread::sleep(std::time::Duration::from_millis(200));
        ended.store(true, Ordering::SeqCst);
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn nothing_acknowledged_is_lost(installation: &Installation, signal: &str) {
    let (admin, enroller) = (
        installation.key("administrator", "Anna"),
        installation.key("enroller", "Erik"),
    );
    let service = installation.serve();
    open_trial(&service.client(&admin));
    let client = service.client(&enroller);
    let told = enrol_until_the_end(&client, || service.signal(signal));
    assert!(
        told.len() > 20,
        "{} were enrolled before the end",
        told.len()
    );
    let (well, _) = service.ended();
    assert_eq!(well, signal == "-TERM");

    let service = installation.serve();
    let client = service.client(&enroller);
    for (n, arm) in &told {
        let again = client
            .post(&format!("{TRIAL}/enrolments"), &today(citizen(&number(*n))))
            .expect(200);
        assert_eq!(again["arm"], *arm, "citizen {n}");
    }
    let flow = service.client(&admin).get(&format!("{TRIAL}/flow"));
    assert!(flow["randomized"].as_u64().unwrap() >= told.len() as u64);
    assert_eq!(flow["records"]["draw"], flow["randomized"]);
    service.signal("-TERM");
    assert!(service.ended().0);
}

#[test]
fn a_kill_loses_nothing_acknowledged_on_sqlite() {
    nothing_acknowledged_is_lost(&Installation::sqlite(), "-KILL");
}

#[test]
fn a_kill_loses_nothing_acknowledged_on_postgres() {
    nothing_acknowledged_is_lost(&Installation::postgres(), "-KILL");
}

#[test]
fn a_shutdown_finishes_what_is_in_flight() {
    nothing_acknowledged_is_lost(&Installation::sqlite(), "-TERM");
}

#[test]
fn a_body_in_flight_is_answered_to_its_end_at_sigterm_and_sigint() {
    for signal in ["-TERM", "-INT"] {
        let installation = Installation::sqlite();
        let (admin, enroller, source) = (
            installation.key("administrator", "Anna"),
            installation.key("enroller", "Erik"),
            installation.key("source", "register"),
        );
        let service = installation.serve();
        open_trial(&service.client(&admin));
        let participant = enrol(&service.client(&enroller), &today(citizen("010190-1234")));
        let lines = |from: usize, to: usize| -> String {
            (from..to)
                .map(|n| format!("{}\n", now(conversation(&format!("c{n}"), &participant))))
                .collect()
        };
        let client = service.client(&source);
        let mut sending = Sending::begin(&client, &format!("{TRIAL}/conversations"));
        sending.send(&lines(0, 2_000)).unwrap();
        // The body is in flight: its beginning is answered, and its end is not sent yet.
        let first = sending.next().unwrap();
        assert_eq!(first["status"], "recorded", "{first}");
        service.signal(signal);
        // Nobody else is served any more.
        let begun = std::time::Instant::now();
        let address = service.address.strip_prefix("http://").unwrap().to_owned();
        while std::net::TcpStream::connect(&address).is_ok() {
            assert!(
                begun.elapsed().as_secs() < 10,
                "{signal}: it goes on listening"
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        sending.send(&lines(2_000, 6_000)).unwrap();
        sending.end();
        let last = sending.rest().pop().unwrap();
        assert_eq!(last["summary"]["recorded"], 6_000, "{signal}");
        assert!(service.ended().0, "{signal}");
    }
}

#[test]
fn the_log_at_its_finest_holds_no_citizens_number_no_key_and_no_seed() {
    let installation = Installation::sqlite();
    let admin = installation.key("administrator", "Anna");
    let enroller = installation.key("enroller", "Erik");
    let source = installation.key("source", "register");
    let service = installation.serve();
    open_trial(&service.client(&admin));
    let client = service.client(&enroller);
    let participant = enrol(&client, &today(citizen("010190-1234")));
    client
        .post(
            &format!("{TRIAL}/enrolments"),
            &json!({"citizen": "0101901234"}),
        )
        .expect(422);
    client
        .get(&format!("{TRIAL}/participants/0101901234"))
        .expect(404);
    client.get("/v1/0101901234").expect(404);
    client
        .get(&format!("{TRIAL}/participants?cursor=0101901234"))
        .expect(200);
    let search = json!({"citizen": {"scheme": "cpr", "value": "0101901234"}});
    client
        .post_with_key(
            &format!("{TRIAL}/participants/search"),
            "0101901234",
            &search,
        )
        .expect(200);
    let path = format!("{TRIAL}/conversations");
    service
        .client(&source)
        .post(&path, &now(conversation("c1", &participant)))
        .expect(201);
    service
        .client("lodk_0101901234")
        .get("/v1/trials")
        .expect(401);
    service.signal("-TERM");
    let (_, log) = service.ended();
    assert!(
        log.contains("\"route\":\"/v1/trials/{trial}/enrolments\""),
        "{log}"
    );
    let keys = std::fs::read_to_string(installation.folder.path().join("keys")).unwrap();
    for secret in [
        "0101901234",
        "010190-1234",
        "block_sizes",
        &admin[30..],
        &source[30..],
        keys.trim(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn the_key_file_is_its_owners_and_another_key_opens_nothing() {
    let installation = Installation::sqlite();
    installation.key("administrator", "Anna");
    let path = installation.folder.path().join("keys");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let other = installation
        .command(&["serve"])
        .env("LODKAST_SECRET_KEY", "ab".repeat(32))
        .output()
        .unwrap();
    assert!(refused(&other, 1).contains("secret_key is not the one"));
    let short = installation
        .command(&["serve"])
        .env("LODKAST_SECRET_KEY", "ab")
        .output()
        .unwrap();
    assert!(refused(&short, 2).contains("64 hexadecimal digits"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = installation.command(&["serve"]).output().unwrap();
    assert!(refused(&exposed, 2).contains("0600"));
}

#[test]
fn wrong_settings_are_named() {
    let installation = Installation::sqlite();
    let config = installation.folder.path().join("lodkast.toml");
    std::fs::write(&config, "[limits]\nbody = 1\n").unwrap();
    let path = config.display().to_string();
    let output = installation
        .command(&["serve", "--config", &path])
        .output()
        .unwrap();
    assert!(refused(&output, 2).contains("limits.body is not a setting"));
    let output = installation
        .command(&["serve"])
        .env("LODKAST_DATABASE_URL", "mysql://x")
        .output()
        .unwrap();
    assert!(refused(&output, 1).contains("sqlite:// or postgres://"));
    let output = installation
        .command(&["migrate"])
        .env(
            "LODKAST_DATABASE_URL",
            "postgres://user:hunter2@127.0.0.1:1/none",
        )
        .env("LODKAST_DATABASE_WAIT_SECONDS", "1")
        .output()
        .unwrap();
    assert!(!refused(&output, 1).contains("hunter2"));
    let output = installation
        .command(&["serve"])
        .env("LODKAST_LISTEN", "nowhere")
        .output()
        .unwrap();
    assert!(refused(&output, 1).contains("nowhere"));
}

#[test]
fn a_database_that_is_not_migrated_is_not_served() {
    let installation = Installation::sqlite();
    let serve = installation
        .command(&["serve"])
        .env("LODKAST_DATABASE_MIGRATE_AT_START", "false")
        .output()
        .unwrap();
    assert!(refused(&serve, 1).contains("lodkast migrate"));
    assert!(
        installation
            .command(&["migrate"])
            .status()
            .unwrap()
            .success()
    );
    assert!(
        installation
            .command(&["migrate"])
            .status()
            .unwrap()
            .success()
    );
}
