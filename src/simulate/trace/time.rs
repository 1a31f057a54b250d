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
    /// The text as numbers that stay in registers: its bytes from 0, from 8 and from 12 on.
    words: [u64; 3],
    seconds: i64,
    of_day: u32,
    minute: u32,
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
        let of_day = seconds.rem_euclid(DAY) as u32;
        Expected {
            words: words(&text),
            seconds,
            of_day,
            minute: of_day / 60 % 60,
        }
    }

    pub(super) fn seconds(&self) -> i64 {
        self.seconds
    }

    pub(super) fn text(&self) -> [u8; LENGTH] {
        let mut text = [0; LENGTH];
        for (at, word) in [0, 8, 12].into_iter().zip(self.words) {
            text[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        text
    }

    /// Whether this text begins with the time.
    #[inline]
    pub(super) fn begins(&self, text: &[u8; LENGTH]) -> bool {
        words(text) == self.words
    }

    /// Moves on; a step of at most a day.
    #[inline]
    pub(super) fn advance(&mut self, step: u32) {
        self.of_day += step;
        self.seconds += i64::from(step);
        if step == 60 && self.minute < 59 {
            // Nearly always. The minute is in bytes 14 and 15.
            self.minute += 1;
            let digits = u64::from(u16::from_le_bytes(two_digits(self.minute)));
            self.words[1] = self.words[1] & !(0xffff << 48) | digits << 48;
            self.words[2] = self.words[2] & !(0xffff << 16) | digits << 16;
            return;
        }
        self.write();
    }

    /// Says the time in full again.
    #[inline(never)]
    fn write(&mut self) {
        if self.of_day >= DAY as u32 {
            *self = Expected::at(self.seconds);
            return;
        }
        let (minutes, second) = (self.of_day / 60, self.of_day % 60);
        self.minute = minutes % 60;
        let mut text = self.text();
        [text[11], text[12]] = two_digits(minutes / 60);
        [text[14], text[15]] = two_digits(self.minute);
        [text[17], text[18]] = two_digits(second);
        self.words = words(&text);
    }
}

/// The last two overlap.
#[inline]
fn words(text: &[u8; LENGTH]) -> [u64; 3] {
    [0, 8, 12].map(|at| {
        let word = text.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(word.unwrap_or_default())
    })
}

#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}
