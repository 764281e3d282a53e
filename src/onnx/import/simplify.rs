//! A network with the language's own words for what the file spells out.
//!
//! ```text
//! reshape(mean(x, axis: [1, 2], keep: true), [N, 2048])   →  global_avg_pool(x)
//! x * sigmoid(x)                                          →  silu(x)
//! x / 1.4142135 |> erf, + 1, * x, * 0.5                   →  gelu(x)
//! reshape(reshape(x, a), b)                               →  reshape(x, b)
//! ```
//!
//! Nodes that nothing reads any more go.

use super::net::{CallSetting, Net, NetForm, NetId, NetNode};
use super::size::SymbolicSize;

/// Rewrites nodes, each once, in order.
pub(super) fn simplify(mut net: Net) -> Net {
    let uses = net.uses();
    for id in 0..net.nodes.len() {
        let once = |id: NetId| uses[id] == 1;
        let made = reshape_of_reshape(&net, id, &once)
            .or_else(|| global_pool(&net, id))
            .or_else(|| silu(&net, id))
            .or_else(|| gelu(&net, id));
        if let Some(node) = made {
            net.nodes[id] = node;
        }
    }
    swept(net)
}

/// The arguments of a call of this name.
fn call<'a>(net: &'a Net, id: NetId, name: &str) -> Option<&'a NetNode> {
    let node = &net.nodes[id];
    matches!(&node.form, NetForm::Call { callee, .. } if callee == name).then_some(node)
}

/// A call of a function of one value in a node's place.
fn replaced(node: &NetNode, callee: &str, arg: NetId) -> NetNode {
    let settings = vec![(None, CallSetting::Arg(0))];
    let form = NetForm::Call { callee: callee.to_owned(), settings };
    NetNode { form, args: vec![arg], ..node.clone() }
}

fn reshape_of_reshape(net: &Net, id: NetId, once: &dyn Fn(NetId) -> bool) -> Option<NetNode> {
    let node = call(net, id, "reshape")?;
    let inner = *node.args.first()?;
    let before = call(net, inner, "reshape").or_else(|| call(net, inner, "flatten"))?;
    once(inner).then(|| NetNode { args: before.args.clone(), ..node.clone() })
}

fn global_pool(net: &Net, id: NetId) -> Option<NetNode> {
    let node = call(net, id, "reshape")?;
    let inner = *node.args.first()?;
    let (pool, callee) = match (call(net, inner, "mean"), call(net, inner, "max")) {
        (Some(pool), _) => (pool, "global_avg_pool"),
        (None, Some(pool)) => (pool, "global_max_pool"),
        (None, None) => return None,
    };
    let from = &net.nodes[*pool.args.first()?].shape;
    let spatial: Vec<i64> = (1..from.len() as i64 - 1).collect();
    let NetForm::Call { settings, .. } = &pool.form else { return None };
    let all = settings
        .iter()
        .any(|(name, setting)| *name == Some("axis") && *setting == CallSetting::axes(&spatial));
    let fits =
        from.len() > 2 && from[0] == SymbolicSize::N && node.shape[..] == [from[0], *from.last()?];
    (all && fits && pool.args.len() == 1).then(|| replaced(node, callee, pool.args[0]))
}

/// The two sides of an operator, where both are values.
fn sides(node: &NetNode, sign: &str) -> Option<(NetId, NetId)> {
    match &node.form {
        NetForm::Infix(own, CallSetting::Arg(a), CallSetting::Arg(b)) if *own == sign => {
            Some((node.args[*a], node.args[*b]))
        }
        _ => None,
    }
}

/// A value and the number that meets it, in either order.
fn number(node: &NetNode, sign: &str) -> Option<(NetId, f64)> {
    match &node.form {
        NetForm::Infix(own, CallSetting::Arg(a), CallSetting::Float(number)) if *own == sign => {
            Some((node.args[*a], *number))
        }
        NetForm::Infix(own, CallSetting::Float(number), CallSetting::Arg(a))
            if *own == sign && matches!(sign, "*" | "+") =>
        {
            Some((node.args[*a], *number))
        }
        _ => None,
    }
}

fn silu(net: &Net, id: NetId) -> Option<NetNode> {
    let node = &net.nodes[id];
    let (a, b) = sides(node, "*")?;
    let of = |gate: NetId| call(net, gate, "sigmoid").map(|gate| gate.args[0]);
    let silu = of(b) == Some(a);
    (silu || of(a) == Some(b)).then(|| replaced(node, "silu", if silu { a } else { b }))
}

/// `x · ½ · (1 + erf(x / √2))`, its factors in any order.
fn gelu(net: &Net, id: NetId) -> Option<NetNode> {
    let node = &net.nodes[id];
    let mut factors = Vec::new();
    let mut scale = 1.0;
    collect(net, id, 3, &mut factors, &mut scale);
    let [a, b] = factors[..] else { return None };
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
    let x_of = |bracket: NetId| {
        let (erf, one) = number(&net.nodes[bracket], "+")?;
        let inner = *call(net, erf, "erf")?.args.first()?;
        let half = net.nodes.get(inner)?;
        let (x, by) =
            number(half, "/").map(|(x, by)| (x, 1.0 / by)).or_else(|| number(half, "*"))?;
        (close(one, 1.0) && close(by, 0.5f64.sqrt())).then_some(x)
    };
    let found = x_of(a).filter(|&x| x == b).or_else(|| x_of(b).filter(|&x| x == a));
    found.filter(|_| close(scale, 0.5)).map(|x| replaced(node, "gelu", x))
}

/// The factors of a product, and the number among them.
fn collect(net: &Net, id: NetId, depth: usize, factors: &mut Vec<NetId>, scale: &mut f64) {
    let node = &net.nodes[id];
    match (sides(node, "*"), number(node, "*")) {
        (Some((a, b)), _) if depth > 0 && factors.len() < 4 => {
            collect(net, a, depth - 1, factors, scale);
            collect(net, b, depth - 1, factors, scale);
        }
        (None, Some((a, by))) if depth > 0 => {
            *scale *= by;
            collect(net, a, depth - 1, factors, scale);
        }
        _ => factors.push(id),
    }
}

/// The nodes that outputs depend on, inputs included.
fn swept(net: Net) -> Net {
    let mut needed = vec![false; net.nodes.len()];
    let mut stack: Vec<NetId> = net.outputs.iter().map(|(_, id)| *id).collect();
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut needed[id], true) {
            stack.extend(&net.nodes[id].args);
        }
    }
    let mut new = vec![0; net.nodes.len()];
    let mut made = Net::default();
    for (id, node) in net.nodes.into_iter().enumerate() {
        if needed[id] || matches!(node.form, NetForm::Input(_)) {
            let args = node.args.iter().map(|&arg| new[arg]).collect();
            new[id] = made.push(NetNode { args, ..node });
        }
    }
    made.outputs = net.outputs.into_iter().map(|(name, id)| (name, new[id])).collect();
    made
}
