//! From a path in a resolved group to the place in the files that says so. Line starts are found once a file, so that
//! a first plan of thousands of groups in one file stays quick.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tideform_policies::model::{Configuration, GroupAddress, Origin};
use tideform_policies::source::{SourceId, Span};

use super::types::Place;

pub(super) struct Places<'a> {
    configuration: &'a Configuration,
    lines: BTreeMap<SourceId, Vec<usize>>,
    /// Of the group that was last asked about: groups are planned one after another.
    last: RefCell<Option<(GroupAddress, BTreeMap<String, Origin>)>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(configuration: &'a Configuration) -> Places<'a> {
        let lines = configuration
            .sources
            .iter()
            .map(|(id, source)| {
                let ends = source.text.match_indices('\n').map(|(at, _)| at + 1);
                (id, std::iter::once(0).chain(ends).collect())
            })
            .collect();
        Places {
            configuration,
            lines,
            last: RefCell::new(None),
        }
    }

    fn among<T>(
        &self,
        address: &GroupAddress,
        find: impl FnOnce(&BTreeMap<String, Origin>) -> Option<T>,
    ) -> Option<T> {
        let mut last = self.last.borrow_mut();
        let origins = match &*last {
            Some((of, origins)) if of == address => origins,
            _ => {
                let origins = self.configuration.origins(address);
                &last.insert((address.clone(), origins)).1
            }
        };
        find(origins)
    }

    /// Where a value was written: its own origin, or that of the nearest block around it.
    pub(super) fn origin(&self, address: &GroupAddress, path: &str) -> Option<Origin> {
        self.among(address, |origins| {
            let mut path = path;
            loop {
                if let Some(origin) = origins.get(path) {
                    return Some(origin.clone());
                }
                path = path.get(..path.rfind(['.', '['])?)?;
            }
        })
    }

    /// The span of the nearest thing around a path that stands in the files; at last the group's label.
    pub(super) fn span(&self, address: &GroupAddress, path: &str) -> Option<Span> {
        if matches!(path, "resource" | "resource.name") {
            return self.resource(address);
        }
        let written = self.among(address, |origins| {
            let mut path = path;
            loop {
                // A default stands nowhere, but its block may.
                if let Some(span) = origins.get(path).and_then(|origin| origin.span) {
                    return Some(span);
                }
                path = path.get(..path.rfind(['.', '['])?)?;
            }
        });
        written.or_else(|| self.configuration.label(address))
    }

    /// Where a group says what it scales: the name in its `resource` block, or its label, which is the name then.
    fn resource(&self, address: &GroupAddress) -> Option<Span> {
        // `resource.asg.name`: the kind is the block's label.
        let name = self.among(address, |origins| {
            let (_, origin) = origins
                .range("resource.".to_owned()..)
                .take_while(|(path, _)| path.starts_with("resource."))
                .find(|(path, _)| path.ends_with(".name"))?;
            origin.span
        });
        name.or_else(|| self.configuration.label(address))
    }

    pub(super) fn place(&self, span: Span) -> Option<Place> {
        let source = self.configuration.sources.get(span.source)?;
        let starts = self.lines.get(&span.source)?;
        let at = span.start as usize;
        let line = starts.partition_point(|start| *start <= at);
        let start = *starts.get(line.checked_sub(1)?)?;
        let column = source.text.get(start..at)?.chars().count() + 1;
        Some(Place {
            file: source.name.clone(),
            line,
            column,
        })
    }

    /// Where a value was written, for people; `None` for a default.
    pub(super) fn of(&self, address: &GroupAddress, path: &str) -> Option<Place> {
        self.place(self.origin(address, path)?.span?)
    }
}
