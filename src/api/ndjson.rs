//! NDJSON of any length: read line by line, written in groups, answered line by line.
//!
//! Answers go out as soon as their group is committed, while the request is still being read. Many
//! clients read nothing before they have sent everything: answers then wait in memory, up to a
//! configured size for each and for all together, so that neither side waits for the other. A client that
//! reads nothing while there is no memory left is given up after a while; what it sent is written.
//!
//! A stream that breaks off, whose key is revoked meanwhile, or whose database goes away, ends with one line
//! that holds a problem, and without a summary.

use super::budget::{Budget, Held};
use super::records::LineAnswer;
use super::{App, Problem, blocking};
use crate::access::Caller;
use crate::conduct::Refusal;
use crate::conduct::Trial;
use crate::conduct::issue_key;
use crate::conduct::record::{self, Stream};
use crate::store::StoreError;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

/// One line of the body: its number, and its text or what is wrong with it.
struct Line {
    number: u64,
    content: Result<Vec<u8>, Problem>,
}

/// Cuts a stream of bytes into lines, without ever keeping more of one than is allowed.
struct Lines {
    limit: usize,
    number: u64,
    partial: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            number: 0,
            partial: Vec::new(),
            too_long: false,
        }
    }

    fn take(&mut self, chunk: &[u8], lines: &mut Vec<Line>) {
        let mut parts = chunk.split(|byte| *byte == b'\n');
        self.extend(parts.next().unwrap_or_default());
        for part in parts {
            self.end_line(lines);
            self.extend(part);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.partial.len() + bytes.len() > self.limit {
            self.too_long = true;
            self.partial.clear();
        }
        if !self.too_long {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// Ends the line at hand; a blank one is counted and left out.
    fn end_line(&mut self, lines: &mut Vec<Line>) {
        self.number += 1;
        let (text, too_long) = (
            std::mem::take(&mut self.partial),
            std::mem::take(&mut self.too_long),
        );
        if too_long {
            let content = Err(Problem::too_large("a line", self.limit));
            lines.push(Line {
                number: self.number,
                content,
            });
        } else if !text.iter().all(u8::is_ascii_whitespace) {
            lines.push(Line {
                number: self.number,
                content: Ok(text),
            });
        }
    }
}

/// The answers on their way to the client.
struct Answers {
    sender: mpsc::UnboundedSender<(Bytes, Option<OwnedSemaphorePermit>)>,
    unread: Arc<Unread>,
    limit: usize,
    budget: Budget,
    patience: Duration,
}

/// How many bytes of answers the client has not read yet.
#[derive(Default)]
struct Unread {
    bytes: AtomicUsize,
    read: Notify,
}

impl Answers {
    /// Queues a chunk; waits while too much is unread. False where the client has gone, or reads nothing
    /// while there is no memory left.
    async fn send(&self, chunk: Vec<u8>) -> bool {
        let mut waited = Duration::ZERO;
        let permit = loop {
            if self.sender.is_closed() {
                return false;
            }
            let unread = self.unread.bytes.load(Ordering::SeqCst);
            if unread <= self.limit
                && let Some(permit) = self.budget.try_take(chunk.len())
            {
                break permit;
            }
            if waited >= self.patience {
                return false;
            }
            let _ = tokio::time::timeout(PAUSE, self.unread.read.notified()).await;
            // As long as the client reads, it is waited for.
            waited = match self.unread.bytes.load(Ordering::SeqCst) < unread {
                true => Duration::ZERO,
                false => waited + PAUSE,
            };
        };
        self.unread.bytes.fetch_add(chunk.len(), Ordering::SeqCst);
        self.sender.send((Bytes::from(chunk), Some(permit))).is_ok()
    }

    /// Queues the last line, for which there is always room.
    fn end(&self, line: &Value) {
        let text = format!("{line}\n").into_bytes();
        self.unread.bytes.fetch_add(text.len(), Ordering::SeqCst);
        let _ = self.sender.send((Bytes::from(text), None));
    }
}

/// How long a stream sleeps at a time while it waits for its client to read.
const PAUSE: Duration = Duration::from_millis(500);

/// What came of the lines so far.
#[derive(Default)]
struct Tally {
    recorded: u64,
    duplicate: u64,
    refused: u64,
}

/// Receives the lines of a body and answers them.
pub fn receive(
    app: web::Data<App>,
    caller: Arc<Caller>,
    trial: Trial,
    stream: Stream,
    payload: web::Payload,
) -> HttpResponse {
    let (sender, receiver) = mpsc::unbounded_channel();
    let unread = Arc::new(Unread::default());
    let limit = app.service.config.limits.unread_answer_bytes;
    let answers = Answers {
        sender,
        unread: unread.clone(),
        limit,
        budget: app.budget.clone(),
        patience: Duration::from_secs(app.service.config.limits.stalled_seconds),
    };
    actix_web::rt::spawn(work(app, caller, trial, stream, payload, answers));
    let body = futures_util::stream::unfold((receiver, unread), |(mut receiver, unread)| async {
        let (chunk, permit): (Bytes, Option<OwnedSemaphorePermit>) = receiver.recv().await?;
        drop(permit);
        unread.bytes.fetch_sub(chunk.len(), Ordering::SeqCst);
        unread.read.notify_one();
        Some((Ok::<_, actix_web::Error>(chunk), (receiver, unread)))
    });
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(body)
}

async fn work(
    app: web::Data<App>,
    caller: Arc<Caller>,
    trial: Trial,
    stream: Stream,
    mut payload: web::Payload,
    answers: Answers,
) {
    let config = &app.service.config;
    let mut cutter = Lines::new(config.limits.line_bytes);
    let mut waiting: Vec<Line> = Vec::new();
    let mut tally = Tally::default();
    let mut held = Held::default();
    // Why the stream ends before its time.
    let mut broken: Option<Problem> = None;
    loop {
        let chunk = payload.next().await;
        match &chunk {
            Some(Ok(chunk)) => {
                if let Err(problem) = app.budget.take_text(chunk.len(), &mut held).await {
                    broken = Some(problem);
                }
                cutter.take(chunk, &mut waiting);
            }
            // The body broke off: its last line may be cut, and is not read.
            Some(Err(_)) => broken = Some(super::body::broken_body()),
            None if !cutter.partial.is_empty() || cutter.too_long => cutter.end_line(&mut waiting),
            None => {}
        }
        let mut ended = broken.is_some() || !matches!(chunk, Some(Ok(_)));
        let mut is_read = true;
        while waiting.len() >= config.writer.bulk || (ended && !waiting.is_empty()) {
            if let Some(problem) = revoked(&app, &caller).await {
                (broken, ended) = (Some(problem), true);
                waiting.clear();
                break;
            }
            let group: Vec<Line> = waiting
                .drain(..config.writer.bulk.min(waiting.len()))
                .collect();
            let text = match write(&app, &caller, &trial, stream, group, &mut tally).await {
                Ok(text) => text,
                Err(problem) => {
                    (broken, ended) = (Some(problem), true);
                    waiting.clear();
                    break;
                }
            };
            // What was sent is written even where nobody waits for the answers any more.
            if is_read && !answers.send(text).await && !answers.sender.is_closed() {
                (is_read, ended) = (false, true);
                let detail = "answers wait unread, and there is no memory for more of them";
                broken = Some(Problem::new(
                    "unread-answers",
                    "Unread answers",
                    503,
                    detail,
                ));
            }
        }
        let kept = |line: &Line| line.content.as_ref().map_or(0, Vec::len);
        held.shrink_to(waiting.iter().map(kept).sum::<usize>() + cutter.partial.len());
        if ended {
            break;
        }
    }
    answers.end(&match broken {
        Some(problem) => json!({"problem": problem}),
        None => json!({"summary": {
            "recorded": tally.recorded, "duplicate": tally.duplicate, "refused": tally.refused,
        }}),
    });
}

/// Whether the key of a stream was revoked, or has expired, since it began.
async fn revoked(app: &web::Data<App>, caller: &Arc<Caller>) -> Option<Problem> {
    let (service, key) = (app.service.clone(), caller.key_id.clone());
    blocking(move || issue_key::still_valid(&service, &key))
        .await
        .err()
}

/// Writes one group of lines and returns the lines of its answers.
async fn write(
    app: &web::Data<App>,
    caller: &Arc<Caller>,
    trial: &Trial,
    stream: Stream,
    group: Vec<Line>,
    tally: &mut Tally,
) -> Result<Vec<u8>, Problem> {
    let mut problems: Vec<(u64, Option<Problem>)> = Vec::with_capacity(group.len());
    let mut values: Vec<Result<Value, Refusal>> = Vec::new();
    for line in group {
        match line.content.and_then(|text| super::body::parse(&text)) {
            Ok(value) => {
                values.push(Ok(value));
                problems.push((line.number, None));
            }
            Err(problem) => problems.push((line.number, Some(problem))),
        }
    }
    let (service, caller, trial) = (app.service.clone(), caller.clone(), trial.clone());
    let sent = values.len();
    let outcomes =
        blocking(move || Ok(record::bulk(&service, &trial, stream, &caller, values))).await;
    let outcomes = outcomes.unwrap_or_else(|_| {
        (0..sent)
            .map(|_| Err(Refusal::Internal("a group".into())))
            .collect()
    });
    let away = |outcome: &Result<_, Refusal>| {
        matches!(
            outcome,
            Err(Refusal::Store(
                StoreError::Unreachable(_) | StoreError::Full(_)
            ))
        )
    };
    if sent > 0 && outcomes.iter().all(away) {
        // One line says so, here and in the log. Where the connection was lost at the commit, nobody knows
        // whether the group is on file: sending it again counts nothing twice.
        let first = outcomes.into_iter().next();
        let refusal = first.and_then(Result::err).unwrap_or(Refusal::Busy);
        let problem = Problem::from(refusal);
        let inside = problem.inside.as_deref().unwrap_or("");
        tracing::error!(problem = %problem, inside, lines = sent, "a group of lines was not written");
        return Err(problem);
    }
    let failed = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let failed = failed
        .filter(|refusal| Problem::is_failure(refusal))
        .count();
    if failed > 0 {
        tracing::error!(lines = failed, "lines of a group failed");
    }
    let mut outcomes = outcomes.into_iter();
    let mut text = Vec::new();
    for (number, problem) in problems {
        let answer = match problem {
            Some(problem) => LineAnswer::refused(number, problem),
            None => {
                let missing = || Err(Refusal::Internal("a line was not answered".into()));
                LineAnswer::of(number, outcomes.next().unwrap_or_else(missing))
            }
        };
        match answer.status {
            "recorded" => tally.recorded += 1,
            "duplicate" => tally.duplicate += 1,
            _ => tally.refused += 1,
        }
        app.metrics.wrote(stream.kind().as_str(), answer.status);
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, &answer);
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&str], limit: usize) -> Vec<(u64, Option<String>)> {
        let (mut cutter, mut lines) = (Lines::new(limit), Vec::new());
        for chunk in chunks {
            cutter.take(chunk.as_bytes(), &mut lines);
        }
        if !cutter.partial.is_empty() || cutter.too_long {
            cutter.end_line(&mut lines);
        }
        lines
            .into_iter()
            .map(|line| {
                (
                    line.number,
                    line.content.ok().map(|t| String::from_utf8(t).unwrap()),
                )
            })
            .collect()
    }

    #[test]
    fn lines_may_fall_across_chunks_and_the_last_needs_no_end() {
        let line = |number, text: &str| (number, Some(text.to_owned()));
        assert_eq!(
            cut(&["a\nb", "c\n", "\n", "d"], 9),
            [line(1, "a"), line(2, "bc"), line(4, "d")]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_one_refused_line() {
        let line = |number, text: &str| (number, Some(text.to_owned()));
        let found = cut(&["aaa", "aaa", "aaa\nb\n", "cccccc"], 5);
        assert_eq!(found, [(1, None), line(2, "b"), (3, None)]);
    }
}
