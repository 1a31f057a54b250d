//! `tideform version`.

use clap::Args;

use super::context::Context;
use super::{CliResult, exit};

/// Print the version.
///
/// Prints the version, and the providers that this build has.
#[derive(Args, Debug)]
pub(super) struct VersionArgs {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl VersionArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let version = env!("CARGO_PKG_VERSION");
        let providers: &[&str] = if cfg!(feature = "aws") {
            &["aws", "mock"]
        } else {
            &["mock"]
        };
        if self.json {
            cx.output.json(&serde_json::json!({
                "format_version": 1,
                "version": version,
                "providers": providers,
                "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            }));
        } else {
            cx.output.line(format!("tideform {version}"));
            cx.output
                .line(format!("providers: {}", providers.join(", ")));
        }
        Ok(exit::WELL)
    }
}
