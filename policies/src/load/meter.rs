//! The bound on what evaluation may cost, so that no file can hang a run or exhaust memory.

use std::cell::Cell;

use crate::value::Value;

/// Elements of one list, set or object.
pub(crate) const MAX_ELEMENTS: usize = 1_000_000;
/// Bytes of one string.
pub(crate) const MAX_STRING: usize = 16 << 20;
/// How deep a value may be nested, counted at locals, variables and attributes.
pub(crate) const MAX_DEPTH: usize = 128;

/// Evaluation went over a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct Meter {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    is_exhausted: Cell<bool>,
}

impl Default for Meter {
    fn default() -> Meter {
        // Ten thousand groups of two hundred expressions are about 20 million steps.
        Meter::new(50_000_000, 1 << 30)
    }
}

impl Meter {
    pub(crate) fn new(steps: u64, bytes: u64) -> Meter {
        Meter {
            steps: Cell::new(steps),
            bytes: Cell::new(bytes),
            is_exhausted: Cell::new(false),
        }
    }

    /// Nodes evaluated, or elements looked at.
    pub(crate) fn spend(&self, steps: usize) -> Result<(), TooMuch> {
        Meter::take(&self.steps, steps as u64).inspect_err(|_| self.is_exhausted.set(true))
    }

    /// Bytes of strings, lists and objects made; they are never given back.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<(), TooMuch> {
        Meter::take(&self.bytes, bytes as u64).inspect_err(|_| self.is_exhausted.set(true))
    }

    /// A list or an object of so many elements is about to be made.
    pub(crate) fn elements(&self, n: usize) -> Result<(), TooMuch> {
        if n > MAX_ELEMENTS {
            return Err(TooMuch);
        }
        self.spend(n)?;
        self.allocate(n.saturating_mul(size_of::<Value>()))
    }

    /// A string of so many bytes is about to be made.
    pub(crate) fn string(&self, bytes: usize) -> Result<(), TooMuch> {
        if bytes > MAX_STRING {
            return Err(TooMuch);
        }
        self.spend(bytes / 256)?;
        self.allocate(bytes)
    }

    /// Whether a bound on the whole was reached: then nothing more can be evaluated.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }

    fn take(left: &Cell<u64>, amount: u64) -> Result<(), TooMuch> {
        match left.get().checked_sub(amount) {
            Some(rest) => {
                left.set(rest);
                Ok(())
            }
            None => {
                left.set(0);
                Err(TooMuch)
            }
        }
    }

    /// Walks a value: spends a step for each part, and refuses one that is too large or too deep. Shared parts
    /// count as often as they appear, since whatever reads the value meets them as often.
    pub(crate) fn weigh(&self, value: &Value) -> Result<Weighed, TooMuch> {
        let mut weighed = Weighed::default();
        self.walk(value, 0, &mut weighed)?;
        Ok(weighed)
    }

    fn walk(&self, value: &Value, depth: usize, weighed: &mut Weighed) -> Result<(), TooMuch> {
        weighed.parts += 1;
        if depth > MAX_DEPTH || weighed.parts > MAX_ELEMENTS {
            return Err(TooMuch);
        }
        self.spend(1)?;
        match value {
            Value::List(list) => {
                for item in list.iter() {
                    self.walk(item, depth + 1, weighed)?;
                }
            }
            Value::Set(list) => {
                weighed.has_set = true;
                for item in list.iter() {
                    self.walk(item, depth + 1, weighed)?;
                }
            }
            Value::Object(object) => {
                for item in object.values() {
                    self.walk(item, depth + 1, weighed)?;
                }
            }
            Value::Sensitive(inner) => {
                weighed.has_sensitive = true;
                self.walk(inner, depth + 1, weighed)?;
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Address(_) => {}
        }
        Ok(())
    }
}

/// What a walk over a value found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weighed {
    pub(crate) parts: usize,
    pub(crate) has_set: bool,
    pub(crate) has_sensitive: bool,
}
