//! Which groups to look for where nobody has named them yet.

/// One condition; of several all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupFilter {
    /// The resource's name, with `*` for any text and `?` for any character.
    Name(String),
    /// A tag of the resource.
    Tag {
        /// Its key, as it stands.
        key: String,
        /// Its value, as it stands; `None`: any.
        value: Option<String>,
    },
}

impl GroupFilter {
    /// Whether a resource with this name and these tags meets the condition.
    pub fn matches<'a>(
        &self,
        name: &str,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> bool {
        match self {
            GroupFilter::Name(pattern) => glob(pattern, name),
            GroupFilter::Tag { key, value } => tags
                .into_iter()
                .any(|(k, v)| k == key && value.as_deref().is_none_or(|value| value == v)),
        }
    }
}

/// `*` is any text, `?` any character; all else is itself. Linear in `text` times stars.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // Let the last star take one character more.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_glob_of_the_name_or_a_tag() {
        let tag = |value: Option<&str>| GroupFilter::Tag {
            key: "team".to_owned(),
            value: value.map(str::to_owned),
        };
        let name = |pattern: &str| GroupFilter::Name(pattern.to_owned());
        for (filter, matches) in [
            (name("web-*"), true),
            (name("web"), false),
            (name("*-pr?d"), true),
            (name("*"), true),
            (tag(Some("shop")), true),
            (tag(None), true),
            (tag(Some("sho*")), false),
        ] {
            let tags = [("team", "shop"), ("cost", "7")];
            assert_eq!(filter.matches("web-prod", tags), matches, "{filter:?}");
        }
        assert!(!tag(None).matches("web-prod", [("cost", "7")]));
    }
}
