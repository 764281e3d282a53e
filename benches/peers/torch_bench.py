"""Times one step of a model in PyTorch; prints one line of JSON.

    python torch_bench.py resnet20 channels_last [--infer] [--batch N] [--seconds S]

A training step is forward, backward and fused Adam; inference is the forward pass under
`inference_mode`. Inputs are random and stay in memory. `--generate N` makes N tokens
instead, as nanoGPT does: each from a whole window.
"""

import argparse
import json
import resource
import statistics
import time

import torch

from torch_models import MODELS
from torch_sequences import SEQUENCES

MODELS = MODELS | SEQUENCES
TOKENS = 66

parser = argparse.ArgumentParser()
parser.add_argument("model", choices=MODELS)
parser.add_argument("layout", choices=["eager", "channels_last", "compile"])
parser.add_argument("--infer", action="store_true")
parser.add_argument("--generate", type=int, metavar="N")
parser.add_argument("--batch", type=int)
parser.add_argument("--seconds", type=float, default=5.0)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.set_flush_denormal(True)
start = time.perf_counter()
make, shape, batch = MODELS[args.model]
batch = args.batch or batch
model = make()
x = torch.randint(0, TOKENS, (batch, shape)) if isinstance(shape, int) else torch.randn(batch, *shape)
# A class a sample, or a class at each position.
classes_first = getattr(model, "classes_first", False)
with torch.no_grad():
    likes = model(x).shape
y = torch.randint(0, 2, (likes[0], *likes[2:]) if classes_first else likes[:-1])
if args.layout != "eager" and x.dim() == 4:
    model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(model.parameters(), fused=True)
run = torch.compile(model) if args.layout == "compile" else model


def train():
    optimizer.zero_grad()
    logits = run(x)
    if not classes_first:
        # A class a position is a class of `[batch · positions]`.
        logits = logits.flatten(0, -2)
    torch.nn.functional.cross_entropy(logits, y if classes_first else y.flatten()).backward()
    optimizer.step()


def infer():
    with torch.inference_mode():
        run(x)


def generate():
    model.generate(x[:1, :1], args.generate)


if args.infer or args.generate:
    model.eval()
step = generate if args.generate else infer if args.infer else train
step()
first = time.perf_counter() - start
for _ in range(3):
    step()
times, begin = [], time.perf_counter()
while time.perf_counter() - begin < args.seconds or len(times) < 5:
    before = time.perf_counter()
    step()
    times.append(time.perf_counter() - before)
print(json.dumps({
    "median_ms": 1e3 * statistics.median(times),
    "min_ms": 1e3 * min(times),
    "first_step_ms": 1e3 * first,
    "steps": len(times),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "version": torch.__version__,
}))
