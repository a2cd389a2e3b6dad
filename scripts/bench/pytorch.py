"""pytorch.py NAME THREADS: the benchmark of that name in PyTorch, measured as xent bench measures itself.

Prints "seconds bytes": the median of three measurements of at least 20 ms each, or one where a run takes over 0.3 s,
and how much the largest resident memory of the process grew after the import.
"""

import math
import re
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def training_step(model, optimizer, x, y):
    def step():
        optimizer.zero_grad()
        logits = model(x)
        F.cross_entropy(logits.flatten(0, -2), y.flatten()).backward()
        optimizer.step()

    return step


def mlp_step(batch):
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    x, y = torch.randn(batch, 784), torch.randint(10, (batch,))
    return training_step(model, torch.optim.Adam(model.parameters()), x, y)


def cnn_step(batch):
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )
    x, y = torch.randn(batch, 1, 28, 28), torch.randint(10, (batch,))
    return training_step(model, torch.optim.Adam(model.parameters()), x, y)


def attend(query, key, value, mask=None):
    """[N, heads, tokens, width]; what this version of PyTorch has on a CPU forms the scores."""
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ value


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norms[0](x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.output(attend(*qkv, mask).transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class Transformer(nn.Module):
    def __init__(self, words, tokens, layers, width, heads):
        super().__init__()
        self.embedding, self.position = nn.Embedding(words, width), nn.Embedding(tokens, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.register_buffer("mask", torch.tril(torch.ones(tokens, tokens, dtype=torch.bool)))

    def forward(self, ids):
        x = self.embedding(ids) + self.position.weight
        for block in self.blocks:
            x = block(x, self.mask)
        return self.head(self.norm(x))


def gpt_step(batch):
    model = Transformer(words=65, tokens=128, layers=4, width=128, heads=4)
    ids, targets = torch.randint(65, (batch, 128)), torch.randint(65, (batch, 128))
    return training_step(model, torch.optim.AdamW(model.parameters()), ids, targets)


def linear_cross_entropy(tokens, width, words, trained=False):
    embeddings = torch.randn(tokens, width)
    weight = torch.randn(words, width) * (width**-0.5 if trained else 0.02)
    targets = torch.randint(words, (tokens,))
    if trained:
        targets = torch.exp(torch.rand(tokens) * math.log(1 + words)).long().clamp(1, words) - 1
        weight[:, 0] = -torch.log(torch.arange(1.0, 1 + words))
        embeddings += 6 * weight[targets]
        embeddings[:, 0] = 1
    embeddings.requires_grad_()
    weight.requires_grad_()

    def run():
        embeddings.grad = weight.grad = None
        F.cross_entropy(embeddings @ weight.t(), targets).backward()

    return run


def attention(tokens, causal=False):
    inputs = [torch.randn(1, 4, tokens, 64, requires_grad=True) for _ in range(3)]
    mask = torch.tril(torch.ones(tokens, tokens, dtype=torch.bool)) if causal else None

    def run():
        for x in inputs:
            x.grad = None
        attend(*inputs, mask).sum().backward()

    return run


def images(n, c, h, w, out, k):
    return torch.randn(n, c, h, w), torch.randn(out, c, k, k)


def convolution(*sizes):
    x, weight = images(*sizes)
    return lambda: F.conv2d(x, weight, padding=sizes[-1] // 2)


def convolution_gradients(*sizes):
    x, weight = (t.requires_grad_() for t in images(*sizes))
    y = F.conv2d(x, weight, padding=sizes[-1] // 2)
    gradient = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, (x, weight), gradient, retain_graph=True)


BENCHMARKS = {
    r"step/mlp-b(\d+)": mlp_step,
    r"step/cnn-b(\d+)": cnn_step,
    r"step/gpt-b(\d+)": gpt_step,
    r"loss/linear-ce-(\d+)x(\d+)x(\d+)": linear_cross_entropy,
    r"loss/linear-ce-trained-(\d+)x(\d+)x(\d+)": lambda *sizes: linear_cross_entropy(*sizes, trained=True),
    r"attention/(\d+)": attention,
    r"attention/causal-(\d+)": lambda tokens: attention(tokens, causal=True),
    r"convolution/(\d+)x(\d+)x(\d+)x(\d+)-(\d+)x(\d+)": convolution,
    r"convolution/gradients-(\d+)x(\d+)x(\d+)x(\d+)-(\d+)x(\d+)": convolution_gradients,
}


def find(name):
    for pattern, make in BENCHMARKS.items():
        found = re.fullmatch(pattern, name)
        if found:
            return make, [int(size) for size in found.groups()]
    sys.exit(f"pytorch.py: {name}: unknown benchmark")


def seconds_of(run, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def peak_memory():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    name, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    make, sizes = find(name)
    before = peak_memory()
    run = make(*sizes)
    run()
    once = seconds_of(run, 1)
    repeats = int(0.02 / once) + 1
    times = []
    for _ in range(1 if once > 0.3 else 3):
        if repeats > 1:
            run()
        times.append(seconds_of(run, repeats))
    print(f"{sorted(times)[len(times) // 2]:.9g} {peak_memory() - before}")


main()
