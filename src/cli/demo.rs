//! `tideform demo`: the whole story, by the same functions as the real commands.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{Capacity, Change};
use tideform_state::{EventFilter, EventKind, OpenMode, State};

use super::args::{GlobalArgs, GroupArgs, Moment};
use super::context::Context;
use super::cost;
use super::error::CliError;
use super::events;
use super::opened::{lease_holder, random_hex};
use super::output::{BOLD, CYAN, DIM, GREEN, Output, RED, YELLOW, paint};
use super::{CliResult, exit};
use crate::cost::{ReportBy, ReportRequest, report};
use crate::demo::{Ink, Picture};
use crate::engine::Decision;
use crate::examples;
use crate::reconcile::{
    Options, ProviderSource, StopHandle, TickReport, VisitResult, Watcher, run_loop, stop_pair,
};

/// How far apart the runs of the loop are, in simulated time.
const INTERVAL: Duration = Duration::from_secs(2 * 60);
/// When the story ends: the evening after the sale.
const END: &str = "2017-12-27T12:00:00Z";
/// When the sale begins, from the example.
const SALE: &str = "2017-12-25T00:00:00Z";
/// What one instance carries, from the example: for the picture alone.
const THROUGHPUT: f64 = 12.0;
/// How long the loop takes on a terminal unless something else is said.
const PLAYS_FOR: Duration = Duration::from_secs(40);
/// In a pipe, one line for so much simulated time.
const LOG_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Rows of the chart.
const HEIGHT: usize = 10;
/// The picture is drawn at most so often.
const REDRAW_EVERY: Duration = Duration::from_millis(50);

/// Play the whole story on a simulated cloud, in about a minute.
///
/// Takes the recorded traffic of an example web shop through plan, apply and the scaling loop on a simulated cloud: a
/// normal week and a sale day, with a live picture, then the events, one explained decision, and the costs. No account,
/// no server, nothing outside the demo's own directory.
#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// Play in this directory, which must be empty, and keep it; default: a temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Keep the directory: ./tideform-demo, unless --dir names another
    #[arg(long)]
    keep: bool,

    /// How many simulated minutes a second of the picture shows; default: so that the demo takes about a minute
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    speed: Option<u32>,

    /// Play only so many of the nine days; the sale is on the last two
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=9))]
    days: Option<i64>,

    /// As fast as the machine allows
    #[arg(long, conflicts_with = "speed")]
    fast: bool,
}

impl DemoArgs {
    pub(super) fn run(self, outer: &Context) -> CliResult {
        let (directory, is_temporary) = match (&self.dir, self.keep) {
            (Some(dir), _) => (dir.clone(), false),
            (None, true) => (PathBuf::from("tideform-demo"), false),
            (None, false) => (temporary(), true),
        };
        if let Ok(mut entries) = std::fs::read_dir(&directory)
            && let Some(Ok(entry)) = entries.next()
        {
            return Err(CliError::NotEmpty {
                found: entry.file_name().to_string_lossy().into_owned(),
                directory,
            });
        }
        let cx = Context::new(
            GlobalArgs {
                directory: directory.clone(),
                // The demo's own workspace, whatever the environment says.
                workspace: Some("shop".to_owned()),
                ..outer.global.clone()
            },
            Output::new(outer.global.no_color),
        );
        let played = self.play(&cx);
        if is_temporary {
            let _ = std::fs::remove_dir_all(&directory);
        }
        let () = played?;
        epilogue(&cx, &directory, is_temporary);
        Ok(exit::WELL)
    }

    fn play(&self, cx: &Context) -> Result<(), CliError> {
        let out = &cx.output;
        out.line(paint(
            BOLD,
            "A web shop, ten days of recorded traffic, one sale. No cloud is touched: this one is simulated.",
        ));
        command(out, "init --example web");
        let Some(example) = examples::find("web") else {
            return Ok(());
        };
        example
            .write_to(cx.directory())
            .map_err(|source| CliError::File {
                verb: "written",
                path: cx.directory().to_owned(),
                source,
            })?;
        run(cx, &["init"])?;
        command(out, "test");
        run(cx, &["test"])?;
        let plan = cx.directory().join("shop.plan");
        let plan = plan.to_string_lossy();
        command(out, "plan --out shop.plan");
        run(cx, &["plan", "--out", &plan])?;
        command(out, "apply shop.plan");
        run(cx, &["apply", &plan])?;
        command(out, "reconcile --interval 2m");
        let best = self.reconcile(cx)?;
        let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let now = cx.now_of(&state)?;
        command(out, "events --limit 15");
        print_events(cx, &state)?;
        if let Some(at) = best {
            let at = at.to_string();
            command(out, &format!("explain web --at {at}"));
            run(cx, &["explain", "web", "--at", &at])?;
        }
        command(out, "cost --since 10d --by day");
        print_cost(cx, &state, now)
    }

    /// The loop, and the picture of it. Answers with the time of the decision that is worth explaining.
    fn reconcile(&self, cx: &Context) -> Result<Option<Timestamp>, CliError> {
        let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let start = cx.now_of(&state)?;
        let end: Timestamp = END.parse().unwrap_or(start);
        let end = match self.days {
            Some(days) => start
                .checked_add(SignedDuration::from_hours(24 * days))
                .map_or(end, |early| early.min(end)),
            None => end,
        };
        let has_picture = cx.output.is_terminal() && cx.output.has_color();
        let minutes = Duration::try_from(end.duration_since(start)).unwrap_or_default();
        let pace = match (self.fast || !has_picture, self.speed) {
            (_, Some(speed)) => Some(f64::from(speed) * 60.0),
            (true, None) => None,
            (false, None) => Some(minutes.as_secs_f64() / PLAYS_FOR.as_secs_f64()),
        };
        let mut show = Show {
            out: &cx.output,
            picture: has_picture.then(|| {
                let width = cx.output.width().saturating_sub(10).clamp(40, 110);
                Picture::new(width, HEIGHT)
            }),
            start,
            end,
            pace,
            began: Instant::now(),
            drawn: None,
            lines: 0,
            moment: Seen::default(),
            logged: None,
            changes: 0,
            best: None,
        };
        let options = Options {
            stop_at: Some(end),
            ..Options::every(
                INTERVAL,
                lease_holder(),
                ProviderSource::Applied {
                    directory: cx.directory().to_owned(),
                },
            )
        };
        let (handle, stop) = stop_pair();
        cx.block_on(async {
            let signals = tokio::spawn(stop_on_interrupt(handle));
            let finished = run_loop(&mut state, options, stop, &mut show).await;
            signals.abort();
            finished.map_err(CliError::Reconcile)
        })??;
        show.finish();
        Ok(show.best.map(|(at, _)| at))
    }
}

async fn stop_on_interrupt(handle: StopHandle) {
    if tokio::signal::ctrl_c().await.is_ok() {
        handle.ask();
    }
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(i32::from(exit::FAILURE));
    }
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("tideform-demo-{}", random_hex(4)))
}

/// Shows a command as a person would type it.
fn command(out: &Output, text: &str) {
    out.line(format!(
        "\n{} {}",
        paint(DIM, "$"),
        paint(CYAN.bold(), format!("tideform {text}"))
    ));
}

/// Runs a command as if it had been typed, in the demo's directory.
fn run(cx: &Context, arguments: &[&str]) -> Result<(), CliError> {
    let typed = std::iter::once("tideform").chain(arguments.iter().copied());
    super::run_typed(cx, typed)
}

fn print_events(cx: &Context, state: &State) -> Result<(), CliError> {
    let mut list = state.events(&EventFilter {
        newest_first: true,
        limit: Some(15),
        ..EventFilter::default()
    })?;
    list.reverse();
    let policies = events::policies(state)?;
    for event in &list {
        cx.output.line(events::line(event, &policies));
    }
    let all = state.events(&EventFilter {
        kinds: vec![EventKind::Scaled],
        ..EventFilter::default()
    })?;
    cx.output.line(paint(
        DIM,
        format!(
            "{} changes of capacity in all, each with its reasons",
            all.len()
        ),
    ));
    Ok(())
}

fn print_cost(cx: &Context, state: &State, now: Timestamp) -> Result<(), CliError> {
    let request = ReportRequest {
        from: Moment::Ago(Duration::from_secs(10 * 86_400)).before(now),
        to: now,
        by: ReportBy::Day,
        now,
    };
    let histories = cost::histories(state, &GroupArgs::default(), request.needs_from(), now)?;
    cx.output.print(&cost::text(&report(&histories, &request)));
    Ok(())
}

fn epilogue(cx: &Context, directory: &Path, is_temporary: bool) {
    let out = &cx.output;
    out.line(format!(
        "\n{}",
        paint(GREEN.bold(), "That was the whole story.")
    ));
    if is_temporary {
        out.line("Play it again and keep it:   tideform demo --keep");
        out.line("Begin with the same files:   tideform init --example web -C shop");
    } else {
        let at = directory.display();
        out.line(format!("Everything is in {at}"));
        out.line(format!(
            "Change a policy, then:       tideform -C {at} plan"
        ));
        out.line(format!(
            "Ask why, at any time:        tideform -C {at} explain web --at 2017-12-25T19:30:00Z"
        ));
        out.line(format!(
            "What happened:               tideform -C {at} events --limit 100"
        ));
    }
    out.line("All commands:                tideform --help");
}

/// What is shown of a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    load: f64,
    ready: u32,
    desired: u32,
}

/// Watches the loop and shows it: a picture on a terminal, a plain log in a pipe.
struct Show<'a> {
    out: &'a Output,
    picture: Option<Picture>,
    start: Timestamp,
    end: Timestamp,
    /// Simulated seconds a second; `None`: as fast as it goes.
    pace: Option<f64>,
    began: Instant,
    drawn: Option<Instant>,
    /// Lines of the last drawing, to be drawn over.
    lines: usize,
    moment: Seen,
    logged: Option<Timestamp>,
    changes: usize,
    /// The largest scale-out that a metric asked for.
    best: Option<(Timestamp, u32)>,
}

impl Watcher for Show<'_> {
    fn tick(&mut self, report: &TickReport) {
        for group in &report.groups {
            self.moment = Seen {
                load: group.load.unwrap_or(self.moment.load),
                ready: group.ready,
                desired: group.desired,
            };
            if let VisitResult::Moved(change) = &group.result {
                self.changes += 1;
                self.remember(report.at, change, group.decision.as_deref());
            }
        }
        let passed = report.at.duration_since(self.start).as_secs_f64();
        let whole = self.end.duration_since(self.start).as_secs_f64().max(1.0);
        if let Some(picture) = &mut self.picture {
            picture.add(
                passed / whole,
                self.moment.load / THROUGHPUT,
                self.moment.desired,
            );
            if self
                .drawn
                .is_none_or(|drawn| drawn.elapsed() >= REDRAW_EVERY)
            {
                self.draw(report.at);
            }
        } else {
            self.log(report.at);
        }
        if let Some(pace) = self.pace {
            let due = Duration::from_secs_f64((passed / pace).max(0.0));
            std::thread::sleep(
                due.saturating_sub(self.began.elapsed())
                    .min(Duration::from_secs(2)),
            );
        }
    }
}

impl Show<'_> {
    fn remember(&mut self, at: Timestamp, change: &Change<Capacity>, decision: Option<&Decision>) {
        let size = change.after.get().saturating_sub(change.before.get());
        let is_by_metric = decision.is_some_and(|d| d.has("opinion") && !d.has("raised_to_floor"));
        // The first minutes of a new fleet are no story: the sale is.
        let is_worth_it = is_by_metric && at >= SALE.parse().unwrap_or(self.start);
        if is_worth_it && self.best.is_none_or(|(_, best)| size > best) {
            self.best = Some((at, size));
        }
    }

    fn status(&self, at: Timestamp) -> String {
        let used = 100.0 * self.moment.load / (f64::from(self.moment.ready.max(1)) * THROUGHPUT);
        format!(
            "{}   load {:>5.1}/s   ready {:>2}   desired {:>2}   used {:>3.0} %   {} changes",
            at.strftime("%a %Y-%m-%d %H:%MZ"),
            self.moment.load,
            self.moment.ready,
            self.moment.desired,
            used.min(999.0),
            self.changes,
        )
    }

    fn log(&mut self, at: Timestamp) {
        let is_due = self.logged.is_none_or(|logged| {
            Duration::try_from(at.duration_since(logged)).unwrap_or_default() >= LOG_EVERY
        });
        if is_due {
            self.logged = Some(at);
            self.out.line(self.status(at));
        }
    }

    fn draw(&mut self, at: Timestamp) {
        let Some(picture) = &self.picture else { return };
        let mut text = String::new();
        if self.lines > 0 {
            text.push_str(&format!("\u{1b}[{}A", self.lines));
        }
        let rows = picture.rows();
        for (scale, cells) in &rows {
            text.push_str("\u{1b}[2K");
            text.push_str(&paint(DIM, scale));
            for run in cells.chunk_by(|(_, a), (_, b)| a == b) {
                let characters: String = run.iter().map(|(character, _)| *character).collect();
                let style = match run.first().map(|(_, ink)| ink) {
                    None | Some(Ink::None) => {
                        text.push_str(&characters);
                        continue;
                    }
                    Some(Ink::Load) => GREEN,
                    Some(Ink::Capacity) => CYAN,
                    Some(Ink::Short) => RED,
                };
                text.push_str(&paint(style, characters));
            }
            text.push('\n');
        }
        text.push_str("\u{1b}[2K");
        text.push_str(&format!(
            "      {} instances that the load fills   {} capacity   {} load above it\n",
            paint(GREEN, "█"),
            paint(CYAN, "━"),
            paint(RED, "█"),
        ));
        text.push_str("\u{1b}[2K");
        text.push_str(&format!("      {}\n", paint(YELLOW, self.status(at))));
        self.lines = rows.len() + 2;
        self.out.print(&text);
        self.drawn = Some(Instant::now());
    }

    fn finish(&mut self) {
        if self.picture.is_some() {
            self.draw(self.end);
        }
        self.out.line(paint(
            DIM,
            format!(
                "{} simulated days, {} changes, in {:.0} s",
                self.end.duration_since(self.start).as_hours() / 24,
                self.changes,
                self.began.elapsed().as_secs_f64()
            ),
        ));
    }
}
