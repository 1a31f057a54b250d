//! The groups of `policies/groups.hcl`, by name.

use std::path::Path;

use tideform_policies::load::LoadInput;
use tideform_policies::model::{Group, GroupAddress};

/// The group of this name.
pub(crate) fn group(name: &str) -> Group {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/cases/policies");
    let (mut configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory,
        environment: Vec::new(),
        arguments: Vec::new(),
    });
    match configuration.groups.remove(&GroupAddress::new(name)) {
        Some(group) if !diagnostics.has_errors() => group,
        _ => panic!("the policies of the benches: {diagnostics:?}"),
    }
}
