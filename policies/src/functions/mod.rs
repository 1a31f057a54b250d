//! Terraform's pure functions, one table; a file per family.
//!
//! A function sees values whose types the table has checked, and answers with a value or a [`Fault`]. It
//! knows nothing of expressions, places or diagnostics. None reads a clock or draws a random number; the
//! file functions read only inside the configuration's directory.

mod collection;
mod conversion;
mod date;
mod encoding;
mod files;
mod format_text;
mod hash;
mod numeric;
mod text;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use crate::load::meter::{Meter, TooMuch};
use crate::value::{Number, Value};

pub(crate) use files::Files;
pub(crate) use hash::hex;

/// What an argument must be. Strings that hold a number convert to one, and so on, as in Terraform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything, null too.
    Any,
    /// Anything but null.
    Something,
    /// A number.
    Number,
    /// A string.
    Text,
    /// A list or a set.
    List,
    /// An object or a map.
    Object,
}

impl Kind {
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Kind::Any | Kind::Something => "a value",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::List => "a list or a set",
            Kind::Object => "an object",
        }
    }
}

/// Why a function has no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Because of one argument: which, and the words beside it.
    Argument(usize, Cow<'static, str>),
    /// The result would be too large.
    TooMuch,
}

impl From<TooMuch> for Fault {
    fn from(TooMuch: TooMuch) -> Fault {
        Fault::TooMuch
    }
}

pub(crate) fn fault<T>(argument: usize, text: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
    Err(Fault::Argument(argument, text.into()))
}

/// What a function works with.
pub(crate) struct Call<'c> {
    pub(crate) arguments: &'c [Value],
    pub(crate) meter: &'c Meter,
    pub(crate) files: &'c Files,
}

pub(crate) type Answer = Result<Value, Fault>;

impl<'c> Call<'c> {
    /// The argument, or null where it was left out.
    fn value(&self, n: usize) -> &'c Value {
        self.arguments.get(n).unwrap_or(&Value::Null)
    }

    fn number(&self, n: usize) -> Result<Number, Fault> {
        match self.value(n) {
            Value::Number(number) => Ok(*number),
            other => fault(
                n,
                format!("this is {}, a number is needed", other.type_name()),
            ),
        }
    }

    fn whole(&self, n: usize) -> Result<i128, Fault> {
        match self.number(n)?.as_integer() {
            Some(whole) => Ok(whole),
            None => fault(n, "a whole number is needed"),
        }
    }

    fn count(&self, n: usize) -> Result<usize, Fault> {
        match usize::try_from(self.whole(n)?) {
            Ok(count) => Ok(count),
            Err(_) => fault(n, "a whole number of at least 0 is needed"),
        }
    }

    fn text(&self, n: usize) -> Result<&'c str, Fault> {
        match self.value(n) {
            Value::String(text) => Ok(text),
            other => fault(
                n,
                format!("this is {}, a string is needed", other.type_name()),
            ),
        }
    }

    fn list(&self, n: usize) -> Result<&'c [Value], Fault> {
        match self.value(n) {
            Value::List(list) | Value::Set(list) => Ok(list),
            other => fault(
                n,
                format!("this is {}, a list is needed", other.type_name()),
            ),
        }
    }

    fn object(&self, n: usize) -> Result<&'c IndexMap<Arc<str>, Value>, Fault> {
        match self.value(n) {
            Value::Object(object) => Ok(object),
            other => fault(
                n,
                format!("this is {}, an object is needed", other.type_name()),
            ),
        }
    }

    /// The items of a list as strings.
    fn texts(&self, n: usize) -> Result<Vec<Arc<str>>, Fault> {
        self.list(n)?
            .iter()
            .map(
                |item| match crate::load::evaluate::convert::to_shared_text(item.reveal().0) {
                    Some(text) => Ok(text),
                    None => fault(n, format!("holds {}, strings are needed", item.type_name())),
                },
            )
            .collect()
    }

    /// A string as a result.
    fn made(&self, text: String) -> Answer {
        self.meter.string(text.len())?;
        Ok(Value::from(text))
    }

    /// A list as a result.
    fn made_list(&self, list: Vec<Value>) -> Answer {
        self.meter.elements(list.len())?;
        Ok(Value::from(list))
    }

    /// An object as a result.
    fn made_object(&self, object: IndexMap<Arc<str>, Value>) -> Answer {
        self.meter.elements(object.len())?;
        Ok(Value::from(object))
    }
}

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// `ceil`.
    pub name: &'static str,
    /// `ceil(number)`.
    pub signature: &'static str,
    pub(crate) parameters: &'static [Kind],
    /// How many of the parameters may be left out, from the last.
    pub(crate) optional: usize,
    /// Any number of these may follow.
    pub(crate) rest: Option<Kind>,
    /// It only moves elements, so the marks inside its arguments stay where they are.
    pub(crate) keeps_marks: bool,
    pub(crate) run: fn(&Call<'_>) -> Answer,
}

/// A function with a fixed number of arguments.
const fn fixed(
    name: &'static str,
    signature: &'static str,
    parameters: &'static [Kind],
    run: fn(&Call<'_>) -> Answer,
) -> Function {
    Function {
        name,
        signature,
        parameters,
        optional: 0,
        rest: None,
        keeps_marks: false,
        run,
    }
}

impl Function {
    const fn optional(mut self, optional: usize) -> Function {
        self.optional = optional;
        self
    }

    const fn rest(mut self, kind: Kind) -> Function {
        self.rest = Some(kind);
        self
    }

    const fn keeps_marks(mut self) -> Function {
        self.keeps_marks = true;
        self
    }
}

/// Functions that the evaluator carries out itself, because they look at expressions and not at values.
const SPECIAL: &[(&str, &str)] = &[
    ("can", "can(expression)"),
    ("issensitive", "issensitive(value)"),
    ("nonsensitive", "nonsensitive(value)"),
    ("sensitive", "sensitive(value)"),
    ("templatefile", "templatefile(path, variables)"),
    ("try", "try(expression, ...)"),
];

/// Terraform functions that give another answer each time, and why that matters.
pub(crate) const IMPURE: &[&str] = &[
    "bcrypt",
    "plantimestamp",
    "timestamp",
    "uuid",
    "random",
    "now",
];

/// Pure functions of Terraform that are not there: what they are for has no place in a scaling policy.
pub(crate) const MISSING: &[&str] = &[
    "abspath",
    "base64gzip",
    "cidrhost",
    "cidrnetmask",
    "cidrsubnet",
    "cidrsubnets",
    "ephemeralasnull",
    "filebase64",
    "filebase64sha256",
    "filemd5",
    "fileset",
    "filesha1",
    "filesha256",
    "filesha512",
    "md5",
    "pathexpand",
    "rsadecrypt",
    "sha1",
    "templatestring",
    "textdecodebase64",
    "textencodebase64",
    "uuidv5",
    "yamldecode",
    "yamlencode",
];

fn table() -> impl Iterator<Item = &'static Function> {
    [
        numeric::FUNCTIONS,
        text::FUNCTIONS,
        collection::FUNCTIONS,
        encoding::FUNCTIONS,
        hash::FUNCTIONS,
        date::FUNCTIONS,
        conversion::FUNCTIONS,
        files::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| table().map(|function| (function.name, function)).collect());

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// Every function's name, in order.
pub fn names() -> Vec<&'static str> {
    signatures().into_iter().map(|(name, _)| name).collect()
}

/// Every function's name and signature, in the order of names.
pub fn signatures() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = table()
        .map(|function| (function.name, function.signature))
        .chain(SPECIAL.iter().copied())
        .collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_stand_at_the_start_of_their_signature() {
        let all = signatures();
        for pair in all.windows(2) {
            assert_ne!(pair[0].0, pair[1].0);
        }
        for (name, signature) in &all {
            assert!(signature.starts_with(&format!("{name}(")), "{signature}");
            assert!(!IMPURE.contains(name));
        }
        assert!(
            MISSING
                .iter()
                .all(|missing| all.iter().all(|(name, _)| name != missing))
        );
        assert!(all.len() >= 90, "{}", all.len());
    }
}
