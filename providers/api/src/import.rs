//! What the controls of a live group say, in the words of the language: how a group comes under management that was
//! scaled by something else until now.

use tideform_policies::model::Limits;
use tideform_policies::write::Block;

/// The controls of a live group as blocks of the language.
///
/// Written into a group with `controller = "native"`, with the named controls adopted, the blocks want exactly what is
/// there already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// What can be said.
    pub parts: Vec<ImportedPart>,
    /// What stays as it is, and is not managed.
    pub left: Vec<LeftControl>,
    /// The group's limits outside of any window; `None`: something that stays moves them, so that no file may say them.
    pub limits: Option<Limits>,
    /// Metrics must never remove instances: `scale_in { enabled = false }`.
    pub never_scales_in: bool,
}

/// Blocks that together say some controls: all of them or none are taken over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportedPart {
    /// The controls, by name.
    pub controls: Vec<String>,
    /// Blocks of a group.
    pub blocks: Vec<Block>,
    /// What else tools that made the controls must let go of, by their kind of resource and its name there.
    pub made_of: Vec<(String, String)>,
}

/// A control that the language cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftControl {
    /// Its name there.
    pub name: String,
    /// For people: `simple scaling, +1`.
    pub summary: String,
    /// What no file can say: a lowercase fragment.
    pub why: String,
    /// What to do, where there is something: a sentence.
    pub help: Option<String>,
}
