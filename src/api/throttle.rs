//! Wrong keys are answered more and more slowly, and logged with the address they came from.

use actix_web::HttpRequest;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses that are remembered at most.
const MOST: usize = 10_000;
/// Failures that are answered at once.
const FREE: u32 = 5;
/// How long failures are remembered.
const MEMORY: Duration = Duration::from_secs(60);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(2);

/// Failures by the address of the client.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<IpAddr, (u32, Instant)>>);

impl Failures {
    /// Counts a failure; returns how long its answer waits, by one step more for each that is not free.
    pub fn count(&self, address: Option<IpAddr>, step: Duration) -> Duration {
        let Some(address) = address else {
            return Duration::ZERO;
        };
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (_, at)| now.duration_since(*at) < MEMORY);
        }
        if known.len() >= MOST {
            known.clear();
        }
        let (count, at) = known.entry(address).or_insert((0, now));
        if now.duration_since(*at) >= MEMORY {
            *count = 0;
        }
        *count = count.saturating_add(1);
        *at = now;
        (step * count.saturating_sub(FREE)).min(LONGEST)
    }
}

/// The address of the client: that of the connection, or, behind a proxy that is trusted, the last one
/// that the proxy names and that is not itself a trusted proxy.
pub fn client(request: &HttpRequest, trusted: &[IpAddr]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    if !trusted.contains(&peer) {
        return Some(peer);
    }
    let forwarded = request.headers().get_all("x-forwarded-for");
    let hops: Vec<&str> = forwarded
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .collect();
    // From the right: what a proxy added itself. What the client claims stands to the left of it.
    let seen = hops
        .into_iter()
        .rev()
        .map_while(|hop| hop.trim().parse::<IpAddr>().ok())
        .map(|hop| hop.to_canonical())
        .find(|hop| !trusted.contains(hop));
    seen.or(Some(peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    const STEP: Duration = Duration::from_millis(100);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_believed_of_a_trusted_proxy_only() {
        let from = |peer: &str, told: &str, trusted: &[IpAddr]| {
            let request = TestRequest::default()
                .peer_addr(format!("{peer}:1").parse().unwrap())
                .insert_header(("x-forwarded-for", told))
                .to_http_request();
            client(&request, trusted)
        };
        let proxy = [address("10.0.0.1")];
        assert_eq!(
            from("10.0.0.9", "1.2.3.4", &proxy),
            Some(address("10.0.0.9"))
        );
        assert_eq!(
            from("10.0.0.1", "1.2.3.4", &proxy),
            Some(address("1.2.3.4"))
        );
        // What the client itself claims stands before what the proxy saw.
        assert_eq!(
            from("10.0.0.1", "9.9.9.9, 1.2.3.4", &proxy),
            Some(address("1.2.3.4"))
        );
        assert_eq!(
            from("10.0.0.1", "nonsense", &proxy),
            Some(address("10.0.0.1"))
        );
        // What cannot be read hides nothing that stands behind it.
        for told in [
            "6.6.6.6, x, 1.2.3.4",
            "x, 1.2.3.4",
            "6.6.6.6, ::ffff:1.2.3.4",
        ] {
            assert_eq!(
                from("10.0.0.1", told, &proxy),
                Some(address("1.2.3.4")),
                "{told}"
            );
        }
    }

    #[test]
    fn failures_wait_longer_and_longer_and_each_address_by_itself() {
        let failures = Failures::default();
        let one = Some(address("1.2.3.4"));
        let waits: Vec<Duration> = (0..40).map(|_| failures.count(one, STEP)).collect();
        assert!(waits[..5].iter().all(Duration::is_zero));
        assert_eq!((waits[5], waits[9], waits[39]), (STEP, STEP * 5, LONGEST));
        assert!(failures.count(Some(address("1.2.3.5")), STEP).is_zero());
    }
}
