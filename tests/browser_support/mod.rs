//! Drives a real browser: Chromium without a window, over the DevTools protocol on a pipe. No port is opened.
#![allow(unreachable_pub, reason = "each test file uses its part of it")]

mod picture;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use picture::Picture;

/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(120);

const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    number: u64,
    /// What the page wrote to the console, threw, or was refused.
    pub complaints: Vec<String>,
    loads: usize,
    _directory: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    #[track_caller]
    pub fn start() -> Browser {
        let directory = tempfile::tempdir().unwrap();
        // The protocol is spoken on the descriptors 3 and 4, which the shell makes of our pipes.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "command -v chromium >&2 || exit 127; exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null",
                "sh",
            ])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", directory.path().display()))
            .env("HOME", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let (send, from) = channel();
        let pipe = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for message in pipe.split(0) {
                let message = message.ok().and_then(|of| serde_json::from_slice(&of).ok());
                let Some(message) = message else { break };
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser {
            child,
            to,
            from,
            session: None,
            number: 0,
            complaints: Vec::new(),
            loads: 0,
            _directory: directory,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call(
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// One call of the protocol, and its answer.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        // A browser that is gone is told below, by what does not come.
        let _ = self.to.write_all(&bytes).and_then(|()| self.to.flush());
        loop {
            let message = self.next(method);
            if message["id"] == self.number {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    #[track_caller]
    fn next(&mut self, waiting_for: &str) -> Value {
        let message = match self.from.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("chromium did not answer {waiting_for}"),
            // It has closed its side, so it ends, or has ended.
            Err(RecvTimeoutError::Disconnected) => {
                let code = self.child.wait().ok().and_then(|status| status.code());
                assert!(
                    code != Some(127),
                    "these tests look at the page in a real browser, and there is no `chromium`: on Debian and Ubuntu, \
                     `apt-get install chromium` brings it"
                );
                panic!("chromium ended at {waiting_for}, exit code {code:?}");
            }
        };
        let of = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled") => {
                self.complaints.push(of.to_string());
            }
            Some("Log.entryAdded") => self.complaints.push(of["entry"]["text"].to_string()),
            Some("Page.loadEventFired") => self.loads += 1,
            _ => {}
        }
        message
    }

    /// Shows a file, and waits until its script, if it may run, has drawn the charts.
    #[track_caller]
    pub fn show(&mut self, file: &Path) {
        let before = self.loads;
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({ "url": url }));
        while self.loads == before {
            self.next("Page.loadEventFired");
        }
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let waits = format!(
            "new Promise((done, give_up) => {{ const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); \
             setTimeout(() => give_up(new Error('never')), 60000); look(); }})"
        );
        assert_eq!(self.value(&waits), json!(true), "{expression}");
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        );
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].clone()
    }

    /// The same, as text.
    #[track_caller]
    pub fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value.as_str().unwrap_or_default().to_owned()
    }

    /// The size of the window, in CSS pixels.
    pub fn size(&mut self, width: u32, height: u32, is_phone: bool) {
        let of =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.call("Emulation.setDeviceMetricsOverride", of);
    }

    /// What the reader prefers, `light` or `dark`, and the medium: empty, or `print`.
    pub fn prefer(&mut self, scheme: &str, medium: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let of = json!({"media": medium, "features": features});
        self.call("Emulation.setEmulatedMedia", of);
    }

    /// Moves the mouse, presses or releases it: `mouseMoved`, `mousePressed`, `mouseReleased`.
    pub fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let is_down = kind != "mouseMoved";
        let button = if is_down { "left" } else { "none" };
        let of = json!({"type": kind, "x": x, "y": y, "button": button, "clickCount": u8::from(is_down), "buttons": 1});
        self.call("Input.dispatchMouseEvent", of);
    }

    /// Presses the mouse and lets it go, in the middle of an element.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let [x, y, width, height] = self.place(selector);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, x + width / 2.0, y + height / 2.0);
        }
    }

    /// Where an element is in the window, once it is scrolled to: x, y, width, height.
    #[track_caller]
    pub fn place(&mut self, selector: &str) -> [f64; 4] {
        let found = self.value(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; }})()"
        ));
        serde_json::from_value(found).unwrap()
    }

    /// What is seen, as a PNG.
    pub fn shot(&mut self, is_whole: bool) -> Vec<u8> {
        let of = json!({"format": "png", "captureBeyondViewport": is_whole});
        bytes(&self.call("Page.captureScreenshot", of))
    }

    /// What is printed, as a PDF.
    pub fn print(&mut self) -> Vec<u8> {
        let of = json!({"printBackground": true, "preferCSSPageSize": true});
        bytes(&self.call("Page.printToPDF", of))
    }
}

fn bytes(answer: &Value) -> Vec<u8> {
    STANDARD
        .decode(answer["data"].as_str().unwrap_or_default())
        .unwrap()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its own processes end with it. No unwrap: this may run while a test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
