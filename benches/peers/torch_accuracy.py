"""Trains the recipe of `models/resnet20.nn`, `vit_small.nn` or `cct.nn` in PyTorch on a folder of
32×32 images.

    python torch_accuracy.py DATA/cifar10-small [--model resnet20] --seed 0 [--epochs 20]

The same network, initial distributions, optimiser, schedule, augmentation and batches; random
numbers of its own. Prints one line of JSON with the accuracy on `test` after the last epoch.
"""

import argparse
import json
import math
import pathlib

import numpy as np
import torch
from PIL import Image
from torch import nn

from torch_models import resnet20
from torch_sequences import Cct, Vit

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--model", choices=["resnet20", "vit_small", "cct"], default="resnet20")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)


def load(split):
    classes = sorted(path.name for path in (args.folder / split).iterdir())
    images, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((args.folder / split / name).iterdir()):
            images.append(np.asarray(Image.open(path).convert("RGB")))
            labels.append(label)
    x = torch.from_numpy(np.stack(images)).float() / 255
    return x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last), torch.tensor(labels)


def augment(x):
    """A random flip, then a random crop of the image with four black pixels around it."""
    flip = torch.rand(len(x)) < 0.5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    padded = torch.zeros(len(x), 3, 40, 40)
    padded[:, :, 4:36, 4:36] = x
    tops, lefts = torch.randint(0, 9, (2, len(x))).tolist()
    crops = [padded[i, :, t:t + 32, l:l + 32] for i, (t, l) in enumerate(zip(tops, lefts))]
    return torch.stack(crops).contiguous(memory_format=torch.channels_last)


def initialise(module):
    """Keras's distributions, which are the prelude's: truncated He normal, Glorot uniform."""
    if isinstance(module, nn.Conv2d):
        fan_in = module.weight[0].numel()
        std = math.sqrt(2 / fan_in) / 0.87962566103423978
        nn.init.trunc_normal_(module.weight, 0, std, -2 * std, 2 * std)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


def glorot(module):
    """Glorot uniform weights and biases of 0, of all kinds of layers."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def adamw(model, lr, decay):
    """AdamW that leaves biases, norms and positions undecayed."""
    matrices = [it for name, it in model.named_parameters() if it.ndim > 1 and "positions" not in name]
    known = set(map(id, matrices))
    rest = [it for it in model.parameters() if id(it) not in known]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr)


train_x, train_y = load("train")
test_x, test_y = load("test")
if args.model == "resnet20":
    model, args.batch, args.lr, args.warmup = resnet20(), 128, 2e-3, 100
    model.apply(initialise)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
    smoothing, clip = 0.0, math.inf
else:
    model, decay = (Vit(), 0.05) if args.model == "vit_small" else (Cct(), 0.06)
    args.batch, args.lr, args.warmup = 64, 1e-3, 200
    model.apply(glorot)
    optimizer = adamw(model, args.lr, decay)
    smoothing, clip = 0.1, 1.0
model.to(memory_format=torch.channels_last)
steps = args.epochs * math.ceil(len(train_x) / args.batch)


def rate(step):
    """The prelude's cosine: a linear warm-up, then half a cosine down to 0. Steps count from 1."""
    if step <= args.warmup:
        return args.lr * step / args.warmup
    return args.lr * 0.5 * (1 + math.cos(math.pi * (step - args.warmup) / (steps - args.warmup)))


step = 0
for epoch in range(args.epochs):
    model.train()
    for batch in torch.randperm(len(train_x)).split(args.batch):
        step += 1
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        logits = model(augment(train_x[batch]))
        loss = nn.functional.cross_entropy(logits, train_y[batch], label_smoothing=smoothing)
        loss.backward()
        if clip < math.inf:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
model.eval()
with torch.inference_mode():
    correct = sum((model(x).argmax(1) == y).sum().item()
                  for x, y in zip(test_x.split(250), test_y.split(250)))
print(json.dumps({"model": args.model, "seed": args.seed, "accuracy": correct / len(test_x), "version": torch.__version__}))
