//! Metric math as a tree: two spellings of one formula are equal, and a file can say it. Pure.
//!
//! Read are numbers, series, arithmetic, comparisons, AND, OR and calls; anything else is no tree.
//!
//! Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics".

use super::model::{MathQuery, MathTerm, Measured, SeriesSpec};

/// A formula over series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Number(f64),
    Series(SeriesSpec),
    /// `+ - * / < <= > >= == != AND OR`.
    Binary(&'static str, Box<Tree>, Box<Tree>),
    /// In capitals.
    Call(String, Vec<Tree>),
}

/// Expressions over expressions, and brackets in brackets, at most so deep.
const DEEPEST: u8 = 32;

/// What is measured, as a tree; `None`: a name of AWS's own, or math that is not read here.
pub(crate) fn tree(measured: &Measured) -> Option<Tree> {
    match measured {
        Measured::Predefined { .. } => None,
        Measured::Series(series) => Some(Tree::Series(series.clone())),
        Measured::Math(queries) => of_query(queries.last()?, queries, DEEPEST),
    }
}

/// Whether two are the same series, or the same formula over the same series.
pub(crate) fn is_same(a: &Measured, b: &Measured) -> bool {
    a == b || matches!((tree(a), tree(b)), (Some(a), Some(b)) if a == b)
}

fn of_query(query: &MathQuery, all: &[MathQuery], depth: u8) -> Option<Tree> {
    match &query.what {
        MathTerm::Series(series) => Some(Tree::Series(series.clone())),
        MathTerm::Expression(text) => {
            let mut parser = Parser {
                tokens: tokens(text)?,
                at: 0,
                all,
            };
            let tree = parser.or(depth.checked_sub(1)?)?;
            (parser.at == parser.tokens.len()).then_some(tree)
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [&str; 15] = [
    "<=", ">=", "==", "!=", "&&", "||", "<", ">", "+", "-", "*", "/", "(", ")", ",",
];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() || first == '.' {
            let length = number_length(rest);
            tokens.push(Token::Number(rest.get(..length)?.parse().ok()?));
            length
        } else if first.is_ascii_alphabetic() {
            let length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            tokens.push(Token::Name(rest.get(..length)?.to_owned()));
            length
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

/// `12`, `0.5`, `1e6`, `1e-6`.
fn number_length(text: &str) -> usize {
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        let is_exponent = matches!(c, 'e' | 'E') && previous.is_ascii_digit();
        let is_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        if !(c.is_ascii_digit() || c == '.' || is_exponent || is_sign) {
            return at;
        }
        previous = c;
    }
    text.len()
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    all: &'a [MathQuery],
}

impl Parser<'_> {
    /// The next sign or word, if it is one of these.
    fn take(&mut self, spellings: &[(&str, &'static str)]) -> Option<&'static str> {
        let found = match self.tokens.get(self.at)? {
            Token::Sign(sign) => spellings.iter().find(|(spelling, _)| spelling == sign),
            Token::Name(name) => spellings
                .iter()
                .find(|(spelling, _)| spelling.eq_ignore_ascii_case(name)),
            Token::Number(_) => None,
        };
        let (_, meaning) = found?;
        self.at += 1;
        Some(meaning)
    }

    fn level(
        &mut self,
        signs: &[(&str, &'static str)],
        depth: u8,
        inner: fn(&mut Self, u8) -> Option<Tree>,
    ) -> Option<Tree> {
        let mut left = inner(self, depth)?;
        while let Some(sign) = self.take(signs) {
            let right = inner(self, depth)?;
            left = Tree::Binary(sign, Box::new(left), Box::new(right));
        }
        Some(left)
    }

    fn or(&mut self, depth: u8) -> Option<Tree> {
        self.level(&[("||", "OR"), ("OR", "OR")], depth, Self::and)
    }

    fn and(&mut self, depth: u8) -> Option<Tree> {
        self.level(&[("&&", "AND"), ("AND", "AND")], depth, Self::comparison)
    }

    fn comparison(&mut self, depth: u8) -> Option<Tree> {
        const SIGNS: [(&str, &str); 6] = [
            ("<=", "<="),
            (">=", ">="),
            ("==", "=="),
            ("!=", "!="),
            ("<", "<"),
            (">", ">"),
        ];
        self.level(&SIGNS, depth, Self::sum)
    }

    fn sum(&mut self, depth: u8) -> Option<Tree> {
        self.level(&[("+", "+"), ("-", "-")], depth, Self::product)
    }

    fn product(&mut self, depth: u8) -> Option<Tree> {
        self.level(&[("*", "*"), ("/", "/")], depth, Self::atom)
    }

    fn atom(&mut self, depth: u8) -> Option<Tree> {
        let depth = depth.checked_sub(1)?;
        if self.take(&[("-", "-")]).is_some() {
            let inner = self.atom(depth)?;
            return Some(Tree::Binary(
                "-",
                Box::new(Tree::Number(0.0)),
                Box::new(inner),
            ));
        }
        if self.take(&[("(", "(")]).is_some() {
            let inner = self.or(depth)?;
            self.take(&[(")", ")")])?;
            return Some(inner);
        }
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        match token {
            Token::Number(number) => Some(Tree::Number(number)),
            Token::Sign(_) => None,
            Token::Name(name) => {
                if self.take(&[("(", "(")]).is_none() {
                    let query = self.all.iter().find(|query| query.id == name)?;
                    return of_query(query, self.all, depth);
                }
                let mut arguments = vec![self.or(depth)?];
                while self.take(&[(",", ",")]).is_some() {
                    arguments.push(self.or(depth)?);
                }
                self.take(&[(")", ")")])?;
                Some(Tree::Call(name.to_ascii_uppercase(), arguments))
            }
        }
    }
}

impl Tree {
    /// As an expression of the files.
    ///
    /// - `name_of`: what stands for a series: `metric.queue`, `self.ready`.
    ///
    /// `None`: the language has no such function.
    pub(crate) fn expression(
        &self,
        name_of: &mut impl FnMut(&SeriesSpec) -> Option<String>,
    ) -> Option<String> {
        self.spelled(name_of, 0)
    }

    fn spelled(
        &self,
        name_of: &mut impl FnMut(&SeriesSpec) -> Option<String>,
        outside: u8,
    ) -> Option<String> {
        match self {
            Tree::Number(number) => Some(number.to_string()),
            Tree::Series(series) => name_of(series),
            Tree::Binary(sign, left, right) => {
                let (own, sign) = match *sign {
                    "OR" => (1, "||"),
                    "AND" => (2, "&&"),
                    "+" | "-" => (4, *sign),
                    "*" | "/" => (5, *sign),
                    _ => (3, *sign),
                };
                // The right side of the same strength is bracketed: a - (b - c).
                let left = left.spelled(name_of, own)?;
                let right = right.spelled(name_of, own + 1)?;
                let text = format!("{left} {sign} {right}");
                Some(if own < outside {
                    format!("({text})")
                } else {
                    text
                })
            }
            Tree::Call(function, arguments) => match (function.as_str(), arguments.as_slice()) {
                ("ABS" | "CEIL" | "FLOOR", [argument]) => {
                    let argument = argument.spelled(name_of, 0)?;
                    Some(format!("{}({argument})", function.to_ascii_lowercase()))
                }
                ("IF", [condition, then, otherwise]) => {
                    let condition = condition.spelled(name_of, 1)?;
                    let then = then.spelled(name_of, 1)?;
                    let otherwise = otherwise.spelled(name_of, 1)?;
                    let text = format!("{condition} ? {then} : {otherwise}");
                    Some(if outside > 0 {
                        format!("({text})")
                    } else {
                        text
                    })
                }
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str) -> MathTerm {
        MathTerm::Series(SeriesSpec {
            namespace: "Shop".to_owned(),
            name: name.to_owned(),
            dimensions: Default::default(),
            statistic: "Average".to_owned(),
            period_s: None,
        })
    }

    fn math(ids: [&str; 2], expressions: &[(&str, &str)]) -> Measured {
        let mut queries: Vec<MathQuery> = ids
            .into_iter()
            .zip(["orders", "staff"])
            .map(|(id, name)| MathQuery {
                id: id.to_owned(),
                what: series(name),
            })
            .collect();
        queries.extend(expressions.iter().map(|(id, text)| MathQuery {
            id: (*id).to_owned(),
            what: MathTerm::Expression((*text).to_owned()),
        }));
        Measured::Math(queries)
    }

    #[test]
    fn a_formula_is_the_same_in_any_spelling() {
        let ours = math(["m1", "m2"], &[("value", "((m1 / m2) * 60)")]);
        for (ids, expressions, same) in [
            (["a", "b"], &[("e", "a / b * 60")][..], true),
            (["a", "b"], &[("x", "a/b"), ("e", "(x)*6e1")], true),
            (["a", "b"], &[("e", "a / (b * 60)")], false),
            (["a", "b"], &[("e", "b / a * 60")], false),
            (["a", "b"], &[("e", "RATE(a) / b * 60")], false),
            (["a", "b"], &[("e", "a / b ^ 2")], false),
            (["a", "b"], &[("e", "e")], false),
        ] {
            assert_eq!(
                is_same(&ours, &math(ids, expressions)),
                same,
                "{expressions:?}"
            );
        }
    }

    #[test]
    fn a_tree_is_spelled_as_the_files_do() {
        let name = |series: &SeriesSpec| Some(format!("metric.{}", series.name));
        for (theirs, ours) in [
            ("a / b", Some("metric.orders / metric.staff")),
            (
                "a - (b - 1) * 2",
                Some("metric.orders - (metric.staff - 1) * 2"),
            ),
            (
                "IF(a > 1 AND b < 2, CEIL(a), 0)",
                Some("metric.orders > 1 && metric.staff < 2 ? ceil(metric.orders) : 0"),
            ),
            ("-a + 1", Some("0 - metric.orders + 1")),
            ("RUNNING_SUM(a)", None),
        ] {
            let tree = tree(&math(["a", "b"], &[("e", theirs)])).expect(theirs);
            assert_eq!(tree.expression(&mut { name }).as_deref(), ours, "{theirs}");
        }
    }
}
