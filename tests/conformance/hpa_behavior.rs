//! The HPA's limits, stabilization and whole decisions.

use serde_json::Value;

use super::support::{Answer, File, unknown};

pub(crate) static FILE: File = File {
    name: "hpa_behavior",
    json: include_str!("hpa_behavior.json"),
    set_aside: &[],
    ask,
};

fn ask(case: &Value) -> Result<Answer, String> {
    unknown(case)
}
