//! A folder with a database and keys, and the service on it as a process.

use super::{lodkast, printed};
use crate::support::Client;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Installation {
    pub folder: tempfile::TempDir,
    pub database: String,
}

/// A service that is running as a process of its own.
pub struct Service {
    pub child: Child,
    pub address: String,
    log: std::thread::JoinHandle<String>,
}

impl Installation {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!(
            "sqlite://{}",
            folder.path().join("lodkast.sqlite").display()
        );
        Self { folder, database }
    }

    pub fn postgres() -> Self {
        let database = crate::support::new_postgres_database();
        Self {
            folder: tempfile::tempdir().unwrap(),
            database,
        }
    }

    /// A command with the settings of this installation.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = lodkast();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("LODKAST_DATABASE_URL", &self.database)
            .env("LODKAST_KEY_FILE", self.folder.path().join("keys"))
            .env("LODKAST_LISTEN", "127.0.0.1:0");
        command
    }

    pub fn key(&self, role: &str, name: &str) -> String {
        let output = self
            .command(&["key", "create", "--role", role, "--name", name])
            .output()
            .unwrap();
        let text = printed(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        text.trim().to_owned()
    }

    /// Starts the service with everything logged.
    pub fn serve(&self) -> Service {
        self.serve_with(&[])
    }

    /// The same, with other settings.
    pub fn serve_with(&self, settings: &[(&str, &str)]) -> Service {
        let mut child = self
            .command(&["serve"])
            .envs(settings.iter().copied())
            .env("LODKAST_LOG_LEVEL", "trace")
            .env("LODKAST_LOG_FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(
                lines.read_line(&mut line).unwrap() > 0,
                "the service ended: {log}"
            );
            log.push_str(&line);
            if line.contains("the service takes requests") {
                let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                break format!("http://{}", value["address"].as_str().unwrap());
            }
        };
        let log = std::thread::spawn(move || {
            let _ = lines.read_to_string(&mut log);
            log
        });
        Service {
            child,
            address,
            log,
        }
    }
}

impl Service {
    pub fn client(&self, key: &str) -> Client {
        Client::new(&self.address, key)
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the process to end; gives whether it ended well, and its log.
    pub fn ended(mut self) -> (bool, String) {
        let deadline = Instant::now() + Duration::from_secs(40);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the service does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.success(), self.log.join().unwrap())
    }
}
