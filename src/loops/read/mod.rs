//! Reads the text form of a program: the inverse of [`crate::loops::print`], which shows it.
//!
//! `read("program \"empty\" { step { } }")` is the empty program of that name. A text that is
//! not a program gives the line and what was expected there, never a panic. What it means is not
//! checked: that is [`crate::loops::verify`]'s, so that tests can write wrong programs down. Only
//! ids must be of use: buffers, kernels and slots numbered from 0 in order, each variable and
//! scalar introduced with one type.

mod kernel;
mod lex;

use std::fmt;

use crate::base::entity::{Arena, Entity};
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::loops::program::{
    Action, Buffer, BufferId, BufferPart, KernelId, Program, Space, StepIo,
};
use crate::loops::read::lex::LoopToken;
use crate::loops::uniform::{UniformInst, Uniforms};

/// Why a text is not a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopsReadError {
    /// The line, counted from 1.
    pub line: usize,
    /// The reason, without the place.
    pub message: String,
}

impl LoopsReadError {
    fn at(line: usize, message: impl Into<String>) -> Self {
        LoopsReadError { line, message: message.into() }
    }
}

impl fmt::Display for LoopsReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for LoopsReadError {}

type Result<T> = std::result::Result<T, LoopsReadError>;

/// The program that a text tells.
pub fn read(text: &str) -> Result<Program> {
    let tokens = lex::tokens(text)?;
    let mut reader = Reader { tokens, at: 0, last_line: text.lines().count().max(1) };
    let program = reader.program()?;
    match reader.peek() {
        None => Ok(program),
        Some(_) => reader.fail("nothing after the program"),
    }
}

/// Walks over the tokens.
struct Reader<'a> {
    tokens: Vec<(LoopToken<'a>, usize)>,
    at: usize,
    last_line: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&LoopToken<'a>> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    /// An error at the next token.
    fn fail<T>(&self, expected: impl fmt::Display) -> Result<T> {
        let line = self.tokens.get(self.at).map_or(self.last_line, |&(_, line)| line);
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(LoopToken::Word(text) | LoopToken::Number(text)) => format!("`{text}`"),
            Some(LoopToken::Text(text)) => format!("{text:?}"),
            Some(LoopToken::Mark(mark)) => format!("`{mark}`"),
            Some(LoopToken::To) => "`..`".to_owned(),
        };
        Err(LoopsReadError::at(line, format!("expected {expected}, found {found}")))
    }

    /// An error at the token before.
    fn wrong<T>(&self, message: impl Into<String>) -> Result<T> {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        Err(LoopsReadError::at(before.map_or(self.last_line, |&(_, line)| line), message))
    }

    fn mark(&mut self, mark: char) -> Result<()> {
        if self.next_is_mark(mark) { Ok(()) } else { self.fail(format_args!("`{mark}`")) }
    }

    /// Takes the mark if it is next.
    fn next_is_mark(&mut self, mark: char) -> bool {
        let is_next = self.peek() == Some(&LoopToken::Mark(mark));
        self.at += usize::from(is_next);
        is_next
    }

    fn keyword(&mut self, keyword: &str) -> Result<()> {
        if self.next_is(keyword) { Ok(()) } else { self.fail(format_args!("`{keyword}`")) }
    }

    /// Takes the word if it is next.
    fn next_is(&mut self, keyword: &str) -> bool {
        let is_next = self.peek() == Some(&LoopToken::Word(keyword));
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self, expected: &str) -> Result<&'a str> {
        match self.peek() {
            Some(&LoopToken::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            _ => self.fail(expected),
        }
    }

    fn text(&mut self) -> Result<String> {
        match self.peek() {
            Some(LoopToken::Text(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(text)
            }
            _ => self.fail("a name in quotes"),
        }
    }

    /// A number, with its sign, as any type that can be read from text.
    fn number<T: std::str::FromStr>(&mut self, expected: &str) -> Result<T> {
        let sign = if self.next_is_mark('-') { "-" } else { "" };
        if let Some(&LoopToken::Number(digits)) = self.peek()
            && let Ok(value) = format!("{sign}{digits}").parse()
        {
            self.at += 1;
            return Ok(value);
        }
        self.fail(expected)
    }

    /// A float: digits, `inf`, or the bits of a NaN.
    fn float<T: std::str::FromStr>(&mut self, from_bits: impl Fn(u64) -> Option<T>) -> Result<T> {
        let start = self.at;
        let sign = if self.next_is_mark('-') { "-" } else { "" };
        if self.next_is("inf") {
            return Ok(format!("{sign}inf").parse().unwrap_or_else(|_| unreachable!("a float")));
        }
        if self.next_is("nan") {
            self.mark('(')?;
            let Some(&LoopToken::Number(digits)) = self.peek() else {
                return self.fail("the bits of a NaN");
            };
            let bits = digits.strip_prefix("0x").and_then(|it| u64::from_str_radix(it, 16).ok());
            let Some(value) = bits.and_then(from_bits) else {
                return self.fail("the bits of a NaN");
            };
            self.at += 1;
            self.mark(')')?;
            return Ok(value);
        }
        self.at = start;
        self.number("a number")
    }

    fn f64(&mut self) -> Result<f64> {
        self.float(|bits| Some(f64::from_bits(bits)))
    }

    fn f32(&mut self) -> Result<f32> {
        self.float(|bits| u32::try_from(bits).ok().map(f32::from_bits))
    }

    /// An id: its letter and a number.
    fn id<K: Entity>(&mut self, prefix: &str, what: &str) -> Result<K> {
        let index = match self.peek() {
            Some(LoopToken::Word(word)) => {
                word.strip_prefix(prefix).and_then(|it| it.parse::<u32>().ok())
            }
            _ => None,
        };
        match index {
            Some(index) => {
                self.at += 1;
                Ok(K::from_index(index as usize))
            }
            None => self.fail(format_args!("{what} (`{prefix}0`)")),
        }
    }

    /// The id that comes next in an arena.
    fn new_id<K: Entity, V>(
        &mut self,
        prefix: &str,
        what: &str,
        arena: &Arena<K, V>,
    ) -> Result<()> {
        let id: K = self.id(prefix, what)?;
        if id.index() == arena.len() {
            return Ok(());
        }
        self.wrong(format!("the next {what} is `{prefix}{}`", arena.len()))
    }

    /// `item, item, …` up to a closing mark.
    fn list<T>(
        &mut self,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        while !self.next_is_mark(close) {
            if !items.is_empty() {
                self.mark(',')?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn dtype(&mut self) -> Result<DType> {
        let found = match self.peek() {
            Some(LoopToken::Word(word)) => DType::from_name(word),
            _ => None,
        };
        let Some(dtype) = found else { return self.fail("an element type") };
        self.at += 1;
        Ok(dtype)
    }

    /// `f32[12]`
    fn sized(&mut self) -> Result<(DType, usize)> {
        let dtype = self.dtype()?;
        self.mark('[')?;
        let len = self.number("a length")?;
        self.mark(']')?;
        Ok((dtype, len))
    }

    fn program(&mut self) -> Result<Program> {
        self.keyword("program")?;
        let mut program = Program { name: self.text()?, ..Program::default() };
        self.mark('{')?;
        while !self.next_is_mark('}') {
            if self.next_is("uniforms") {
                program.uniforms = self.uniforms()?;
            } else if self.next_is("kernel") {
                self.new_id("k", "kernel", &program.kernels)?;
                let kernel = self.kernel()?;
                let _: KernelId = program.kernels.push(kernel);
            } else if self.next_is("step") {
                program.actions.extend(self.actions()?);
            } else if self.next_is("refresh") {
                program.refresh.extend(self.actions()?);
            } else {
                self.new_id("b", "buffer", &program.buffers)?;
                let buffer = self.buffer()?;
                program.buffers.push(buffer);
            }
        }
        program.io = StepIo::of_names(&program.buffers);
        Ok(program)
    }

    fn buffer(&mut self) -> Result<Buffer> {
        self.mark('=')?;
        let word = self.word("a space")?;
        let Some(space) = Space::ALL.into_iter().find(|space| space.name() == word) else {
            return self.wrong(format!("`{word}` is no space of buffers"));
        };
        let (dtype, len) = self.sized()?;
        let name = self.text()?;
        let part = if self.next_is("part") { Some(self.part()?) } else { None };
        let offset = if self.next_is("at") { Some(self.number("an offset")?) } else { None };
        Ok(Buffer { name, dtype, len, space, offset, part })
    }

    fn part(&mut self) -> Result<BufferPart> {
        let of = self.id("b", "buffer")?;
        self.keyword("from")?;
        let first = self.number("an element")?;
        self.keyword("stride")?;
        Ok(BufferPart { of, first, stride: self.number("a distance")? })
    }

    fn actions(&mut self) -> Result<Vec<Action>> {
        self.mark('{')?;
        let mut actions = Vec::new();
        while !self.next_is_mark('}') {
            if self.next_is("barrier") {
                actions.push(Action::Barrier);
                continue;
            }
            if self.next_is("loop") {
                let steps = self.number("a number of steps")?;
                let reverse = self.next_is("reverse");
                actions.push(Action::Loop { steps, reverse, body: self.actions()? });
                continue;
            }
            self.keyword("run")?;
            let kernel = self.id("k", "kernel")?;
            self.mark('(')?;
            let args: Vec<BufferId> = self.list(')', |reader| reader.id("b", "buffer"))?;
            actions.push(Action::Run { kernel, args });
        }
        Ok(actions)
    }

    fn uniforms(&mut self) -> Result<Uniforms> {
        let mut uniforms = Uniforms::default();
        if !self.next_is_mark('{') {
            uniforms.buffer = Some(self.id("b", "buffer")?);
            self.mark('{')?;
        }
        while !self.next_is("results") {
            if self.next_is("hyper") {
                let name = self.text()?;
                self.mark('=')?;
                uniforms.hypers.push((name, self.f64()?));
                continue;
            }
            let next = uniforms.insts.len();
            self.keyword(&format!("u{next}"))?;
            self.mark('=')?;
            uniforms.insts.push(self.uniform_inst()?);
        }
        uniforms.results = self.list('}', Self::uniform)?;
        Ok(uniforms)
    }

    /// The number of a uniform value.
    fn uniform(&mut self) -> Result<usize> {
        let index = match self.peek() {
            Some(LoopToken::Word(word)) => word.strip_prefix('u').and_then(|it| it.parse().ok()),
            _ => None,
        };
        let Some(index) = index else { return self.fail("a uniform value (`u0`)") };
        self.at += 1;
        Ok(index)
    }

    fn uniform_inst(&mut self) -> Result<UniformInst> {
        let word = self.word("an operation")?;
        Ok(match word {
            "const" => UniformInst::Const(self.f64()?),
            "step" => UniformInst::Step,
            "hyper" => UniformInst::Hyper(self.number("a hyper-parameter's number")?),
            _ => {
                if let Some(op) = Unary::from_name(word) {
                    UniformInst::Unary(op, self.uniform()?)
                } else if let Some(op) = Binary::from_name(word) {
                    let a = self.uniform()?;
                    self.mark(',')?;
                    UniformInst::Binary(op, a, self.uniform()?)
                } else {
                    return self.wrong(format!("unknown operation `{word}`"));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
