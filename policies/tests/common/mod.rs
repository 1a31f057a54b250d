//! A small reader of HCL for tests of the decoder: literals, lists, objects, references and formulas.

use std::sync::Arc;

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression as Hcl, TraversalOperator};
use hcl::edit::structure::{Block as HclBlock, Body, Structure};
use indexmap::IndexMap;
use tideform_policies::model::{
    BinaryOperator, Expression, Formula, GroupAddress, OwnValue, ProviderAddress, UnaryOperator,
};
use tideform_policies::source::{SourceId, Span, Spanned};
use tideform_policies::tree::{Attribute, AttributeValue, Block, GroupBlock, Tree};
use tideform_policies::value::{Address, Number, Value};

struct Reader<'t> {
    source: SourceId,
    text: &'t str,
}

/// Reads a file into a tree. Panics on what it does not know: it is for tests.
pub(crate) fn tree(source: SourceId, text: &str) -> Tree {
    let body: Body = hcl::edit::parser::parse_body(text).expect("HCL");
    let reader = Reader { source, text };
    let mut tree = Tree::default();
    for block in body.blocks() {
        let block = reader.block(block);
        match block.kind.value.as_str() {
            "tideform" => tree.settings.push(block),
            "provider" => tree.providers.push(block),
            "policy" => tree.policies.push(block),
            "test" => tree.tests.push(block),
            "moved" => tree.moved.push(block),
            "removed" => tree.removed.push(block),
            "group" => {
                let label = block.labels.first().map_or("", |l| l.value.as_str());
                tree.groups.push(GroupBlock {
                    address: GroupAddress::new(label),
                    block,
                });
            }
            other => panic!("unknown block {other}"),
        }
    }
    tree
}

impl Reader<'_> {
    fn span(&self, range: Option<std::ops::Range<usize>>) -> Span {
        let range = range.expect("a span");
        Span {
            source: self.source,
            start: range.start as u32,
            end: range.end as u32,
        }
    }

    fn block(&self, block: &HclBlock) -> Block {
        let mut out = Block {
            kind: Spanned {
                value: block.ident.as_str().to_owned(),
                span: self.span(block.ident.span()),
            },
            labels: Vec::new(),
            attributes: IndexMap::new(),
            blocks: Vec::new(),
            span: self.span(block.ident.span()),
        };
        for label in &block.labels {
            let span = self.span(label.span());
            out.span.end = span.end;
            out.labels.push(Spanned {
                value: label.as_str().to_owned(),
                span,
            });
        }
        for structure in &block.body {
            match structure {
                Structure::Block(inner) => out.blocks.push(self.block(inner)),
                Structure::Attribute(attribute) => {
                    let span = self.span(attribute.value.span());
                    let mut mentions = Vec::new();
                    self.mentions(&attribute.value, &mut mentions);
                    let value = match &attribute.value {
                        Hcl::Array(list) if list.iter().any(is_formula) => {
                            AttributeValue::Formulas(
                                list.iter().map(|item| self.formula(item)).collect(),
                            )
                        }
                        value if is_formula(value) => AttributeValue::Formula(self.formula(value)),
                        value => AttributeValue::Known(self.value(value)),
                    };
                    out.attributes.insert(
                        attribute.key.as_str().to_owned(),
                        Attribute {
                            name: self.span(attribute.key.span()),
                            value,
                            span,
                            mentions,
                        },
                    );
                }
            }
        }
        out
    }

    fn formula(&self, value: &Hcl) -> Formula {
        let range = value.span().expect("a span");
        Formula {
            text: self.text[range].trim().to_owned(),
            expression: expression(value),
        }
    }

    fn mentions(&self, value: &Hcl, out: &mut Vec<Spanned<String>>) {
        match value {
            Hcl::Traversal(_) => {
                if let Some((root, names)) = path(value)
                    && root == "metric"
                {
                    out.push(Spanned {
                        value: names.concat(),
                        span: self.span(value.span()),
                    });
                }
            }
            Hcl::Array(list) => list.iter().for_each(|item| self.mentions(item, out)),
            Hcl::BinaryOp(op) => {
                self.mentions(&op.lhs_expr, out);
                self.mentions(&op.rhs_expr, out);
            }
            Hcl::UnaryOp(op) => self.mentions(&op.expr, out),
            Hcl::Parenthesis(inner) => self.mentions(inner.inner(), out),
            _ => {}
        }
    }

    fn value(&self, value: &Hcl) -> Value {
        match value {
            Hcl::Null(_) => Value::Null,
            Hcl::Bool(b) => Value::Bool(*b.value()),
            Hcl::Number(n) => Value::Number(number(n)),
            Hcl::String(s) => Value::from(s.value().as_str()),
            Hcl::UnaryOp(op) => match self.value(&op.expr) {
                Value::Number(Number::Integer(n)) => Value::from(-n),
                Value::Number(Number::Float(x)) => Value::Number(Number::Float(-x)),
                other => panic!("cannot negate {other}"),
            },
            Hcl::Array(list) => list
                .iter()
                .map(|i| self.value(i))
                .collect::<Vec<_>>()
                .into(),
            Hcl::Object(map) => {
                let mut out: IndexMap<Arc<str>, Value> = IndexMap::new();
                for (key, value) in map.iter() {
                    let key = match key {
                        hcl::edit::expr::ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                        hcl::edit::expr::ObjectKey::Expression(Hcl::String(s)) => {
                            s.value().as_str().to_owned()
                        }
                        other => panic!("unknown key {other:?}"),
                    };
                    out.insert(key.into(), self.value(value.expr()));
                }
                out.into()
            }
            Hcl::Traversal(_) => {
                let (root, names) = path(value).expect("a reference");
                Value::Address(match (root.as_str(), names.as_slice()) {
                    ("provider", [kind]) => Address::Provider(ProviderAddress {
                        kind: kind.as_str().into(),
                        alias: None,
                    }),
                    ("provider", [kind, alias]) => Address::Provider(ProviderAddress {
                        kind: kind.as_str().into(),
                        alias: Some(alias.as_str().into()),
                    }),
                    ("policy", [name]) => Address::Policy(name.as_str().into()),
                    ("group", [name]) => Address::Group(GroupAddress::new(name)),
                    other => panic!("unknown reference {other:?}"),
                })
            }
            other => panic!("unknown expression {other:?}"),
        }
    }
}

fn number(n: &hcl::edit::Formatted<hcl::Number>) -> Number {
    let n = n.value();
    n.as_i64()
        .map(|n| Number::Integer(n.into()))
        .or_else(|| Number::float(n.as_f64()?))
        .expect("a number")
}

fn path(value: &Hcl) -> Option<(String, Vec<String>)> {
    let Hcl::Traversal(traversal) = value else {
        return None;
    };
    let Hcl::Variable(root) = &traversal.expr else {
        return None;
    };
    let names = traversal
        .operators
        .iter()
        .map(|op| match op.value() {
            TraversalOperator::GetAttr(name) => name.as_str().to_owned(),
            other => panic!("unknown operator {other:?}"),
        })
        .collect();
    Some((root.as_str().to_owned(), names))
}

fn is_formula(value: &Hcl) -> bool {
    match value {
        Hcl::Traversal(_) => {
            path(value).is_some_and(|(root, _)| matches!(root.as_str(), "metric" | "self"))
        }
        Hcl::BinaryOp(op) => is_formula(&op.lhs_expr) || is_formula(&op.rhs_expr),
        Hcl::UnaryOp(op) => is_formula(&op.expr),
        Hcl::Parenthesis(inner) => is_formula(inner.inner()),
        _ => false,
    }
}

fn expression(value: &Hcl) -> Expression {
    use hcl::expr::BinaryOperator as H;
    match value {
        Hcl::Bool(b) => Expression::Bool(*b.value()),
        Hcl::Number(n) => Expression::Number(number(n).as_f64()),
        Hcl::Parenthesis(inner) => expression(inner.inner()),
        Hcl::UnaryOp(op) => {
            let operator = match op.operator.value() {
                hcl::expr::UnaryOperator::Neg => UnaryOperator::Negate,
                hcl::expr::UnaryOperator::Not => UnaryOperator::Not,
            };
            Expression::Unary(operator, Box::new(expression(&op.expr)))
        }
        Hcl::BinaryOp(op) => {
            let operator = match op.operator.value() {
                H::Plus => BinaryOperator::Add,
                H::Minus => BinaryOperator::Subtract,
                H::Mul => BinaryOperator::Multiply,
                H::Div => BinaryOperator::Divide,
                H::Mod => BinaryOperator::Modulo,
                H::Eq => BinaryOperator::Equal,
                H::NotEq => BinaryOperator::NotEqual,
                H::Less => BinaryOperator::Less,
                H::LessEq => BinaryOperator::LessOrEqual,
                H::Greater => BinaryOperator::Greater,
                H::GreaterEq => BinaryOperator::GreaterOrEqual,
                H::And => BinaryOperator::And,
                H::Or => BinaryOperator::Or,
            };
            Expression::Binary(
                operator,
                Box::new(expression(&op.lhs_expr)),
                Box::new(expression(&op.rhs_expr)),
            )
        }
        Hcl::Traversal(_) => match path(value) {
            Some((root, names)) if root == "metric" => {
                Expression::Metric(names.concat().as_str().into())
            }
            Some((root, names)) if root == "self" => {
                Expression::Own(match names.concat().as_str() {
                    "ready" => OwnValue::Ready,
                    "live" => OwnValue::Live,
                    "desired" => OwnValue::Desired,
                    "min" => OwnValue::Min,
                    _ => OwnValue::Max,
                })
            }
            other => panic!("unknown reference {other:?}"),
        },
        other => panic!("unknown expression {other:?}"),
    }
}
