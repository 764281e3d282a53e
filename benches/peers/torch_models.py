"""The models of `models/*.nn` in PyTorch, layer by layer the same."""

import torch
from torch import nn


def conv(cin, cout, size, stride=1, pad=0, bias=True):
    return nn.Conv2d(cin, cout, size, stride=stride, padding=pad, bias=bias)


def mlp(*sizes):
    layers = [nn.Flatten()]
    for cin, cout in zip(sizes, sizes[1:]):
        layers += [nn.Linear(cin, cout), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet():
    return nn.Sequential(
        conv(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        conv(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10),
    )


def image_cnn(classes=10):
    layers, cin = [], 3
    for cout in (32, 64, 128, 128):
        layers += [conv(cin, cout, 3), nn.ReLU(), nn.MaxPool2d(2)]
        cin = cout
    return nn.Sequential(
        *layers, nn.Flatten(),
        nn.Linear(7 * 7 * 128, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
        nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, classes),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions with batch norm, added to the input (projected where shapes differ)."""

    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            conv(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(),
            conv(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout),
        )
        self.skip = nn.Identity()
        if stride != 1 or cin != cout:
            self.skip = nn.Sequential(conv(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


class Pool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def residual_net(stem, widths, blocks, classes=10):
    layers = [conv(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()]
    cin = stem
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(Residual(cin, width, stride))
            cin = width
    return nn.Sequential(*layers, Pool(), nn.Linear(cin, classes))


def resnet20():
    return residual_net(16, (16, 32, 64), 3)


def resnet18_32():
    return residual_net(64, (64, 128, 256, 512), 2)


# name: (model, shape of an image, batch of a training step)
MODELS = {
    "mnist": (lambda: mlp(784, 128, 10), (1, 28, 28), 32),
    "mlp512": (lambda: mlp(784, 512, 512, 10), (1, 28, 28), 128),
    "lenet": (lenet, (1, 28, 28), 64),
    "image_cnn": (image_cnn, (3, 150, 150), 32),
    "resnet20": (resnet20, (3, 32, 32), 128),
    "resnet18_32": (resnet18_32, (3, 32, 32), 32),
}
