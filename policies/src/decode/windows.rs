//! `schedule`, `surge` and `freeze` blocks.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::context::Context;
use super::policy::blocks;
use super::read::{self, Problem};
use crate::codes;
use crate::defaults;
use crate::diagnostic::Diagnostic;
use crate::layers::Merged;
use crate::model::{Blocks, Capacity, Freeze, Schedule, Surge, Window};

/// A schedule, or `None` where what makes it is missing or was reported.
pub(crate) fn schedule(block: &Merged<'_>, cx: &mut Context) -> Option<Schedule> {
    let when = if block.get("cron").is_some() {
        if block.get("duration").is_none() {
            cx.push(
                Diagnostic::error(codes::MISSING_ATTRIBUTE, "Missing attribute")
                    .at(block.span, "needs `duration` beside `cron`")
                    .help("add duration = \"10h\": how long it stays open"),
            );
        }
        let timezone = match block.get("timezone") {
            Some(_) => block.text("timezone", cx)?,
            None => defaults::TIMEZONE.bare().to_owned(),
        };
        Window::Recurring {
            cron: block.text("cron", cx)?,
            timezone,
            duration: block.duration("duration", cx)?,
            except: match block.known("except", cx) {
                Some(value) => read::dates(value).ok()?,
                None => Vec::new(),
            },
        }
    } else {
        let (start, end) = start_and_end(block, cx)?;
        Window::Once {
            start,
            end,
            timezone: block.text("timezone", cx),
        }
    };
    Some(Schedule {
        name: block.label_name(),
        when,
        min: block.capacity("min", cx),
        max: block.capacity("max", cx),
    })
}

/// A surge.
pub(crate) fn surge(block: &Merged<'_>, cx: &Context) -> Option<Surge> {
    Some(Surge {
        name: block.label_name(),
        min: block
            .capacity("min", cx)
            .filter(|min| *min > Capacity::ZERO)?,
        lead: block.duration_or("lead", defaults::SURGE_LEAD, cx),
        duration: block.duration_or("duration", defaults::SURGE_DURATION, cx),
    })
}

/// A freeze.
pub(crate) fn freeze(block: &Merged<'_>, cx: &mut Context) -> Option<Freeze> {
    let (start, end) = start_and_end(block, cx)?;
    Some(Freeze {
        name: block.label_name(),
        start,
        end,
        blocks: blocks(block, cx).unwrap_or(Blocks::All),
        reason: block.text("reason", cx),
    })
}

fn start_and_end(block: &Merged<'_>, cx: &mut Context) -> Option<(Timestamp, Timestamp)> {
    // In a schedule either of the two may have been forgotten; a freeze has its own check.
    if block.kind == "schedule" {
        for (have, need) in [("start", "end"), ("end", "start")] {
            if block.get(have).is_some() && block.get(need).is_none() {
                cx.push(
                    Diagnostic::error(codes::MISSING_ATTRIBUTE, "Missing attribute")
                        .at(block.span, format!("needs `{need}` beside `{have}`")),
                );
            }
        }
    }
    let start = instant(block, "start", cx);
    let end = instant(block, "end", cx);
    let (start, end) = (start?, end?);
    if start >= end {
        let same = if start == end { "is" } else { "is before" };
        cx.push(
            Diagnostic::error(codes::EMPTY_WINDOW, "Window that ends before it begins")
                .at(block.span_of("end"), format!("{same} the start"))
                .at(block.span_of("start"), "the start")
                .help("give an `end` after `start`"),
        );
        return None;
    }
    Some((start, end))
}

/// A time, in the block's `timezone` where it has no offset itself.
pub(crate) fn instant(block: &Merged<'_>, name: &str, cx: &mut Context) -> Option<Timestamp> {
    let instant = read::instant(block.known(name, cx)?).ok()?;
    let zone: Option<TimeZone> = match block.get("timezone") {
        Some(_) => {
            let text = block.text("timezone", cx)?;
            Some(cx.zone(&text).ok()?)
        }
        None => None,
    };
    let time = instant.resolve(zone.as_ref());
    if time.is_none() {
        cx.bad_value(
            Problem::new(
                codes::TIME,
                "Time not usable",
                "has neither an offset nor a zone",
            )
            .help("add timezone = \"Europe/Berlin\", or write the offset: \"...T06:00:00Z\""),
            block.span_of(name),
        );
    }
    time
}
