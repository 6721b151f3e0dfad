//! A stream of records that is sent piece by piece.

use super::Client;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A stream of records that is still being sent.
pub struct Sending {
    pub stream: TcpStream,
    pub answers: BufReader<TcpStream>,
}

impl Sending {
    pub fn begin(client: &Client, path: &str) -> Self {
        Self::begin_as(client, path, "application/x-ndjson")
    }

    pub fn begin_as(client: &Client, path: &str, media_type: &str) -> Self {
        let address = client.address.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: {media_type}\r\ntransfer-encoding: chunked\r\n\r\n",
            client.key
        );
        stream.write_all(head.as_bytes()).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        Self { stream, answers }
    }

    pub fn send(&mut self, text: &str) -> std::io::Result<()> {
        write!(self.stream, "{:x}\r\n{text}\r\n", text.len())
    }

    pub fn end(&mut self) {
        self.stream.write_all(b"0\r\n\r\n").unwrap();
    }

    /// The next line that is JSON; heads and sizes of chunks are passed over.
    pub fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            if line == "0\r\n" {
                return None;
            }
            if line.starts_with('{') {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }

    pub fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
