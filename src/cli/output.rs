//! Printing: results to standard output, all else to standard error, color only where a terminal shows it.
//!
//! A reader that goes away (`tideform plan | head`) is no failure and stops nothing: what is printed after that is
//! dropped in silence. Any other fault in writing is kept and becomes the command's error at its end.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use anstream::AutoStream;
pub(super) use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use comfy_table::presets;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Headings and names.
pub(super) const BOLD: Style = Style::new().bold();
/// What is less important.
pub(super) const DIM: Style = Style::new().dimmed();
/// Errors and removals.
pub(super) const RED: Style = AnsiColor::Red.on_default();
/// Additions and what is well.
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
/// Warnings and changes.
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Hints.
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Wraps a text into a style. Where the stream has no color the codes are stripped again.
pub(super) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Both output streams of the process.
pub(super) struct Output {
    stdout: Mutex<Stream>,
    stderr: Mutex<Stream>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    color: bool,
    error_color: bool,
}

struct Stream {
    to: Box<dyn Write + Send>,
    closed: bool,
    fault: Option<io::Error>,
}

impl Stream {
    fn write(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let done = self
            .to
            .write_all(text.as_bytes())
            .and_then(|()| self.to.flush());
        if let Err(error) = done {
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.fault = Some(error);
            }
        }
    }
}

impl Output {
    /// The process's streams. With `no_color` neither has color; otherwise each has it on a terminal, unless the
    /// environment says no (`NO_COLOR`, `TERM=dumb`).
    pub(super) fn new(no_color: bool) -> Output {
        let choice = |automatic: ColorChoice| match (no_color, automatic) {
            (true, _) => ColorChoice::Never,
            (false, automatic) => automatic,
        };
        let out = choice(AutoStream::choice(&io::stdout()));
        let err = choice(AutoStream::choice(&io::stderr()));
        Output {
            color: out != ColorChoice::Never,
            error_color: err != ColorChoice::Never,
            stdout: Mutex::new(Stream {
                to: Box::new(AutoStream::new(io::stdout(), out)),
                closed: false,
                fault: None,
            }),
            stderr: Mutex::new(Stream {
                to: Box::new(AutoStream::new(io::stderr(), err)),
                closed: false,
                fault: None,
            }),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Prints a part of the result as it is.
    pub(super) fn print(&self, text: &str) {
        if let Ok(mut stream) = self.stdout.lock() {
            stream.write(text);
        }
    }

    /// Prints a line of the result.
    pub(super) fn line(&self, text: impl std::fmt::Display) {
        self.print(&format!("{text}\n"));
    }

    /// Prints a value as one indented JSON document.
    pub(super) fn json<T: serde::Serialize + ?Sized>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(error) => self.note(format!("This is a bug in tideform: no JSON view: {error}")),
        }
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json_line<T: serde::Serialize + ?Sized>(&self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(text),
            Err(error) => self.note(format!("This is a bug in tideform: no JSON view: {error}")),
        }
    }

    /// Prints a line beside the result: to standard error.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        self.print_error(&format!("{text}\n"));
    }

    /// Prints a text beside the result as it is.
    pub(super) fn print_error(&self, text: &str) {
        if let Ok(mut stream) = self.stderr.lock() {
            stream.write(text);
        }
    }

    /// A warning line.
    pub(super) fn warn(&self, text: impl std::fmt::Display) {
        self.note(format!("{} {text}", paint(YELLOW.bold(), "warning:")));
    }

    /// Whether the reader of the results has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.stdout.lock().is_ok_and(|stream| stream.closed)
    }

    /// Whether a person reads the results directly.
    pub(super) fn is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether one person reads results and what stands beside them, on the same screen.
    pub(super) fn is_one_screen(&self) -> bool {
        self.stdout_is_terminal && self.stderr_is_terminal
    }

    /// Whether the results have color.
    pub(super) fn has_color(&self) -> bool {
        self.color
    }

    /// Whether a person reads what stands beside the results.
    pub(super) fn error_is_terminal(&self) -> bool {
        self.stderr_is_terminal
    }

    /// Whether what stands beside the results has color.
    pub(super) fn has_error_color(&self) -> bool {
        self.error_color
    }

    /// The terminal's width within reason; 100 where there is none.
    pub(super) fn width(&self) -> usize {
        if !self.stdout_is_terminal {
            return 100;
        }
        terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0).clamp(60, 160))
    }

    /// Where lines break on a terminal; `None` where they are read by a program, which wants them whole.
    pub(super) fn wrap_width(&self) -> Option<usize> {
        self.stdout_is_terminal.then(|| self.width())
    }

    /// A fault in writing that was not a reader going away.
    pub(super) fn fault(&self) -> Option<io::Error> {
        let out = self.stdout.lock().ok().and_then(|mut s| s.fault.take());
        out.or_else(|| self.stderr.lock().ok().and_then(|mut s| s.fault.take()))
    }

    /// A progress bar on standard error; hidden where no person watches.
    pub(super) fn progress(&self, what: &str, length: u64) -> ProgressBar {
        let bar = ProgressBar::new(length);
        if self.stderr_is_terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        bar
    }

    /// A spinner for work of unknown length; hidden where no person watches.
    pub(super) fn spinner(&self, what: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        if self.stderr_is_terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_message(what.to_owned());
        bar
    }
}

/// A table without lines: a header, then rows, columns two spaces apart.
pub(super) struct Table {
    table: comfy_table::Table,
}

impl Table {
    /// A table with these headings.
    pub(super) fn new(headings: &[&str]) -> Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
        table.set_header(headings.iter().copied());
        Table { table }
    }

    /// Adds a row.
    pub(super) fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        self.table.add_row(cells.into_iter());
    }

    /// Puts the numbers of a column to the right.
    pub(super) fn right(&mut self, columns: &[usize]) {
        for index in columns {
            if let Some(column) = self.table.column_mut(*index) {
                column.set_cell_alignment(comfy_table::CellAlignment::Right);
            }
        }
    }

    /// The text, without spaces at the ends of lines.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for line in self.table.lines() {
            text.push_str(line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()));
            text.push('\n');
        }
        text
    }
}
