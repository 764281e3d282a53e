//! Reads kernels: statements, scalars, accesses and affine expressions.

use std::collections::BTreeMap;

use crate::base::entity::{Arena, Entity};
use crate::base::scalar::{Binary, Reduce, Unary};
use crate::base::tensor::DType;
use crate::loops::program::{
    Access, Affine, IfTest, Inst, Kernel, Reduction, RegId, Slot, Stmt, VarId,
};
use crate::loops::read::lex::LoopToken;
use crate::loops::read::{Reader, Result};
use crate::loops::tile::{RowAxis, SumAxis, Tile};

/// Statements within statements, at most.
const DEEPEST: usize = 64;

/// The variables and registers that the statements read so far have introduced.
#[derive(Default)]
struct Introduced {
    vars: BTreeMap<usize, usize>,
    regs: BTreeMap<usize, DType>,
    depth: usize,
}

impl Reader<'_> {
    /// A kernel from its name on.
    pub(super) fn kernel(&mut self) -> Result<Kernel> {
        let name = self.text()?;
        self.keyword("parts")?;
        let parts = self.number("how many parts")?;
        self.mark('(')?;
        let mut slots = Arena::new();
        self.list(')', |reader| {
            reader.new_id("s", "slot", &slots)?;
            reader.mark(':')?;
            let (dtype, len) = reader.sized()?;
            slots.push(Slot { dtype, len });
            Ok(())
        })?;
        let mut known = Introduced::default();
        let body = self.block(&mut known)?;
        let vars = self.in_order("i", known.vars)?;
        let regs = self.in_order("r", known.regs)?;
        Ok(Kernel { name, parts, slots, vars, regs, body })
    }

    /// An arena of what has been introduced, if no number is left out.
    fn in_order<K: Entity, V>(
        &self,
        prefix: &str,
        known: BTreeMap<usize, V>,
    ) -> Result<Arena<K, V>> {
        if let Some((index, _)) = known.keys().enumerate().find(|&(index, &key)| index != key) {
            return self.wrong(format!("the kernel does not introduce `{prefix}{index}`"));
        }
        Ok(known.into_values().collect())
    }

    fn block(&mut self, known: &mut Introduced) -> Result<Vec<Stmt>> {
        self.mark('{')?;
        known.depth += 1;
        if known.depth > DEEPEST {
            return self.wrong(format!("more than {DEEPEST} statements within one another"));
        }
        let mut body = Vec::new();
        while !self.next_is_mark('}') {
            if self.next_is("var") {
                self.var(known)?;
            } else if self.next_is("reg") {
                self.reg(known)?;
            } else {
                body.push(self.stmt(known)?);
            }
        }
        known.depth -= 1;
        Ok(body)
    }

    /// `i0 in 0..4`
    fn var(&mut self, known: &mut Introduced) -> Result<VarId> {
        let var: VarId = self.id("i", "variable")?;
        self.keyword("in")?;
        let start: usize = self.number("`0`")?;
        if start != 0 || self.peek() != Some(&LoopToken::To) {
            return self.fail("a range from 0 (`0..4`)");
        }
        self.at += 1;
        let extent = self.number("an extent")?;
        match known.vars.insert(var.index(), extent) {
            Some(before) if before != extent => {
                self.wrong(format!("`{var}` has two extents, {before} and {extent}"))
            }
            _ => Ok(var),
        }
    }

    /// `r0: f32`
    fn reg(&mut self, known: &mut Introduced) -> Result<RegId> {
        let reg: RegId = self.id("r", "scalar")?;
        self.mark(':')?;
        let dtype = self.dtype()?;
        match known.regs.insert(reg.index(), dtype) {
            Some(before) if before != dtype => {
                self.wrong(format!("`{reg}` has two types, {before} and {dtype}"))
            }
            _ => Ok(reg),
        }
    }

    fn stmt(&mut self, known: &mut Introduced) -> Result<Stmt> {
        if self.next_is("parts") {
            Ok(Stmt::Parts { var: self.var(known)?, body: self.block(known)? })
        } else if self.next_is("for") {
            Ok(Stmt::For { var: self.var(known)?, body: self.block(known)? })
        } else if self.next_is("vector") {
            let var = self.var(known)?;
            let body = self.block(known)?;
            Ok(Stmt::Vector { var, body, reductions: self.reductions(known)? })
        } else if self.next_is("if") {
            let test = self.test()?;
            let then = self.block(known)?;
            let otherwise = if self.next_is("else") { self.block(known)? } else { Vec::new() };
            Ok(Stmt::If { test, then, otherwise })
        } else if self.next_is("store") {
            let access = self.access()?;
            if self.next_is("at") {
                return self.store_at(false, access);
            }
            self.mark('=')?;
            Ok(Stmt::Store { access, value: self.scalar()? })
        } else if self.next_is("add") {
            let base = self.access()?;
            self.keyword("at")?;
            self.store_at(true, base)
        } else if self.next_is("tile") {
            Ok(Stmt::Tile(self.tile()?))
        } else if matches!(self.peek(), Some(LoopToken::Word(word)) if word.starts_with('r')) {
            let reg = self.reg(known)?;
            self.mark('=')?;
            Ok(Stmt::Let { reg, inst: self.inst()? })
        } else {
            self.fail("a statement")
        }
    }

    /// `i0 < 4` or `r3`
    fn test(&mut self) -> Result<IfTest> {
        if matches!(self.peek(), Some(LoopToken::Word(word)) if word.starts_with('r')) {
            return Ok(IfTest::Holds(self.scalar()?));
        }
        let var = self.id("i", "variable")?;
        self.mark('<')?;
        Ok(IfTest::Below(var, self.number("a bound")?))
    }

    /// `r3*8 = r4`
    fn store_at(&mut self, adds: bool, base: Access) -> Result<Stmt> {
        let (index, stride) = self.data_index()?;
        self.mark('=')?;
        Ok(Stmt::StoreAt { adds, base, index, stride, value: self.scalar()? })
    }

    fn reductions(&mut self, known: &mut Introduced) -> Result<Vec<Reduction>> {
        let mut reductions = Vec::new();
        if !self.next_is("reduce") {
            return Ok(reductions);
        }
        loop {
            let reg = self.reg(known)?;
            self.mark('=')?;
            let word = self.word("a reduction")?;
            let Some(op) = Reduce::from_name(word) else {
                return self.wrong(format!("unknown reduction `{word}`"));
            };
            reductions.push(Reduction { reg, op, value: self.scalar()? });
            if !self.next_is_mark(',') {
                return Ok(reductions);
            }
        }
    }

    fn scalar(&mut self) -> Result<RegId> {
        self.id("r", "scalar")
    }

    fn inst(&mut self) -> Result<Inst> {
        let word = self.word("an instruction")?;
        Ok(match word {
            "f32" => Inst::F32(self.f32()?),
            "i32" => Inst::I32(self.number("an integer")?),
            "bool" if self.next_is("true") => Inst::Bool(true),
            "bool" if self.next_is("false") => Inst::Bool(false),
            "bool" => return self.fail("`true` or `false`"),
            "index" => Inst::Index(self.affine()?),
            "load" => {
                let base = self.access()?;
                if !self.next_is("at") {
                    return Ok(Inst::Load(base));
                }
                let (index, stride) = self.data_index()?;
                Inst::LoadAt { base, index, stride }
            }
            "checked" => {
                let index = self.scalar()?;
                self.mark('<')?;
                let bound = self.number("a bound")?;
                self.keyword("site")?;
                let site = self.number("a site")?;
                self.keyword("element")?;
                Inst::Checked { index, bound, site, element: self.affine()? }
            }
            "select" => {
                let [condition, a, b] = self.three()?;
                Inst::Select(condition, a, b)
            }
            "fma" => {
                let [a, b, c] = self.three()?;
                Inst::Fma(a, b, c)
            }
            "cast" => Inst::Cast(self.dtype()?, self.scalar()?),
            "uniform" => {
                let stream = self.number("a stream")?;
                self.keyword("element")?;
                Inst::Uniform { stream, element: self.affine()? }
            }
            _ => return self.function(word),
        })
    }

    /// A function by its name.
    fn function(&mut self, word: &str) -> Result<Inst> {
        if let Some(op) = Unary::from_name(word) {
            return Ok(Inst::Unary(op, self.scalar()?));
        }
        let Some(op) = Binary::from_name(word) else {
            return self.wrong(format!("unknown instruction `{word}`"));
        };
        let a = self.scalar()?;
        self.mark(',')?;
        Ok(Inst::Binary(op, a, self.scalar()?))
    }

    fn three(&mut self) -> Result<[RegId; 3]> {
        let a = self.scalar()?;
        self.mark(',')?;
        let b = self.scalar()?;
        self.mark(',')?;
        Ok([a, b, self.scalar()?])
    }

    /// `r1*16`: an index from data and its stride.
    fn data_index(&mut self) -> Result<(RegId, i64)> {
        let index = self.scalar()?;
        self.mark('*')?;
        Ok((index, self.number("a stride")?))
    }

    /// `s1[4*i0 + i1]`
    fn access(&mut self) -> Result<Access> {
        let slot = self.id("s", "slot")?;
        self.mark('[')?;
        let index = self.affine()?;
        self.mark(']')?;
        Ok(Access { slot, index })
    }

    /// `3 + 784*i0 - i1`
    fn affine(&mut self) -> Result<Affine> {
        let mut sum = Affine::default();
        let mut negative = self.next_is_mark('-');
        loop {
            let (var, factor) = self.term(negative)?;
            let Some(joined) = plus(&sum, var, factor) else {
                return self.wrong("the index is too large");
            };
            sum = joined;
            if self.next_is_mark('+') {
                negative = false;
            } else if self.next_is_mark('-') {
                negative = true;
            } else {
                return Ok(sum);
            }
        }
    }

    /// `784*i0`, `i1` or `3`, with its sign.
    fn term(&mut self, negative: bool) -> Result<(Option<VarId>, i64)> {
        let sign = if negative { "-" } else { "" };
        let Some(&LoopToken::Number(digits)) = self.peek() else {
            let var = self.id("i", "variable")?;
            return Ok((Some(var), if negative { -1 } else { 1 }));
        };
        let Ok(number) = format!("{sign}{digits}").parse() else {
            return self.fail("an integer");
        };
        self.at += 1;
        if self.next_is_mark('*') {
            return Ok((Some(self.id("i", "variable")?), number));
        }
        Ok((None, number))
    }

    fn tile(&mut self) -> Result<Tile> {
        self.keyword("n")?;
        let n = self.number("how many columns")?;
        self.mark('{')?;
        let (mut rows, mut sum) = (Vec::new(), Vec::new());
        while self.next_is("row") {
            let (extent, [a, c]) = self.axis(["a", "c"])?;
            rows.push(RowAxis { extent, a, c });
        }
        while self.next_is("sum") {
            let (extent, [a, b]) = self.axis(["a", "b"])?;
            sum.push(SumAxis { extent, a, b });
        }
        self.keyword("c")?;
        let accumulate = self.next_is_mark('+');
        self.mark('=')?;
        let c = self.access()?;
        self.keyword("a")?;
        self.mark('=')?;
        let a = self.access()?;
        self.keyword("b")?;
        self.mark('=')?;
        let b = self.access()?;
        let mut bias = None;
        if self.next_is("bias") {
            self.mark('=')?;
            bias = Some(self.access()?);
        }
        let relu = self.next_is("relu");
        self.mark('}')?;
        Ok(Tile { rows, n, sum, a, b, c, accumulate, bias, relu })
    }

    /// `8 a 40 c 128`: an axis of a tile.
    fn axis(&mut self, names: [&str; 2]) -> Result<(usize, [i64; 2])> {
        let extent = self.number("an extent")?;
        let mut distances = [0; 2];
        for (distance, name) in distances.iter_mut().zip(names) {
            self.keyword(name)?;
            *distance = self.number("a distance")?;
        }
        Ok((extent, distances))
    }
}

/// An affine expression and one term more, unless it is too large for its type.
fn plus(sum: &Affine, var: Option<VarId>, number: i64) -> Option<Affine> {
    let mut sum = sum.clone();
    let Some(var) = var else {
        sum.offset = sum.offset.checked_add(number)?;
        return Some(sum);
    };
    match sum.terms.binary_search_by_key(&var, |&(known, _)| known) {
        Ok(at) => sum.terms[at].1 = sum.terms[at].1.checked_add(number)?,
        Err(at) => sum.terms.insert(at, (var, number)),
    }
    sum.terms.retain(|&(_, factor)| factor != 0);
    Some(sum)
}
