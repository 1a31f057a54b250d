//! The chart of a simulation in a terminal.

use super::super::output::{CYAN, DIM, GREEN, RED, paint};
use crate::demo::{Ink, Picture};
use crate::simulate::trace::Trace;
use crate::simulate::{Step, Watch};

/// Columns of the chart.
const COLUMNS: usize = 70;
/// Rows of the chart.
const ROWS: usize = 8;

/// Draws demand and capacity while the run goes.
pub(super) struct Chart {
    picture: Option<Picture>,
    length_ms: f64,
}

impl Chart {
    pub(super) fn new(trace: &Trace, is_drawn: bool) -> Chart {
        Chart {
            picture: is_drawn.then(|| Picture::new(COLUMNS, ROWS)),
            length_ms: trace.length().as_secs_f64() * 1000.0,
        }
    }

    pub(super) fn text(&self, trace: &Trace) -> String {
        let mut text = String::new();
        for (scale, cells) in self.picture.iter().flat_map(Picture::rows) {
            text.push_str(&paint(DIM, scale));
            for run in cells.chunk_by(|(_, a), (_, b)| a == b) {
                let characters: String = run.iter().map(|(character, _)| *character).collect();
                match run.first().map(|(_, ink)| ink) {
                    None | Some(Ink::None) => text.push_str(&characters),
                    Some(Ink::Load) => text.push_str(&paint(GREEN, characters)),
                    Some(Ink::Capacity) => text.push_str(&paint(CYAN, characters)),
                    Some(Ink::Short) => text.push_str(&paint(RED, characters)),
                }
            }
            text = text.trim_end().to_owned();
            text.push('\n');
        }
        let day = "%Y-%m-%d %H:%M";
        let (start, end) = (trace.start().strftime(day), trace.end().strftime(day));
        let axis = format!(
            "      {start}{:>width$}\n",
            end.to_string(),
            width = COLUMNS - 16
        );
        text.push_str(&paint(DIM, axis));
        text.push_str("      █ units needed, at most   ━ in service, least and most   ▒ short\n");
        text
    }
}

impl Watch for Chart {
    fn step(&mut self, step: &Step) {
        if let Some(picture) = &mut self.picture {
            let share = step.at_ms as f64 / self.length_ms;
            picture.add(share, f64::from(step.demand), step.served.units);
        }
    }
}
