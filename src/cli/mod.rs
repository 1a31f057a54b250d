//! The command line: a file per command with its arguments, one library call, and the rendering of what came back.
//!
//! Only this module prints, asks, and reads the process's environment. What it does is always something that the
//! library does; a command adds no rule of its own.

mod analyze;
mod apply;
mod args;
mod ask;
mod backtests;
mod completions;
mod console;
mod context;
mod cost;
mod decide;
mod demo;
mod destroy;
mod error;
mod events;
pub mod exit;
mod explain;
mod fmt;
mod follow;
mod import;
mod init;
mod migrate;
mod mock;
mod opened;
mod output;
mod overrides;
mod pause;
mod place;
mod plan;
mod reconcile;
mod records;
mod scale;
mod schema;
mod show;
mod simulate;
mod state;
mod status;
mod surge;
mod test;
mod trace;
mod tune;
mod unpin;
mod validate;
mod version;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use args::GlobalArgs;
use context::Context;
use error::CliError;
use output::Output;

/// What a command gives back: an exit code, or an error that [`error`] explains.
type CliResult = Result<u8, CliError>;

/// Terraform for autoscaling: reviewed, simulated, explained scaling policies.
#[derive(Parser, Debug)]
#[command(
    name = "tideform",
    version,
    about = "Terraform for autoscaling: reviewed, simulated, explained scaling policies",
    after_help = "Start with `tideform demo`: the whole story on a simulated cloud, in about a minute.",
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Init(init::InitArgs),
    Validate(validate::ValidateArgs),
    Fmt(fmt::FmtArgs),
    Test(test::TestArgs),
    Console(console::ConsoleArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Destroy(destroy::DestroyArgs),
    Show(show::ShowArgs),
    Import(import::ImportArgs),
    Reconcile(reconcile::ReconcileArgs),
    Status(status::StatusArgs),
    Events(events::EventsArgs),
    Explain(explain::ExplainArgs),
    Cost(cost::CostArgs),
    Scale(scale::ScaleArgs),
    Unpin(unpin::UnpinArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Surge(surge::SurgeArgs),
    Overrides(overrides::OverridesArgs),
    Analyze(analyze::AnalyzeArgs),
    Decide(decide::DecideArgs),
    Simulate(Box<simulate::SimulateArgs>),
    Tune(tune::TuneArgs),
    Schema(schema::SchemaArgs),
    State(state::StateArgs),
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Version(version::VersionArgs),
    Mock(mock::MockArgs),
}

/// Commands of the design that a later version brings.
const LATER: [&str; 1] = ["forecast"];

/// The command line's grammar, for completions and for the test of the documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the process: parses its arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    error::install_panic_hook();
    let code = std::panic::catch_unwind(|| run(&arguments)).unwrap_or(exit::FAILURE);
    ExitCode::from(code)
}

fn run(arguments: &[OsString]) -> u8 {
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let (cli, matches) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(failed) => return report_usage(&failed, arguments, wants_json),
    };
    let output = Output::new(cli.global.no_color);
    let context = Context::new(cli.global, output);
    let done = cli.command.run(&context, &matches);
    let done = match context.output.fault() {
        Some(fault) if done.is_ok() => Err(CliError::Output(fault)),
        _ => done,
    };
    done.unwrap_or_else(|failed| error::report(&failed, &context.output, wants_json))
}

/// Runs a command as if it had been typed in another context's directory: for the demo.
///
/// # Errors
/// What the command fails with, or a code of its own that is not "well".
fn run_typed<'a>(context: &Context, typed: impl Iterator<Item = &'a str>) -> Result<(), CliError> {
    let arguments: Vec<OsString> = typed.map(OsString::from).collect();
    let (cli, matches) =
        parse(&arguments).map_err(|failed| CliError::Usage(failed.render().to_string()))?;
    cli.command.run(context, &matches).map(|_| ())
}

fn parse(arguments: &[OsString]) -> Result<(Cli, clap::ArgMatches), clap::Error> {
    let matches = Cli::command().try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok((cli, matches))
}

/// Help and version go to standard output and are well; everything else is a failure on standard error.
fn report_usage(failed: &clap::Error, arguments: &[OsString], wants_json: bool) -> u8 {
    let output = Output::new(arguments.iter().any(|argument| argument == "--no-color"));
    if !failed.use_stderr() {
        output.print(&failed.render().ansi().to_string());
        return exit::WELL;
    }
    if let Some(later) = later_command(failed) {
        return error::report(&CliError::LaterVersion(later), &output, wants_json);
    }
    if wants_json {
        return error::report(&CliError::Usage(failed.render().to_string()), &output, true);
    }
    output.print_error(&failed.render().ansi().to_string());
    if let Some(hint) = usage_hint(failed, arguments) {
        output.note(format!("  {} {hint}", output::paint(output::CYAN, "help:")));
    }
    exit::FAILURE
}

/// What clap's own text leaves open.
fn usage_hint(failed: &clap::Error, arguments: &[OsString]) -> Option<&'static str> {
    use clap::error::ErrorKind;
    let typed = |word: &str| arguments.iter().any(|argument| argument == word);
    match failed.kind() {
        ErrorKind::MissingRequiredArgument if typed("scale") => {
            Some("for example: tideform scale web 12 --for 2h --reason \"load test\"")
        }
        ErrorKind::UnknownArgument if typed("surge") && (typed("start") || typed("stop")) => Some(
            "the surge's name comes first, and the group is a flag: tideform surge start NAME --group ADDR",
        ),
        _ => None,
    }
}

fn later_command(failed: &clap::Error) -> Option<&'static str> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if failed.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    match failed.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) => LATER.into_iter().find(|later| later == name),
        _ => None,
    }
}

impl Command {
    fn run(self, cx: &Context, matches: &clap::ArgMatches) -> CliResult {
        let matches = matches.subcommand().map(|(_, own)| own);
        match self {
            Command::Init(args) => args.run(cx, matches),
            Command::Validate(args) => args.run(cx, matches),
            Command::Fmt(args) => args.run(cx),
            Command::Test(args) => args.run(cx, matches),
            Command::Console(args) => args.run(cx, matches),
            Command::Plan(args) => args.run(cx, matches),
            Command::Apply(args) => args.run(cx, matches),
            Command::Destroy(args) => args.run(cx, matches),
            Command::Show(args) => args.run(cx),
            Command::Import(args) => args.run(cx, matches),
            Command::Reconcile(args) => args.run(cx, matches),
            Command::Status(args) => args.run(cx),
            Command::Events(args) => args.run(cx),
            Command::Explain(args) => args.run(cx),
            Command::Cost(args) => args.run(cx),
            Command::Scale(args) => args.run(cx),
            Command::Unpin(args) => args.run(cx),
            Command::Pause(args) => args.run(cx),
            Command::Resume(args) => args.run(cx),
            Command::Surge(args) => args.run(cx),
            Command::Overrides(args) => args.run(cx),
            Command::Analyze(args) => args.run(cx),
            Command::Decide(args) => args.run(cx, matches),
            Command::Simulate(args) => args.run(cx, matches),
            Command::Tune(args) => args.run(cx, matches),
            Command::Schema(args) => args.run(cx),
            Command::State(args) => args.run(cx),
            Command::Demo(args) => args.run(cx),
            Command::Completions(args) => args.run(cx),
            Command::Version(args) => args.run(cx),
            Command::Mock(args) => args.run(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        super::command().debug_assert();
    }
}
