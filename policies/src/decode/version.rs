//! `required_version`: which versions of tideform may run a directory, as Terraform writes it.

use super::read::Problem;
use crate::codes;

/// Our own version.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// Checks a requirement against our own version.
pub(crate) fn check(requirement: &str) -> Result<(), Problem> {
    match allows(requirement, OURS) {
        Some(true) => Ok(()),
        Some(false) => Err(Problem::new(
            codes::VERSION,
            "Another version of tideform needed",
            format!("this is {OURS}"),
        )
        .help("install a version that fits, or change the requirement")),
        None => Err(Problem::new(
            codes::VERSION,
            "Another version of tideform needed",
            "is no requirement",
        )
        .help("write \">= 0.1\", \"~> 0.1\", or several with commas")),
    }
}

/// Whether a requirement allows a version; `None` where it is not readable.
fn allows(requirement: &str, version: &str) -> Option<bool> {
    let (ours, _) = parse(version)?;
    let mut all = true;
    for part in requirement.split(',') {
        let part = part.trim();
        let at = part.find(|c: char| c.is_ascii_digit())?;
        let (operator, number) = part.split_at_checked(at)?;
        let (bound, given) = parse(number)?;
        all &= match operator.trim() {
            "" | "=" => ours == bound,
            "!=" => ours != bound,
            ">" => ours > bound,
            ">=" => ours >= bound,
            "<" => ours < bound,
            "<=" => ours <= bound,
            // Only the last number given may rise.
            "~>" => {
                let fixed = given.saturating_sub(1).max(1);
                ours >= bound && ours.iter().take(fixed).eq(bound.iter().take(fixed))
            }
            _ => return None,
        };
    }
    Some(all)
}

/// Three numbers, and how many of them were given.
fn parse(text: &str) -> Option<([u64; 3], usize)> {
    let mut numbers = [0; 3];
    let mut given = 0;
    for part in text.trim().split('.') {
        *numbers.get_mut(given)? = part.parse().ok()?;
        given += 1;
    }
    Some((numbers, given))
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn requirements_read_as_in_terraform() {
        for (requirement, version, want) in [
            (">= 0.1", "0.1.0", Some(true)),
            (">= 0.1, < 0.2", "0.1.9", Some(true)),
            (">= 0.2", "0.1.9", Some(false)),
            ("~> 0.1", "0.9.0", Some(true)),
            ("~> 0.1.2", "0.1.9", Some(true)),
            ("~> 0.1.2", "0.2.0", Some(false)),
            ("~> 1", "1.5.0", Some(true)),
            ("~> 1", "2.0.0", Some(false)),
            ("!= 0.1.0", "0.1.0", Some(false)),
            ("0.1.0", "0.1.0", Some(true)),
            ("=> 1", "0.1.0", None),
            ("latest", "0.1.0", None),
            ("", "0.1.0", None),
            (">= 1.2.3.4", "0.1.0", None),
        ] {
            assert_eq!(
                allows(requirement, version),
                want,
                "{requirement} {version}"
            );
        }
    }
}
