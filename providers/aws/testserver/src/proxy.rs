//! A proxy on the loopback that spoils what passes: what happens on the wire, where the server knows nothing of it.
//!
//! The server's own faults (`Account::faults`) are AWS's answers; these are the network's. A proxy is one test's: give
//! its [`FaultProxy::url`] as `AWS_ENDPOINT_URL`. Nothing here waits for time to pass: a call that is to hang does so
//! until its caller gives up.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::AwsServer;

/// What happens to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not passed on; this error in its place, as AWS's XML or CBOR.
    Answer {
        /// HTTP status.
        status: u16,
        /// `Throttling`.
        code: &'static str,
    },
    /// Not passed on, and never answered.
    HangBefore,
    /// Passed on, and never answered.
    HangAfter,
    /// Never answered, and passed on only when the test says so: [`FaultProxy::deliver_late`].
    Late,
    /// The connection is cut before the request is passed on.
    CutBefore,
    /// The connection is cut after the request was carried out, before the answer.
    CutAfter,
    /// The connection is cut in the middle of the answer's body.
    CutInside,
    /// The answer ends well in the middle of its body: its length says so.
    Half,
    /// The answer's first bytes and some of the others have flipped bits.
    Flipped,
    /// Carried out; a page of somebody else in place of the answer, with status 200.
    Page,
}

/// Which call, and what happens to it.
#[derive(Debug)]
struct Rule {
    op: String,
    part: String,
    skip: usize,
    times: usize,
    fault: Fault,
}

/// A request that came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// `SetDesiredCapacity`.
    pub op: String,
    /// What was done to it.
    pub fault: Option<Fault>,
    /// Head and body, as sent.
    pub request: Vec<u8>,
    /// Whether the server got it, late ones aside.
    pub was_passed_on: bool,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    passed: Mutex<Vec<Passed>>,
    /// Requests that wait for [`FaultProxy::deliver_late`].
    late: Mutex<Vec<Vec<u8>>>,
    /// Requests in hand.
    busy: Mutex<usize>,
    idle: Condvar,
    is_over: AtomicBool,
}

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    server: u16,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// A proxy in front of a server.
    ///
    /// # Panics
    ///
    /// Without a free port.
    pub fn start(server: &AwsServer) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap_or_else(|error| panic!("no port for the proxy: {error}"));
        let port = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("the proxy has no address: {error}"))
            .port();
        let shared = Arc::new(Shared::default());
        let (to, all) = (server.port(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if all.is_over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&all);
                // What breaks on this side is what a client has to live with.
                std::thread::spawn(move || drop(serve(stream, to, &shared)));
            }
        });
        FaultProxy {
            port,
            server: server.port(),
            shared,
        }
    }

    /// Where it listens, as `AWS_ENDPOINT_URL` wants it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Spoils the next call of an operation whose request has this text in it (a group's name, an instance's id).
    pub fn spoil(&self, op: &str, part: &str, fault: Fault) {
        self.spoil_some(op, part, 0, 1, fault);
    }

    /// Lets the first `skip` of these calls through, and spoils the `times` after them.
    pub fn spoil_some(&self, op: &str, part: &str, skip: usize, times: usize, fault: Fault) {
        held(&self.shared.rules).push(Rule {
            op: op.to_owned(),
            part: part.to_owned(),
            skip,
            times,
            fault,
        });
    }

    /// Everything passes again.
    pub fn heal(&self) {
        held(&self.shared.rules).clear();
    }

    /// What is still to be spoiled: a test that leaves some has not shown what it says.
    pub fn left(&self) -> Vec<(String, Fault)> {
        held(&self.shared.rules)
            .iter()
            .filter(|rule| rule.times > 0)
            .map(|rule| (format!("{} {}", rule.op, rule.part), rule.fault.clone()))
            .collect()
    }

    /// The requests so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.wait();
        held(&self.shared.passed).clone()
    }

    /// Passes on, now, what was kept back by [`Fault::Late`]; how many there were.
    pub fn deliver_late(&self) -> usize {
        self.wait();
        let late: Vec<Vec<u8>> = held(&self.shared.late).drain(..).collect();
        for request in &late {
            ask(self.server, request)
                .unwrap_or_else(|error| panic!("a late request was not answered: {error}"));
        }
        late.len()
    }

    /// Waits until no request is in hand: a caller that gave up may be gone before its request is through.
    fn wait(&self) {
        let mut busy = held(&self.shared.busy);
        while *busy > 0 {
            let (again, timeout) = self
                .shared
                .idle
                .wait_timeout(busy, Duration::from_secs(60))
                .unwrap_or_else(PoisonError::into_inner);
            assert!(!timeout.timed_out(), "a request hangs in the proxy");
            busy = again;
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One caller's connection: request after request.
fn serve(client: TcpStream, server: u16, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut writer = client;
    while let Some(request) = read_message(&mut reader)? {
        *held(&shared.busy) += 1;
        let done = pass(&request, &mut writer, server, shared);
        *held(&shared.busy) -= 1;
        shared.idle.notify_all();
        match done? {
            Then::Next => {}
            Then::Hang => until_given_up(&mut reader),
            // Both directions: the clone that reads is of the same socket.
            Then::Cut => return writer.shutdown(Shutdown::Both),
        }
    }
    Ok(())
}

/// What becomes of a connection after a request.
enum Then {
    Next,
    Hang,
    Cut,
}

/// One request.
fn pass(request: &[u8], writer: &mut TcpStream, server: u16, shared: &Shared) -> io::Result<Then> {
    let op = operation(request);
    let fault = take(shared, &op, request);
    let was_passed_on = !matches!(
        fault,
        Some(Fault::Answer { .. } | Fault::HangBefore | Fault::Late | Fault::CutBefore)
    );
    held(&shared.passed).push(Passed {
        op,
        fault: fault.clone(),
        request: request.to_vec(),
        was_passed_on,
    });
    if !was_passed_on {
        return match fault {
            Some(Fault::Answer { status, code }) => writer
                .write_all(&error(request, status, code))
                .map(|()| Then::Next),
            Some(Fault::Late) => {
                held(&shared.late).push(request.to_vec());
                Ok(Then::Hang)
            }
            Some(Fault::HangBefore) => Ok(Then::Hang),
            _ => Ok(Then::Cut),
        };
    }
    let answer = ask(server, request)?;
    let end = find(&answer, b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let (head, body) = answer.split_at(end);
    match fault {
        Some(Fault::HangAfter) => Ok(Then::Hang),
        Some(Fault::CutAfter) => Ok(Then::Cut),
        Some(Fault::CutInside) => {
            writer.write_all(head)?;
            writer.write_all(&body[..body.len() / 2])?;
            writer.flush()?;
            Ok(Then::Cut)
        }
        Some(Fault::Half) => {
            writer.write_all(&with_body(head, &body[..body.len() / 2]))?;
            Ok(Then::Next)
        }
        Some(Fault::Flipped) => {
            let mut body = body.to_vec();
            for (at, byte) in body.iter_mut().enumerate() {
                if at % 7 == 0 {
                    *byte ^= 0x15;
                }
            }
            writer.write_all(&with_body(head, &body))?;
            Ok(Then::Next)
        }
        Some(Fault::Page) => {
            writer.write_all(&with_body(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
                b"<html><body><h1>Please log in to this network</h1></body></html>",
            ))?;
            Ok(Then::Next)
        }
        _ => writer.write_all(&answer).map(|()| Then::Next),
    }
}

/// Reads until the caller closes its end.
fn until_given_up(reader: &mut BufReader<TcpStream>) {
    // A caller that breaks off is one that has given up, too.
    drop(reader.read_to_end(&mut Vec::new()));
}

fn take(shared: &Shared, op: &str, request: &[u8]) -> Option<Fault> {
    for rule in held(&shared.rules).iter_mut() {
        if rule.times == 0 || rule.op != op || find(request, rule.part.as_bytes()).is_none() {
            continue;
        }
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        rule.times -= 1;
        return Some(rule.fault.clone());
    }
    None
}

/// A head and its body of the length that the head says; `None` at the end of the connection.
fn read_message(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut length = 0;
    loop {
        let start = message.len();
        if reader.read_until(b'\n', &mut message)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&message[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let head = message.len();
    message.resize(head + length, 0);
    reader.read_exact(&mut message[head..])?;
    Ok(Some(message))
}

/// Asks the server on a connection of its own.
fn ask(server: u16, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    read_message(&mut BufReader::new(stream))?
        .ok_or_else(|| io::Error::other("the server closed the connection"))
}

/// By the query protocol's parameter, or by the path of rpc-v2-cbor.
fn operation(request: &[u8]) -> String {
    let name = |at: usize| {
        let rest = request.get(at..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned()
    };
    if is_cbor(request) {
        return find(request, b"/operation/").map_or_else(String::new, |at| name(at + 11));
    }
    find(request, b"Action=").map_or_else(String::new, |at| name(at + 7))
}

fn is_cbor(request: &[u8]) -> bool {
    request.starts_with(b"POST /service/")
}

/// An error as the request's protocol carries it.
fn error(request: &[u8], status: u16, code: &str) -> Vec<u8> {
    if is_cbor(request) {
        let head = format!(
            "HTTP/1.1 {status} Error\r\nContent-Type: application/cbor\r\nsmithy-protocol: rpc-v2-cbor\r\n\
             x-amzn-query-error: {code};Sender\r\n\r\n"
        );
        // {"__type": code}, whose length fits a byte.
        let mut body = b"\xa1\x66__type\x78".to_vec();
        body.push(code.len() as u8);
        body.extend(code.bytes());
        return with_body(head.as_bytes(), &body);
    }
    let head = format!("HTTP/1.1 {status} Error\r\nContent-Type: text/xml\r\n\r\n");
    let is_ec2 = find(request, b"Version=2016-11-15").is_some();
    let body = if is_ec2 {
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>by the proxy</Message></Error></Errors>\
             <RequestID>proxy</RequestID></Response>"
        )
    } else {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>by the proxy</Message></Error>\
             <RequestId>proxy</RequestId></ErrorResponse>"
        )
    };
    with_body(head.as_bytes(), body.as_bytes())
}

/// The head with another length, and the body.
fn with_body(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    for line in String::from_utf8_lossy(head).trim_end().lines() {
        if !line.to_ascii_lowercase().starts_with("content-length:") {
            answer.extend(line.bytes());
            answer.extend(b"\r\n");
        }
    }
    answer.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
    answer.extend(body);
    answer
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}
