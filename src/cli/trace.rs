//! A load trace on the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::CliError;
use crate::simulate::trace::{Gaps, Per, Reading, Trace};

/// Largest trace that is read, in bytes: years of seconds.
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;

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
        let mut text = Vec::new();
        if file == Path::new("-") {
            std::io::stdin()
                .lock()
                .take(LARGEST)
                .read_to_end(&mut text)
                .map_err(failed)?;
        } else {
            std::fs::File::open(file)
                .and_then(|file| file.take(LARGEST).read_to_end(&mut text))
                .map_err(failed)?;
        }
        Trace::parse(&text, self.reading()).map_err(|error| CliError::Trace {
            path: PathBuf::from(file),
            error,
        })
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
