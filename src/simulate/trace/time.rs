//! Times as text, quickly: the usual form without the general parser, and what the next row's time must look like.

use jiff::Timestamp;

/// `2026-01-31T08:00:00Z` has so many bytes.
pub(super) const LENGTH: usize = 20;

const DAY: i64 = 86_400;

/// Seconds since 1970 of a time in whole seconds; `Err` of a time between them.
pub(super) fn parse(text: &[u8]) -> Option<Result<i64, ()>> {
    if let Some(seconds) = parse_usual(text) {
        return Some(Ok(seconds));
    }
    let time: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(if time.subsec_nanosecond() == 0 {
        Ok(time.as_second())
    } else {
        Err(())
    })
}

/// The usual form; `None` is left to the general parser, as are the days that not every month has.
fn parse_usual(text: &[u8]) -> Option<i64> {
    let text: &[u8; LENGTH] = text.try_into().ok()?;
    let marks = [text[4], text[7], text[10], text[13], text[16], text[19]];
    if marks != *b"--T::Z" {
        return None;
    }
    let two = |at: usize| -> Option<i64> {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let known = (1..=12).contains(&month) && (1..=28).contains(&day);
    if !known || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days(year, month, day) * DAY + hour * 3_600 + minute * 60 + second)
}

/// Days since 1970. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// The text of the next row's time, moved on step by step: comparing is quicker than parsing.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    text: [u8; LENGTH],
    seconds: i64,
    of_day: u32,
}

impl Expected {
    /// The text of a time; nothing matches where the usual form cannot say it.
    pub(super) fn at(seconds: i64) -> Expected {
        let mut text = [0; LENGTH];
        let said = Timestamp::from_second(seconds).map(|time| time.to_string());
        if let Ok(said) = said
            && let Ok(said) = <[u8; LENGTH]>::try_from(said.as_bytes())
        {
            text = said;
        }
        Expected {
            text,
            seconds,
            of_day: seconds.rem_euclid(DAY) as u32,
        }
    }

    pub(super) fn seconds(&self) -> i64 {
        self.seconds
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &[u8; LENGTH] {
        &self.text
    }

    /// Whether this text begins with the time.
    #[inline]
    pub(super) fn begins(&self, text: &[u8; LENGTH]) -> bool {
        let words = |text: &[u8; LENGTH]| {
            let word = |at: usize| {
                let word = text.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
                u64::from_ne_bytes(word.unwrap_or_default())
            };
            // The last two overlap.
            (word(0), word(8), word(12))
        };
        words(text) == words(&self.text)
    }

    /// Moves on; a step of at most a day.
    #[inline]
    pub(super) fn advance(&mut self, step: u32) {
        self.of_day += step;
        self.seconds += i64::from(step);
        let minute = u32::from(self.text[14] - b'0') * 10 + u32::from(self.text[15] - b'0');
        if step == 60 && minute < 59 {
            // Nearly always.
            [self.text[14], self.text[15]] = two_digits(minute + 1);
            return;
        }
        if self.of_day >= DAY as u32 {
            *self = Expected::at(self.seconds);
            return;
        }
        let (minutes, second) = (self.of_day / 60, self.of_day % 60);
        let (hour, minute) = (minutes / 60, minutes % 60);
        [self.text[11], self.text[12]] = two_digits(hour);
        [self.text[14], self.text[15]] = two_digits(minute);
        [self.text[17], self.text[18]] = two_digits(second);
    }
}

#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}
