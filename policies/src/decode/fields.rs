//! Typed answers from a merged block. What is absent or was reported gives the default, without another word.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::read::{self, Amount};
use crate::defaults::Preset;
use crate::layers::{Merged, plain};
use crate::model::{Capacity, Formula, Name, ProviderAddress, Share};
use crate::schema::Range;
use crate::tree::AttributeValue;
use crate::value::{Address, Value};

const ANY: Range = Range {
    min: f64::MIN,
    above_min: false,
    max: f64::MAX,
    below_max: false,
};

impl<'t> Merged<'t> {
    /// A value that is there and has not been reported.
    pub(crate) fn known(&self, name: &str, cx: &Context) -> Option<&'t Value> {
        let attribute = self.get(name)?;
        match &attribute.value {
            AttributeValue::Known(value) if !cx.is_bad(attribute.span) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, name: &str, cx: &Context) -> Option<Duration> {
        read::duration(self.known(name, cx)?).ok()
    }

    pub(crate) fn duration_or(&self, name: &str, default: Preset, cx: &Context) -> Duration {
        self.duration(name, cx)
            .or_else(|| read::parse_duration(default.bare()).ok())
            .unwrap_or_default()
    }

    pub(crate) fn word(
        &self,
        name: &str,
        words: &'static [&'static str],
        cx: &Context,
    ) -> Option<&'static str> {
        read::word(self.known(name, cx)?, words).ok()
    }

    pub(crate) fn number(&self, name: &str, cx: &Context) -> Option<f64> {
        read::number(self.known(name, cx)?, ANY).ok()
    }

    pub(crate) fn number_or(&self, name: &str, default: Preset, cx: &Context) -> f64 {
        self.number(name, cx)
            .or_else(|| default.bare().parse().ok())
            .unwrap_or_default()
    }

    pub(crate) fn count(&self, name: &str, cx: &Context) -> Option<u32> {
        read::count(self.known(name, cx)?, 0, u32::MAX).ok()
    }

    pub(crate) fn count_or(&self, name: &str, default: Preset, cx: &Context) -> u32 {
        self.count(name, cx)
            .or_else(|| default.bare().parse().ok())
            .unwrap_or_default()
    }

    pub(crate) fn capacity(&self, name: &str, cx: &Context) -> Option<Capacity> {
        self.count(name, cx).map(Capacity)
    }

    pub(crate) fn boolean(&self, name: &str, cx: &Context) -> Option<bool> {
        read::boolean(self.known(name, cx)?).ok()
    }

    pub(crate) fn text(&self, name: &str, cx: &Context) -> Option<String> {
        read::text(self.known(name, cx)?).ok().map(str::to_owned)
    }

    pub(crate) fn name(&self, name: &str, cx: &Context) -> Option<Name> {
        read::text(self.known(name, cx)?).ok().map(Arc::from)
    }

    pub(crate) fn share(&self, name: &str, cx: &Context) -> Option<Share> {
        read::share(self.known(name, cx)?, f64::MAX).ok()
    }

    pub(crate) fn share_or(&self, name: &str, default: Preset, cx: &Context) -> Share {
        self.share(name, cx)
            .or_else(|| read::parse_share(default.bare()))
            .unwrap_or(Share(0.0))
    }

    pub(crate) fn amount(&self, name: &str, cx: &Context) -> Option<Amount> {
        read::amount(self.known(name, cx)?).ok()
    }

    pub(crate) fn adjustment(&self, name: &str, cx: &Context) -> Option<Amount> {
        read::adjustment(self.known(name, cx)?).ok()
    }

    pub(crate) fn provider(&self, name: &str, cx: &Context) -> Option<ProviderAddress> {
        match plain(self.known(name, cx)?) {
            Value::Address(Address::Provider(address)) => Some(address.clone()),
            _ => None,
        }
    }

    /// A formula, or a constant as one.
    pub(crate) fn formula(&self, name: &str, cx: &Context) -> Option<Formula> {
        self.formulas(name, cx).into_iter().next()
    }

    /// Formulas and constants: one, or a list.
    pub(crate) fn formulas(&self, name: &str, cx: &Context) -> Vec<Formula> {
        let Some(attribute) = self.get(name).filter(|a| !cx.is_bad(a.span)) else {
            return Vec::new();
        };
        match &attribute.value {
            AttributeValue::Formula(formula) => vec![formula.clone()],
            AttributeValue::Formulas(list) => list.clone(),
            AttributeValue::Known(value) => match plain(value) {
                Value::List(list) => list.iter().filter_map(super::validate::constant).collect(),
                value => super::validate::constant(value).into_iter().collect(),
            },
            AttributeValue::Poisoned => Vec::new(),
        }
    }

    /// The first label as a name.
    pub(crate) fn label_name(&self) -> Name {
        self.label().unwrap_or_default().into()
    }
}
