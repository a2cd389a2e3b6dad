#!/usr/bin/env python3
"""Makes tests/golden: initial weights, data and the losses that PyTorch gets from them.

Every model is trained for 20 steps of 8 samples, in order, in float32 on one thread; then it is evaluated on the
same data. tests/golden.bats has `xent train` do the same from the same files. Needs PyTorch and NumPy, which the
tests do not: what this script writes is kept in the repository. Run it from anywhere, without arguments.
"""
import json
import math
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
BATCH, STEPS = 8, 20
SAMPLES = BATCH * STEPS
TOKENS, VOCABULARY, WIDTH, HEADS, LAYERS = 8, 256, 16, 2, 2


def path(name):
    return os.path.join(FOLDER, name)


def write_safetensors(name, tensors):
    """Length of the header, header, data; the header is padded so that the data begins on a multiple of 8."""
    header, blocks, offset = {}, [], 0
    for key, tensor in tensors.items():
        block = tensor.detach().numpy().astype("<f4").tobytes()
        header[key] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(block)]}
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path(name), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def write_losses(name, train, test):
    """A number a line, so that awk can read them too."""
    lines = ",\n".join("%.9g" % loss for loss in train)
    with open(path(name), "w") as file:
        file.write('{"train": [\n%s\n],\n"test":\n%.9g\n}\n' % (lines, test))


def train(name, weights, forward, optimizer, inputs, targets):
    """forward(weights, inputs, training) gives logits; the last axis is the classes."""
    write_safetensors(name + ".safetensors", weights)
    for key in weights:
        weights[key].requires_grad = "running" not in key

    def loss_of(begin, end, training):
        logits = forward(weights, inputs[begin:end], training)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets[begin:end].reshape(-1))

    stepper, losses = optimizer(weights), []
    for step in range(STEPS):
        loss = loss_of(BATCH * step, BATCH * (step + 1), True)
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        losses.append(loss.item())
    with torch.no_grad():
        write_losses(name + ".losses.json", losses, loss_of(0, SAMPLES, False).item())


def trained(weights):
    return [weights[key] for key in weights if weights[key].requires_grad]


def normal(*shape, gain=1.0):
    return torch.randn(*shape) * gain / math.sqrt(math.prod(shape[1:]))


def add_linear(weights, name, outputs, inputs, bias=True):
    weights[name + ".weight"] = normal(outputs, inputs)
    if bias:
        weights[name + ".bias"] = 0.1 * torch.randn(outputs)


def linear(weights, name, x):
    return F.linear(x, weights[name + ".weight"], weights.get(name + ".bias"))


def make_mlp():
    x = torch.randn(SAMPLES, 6)
    y = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 0.5).long()
    np.save(path("table.x.npy"), x.numpy())
    np.save(path("table.y.npy"), y.numpy())
    weights = {}
    add_linear(weights, "layers.0", 16, 6)
    add_linear(weights, "layers.1", 8, 16)
    add_linear(weights, "head", 3, 8)

    def forward(weights, x, training):
        for name in ("layers.0", "layers.1"):
            x = torch.relu(linear(weights, name, x))
        return linear(weights, "head", x)

    train("mlp", weights, forward, lambda weights: torch.optim.Adam(trained(weights), lr=0.01), x, y)


def add_norm(weights, name, channels):
    weights[name + ".weight"] = 1 + 0.1 * torch.randn(channels)
    weights[name + ".bias"] = 0.1 * torch.randn(channels)
    weights[name + ".running_mean"] = torch.zeros(channels)
    weights[name + ".running_var"] = torch.ones(channels)


def batch_norm(weights, name, x, training):
    return F.batch_norm(x, weights[name + ".running_mean"], weights[name + ".running_var"], weights[name + ".weight"],
                        weights[name + ".bias"], training)


def make_images():
    """Bars, horizontal, vertical or both, under noise."""
    x, y = 0.5 * torch.randn(SAMPLES, 1, 8, 8), torch.randint(0, 3, (SAMPLES,))
    for i in range(SAMPLES):
        if y[i] != 1:
            x[i, 0, torch.randint(0, 8, ())] += 1
        if y[i] != 0:
            x[i, 0, :, torch.randint(0, 8, ())] += 1
    np.save(path("images.x.npy"), x.numpy())
    np.save(path("images.y.npy"), y.numpy())
    return x, y


def sgd(weights):
    return torch.optim.SGD(trained(weights), lr=0.05, momentum=0.9, weight_decay=0)


def make_cnn(x, y):
    weights, channels = {}, (1, 4, 6)
    for stage in range(2):
        weights["stages.%d.0.0.weight" % stage] = normal(channels[stage + 1], channels[stage], 3, 3)
        add_norm(weights, "stages.%d.0.1" % stage, channels[stage + 1])
    add_linear(weights, "hidden.0", 10, 6 * 2 * 2)
    add_linear(weights, "head", 3, 10)

    def forward(weights, x, training):
        for stage in range(2):
            x = F.conv2d(x, weights["stages.%d.0.0.weight" % stage], padding=1)
            x = F.max_pool2d(torch.relu(batch_norm(weights, "stages.%d.0.1" % stage, x, training)), 2)
        return linear(weights, "head", torch.relu(linear(weights, "hidden.0", x.flatten(1))))

    train("cnn", weights, forward, sgd, x, y)


def make_residual(x, y):
    weights = {"stem.0.weight": normal(4, 1, 3, 3)}
    add_norm(weights, "stem.1", 4)
    for stage, (inputs, outputs) in enumerate(((4, 4), (4, 6))):
        block = "stages.%d.0." % stage
        weights[block + "0.weight"] = normal(outputs, inputs, 3, 3)
        add_norm(weights, block + "1", outputs)
        weights[block + "3.weight"] = normal(outputs, outputs, 3, 3)
        add_norm(weights, block + "4", outputs)
    weights["stages.1.0.shortcut.weight"] = normal(6, 4, 1, 1)
    add_linear(weights, "head", 3, 6)

    def forward(weights, x, training):
        x = torch.relu(batch_norm(weights, "stem.1", F.conv2d(x, weights["stem.0.weight"], padding=1), training))
        for stage in range(2):
            block = "stages.%d.0." % stage
            z = F.conv2d(x, weights[block + "0.weight"], stride=stage + 1, padding=1)
            z = torch.relu(batch_norm(weights, block + "1", z, training))
            z = batch_norm(weights, block + "4", F.conv2d(z, weights[block + "3.weight"], padding=1), training)
            if stage:
                x = F.conv2d(x, weights[block + "shortcut.weight"], stride=2)
            x = torch.relu(x + z)
        return linear(weights, "head", x.mean((2, 3)))

    train("residual", weights, forward, sgd, x, y)


def make_text():
    """Words at random: what follows a letter can be learned a little."""
    words = "the moon is a lamp over water and the tide goes home to sleep under it".split()
    text = ""
    while len(text) < TOKENS * SAMPLES + 1:
        text += words[int(torch.randint(0, len(words), ()))] + " "
    text = text[:TOKENS * SAMPLES + 1]
    with open(path("text.txt"), "w") as file:
        file.write(text)
    tokens = torch.tensor(list(text.encode()))
    return tokens[:-1].reshape(SAMPLES, TOKENS), tokens[1:].reshape(SAMPLES, TOKENS)


def adamw(weights):
    """Decay acts on matrices, not on embeddings, biases and the scales of norms."""
    decayed = [key for key in weights if weights[key].dim() == 2 and key not in ("embedding.weight", "position")]
    others = [key for key in weights if key not in decayed]
    return torch.optim.AdamW([{"params": [weights[key] for key in decayed], "weight_decay": 0.1},
                              {"params": [weights[key] for key in others], "weight_decay": 0}], lr=0.003)


def heads(x, count):
    return x.reshape(x.shape[0], x.shape[1], count, -1).transpose(1, 2)


def attend(query, key, value):
    """Causal; heads of keys and values are repeated where there are fewer."""
    repeat = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    future = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
    mixed = torch.softmax(scores.masked_fill(future, -math.inf), -1) @ value
    return mixed.transpose(1, 2).reshape(query.shape[0], TOKENS, WIDTH)


def make_transformer(inputs, targets):
    """Learned positions, layer norm, gelu, the head is the embedding."""
    weights = {"embedding.weight": 0.3 * torch.randn(VOCABULARY, WIDTH), "position": 0.3 * torch.randn(TOKENS, WIDTH)}

    def add_affine(name):
        weights[name + ".weight"] = 1 + 0.1 * torch.randn(WIDTH)
        weights[name + ".bias"] = 0.1 * torch.randn(WIDTH)

    for layer in range(LAYERS):
        block = "blocks.%d." % layer
        add_affine(block + "attention_norm")
        for name in ("q", "k", "v", "out"):
            add_linear(weights, block + "attention." + name, WIDTH, WIDTH)
        add_affine(block + "feed_forward_norm")
        add_linear(weights, block + "feed_forward.up", 4 * WIDTH, WIDTH)
        add_linear(weights, block + "feed_forward.down", WIDTH, 4 * WIDTH)
    add_affine("norm")

    def layer_norm(weights, name, x):
        return F.layer_norm(x, (WIDTH,), weights[name + ".weight"], weights[name + ".bias"])

    def forward(weights, x, training):
        x = weights["embedding.weight"][x] + weights["position"]
        for layer in range(LAYERS):
            block = "blocks.%d." % layer
            z = layer_norm(weights, block + "attention_norm", x)
            query, key, value = (heads(linear(weights, block + "attention." + name, z), HEADS) for name in "qkv")
            x = x + linear(weights, block + "attention.out", attend(query, key, value))
            z = layer_norm(weights, block + "feed_forward_norm", x)
            x = x + linear(weights, block + "feed_forward.down", F.gelu(linear(weights, block + "feed_forward.up", z)))
        return layer_norm(weights, "norm", x) @ weights["embedding.weight"].T

    train("transformer", weights, forward, adamw, inputs, targets)


def make_rotary(inputs, targets):
    """Rotary positions, rms norm, swiglu, heads that share keys and values, no biases, a head of its own."""
    size = WIDTH // HEADS
    weights = {"embedding.weight": 0.3 * torch.randn(VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        block = "blocks.%d." % layer
        weights[block + "attention_norm.weight"] = 1 + 0.1 * torch.randn(WIDTH)
        for name, outputs in (("q", WIDTH), ("k", size), ("v", size), ("out", WIDTH)):
            add_linear(weights, block + "attention." + name, outputs, WIDTH, bias=False)
        weights[block + "feed_forward_norm.weight"] = 1 + 0.1 * torch.randn(WIDTH)
        add_linear(weights, block + "feed_forward.up", 2 * 24, WIDTH, bias=False)
        add_linear(weights, block + "feed_forward.down", WIDTH, 24, bias=False)
    weights["norm.weight"] = 1 + 0.1 * torch.randn(WIDTH)
    add_linear(weights, "head", VOCABULARY, WIDTH, bias=False)
    angles = torch.arange(TOKENS)[:, None] * 10000.0 ** (-2 * torch.arange(size // 2) / size)

    def rms_norm(weights, name, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weights[name + ".weight"]

    def rotate(x):
        a, b = x.chunk(2, -1)
        return torch.cat((a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()), -1)

    def forward(weights, x, training):
        x = weights["embedding.weight"][x]
        for layer in range(LAYERS):
            block = "blocks.%d." % layer
            z = rms_norm(weights, block + "attention_norm", x)
            query, key, value = (heads(linear(weights, block + "attention." + name, z), count)
                                 for name, count in (("q", HEADS), ("k", 1), ("v", 1)))
            x = x + linear(weights, block + "attention.out", attend(rotate(query), rotate(key), value))
            z = rms_norm(weights, block + "feed_forward_norm", x)
            gate, up = linear(weights, block + "feed_forward.up", z).chunk(2, -1)
            x = x + linear(weights, block + "feed_forward.down", F.silu(gate) * up)
        return linear(weights, "head", rms_norm(weights, "norm", x))

    train("rotary", weights, forward, adamw, inputs, targets)


def main():
    torch.manual_seed(20)
    torch.set_num_threads(1)
    os.makedirs(FOLDER, exist_ok=True)
    make_mlp()
    images = make_images()
    make_cnn(*images)
    make_residual(*images)
    text = make_text()
    make_transformer(*text)
    make_rotary(*text)


if __name__ == "__main__":
    main()
