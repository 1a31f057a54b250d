//! Values of the language while files are evaluated.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{GroupAddress, ProviderAddress};

/// An evaluated expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`: as if the attribute were not there.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// A list, a tuple, or a set in its order.
    List(Arc<Vec<Value>>),
    /// An object or a map, in the order of the file.
    Object(Arc<IndexMap<Arc<str>, Value>>),
    /// An opaque reference to a block.
    Address(Address),
    /// Any of the above, which must not be shown.
    Sensitive(Arc<Value>),
}

/// A number: exact while it is an integer of at most 127 bits, a finite float otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Exact.
    Integer(i128),
    /// Finite.
    Float(f64),
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `provider.aws.us`.
    Provider(ProviderAddress),
    /// `policy.web`.
    Policy(Arc<str>),
    /// `group.web`, `group.svc["api"]`.
    Group(GroupAddress),
}
