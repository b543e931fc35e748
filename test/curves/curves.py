"""Loss curves of the large examples next to PyTorch: the same weights to begin with, the same data in the same order, every step in f32.

usage: curves.py [--models resnet18_cifar,gpt,bert_classifier,lstm_classifier] [--python PATH of a Python with PyTorch] [--markdown FILE]
Prints step, mlc's loss and PyTorch's, each the mean of an epoch's steps while the weights change. --markdown puts the tables between the lines
`<!-- curves -->` and `<!-- end of curves -->` of a file.

Random numbers differ between the two, so dropout and random crops and flips are taken out of the examples; optimizer, schedule and clipping are
the examples' own. The data is what every Debian has: handwritten digits of the tests' environment, and the texts of licenses and of Python's
reference (pydoc_data), as characters for gpt, as hashed words for the classifiers, which tell the two sources apart.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib

import numpy as np

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
OPT = os.path.join(ROOT, "build", "release", "bin", "mlc-opt")
EXAMPLES = os.path.join(ROOT, "docs", "examples")

# Samples of a step, steps of an epoch, epochs.
SIZES = {"resnet18_cifar": (32, 20, 8), "gpt": (8, 25, 10), "bert_classifier": (32, 20, 10), "lstm_classifier": (64, 20, 10)}


# ---- data

def licenses():
    folder = "/usr/share/common-licenses"
    return "\n".join(open(os.path.join(folder, name), encoding="utf-8", errors="replace").read()
                     for name in sorted(os.listdir(folder)) if not os.path.islink(os.path.join(folder, name)))


def reference():
    from pydoc_data.topics import topics
    return "\n".join(topics[name] for name in sorted(topics))


def passages(count, length, vocabulary):
    """Hashed words of passages, alternately of both texts; a third of some is padding."""
    words = [re.findall(r"\w+|[^\w\s]", text) for text in (licenses(), reference())]
    rng = np.random.default_rng(0)
    tokens, labels = np.zeros((count, length), np.int32), np.arange(count) % 2
    for row, label in zip(tokens, labels):
        used = length - rng.integers(0, length // 3)
        start = rng.integers(0, len(words[label]) - used)
        row[:used] = [1 + zlib.crc32(word.lower().encode()) % (vocabulary - 1) for word in words[label][start:start + used]]
    return tokens, labels


def data(model, count, folder):
    if model == "resnet18_cifar":
        subprocess.run([sys.executable, os.path.join(EXAMPLES, "mnist", "digits.py"), "digits.npz", "others.npz"], check=True, cwd=folder)
        digits = np.load(os.path.join(folder, "digits.npz"))
        images = np.pad(digits["image"][:count], ((0, 0), (2, 2), (2, 2), (0, 0)))
        return {"image": np.repeat(images * 255, 3, axis=3), "label": digits["label"][:count]}
    if model == "gpt":
        codes = np.frombuffer(licenses().encode("ascii", "replace"), np.uint8).astype(np.int64)
        codes = np.clip(np.where(codes == 10, 32, codes) - 32, 0, 95)
        rows = codes[:len(codes) // 128 * 128].reshape(-1, 128)[:count + 1].ravel()
        return {"tokens": rows[:count * 128].reshape(count, 128).astype(np.int32), "label": rows[1:count * 128 + 1].reshape(count, 128)}
    if model == "bert_classifier":
        tokens, labels = passages(count, 64, 30522)
        return {"tokens": tokens, "segments": np.zeros_like(tokens), "label": labels}
    tokens, labels = passages(count, 80, 20000)
    return {"tokens": tokens, "label": labels.astype(np.float32)[:, None]}


# ---- the examples in PyTorch, as functions of the weights by mlc's names

def resnet18_cifar(w, image):
    import torch
    from torch.nn import functional as F

    def conv_norm(name, x, stride=1):
        kernel, size = w[name + ".conv2d.kernel"], x.shape[-1]
        padding = max((-(-size // stride) - 1) * stride + kernel.shape[-1] - size, 0)
        before, behind = padding // 2, padding - padding // 2
        x = F.conv2d(F.pad(x, (before, behind, before, behind)), kernel, stride=stride)
        return F.batch_norm(x, None, None, w[name + ".batch_norm.gamma"], w[name + ".batch_norm.beta"], training=True, eps=1e-5)

    mean, deviation = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2470, 0.2435, 0.2616])
    x = F.relu(conv_norm("stem", ((image / 255 - mean) / deviation).permute(0, 3, 1, 2)))
    for i in range(8):
        name = "residual" + (f"_{i}" if i else "")
        stride = 2 if i in (2, 4, 6) else 1
        y = conv_norm(name + ".conv_norm_1", F.relu(conv_norm(name + ".conv_norm", x, stride)))
        x = F.relu(y + (conv_norm(name + ".shortcut", x, stride) if stride == 2 else x))
    return x.mean((2, 3)) @ w["dense.kernel"] + w["dense.bias"]


def dense(w, name, x):
    return x @ w[name + ".kernel"] + w[name + ".bias"]


def layer_norm(w, name, x, epsilon=1e-3):
    from torch.nn import functional as F
    return F.layer_norm(x, x.shape[-1:], w[name + ".gamma"], w[name + ".beta"], epsilon)


def attention(w, name, x, heads=4, **options):
    from torch.nn import functional as F
    q, k, v = (dense(w, f"{name}.{part}", x).unflatten(-1, (heads, -1)).transpose(1, 2) for part in ("query", "key", "value"))
    return dense(w, name + ".output", F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(2))


def gpt(w, tokens):
    from torch.nn import functional as F
    x = w["embed.weight"][tokens] + w["position_embedding.weight"]
    for name in ("layer", "layer_1", "layer_2", "layer_3"):
        x = x + attention(w, name + ".attention", layer_norm(w, name + ".layer_norm", x), is_causal=True)
        x = x + dense(w, name + ".mlp.dense_1", F.gelu(dense(w, name + ".mlp.dense", layer_norm(w, name + ".layer_norm_1", x))))
    return layer_norm(w, "layer_norm", x) @ w["embed.weight"].T


def bert_classifier(w, tokens, segments):
    from torch.nn import functional as F
    x = w["tokens.weight"][tokens] + w["segments.weight"][segments] + w["positions.weight"][:tokens.shape[1]]
    x = layer_norm(w, "layer_norm", x, 1e-12)
    for name in ("encoder", "encoder_1"):
        x = layer_norm(w, name + ".layer_norm", x + attention(w, name + ".attention", x, attn_mask=(tokens != 0)[:, None, None]), 1e-12)
        y = dense(w, name + ".feed_forward.dense_1", F.gelu(dense(w, name + ".feed_forward.dense", x)))
        x = layer_norm(w, name + ".layer_norm_1", x + y, 1e-12)
    return dense(w, "classifier", dense(w, "pooler", x[:, 0]).tanh())


def lstm_classifier(w, tokens):
    import torch

    def lstm(name, x):
        h = c = torch.zeros(x.shape[0], 64)
        outputs = []
        for step in (x @ w[name + ".kernel"] + w[name + ".bias"]).unbind(1):
            i, f, g, o = (step + h @ w[name + ".recurrent_kernel"]).chunk(4, 1)
            c = (f + 1).sigmoid() * c + i.sigmoid() * g.tanh()  # forget_bias
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs, 1)

    x = lstm("lstm", w["embedding.weight"][tokens])
    both = lstm("bidirectional.forward", x)[:, -1], lstm("bidirectional.backward", x.flip(1))[:, -1]
    return dense(w, "dense", torch.cat(both, 1))


def train_torch(model, folder):
    """Prints a loss an epoch."""
    import torch
    from torch.nn import functional as F
    torch.set_num_threads(1)
    w = {name: torch.from_numpy(array).requires_grad_() for name, array in np.load(os.path.join(folder, "initial.npz")).items()
         if ".moving_" not in name}
    arrays = {name: torch.from_numpy(array) for name, array in np.load(os.path.join(folder, "data.npz")).items()}
    arrays = {name: array if array.is_floating_point() else array.long() for name, array in arrays.items()}
    labels = arrays.pop("label")
    net = {"resnet18_cifar": resnet18_cifar, "gpt": gpt, "bert_classifier": bert_classifier, "lstm_classifier": lstm_classifier}[model]
    # Keras's weight decay is not part of the gradient, and its epsilon is added before the correction of the bias.
    decay, beta2 = {"resnet18_cifar": (0.0005, 0), "gpt": (0.1, 0.95), "bert_classifier": (0.01, 0.999), "lstm_classifier": (0, 0.999)}[model]
    if model == "resnet18_cifar":
        optimizer = torch.optim.SGD(w.values(), 0.1, momentum=0.9, nesterov=True)
    else:
        optimizer = torch.optim.Adam(w.values(), betas=(0.9, beta2))
    rates = {"resnet18_cifar": lambda t: 0.05 * (1 + np.cos(np.pi * t / 78000)), "lstm_classifier": lambda t: 0.001,
             "bert_classifier": lambda t: (5e-5 - 1e-6) * (1 - t / 5000) + 1e-6,
             "gpt": lambda t: 3e-5 + (3e-4 - 3e-5) * t / 200 if t < 200 else 3e-4 * (0.45 * (1 + np.cos(np.pi * (t - 200) / 10000)) + 0.1)}
    batch, steps, epochs = SIZES[model]
    t = 0
    for _ in range(epochs):
        total = 0
        for step in range(steps):
            rows = slice(step * batch, (step + 1) * batch)
            outputs, group = net(w, *(array[rows] for array in arrays.values())), optimizer.param_groups[0]
            if model == "lstm_classifier":
                loss = F.binary_cross_entropy_with_logits(outputs, labels[rows])
            else:
                loss = F.cross_entropy(outputs.flatten(0, -2), labels[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            if model in ("gpt", "bert_classifier"):
                torch.nn.utils.clip_grad_norm_(w.values(), 1.0)
            group["lr"] = rates[model](t)
            if model != "resnet18_cifar":
                group["eps"] = 1e-7 / (1 - beta2 ** (t + 1)) ** 0.5
            for weight in w.values():
                weight.data.mul_(1 - group["lr"] * decay)
            optimizer.step()
            total += loss.item()
            t += 1
        print(total / steps, flush=True)


# ---- both

def compare(model, folder, python):
    """(step, mlc's loss, PyTorch's loss) an epoch."""
    sys.path.append(os.path.join(ROOT, "test", "integration"))
    from support import read_safetensors
    batch, steps, epochs = SIZES[model]
    np.savez(os.path.join(folder, "data.npz"), **data(model, batch * steps, folder))
    with open(os.path.join(EXAMPLES, model + ".mlc")) as file:
        source = re.sub(r"\b(dropout|rate)=0\.\d+", r"\1=0", file.read())
    source = re.sub(r"\n *(random_crop\(.*?\)|random_flip),", "", source)
    source = re.sub(r"\n *(validation_split|early_stopping) = .*", "", source)
    with open(os.path.join(folder, model + ".mlc"), "w") as file:
        file.write(source)

    def call(*command):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    call(OPT, model + ".mlc", "--emit=exe", "--shuffle=false", "-o", "net")
    common = ["./net", "--data", "data.npz", "--batch", str(batch), "--threads", "1", "--verbose", "0"]
    call(*common, "--epochs", "1", "--lr", "0", "--export", "initial.safetensors")  # moves nothing
    np.savez(os.path.join(folder, "initial.npz"), **read_safetensors(os.path.join(folder, "initial.safetensors")))
    call(*common, "--epochs", str(epochs), "--log", "log.jsonl", "--weights", "initial.safetensors")
    with open(os.path.join(folder, "log.jsonl")) as file:
        own = [json.loads(line)["loss"] for line in file]
    other = [float(line) for line in call(python, os.path.abspath(__file__), "--worker", model, folder).split()]
    return [(steps * (i + 1), a, b) for i, (a, b) in enumerate(zip(own, other, strict=True))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(SIZES))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--markdown")
    parser.add_argument("--worker", nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return train_torch(*options.worker)
    text = ""
    for model in options.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows = compare(model, folder, options.python)
        columns = [["step", *(str(row[0]) for row in rows)], ["mlc", *(f"{row[1]:.4f}" for row in rows)], ["PyTorch", *(f"{row[2]:.4f}" for row in rows)]]
        lines = ["| " + " | ".join(column) + " |" for column in columns]
        lines.insert(1, "|---" * len(columns[0]) + "|")
        text += f"\n`{model}`, {SIZES[model][0]} samples a step\n\n" + "\n".join(lines) + "\n"
        print(f"{model}\n" + "\n".join(lines), flush=True)
    if options.markdown:
        with open(options.markdown) as file:
            page = file.read()
        page = re.sub(r"(<!-- curves -->\n).*?(?=<!-- end of curves -->)", lambda match: match[1] + text + "\n", page, flags=re.DOTALL)
        with open(options.markdown, "w") as file:
            file.write(page)


if __name__ == "__main__":
    main()
