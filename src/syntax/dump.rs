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

/// What is printed: words, lists in parentheses, and `key: node`.
enum Node {
    Word(String),
    List(Vec<Node>),
    Keyed(&'static str, Box<Node>),
    Named(String, Box<Node>),
}

impl Node {
    fn word(text: impl Into<String>) -> Node {
        Node::Word(text.into())
    }

    /// A list that begins with a word.
    fn list(word: &str, rest: impl IntoIterator<Item = Node>) -> Node {
        Node::List(std::iter::once(Node::word(word)).chain(rest).collect())
    }

    fn width(&self) -> usize {
        match self {
            Node::Word(text) => text.len(),
            Node::List(nodes) => nodes.iter().map(|node| node.width() + 1).sum::<usize>() + 1,
            Node::Keyed(key, node) => key.len() + 2 + node.width(),
            Node::Named(key, node) => key.len() + 2 + node.width(),
        }
    }

    fn print(&self, indent: usize, out: &mut String) {
        match self {
            Node::Word(text) => out.push_str(text),
            Node::Keyed(key, node) => print_keyed(key, node, indent, out),
            Node::Named(key, node) => print_keyed(key, node, indent, out),
            Node::List(nodes) => {
                let broken = indent + self.width() > WIDTH;
                let mut in_head = true;
                out.push('(');
                for (i, node) in nodes.iter().enumerate() {
                    in_head &= matches!(node, Node::Word(_));
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

fn print_keyed(key: &str, node: &Node, indent: usize, out: &mut String) {
    out.push_str(key);
    out.push_str(": ");
    node.print(indent, out);
}

fn item_node(item: &Item) -> Node {
    let mut node = match &item.kind {
        ItemKind::Use { path, .. } => Node::list("use", [quoted(path)]),
        ItemKind::Const { name, value } => Node::list("const", [name_node(name), expr_node(value)]),
        ItemKind::Data { name, value } => Node::list("data", [name_node(name), expr_node(value)]),
        ItemKind::Function(function) => function_node(function),
        ItemKind::Train(train) => {
            let data = train.data.iter().map(|data| Node::Keyed("on", Box::new(name_node(data))));
            let keys = train
                .keys
                .iter()
                .map(|key| Node::list("=", [name_node(&key.key), expr_node(&key.value)]));
            let model = std::iter::once(name_node(&train.model));
            Node::list("train", model.chain(data).chain(keys))
        }
    };
    if let Node::List(nodes) = &mut node
        && !item.doc.is_empty()
    {
        nodes.insert(1, Node::Keyed("doc", Box::new(quoted(&item.doc))));
    }
    node
}

fn function_node(function: &Function) -> Node {
    let params = function.params.iter().map(|param| {
        let head = Node::List(vec![name_node(&param.name)]);
        let mut node = declared(head, &param.ty, "default", &param.default);
        if let (Node::List(nodes), Some(domain)) = (&mut node, &param.domain) {
            let at = 1 + usize::from(param.ty.is_some());
            nodes.insert(at, Node::Keyed("domain", Box::new(domain_node(domain))));
        }
        node
    });
    let mut nodes = vec![name_node(&function.name), Node::list("params", params)];
    if let Some(result) = &function.result {
        nodes.push(Node::Keyed("result", Box::new(type_node(result))));
    }
    if let Some(goal) = function.goal {
        let word = match goal {
            Goal::Minimize => "minimize",
            Goal::Maximize => "maximize",
        };
        nodes.push(Node::Keyed("goal", Box::new(Node::word(word.to_owned()))));
    }
    nodes.push(block_node(&function.body));
    let kind = match function.kind {
        FunctionKind::Layer => "layer",
        FunctionKind::Model => "model",
        FunctionKind::Loss => "loss",
        FunctionKind::Metric => "metric",
        FunctionKind::Optimizer => "optimizer",
        FunctionKind::Schedule => "schedule",
        FunctionKind::Initializer => "initializer",
    };
    Node::list(kind, nodes)
}

/// Adds a type and a value, where there are any, to a list.
fn declared(mut node: Node, ty: &Option<Type>, key: &'static str, value: &Option<Expr>) -> Node {
    if let Node::List(nodes) = &mut node {
        nodes.extend(ty.iter().map(|ty| Node::Keyed("type", Box::new(type_node(ty)))));
        nodes.extend(value.iter().map(|value| Node::Keyed(key, Box::new(expr_node(value)))));
    }
    node
}

fn type_node(ty: &Type) -> Node {
    let Some(dims) = &ty.dims else { return name_node(&ty.name) };
    let dims = dims.iter().map(|dim| match dim {
        Dim::Expr(expr) => expr_node(expr),
        Dim::Rest(name) => Node::word(format!("..{}", name.text)),
    });
    Node::list(&ty.name.text, dims)
}

fn domain_node(domain: &ArgDomain) -> Node {
    match &domain.kind {
        ArgDomainKind::Range { low, high, closed } => {
            let word = if *closed { "..=" } else { ".." };
            Node::list(word, [expr_node(low), expr_node(high)])
        }
        ArgDomainKind::Bound(op, bound) => Node::list(op.symbol(), [expr_node(bound)]),
        ArgDomainKind::OneOf(list) => Node::list("in", [expr_node(list)]),
    }
}

fn block_node(block: &Block) -> Node {
    let value = block.value.iter().map(|value| Node::Keyed("value", Box::new(expr_node(value))));
    Node::list("block", block.stmts.iter().map(stmt_node).chain(value))
}

fn stmt_node(stmt: &Stmt) -> Node {
    match &stmt.kind {
        StmtKind::Let { name, value } => Node::list("let", [name_node(name), expr_node(value)]),
        StmtKind::Assign { name, value } => Node::list("<-", [name_node(name), expr_node(value)]),
        StmtKind::Require { condition, message } => Node::list(
            "require",
            std::iter::once(expr_node(condition)).chain(message.iter().map(|text| quoted(text))),
        ),
        StmtKind::Expr(expr) => Node::list("do", [expr_node(expr)]),
        StmtKind::Param(declaration) => declaration_node("param", declaration),
        StmtKind::State(declaration) => declaration_node("state", declaration),
    }
}

fn declaration_node(word: &str, declaration: &Declaration) -> Node {
    let head = Node::list(word, [name_node(&declaration.name)]);
    declared(head, &declaration.ty, "init", &declaration.init)
}

fn expr_node(expr: &Expr) -> Node {
    match &expr.kind {
        ExprKind::Int(value) => Node::word(value.to_string()),
        ExprKind::Float(value) => Node::word(format!("{value:?}")),
        ExprKind::Bool(value) => Node::word(value.to_string()),
        ExprKind::Str(text) => quoted(text),
        ExprKind::Name(name) => Node::word(name),
        ExprKind::List(items) => Node::list("[]", items.iter().map(expr_node)),
        ExprKind::Unary(UnaryOp::Neg, value) => Node::list("-", [expr_node(value)]),
        ExprKind::Unary(UnaryOp::Not, value) => Node::list("not", [expr_node(value)]),
        ExprKind::Binary(op, left, right) => {
            Node::list(op.symbol(), [expr_node(left), expr_node(right)])
        }
        ExprKind::Call(call) => call_node(call),
        ExprKind::Pipe(..) => pipe_node(expr),
        ExprKind::Member(value, name) => Node::list(".", [expr_node(value), name_node(name)]),
        ExprKind::Index(value, places) => Node::list(
            ".[]",
            std::iter::once(expr_node(value)).chain(places.iter().map(index_node)),
        ),
        ExprKind::If(branches) => if_node(branches),
        ExprKind::Range(from, to) => Node::list("..", [expr_node(from), expr_node(to)]),
    }
}

/// `(f a key: b)`. No form of the dump is named by a word that a function could have.
fn call_node(call: &Call) -> Node {
    let args = call.args.iter().map(|arg| match &arg.name {
        Some(name) => Node::Named(name.text.clone(), Box::new(expr_node(&arg.value))),
        None => expr_node(&arg.value),
    });
    Node::list(&call.callee.text, args)
}

/// A pipeline with all its stages in one list.
fn pipe_node(expr: &Expr) -> Node {
    let mut stages = Vec::new();
    let mut source = expr;
    while let ExprKind::Pipe(value, stage) = &source.kind {
        stages.push(stage_node(stage));
        source = value;
    }
    stages.push(expr_node(source));
    stages.reverse();
    Node::list("|>", stages)
}

fn stage_node(stage: &Stage) -> Node {
    let node = match &stage.kind {
        StageKind::Call(call) if call.args.is_empty() => name_node(&call.callee),
        StageKind::Call(call) => call_node(call),
        StageKind::Repeat { counter, from, to, body } => {
            let counter = counter.iter().map(name_node);
            let from = from.iter().map(|from| Node::Keyed("from", Box::new(expr_node(from))));
            let to = std::iter::once(Node::Keyed("to", Box::new(expr_node(to))));
            Node::list("repeat", counter.chain(from).chain(to).chain(body.iter().map(stage_node)))
        }
    };
    match &stage.label {
        Some(label) => Node::list("as", [name_node(label), node]),
        None => node,
    }
}

fn index_node(index: &Index) -> Node {
    let end = |end: &Option<Expr>| end.as_ref().map_or(Node::word("_"), expr_node);
    match index {
        Index::Rest(_) => Node::word(".."),
        Index::At(at) => expr_node(at),
        Index::Slice { from, to, .. } => Node::list(":", [end(from), end(to)]),
    }
}

fn if_node(branches: &If) -> Node {
    let mut nodes = vec![expr_node(&branches.condition), block_node(&branches.then)];
    nodes.extend(branches.otherwise.iter().map(block_node));
    Node::list("if", nodes)
}

fn name_node(name: &Name) -> Node {
    Node::word(&name.text)
}

fn quoted(text: &str) -> Node {
    Node::word(format!("{text:?}"))
}
