//! The owner tags: which workspace and which state a group belongs to. Pure.
//!
//! Two tags on the group itself, not on its instances. The first can be searched for.

use tideform_provider::Owner;

/// The workspace.
pub(crate) const WORKSPACE: &str = "tideform:workspace";
/// The state's lineage and the group's address, with a blank between.
pub(crate) const STATE: &str = "tideform:state";

/// Most characters of a tag's value. Source: Amazon EC2 Auto Scaling API, `Tag.Value`.
const LONGEST: usize = 256;

/// Both tags, key and value.
pub(crate) fn of(owner: &Owner) -> [(&'static str, String); 2] {
    let state = format!("{} {}", owner.state, owner.group);
    [
        (WORKSPACE, owner.workspace.clone()),
        (STATE, state.chars().take(LONGEST).collect()),
    ]
}

/// The owner that these tags name; `None` where either is missing.
pub(crate) fn owner<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Owner> {
    let (mut workspace, mut state) = (None, None);
    for (key, value) in tags {
        match key {
            WORKSPACE => workspace = Some(value),
            STATE => state = Some(value),
            _ => {}
        }
    }
    let (workspace, state) = (workspace?, state?);
    let (lineage, group) = state.split_once(' ').unwrap_or((state, ""));
    Some(Owner {
        workspace: workspace.to_owned(),
        state: lineage.to_owned(),
        group: group.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let owner_of = |group: &str| Owner {
            workspace: "shop-prod".to_owned(),
            state: "0b5e-77".to_owned(),
            group: group.to_owned(),
        };
        for group in ["group.web", "group.svc[\"a b\"]"] {
            let written = owner_of(group);
            let tags = of(&written);
            let read = owner(tags.iter().map(|(key, value)| (*key, value.as_str())));
            assert_eq!(read, Some(written));
        }
    }

    #[test]
    fn half_an_owner_is_none() {
        assert_eq!(owner([(WORKSPACE, "shop")].into_iter()), None);
        assert_eq!(owner([("Name", "web")].into_iter()), None);
    }
}
