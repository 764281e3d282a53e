//! Whether a fix takes away what the author has written.
//!
//! ```text
//! x |> attention(4) |> dense(2)      →  x |> dense(2)               a call less: yes
//! dense(64, activation: relu)        →  dense(64) |> relu           an argument became a call: no
//! dense(-32)                         →  dense(32)                   another number: no
//! ```
//!
//! In: a file's tree before and after. Looked at is how many items, settings, and parts of them (calls,
//! arguments, statements, parameters, entries of lists) there are, not which edit it was: so no new
//! kind of edit can take something away unnoticed. What a program means is not compared, nor are
//! the dimensions of types.

use crate::syntax::ast::{Call, Expr, ExprKind, File, ItemKind, PipeStage, StageKind, StmtKind};
use crate::syntax::walk::{self, SyntaxNode};

/// Counts of a file's parts, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ItemCounts {
    items: usize,
    settings: usize,
    /// Calls, arguments, statements, values of blocks, parameters, and entries of lists beyond the
    /// first.
    parts: usize,
    /// Lists without an entry: `[3]` may become `3`, but not `[]`.
    empty: usize,
}

/// Whether a file has less in it after a fix.
pub fn takes_away(before: &File, after: &File) -> bool {
    let (before, after) = (ItemCounts::of(before), ItemCounts::of(after));
    after.items < before.items
        || after.settings < before.settings
        || after.parts < before.parts
        || after.empty > before.empty
}

impl ItemCounts {
    fn of(file: &File) -> ItemCounts {
        let mut tally = ItemCounts { items: file.items.len(), ..ItemCounts::default() };
        for item in &file.items {
            match &item.kind {
                ItemKind::Train(train) => tally.settings += train.keys.len(),
                ItemKind::Function(function) => {
                    tally.parts += function.params.len();
                    let mut open = vec![&function.body];
                    while let Some(block) = open.pop() {
                        let expressions = |stmt: &&crate::syntax::ast::Statement| {
                            !matches!(stmt.kind, StmtKind::Expr(_))
                        };
                        tally.parts += block.stmts.iter().filter(expressions).count();
                        tally.parts += usize::from(block.value.is_some());
                        open.extend(walk::blocks(block));
                    }
                }
                ItemKind::Use { .. } | ItemKind::Const { .. } | ItemKind::Data { .. } => {}
            }
            walk::item_nodes(item, &mut |node| {
                tally.parts += parts(node);
                tally.empty += usize::from(
                    matches!(node, SyntaxNode::Expr(Expr { kind: ExprKind::List(it), .. }) if it.is_empty()),
                );
            });
        }
        tally
    }
}

/// The parts that a node adds, without those inside it.
fn parts(node: SyntaxNode<'_>) -> usize {
    match node {
        SyntaxNode::Expr(Expr { kind: ExprKind::Call(call), .. }) => 1 + plain(call),
        SyntaxNode::Expr(Expr { kind: ExprKind::List(entries), .. }) => {
            entries.len().saturating_sub(1)
        }
        SyntaxNode::Stage(PipeStage { kind: StageKind::Call(call), label, .. }) => {
            1 + plain(call) + usize::from(label.is_some())
        }
        SyntaxNode::Stage(PipeStage { kind: StageKind::Repeat { .. }, label, .. }) => {
            1 + usize::from(label.is_some())
        }
        SyntaxNode::Expr(_) | SyntaxNode::Type(_) | SyntaxNode::Name(_) => 0,
    }
}

/// The arguments of a call that are no calls, which count for themselves.
fn plain(call: &Call) -> usize {
    call.args.iter().filter(|arg| !matches!(arg.value.kind, ExprKind::Call(_))).count()
}

#[cfg(test)]
mod tests {
    use super::takes_away;
    use crate::base::source::Sources;
    use crate::syntax;

    fn taken(before: &str, after: &str) -> bool {
        let mut sources = Sources::new();
        let [before, after] = [before, after].map(|body| {
            let text = format!("model m(x: f32[N, 4]) {{ {body} }}\n");
            let file = sources.add("m.nn", text);
            syntax::parse(&sources, file).expect("it parses")
        });
        takes_away(&before, &after)
    }

    #[test]
    fn a_list_that_becomes_empty_has_less_in_it() {
        assert!(taken("x |> mean(axis: [1])", "x |> mean(axis: [])"));
        assert!(!taken("x |> mean(axis: [1])", "x |> mean(axis: 1)"));
    }

    #[test]
    fn what_has_less_in_it_is_told_from_what_is_written_otherwise() {
        let less = [
            ("x |> attention(4) |> dense(2)", "x |> dense(2)"),
            ("relu(x)", "x"),
            ("x |> dense(2, bias: false)", "x |> dense(2)"),
            ("x |> conv(8, [3, 5])", "x |> conv(8, 3)"),
            ("x |> dense(2) as head", "x |> dense(2)"),
            ("x |> repeat 3 { dense(2) }", "x |> dense(2)"),
            ("let y = relu(x)\n x", "x"),
        ];
        for (before, after) in less {
            assert!(taken(before, after), "{before} → {after}");
        }
        let other = [
            ("x |> dense(64, activation: relu)", "x |> dense(64) |> relu"),
            ("x |> dense(64, activation: leaky_relu(0.2))", "x |> dense(64) |> leaky_relu(0.2)"),
            ("concat(x, x)", "concat([x, x])"),
            ("x |> dense(-2)", "x |> dense(2)"),
            ("x |> dropout([0.1])", "x |> dropout(0.1)"),
            ("x |> dense(2)", "x |> flatten |> dense(2)"),
            ("x |> dense(2) |> relu", "x |> relu |> dense(2)"),
        ];
        for (before, after) in other {
            assert!(!taken(before, after), "{before} → {after}");
        }
    }
}
