//! The thread that does all single writes of this process. What has queued up while it was busy
//! shares the next commit.

use super::group::{self, Answer, Task};
use super::{Refusal, Service};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

struct Job {
    trial: String,
    task: Task,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// Where handlers hand in their writes.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the writer; it ends when the last handle is dropped and the queue is empty.
    pub fn start(service: Service) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(service.config.writer.queue);
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || work(&service, receiver))
            .expect("a thread can be started when the service starts");
        (Self(sender), thread)
    }

    /// Writes one task; the answer comes after the commit. A full queue refuses at once.
    pub async fn write(&self, trial: &str, task: Task) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            trial: trial.to_owned(),
            task,
            reply,
        };
        self.0.try_send(job).map_err(|_| Refusal::Busy)?;
        answer
            .await
            .map_err(|_| Refusal::Internal("the writer dropped a task".into()))?
    }

    /// How many writes are waiting.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }
}

fn work(service: &Service, mut receiver: mpsc::Receiver<Job>) {
    let most = service.config.writer.group;
    let mut jobs = Vec::with_capacity(most);
    while receiver.blocking_recv_many(&mut jobs, most) > 0 {
        let mut trials: BTreeMap<String, (Vec<Task>, Vec<_>)> = BTreeMap::new();
        for job in jobs.drain(..) {
            let (tasks, replies) = trials.entry(job.trial).or_default();
            tasks.push(job.task);
            replies.push(job.reply);
        }
        for (trial, (tasks, replies)) in trials {
            // A defect must not end the writer: every later write would wait for ever.
            let answers = catch_unwind(AssertUnwindSafe(|| group::run(service, &trial, &tasks)))
                .unwrap_or_else(|_| {
                    tasks
                        .iter()
                        .map(|_| Err(Refusal::Internal("the writer panicked".into())))
                        .collect()
                });
            for (reply, answer) in replies.into_iter().zip(answers) {
                // Whoever asked may have gone away; the write stands all the same.
                let _ = reply.send(answer);
            }
        }
    }
}
