//! A small HTTP/1.1 responder for /metrics, /healthz and /readyz.
//!
//! It answers GET and HEAD, one request a connection, and reads no body. A client that is slow, silent or sends more
//! than a request's head is cut off; it can neither hold up the loop nor grow the memory. It never changes anything.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::metrics::{CONTENT_TYPE, LoopMetrics};

/// Longest head of a request, in bytes.
const HEAD_LIMIT: usize = 8 * 1024;
/// Most connections at a time; further ones wait to be accepted.
const CONNECTION_LIMIT: usize = 64;
/// How long a client may take for its request, and for reading the answer.
const CLIENT_TIME: Duration = Duration::from_secs(5);

/// What is served: written by the loop, read by the responder.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<SharedState>>);

#[derive(Debug, Default)]
struct SharedState {
    metrics: LoopMetrics,
    stale_after: Option<Duration>,
    last_tick: Option<std::time::Instant>,
}

impl Shared {
    /// Readiness lapses when no tick was completed for this long, by the machine's clock.
    pub fn new(stale_after: Duration) -> Shared {
        Shared(Arc::new(Mutex::new(SharedState {
            stale_after: Some(stale_after),
            ..SharedState::default()
        })))
    }

    /// Changes the numbers.
    pub fn update(&self, change: impl FnOnce(&mut LoopMetrics)) {
        change(
            &mut self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .metrics,
        );
    }

    /// Says that a tick was completed.
    pub fn tick_completed(&self, at: Timestamp, took: Duration, succeeded: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.metrics.ticks += 1;
        state.metrics.last_tick_seconds = took.as_secs_f64();
        state.metrics.tick_seconds_sum += took.as_secs_f64();
        if succeeded {
            state.metrics.last_success = Some(at);
        }
        state.last_tick = Some(std::time::Instant::now());
    }

    /// The numbers as they are now.
    pub fn metrics(&self) -> LoopMetrics {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .metrics
            .clone()
    }

    fn readiness(&self) -> Result<(), &'static str> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.last_tick, state.stale_after) {
            (None, _) => Err("no tick was completed yet"),
            (Some(last), Some(limit)) if last.elapsed() > limit => {
                Err("no tick was completed lately")
            }
            _ => Ok(()),
        }
    }
}

/// Binds `address`.
///
/// # Errors
/// The system's: the port is taken, the address is not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers requests until it is dropped.
pub async fn serve(listener: TcpListener, shared: Shared) {
    let slots = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    // A client that is cut off or goes away is its own problem.
                    let _ = tokio::time::timeout(CLIENT_TIME, answer(stream, &shared)).await;
                    drop(slot);
                });
            }
            // Out of descriptors: give others the time to close theirs.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let mut chunk = [0_u8; 1024];
    let response = loop {
        if let Some(end) = find_end(&head) {
            break respond(head.get(..end).unwrap_or_default(), shared);
        }
        if head.len() > HEAD_LIMIT {
            break plain(
                "431 Request Header Fields Too Large",
                "the request is too long\n",
            );
        }
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Ok(());
        }
        head.extend_from_slice(chunk.get(..n).unwrap_or_default());
    };
    stream.write_all(&response).await?;
    stream.shutdown().await
}

fn find_end(head: &[u8]) -> Option<usize> {
    head.windows(4).position(|w| w == b"\r\n\r\n")
}

/// The whole response to a request's head.
fn respond(head: &[u8], shared: &Shared) -> Vec<u8> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return plain("400 Bad Request", "not an HTTP request\n");
    };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return plain("400 Bad Request", "not an HTTP request\n");
    };
    if !version.starts_with("HTTP/1.") {
        return plain(
            "505 HTTP Version Not Supported",
            "only HTTP/1 is spoken here\n",
        );
    }
    if method != "GET" && method != "HEAD" {
        return plain("405 Method Not Allowed", "only GET and HEAD are answered\n");
    }
    let path = target.split('?').next().unwrap_or_default();
    let mut response = match path {
        "/metrics" => build("200 OK", CONTENT_TYPE, &shared.metrics().render()),
        "/healthz" => plain("200 OK", "ok\n"),
        "/readyz" => match shared.readiness() {
            Ok(()) => plain("200 OK", "ok\n"),
            Err(why) => plain("503 Service Unavailable", &format!("{why}\n")),
        },
        _ => plain("404 Not Found", "try /metrics, /healthz or /readyz\n"),
    };
    if method == "HEAD"
        && let Some(end) = find_end(&response)
    {
        response.truncate(end + 4);
    }
    response
}

fn plain(status: &str, body: &str) -> Vec<u8> {
    build(status, "text/plain; charset=utf-8", body)
}

fn build(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let allow = if status.starts_with("405") {
        "Allow: GET, HEAD\r\n"
    } else {
        ""
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request: &str, shared: &Shared) -> String {
        String::from_utf8(respond(request.as_bytes(), shared)).unwrap()
    }

    #[test]
    fn readiness_comes_with_the_first_tick_and_health_is_there_before() {
        let shared = Shared::new(Duration::from_secs(3600));
        assert!(ask("GET /healthz HTTP/1.1", &shared).starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(ask("GET /readyz HTTP/1.1", &shared).starts_with("HTTP/1.1 503"));
        shared.tick_completed(Timestamp::UNIX_EPOCH, Duration::from_millis(5), true);
        assert!(ask("GET /readyz HTTP/1.1", &shared).starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(ask("GET /metrics?x=1 HTTP/1.0", &shared).contains("tideform_ticks_total 1\n"));
    }

    #[test]
    fn what_is_not_a_get_of_a_known_path_is_refused() {
        let shared = Shared::default();
        for (request, status) in [
            ("GET / HTTP/1.1", "404"),
            ("POST /metrics HTTP/1.1", "405"),
            ("GET /metrics", "400"),
            ("GET /metrics HTTP/2", "505"),
            ("\u{1}\u{2}", "400"),
            ("", "400"),
        ] {
            let answer = ask(request, &shared);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request:?}: {answer}"
            );
        }
        let head = ask("HEAD /healthz HTTP/1.1", &shared);
        assert!(
            head.ends_with("\r\n\r\n") && head.contains("Content-Length: 3\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn an_endless_request_is_cut_off() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Shared::default()));
        let mut client = TcpStream::connect(address).await.unwrap();
        let _ = client.write_all(&[b'x'; 9 * 1024]).await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        // A reset may take the answer with it; what counts is that the connection ends.
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
            "{answer:?}"
        );
        server.abort();
    }
}
