//! Function calls: arguments are evaluated, converted and counted here; `try`, `can`, `sensitive`, `nonsensitive`
//! and `templatefile` are carried out here, because they look at expressions.

use std::borrow::Cow;
use std::rc::Rc;

use hcl::edit::expr::{Expression, FuncCall};
use hcl::edit::parser;

use super::convert::{to_number, to_shared_text, unmark};
use super::{Allowed, Eval, Evaluator, Frame, Poisoned, Scope, mark};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::functions::{self, Call, Fault, Function, Kind};
use crate::load::syntax::{expression_span, place, span};
use crate::source::Span;
use crate::value::Value;

impl Evaluator {
    pub(super) fn call(&mut self, call: &FuncCall, scope: Scope<'_>, here: Span) -> Eval {
        let name = call.name.name.as_str();
        let name_at = place(scope.source, &call.name.name, here);
        if !call.name.namespace.is_empty() {
            return Err(self.fail(
                Diagnostic::error(codes::UNKNOWN_FUNCTION, "Unknown function")
                    .at(here, "functions of providers do not exist here"),
            ));
        }
        match name {
            "try" => return self.try_each(call, scope, here),
            "can" => {
                let argument = self.single(call, "can(expression)", here)?;
                let attempt = self.attempt(argument, scope, here)?;
                return Ok(Value::Bool(attempt.is_some()));
            }
            "sensitive" => {
                let argument = self.single(call, "sensitive(value)", here)?;
                self.has_sensitive = true;
                return Ok(self.evaluate(argument, scope)?.sensitive());
            }
            "nonsensitive" => {
                let argument = self.single(call, "nonsensitive(value)", here)?;
                let value = self.evaluate(argument, scope)?;
                let result = unmark(&value, &self.meter);
                return Ok(self.bounded(result, here)?.0);
            }
            "issensitive" => {
                let argument = self.single(call, "issensitive(value)", here)?;
                return Ok(Value::Bool(self.evaluate(argument, scope)?.is_sensitive()));
            }
            "templatefile" => return self.template_file(call, scope, here),
            _ => {}
        }
        let Some(function) = functions::find(name) else {
            return Err(self.unknown_function(name, name_at));
        };
        let (arguments, places) = self.arguments(call, scope, here)?;
        self.apply(function, arguments, &places, here)
    }

    fn unknown_function(&mut self, name: &str, at: Span) -> Poisoned {
        if functions::IMPURE.contains(&name) {
            return self.fail(
                Diagnostic::error(
                    codes::IMPURE_FUNCTION,
                    "Function that gives another answer each time",
                )
                .at(at, "another answer at each call")
                .why("What was reviewed would not be what runs.")
                .help("write the value out, or make it a variable."),
            );
        }
        if functions::MISSING.contains(&name) {
            return self.fail(
                Diagnostic::error(codes::UNKNOWN_FUNCTION, "Unknown function")
                    .at(at, "Terraform has this function, tideform does not"),
            );
        }
        let names = functions::names();
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_FUNCTION, "Unknown function")
            .at(at, "no such function");
        if let Some(near) = self.near(name, names.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.fail(diagnostic)
    }

    fn wrong_count(&mut self, signature: &str, label: String, at: Span) -> Poisoned {
        self.fail(
            Diagnostic::error(codes::WRONG_ARGUMENTS, "Wrong arguments for a function")
                .at(at, label)
                .help(format!("the function is {signature}.")),
        )
    }

    fn single<'e>(
        &mut self,
        call: &'e FuncCall,
        signature: &str,
        here: Span,
    ) -> Eval<&'e Expression> {
        match (call.args.len(), call.args.get(0), call.args.expand_final()) {
            (1, Some(argument), false) => Ok(argument),
            (n, _, _) => {
                let label = format!("takes one argument, {n} are given");
                Err(self.wrong_count(signature, label, here))
            }
        }
    }

    /// Evaluates the arguments; `list...` as the last one is spread.
    fn arguments(
        &mut self,
        call: &FuncCall,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval<(Vec<Value>, Vec<Span>)> {
        let mut values = Vec::with_capacity(call.args.len());
        let mut places = Vec::with_capacity(call.args.len());
        let mut poisoned = false;
        let last = call.args.len().saturating_sub(1);
        for (n, argument) in call.args.iter().enumerate() {
            let at = expression_span(scope.source, argument, here);
            let Ok(value) = self.evaluate(argument, scope) else {
                poisoned = true;
                continue;
            };
            if !(n == last && call.args.expand_final()) {
                values.push(value);
                places.push(at);
                continue;
            }
            let (inner, marked) = value.reveal();
            match inner {
                Value::List(list) | Value::Set(list) => {
                    let result = self.meter.elements(list.len());
                    self.bounded(result, at)?;
                    places.extend(std::iter::repeat_n(at, list.len()));
                    values.extend(list.iter().map(|item| mark(item.clone(), marked)));
                }
                other => {
                    let label = format!("this is {}, `...` spreads a list", other.type_name());
                    self.wrong_type(at, label);
                    poisoned = true;
                }
            }
        }
        if poisoned {
            return Err(Poisoned);
        }
        Ok((values, places))
    }

    /// Checks and converts the arguments, and runs the function.
    fn apply(
        &mut self,
        function: &'static Function,
        mut arguments: Vec<Value>,
        places: &[Span],
        here: Span,
    ) -> Eval {
        let given = arguments.len();
        let most = function.parameters.len();
        let least = most - function.optional;
        if given < least || (given > most && function.rest.is_none()) {
            let label = match (least, function.rest) {
                (_, Some(_)) => format!("takes at least {least}, {given} are given"),
                (least, None) if least == most => format!("takes {most}, {given} are given"),
                (least, None) => format!("takes {least} to {most}, {given} are given"),
            };
            return Err(self.wrong_count(function.signature, label, here));
        }
        let mut marked = false;
        let mut poisoned = false;
        for n in 0..given {
            let at = places.get(n).copied().unwrap_or(here);
            let Some(argument) = arguments.get_mut(n) else {
                break;
            };
            if self.has_sensitive {
                if function.keeps_marks {
                    let (inner, is_marked) = argument.reveal();
                    marked |= is_marked;
                    if is_marked {
                        *argument = inner.clone();
                    }
                } else {
                    let result = unmark(argument, &self.meter);
                    let Ok((plain, is_marked)) = result else {
                        return Err(self.too_much(at));
                    };
                    marked |= is_marked;
                    *argument = plain;
                }
            }
            let kind = function.parameters.get(n).copied().or(function.rest);
            if let Err(is_null) = coerce(argument, kind.unwrap_or(Kind::Any)) {
                let needs = kind.unwrap_or(Kind::Any).needs();
                if is_null {
                    self.null(at, "this argument is null");
                } else {
                    let label = format!("this is {}, {needs} is needed", argument.type_name());
                    let mut diagnostic =
                        Diagnostic::error(codes::WRONG_TYPE, "Value of the wrong type")
                            .at(at, label)
                            .help(format!("the function is {}.", function.signature));
                    if let (Value::List(_), Kind::Number) = (&*argument, kind.unwrap_or(Kind::Any))
                        && function.rest.is_some()
                    {
                        diagnostic = diagnostic
                            .help(format!("spread the list: {}(list...).", function.name));
                    }
                    self.fail(diagnostic);
                }
                poisoned = true;
            }
        }
        if poisoned {
            return Err(Poisoned);
        }
        let call = Call {
            arguments: &arguments,
            meter: &self.meter,
            files: &self.files,
        };
        match (function.run)(&call) {
            Ok(value) => Ok(mark(value, marked)),
            Err(fault) => Err(self.fault(fault, marked, places, here)),
        }
    }

    fn fault(&mut self, fault: Fault, marked: bool, places: &[Span], here: Span) -> Poisoned {
        match fault {
            Fault::TooMuch => self.too_much(here),
            Fault::Argument(n, text) => {
                let at = places.get(n).copied().unwrap_or(here);
                // What a function says may quote its arguments.
                let text: Cow<'static, str> = if marked {
                    "no answer for a sensitive value".into()
                } else {
                    text
                };
                let code = if text.starts_with("outside of the configuration") {
                    codes::PATH_OUTSIDE
                } else {
                    codes::FUNCTION_FAILED
                };
                let summary = if code == codes::PATH_OUTSIDE {
                    "File outside of the directory"
                } else {
                    "Function failed"
                };
                self.fail(Diagnostic::error(code, summary).at(at, text))
            }
        }
    }

    /// The value of an expression, or `None` where it has none; its problems are forgotten. A bound that was reached
    /// is not.
    fn attempt(
        &mut self,
        expression: &Expression,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval<Option<Value>> {
        let saved = std::mem::take(&mut self.diagnostics);
        let was_trying = std::mem::replace(&mut self.is_trying, true);
        let result = self.evaluate(expression, scope);
        self.is_trying = was_trying;
        let tried = std::mem::replace(&mut self.diagnostics, saved);
        if self.meter.is_exhausted() {
            self.told_exhausted |= tried.iter().any(|d| d.code == codes::TOO_MUCH);
            self.diagnostics
                .extend(tried.iter().filter(|d| d.code == codes::TOO_MUCH).cloned());
            return Err(self.too_much(here));
        }
        Ok(result.ok())
    }

    fn try_each(&mut self, call: &FuncCall, scope: Scope<'_>, here: Span) -> Eval {
        let count = call.args.len();
        if count == 0 || call.args.expand_final() {
            let label = "takes at least one expression".to_owned();
            return Err(self.wrong_count("try(expression, ...)", label, here));
        }
        for (n, argument) in call.args.iter().enumerate() {
            // The problems of the last one are reported: there is nothing left to try.
            if n + 1 == count {
                return self.evaluate(argument, scope);
            }
            if let Some(value) = self.attempt(argument, scope, here)? {
                return Ok(value);
            }
        }
        Err(Poisoned)
    }

    fn template_file(&mut self, call: &FuncCall, scope: Scope<'_>, here: Span) -> Eval {
        let (arguments, places) = self.arguments(call, scope, here)?;
        let [path, variables] = arguments.as_slice() else {
            let label = format!("takes 2, {} are given", arguments.len());
            return Err(self.wrong_count("templatefile(path, variables)", label, here));
        };
        if self.is_in_template_file {
            return Err(self.fail(
                Diagnostic::error(codes::FUNCTION_FAILED, "Function failed")
                    .at(here, "a template file cannot use another one"),
            ));
        }
        let (path, path_marked) = path.reveal();
        let path_at = places.first().copied().unwrap_or(here);
        let variables_at = places.get(1).copied().unwrap_or(here);
        let Some(path) = to_shared_text(path) else {
            let label = format!("this is {}, a string is needed", path.type_name());
            return Err(self.wrong_type(path_at, label));
        };
        let (variables, marked) = variables.reveal();
        let Value::Object(variables) = variables else {
            let label = format!("this is {}, an object is needed", variables.type_name());
            return Err(self.wrong_type(variables_at, label));
        };
        let (file, text) = match self.files.text(&path, 0) {
            Ok(found) => found,
            Err(fault) => return Err(self.fault(fault, path_marked, &[path_at], here)),
        };
        if !self.templates.contains_key(&file) {
            let source = self.sources.add(&path, &text);
            let parsed = match parser::parse_template(&text) {
                Ok(template) => Some((source, Rc::new(template))),
                Err(error) => {
                    let at = error.location().offset().min(text.len());
                    self.fail(
                        Diagnostic::error(codes::SYNTAX, "Syntax error")
                            .at(
                                span(source, at, at),
                                "the template cannot be read on from here",
                            )
                            .at(path_at, "it is read here"),
                    );
                    None
                }
            };
            self.templates.insert(file.clone(), parsed);
        }
        let Some(Some((source, template))) = self.templates.get(&file).cloned() else {
            return Err(Poisoned);
        };
        let frame = Frame {
            parent: None,
            names: variables
                .iter()
                .map(|(name, value)| (&**name, value.clone()))
                .collect(),
        };
        let inner = Scope {
            frame: Some(&frame),
            ..Scope::limited(
                source,
                Allowed::Nothing("a template file sees only the names that it is given"),
            )
        };
        self.is_in_template_file = true;
        let result = self.template_text(&template, inner, span(source, 0, 0));
        self.is_in_template_file = false;
        Ok(mark(result?, marked || path_marked))
    }
}

/// Converts an argument in place. `Err(true)`: it is null and must not be.
fn coerce(argument: &mut Value, kind: Kind) -> Result<(), bool> {
    if *argument == Value::Null {
        return if kind == Kind::Any { Ok(()) } else { Err(true) };
    }
    let converted = match kind {
        Kind::Any | Kind::Something => return Ok(()),
        Kind::Number => match &*argument {
            Value::Number(_) => return Ok(()),
            other => to_number(other).map(Value::Number),
        },
        Kind::Text => match &*argument {
            Value::String(_) => return Ok(()),
            other => to_shared_text(other).map(Value::String),
        },
        Kind::List => match &*argument {
            Value::List(_) | Value::Set(_) => return Ok(()),
            _ => None,
        },
        Kind::Object => match &*argument {
            Value::Object(_) => return Ok(()),
            _ => None,
        },
    };
    *argument = converted.ok_or(false)?;
    Ok(())
}
