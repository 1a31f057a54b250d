//! `tideform simulate --report` as a reader meets it: in a real browser, and as a file.
//!
//! The pictures that these tests look at are kept in `target/report-page/`, for people.

mod browser_support;
mod common;

use std::path::PathBuf;

use browser_support::{Browser, Picture};
use common::Directory;

const GROUP: &str = r#"
provider "mock" {}
group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  warmup = "90s"
  metric "cpu" {
    track { target = 60 }
  }
  limits {
    min = 2
    max = 20
  }
  instance {
    boot               = "90s"
    throughput         = 10
    price_usd_per_hour = 0.1
  }
  schedule "office" {
    cron     = "0 8 * * *"
    timezone = "UTC"
    duration = "4h"
    min      = 6
  }
  freeze "launch" {
    start  = "2026-01-05T20:00:00Z"
    end    = "2026-01-05T22:00:00Z"
    blocks = "scale_in"
    reason = "</title><script>document.title = 'taken'</script>\"'"
  }
  slo { utilization = 80 }
}
"#;

/// The name of a file may be anything.
const TRACE: &str = "<img src=x onerror=alert(1)>.csv";

/// The colors of the light page: in service, short.
const READY: [u8; 3] = [0x1b, 0x5f, 0xc9];
const SHORT: [u8; 3] = [0xc2, 0x2a, 0x1c];

/// A day of minutes with a burst that no policy foresees.
fn trace() -> String {
    let mut text = "timestamp,value\n".to_owned();
    for minute in 0..1_440 {
        let load = match minute {
            800..840 => 130.0,
            480..1_100 => 60.0 + f64::from(minute % 7),
            _ => 20.0,
        };
        text += &format!(
            "2026-01-05T{:02}:{:02}:00Z,{load}\n",
            minute / 60,
            minute % 60
        );
    }
    text
}

fn directory() -> Directory {
    Directory::with(&[("web.hcl", GROUP), (TRACE, &trace())])
}

fn report(directory: &Directory) -> PathBuf {
    let arguments = ["simulate", "web", "--trace", TRACE, "--report", "web.html"];
    let compared = ["--compare", "hpa,aws-step,fixed"];
    let all: Vec<&str> = arguments.into_iter().chain(compared).collect();
    let ran = directory.run(&all).exits(0);
    assert!(ran.stderr.contains("Wrote web.html ("), "{}", ran.stderr);
    directory.file("web.html")
}

/// Keeps what a test saw.
fn keep(name: &str, bytes: &[u8]) {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.parent().unwrap_or(&target).join("report-page");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// A browser that shows the page, with its script done.
fn shown(directory: &Directory, width: u32, height: u32, scheme: &str) -> Browser {
    let page = report(directory);
    let mut browser = Browser::start();
    browser.size(width, height, width < 500);
    browser.prefer(scheme, "");
    browser.show(&page);
    browser.until("document.documentElement.dataset.ready");
    browser
}

#[track_caller]
fn is_quiet(browser: &Browser) {
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

/// The worst contrast of all texts that are seen, as `ratio: text`.
const CONTRAST: &str = r"(() => {
  const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  const solid = (color, under) => {
    context.fillStyle = `rgb(${under.join(' ')})`;
    context.fillRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const under = (element) => {
    const chain = [];
    for (let e = element; e; e = e.parentElement) chain.push(getComputedStyle(e).backgroundColor);
    return chain.reverse().reduce((below, color) => solid(color, below), [255, 255, 255]);
  };
  let worst = [99, 'nothing'];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || element.closest('script, title, [hidden], :disabled, defs')) continue;
    if (!element.getClientRects().length || element.closest('.skip')) continue;
    const ground = under(element), style = getComputedStyle(element);
    const ink = solid(element.closest('svg') ? style.fill : style.color, ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < worst[0]) worst = [ratio, text];
  }
  return worst;
})()";

#[test]
fn the_page_renders_without_a_complaint_in_light_and_dark_and_is_readable() {
    let directory = directory();
    let mut browser = shown(&directory, 1280, 900, "light");
    keep("light.png", &browser.shot(true));
    let chart = browser.place("#plot-capacity");
    let light = Picture::of_png(&browser.shot(false));
    let (ready, short) = (light.near(chart, READY), light.near(chart, SHORT));
    assert!(ready > 500, "{ready} pixels of capacity in service");
    assert!(short > 20, "{short} pixels of shortage");
    let check = |browser: &mut Browser, scheme: &str| {
        let worst = browser.value(CONTRAST);
        let ratio = worst[0].as_f64().unwrap_or_default();
        assert!(
            (4.5..99.0).contains(&ratio),
            "contrast when {scheme}: {worst}"
        );
    };
    check(&mut browser, "light");
    browser.click("#scheme");
    assert_eq!(
        browser.text("document.documentElement.dataset.scheme"),
        "dark"
    );
    check(&mut browser, "dark");
    keep("dark.png", &browser.shot(true));
    let dark = Picture::of_png(&browser.shot(false));
    let (bright, dim) = (light.brightness(), dark.brightness());
    assert!(bright > 200.0 && dim < 80.0, "{bright} and {dim}");
    browser.click("#scheme");
    assert_eq!(
        browser.text("document.documentElement.dataset.scheme"),
        "light"
    );
    // Who prefers dark gets it without asking.
    let page = directory.file("web.html");
    browser.prefer("dark", "");
    browser.show(&page);
    browser.until("document.documentElement.dataset.ready");
    assert!(Picture::of_png(&browser.shot(false)).brightness() < 80.0);
    is_quiet(&browser);
}

#[test]
fn names_in_files_stay_text() {
    let directory = directory();
    let mut browser = shown(&directory, 1280, 900, "light");
    assert!(
        browser
            .text("document.title")
            .starts_with("group.web, simulated 2026-01-05")
    );
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.value("document.scripts.length"), 2);
    let facts = browser.text("document.querySelector('.facts').textContent");
    assert!(facts.contains(TRACE), "{facts}");
    let lanes = browser.text("document.querySelector('#plot-lanes').textContent");
    assert!(
        lanes.contains("<script>document.title = 'taken'</script>"),
        "{lanes}"
    );
    is_quiet(&browser);
}

#[test]
fn a_phone_shows_it_without_scrolling_sideways() {
    let directory = directory();
    let mut browser = shown(&directory, 360, 740, "light");
    keep("phone.png", &browser.shot(true));
    let wide = browser.value("document.documentElement.scrollWidth");
    assert_eq!(wide, 360);
    let outside = browser.text(
        "[...document.querySelectorAll('body *')].filter((e) => !e.closest('.wide, .skip, thead, caption') && \
         e.getBoundingClientRect().right > 361).map((e) => e.outerHTML.slice(0, 80)).join('\\n')",
    );
    assert_eq!(outside, "");
    let chart = browser.place("#plot-capacity");
    assert!(Picture::of_png(&browser.shot(false)).near(chart, READY) > 150);
    // A tap opens what a mouse would hover.
    let [x, y, width, height] = chart;
    for kind in ["touchStart", "touchEnd"] {
        let points = if kind == "touchStart" {
            serde_json::json!([{"x": x + width / 2.0, "y": y + height / 2.0}])
        } else {
            serde_json::json!([])
        };
        let of = serde_json::json!({"type": kind, "touchPoints": points});
        browser.call("Input.dispatchTouchEvent", of);
    }
    browser.until("document.querySelector('#readout').getBoundingClientRect().height > 50");
    let said = browser.text("document.querySelector('#said').innerText");
    assert!(said.contains("Needed"), "{said}");
    is_quiet(&browser);
}

#[test]
fn pointing_at_a_moment_tells_its_decision_and_its_reasons_as_explain_does() {
    let directory = directory();
    let mut browser = shown(&directory, 1280, 900, "light");
    let [x, y, width, _] = browser.place("#plot-capacity");
    // At 13:21 the burst is 80 seconds old.
    let share = (13.0 * 60.0 + 21.5) / 1_440.0;
    browser.mouse("mouseMoved", x + width * share, y + 100.0);
    let said = browser.text("document.querySelector('#said').innerText");
    for part in [
        "2026-01-05 13:2",
        "Short: up to",
        "scale out by",
        "100 % against a target of 60 %",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    // The schedule is open in the morning, and says so.
    browser.mouse("mouseMoved", x + width * 0.4, y + 100.0);
    let said = browser.text("document.querySelector('#said').innerText");
    assert!(said.contains("Open: schedule office: at least 6"), "{said}");
    is_quiet(&browser);
}

#[test]
fn all_of_it_works_from_the_keyboard() {
    let directory = directory();
    let mut browser = shown(&directory, 1280, 900, "light");
    let title = "document.querySelector('#said h4').textContent";
    browser.value("document.querySelector('#moment').focus()");
    let before = browser.text(title);
    let key = |browser: &mut Browser, name: &str, code: u32| {
        for kind in ["keyDown", "keyUp"] {
            let of = serde_json::json!({"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code});
            browser.call("Input.dispatchKeyEvent", of);
        }
    };
    key(&mut browser, "ArrowRight", 39);
    let after = browser.text(title);
    assert_ne!(before, after);
    let spoken = browser.text("document.querySelector('#moment').getAttribute('aria-valuetext')");
    assert!(
        spoken.contains("needed") && spoken.contains("ready"),
        "{spoken}"
    );
    browser.value("document.querySelector('#change-after').click()");
    let said = browser.text("document.querySelector('#said').innerText");
    assert!(
        said.contains("Changed here") || said.contains("changes here"),
        "{said}"
    );
    // Each thing that can be used has a name and can be reached.
    let nameless = browser.text(
        "[...document.querySelectorAll('button, input, [tabindex]')].filter((e) => \
         !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.getAttribute('role') === 'status' || e.textContent.trim() || (e.labels && e.labels.length)) \
         || e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 80)).join('\\n')",
    );
    assert_eq!(nameless, "");
    let headless = browser.value(
        "[...document.querySelectorAll('table')].filter((t) => !t.caption || !t.querySelector('th[scope=col]') || !t.querySelector('th[scope=row]')).length",
    );
    assert_eq!(headless, 0);
    is_quiet(&browser);
}

#[test]
fn dragging_across_a_chart_looks_closer_and_a_double_click_shows_all_again() {
    let directory = directory();
    let mut browser = shown(&directory, 1280, 900, "light");
    let [x, y, width, _] = browser.place("#plot-capacity");
    let shown = "document.querySelector('#shown').textContent";
    let all = browser.text(shown);
    let line = "document.querySelector('#plot-capacity path.ready').getAttribute('d')";
    let drawn = browser.text(line);
    browser.mouse("mouseMoved", x + width * 0.5, y + 80.0);
    browser.mouse("mousePressed", x + width * 0.5, y + 80.0);
    browser.mouse("mouseMoved", x + width * 0.55, y + 80.0);
    browser.mouse("mouseMoved", x + width * 0.625, y + 80.0);
    browser.mouse("mouseReleased", x + width * 0.625, y + 80.0);
    let closer = browser.text(shown);
    assert!(
        closer.starts_with("2026-01-05 12:0") || closer.starts_with("2026-01-05 11:5"),
        "{closer}"
    );
    assert!(closer.contains("of 1d"), "{closer}");
    assert_ne!(browser.text(line), drawn);
    keep("closer.png", &browser.shot(false));
    browser.value("document.querySelector('#charts').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))");
    assert_eq!(browser.text(shown), all);
    is_quiet(&browser);
}

#[test]
fn without_a_script_the_charts_and_tables_are_there() {
    let directory = directory();
    let page = report(&directory);
    let mut browser = Browser::start();
    browser.size(1280, 900, false);
    browser.prefer("light", "");
    let off = serde_json::json!({"value": true});
    browser.call("Emulation.setScriptExecutionDisabled", off);
    browser.show(&page);
    keep("without-script.png", &browser.shot(true));
    assert_eq!(
        browser.value("document.documentElement.dataset.ready || ''"),
        ""
    );
    let chart = browser.place("#plot-capacity");
    let picture = Picture::of_png(&browser.shot(false));
    assert!(picture.near(chart, READY) > 500 && picture.near(chart, SHORT) > 20);
    let offered = "[...document.querySelectorAll('button, input')].filter((e) => e.getClientRects().length).length";
    assert_eq!(
        browser.value(offered),
        0,
        "nothing is offered that would do nothing"
    );
    let titles = browser.text(
        "[...document.querySelectorAll('#plot-changes title')].map((t) => t.textContent).join()",
    );
    assert!(
        titles.contains("cpu: 100 % against a target of 60 %"),
        "{titles}"
    );
    assert!(
        browser
            .value("document.querySelectorAll('table').length")
            .as_u64()
            >= Some(3)
    );
    is_quiet(&browser);
}

#[test]
fn paper_is_light_and_shows_charts_and_tables_but_no_buttons() {
    let directory = directory();
    let mut browser = shown(&directory, 1280, 900, "dark");
    let printed = browser.print();
    keep("print.pdf", &printed);
    assert!(printed.starts_with(b"%PDF") && printed.len() > 20_000);
    browser.prefer("dark", "print");
    let ground = browser.text("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(255, 255, 255)");
    let offered = "[...document.querySelectorAll('button, input')].filter((e) => e.getClientRects().length).length";
    assert_eq!(browser.value(offered), 0);
    let chart = browser.place("#plot-capacity");
    let picture = Picture::of_png(&browser.shot(false));
    assert!(picture.near(chart, READY) > 300, "the ink of light pages");
    is_quiet(&browser);
}

#[test]
fn the_same_input_gives_the_same_file_and_the_text_stays_as_it_is() {
    let directory = directory();
    let first = std::fs::read(report(&directory)).unwrap();
    let second = std::fs::read(report(&directory)).unwrap();
    assert!(first == second, "the same bytes");
    assert!(first.len() < 2_000_000, "{} bytes", first.len());
    let with = ["simulate", "web", "--trace", TRACE, "--report", "web.html"];
    let without = ["simulate", "web", "--trace", TRACE];
    assert_eq!(directory.run(&with).stdout, directory.run(&without).stdout);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with("web.html."))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left beside it");
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_nothing_is_left() {
    let directory = directory();
    for (path, why) in [("no/such/web.html", "No such file"), (".", "directory")] {
        let ran = directory
            .run(&["simulate", "web", "--trace", TRACE, "--report", path])
            .exits(1);
        for part in ["File cannot be written", path, why] {
            assert!(ran.stderr.contains(part), "{part} in\n{}", ran.stderr);
        }
    }
}
