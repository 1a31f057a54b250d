//! The demo's picture: load and capacity over time as lines of text. Pure: data in, text out.

/// What one column shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Column {
    /// Instances that the load needed at most in this column's time.
    pub needed: f64,
    /// The capacity asked for at the end of this column's time.
    pub desired: u32,
    /// Something was seen.
    pub is_known: bool,
}

/// A chart of fixed width that fills from the left as time goes on.
#[derive(Clone, Debug)]
pub struct Picture {
    columns: Vec<Column>,
    height: usize,
    ceiling: f64,
}

/// What a cell of the chart holds, for whoever gives it color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Nothing.
    None,
    /// Load.
    Load,
    /// The line of the capacity.
    Capacity,
    /// Load above the capacity.
    Short,
}

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Picture {
    /// An empty chart of so many columns and rows.
    pub fn new(width: usize, height: usize) -> Picture {
        Picture {
            columns: vec![Column::default(); width.max(1)],
            height: height.max(2),
            ceiling: 8.0,
        }
    }

    /// Puts a moment into the chart.
    ///
    /// - `share`: how far in the whole time it is, 0 to 1.
    pub fn add(&mut self, share: f64, needed: f64, desired: u32) {
        let last = self.columns.len() - 1;
        let place = ((share.clamp(0.0, 1.0) * self.columns.len() as f64) as usize).min(last);
        if let Some(column) = self.columns.get_mut(place) {
            column.needed = if column.is_known {
                column.needed.max(needed)
            } else {
                needed
            };
            column.desired = desired;
            column.is_known = true;
        }
        // The scale only grows, so that the picture does not jump back and forth.
        while self.ceiling < needed.max(f64::from(desired)) * 1.05 {
            self.ceiling *= 1.5;
        }
    }

    /// The rows from the top, each with its scale and its cells.
    pub fn rows(&self) -> Vec<(String, Vec<(char, Ink)>)> {
        let per_row = self.ceiling / self.height as f64;
        (0..self.height)
            .rev()
            .map(|row| {
                let floor = per_row * row as f64;
                let scale = if row % 2 == 1 || row + 1 == self.height {
                    format!("{:>5.0} ", floor + per_row)
                } else {
                    " ".repeat(6)
                };
                let cells = self
                    .columns
                    .iter()
                    .map(|column| cell(column, floor, per_row))
                    .collect();
                (scale, cells)
            })
            .collect()
    }
}

fn cell(column: &Column, floor: f64, per_row: f64) -> (char, Ink) {
    if !column.is_known {
        return (' ', Ink::None);
    }
    let desired = f64::from(column.desired);
    let fill = ((column.needed - floor) / per_row * 8.0)
        .round()
        .clamp(0.0, 8.0);
    let load = EIGHTHS.get(fill as usize).copied().unwrap_or(' ');
    let is_line = desired > floor && desired <= floor + per_row;
    if is_line && fill < 8.0 {
        return ('━', Ink::Capacity);
    }
    match load {
        ' ' => (' ', Ink::None),
        _ if floor >= desired => (load, Ink::Short),
        _ => (load, Ink::Load),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(picture: &Picture) -> String {
        picture
            .rows()
            .into_iter()
            .map(|(_, cells)| {
                let line: String = cells.iter().map(|(c, _)| *c).collect();
                format!("{line}|\n")
            })
            .collect()
    }

    #[test]
    fn load_fills_from_below_and_capacity_is_a_line_above_it() {
        let mut picture = Picture::new(4, 4);
        picture.add(0.0, 2.0, 5);
        picture.add(0.3, 4.0, 6);
        assert_eq!(text(&picture), "    |\n━━  |\n █  |\n██  |\n");
    }

    #[test]
    fn load_above_the_capacity_is_short() {
        let mut picture = Picture::new(1, 4);
        picture.add(0.0, 8.0, 2);
        let rows = picture.rows();
        let ink = |row: usize| rows.get(row).map(|(_, cells)| cells[0].1);
        // The scale leaves room above the load: 12 in 4 rows.
        assert_eq!(ink(0), Some(Ink::None));
        assert_eq!(ink(1), Some(Ink::Short));
        assert_eq!(ink(3), Some(Ink::Load));
    }

    #[test]
    fn the_scale_grows_with_what_it_shows() {
        let mut picture = Picture::new(1, 4);
        picture.add(1.0, 100.0, 40);
        assert!(picture.ceiling >= 105.0);
    }
}
