//! Shapes of a chart as SVG, as wide as they are let: the ink is stretched, text and lines of the grid are not.

use std::fmt::Write as _;

use super::html::escaped;
use super::scale::{Scale, Tick};

/// Room above the highest line, for its label.
const HEADROOM: f64 = 16.0;
/// Room below, for the times.
const AXIS: f64 = 20.0;
/// Times nearer to an edge than this share have no label.
const EDGE: f64 = 0.04;

/// The vertical measure of a chart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Height {
    /// Of the ink, in pixels.
    pub(super) pixels: f64,
    /// What it shows.
    pub(super) scale: Scale,
}

impl Height {
    /// Where a value lies, from above, to a tenth of a pixel; what is too high lies at the upper edge.
    pub(super) fn of(&self, value: f64) -> f64 {
        let share = (value / self.scale.top).clamp(0.0, 1.05);
        let y = self.pixels - share * (self.pixels - HEADROOM);
        (y * 10.0).round() / 10.0
    }
}

/// A shape between two values in each place: `None` leaves a gap.
pub(super) fn band(spans: &[Option<(f64, f64)>], height: Height) -> String {
    let mut path = String::new();
    let mut from = 0;
    for run in spans.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let to = from + run.len();
        let known: Vec<(f64, f64)> = run
            .iter()
            .flatten()
            .map(|(low, high)| (height.of(*low), height.of(*high)))
            .collect();
        if let (Some((_, first)), Some((last, _))) = (known.first(), known.last()) {
            let _ = write!(path, "M{from} {first}");
            steps(&mut path, from, known.iter().map(|(_, high)| *high));
            let _ = write!(path, "H{to}V{last}");
            let mut y = *last;
            for (place, (low, _)) in known.iter().enumerate().rev() {
                if *low != y {
                    let _ = write!(path, "H{}V{low}", from + place + 1);
                    y = *low;
                }
            }
            let _ = write!(path, "H{from}Z");
        }
        from = to;
    }
    path
}

/// A line through a value in each place.
pub(super) fn edge(values: &[f64], height: Height) -> String {
    let heights: Vec<f64> = values.iter().map(|value| height.of(*value)).collect();
    let Some(first) = heights.first() else {
        return String::new();
    };
    let mut path = format!("M0 {first}");
    steps(&mut path, 0, heights.iter().copied());
    let _ = write!(path, "H{}", heights.len());
    path
}

fn steps(path: &mut String, from: usize, heights: impl Iterator<Item = f64>) {
    let mut before = None;
    for (place, y) in heights.enumerate() {
        if before.is_some_and(|before| before != y) {
            let _ = write!(path, "H{}V{y}", from + place);
        }
        before = Some(y);
    }
}

/// What a chart is made of.
pub(super) struct Plot<'a> {
    /// Its name in the script.
    pub(super) id: &'a str,
    /// What a reader who does not see it is told.
    pub(super) label: String,
    /// Its measure upward.
    pub(super) height: Height,
    /// Places along.
    pub(super) places: usize,
    /// How long the time is that it shows.
    pub(super) length_ms: i64,
    /// Lines along.
    pub(super) ticks: &'a [Tick],
    /// The unit that stands at the highest line.
    pub(super) unit: &'a str,
    /// The shapes.
    pub(super) ink: String,
}

/// A share as percent of the width, to a thousandth.
pub(super) fn share(of: f64) -> String {
    format!("{}%", (of * 100_000.0).round() / 1_000.0)
}

/// Lines of the grid, and their labels: the one lies under the ink, the other over it.
#[derive(Default)]
pub(super) struct Grid {
    /// Lines.
    pub(super) lines: String,
    /// Labels.
    pub(super) labels: String,
}

impl Grid {
    /// Lines of time.
    pub(super) fn of_time(ticks: &[Tick], length_ms: i64, bottom: f64) -> Grid {
        let mut grid = Grid::default();
        for tick in ticks {
            let of = tick.ms as f64 / length_ms.max(1) as f64;
            let x = share(of);
            let _ = write!(
                grid.lines,
                r#"<line x1="{x}" x2="{x}" y1="0" y2="{bottom}"/>"#
            );
            if (EDGE..=1.0 - EDGE).contains(&of) {
                let _ = write!(
                    grid.labels,
                    r#"<text x="{x}" y="{}" text-anchor="middle">{}</text>"#,
                    bottom + 15.0,
                    escaped(&tick.label)
                );
            }
        }
        grid
    }

    fn add_values(&mut self, height: Height, unit: &str) {
        let values = height.scale.lines();
        for (place, value) in values.iter().enumerate() {
            let y = height.of(*value);
            let _ = write!(self.lines, r#"<line x1="0" x2="100%" y1="{y}" y2="{y}"/>"#);
            let unit = if place + 1 == values.len() && !unit.is_empty() {
                format!(" {unit}")
            } else {
                String::new()
            };
            let _ = write!(
                self.labels,
                r#"<text x="2" y="{}">{}{}</text>"#,
                y - 4.0,
                label(*value),
                escaped(&unit)
            );
        }
    }
}

/// A chart.
pub(super) fn plot(plot: &Plot<'_>) -> String {
    let bottom = plot.height.pixels;
    let mut grid = Grid::of_time(plot.ticks, plot.length_ms, bottom);
    grid.add_values(plot.height, plot.unit);
    format!(
        r#"<svg class="plot" id="plot-{id}" role="img" aria-label="{aria}" width="100%" height="{all}"><g class="grid">{lines}</g><svg class="ink" viewBox="0 0 {places} {bottom}" preserveAspectRatio="none" width="100%" height="{bottom}">{ink}</svg><line class="base" x1="0" x2="100%" y1="{bottom}" y2="{bottom}"/><g class="labels">{labels}</g></svg>"#,
        id = plot.id,
        aria = escaped(&plot.label),
        all = bottom + AXIS,
        lines = grid.lines,
        labels = grid.labels,
        places = plot.places,
        ink = plot.ink,
    )
}

/// A band between the least and the most in each place: its ground, and its edges.
pub(super) fn range(class: &str, spans: &[(f64, f64)], height: Height) -> [String; 2] {
    let all: Vec<Option<(f64, f64)>> = spans.iter().copied().map(Some).collect();
    let most: Vec<f64> = spans.iter().map(|(_, most)| *most).collect();
    let least: Vec<f64> = spans.iter().map(|(least, _)| *least).collect();
    let mut edges = edge(&most, height);
    let mut ground = String::new();
    if most != least {
        edges.push_str(&edge(&least, height));
        ground = band(&all, height);
    }
    // Where it goes up and down everywhere its lines would be all that is seen.
    let is_dense = edges.matches('V').count() > spans.len() / 2;
    let dense = if is_dense { " is-dense" } else { "" };
    [
        path(&format!("{class}-band"), &ground),
        path(&format!("{class}{dense}"), &edges),
    ]
}

/// A path of the ink.
pub(super) fn path(class: &str, d: &str) -> String {
    if d.is_empty() {
        return format!(r#"<path class="{class}"/>"#);
    }
    format!(r#"<path class="{class}" d="{d}"/>"#)
}

/// A number at a line of the grid: as short as it can be said.
pub(super) fn label(value: f64) -> String {
    let (value, suffix) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e4 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let rounded = (value * 1e6).round() / 1e6;
    format!("{rounded}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHT: Height = Height {
        pixels: 116.0,
        scale: Scale {
            top: 10.0,
            step: 5.0,
        },
    };

    #[test]
    fn bands_go_there_above_and_back_below_and_leave_gaps() {
        let spans = [Some((0.0, 5.0)), Some((0.0, 10.0)), None, Some((1.0, 2.0))];
        assert_eq!(band(&spans, HEIGHT), "M0 66H1V16H2V116H0ZM3 96H4V106H3Z");
        assert_eq!(band(&[None, None], HEIGHT), "");
    }

    #[test]
    fn edges_turn_only_where_the_value_does() {
        assert_eq!(edge(&[1.0, 1.0, 2.0, 2.0], HEIGHT), "M0 106H2V96H4");
        assert_eq!(edge(&[], HEIGHT), "");
    }

    #[test]
    fn labels_are_short() {
        for (value, said) in [
            (0.02, "0.02"),
            (40.0, "40"),
            (2_500.0, "2500"),
            (20_000.0, "20k"),
            (1_500_000.0, "1.5M"),
        ] {
            assert_eq!(label(value), said);
        }
    }
}
