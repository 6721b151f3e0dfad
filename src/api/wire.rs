//! The connection below the application: what is no HTTP is answered with a problem document too.
//!
//! The library answers a request that it cannot read, one whose head is too long and one whose head
//! does not come in time with a status and no body, before the application sees anything. Those answers
//! are given their body here, on their way to the socket.

use super::problem::Problem;
use actix_web::http::StatusCode;
use actix_web::rt::net::TcpStream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How an answer without a body begins.
const EMPTY: &[u8] = b"content-length: 0\r\n";

/// A connection. One on which nothing moves while an answer waits to be read is given up: what waits is
/// memory that others lack.
pub struct Wire {
    stream: TcpStream,
    patience: Duration,
    /// Runs while an answer waits and nothing is sent or received.
    stalled: Option<Pin<Box<Sleep>>>,
    /// An answer that stands for another: its bytes, how many were sent, and how many of the other's
    /// it stands for.
    instead: Option<(Vec<u8>, usize, usize)>,
}

impl Wire {
    pub fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
            instead: None,
        }
    }

    fn send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        if sent.is_ready() {
            self.stalled = None;
            return sent;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What is sent in the place of an answer that the library made itself: its status, and a problem
/// document. The application's own answers without a body are below 400.
fn instead_of(answer: &[u8]) -> Option<(Vec<u8>, usize, usize)> {
    let status = answer.strip_prefix(b"HTTP/1.1 4")?;
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n")? + 4;
    let head = &answer[..end];
    head.windows(EMPTY.len())
        .any(|at| at == EMPTY)
        .then_some(())?;
    let rest = std::str::from_utf8(status.get(..2)?).ok()?;
    let status: u16 = format!("4{rest}").parse().ok()?;
    let problem = match status {
        400 => Problem::new(
            "malformed-request",
            "Malformed request",
            status,
            "what was sent is no request of HTTP/1.1",
        ),
        408 => Problem::new(
            "request-timeout",
            "Request timeout",
            status,
            "the head of the request did not come in time",
        ),
        431 => Problem::new(
            "headers-too-large",
            "Headers too large",
            status,
            "the head of the request is too long",
        ),
        _ => return None,
    };
    let body = serde_json::to_string(&problem).ok()?;
    let reason = StatusCode::from_u16(status).ok()?;
    let reason = reason.canonical_reason().unwrap_or("Error");
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/problem+json\r\n\
         content-length: {}\r\nconnection: close\r\nx-content-type-options: nosniff\r\n\
         cache-control: no-store\r\n\r\n{body}",
        body.len()
    );
    Some((text.into_bytes(), 0, end))
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            // Many clients read nothing before they have sent everything.
            self.stalled = None;
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        answer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.instead.is_none() {
            wire.instead = instead_of(answer);
        }
        let Some((bytes, mut sent, stands_for)) = wire.instead.take() else {
            return wire.send(context, answer);
        };
        while sent < bytes.len() {
            match wire.send(context, &bytes[sent..]) {
                Poll::Ready(Ok(n)) if n > 0 => sent += n,
                Poll::Pending => {
                    wire.instead = Some((bytes, sent, stands_for));
                    return Poll::Pending;
                }
                other => return other,
            }
        }
        Poll::Ready(Ok(stands_for))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_answers_of_the_library_are_given_a_body() {
        let empty = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let (bytes, _, stands_for) = instead_of(empty).unwrap();
        assert_eq!(stands_for, empty.len());
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert!(body.contains("/malformed-request"));
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 10\r\n\r\n0123456789",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 4",
            b"",
        ] {
            assert!(instead_of(other).is_none());
        }
    }
}
