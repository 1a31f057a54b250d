//! Reading: what is wrong is said with its line, what is right is the same however it comes.

use super::*;

fn parse(text: &str, per: Per, gaps: Gaps) -> Result<Trace, String> {
    Trace::parse(text.as_bytes(), Reading { per, gaps }).map_err(|error| error.to_string())
}

fn rows(rows: &[(&str, &str)]) -> String {
    let rows = rows
        .iter()
        .map(|(time, value)| format!("2026-01-01T{time},{value}\n"));
    "timestamp,value\n".to_owned() + &rows.collect::<String>()
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    const A: (&str, &str) = ("00:00:00Z", "1");
    const B: (&str, &str) = ("00:01:00Z", "2");
    for (text, message) in [
        (
            String::new(),
            "line 1: the first line must be `timestamp,value`, found ``",
        ),
        (
            "time,load\n".into(),
            "line 1: the first line must be `timestamp,value`, found `time,load`",
        ),
        (rows(&[]), "line 1: a trace needs rows"),
        (
            rows(&[A]),
            "line 2: a trace needs at least two rows, to know how long one lasts",
        ),
        (
            rows(&[A, ("noon", "2")]),
            "line 3: `2026-01-01Tnoon` is no RFC 3339 time such as 2026-01-31T08:00:00Z",
        ),
        (
            rows(&[A, B]) + "2026-01-01T00:02:00Z\n",
            "line 4: expected `timestamp,value`, found `2026-01-01T00:02:00Z`",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "x")]),
            "line 4: `x` is no number",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "NaN")]),
            "line 4: `NaN` is no number",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "inf")]),
            "line 4: `inf` is no number",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "1,2")]),
            "line 4: `1,2` is no number",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "1.2.3")]),
            "line 4: `1.2.3` is no number",
        ),
        (
            rows(&[A, B, ("00:02:00Z", ".")]),
            "line 4: `.` is no number",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "-2")]),
            "line 4: the load -2 is negative",
        ),
        (
            rows(&[A, B, ("00:02:00Z", "")]),
            "line 4: no value for 2026-01-01T00:02:00Z; say what stands for it: `--gaps zero` or `--gaps hold`",
        ),
        (
            rows(&[A, B, B]),
            "line 4: the time 2026-01-01T00:01:00Z is not after 2026-01-01T00:01:00Z, the row before it",
        ),
        (
            rows(&[B, A]),
            "line 3: the time 2026-01-01T00:00:00Z is not after 2026-01-01T00:01:00Z, the row before it",
        ),
        (
            rows(&[A, B, ("00:04:00Z", "3")]),
            "line 4: 2 steps are missing before 2026-01-01T00:04:00Z: the row before is of 2026-01-01T00:01:00Z, and a \
             step is 1m; say what stands for them: `--gaps zero` or `--gaps hold`",
        ),
        (
            rows(&[A, B, ("00:02:30Z", "3")]),
            "line 4: the time 2026-01-01T00:02:30Z is 1m30s after the row before it, and the first two rows are 1m apart",
        ),
        (
            rows(&[A, B, ("00:01:30Z", "3")]),
            "line 4: the time 2026-01-01T00:01:30Z is 30s after the row before it, and the first two rows are 1m apart",
        ),
        (
            rows(&[A, ("00:00:00.5Z", "3")]),
            "line 3: `2026-01-01T00:00:00.5Z` lies between whole seconds; the shortest step is 1s",
        ),
        (
            "timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-03T00:00:00Z,1\n".into(),
            "line 3: a step of 2d; it must be whole seconds, from 1s to 1d",
        ),
        (
            rows(&[A, B]) + "\n2026-01-01T00:02:00Z,3\n",
            "line 4: an empty line between rows",
        ),
    ] {
        {
            assert_eq!(
                parse(&text, Per::Second, Gaps::Refuse).err().as_deref(),
                Some(message),
                "{text}"
            );
        }
    }
}

#[test]
fn gaps_are_filled_and_counted_only_when_asked() -> Result<(), String> {
    let text = rows(&[
        ("00:00:00Z", "60"),
        ("00:01:00Z", "120"),
        ("00:04:00Z", "30"),
        ("00:05:00Z", ""),
        ("00:06:00Z", "6"),
    ]);
    for (gaps, values) in [
        (Gaps::Zero, [1.0, 2.0, 0.0, 0.0, 0.5, 0.0, 0.1]),
        (Gaps::Hold, [1.0, 2.0, 2.0, 2.0, 0.5, 0.5, 0.1]),
    ] {
        let trace = parse(&text, Per::Step, gaps)?;
        assert_eq!(trace.values(), values, "{gaps:?}");
        assert_eq!(trace.filled(), 3);
        assert_eq!(trace.end().to_string(), "2026-01-01T00:07:00Z");
    }
    Ok(())
}

#[test]
fn counts_become_rates() -> Result<(), String> {
    let text = rows(&[("00:00:00Z", "600"), ("00:05:00Z", "1200.5")]);
    for (per, values) in [
        (Per::Second, [600.0, 1200.5]),
        (Per::Minute, [10.0, 1200.5 / 60.0]),
        (Per::Hour, [600.0 / 3600.0, 1200.5 / 3600.0]),
        (Per::Step, [2.0, 1200.5 / 300.0]),
    ] {
        let trace = parse(&text, per, Gaps::Refuse)?;
        assert_eq!(trace.values(), values, "{per:?}");
        assert_eq!(trace.step(), Duration::from_secs(300));
    }
    Ok(())
}

#[test]
fn times_may_be_written_in_any_way() -> Result<(), String> {
    let usual = rows(&[("00:00:00Z", "1"), ("00:30:00Z", "2"), ("01:00:00Z", "3")]);
    let trace = parse(&usual, Per::Second, Gaps::Refuse)?;
    for other in [
        usual.replace('\n', "\r\n"),
        usual.trim_end().to_owned(),
        usual.clone() + "\n\n",
        format!("\u{feff}{usual}"),
        usual.replace('Z', "+00:00"),
        usual.replace(",2", " , 2.0 ").replace(",3", ",3e0"),
        "timestamp,value\n2026-01-01T02:00:00+02:00,1\n2026-01-01T00:30:00.000Z,2\n2026-01-01 01:00:00z,3\n".into(),
    ] {
        assert_eq!(parse(&other, Per::Second, Gaps::Refuse), Ok(trace.clone()), "{other}");
    }
    Ok(())
}

#[test]
fn a_file_reads_the_same_in_pieces_of_any_size() -> Result<(), TraceError> {
    // Over a month's end in a leap year, with values of every form.
    let start: i64 = 1_709_078_400;
    let mut text = "timestamp,value\n".to_owned();
    for n in 0..5_000_i64 {
        let at = Timestamp::from_second(start + n * 60)
            .map(|at| at.to_string())
            .unwrap_or_default();
        let value = match n % 7 {
            0 => format!("{n}"),
            1 => format!("{}.{:03}", n, n % 1000),
            2 => format!("{}e-3", n),
            3 => format!("0.{n:015}"),
            4 => format!("{}", n as f64 / 7.0),
            5 => format!("{n}."),
            _ => format!(".{n}"),
        };
        text += &format!("{at},{value}\n");
    }
    let whole = Trace::parse(text.as_bytes(), Reading::default())?;
    assert_eq!(whole.values().len(), 5_000);
    for (line, value) in text.lines().skip(1).zip(whole.values()) {
        let written = line
            .split_once(',')
            .and_then(|(_, value)| value.parse::<f64>().ok());
        assert_eq!(written, Some(*value), "{line}");
    }
    for size in [1, 7, 26, 4_096] {
        let mut reader = Reader::new(Reading::default());
        let mut values = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            reader.feed(piece, &mut values)?;
        }
        let head = reader.finish(&mut values)?;
        assert_eq!(
            head,
            Head {
                start: whole.start(),
                step: whole.step()
            },
            "{size}"
        );
        assert_eq!(values, whole.values(), "{size}");
    }
    Ok(())
}

#[test]
fn the_next_time_is_expected_as_it_would_be_written() {
    for (from, step) in [
        (1_709_078_400, 1),
        (951_782_340, 60),
        (1_767_225_599, 3_601),
        (0, 86_400),
        (7, 7),
    ] {
        let mut next = time::Expected::at(from);
        for n in 0..3_000_i64 {
            let at = from + n * step;
            let said = Timestamp::from_second(at)
                .map(|at| at.to_string())
                .unwrap_or_default();
            assert_eq!(next.text(), *said.as_bytes(), "{at}");
            assert_eq!(next.seconds(), at);
            assert_eq!(time::parse(said.as_bytes()), Some(Ok(at)));
            next.advance(step as u32);
        }
    }
}

#[test]
fn a_part_of_a_trace_is_the_steps_that_begin_in_it() -> Result<(), String> {
    let text = rows(&[
        ("00:00:00Z", "1"),
        ("00:01:00Z", "2"),
        ("00:02:00Z", "3"),
        ("00:03:00Z", "4"),
    ]);
    let trace = parse(&text, Per::Second, Gaps::Refuse)?.with_lower_bounds(vec![2, 1, 9]);
    let at = |text: &str| format!("2026-01-01T{text}").parse::<Timestamp>().ok();
    for (from, to, values, marks) in [
        (None, None, Some(&[1.0, 2.0, 3.0, 4.0][..]), &[1, 2][..]),
        (at("00:01:00Z"), at("00:03:00Z"), Some(&[2.0, 3.0]), &[0, 1]),
        (at("00:00:30Z"), at("00:02:30Z"), Some(&[2.0, 3.0]), &[0, 1]),
        (at("00:03:00Z"), at("09:00:00Z"), Some(&[4.0]), &[]),
        (at("00:04:00Z"), None, None, &[]),
        (at("00:02:00Z"), at("00:01:00Z"), None, &[]),
    ] {
        let part = trace.between(from, to);
        assert_eq!(part.as_ref().map(Trace::values), values, "{from:?} {to:?}");
        assert_eq!(part.as_ref().map_or(&[][..], Trace::lower_bounds), marks);
    }
    Ok(())
}
