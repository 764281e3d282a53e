//! A syntax tree as text, for tests and for looking at.
//!
//! In: an [`ast::File`]. Out: one S-expression an item, without places, broken over lines where
//! long. Two files with the same dump mean the same.
//!
//! ```text
//! const k = -x ^ 2 |> f(a: 1)      (const k (|> (- (^ x 2)) (f a: 1)))
//! ```
//!
//! It is not read back: source text is the form to store.

use crate::syntax::ast::*;

/// How long a line may get before a list is broken.
const WIDTH: usize = 96;

/// The dump of a file, ending in a newline if it has items.
pub fn dump(file: &File) -> String {
    let mut text = String::new();
    for item in &file.items {
        item_node(item).print(0, &mut text);
        text.push('\n');
    }
    text
}

/// An item of the printed tree: words, lists in parentheses, and `key: node`.
enum DumpItem {
    Word(String),
    List(Vec<DumpItem>),
    Keyed(&'static str, Box<DumpItem>),
    Named(String, Box<DumpItem>),
}

impl DumpItem {
    fn word(text: impl Into<String>) -> DumpItem {
        DumpItem::Word(text.into())
    }

    /// A list that begins with a word.
    fn list(word: &str, rest: impl IntoIterator<Item = DumpItem>) -> DumpItem {
        DumpItem::List(std::iter::once(DumpItem::word(word)).chain(rest).collect())
    }

    fn width(&self) -> usize {
        match self {
            DumpItem::Word(text) => text.len(),
            DumpItem::List(nodes) => nodes.iter().map(|node| node.width() + 1).sum::<usize>() + 1,
            DumpItem::Keyed(key, node) => key.len() + 2 + node.width(),
            DumpItem::Named(key, node) => key.len() + 2 + node.width(),
        }
    }

    fn print(&self, indent: usize, out: &mut String) {
        match self {
            DumpItem::Word(text) => out.push_str(text),
            DumpItem::Keyed(key, node) => print_keyed(key, node, indent, out),
            DumpItem::Named(key, node) => print_keyed(key, node, indent, out),
            DumpItem::List(nodes) => {
                let broken = indent + self.width() > WIDTH;
                let mut in_head = true;
                out.push('(');
                for (i, node) in nodes.iter().enumerate() {
                    in_head &= matches!(node, DumpItem::Word(_));
                    if i > 0 && broken && !in_head {
                        out.push('\n');
                        out.push_str(&" ".repeat(indent + 2));
                    } else if i > 0 {
                        out.push(' ');
                    }
                    node.print(indent + 2, out);
                }
                out.push(')');
            }
        }
    }
}

fn print_keyed(key: &str, node: &DumpItem, indent: usize, out: &mut String) {
    out.push_str(key);
    out.push_str(": ");
    node.print(indent, out);
}

fn item_node(item: &Item) -> DumpItem {
    let mut node = match &item.kind {
        ItemKind::Use { path, .. } => DumpItem::list("use", [quoted(path)]),
        ItemKind::Const { name, value } => {
            DumpItem::list("const", [name_node(name), expr_node(value)])
        }
        ItemKind::Data { name, value, fields } => {
            let fields = fields.iter().flatten().map(field_node);
            DumpItem::list("data", [name_node(name), expr_node(value)].into_iter().chain(fields))
        }
        ItemKind::Function(function) => function_node(function),
        ItemKind::Train(train) => {
            let data =
                train.data.iter().map(|data| DumpItem::Keyed("on", Box::new(name_node(data))));
            let keys = train
                .keys
                .iter()
                .map(|key| DumpItem::list("=", [name_node(&key.key), expr_node(&key.value)]));
            let model = std::iter::once(name_node(&train.model));
            DumpItem::list("train", model.chain(data).chain(keys))
        }
    };
    if let DumpItem::List(nodes) = &mut node
        && !item.doc.is_empty()
    {
        nodes.insert(1, DumpItem::Keyed("doc", Box::new(quoted(&item.doc))));
    }
    node
}

fn field_node(field: &FieldDecl) -> DumpItem {
    let role = field.role.iter().map(|role| DumpItem::Keyed("as", Box::new(name_node(role))));
    let own = [name_node(&field.name), expr_node(&field.value)];
    DumpItem::list("=", own.into_iter().chain(role))
}

fn function_node(function: &Function) -> DumpItem {
    let params = function.params.iter().map(|param| {
        let head = DumpItem::List(vec![name_node(&param.name)]);
        let mut node = declared(head, &param.ty, "default", &param.default);
        if let DumpItem::List(nodes) = &mut node {
            let at = 1 + usize::from(param.ty.is_some());
            let none = param.or_none.map(|_| ("or", DumpItem::word("none".to_owned())));
            let domain = param.domain.as_ref().map(|domain| ("domain", domain_node(domain)));
            let keyed = |(key, item)| DumpItem::Keyed(key, Box::new(item));
            nodes.splice(at..at, none.into_iter().chain(domain).map(keyed));
        }
        node
    });
    let mut nodes = vec![name_node(&function.name), DumpItem::list("params", params)];
    if let Some(result) = &function.result {
        nodes.push(DumpItem::Keyed("result", Box::new(type_node(result))));
    }
    if !function.parts.is_empty() {
        let part = |part: &PartDecl| {
            DumpItem::Named(part.name.text.clone(), Box::new(type_node(&part.ty)))
        };
        let parts = DumpItem::List(function.parts.iter().map(part).collect());
        nodes.push(DumpItem::Keyed("result", Box::new(parts)));
    }
    if let Some(goal) = function.goal {
        let word = match goal {
            Goal::Minimize => "minimize",
            Goal::Maximize => "maximize",
        };
        nodes.push(DumpItem::Keyed("goal", Box::new(DumpItem::word(word.to_owned()))));
    }
    nodes.push(block_node(&function.body));
    if let Some(over) = &function.over {
        let parts = [name_node(&over.name)].into_iter().chain(over.block.iter().map(block_node));
        nodes.push(DumpItem::list("over", parts));
    }
    let kind = match function.kind {
        FunctionKind::Layer => "layer",
        FunctionKind::Model => "model",
        FunctionKind::Loss => "loss",
        FunctionKind::Metric => "metric",
        FunctionKind::Optimizer => "optimizer",
        FunctionKind::Schedule => "schedule",
        FunctionKind::Initializer => "initializer",
    };
    DumpItem::list(kind, nodes)
}

/// Adds a type and a value, where there are any, to a list.
fn declared(
    mut node: DumpItem,
    ty: &Option<TypeExpr>,
    key: &'static str,
    value: &Option<Expr>,
) -> DumpItem {
    if let DumpItem::List(nodes) = &mut node {
        nodes.extend(ty.iter().map(|ty| DumpItem::Keyed("type", Box::new(type_node(ty)))));
        nodes.extend(value.iter().map(|value| DumpItem::Keyed(key, Box::new(expr_node(value)))));
    }
    node
}

fn type_node(ty: &TypeExpr) -> DumpItem {
    let Some(dims) = &ty.dims else { return name_node(&ty.name) };
    let dims = dims.iter().map(|dim| match dim {
        DimExpr::Expr(expr) => expr_node(expr),
        DimExpr::Rest(name) => DumpItem::word(format!("..{}", name.text)),
    });
    DumpItem::list(&ty.name.text, dims)
}

fn domain_node(domain: &ArgDomain) -> DumpItem {
    match &domain.kind {
        ArgDomainKind::Range { low, high, closed } => {
            let word = if *closed { "..=" } else { ".." };
            DumpItem::list(word, [expr_node(low), expr_node(high)])
        }
        ArgDomainKind::Bound(op, bound) => DumpItem::list(op.symbol(), [expr_node(bound)]),
        ArgDomainKind::OneOf(list) => DumpItem::list("in", [expr_node(list)]),
    }
}

fn block_node(block: &Block) -> DumpItem {
    let value =
        block.value.iter().map(|value| DumpItem::Keyed("value", Box::new(expr_node(value))));
    DumpItem::list("block", block.stmts.iter().map(stmt_node).chain(value))
}

fn stmt_node(stmt: &Statement) -> DumpItem {
    match &stmt.kind {
        StmtKind::Let { name, value } => DumpItem::list("let", [name_node(name), expr_node(value)]),
        StmtKind::Assign { name, value } => {
            DumpItem::list("<-", [name_node(name), expr_node(value)])
        }
        StmtKind::Require { condition, message } => DumpItem::list(
            "require",
            std::iter::once(expr_node(condition)).chain(message.iter().map(|text| quoted(text))),
        ),
        StmtKind::Expr(expr) => DumpItem::list("do", [expr_node(expr)]),
        StmtKind::Param(declaration) => declaration_node("param", declaration),
        StmtKind::State(declaration) => declaration_node("state", declaration),
        StmtKind::Carry(declaration) => declaration_node("carry", declaration),
    }
}

fn declaration_node(word: &str, declaration: &Declaration) -> DumpItem {
    let head = DumpItem::list(word, [name_node(&declaration.name)]);
    declared(head, &declaration.ty, "init", &declaration.init)
}

fn expr_node(expr: &Expr) -> DumpItem {
    match &expr.kind {
        ExprKind::Int(value) => DumpItem::word(value.to_string()),
        ExprKind::Float(value) => DumpItem::word(format!("{value:?}")),
        ExprKind::Bool(value) => DumpItem::word(value.to_string()),
        ExprKind::Str(text) => quoted(text),
        ExprKind::Name(name) => DumpItem::word(name),
        ExprKind::List(items) => DumpItem::list("[]", items.iter().map(expr_node)),
        ExprKind::Record(entries) => DumpItem::list(
            "()",
            entries.iter().map(|(name, value)| {
                DumpItem::Named(name.text.clone(), Box::new(expr_node(value)))
            }),
        ),
        ExprKind::Unary(UnaryOp::Neg, value) => DumpItem::list("-", [expr_node(value)]),
        ExprKind::Unary(UnaryOp::Not, value) => DumpItem::list("not", [expr_node(value)]),
        ExprKind::Binary(op, left, right) => {
            DumpItem::list(op.symbol(), [expr_node(left), expr_node(right)])
        }
        ExprKind::Call(call) => call_node(call),
        ExprKind::Pipe(..) => pipe_node(expr),
        ExprKind::Member(value, name) => DumpItem::list(".", [expr_node(value), name_node(name)]),
        ExprKind::Index(value, places) => DumpItem::list(
            ".[]",
            std::iter::once(expr_node(value)).chain(places.iter().map(index_node)),
        ),
        ExprKind::If(branches) => if_node(branches),
        ExprKind::Scan(scan) => {
            let head = [name_node(&scan.slice), expr_node(&scan.over)];
            let settings = scan.settings.iter().map(arg_node);
            let body = std::iter::once(block_node(&scan.body));
            DumpItem::list("scan", head.into_iter().chain(settings).chain(body))
        }
        ExprKind::Range(from, to) => DumpItem::list("..", [expr_node(from), expr_node(to)]),
    }
}

/// `(f a key: b)`. No form of the dump is named by a word that a function could have.
fn call_node(call: &Call) -> DumpItem {
    DumpItem::list(&call.callee.text, call.args.iter().map(arg_node))
}

fn arg_node(arg: &Arg) -> DumpItem {
    match &arg.name {
        Some(name) => DumpItem::Named(name.text.clone(), Box::new(expr_node(&arg.value))),
        None => expr_node(&arg.value),
    }
}

/// A pipeline with all its stages in one list.
fn pipe_node(expr: &Expr) -> DumpItem {
    let mut stages = Vec::new();
    let mut source = expr;
    while let ExprKind::Pipe(value, stage) = &source.kind {
        stages.push(stage_node(stage));
        source = value;
    }
    stages.push(expr_node(source));
    stages.reverse();
    DumpItem::list("|>", stages)
}

fn stage_node(stage: &PipeStage) -> DumpItem {
    let node = match &stage.kind {
        StageKind::Call(call) if call.args.is_empty() => name_node(&call.callee),
        StageKind::Call(call) => call_node(call),
        StageKind::Repeat { counter, from, to, body } => {
            let counter = counter.iter().map(name_node);
            let from = from.iter().map(|from| DumpItem::Keyed("from", Box::new(expr_node(from))));
            let to = std::iter::once(DumpItem::Keyed("to", Box::new(expr_node(to))));
            DumpItem::list(
                "repeat",
                counter.chain(from).chain(to).chain(body.iter().map(stage_node)),
            )
        }
    };
    match &stage.label {
        Some(label) => DumpItem::list("as", [name_node(label), node]),
        None => node,
    }
}

fn index_node(index: &Index) -> DumpItem {
    let end = |end: &Option<Expr>| end.as_ref().map_or(DumpItem::word("_"), expr_node);
    match index {
        Index::Rest(_) => DumpItem::word(".."),
        Index::At(at) => expr_node(at),
        Index::Slice { from, to, .. } => DumpItem::list(":", [end(from), end(to)]),
    }
}

fn if_node(branches: &If) -> DumpItem {
    let mut nodes = vec![expr_node(&branches.condition), block_node(&branches.then)];
    nodes.extend(branches.otherwise.iter().map(block_node));
    DumpItem::list("if", nodes)
}

fn name_node(name: &Name) -> DumpItem {
    DumpItem::word(&name.text)
}

fn quoted(text: &str) -> DumpItem {
    DumpItem::word(format!("{text:?}"))
}
