//! An alarm of CloudWatch: M of the last N data points, and what absent ones stand for.
//!
//! Source: Amazon CloudWatch User Guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data",
//! whose tables the tests repeat.

use std::collections::VecDeque;

/// Data points beyond N that are looked at where some are missing.
///
/// Source: the tables of the guide, which show five for an alarm of three; the guide gives no rule.
pub const LOOKED_BACK: usize = 2;

/// What absent data points stand for: `TreatMissingData`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: what there is decides.
    #[default]
    Missing,
    /// The alarm stays as it is where they would matter.
    Ignore,
    /// They breach.
    Breaching,
    /// They do not.
    NotBreaching,
}

/// What an alarm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `OK`.
    Fine,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`.
    Insufficient,
}

/// An alarm. `breaching` of `periods` data points have to breach.
#[derive(Clone, Debug)]
pub struct Alarm {
    periods: usize,
    breaching: usize,
    missing: Missing,
    /// Whether each data point breaches, oldest first; `None`: it is missing.
    points: VecDeque<Option<bool>>,
    state: State,
}

impl Alarm {
    /// An alarm without any data.
    pub fn new(breaching: u32, periods: u32, missing: Missing) -> Alarm {
        let periods = periods.max(1) as usize;
        Alarm {
            periods,
            breaching: (breaching.max(1) as usize).min(periods),
            missing,
            points: VecDeque::with_capacity(periods + LOOKED_BACK + 1),
            state: State::Insufficient,
        }
    }

    /// What it says.
    pub fn state(&self) -> State {
        self.state
    }

    /// Takes in the data point of the period that has ended.
    pub fn push(&mut self, breaches: Option<bool>) {
        self.points.push_back(breaches);
        if self.points.len() > self.periods + LOOKED_BACK {
            self.points.pop_front();
        }
        self.state = self.evaluate();
    }

    fn evaluate(&self) -> State {
        let known = self.points.iter().rev().flatten().take(self.periods);
        let (mut count, mut breaching) = (0, 0);
        for breaches in known {
            count += 1;
            breaching += usize::from(*breaches);
        }
        let absent = self.periods - count;
        let say = |is_alarm: bool| if is_alarm { State::Alarm } else { State::Fine };
        // Where nothing is said of absent data points, all that are there have to breach if they are fewer than M.
        let by_known = breaching >= self.breaching.min(count);
        match self.missing {
            _ if absent == 0 => say(breaching >= self.breaching),
            Missing::Breaching => say(breaching + absent >= self.breaching),
            Missing::NotBreaching => say(breaching >= self.breaching),
            Missing::Missing if count == 0 => State::Insufficient,
            Missing::Missing => say(by_known),
            Missing::Ignore if count == 0 => self.state,
            Missing::Ignore if by_known && breaching < self.breaching => self.state,
            Missing::Ignore => say(by_known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guide's two tables: data points of five periods, X breaches, 0 does not, - is missing.
    #[test]
    fn absent_data_points_stand_for_what_the_guide_says() {
        use State::{Alarm as A, Fine as F, Insufficient as I};
        // Missing, ignore (None: it stays as it is), breaching, not breaching.
        type Row = (u32, &'static str, [Option<State>; 4]);
        let rows: [Row; 10] = [
            (3, "0-X-X", [Some(F), Some(F), Some(F), Some(F)]),
            (3, "0----", [Some(F), Some(F), Some(F), Some(F)]),
            (3, "-----", [Some(I), None, Some(A), Some(F)]),
            (3, "0XX-X", [Some(A), Some(A), Some(A), Some(A)]),
            (3, "--X--", [Some(A), None, Some(A), Some(F)]),
            (2, "0-X-X", [Some(A), Some(A), Some(A), Some(A)]),
            (2, "00X0X", [Some(A), Some(A), Some(A), Some(A)]),
            (2, "0-X--", [Some(F), Some(F), Some(A), Some(F)]),
            (2, "----0", [Some(F), Some(F), Some(A), Some(F)]),
            (2, "---X-", [Some(A), None, Some(A), Some(F)]),
        ];
        for (breaching, points, expected) in rows {
            for (missing, expected) in [
                Missing::Missing,
                Missing::Ignore,
                Missing::Breaching,
                Missing::NotBreaching,
            ]
            .into_iter()
            .zip(expected)
            {
                for before in [F, A] {
                    let mut alarm = Alarm::new(breaching, 3, missing);
                    for point in points.chars() {
                        alarm.points.push_back(match point {
                            'X' => Some(true),
                            '0' => Some(false),
                            _ => None,
                        });
                    }
                    alarm.state = before;
                    let got = alarm.evaluate();
                    let expected = expected.unwrap_or(before);
                    assert_eq!(got, expected, "{breaching} of 3, {points}, {missing:?}");
                }
            }
        }
    }

    #[test]
    fn an_alarm_goes_off_with_the_mth_breach_and_ends_with_the_point_that_pushes_it_out() {
        let mut alarm = Alarm::new(2, 3, Missing::Missing);
        let states: Vec<State> = [true, false, false, true, false, true, false, false]
            .into_iter()
            .map(|breaches| {
                alarm.push(Some(breaches));
                alarm.state()
            })
            .collect();
        use State::{Alarm as A, Fine as F};
        // A first point alone is all there is.
        assert_eq!(states, [A, F, F, F, F, A, F, F]);
    }
}
