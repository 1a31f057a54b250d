//! Tokens of a file, with the faults that a parser explains badly: what is opened and not closed.
//!
//! Strings in quotes and heredocs are one token each, whatever they hold. It never fails and never
//! recurses: any text gives tokens that cover it in order, and at most [`MAX_FAULTS`] faults.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `\n`, `\r\n`.
    Newline,
    /// `# …` or `// …`, without the line's end.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// An identifier or a keyword.
    Word,
    /// Digits, with fraction and exponent.
    Number,
    /// A string in quotes, interpolations included.
    Quoted,
    /// `<<EOT` up to and with its closing delimiter.
    Heredoc,
    /// `{`, `[`, `(`.
    Open,
    /// `}`, `]`, `)`.
    Close,
    /// An operator or punctuation.
    Operator,
    /// Anything else.
    Other,
}

/// A token and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Something opened and not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A string in quotes meets the end of its line.
    String(Range<usize>),
    /// `${` or `%{` in a string in quotes has no closing brace.
    Template(Range<usize>),
    /// A heredoc meets the end of the file.
    Heredoc {
        open: Range<usize>,
        delimiter: String,
    },
    /// A bracket meets the end of the file. `suspect`: one whose partner stands at another indentation.
    Bracket { open: usize, suspect: Option<usize> },
    /// A closing bracket without, or with the wrong, partner.
    Mismatch { close: usize, open: Option<usize> },
    /// `/*` meets the end of the file.
    Comment(Range<usize>),
}

/// After so many faults the rest is not looked at.
pub(crate) const MAX_FAULTS: usize = 20;

/// The tokens and faults of a text.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    /// In order; white space stands between them.
    pub(crate) tokens: Vec<Token>,
    /// In order of their discovery.
    pub(crate) faults: Vec<Fault>,
}

/// Splits a text into tokens.
pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 0,
        indent: 0,
        open: Vec::new(),
        suspect: None,
        out: Lexed::default(),
    };
    lexer.indent = lexer.blanks(0);
    while lexer.at < lexer.bytes.len() && lexer.out.faults.len() < MAX_FAULTS {
        lexer.step();
    }
    if let Some(Bracket { at: open, .. }) = lexer.open.pop() {
        let suspect = lexer.suspect.filter(|suspect| *suspect != open);
        lexer.out.faults.push(Fault::Bracket { open, suspect });
    }
    lexer.out
}

struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line: usize,
    /// Blanks at the start of the line.
    indent: usize,
    open: Vec<Bracket>,
    /// The first opening brace whose partner stands further left than its own line.
    suspect: Option<usize>,
    out: Lexed,
}

/// An open bracket, its line, and the indentation of that line.
#[derive(Clone, Copy)]
struct Bracket {
    at: usize,
    line: usize,
    indent: usize,
}

/// What a string in quotes is inside of.
enum Inside {
    Quote(usize),
    Template(usize),
    Bracket,
}

impl Lexer<'_> {
    fn byte(&self, offset: usize) -> u8 {
        self.bytes.get(self.at + offset).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.out.tokens.push(Token {
            kind,
            start: self.at,
            end,
        });
        self.at = end;
    }

    fn line_end(&self, from: usize) -> usize {
        self.bytes[from.min(self.bytes.len())..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(self.bytes.len(), |n| from + n)
    }

    /// The number of blanks that follow.
    fn blanks(&self, at: usize) -> usize {
        self.bytes[at..]
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count()
    }

    fn newline(&mut self, end: usize) {
        self.push(Kind::Newline, end);
        self.line += 1;
        self.indent = self.blanks(end);
    }

    fn step(&mut self) {
        let start = self.at;
        match self.byte(0) {
            b' ' | b'\t' => self.at += 1,
            b'\r' if self.byte(1) == b'\n' => self.newline(start + 2),
            b'\n' => self.newline(start + 1),
            b'#' => self.line_comment(),
            b'/' if self.byte(1) == b'/' => self.line_comment(),
            b'/' if self.byte(1) == b'*' => match self.text[start + 2..].find("*/") {
                Some(n) => self.push(Kind::BlockComment, start + n + 4),
                None => {
                    self.out.faults.push(Fault::Comment(start..start + 2));
                    self.push(Kind::BlockComment, self.bytes.len());
                }
            },
            b'"' => match self.quoted_end() {
                Ok(end) => self.push(Kind::Quoted, end),
                Err((fault, resume)) => {
                    self.out.faults.push(fault);
                    self.push(Kind::Quoted, resume);
                }
            },
            b'<' if self.byte(1) == b'<' => self.heredoc(),
            b'{' | b'[' | b'(' => {
                self.open.push(Bracket {
                    at: start,
                    line: self.line,
                    indent: self.indent,
                });
                self.push(Kind::Open, start + 1);
            }
            b'}' | b']' | b')' => self.close(),
            b'0'..=b'9' => self.number(),
            b'.' if self.bytes[start..].starts_with(b"...") => self.push(Kind::Operator, start + 3),
            b'=' | b'!' | b'<' | b'>' if self.byte(1) == b'=' => {
                self.push(Kind::Operator, start + 2);
            }
            b'=' if self.byte(1) == b'>' => self.push(Kind::Operator, start + 2),
            b'&' if self.byte(1) == b'&' => self.push(Kind::Operator, start + 2),
            b'|' if self.byte(1) == b'|' => self.push(Kind::Operator, start + 2),
            b'=' | b'!' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'?' | b':' | b','
            | b'.' => self.push(Kind::Operator, start + 1),
            _ => self.word_or_other(),
        }
    }

    fn line_comment(&mut self) {
        let mut end = self.line_end(self.at);
        if end > self.at && self.bytes[end - 1] == b'\r' {
            end -= 1;
        }
        self.push(Kind::LineComment, end);
    }

    fn number(&mut self) {
        let digits = |from: usize| {
            self.bytes[from.min(self.bytes.len())..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut end = self.at + digits(self.at);
        if self.bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(self.bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.bytes.get(end + 1), Some(b'+' | b'-')));
            let n = digits(end + 1 + sign);
            if n > 0 {
                end += 1 + sign + n;
            }
        }
        self.push(Kind::Number, end);
    }

    fn word_or_other(&mut self) {
        let rest = &self.text[self.at..];
        let mut chars = rest.char_indices();
        let Some((_, first)) = chars.next() else {
            self.at = self.bytes.len();
            return;
        };
        if first.is_alphabetic() || first == '_' {
            let length = chars
                .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
                .map_or(rest.len(), |(n, _)| n);
            self.push(Kind::Word, self.at + length);
        } else {
            self.push(Kind::Other, self.at + first.len_utf8());
        }
    }

    fn close(&mut self) {
        let start = self.at;
        let wanted = match self.bytes[start] {
            b'}' => b'{',
            b']' => b'[',
            _ => b'(',
        };
        match self.open.last().copied() {
            Some(open) if self.bytes[open.at] == wanted => {
                self.open.pop();
                if self.suspect.is_none()
                    && wanted == b'{'
                    && open.line != self.line
                    && self.indent < open.indent
                {
                    self.suspect = Some(open.at);
                }
            }
            open => {
                // Close up to the nearest partner, so that the rest is not blamed as well.
                let partner = self
                    .open
                    .iter()
                    .rposition(|open| self.bytes[open.at] == wanted);
                self.out.faults.push(Fault::Mismatch {
                    close: start,
                    open: open.filter(|_| partner.is_some()).map(|open| open.at),
                });
                if let Some(n) = partner {
                    self.open.truncate(n);
                }
            }
        }
        self.push(Kind::Close, start + 1);
    }

    /// The end of the string in quotes that begins here, or its fault and where to go on.
    fn quoted_end(&self) -> Result<usize, (Fault, usize)> {
        let start = self.at;
        let mut stack = vec![Inside::Quote(start)];
        let mut i = start + 1;
        let at = |i: usize| self.bytes.get(i).copied().unwrap_or(0);
        while i < self.bytes.len() {
            let byte = self.bytes[i];
            match stack.last() {
                None => return Ok(i),
                Some(Inside::Quote(open)) => match byte {
                    b'\n' => {
                        let template = stack.iter().find_map(|inside| match inside {
                            Inside::Template(open) => Some(*open),
                            _ => None,
                        });
                        let mut end = i;
                        if at(end.saturating_sub(1)) == b'\r' {
                            end -= 1;
                        }
                        return Err(match template {
                            Some(open) => (Fault::Template(open..open + 2), end),
                            None => (Fault::String(*open..end), end),
                        });
                    }
                    b'\\' if at(i + 1) != b'\n' && at(i + 1) != b'\r' => i += 2,
                    b'"' => {
                        stack.pop();
                        i += 1;
                        if stack.is_empty() {
                            return Ok(i);
                        }
                    }
                    b'$' | b'%' if at(i + 1) == byte && at(i + 2) == b'{' => i += 3,
                    b'$' | b'%' if at(i + 1) == b'{' => {
                        stack.push(Inside::Template(i));
                        i += 2;
                    }
                    _ => i += 1,
                },
                Some(Inside::Template(_) | Inside::Bracket) => match byte {
                    b'"' => {
                        stack.push(Inside::Quote(i));
                        i += 1;
                    }
                    b'{' | b'[' | b'(' => {
                        stack.push(Inside::Bracket);
                        i += 1;
                    }
                    b'}' | b']' | b')' => {
                        if byte == b'}' || matches!(stack.last(), Some(Inside::Bracket)) {
                            stack.pop();
                        }
                        i += 1;
                    }
                    b'#' => i = self.line_end(i),
                    b'/' if at(i + 1) == b'/' => i = self.line_end(i),
                    b'/' if at(i + 1) == b'*' => {
                        i = self.text[i + 2..]
                            .find("*/")
                            .map_or(self.bytes.len(), |n| i + n + 4);
                    }
                    _ => i += 1,
                },
            }
        }
        let fault = stack
            .iter()
            .find_map(|inside| match inside {
                Inside::Template(open) => Some(Fault::Template(*open..*open + 2)),
                _ => None,
            })
            .unwrap_or(Fault::String(start..self.line_end(start)));
        Err((fault, self.line_end(start)))
    }

    fn heredoc(&mut self) {
        let start = self.at;
        let mut at = start + 2;
        if self.bytes.get(at) == Some(&b'-') {
            at += 1;
        }
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let rest = &self.text[at..];
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let delimiter = &rest[..length];
        let head = at + length;
        let line_end = self.line_end(head);
        if delimiter.is_empty() || !self.text[head..line_end].trim().is_empty() {
            self.push(Kind::Operator, start + 1);
            return;
        }
        let mut line = line_end + 1;
        while line < self.bytes.len() {
            let end = self.line_end(line);
            let content = self.text[line..end].trim_start_matches([' ', '\t']);
            if content
                .strip_prefix(delimiter)
                .is_some_and(|rest| !rest.starts_with(is_word))
            {
                self.push(Kind::Heredoc, end - content.len() + delimiter.len());
                return;
            }
            line = end + 1;
        }
        self.out.faults.push(Fault::Heredoc {
            open: start..head,
            delimiter: delimiter.to_owned(),
        });
        self.push(Kind::Heredoc, self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        lex(text).tokens.iter().map(|token| token.kind).collect()
    }

    #[test]
    fn strings_and_heredocs_are_one_token() {
        assert_eq!(
            kinds("a = \"x ${f(\"}\")} \\\" $${\" # c\n"),
            [
                Kind::Word,
                Kind::Operator,
                Kind::Quoted,
                Kind::LineComment,
                Kind::Newline
            ]
        );
        assert_eq!(
            kinds("a = <<-EOT\n  EOTX\n  b \"\n  EOT\nb = 1"),
            [
                Kind::Word,
                Kind::Operator,
                Kind::Heredoc,
                Kind::Newline,
                Kind::Word,
                Kind::Operator,
                Kind::Number
            ]
        );
    }

    #[test]
    fn what_is_not_closed_is_a_fault() {
        for (text, fault) in [
            ("a = \"x\nb = 1", Fault::String(4..6)),
            ("a = \"x ${y\"\nb = 1", Fault::Template(7..9)),
            (
                "a = <<EOT\nx\n",
                Fault::Heredoc {
                    open: 4..9,
                    delimiter: "EOT".to_owned(),
                },
            ),
            (
                "a {\n",
                Fault::Bracket {
                    open: 2,
                    suspect: None,
                },
            ),
            (
                "a {\n  b {\n}\n",
                Fault::Bracket {
                    open: 2,
                    suspect: Some(8),
                },
            ),
            (
                "a = ([1)",
                Fault::Mismatch {
                    close: 7,
                    open: Some(5),
                },
            ),
            (
                "a = [1)",
                Fault::Mismatch {
                    close: 6,
                    open: None,
                },
            ),
            (
                "}",
                Fault::Mismatch {
                    close: 0,
                    open: None,
                },
            ),
            ("/* x", Fault::Comment(0..2)),
        ] {
            assert_eq!(lex(text).faults.first(), Some(&fault), "{text}");
        }
    }

    #[test]
    fn deep_nesting_and_many_faults_are_quick() {
        assert_eq!(lex(&"(".repeat(100_000)).faults.len(), 1);
        assert_eq!(lex(&"\"${".repeat(100_000)).faults.len(), 1);
        assert_eq!(lex(&"\"\n".repeat(100_000)).faults.len(), MAX_FAULTS);
    }
}
