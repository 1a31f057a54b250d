//! AWS's step scaling and target tracking.

use serde_json::Value;

use super::support::{Answer, File, unknown};

pub(crate) static FILE: File = File {
    name: "aws_step_scaling",
    json: include_str!("aws_step_scaling.json"),
    set_aside: &[],
    ask,
};

fn ask(case: &Value) -> Result<Answer, String> {
    unknown(case)
}
