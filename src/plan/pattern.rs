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

#[cfg(test)]
mod tests {
    use super::*;

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
