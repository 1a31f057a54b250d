//! `--group`: which groups a person means.

use tideform_policies::model::GroupAddress;
use tideform_provider::glob;

/// A group's address with `*` and `?`: `web`, `group.web`, `svc`, `svc.api`, `svc.*`, `group.svc["api"]`.
///
/// A name without a key also means all members of a group with `for_each`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPattern {
    text: String,
}

impl GroupPattern {
    /// From what was typed. Every text is a pattern; one that matches nothing is reported where it is used.
    pub fn new(text: &str) -> GroupPattern {
        GroupPattern {
            text: text.trim().to_owned(),
        }
    }

    /// As typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern means this group.
    pub fn matches(&self, address: &GroupAddress) -> bool {
        if GroupAddress::parse(&self.text).as_ref() == Some(address) {
            return true;
        }
        let text = self.text.strip_prefix("group.").unwrap_or(&self.text);
        let full = address.to_string();
        let full = full.strip_prefix("group.").unwrap_or(&full);
        glob(text, full) || glob(text, &address.short()) || glob(text, &address.name)
    }
}

/// A pattern that means no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no group matches `{pattern}`{}", did_you_mean(.nearest.as_deref()))]
pub struct Unmatched {
    /// As typed.
    pub pattern: String,
    /// The known group that is most like it, in its short form.
    pub nearest: Option<String>,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    })
}

/// Proves that every pattern means a group: a misspelt name must not pass for "nothing to do".
///
/// # Errors
/// The first one that means none.
pub fn check_patterns(patterns: &[GroupPattern], known: &[&GroupAddress]) -> Result<(), Unmatched> {
    let is_unmatched =
        |pattern: &&GroupPattern| !known.iter().any(|address| pattern.matches(address));
    let Some(pattern) = patterns.iter().find(is_unmatched) else {
        return Ok(());
    };
    let typed = pattern.text.strip_prefix("group.").unwrap_or(&pattern.text);
    let names: Vec<String> = known.iter().map(|address| address.short()).collect();
    let nearest = tideform_policies::schema::nearest(typed, names.iter().map(String::as_str));
    Err(Unmatched {
        pattern: pattern.text.clone(),
        nearest: nearest.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_means_no_group_is_refused_with_the_nearest_name() {
        let known = [GroupAddress::new("web"), GroupAddress::new("worker")];
        let known: Vec<&GroupAddress> = known.iter().collect();
        for (typed, nearest) in [
            ("web", None),
            ("w*", None),
            ("wbe", Some(Some("web"))),
            ("group.wrker", Some(Some("worker"))),
            ("billing", Some(None)),
        ] {
            let refused = check_patterns(
                &[GroupPattern::new("web"), GroupPattern::new(typed)],
                &known,
            );
            let found = refused
                .as_ref()
                .err()
                .map(|refused| refused.nearest.as_deref());
            assert_eq!(found, nearest, "{typed}");
        }
    }

    #[test]
    fn a_pattern_means_addresses_short_forms_members_and_globs() {
        let web = GroupAddress::new("web");
        let api = GroupAddress::keyed("svc", "api");
        for (pattern, address, expected) in [
            ("web", &web, true),
            ("group.web", &web, true),
            ("we?", &web, true),
            ("w*b", &web, true),
            ("*", &web, true),
            ("we", &web, false),
            ("web.api", &web, false),
            ("svc", &api, true),
            ("svc.api", &api, true),
            ("group.svc[\"api\"]", &api, true),
            ("svc[\"a*\"]", &api, true),
            ("svc.*", &api, true),
            ("group.s*.a*i", &api, true),
            ("svc.web", &api, false),
            ("", &web, false),
        ] {
            assert_eq!(
                GroupPattern::new(pattern).matches(address),
                expected,
                "{pattern} against {address}"
            );
        }
    }
}
