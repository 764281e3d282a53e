"""The models of sequences and of pixels of `models/*.nn` in PyTorch, layer by layer the same."""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, d = x.shape
        parts = self.qkv(x).split(d, dim=2)
        q, k, v = (part.view(n, t, self.heads, d // self.heads).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(n, t, d))


class Block(nn.Module):
    def __init__(self, width, heads, causal, wider=4, dropout=0.0):
        super().__init__()
        self.before, self.attention = nn.LayerNorm(width), Attention(width, heads, causal)
        self.wide = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, wider * width), nn.GELU(),
                                  nn.Dropout(dropout), nn.Linear(wider * width, width))

    def forward(self, x):
        y = x + self.attention(self.before(x))
        return y + self.wide(y)


class Gpt(nn.Module):
    def __init__(self, tokens=66, length=64, width=128, depth=4, heads=4):
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(tokens, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        blocks = [Block(width, heads, causal=True) for _ in range(depth)]
        self.rest = nn.Sequential(*blocks, nn.LayerNorm(width), nn.Linear(width, tokens))

    def forward(self, x):
        return self.rest(self.embedding(x) + self.positions[:x.shape[1]])

    @torch.no_grad()
    def generate(self, x, count):
        """nanoGPT's: each token from the last window, which is computed anew."""
        for _ in range(count):
            logits = self(x[:, -self.length:])[:, -1, :]
            x = torch.cat((x, torch.multinomial(F.softmax(logits, dim=-1), 1)), dim=1)
        return x


class Recurrent(nn.Module):
    def __init__(self, kind, tokens=66, width=256):
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.recurrent = kind(width, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, tokens)

    def forward(self, x):
        return self.head(self.recurrent(self.embedding(x))[0])


class Vit(nn.Module):
    def __init__(self, classes=10, width=192, depth=6, heads=3):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.positions = nn.Parameter(0.02 * torch.randn(64, width))
        blocks = [Block(width, heads, causal=False) for _ in range(depth)]
        self.blocks, self.norm = nn.Sequential(*blocks), nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))


class Cct(nn.Module):
    def __init__(self, classes=10, width=128, depth=4, heads=2):
        super().__init__()
        layers = []
        for before, after in ((3, width // 2), (width // 2, width)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.ReLU(),
                       nn.MaxPool2d(3, stride=2, padding=1)]
        self.tokens = nn.Sequential(*layers)
        self.positions = nn.Parameter(0.02 * torch.randn(64, width))
        blocks = [Block(width, heads, causal=False, wider=1, dropout=0.1) for _ in range(depth)]
        self.blocks, self.norm = nn.Sequential(*blocks), nn.LayerNorm(width)
        self.pool, self.head = nn.Linear(width, 1), nn.Linear(width, classes)

    def forward(self, x):
        x = self.tokens(x).flatten(2).transpose(1, 2) + self.positions
        x = self.norm(self.blocks(x))
        return self.head((self.pool(x).softmax(1) * x).sum(1))


class Gated(nn.Module):
    """A position and the one `dilation` before it, into a stream and what all layers add up."""

    def __init__(self, channels, skips, dilation):
        super().__init__()
        self.channels, self.dilation = channels, dilation
        self.before = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
        self.out = nn.Conv1d(channels, channels + skips, 1)

    def forward(self, x):
        stream = F.pad(x[:, :self.channels], (self.dilation, 0))
        left, right = self.before(stream).chunk(2, dim=1)
        return x + self.out(torch.tanh(left) * torch.sigmoid(right))


class Wavenet(nn.Module):
    classes_first = True

    def __init__(self, levels=256, channels=32, skips=64):
        super().__init__()
        self.embedding = nn.Embedding(levels, channels + skips)
        layers = [Gated(channels, skips, 2 ** i) for _ in range(2) for i in range(8)]
        self.rest = nn.Sequential(
            *layers, nn.ReLU(), nn.Conv1d(channels + skips, skips, 1), nn.ReLU(),
            nn.Conv1d(skips, levels, 1))

    def forward(self, x):
        return self.rest(self.embedding(x).transpose(1, 2))


def double_conv(cin, cout):
    layers = []
    for width in (cin, cout):
        layers += [nn.Conv2d(width, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]
    return nn.Sequential(*layers)


class Unet(nn.Module):
    classes_first = True

    def __init__(self, widths=(16, 32, 64, 128), classes=3):
        super().__init__()
        self.down = nn.ModuleList(map(double_conv, (1, *widths), widths))
        pairs = list(zip(widths[1:], widths))[::-1]
        self.larger = nn.ModuleList(nn.ConvTranspose2d(cin, cout, 2, stride=2) for cin, cout in pairs)
        self.up = nn.ModuleList(double_conv(2 * cout, cout) for _, cout in pairs)
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        before = []
        for block in self.down[:-1]:
            before.append(block(x))
            x = F.max_pool2d(before[-1], 2)
        x = self.down[-1](x)
        for larger, block in zip(self.larger, self.up):
            x = block(torch.cat([before.pop(), larger(x)], dim=1))
        return self.head(x)


# name: (model, the shape of a sample or the number of tokens, batch of a training step)
SEQUENCES = {
    "gpt_char": (Gpt, 64, 12),
    "lstm_char": (lambda: Recurrent(nn.LSTM), 64, 32),
    "gru_char": (lambda: Recurrent(nn.GRU), 64, 32),
    "gpt_6x384": (lambda: Gpt(length=256, width=384, depth=6, heads=6), 256, 4),
    "wavenet": (Wavenet, 2048, 4),
    "unet": (Unet, (1, 96, 96), 16),
    "vit_small": (Vit, (3, 32, 32), 64),
}
