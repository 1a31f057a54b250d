//! What the peers decide: cases from their own tests and documentation, asked of tideform through its public path.
//!
//! Every row of every file in this folder is a test of its own, `hpa_replicas::util-scale-up`: a policy in HCL, an
//! observation as `tideform decide` reads it, and one decision. A row on which tideform answers something else on
//! purpose is listed with its own answer and the reason, and fails when it begins to agree. README.md states the rules.

mod aws;
mod docs;
mod hpa;
mod hpa_apart;
mod hpa_behavior;
mod hpa_random;
mod hpa_replicas;
mod nomad;
mod nomad_aws_apart;
mod nomad_aws_random;
mod question;
mod random;
mod reference;
mod support;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};

use support::{File, Tally};

const FILES: &[&File] = &[
    &hpa_replicas::FILE,
    &hpa_behavior::FILE,
    &nomad::FILE,
    &aws::FILE,
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut trials: Vec<Trial> = FILES.iter().flat_map(|file| file.trials(&tally)).collect();
    trials.extend(docs::trials());
    trials.extend(hpa_apart::trials());
    trials.extend(hpa_random::trials());
    trials.extend(nomad_aws_apart::trials());
    trials.extend(nomad_aws_random::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list
        && let Ok(tally) = tally.lock()
    {
        tally.print(FILES);
        random::print_seed();
    }
    conclusion.exit_code()
}
