//! Nomad's strategies.

use serde_json::Value;

use super::support::{Answer, File, unknown};

pub(crate) static FILE: File = File {
    name: "nomad_strategies",
    json: include_str!("nomad_strategies.json"),
    set_aside: &[],
    ask,
};

fn ask(case: &Value) -> Result<Answer, String> {
    unknown(case)
}
