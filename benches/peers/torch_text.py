#!/usr/bin/env python3
"""Trains the recipe of `models/lstm_char.nn` in PyTorch.

    python torch_text.py DATA/text/shakespeare.txt [--seed S…] [--epochs 4] [--threads T]

The same windows, network, initial distributions, optimizer, schedule, clipping, batches and epochs;
random numbers of its own. Prints for each seed one line of JSON with the loss over all windows of the
text to validate on, after the last epoch and the least of any epoch.
"""

import argparse
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

from torch_sequences import Recurrent

WINDOW, BATCH, PEAK, FLOOR, WARMUP = 64, 32, 2e-3, 1e-4, 50


def windows(tokens):
    """Windows of a text side by side, and the same moved by one."""
    count = (len(tokens) - 1) // WINDOW
    own = lambda first: tokens[first:first + count * WINDOW].view(count, WINDOW)
    return own(0), own(1)


def splits(path):
    """The first nine tenths of the text to train on, the rest to validate on; token 0 is what the
    first part does not have."""
    text = path.read_text()
    cut = len(text) - round(0.1 * len(text))
    known = {character: 1 + i for i, character in enumerate(sorted(set(text[:cut])))}
    encoded = [torch.tensor([known.get(c, 0) for c in part]) for part in (text[:cut], text[cut:])]
    return len(known) + 1, *map(windows, encoded)


def initialize(model):
    """The prelude's distributions: Glorot uniform and orthogonal weights, biases 0."""
    for name, parameter in model.named_parameters():
        if "weight_hh" in name:
            nn.init.orthogonal_(parameter)
        elif "bias" in name:
            nn.init.zeros_(parameter)
        elif "embedding" not in name:
            nn.init.xavier_uniform_(parameter)
    for name, parameter in model.named_parameters():
        # The prelude's layer has one bias; PyTorch's second one stays 0.
        parameter.requires_grad_("bias_hh" not in name)


def rate(step, steps):
    progress = max(step - WARMUP - 1, 0) / (steps - WARMUP)
    return (FLOOR + (PEAK - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress))) * min(step / WARMUP, 1)


def loss_of(model, inputs, targets):
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def validate(model, inputs, targets):
    model.eval()
    with torch.inference_mode():
        parts = zip(inputs.split(256), targets.split(256))
        total = sum(loss_of(model, x, y).item() * len(x) for x, y in parts)
    model.train()
    return total / len(inputs)


def train(seed, args):
    torch.manual_seed(seed)
    tokens, (inputs, targets), validation = splits(args.file)
    model = Recurrent(nn.LSTM, tokens=tokens)
    initialize(model)
    trained = [it for it in model.parameters() if it.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=PEAK, eps=1e-8)
    steps, step, losses = args.epochs * math.ceil(len(inputs) / BATCH), 0, []
    for _ in range(args.epochs):
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            step += 1
            optimizer.param_groups[0]["lr"] = rate(step, steps)
            optimizer.zero_grad()
            loss_of(model, inputs[chosen], targets[chosen]).backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
        losses.append(validate(model, *validation))
    print(json.dumps({"seed": seed, "last": losses[-1], "least": min(losses)}), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("file", type=pathlib.Path)
parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
args = parser.parse_args()
torch.set_num_threads(args.threads)
for seed in args.seed:
    train(seed, args)
