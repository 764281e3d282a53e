//! A place in one line of text, and the small pieces that lines are made of.
//!
//! `eat` takes what it is given or nothing; `expect` and the named pieces say what was found
//! instead. Spaces before a piece do not matter.

use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::op::NodeId;
use crate::graph::print::is_plain;

/// The rest of a line, without its comment.
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Cursor { rest: before_comment(line) }
    }

    /// The next character that is no space.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    pub(super) fn end(&mut self) -> Result<(), String> {
        if self.at_end() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    /// Text of an error: `what` was expected, and the token here.
    pub(super) fn expected(&mut self, what: &str) -> String {
        match self.peek() {
            None => format!("expected {what}, found the end of the line"),
            Some(_) => {
                let found = self.rest.split_whitespace().next().unwrap_or_default();
                format!("expected {what}, found `{found}`")
            }
        }
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        self.peek();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.eat(text) { Ok(()) } else { Err(self.expected(&format!("`{text}`"))) }
    }

    /// The longest run of characters that fit; may be empty.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        self.peek();
        let end = self.rest.find(|character| !fits(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A word of a program: letters, digits and `_`; may be empty.
    pub(super) fn word(&mut self) -> &'a str {
        self.take(is_word)
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.peek();
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(is_word) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), String> {
        if self.eat_word(word) { Ok(()) } else { Err(self.expected(&format!("`{word}`"))) }
    }

    /// The number of an id like `param3`; nothing where another word stands.
    pub(super) fn eat_id(&mut self, prefix: &str) -> Result<Option<usize>, String> {
        self.peek();
        let Some(digits) = self.rest.strip_prefix(prefix) else { return Ok(None) };
        if !digits.starts_with(|character: char| character.is_ascii_digit()) {
            return Ok(None);
        }
        self.rest = digits;
        self.id_number().map(Some)
    }

    /// `%7`
    pub(super) fn node(&mut self) -> Result<NodeId, String> {
        self.expect("%")?;
        Ok(NodeId::from_index(self.id_number()?))
    }

    /// A number that an id can hold.
    fn id_number(&mut self) -> Result<usize, String> {
        let number = self.integer()?;
        match u32::try_from(number) {
            Ok(_) => Ok(number),
            Err(_) => Err(format!("the number {number} is too large for an id")),
        }
    }

    pub(super) fn integer(&mut self) -> Result<usize, String> {
        self.peek();
        if !self.rest.starts_with(|character: char| character.is_ascii_digit()) {
            return Err(self.expected("a number"));
        }
        let digits = self.take(|character| character.is_ascii_digit());
        digits.parse().map_err(|_| format!("the number {digits} is too large"))
    }

    pub(super) fn signed(&mut self) -> Result<isize, String> {
        let negative = self.eat("-");
        let size = isize::try_from(self.integer()?).map_err(|_| "a step too large".to_owned())?;
        Ok(if negative { -size } else { size })
    }

    /// The text of a number, whose type may follow later.
    pub(super) fn number_text(&mut self) -> &'a str {
        self.take(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
    }

    pub(super) fn number(&mut self, dtype: DType) -> Result<f64, String> {
        number(self.number_text(), dtype)
    }

    /// A plain or a quoted name.
    pub(super) fn name(&mut self) -> Result<String, String> {
        if !self.eat("\"") {
            let name = self.take(is_plain);
            return if name.is_empty() { Err(self.expected("a name")) } else { Ok(name.into()) };
        }
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(name);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => name.push('\n'),
                    Some((_, escaped)) => name.push(escaped),
                    None => break,
                },
                _ => name.push(character),
            }
        }
        Err("a name without its closing quote".into())
    }

    /// Parses items between commas, and the closing bracket; the opening one has been read.
    pub(super) fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let mut items = Vec::new();
        if self.eat("]") {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat("]") {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    pub(super) fn brackets<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        self.expect("[")?;
        self.list(item)
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The line up to a `;` that does not stand in a quoted name.
fn before_comment(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in line.char_indices() {
        match character {
            ';' if !quoted => return &line[..at],
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
    }
    line
}

/// A number of a type from its text.
pub(super) fn number(text: &str, dtype: DType) -> Result<f64, String> {
    let value = match dtype {
        DType::F32 => text.parse::<f32>().ok().map(f64::from),
        DType::F64 => text.parse().ok(),
        DType::I32 => text.parse::<i32>().ok().map(f64::from),
        DType::U8 => text.parse::<u8>().ok().map(f64::from),
        DType::Bool => match text {
            "true" => Some(1.0),
            "false" => Some(0.0),
            _ => None,
        },
    };
    value.ok_or_else(|| format!("expected a number of {dtype}, found `{text}`"))
}
