//! `tideform console`.

use std::io::{BufRead, IsTerminal};

use clap::Args;
use tideform_policies::load::{self, Loaded};

use super::args::VariableArgs;
use super::context::Context;
use super::error::{CliError, Problems};
use super::{CliResult, exit};

/// Evaluate expressions of the language.
///
/// Evaluates expressions of the language with the directory's variables and locals: the one in the argument, or one a
/// line from a pipe or a terminal, until `exit` or `quit`.
#[derive(Args, Debug)]
pub(super) struct ConsoleArgs {
    /// The expression: `var.peak * 2`
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    expression: Option<String>,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print each result as a line of JSON
    #[arg(long)]
    json: bool,
}

impl ConsoleArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        cx.need_directory()?;
        let loaded = load::load(&cx.load_input(&self.variables, matches)?);
        if let Some(expression) = &self.expression {
            self.evaluate(cx, &loaded, expression)?;
            return Ok(exit::WELL);
        }
        let is_terminal = std::io::stdin().is_terminal();
        let mut code = exit::WELL;
        loop {
            if is_terminal {
                cx.output.print_error("> ");
            }
            let mut line = String::new();
            let read = std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(CliError::Input)?;
            let expression = line.trim();
            if read == 0 || matches!(expression, "exit" | "quit") {
                break;
            }
            if expression.is_empty() {
                continue;
            }
            // One wrong line does not end the session.
            if let Err(failed) = self.evaluate(cx, &loaded, expression) {
                super::error::report(&failed, &cx.output, self.json);
                code = exit::FAILURE;
            }
        }
        if is_terminal {
            cx.output.print_error("\n");
            code = exit::WELL;
        }
        Ok(code)
    }

    fn evaluate(&self, cx: &Context, loaded: &Loaded, expression: &str) -> Result<(), CliError> {
        match loaded.evaluate(expression) {
            Ok(value) if self.json => cx.output.json_line(&value.to_json()),
            Ok(value) => cx.output.line(value),
            Err(failed) => {
                return Err(CliError::Expression(Box::new(Problems {
                    diagnostics: failed.diagnostics,
                    sources: failed.sources,
                })));
            }
        }
        Ok(())
    }
}
