//! A load trace on the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::CliError;
use crate::simulate::trace::{Gaps, Per, Reader, Reading, Trace};

/// How much of a file is read at once.
const PIECE: usize = 256 * 1024;

/// How a trace's file is to be read.
#[derive(Args, Clone, Debug)]
pub(super) struct TraceArgs {
    /// What the values count: a rate by the second, minute or hour, or events in the step
    #[arg(long, value_name = "UNIT", value_enum, default_value_t)]
    per: PerArg,

    /// What stands in for steps without a value: nothing (an error), no load, or the value before
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    gaps: GapsArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum PerArg {
    #[default]
    Second,
    Minute,
    Hour,
    Step,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum GapsArg {
    #[default]
    Refuse,
    Zero,
    Hold,
}

impl TraceArgs {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no trace.
    pub(super) fn read(&self, file: &Path) -> Result<Trace, CliError> {
        let failed = |source| CliError::File {
            verb: "read",
            path: file.to_owned(),
            source,
        };
        let wrong = |error| CliError::Trace {
            path: PathBuf::from(file),
            error,
        };
        let mut from: Box<dyn Read> = if file == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(std::fs::File::open(file).map_err(failed)?)
        };
        // Piece by piece, so that of a long file only the values are kept.
        let mut reader = Reader::new(self.reading());
        let (mut values, mut piece) = (Vec::new(), vec![0; PIECE]);
        loop {
            let length = from.read(&mut piece).map_err(failed)?;
            if length == 0 {
                return reader.trace(values).map_err(wrong);
            }
            let read = piece.get(..length).unwrap_or_default();
            reader.feed(read, &mut values).map_err(wrong)?;
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            per: match self.per {
                PerArg::Second => Per::Second,
                PerArg::Minute => Per::Minute,
                PerArg::Hour => Per::Hour,
                PerArg::Step => Per::Step,
            },
            gaps: match self.gaps {
                GapsArg::Refuse => Gaps::Refuse,
                GapsArg::Zero => Gaps::Zero,
                GapsArg::Hold => Gaps::Hold,
            },
        }
    }
}
