"""What PyTorch computes for a graph's text form: the other side of `torch_random.rs`.

It reads cases from standard input and answers on standard output, each as eight bytes with a length
and a safetensors file of that length. A case has the metadata `graph`, the text of a forward graph
whose batch is a number, `mode`, `edges`, and for training `training`, a JSON object with the optimiser, its
arguments and the settings around it. Its tensors are `input.NAME`, `param.PATH`, `state.PATH` and
`uniform.STREAM`, the values of a random operator. The answer has `want.NAME` and `spread.NAME` of each
value, and the metadata `summary`, the lines of the case in the file of expected numbers.

    evaluation  outputs by their names
    gradients   these, `grad.PATH`, `grad.input.NAME`, and `state.PATH` after the step
    training    the outputs of the first step, then `param.PATH` and `state.PATH` after the last

Values are computed in float64. The spread is how far the same in float32 is from them at most, with
inputs, parameters and states changed by up to a part in a million or ten million: what the numbers
are good for. Derivatives are autograd's. Where the language documents another choice than PyTorch's
function of that name, the operator below is written in functions that make this choice, and says so.
"""

import json
import math
import re
import struct
import sys
import traceback

import numpy as np
import torch
import torch.nn.functional as F

# How many runs in float32, of one step and of a whole training.
CHANGES, CHANGES_OF_TRAINING = 8, 4
# How much of the inputs changes, run by run.
PARTS = [1e-6, 1e-7]
# A spread that is smaller than this part of the tolerance explains nothing.
NEGLIGIBLE = 0.1

DTYPES = {"f64": torch.float64, "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool}


# ---------------------------------------------------------------- the graph's text


class Node:
    """A line `%id = operator attributes arguments : type`."""

    def __init__(self, body, dtype, shape):
        self.name = re.match(r"[a-z_0-9]+", body).group()
        self.args = [int(number) for number in re.findall(r"%(\d+)", body)]
        self.text = body.split("%")[0][len(self.name) :].strip()
        self.dtype, self.shape = dtype, shape

    def numbers(self, text=None):
        """The integers of the attributes, or of a part of them, in order."""
        return [int(number) for number in re.findall(r"-?\d+", self.text if text is None else text)]


class Graph:
    """A graph: what it declares by kind, its nodes, outputs and updates."""

    def __init__(self, text):
        self.declared = {"input": [], "param": [], "state": []}
        self.floats, self.hypers, self.nodes, self.outputs, self.updates = set(), [], [], [], []
        # Each scan's number of steps and whether it goes backwards; each carry's scan, and the node
        # that it is handed.
        self.scans, self.carries, self.next = [], [], {}
        for line in text.strip().splitlines()[1:-1]:
            self.line(line.split(";")[0].strip())

    def line(self, line):
        if match := re.fullmatch(r"%\d+ = (.*) : (\w+)(?:\[([\d, ]*)\])?", line):
            body, dtype, shape = match.groups()
            self.nodes.append(Node(body, dtype, [int(n) for n in (shape or "").split(",") if n]))
        elif match := re.fullmatch(r"(input|param|state)\d+ (\S+): (\w+)(\[.*?\])?( = .*)?", line):
            kind, name, dtype = match.group(1, 2, 3)
            self.declared[kind].append(name)
            if dtype == "f32":
                self.floats.add(f"{kind}.{name}")
        elif match := re.fullmatch(r"hyper\d+ \S+ = (\S+)", line):
            self.hypers.append(float(match.group(1)))
        elif match := re.fullmatch(r"scan\d+ (\d+) steps( reverse)?", line):
            self.scans.append((int(match.group(1)), match.group(2) is not None))
        elif match := re.fullmatch(r"carry\d+ of scan(\d+)", line):
            self.carries.append(int(match.group(1)))
        elif match := re.fullmatch(r"next carry(\d+) = %(\d+)", line):
            self.next[int(match.group(1))] = int(match.group(2))
        elif match := re.fullmatch(r"output (\S+) = %(\d+)", line):
            self.outputs.append((match.group(1), int(match.group(2))))
        elif match := re.fullmatch(r"update state(\d+) = %(\d+)", line):
            self.updates.append((int(match.group(1)), int(match.group(2))))
        else:
            raise ValueError(f"not a line of a graph: {line}")

    def bodies(self):
        """The scan whose body each node is part of: what depends on its slices and carries."""
        found = []
        for node in self.nodes:
            if node.name == "scan_slice":
                found.append(node.numbers()[0])
            elif match := re.fullmatch(r"carry(\d+)", node.name):
                found.append(self.carries[int(match.group(1))])
            elif node.name == "scan_stack":
                found.append(None)
            else:
                found.append(next((found[arg] for arg in node.args if found[arg] is not None), None))
        return found


# ---------------------------------------------------------------- operators


def guarded(function, *args):
    """`function(*args)`, whose arguments get the gradient 0 where its value's gradient is 0, also
    where the slope is infinite or NaN. (Documented; in PyTorch, 0 times infinity is NaN.)"""
    if not (torch.is_grad_enabled() and any(arg.requires_grad for arg in args)):
        return function(*args)
    seen = []
    own = []
    for arg in args:
        if arg.requires_grad:
            arg = arg.view_as(arg)
            arg.register_hook(lambda g: torch.where(seen[-1] == 0, torch.zeros_like(g), g))
        own.append(arg)
    value = function(*own)
    value.register_hook(lambda g: seen.append(g))
    return value


def rows(x, axes):
    """The axes as one, behind the others."""
    kept = [axis for axis in range(x.dim()) if axis not in axes]
    return x.permute(kept + list(axes)).reshape([x.shape[axis] for axis in kept] + [-1])


def extreme(x, axes, sign):
    """The largest or least element; its gradient goes to the first one. (Documented; `amax` shares
    it. `argmax` is the first of equal ones.)"""
    x = rows(x, axes)
    first = torch.argmax(sign * x, dim=-1, keepdim=True)
    return torch.gather(x, -1, first).squeeze(-1)


def int_div(a, b):
    """Toward zero; by zero it is 0."""
    a, b = a.to(torch.int64), b.to(torch.int64)
    safe = torch.where(b == 0, torch.ones_like(b), b)
    quotient = torch.div(a, safe, rounding_mode="trunc")
    return torch.where(b == 0, torch.zeros_like(a), quotient).to(torch.int32)


def cast(x, dtype):
    """To another type: a float is cut toward zero and saturates, NaN is 0; `i32` to `u8` keeps the low
    bits."""
    if dtype.is_floating_point:
        return x.to(dtype)
    if dtype == torch.bool:
        return x != 0
    if x.is_floating_point():
        low, high = (0, 255) if dtype == torch.uint8 else (-(2**31), 2**31 - 1)
        whole = torch.nan_to_num(x.detach().to(torch.float64), nan=0.0).clamp(low, high)
        return whole.trunc().to(torch.int64).to(dtype)
    return (x.to(torch.int64) & 255).to(dtype) if dtype == torch.uint8 else x.to(dtype)


class Window:
    """A window over `[n, h, w, c]`, from `[3, 3] stride [2, 2] pad [1 + 1, 0 + 1] dilation [1, 2]`."""

    def __init__(self, node):
        def part(name, otherwise):
            match = re.search(name + r" ?(\[.*?\])", node.text)
            return node.numbers(match.group(1)) if match else otherwise

        self.size = node.numbers(re.match(r"\[.*?\]", node.text).group())
        self.stride, self.dilation = part("stride", [1, 1]), part("dilation", [1, 1])
        self.top, self.bottom, self.left, self.right = part("pad", [0, 0, 0, 0])
        groups = re.search(r"groups (\d+)", node.text)
        self.groups = int(groups.group(1)) if groups else 1

    def bordered(self, x, value):
        """The images as PyTorch has them, `[n, c, h, w]`, with their border."""
        border = (self.left, self.right, self.top, self.bottom)
        return F.pad(x.permute(0, 3, 1, 2), border, value=value).contiguous()

    def conv(self, x, w):
        x, w = self.bordered(x, 0.0), w.permute(3, 2, 0, 1)
        y = F.conv2d(x, w, None, self.stride, 0, self.dilation, self.groups)
        return y.permute(0, 2, 3, 1)

    def conv_input_grad(self, y, w, shape):
        """A convolution's adjoint in its input: what it makes of no border, cut to the extents."""
        y, w = y.permute(0, 3, 1, 2).contiguous(), w.permute(3, 2, 0, 1).contiguous()
        x = F.conv_transpose2d(y, w, None, self.stride, 0, 0, self.groups, self.dilation)
        height, width = shape[1] + self.top + self.bottom, shape[2] + self.left + self.right
        x = F.pad(x, [0, width - x.shape[3], 0, height - x.shape[2]])
        rows, columns = slice(self.top, self.top + shape[1]), slice(self.left, self.left + shape[2])
        return x[:, :, rows, columns].permute(0, 2, 3, 1)

    def max_pool(self, x):
        x = self.bordered(x, -math.inf)
        y = F.max_pool2d(x, self.size, self.stride, 0, self.dilation)
        return y.permute(0, 2, 3, 1)

    def sum_pool(self, x):
        channels = x.shape[3]
        ones = torch.ones([channels, 1] + self.size, dtype=x.dtype)
        y = F.conv2d(self.bordered(x, 0.0), ones, None, self.stride, 0, self.dilation, channels)
        return y.permute(0, 2, 3, 1)


def sliced(x, node):
    """Parts of axes: `[:, 2 len 3, 5 len 2 step -1]`."""
    for axis, part in enumerate(node.text[1:-1].split(", ")):
        if part != ":":
            start, *others = node.numbers(part)
            count, step = node.shape[axis], others[-1] if "step" in part else 1
            index = torch.tensor([start + step * at for at in range(count)])
            x = torch.index_select(x, axis, index)
    return x


def padded(x, node):
    """A border of a value: `[0 + 0, 1 + 2] 0.5`."""
    amounts, value = node.text[1:].split("]")
    ends = node.numbers(amounts)
    ends = [amount for axis in reversed(range(x.dim())) for amount in ends[2 * axis : 2 * axis + 2]]
    return F.pad(x, ends, value=number(value.strip(), node.dtype))


def number(text, dtype):
    """A constant as an element of its type is."""
    if dtype == "f32":
        return float(np.float32(text))
    return {"true": 1.0, "false": 0.0}.get(text) if dtype == "bool" else float(text)


def iota(node):
    axis = node.numbers()[0]
    counted = torch.arange(node.shape[axis], dtype=torch.int32)
    ones = [1] * len(node.shape)
    ones[axis] = -1
    return counted.reshape(ones).expand(node.shape)


def gather(node, table, index):
    axis = node.numbers()[0]
    picked = torch.index_select(table, axis, index.reshape(-1).long())
    return picked.reshape(node.shape)


def matmul(node, a, b):
    a = a.transpose(-1, -2) if "transpose_a" in node.text else a
    b = b.transpose(-1, -2) if "transpose_b" in node.text else b
    return torch.matmul(a, b)


def reduced_sum(node, x):
    axes = node.numbers()
    return torch.sum(x, axes, dtype=x.dtype) if axes else x


# Functions of elements whose slope is finite wherever their argument is.
SMOOTH = {
    "neg": torch.neg,
    "abs": torch.abs,  # 0 at 0, as documented
    "sign": torch.sign,
    "floor": torch.floor,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "sin": torch.sin,
    "cos": torch.cos,
    "not": torch.logical_not,
    "add": torch.add,
    "sub": torch.sub,
    "min": torch.minimum,  # half to each at a tie, as documented
    "max": torch.maximum,
    "eq": torch.eq,
    "ne": torch.ne,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "where": torch.where,
}

# Those whose values are rounded also where what they are given are halves.
ROUNDED = {"tanh", "sigmoid", "erf", "erfc", "sin", "cos", "exp", "expm1", "log", "log1p", "pow"}

# Those whose slope may be infinite, or be multiplied by what is.
STEEP = {
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
}

# The others, from the node and its arguments.
OTHERS = {
    "broadcast": lambda node, x: x.expand(node.shape),
    "reshape": lambda node, x: x.reshape(node.shape),
    "transpose": lambda node, x: x.permute(node.numbers()),
    "slice": lambda node, x: sliced(x, node),
    "concat": lambda node, *parts: torch.cat(parts, node.numbers()[0]),
    "pad": lambda node, x: padded(x, node),
    "reduce_sum": reduced_sum,
    "reduce_max": lambda node, x: extreme(x, node.numbers(), 1),
    "reduce_min": lambda node, x: extreme(x, node.numbers(), -1),
    "argmax": lambda node, x: torch.argmax(x, node.numbers()[0]).to(torch.int32),
    "variance": lambda node, x: torch.var(x, node.numbers(), correction=0),
    "matmul": matmul,
    "conv": lambda node, x, w: Window(node).conv(x, w),
    "conv_input_grad": lambda node, y, w: Window(node).conv_input_grad(y, w, node.shape),
    "max_pool": lambda node, x: Window(node).max_pool(x),
    "sum_pool": lambda node, x: Window(node).sum_pool(x),
    "pick": lambda node, x, at: torch.gather(x, -1, at.long().unsqueeze(-1)).squeeze(-1),
    "gather": gather,
    "stop_gradient": lambda node, x: x.detach(),
}


class Run:
    """A graph's values, all floats but uniform scalars in one type."""

    def __init__(self, graph, given, dtype, step):
        self.graph, self.given, self.dtype, self.step = graph, given, dtype, step
        self.values = [None] * len(graph.nodes)
        self.bodies = graph.bodies()
        for at, body in enumerate(self.bodies):
            if body is None:
                self.need(at)

    def need(self, at):
        """Computes a node outside of scans, after what it reads."""
        node = self.graph.nodes[at]
        if self.values[at] is not None:
            return
        if node.name == "scan_stack":
            return self.scan(node.numbers()[0])
        for arg in node.args:
            self.need(arg)
        self.values[at] = self.value(node)

    def scan(self, scan):
        """All steps of a scan, and its stacks."""
        nodes, values = self.graph.nodes, self.values
        body = [at for at, own in enumerate(self.bodies) if own == scan]
        stacks = [at for at, n in enumerate(nodes) if n.name == "scan_stack" and n.numbers() == [scan]]
        carries = {at: int(nodes[at].name[5:]) for at in body if nodes[at].name.startswith("carry")}
        read = [arg for at in body + stacks for arg in nodes[at].args]
        for at in read + [self.graph.next[carry] for carry in carries.values()]:
            if self.bodies[at] is None:
                self.need(at)
        handed = {at: values[nodes[at].args[0]] for at in carries}
        joined = {at: [] for at in stacks}
        steps, reverse = self.graph.scans[scan]
        for step in reversed(range(steps)) if reverse else range(steps):
            for at in body:
                if nodes[at].name == "scan_slice":
                    values[at] = values[nodes[at].args[0]][step]
                else:
                    values[at] = handed[at] if at in carries else self.value(nodes[at])
            handed = {at: values[self.graph.next[carry]] for at, carry in carries.items()}
            for at, parts in joined.items():
                parts.append(values[nodes[at].args[0]])
        for at, parts in joined.items():
            values[at] = torch.stack(parts[::-1] if reverse else parts)

    def value(self, node):
        args = [self.values[arg] for arg in node.args]
        dtype = self.dtype if node.dtype == "f32" else DTYPES[node.dtype]
        if match := re.fullmatch(r"(input|param|state|hyper)(\d+)", node.name):
            kind, at = match.group(1), int(match.group(2))
            if kind == "hyper":
                return torch.tensor(self.graph.hypers[at], dtype=dtype)
            return self.given[f"{kind}.{self.graph.declared[kind][at]}"]
        if node.name == "step":
            return torch.tensor(float(self.step), dtype=dtype)
        if node.name == "const":
            return torch.tensor(number(node.text, node.dtype), dtype=torch.float64).to(dtype)
        if node.name == "uniform":
            return self.given[f"uniform.{node.text}"]
        if node.name == "iota":
            return iota(node)
        if node.name == "cast":
            return cast(args[0], dtype)
        if node.name == "div" and node.dtype == "i32":
            return int_div(*args)
        if node.name in SMOOTH:
            return SMOOTH[node.name](*args)
        if node.name in STEEP:
            return guarded(STEEP[node.name], *args)
        return OTHERS[node.name](node, *args)

    def outputs(self):
        return {name: self.values[node] for name, node in self.graph.outputs}

    def states(self):
        """The states that are written, by their names among what is given."""
        names = self.graph.declared["state"]
        return {f"state.{names[at]}": self.values[node] for at, node in self.graph.updates}


# ---------------------------------------------------------------- steps


def gradients(run, names):
    """The loss's gradients by what is given under these names; 0 where it does not depend on it."""
    leaves = [run.given[name] for name in names]
    loss = run.outputs()["loss"]
    found = [None] * len(leaves)
    if loss.requires_grad:
        found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found)]


def is_finite(*tensors):
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    return all(bool(torch.isfinite(tensor).all()) for tensor in floats)


def one_step(graph, given, dtype):
    """Outputs, gradients and states of a step."""
    names = sorted(name for name in graph.floats if not name.startswith("state."))
    given = dict(given)
    for name in names:
        given[name] = given[name].clone().requires_grad_()
    run = Run(graph, given, dtype, 1)
    values = run.outputs()
    states = {name: value for name, value in given.items() if name.startswith("state.")}
    found = gradients(run, names)
    for name, gradient in zip(names, found):
        values["grad." + name.removeprefix("param.")] = gradient
    # A step whose loss or gradient is not finite writes nothing.
    trained = [g for name, g in zip(names, found) if name.startswith("param.")]
    if is_finite(values["loss"], *trained, *run.states().values()):
        states.update(run.states())
    values.update(states)
    return values


class Lion:
    """Chen et al. 2023, algorithm 2: PyTorch has none."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        self.params, self.lr, self.betas, self.weight_decay = params, lr, betas, weight_decay
        self.means = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self):
        for p, m in zip(self.params, self.means):
            direction = torch.sign(self.betas[0] * m + (1 - self.betas[0]) * p.grad)
            p.mul_(1 - self.lr * self.weight_decay).sub_(self.lr * direction)
            m.mul_(self.betas[1]).add_((1 - self.betas[1]) * p.grad)


OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "lion": Lion,
}


def optimizer(training, params):
    """PyTorch's optimiser; what the program leaves out is PyTorch's default."""
    name, args = training["optimizer"], dict(training["args"])
    betas = {"beta1": 0.9, "beta2": 0.99 if name == "lion" else 0.999}
    if written := betas.keys() & args.keys():
        args["betas"] = tuple(args.get(key, betas[key]) for key in betas)
        for key in written:
            del args[key]
    if "initial" in args:
        args["initial_accumulator_value"] = args.pop("initial")
    if "nesterov" in args:
        args["nesterov"] = bool(args["nesterov"])
    # The setting of this name stands for the optimiser's own.
    if "weight_decay" in training["settings"] and name in ("sgd", "adamw", "lion"):
        args["weight_decay"] = 0.0
    return OPTIMIZERS[name](params, **args)


def learning_rate(built):
    return built.lr if isinstance(built, Lion) else built.param_groups[0]["lr"]


def around(training, names, params, built):
    """What a step does to gradients and parameters before the optimiser's rule, in this order."""
    settings = training["settings"]

    def concerned(key):
        spared = settings[key].get("except")
        pairs = zip(names, params)
        return [p for name, p in pairs if not spared or not name.endswith(spared.lstrip("*"))]

    with torch.no_grad():
        if "l1" in settings:  # Keras's: l1 · Σ |p|
            for p in concerned("l1"):
                p.grad += settings["l1"]["number"] * torch.sign(p)
        if "l2" in settings:  # Keras's: l2 · Σ p²
            for p in concerned("l2"):
                p.grad += 2 * settings["l2"]["number"] * p
        if "clip_norm" in settings:  # without the 1e-6 that `clip_grad_norm_` adds to the norm
            norm = torch.sqrt(sum((p.grad**2).sum() for p in params))
            for p in params:
                p.grad *= torch.clamp(settings["clip_norm"]["number"] / norm, max=1.0)
        if "clip_value" in settings:
            torch.nn.utils.clip_grad_value_(params, settings["clip_value"]["number"])
        if "weight_decay" in settings:  # decoupled, whatever the optimiser
            for p in concerned("weight_decay"):
                p *= 1 - learning_rate(built) * settings["weight_decay"]["number"]


def train(graph, given, dtype, training):
    """The outputs of the first step; parameters and states after the last."""
    given = dict(given)
    names = ["param." + path for path in graph.declared["param"]]
    params = [given[name].clone().requires_grad_() for name in names]
    given.update(zip(names, params))
    built = optimizer(training, params)
    values = {}
    for step in range(1, training["steps"] + 1):
        run = Run(graph, given, dtype, step)
        if step == 1:
            values = {name: value.detach().clone() for name, value in run.outputs().items()}
        for p, gradient in zip(params, gradients(run, names)):
            p.grad = gradient.detach().clone()
        states = {name: value.detach() for name, value in run.states().items()}
        around(training, names, params, built)
        built.step()
        given.update(states)
    kept = {name: value for name, value in given.items() if name.startswith(("param.", "state."))}
    values.update(kept)
    return values


# ---------------------------------------------------------------- cases


def signs(count):
    """Three rows of ±1, from the lowest bits of SplitMix64 of the index."""
    with np.errstate(over="ignore"):
        z = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.stack([1.0 - 2.0 * ((z >> np.uint64(k)) & np.uint64(1)) for k in range(3)])


def projections(values):
    return signs(values.size) @ values


def as_numbers(values):
    """The values as NumPy's arrays of one axis, by name."""
    flat = {name: value.detach().to(torch.float64).reshape(-1) for name, value in values.items()}
    return {name: value.numpy() for name, value in flat.items()}


def distance(a, b):
    """How far apart two arrays are at most; the same infinity or NaN in both is no distance."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    return math.inf if np.isnan(apart).any() else float(apart.max(initial=0.0))


def changed(tensors, graph, part, change):
    """What is given in float32, its floats changed by up to this part of them."""
    generator = torch.Generator().manual_seed(change)
    given = {}
    for name, value in tensors.items():
        if name in graph.floats:
            noise = 2 * torch.rand(value.shape, generator=generator, dtype=torch.float64) - 1
            value = (value.to(torch.float64) * (1 + part * noise)).to(torch.float32)
        given[name] = value
    return given


def summary_line(name, values, spread, spread_of_projections):
    largest = float(np.abs(values).max(initial=0.0))
    line = f"{name} {values.size} " + " ".join(f"{x:.7g}" for x in [largest, *projections(values)])
    negligible = NEGLIGIBLE * (1e-5 + 1e-4 * largest)
    if spread > negligible or spread_of_projections > negligible * math.sqrt(values.size):
        line += f" {spread:.2g} {spread_of_projections:.2g}"
    return line


def answer(tensors, metadata):
    """The tensors and metadata that answer a case."""
    graph, mode = Graph(metadata["graph"]), metadata["mode"]
    changes = CHANGES_OF_TRAINING if mode == "training" else CHANGES
    # On edges, what is given stays: a wrong rule for ties would pass as one that rounding decides.
    # What a transcendental function gives is on no edge: a tie of it is one that rounding decides.
    on_edges = metadata["edges"] == "true" and not any(n.name in ROUNDED for n in graph.nodes)
    parts = [0.0] if on_edges else (PARTS * changes)[:changes]

    def compute(given, dtype):
        if mode == "training":
            return as_numbers(train(graph, given, dtype, json.loads(metadata["training"])))
        if mode == "gradients":
            return as_numbers(one_step(graph, given, dtype))
        return as_numbers(Run(graph, given, dtype, 1).outputs())

    def wide(value):
        return value.to(torch.float64) if value.dtype == torch.float32 else value

    exact = {name: wide(value) for name, value in tensors.items()}
    want = compute(exact, torch.float64)
    spread, of_projections = dict.fromkeys(want, 0.0), dict.fromkeys(want, 0.0)
    for change, part in enumerate(parts):
        given = changed(tensors, graph, part, change)
        for name, found in compute(given, torch.float32).items():
            spread[name] = max(spread[name], distance(found, want[name]))
            apart = distance(projections(found), projections(want[name]))
            of_projections[name] = max(of_projections[name], apart)

    result, lines = {}, []
    everything = np.concatenate([x.reshape(-1) for _, x in sorted(as_numbers(exact).items())])
    lines.append(summary_line("given", everything, 0.0, 0.0))
    for name in sorted(want):
        result["want." + name] = want[name]
        result["spread." + name] = np.array([spread[name]])
        lines.append(summary_line(name, want[name], spread[name], of_projections[name]))
    return result, {"summary": "\n".join(lines)}


# ---------------------------------------------------------------- safetensors on pipes

NUMPY = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "U8": np.uint8, "BOOL": np.bool_}


def read(stream):
    """The tensors and metadata of the next case; none at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    data = stream.read(*struct.unpack("<Q", head))
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata, tensors = header.pop("__metadata__", {}), {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        values = np.frombuffer(body[start:end], NUMPY[entry["dtype"]]).copy()
        tensors[name] = torch.from_numpy(values).reshape(entry["shape"])
    return tensors, metadata


def write(stream, arrays, metadata):
    """Writes arrays of float64 and metadata."""
    header, body = {"__metadata__": metadata}, b""
    for name, values in arrays.items():
        data = values.astype("<f8").tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": "F64", "shape": [values.size], "data_offsets": offsets}
        body += data
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    data = struct.pack("<Q", len(header)) + header + body
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def main():
    torch.set_num_threads(1)
    while (case := read(sys.stdin.buffer)) is not None:
        try:
            result, metadata = answer(*case)
        except Exception:
            result, metadata = {}, {"error": traceback.format_exc()}
        write(sys.stdout.buffer, result, metadata)


if __name__ == "__main__":
    main()
