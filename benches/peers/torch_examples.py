#!/usr/bin/env python3
"""Trains the recipes of `examples/*.nn` in PyTorch, and the baselines of `sunspots`.

    python torch_examples.py EXAMPLE DATA [--seed S…] [--split K…] [--epochs E] [--threads T]

EXAMPLE is penguins, titanic, diamonds, sunspots, denoise, cells or spoken_digits, or a baseline:
sunspots_naive (the value of 132 months before), sunspots_linear (least squares, scikit-learn),
penguins_linear and titanic_linear (logistic regression, scikit-learn). DATA is the folder that
`NNC_DATA` names for nnc. The same rows, network, initial distributions, loss, optimizer, schedule,
batches and epochs; random numbers of its own. Prints for each split and seed one line of JSON with
the test split's score after the last epoch. `--split` is nnc's `--set data.seed=K`.
"""

import argparse
import itertools
import json
import math
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import example_data


def glorot(module):
    """The prelude's distributions: Glorot uniform weights, biases 0, embeddings N(0, 1)."""
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def tensor(array, dtype=torch.float32):
    return torch.tensor(np.asarray(array), dtype=dtype)


def train(model, fields, loss, rows, args, *, lr, cosine, batch, epochs, optimizer=torch.optim.Adam,
          **options):
    """Trains on batches of rows of tensors, the last of which may be smaller; `fields` are the
    inputs, then the target."""
    epochs = args.epochs or epochs
    model.apply(glorot)
    optimizer = optimizer(model.parameters(), lr=lr, **options)
    steps = epochs * math.ceil(len(rows) / batch)
    rows, step = tensor(rows, torch.long), 0
    model.train()
    for _ in range(epochs):
        for chosen in rows[torch.randperm(len(rows))].split(batch):
            if cosine:
                rate = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
                optimizer.param_groups[0]["lr"] = rate
            step += 1
            *inputs, target = (field[chosen] for field in fields)
            optimizer.zero_grad()
            loss(model(*inputs), target).backward()
            optimizer.step()
    model.eval()


def accuracy(logits, target):
    return (logits.argmax(1) == target).float().mean().item()


class Penguins(nn.Module):
    def __init__(self, islands, width, classes):
        super().__init__()
        self.island = nn.Embedding(islands, 4)
        self.net = nn.Sequential(nn.Linear(width + 4, 16), nn.ReLU(), nn.Linear(16, classes))

    def forward(self, features, island):
        return self.net(torch.cat([features, self.island(island)], 1))


def penguins(args):
    (features, island, species), rows, (islands, classes) = example_data.penguins(args.data, args.split)
    features = np.concatenate(features, 1)
    fields = tensor(features), tensor(island, torch.long), tensor(species, torch.long)
    model = Penguins(islands, features.shape[1], classes)
    train(model, fields, F.cross_entropy, rows[0], args, lr=1e-3, cosine=False, batch=32, epochs=60)
    test = tensor(rows[2], torch.long)
    return {"accuracy": accuracy(model(fields[0][test], fields[1][test]), fields[2][test])}


def titanic(args):
    features, survived, rows = example_data.titanic(args.data, args.split)
    fields = tensor(features), tensor(survived, torch.long)
    model = nn.Sequential(nn.Linear(features.shape[1], 16), nn.ReLU(), nn.Linear(16, 2))
    train(model, fields, F.cross_entropy, rows[0], args, lr=1e-3, cosine=False, batch=32, epochs=60)
    test = tensor(rows[2], torch.long)
    return {"accuracy": accuracy(model(fields[0][test]), fields[1][test])}


def diamonds(args):
    features, price, (mean, std), rows = example_data.diamonds(args.data, args.split)
    fields = tensor(features), tensor(price)
    model = nn.Sequential(nn.Linear(features.shape[1], 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
                          nn.Linear(128, 1), nn.Flatten(0))
    train(model, fields, F.huber_loss, rows[0], args, lr=2e-3, cosine=True, batch=128, epochs=20)
    test = tensor(rows[2], torch.long)
    dollars = lambda scaled: torch.expm1(scaled.double() * std + mean)
    return {"mae": (dollars(model(fields[0][test])) - dollars(fields[1][test])).abs().mean().item()}


def sunspots(args):
    ((past, future), _, (test_past, test_future)), _, std = example_data.sunspots(args.data)
    model = nn.Sequential(nn.Linear(132, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 12))
    train(model, (tensor(past), tensor(future)), F.l1_loss, np.arange(len(past)), args, lr=1e-3,
          cosine=True, batch=64, epochs=40, optimizer=torch.optim.AdamW, weight_decay=0.3)
    error = (model(tensor(test_past)) - tensor(test_future)).abs().mean().item()
    return {"mae": error * std}


def sunspots_naive(args):
    (*_, (past, future)), _, std = example_data.sunspots(args.data)
    return {"mae": float(np.abs(past[:, :12] - future).mean() * std)}


def sunspots_linear(args):
    from sklearn.linear_model import LinearRegression
    ((past, future), _, (test_past, test_future)), _, std = example_data.sunspots(args.data)
    said = LinearRegression().fit(past, future).predict(test_past)
    return {"mae": float(np.abs(said - test_future).mean() * std)}


def logistic(features, target, rows):
    from sklearn.linear_model import LogisticRegression
    fitted = LogisticRegression(max_iter=1000).fit(features[rows[0]], target[rows[0]])
    return {"accuracy": float(fitted.score(features[rows[2]], target[rows[2]]))}


def penguins_linear(args):
    (features, island, species), rows, (islands, _) = example_data.penguins(args.data, args.split)
    features = np.concatenate([*features, example_data.one_hot(island, islands)], 1)
    return logistic(features, species, rows)


def titanic_linear(args):
    return logistic(*example_data.titanic(args.data, args.split))


class Denoise(nn.Module):
    def __init__(self):
        super().__init__()
        up = dict(stride=2, padding=1, output_padding=1)
        self.net = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.ConvTranspose2d(32, 32, 3, **up), nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 3, **up), nn.ReLU(),
            nn.Conv2d(32, 1, 3, padding=1))

    def forward(self, x):
        return self.net((x + 0.4 * torch.randn_like(x)).clamp(0, 1))


def denoise(args):
    images, test, labels = example_data.mnist(args.data)
    rows, _, _ = example_data.split(labels, 0.0, 0.1)
    fields, model, loss = (tensor(images),) * 2, Denoise(), F.binary_cross_entropy_with_logits
    model.to(memory_format=torch.channels_last)
    train(model, fields, loss, rows, args, lr=1e-3, cosine=False, batch=128, epochs=2)
    losses = [loss(model(x), x).item() * len(x) for x in tensor(test).split(500)]
    return {"loss": sum(losses) / len(test)}


def block(inputs, filters):
    layers = []
    for channels in (inputs, filters):
        layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.middle, self.coarse = block(1, 16), block(16, 32), block(32, 64)
        self.to_middle, self.to_fine = (nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
                                        for channels in (32, 16))
        self.up_middle, self.up_fine, self.head = block(64, 32), block(32, 16), nn.Conv2d(16, 3, 1)

    def forward(self, x):
        fine = self.fine(x)
        middle = self.middle(F.max_pool2d(fine, 2))
        coarse = self.coarse(F.max_pool2d(middle, 2))
        up = self.up_middle(torch.cat([middle, self.to_middle(coarse)], 1))
        return self.head(self.up_fine(torch.cat([fine, self.to_fine(up)], 1)))


def cells(args):
    (images, masks), (test_images, test_masks) = example_data.cells(args.data)
    rows, _, _ = example_data.split(np.zeros(len(images)), 0.0, 0.1)
    model = UNet().to(memory_format=torch.channels_last)
    fields = tensor(images), tensor(masks, torch.long)
    train(model, fields, F.cross_entropy, rows, args, lr=2e-3, cosine=True, batch=16, epochs=12)
    said = torch.cat([model(x).argmax(1) for x in tensor(test_images).split(20)]) == 1
    real = tensor(test_masks, torch.long) == 1
    return {"iou": ((said & real).sum() / (said | real).sum()).item()}


def spoken_digits(args):
    (spectra, digits), (test_spectra, test_digits) = example_data.spoken_digits(args.data)
    model = nn.Sequential(
        nn.BatchNorm1d(40),
        nn.Conv1d(40, 64, 5, padding=2, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(64, 128, 5, padding=2, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(128, 128, 3, padding=1, bias=False), nn.BatchNorm1d(128), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(128, 10))
    fields = tensor(spectra), tensor(digits, torch.long)
    train(model, fields, F.cross_entropy, np.arange(len(digits)), args, lr=2e-3, cosine=True, batch=64,
          epochs=15)
    return {"accuracy": accuracy(model(tensor(test_spectra)), tensor(test_digits, torch.long))}


EXAMPLES = [penguins, titanic, diamonds, sunspots, denoise, cells, spoken_digits, sunspots_naive,
            sunspots_linear, penguins_linear, titanic_linear]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = {example.__name__: example for example in EXAMPLES}
    parser.add_argument("example", choices=known)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--split", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for args.split, seed in itertools.product(args.split, args.seed):
        torch.manual_seed(seed)
        scores = known[args.example](args)
        line = {"example": args.example, "seed": seed, "split": args.split, **scores}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
