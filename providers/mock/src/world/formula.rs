//! A load as a formula of time: a small expression language of numbers.
//!
//! `+ - * / % ^`, comparisons (1 or 0), `a ? b : c`, parentheses, the functions `sin cos abs floor ceil sqrt exp log`
//! (one argument), `min max` (one or more) and `pow` (two), and the names
//! `t` (seconds since the world's start), `day` (days since then), `minute` (of the hour), `hour` (0 to 24 with its
//! fraction), `weekday` (1 is Monday, 7 Sunday), both UTC, and `pi`. There is no randomness in it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::moment::Moment;

/// How deep expressions may nest: far more than anyone writes, far less than the stack holds.
const DEEPEST: usize = 100;

/// How long a formula may be, in bytes; also bounds how long a chain of operators gets.
const LONGEST: usize = 4_096;

/// A parsed formula. Its text is its serialized form.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadFormula {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    Variable(Variable),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Variable {
    Seconds,
    Day,
    Minute,
    Hour,
    Weekday,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Sin,
    Cos,
    Abs,
    Floor,
    Ceil,
    Sqrt,
    Exp,
    Log,
    Min,
    Max,
    Pow,
}

impl LoadFormula {
    /// Parses a formula.
    ///
    /// # Errors
    /// A lowercase fragment that says what is wrong, and at which column (from 1).
    pub fn parse(text: &str) -> Result<LoadFormula, String> {
        if text.len() > LONGEST {
            return Err(format!("the formula is longer than {LONGEST} bytes"));
        }
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        let root = parser.choice()?;
        parser.space();
        if parser.at < text.len() {
            return Err(parser.wrong("an operator or the end"));
        }
        Ok(LoadFormula {
            text: text.to_owned(),
            root,
        })
    }

    /// The formula as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value at this time in a world that started then; it may be negative or not finite.
    pub fn value(&self, start: Moment, at: Moment) -> f64 {
        self.root.value(&Instant {
            seconds: at.seconds_since(start),
            of_day_ms: at.0.rem_euclid(86_400_000),
            // 1970-01-01 was a Thursday, the fourth day of the week.
            weekday: (at.0.div_euclid(86_400_000) + 3).rem_euclid(7) + 1,
        })
    }
}

struct Instant {
    seconds: f64,
    of_day_ms: i64,
    weekday: i64,
}

impl Node {
    fn value(&self, now: &Instant) -> f64 {
        match self {
            Node::Number(number) => *number,
            Node::Variable(variable) => match variable {
                Variable::Seconds => now.seconds,
                Variable::Day => now.seconds / 86_400.0,
                Variable::Minute => (now.of_day_ms % 3_600_000) as f64 / 60_000.0,
                Variable::Hour => now.of_day_ms as f64 / 3_600_000.0,
                Variable::Weekday => now.weekday as f64,
            },
            Node::Negate(a) => -a.value(now),
            Node::Binary(operator, a, b) => {
                let (a, b) = (a.value(now), b.value(now));
                let truth = |truth: bool| f64::from(u8::from(truth));
                match operator {
                    Operator::Add => a + b,
                    Operator::Subtract => a - b,
                    Operator::Multiply => a * b,
                    Operator::Divide => a / b,
                    Operator::Modulo => a.rem_euclid(b),
                    Operator::Power => a.powf(b),
                    Operator::Less => truth(a < b),
                    Operator::LessOrEqual => truth(a <= b),
                    Operator::Greater => truth(a > b),
                    Operator::GreaterOrEqual => truth(a >= b),
                    Operator::Equal => truth(a == b),
                    Operator::NotEqual => truth(a != b),
                }
            }
            Node::Choose(condition, then, otherwise) => {
                if condition.value(now) == 0.0 {
                    otherwise.value(now)
                } else {
                    then.value(now)
                }
            }
            Node::Call(function, arguments) => {
                let mut values = arguments.iter().map(|argument| argument.value(now));
                let first = values.next().unwrap_or(f64::NAN);
                match function {
                    Function::Sin => first.sin(),
                    Function::Cos => first.cos(),
                    Function::Abs => first.abs(),
                    Function::Floor => first.floor(),
                    Function::Ceil => first.ceil(),
                    Function::Sqrt => first.sqrt(),
                    Function::Exp => first.exp(),
                    Function::Log => first.ln(),
                    Function::Min => values.fold(first, f64::min),
                    Function::Max => values.fold(first, f64::max),
                    Function::Pow => first.powf(values.next().unwrap_or(f64::NAN)),
                }
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn wrong(&self, wanted: &str) -> String {
        let column = self.text.get(..self.at).unwrap_or("").chars().count() + 1;
        match self.rest().chars().next() {
            Some(found) => format!("expected {wanted} at column {column}, found `{found}`"),
            None => format!("expected {wanted} at column {column}, found the end"),
        }
    }

    /// Takes the token if it comes next.
    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.depth >= DEEPEST {
            return Err(format!("the formula nests deeper than {DEEPEST} levels"));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn choice(&mut self) -> Result<Node, String> {
        self.deeper(|parser| {
            let condition = parser.comparison()?;
            if !parser.take("?") {
                return Ok(condition);
            }
            let then = parser.choice()?;
            if !parser.take(":") {
                return Err(parser.wrong("`:`"));
            }
            let otherwise = parser.choice()?;
            Ok(Node::Choose(
                Box::new(condition),
                Box::new(then),
                Box::new(otherwise),
            ))
        })
    }

    fn comparison(&mut self) -> Result<Node, String> {
        let left = self.sum()?;
        for (token, operator) in [
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ] {
            if self.take(token) {
                let right = self.sum()?;
                return Ok(Node::Binary(operator, Box::new(left), Box::new(right)));
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Node, String> {
        self.chain(
            &[("+", Operator::Add), ("-", Operator::Subtract)],
            Parser::product,
        )
    }

    fn product(&mut self) -> Result<Node, String> {
        self.chain(
            &[
                ("*", Operator::Multiply),
                ("/", Operator::Divide),
                ("%", Operator::Modulo),
            ],
            Parser::unary,
        )
    }

    /// Operators of one rank, left to right.
    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: fn(&mut Self) -> Result<Node, String>,
    ) -> Result<Node, String> {
        let mut left = operand(self)?;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.take(token)) {
            left = Node::Binary(*operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, String> {
        if self.take("-") {
            let operand = self.deeper(Parser::unary)?;
            return Ok(Node::Negate(Box::new(operand)));
        }
        let base = self.atom()?;
        if self.take("^") {
            // To the right: 2^3^2 is 2^9.
            let exponent = self.deeper(Parser::unary)?;
            return Ok(Node::Binary(
                Operator::Power,
                Box::new(base),
                Box::new(exponent),
            ));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<Node, String> {
        if self.take("(") {
            let inner = self.choice()?;
            if !self.take(")") {
                return Err(self.wrong("`)`"));
            }
            return Ok(inner);
        }
        let rest = self.rest();
        let word_length =
            |accept: fn(char) -> bool| rest.find(|c: char| !accept(c)).unwrap_or(rest.len());
        let digits = word_length(|c| c.is_ascii_digit() || c == '.');
        if digits > 0 {
            let number = rest.get(..digits).and_then(|text| text.parse::<f64>().ok());
            let Some(number) = number else {
                return Err(self.wrong("a number"));
            };
            self.at += digits;
            return Ok(Node::Number(number));
        }
        let letters = word_length(|c| c.is_ascii_alphanumeric() || c == '_');
        let name = rest.get(..letters).unwrap_or("").to_owned();
        if name.is_empty() {
            return Err(self.wrong("a number, a name or `(`"));
        }
        let variable = match name.as_str() {
            "t" => Some(Node::Variable(Variable::Seconds)),
            "day" => Some(Node::Variable(Variable::Day)),
            "minute" => Some(Node::Variable(Variable::Minute)),
            "hour" => Some(Node::Variable(Variable::Hour)),
            "weekday" => Some(Node::Variable(Variable::Weekday)),
            "pi" => Some(Node::Number(std::f64::consts::PI)),
            _ => None,
        };
        if let Some(variable) = variable {
            self.at += letters;
            return Ok(variable);
        }
        let (function, arguments) = match name.as_str() {
            "sin" => (Function::Sin, 1..=1),
            "cos" => (Function::Cos, 1..=1),
            "abs" => (Function::Abs, 1..=1),
            "floor" => (Function::Floor, 1..=1),
            "ceil" => (Function::Ceil, 1..=1),
            "sqrt" => (Function::Sqrt, 1..=1),
            "exp" => (Function::Exp, 1..=1),
            "log" => (Function::Log, 1..=1),
            "min" => (Function::Min, 1..=64),
            "max" => (Function::Max, 1..=64),
            "pow" => (Function::Pow, 2..=2),
            _ => {
                return Err(format!(
                    "unknown name `{name}`; known are t, day, minute, hour, weekday, pi and sin, cos, abs, floor, \
                     ceil, sqrt, exp, log, min, max, pow"
                ));
            }
        };
        self.at += letters;
        if !self.take("(") {
            return Err(self.wrong(&format!("`(` after `{name}`")));
        }
        let mut list = vec![self.choice()?];
        while self.take(",") {
            list.push(self.choice()?);
        }
        if !self.take(")") {
            return Err(self.wrong("`,` or `)`"));
        }
        if !arguments.contains(&list.len()) {
            return Err(format!(
                "`{name}` takes {} argument{}, found {}",
                arguments.start(),
                if *arguments.end() == 1 { "" } else { "s" },
                list.len()
            ));
        }
        Ok(Node::Call(function, list))
    }
}

impl Serialize for LoadFormula {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for LoadFormula {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<LoadFormula, D::Error> {
        let text = String::deserialize(d)?;
        LoadFormula::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05 is a Monday; half past six in the morning.
    const MONDAY: i64 = 1_767_571_200_000;

    fn value(text: &str) -> Result<f64, String> {
        let start = Moment(MONDAY);
        LoadFormula::parse(text).map(|f| f.value(start, Moment(MONDAY + 6 * 3_600_000 + 1_800_000)))
    }

    #[test]
    fn arithmetic_follows_the_usual_ranks() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("10 - 4 - 3", 3.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("-2 ^ 2 + 5", 1.0),
            ("7 % 4", 3.0),
            ("hour", 6.5),
            ("minute", 30.0),
            ("t / 3600", 6.5),
            ("day * 24", 6.5),
            ("weekday", 1.0),
            ("hour >= 6 ? 10 : 20", 10.0),
            ("hour < 6 ? 10 : weekday == 1 ? 30 : 40", 30.0),
            ("max(1, 5, 3) + min(2, 1)", 6.0),
            ("pow(2, 10)", 1024.0),
            ("floor(2.9) + ceil(2.1) + abs(-1)", 6.0),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
        let wave = value("100 + 50 * sin(2 * pi * (hour - 0.5) / 24)").unwrap_or(0.0);
        assert!((wave - 150.0).abs() < 1e-9, "{wave}");
    }

    #[test]
    fn mistakes_are_named_with_their_column() {
        for (text, part) in [
            ("1 +", "column 4, found the end"),
            ("1 + $", "column 5, found `$`"),
            ("foo + 1", "unknown name `foo`"),
            ("sin 1", "`(` after `sin`"),
            ("sin(1, 2)", "takes 1 argument, found 2"),
            ("(1", "`)`"),
            ("1 2", "an operator or the end"),
            ("", "found the end"),
            ("1.2.3", "a number"),
        ] {
            let error = value(text).err().unwrap_or_default();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn hostile_formulas_are_refused_without_overflowing_the_stack() {
        for text in [
            "(".repeat(100_000),
            "-".repeat(100_000),
            "2^".repeat(100_000),
            "1+".repeat(100_000),
            "1?".repeat(100_000),
            "(".repeat(4_000),
            "-".repeat(4_000),
            "2^".repeat(2_000),
            "1?".repeat(2_000),
        ] {
            assert!(value(&text).is_err());
        }
    }
}
