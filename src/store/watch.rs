//! Gives up connections that do not answer any more.
//!
//! A connection to PostgreSQL can be lost without a word: a proxy or a router forgets it and answers
//! nothing, and neither keepalives nor timeouts of the server tell the client. A watchdog therefore closes
//! the socket of every transaction that has lasted longer than it may; the wait for the answer then ends
//! with an error, and all connections that are as old are thrown away.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often the watchdog looks.
const PAUSE: Duration = Duration::from_millis(250);

/// The transactions that are under way.
#[derive(Default)]
pub struct Watch {
    under_way: Mutex<HashMap<u64, (Instant, TcpStream)>>,
    next: AtomicU64,
    /// Counts the times at which a connection was given up.
    generation: AtomicU64,
}

/// A transaction that is watched until this is dropped.
pub struct Watched<'a> {
    watch: &'a Watch,
    id: Option<u64>,
}

impl Watch {
    /// Starts the watchdog; it ends with the store.
    pub fn start() -> Arc<Self> {
        let watch = Arc::new(Self::default());
        let weak = Arc::downgrade(&watch);
        let started = std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || patrol(&weak));
        if let Err(fault) = started {
            tracing::warn!(%fault, "no watchdog: lost connections are given up by the system only");
        }
        watch
    }

    /// How often connections were given up; older ones are to be thrown away.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Watches a transaction on this socket.
    pub fn over(&self, socket: Option<&TcpStream>, limit: Option<Duration>) -> Watched<'_> {
        let mut id = None;
        if let (Some(socket), Some(limit)) = (socket, limit)
            && let Ok(socket) = socket.try_clone()
        {
            let new = self.next.fetch_add(1, Ordering::Relaxed);
            self.lock().insert(new, (Instant::now() + limit, socket));
            id = Some(new);
        }
        Watched { watch: self, id }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Instant, TcpStream)>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.watch.lock().remove(&id);
        }
    }
}

fn patrol(watch: &Weak<Watch>) {
    while let Some(watch) = watch.upgrade() {
        let now = Instant::now();
        let mut under_way = watch.lock();
        let overdue: Vec<u64> = under_way
            .iter()
            .filter(|(_, (limit, _))| *limit <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in &overdue {
            if let Some((_, socket)) = under_way.remove(id) {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
        drop(under_way);
        if !overdue.is_empty() {
            watch.generation.fetch_add(1, Ordering::SeqCst);
            tracing::warn!(
                connections = overdue.len(),
                "connections that did not answer were given up"
            );
        }
        drop(watch);
        std::thread::sleep(PAUSE);
    }
}

/// Opens a connection to one of these ports and finds the TCP socket that it made; none where it made no
/// one, or where it cannot be told which.
pub fn socket_of<T, E>(
    ports: &[u16],
    open: impl FnOnce() -> Result<T, E>,
) -> Result<(T, Option<TcpStream>), E> {
    // One at a time, so that what is new is of this connection, or was accepted from a client meanwhile.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = sockets();
    let opened = open()?;
    // By what the system calls them: an old socket may have got another descriptor meanwhile, because
    // whoever begins to watch it duplicates it.
    let mut found = sockets();
    found.retain(|(_, name)| !before.iter().any(|(_, old)| old == name));
    found.sort_by(|(_, a), (_, b)| a.cmp(b));
    found.dedup_by(|(_, a), (_, b)| a == b);
    let to_database = |socket: &TcpStream| {
        let peer = socket.peer_addr();
        peer.is_ok_and(|peer| ports.contains(&peer.port()))
    };
    let mut own: Vec<TcpStream> = found
        .into_iter()
        .filter_map(|(descriptor, _)| duplicate(descriptor))
        .filter(to_database)
        .collect();
    let socket = own.pop().filter(|_| own.is_empty());
    Ok((opened, socket))
}

/// The ports that an address of PostgreSQL names; 5432 where it names none.
pub fn ports(url: &str) -> Vec<u16> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let hosts = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts);
    let port = |host: &str| -> Option<u16> {
        let (_, port) = host.rsplit_once(':')?;
        port.parse().ok()
    };
    hosts
        .split(',')
        .map(|host| port(host).unwrap_or(5432))
        .collect()
}

/// The sockets of this process: descriptors, with what the system calls them.
fn sockets() -> Vec<(i32, String)> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| {
            let name = std::fs::read_link(entry.path()).ok()?;
            let name = name.to_str()?.to_owned();
            let descriptor = entry.file_name().to_str()?.parse().ok()?;
            name.starts_with("socket:").then_some((descriptor, name))
        })
        .collect()
}

/// A socket of its own over the connection behind a descriptor.
fn duplicate(descriptor: i32) -> Option<TcpStream> {
    use std::os::fd::BorrowedFd;
    // SAFETY: the descriptor was listed as open a moment ago. Should another thread have closed it since,
    // the duplication fails, or gives a socket that is looked at and dropped.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    descriptor.try_clone_to_owned().ok().map(TcpStream::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn ports_are_those_of_all_hosts() {
        assert_eq!(ports("postgres://u:p@a:1,b,c:3/db?x=y:9"), [1, 5432, 3]);
        assert_eq!(ports("postgres:///db"), [5432]);
        assert_eq!(ports("postgresql://[::1]:6000"), [6000]);
    }

    #[test]
    fn a_socket_that_does_not_answer_is_closed_after_its_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let opened = socket_of(&[address.port()], || TcpStream::connect(address));
        let (mut client, socket) = opened.unwrap();
        let (_server, _) = listener.accept().unwrap();
        let watch = Watch::start();
        let limit = Some(Duration::from_millis(50));
        let watched = watch.over(Some(&socket.unwrap()), limit);
        // Without the watchdog this would wait for ever.
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
        drop(watched);
        let begun = Instant::now();
        while watch.generation() == 0 && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(watch.generation(), 1);
    }

    /// Transactions begin on other connections to the same database while one is opened.
    #[test]
    fn a_socket_is_told_from_duplicates_of_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let old = TcpStream::connect(address).unwrap();
        let mut duplicates = Vec::new();
        let opened = socket_of(&[address.port()], || {
            duplicates.push(old.try_clone().unwrap());
            let new = TcpStream::connect(address);
            duplicates.push(old.try_clone().unwrap());
            new
        });
        let (client, socket) = opened.unwrap();
        let socket = socket.expect("it is told which");
        assert_eq!(socket.local_addr().unwrap(), client.local_addr().unwrap());
    }
}
