//! Templates: text with `${…}` and `%{…}` in it, and the strip marker `~`.

use hcl::edit::template::{Directive, Element, Strip, Template};

use super::convert::to_text;
use super::{Eval, Evaluator, Frame, Scope, mark};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::load::syntax::expression_span;
use crate::source::Span;
use crate::value::Value;

impl Evaluator {
    /// A template's text. A template that is one `${…}` alone is that value itself.
    pub(super) fn template(
        &mut self,
        elements: Vec<&Element>,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval {
        if let [Element::Interpolation(interpolation)] = elements.as_slice() {
            return self.evaluate(&interpolation.expr, scope);
        }
        let mut out = Text::default();
        self.elements(&elements, (Strip::None, Strip::None), scope, here, &mut out)?;
        Ok(mark(Value::from(out.text), out.is_sensitive))
    }

    /// A template file's text: always text.
    pub(super) fn template_text(
        &mut self,
        template: &Template,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval {
        let mut out = Text::default();
        let elements: Vec<&Element> = template.iter().collect();
        self.elements(&elements, (Strip::None, Strip::None), scope, here, &mut out)?;
        Ok(mark(Value::from(out.text), out.is_sensitive))
    }

    fn elements(
        &mut self,
        elements: &[&Element],
        outer: (Strip, Strip),
        scope: Scope<'_>,
        here: Span,
        out: &mut Text,
    ) -> Eval<()> {
        for (n, element) in elements.iter().enumerate() {
            match element {
                Element::Literal(literal) => {
                    let before = match n.checked_sub(1).and_then(|n| elements.get(n)) {
                        Some(element) => strip_after(element),
                        None => outer.0.strip_end(),
                    };
                    let after = match elements.get(n + 1) {
                        Some(element) => strip_before(element),
                        None => outer.1.strip_start(),
                    };
                    let text = strip(literal.value(), before, after);
                    self.append(out, text, here)?;
                }
                Element::Interpolation(interpolation) => {
                    let at = expression_span(scope.source, &interpolation.expr, here);
                    let value = self.evaluate(&interpolation.expr, scope)?;
                    let (value, marked) = value.reveal();
                    out.is_sensitive |= marked;
                    match to_text(value) {
                        Some(text) => self.append(out, &text, at)?,
                        None => return Err(self.not_text(value, at)),
                    }
                }
                Element::Directive(directive) => self.directive(directive, scope, here, out)?,
            }
        }
        Ok(())
    }

    fn not_text(&mut self, value: &Value, at: Span) -> super::Poisoned {
        match value {
            Value::Null => self.null(at, "null cannot be put into text"),
            Value::Address(address) => {
                let label = format!("`{address}` stands for a block, it is no text");
                self.fail(
                    Diagnostic::error(codes::ADDRESS_AS_VALUE, "Reference used as a value")
                        .at(at, label),
                )
            }
            other => {
                let label = format!("this is {}", other.type_name());
                self.fail(
                    Diagnostic::error(codes::NOT_TEXT, "Value cannot be put into text")
                        .at(at, label)
                        .help("join a list with join(\", \", list), or write any value with jsonencode(value)."),
                )
            }
        }
    }

    fn append(&mut self, out: &mut Text, text: &str, at: Span) -> Eval<()> {
        if out.text.len() + text.len() > crate::load::meter::MAX_STRING {
            return Err(self.too_much(at));
        }
        let result = self.meter.string(text.len()).and(self.meter.spend(1));
        self.bounded(result, at)?;
        out.text.push_str(text);
        Ok(())
    }

    fn directive(
        &mut self,
        directive: &Directive,
        scope: Scope<'_>,
        here: Span,
        out: &mut Text,
    ) -> Eval<()> {
        match directive {
            Directive::If(directive) => {
                let (condition, marked) = self.condition(&directive.if_expr.cond_expr, scope)?;
                out.is_sensitive |= marked;
                let end = directive.endif_expr.strip;
                let (template, strips) = if condition {
                    let next = directive
                        .else_expr
                        .as_ref()
                        .map_or(end, |otherwise| otherwise.strip);
                    (&directive.if_expr.template, (directive.if_expr.strip, next))
                } else if let Some(otherwise) = &directive.else_expr {
                    (&otherwise.template, (otherwise.strip, end))
                } else {
                    return Ok(());
                };
                let elements: Vec<&Element> = template.iter().collect();
                self.elements(&elements, strips, scope, here, out)
            }
            Directive::For(directive) => {
                let intro = &directive.for_expr;
                let at = expression_span(scope.source, &intro.collection_expr, here);
                let collection = self.evaluate(&intro.collection_expr, scope)?;
                let (entries, marked) = self.entries(&collection, at)?;
                out.is_sensitive |= marked;
                let elements: Vec<&Element> = intro.template.iter().collect();
                for (key, value) in entries {
                    let mut names = Vec::with_capacity(2);
                    if let Some(key_name) = &intro.key_var {
                        names.push((key_name.as_str(), key));
                    }
                    names.push((intro.value_var.as_str(), value));
                    let frame = Frame {
                        parent: scope.frame,
                        names,
                    };
                    let inner = Scope {
                        frame: Some(&frame),
                        ..scope
                    };
                    let result = self.meter.spend(1);
                    self.bounded(result, here)?;
                    let strips = (intro.strip, directive.endfor_expr.strip);
                    self.elements(&elements, strips, inner, here, out)?;
                }
                Ok(())
            }
        }
    }
}

#[derive(Default)]
struct Text {
    text: String,
    is_sensitive: bool,
}

/// Whether an element strips what follows it.
fn strip_after(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(interpolation) => interpolation.strip.strip_end(),
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => directive.endif_expr.strip.strip_end(),
            Directive::For(directive) => directive.endfor_expr.strip.strip_end(),
        },
    }
}

/// Whether an element strips what stands before it.
fn strip_before(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(interpolation) => interpolation.strip.strip_start(),
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => directive.if_expr.strip.strip_start(),
            Directive::For(directive) => directive.for_expr.strip.strip_start(),
        },
    }
}

/// The literal without blanks at its start or its end, up to and with one line break.
fn strip(literal: &str, start: bool, end: bool) -> &str {
    let is_blank = |c: char| c.is_whitespace() && c != '\n' && c != '\r';
    let mut text = literal;
    if start {
        text = text.trim_start_matches(is_blank);
        text = text
            .strip_prefix("\r\n")
            .or_else(|| text.strip_prefix('\n'))
            .unwrap_or(text);
    }
    if end {
        text = text.trim_end_matches(is_blank);
        text = text
            .strip_suffix("\r\n")
            .or_else(|| text.strip_suffix('\n'))
            .unwrap_or(text);
    }
    text
}
