"""Trains `models/resnet20.nn`'s recipe in PyTorch on a folder of 32×32 images.

    python torch_accuracy.py DATA/cifar10-small --seed 0 [--epochs 20]

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

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--lr", type=float, default=2e-3)
parser.add_argument("--warmup", type=int, default=100)
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


train_x, train_y = load("train")
test_x, test_y = load("test")
model = resnet20().to(memory_format=torch.channels_last)
model.apply(initialise)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
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
        optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        logits = model(augment(train_x[batch]))
        nn.functional.cross_entropy(logits, train_y[batch]).backward()
        optimizer.step()
model.eval()
with torch.inference_mode():
    correct = sum((model(x).argmax(1) == y).sum().item()
                  for x, y in zip(test_x.split(250), test_y.split(250)))
print(json.dumps({"seed": args.seed, "accuracy": correct / len(test_x), "version": torch.__version__}))
