//! The HTTP server of one process.

use super::budget::Budget;
use super::metrics::Metrics;
use super::throttle::Failures;
use super::wire::Wire;
use super::{App, application};
use crate::conduct::writer::Writer;
use crate::conduct::{Service, analyse, checkpoint};
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, ServerHandle};
use actix_web::rt::net::TcpStream;
use actix_web::web;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A server that is running on a thread of its own.
pub struct Running {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
}

/// Starts the server. It ends on SIGTERM or SIGINT (where `signals`), or by [`Running::stop`]:
/// requests in flight are finished first, and every accepted write is committed.
pub fn start(service: Service, listener: TcpListener, signals: bool) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("server".into())
        .spawn(move || {
            actix_web::rt::System::new().block_on(run(service, listener, signals, sender))
        })?;
    match receiver.recv() {
        Ok(handle) => Ok(Running {
            address,
            handle,
            thread,
        }),
        // The thread ended before it told its handle: its own error says why.
        Err(_) => Err(join(thread)
            .err()
            .unwrap_or_else(|| io::Error::other("no server"))),
    }
}

async fn run(
    service: Service,
    listener: TcpListener,
    signals: bool,
    sender: mpsc::Sender<ServerHandle>,
) -> io::Result<()> {
    let config = service.config.clone();
    let resumed = service.clone();
    let resumed = web::block(move || analyse::resume(&resumed)).await;
    if !matches!(resumed, Ok(Ok(()))) {
        tracing::warn!("unfinished analyses could not be looked for");
    }
    let signing = actix_web::rt::spawn(sign_ledgers(service.clone()));
    let (writer, writing) = Writer::start(service.clone());
    let app = web::Data::new(App {
        service,
        writer,
        metrics: Metrics::default(),
        budget: Budget::new(config.limits.memory_bytes),
        failures: Failures::default(),
        proxies: config.server.proxies().map_err(io::Error::other)?,
    });
    let workers = match config.server.workers {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        n => n,
    };
    let address = listener.local_addr()?;
    let patience = Duration::from_secs(config.limits.request_seconds);
    let stalled = Duration::from_secs(config.limits.stalled_seconds);
    // Signals are our own: the library takes SIGINT, which Ctrl-C sends, as a wish to break off.
    let server = Server::build()
        .workers(workers)
        .shutdown_timeout(config.server.shutdown_seconds)
        .disable_signals();
    let ending = server.graceful_shutdown_signal();
    let server = server.listen("api", listener, move || {
        let ending = ending.clone();
        // The host of its settings is that of requests which name none; nothing here asks for it.
        let application = map_config(application(app.clone()), |()| AppConfig::default());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .client_request_timeout(patience)
            .client_disconnect_timeout(Duration::from_secs(1))
            .local_addr(address)
            .finish(application);
        fn_service(move |stream: TcpStream| async move {
            let _ = stream.set_nodelay(true);
            let peer = stream.peer_addr().ok();
            Ok::<_, DispatchError>((Wire::new(stream, stalled), Protocol::Http1, peer))
        })
        .and_then(http)
    })?;
    let server = server.run();
    let _ = sender.send(server.handle());
    if signals {
        actix_web::rt::spawn(end_on_signal(server.handle()));
    }
    server.await?;
    signing.abort();
    // The workers have dropped the application, and with it the last handle of the writer: it
    // commits what is queued and ends.
    let _ = web::block(move || writing.join()).await;
    Ok(())
}

/// Signs every ledger that has grown, again and again.
async fn sign_ledgers(service: Service) {
    let pause = Duration::from_secs(service.config.ledger.checkpoint_seconds);
    loop {
        tokio::time::sleep(pause).await;
        let signing = service.clone();
        match web::block(move || checkpoint::sign_all(&signing)).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => tracing::warn!(?refusal, "ledgers could not be signed"),
            Err(_) => tracing::warn!("the signing of ledgers was cancelled or panicked"),
        }
    }
}

/// Ends the server gracefully at the first SIGTERM or SIGINT, and at once at the second.
async fn end_on_signal(handle: ServerHandle) {
    use actix_web::rt::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals cannot be received: the service ends by a kill only");
        return;
    };
    for graceful in [true, false] {
        std::future::poll_fn(|context| {
            if terminate.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(());
            }
            interrupt.poll_recv(context).map(|_| ())
        })
        .await;
        tracing::info!(graceful, "the service is asked to end");
        if !graceful {
            // The server does not hear a second wish before the first is fulfilled.
            std::process::exit(130);
        }
        actix_web::rt::spawn(handle.stop(true));
    }
}

fn join(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the server panicked")))
}

impl Running {
    /// Waits until the server ends.
    pub fn wait(self) -> io::Result<()> {
        join(self.thread)
    }

    /// Ends the server gracefully.
    pub fn stop(self) -> io::Result<()> {
        let handle = self.handle;
        let stopping = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(handle.stop(true));
        });
        let ended = join(self.thread);
        let _ = stopping.join();
        ended
    }
}
