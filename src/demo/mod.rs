//! The demo's picture: load and capacity over time as lines of text. Pure: data in, text out.

/// What one column shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Column {
    /// Instances that the load needed at most in this column's time.
    pub needed: f64,
    /// The least and the most capacity of this column's time.
    pub capacity: (u32, u32),
    /// Where more was needed than there was: from what there was to what was needed, at the worst of such moments.
    pub short: Option<(f64, f64)>,
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
    ///
    /// Of the moments of a column the largest load is kept, the least and the most capacity, and the worst shortage: a
    /// short peak is seen, however much time a column stands for.
    pub fn add(&mut self, share: f64, needed: f64, capacity: u32) {
        let last = self.columns.len() - 1;
        let place = ((share.clamp(0.0, 1.0) * self.columns.len() as f64) as usize).min(last);
        if let Some(column) = self.columns.get_mut(place) {
            let (least, most) = column.capacity;
            if column.is_known {
                column.needed = column.needed.max(needed);
                column.capacity = (least.min(capacity), most.max(capacity));
            } else {
                column.needed = needed;
                column.capacity = (capacity, capacity);
            }
            let there = f64::from(capacity);
            let worst = column.short.map_or(0.0, |(from, to)| to - from);
            if needed - there > worst {
                column.short = Some((there, needed));
            }
            column.is_known = true;
        }
        // The scale only grows, so that the picture does not jump back and forth.
        while self.ceiling < needed.max(f64::from(capacity)) * 1.05 {
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
    let top = floor + per_row;
    let fill = ((column.needed - floor) / per_row * 8.0)
        .round()
        .clamp(0.0, 8.0);
    let load = EIGHTHS.get(fill as usize).copied().unwrap_or(' ');
    // In the row of the line itself only where the shortage ends there, too.
    let is_short = column
        .short
        .is_some_and(|(from, to)| floor < to && top > from && (floor >= from || to <= top));
    if is_short {
        return ('▒', Ink::Short);
    }
    let (least, most) = (f64::from(column.capacity.0), f64::from(column.capacity.1));
    let is_in_row = |capacity: f64| capacity > floor && capacity <= top;
    if fill < 8.0 && (is_in_row(least) || is_in_row(most)) {
        return ('━', Ink::Capacity);
    }
    if fill < 8.0 && least <= floor && most > top {
        return ('┃', Ink::Capacity);
    }
    match load {
        ' ' => (' ', Ink::None),
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

    #[test]
    fn a_peak_that_was_short_is_seen_in_a_column_that_ends_well() {
        let mut picture = Picture::new(1, 4);
        picture.add(0.0, 1.0, 2);
        picture.add(0.0, 7.0, 2);
        picture.add(0.0, 1.0, 11);
        assert_eq!(text(&picture), "━|\n▒|\n▒|\n█|\n");
        let mut by_one = Picture::new(1, 4);
        by_one.add(0.0, 5.0, 4);
        by_one.add(0.0, 1.0, 5);
        // What is missing, and the line, are in the row from 4 to 6.
        assert_eq!(text(&by_one), " |\n▒|\n█|\n█|\n");
    }

    #[test]
    fn capacity_that_moves_within_a_column_is_drawn_from_its_least_to_its_most() {
        let mut picture = Picture::new(1, 4);
        picture.add(0.0, 1.0, 2);
        picture.add(0.0, 1.0, 8);
        assert_eq!(text(&picture), " |\n━|\n┃|\n━|\n");
    }
}
