"""Races a step of training executables against PyTorch and Keras, interleaved, with as many threads (default one) on the first
cores that are allowed (taskset), on random data.

usage: training.py [--models mnist,mlp,resnet,gpt,lstm] [--peers torch,keras] [--threads 1] [--rounds 3] [--steps 20]
                   [--python PATH of a Python with the peers]
Writes a table: milliseconds a step of each, and the ratio over mlc. Every program warms up by an epoch that does not count.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CORES = sorted(os.sched_getaffinity(0))
OPT = os.path.join(ROOT, "build", "release", "bin", "mlc-opt")
EXAMPLES = {"mnist": "mnist_cnn", "mlp": "mlp", "resnet": "resnet18_cifar", "gpt": "gpt", "lstm": "lstm_classifier"}
BATCHES = {"mnist": (32, 128), "mlp": (128,), "resnet": (32,), "gpt": (8,), "lstm": (64,)}


def data(model, count):
    import numpy as np
    rng = np.random.default_rng(0)
    if model == "gpt":
        text = rng.integers(0, 96, (count, 129))
        return text[:, :-1].astype(np.int32), text[:, 1:].astype(np.int64)
    if model == "lstm":
        return rng.integers(0, 20000, (count, 80)).astype(np.int32), rng.integers(0, 2, (count, 1)).astype(np.float32)
    shape = {"mnist": (28, 28, 1), "mlp": (784,), "resnet": (32, 32, 3)}[model]
    return rng.random((count, *shape), dtype=np.float32), rng.integers(0, 10, count)


def torch_model(model):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
                                      nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside))
            same = stride == 1 and inside == outside
            self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

        def forward(self, x):
            return F.relu(self.body(x) + self.shortcut(x))

    class Layer(nn.Module):
        def __init__(self, width=256, heads=4):
            super().__init__()
            self.heads = heads
            self.first, self.second, self.dropout = nn.LayerNorm(width), nn.LayerNorm(width), nn.Dropout(0.1)
            self.joint, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            batch, length, width = x.shape
            q, k, v = self.joint(self.first(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.1)
            x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
            return x + self.dropout(self.mlp(self.second(x)))

    class Gpt(nn.Module):
        def __init__(self, vocabulary=96, length=128, width=256):
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Parameter(torch.zeros(length, width))
            self.dropout, self.layers, self.norm = nn.Dropout(0.1), nn.Sequential(*(Layer() for _ in range(4))), nn.LayerNorm(width)

        def forward(self, x):
            return F.linear(self.norm(self.layers(self.dropout(self.tokens(x) + self.places))), self.tokens.weight)

    class Classifier(nn.Module):
        def __init__(self, vocabulary=20000, width=64):
            super().__init__()
            self.tokens, self.first = nn.Embedding(vocabulary, width), nn.LSTM(width, width, batch_first=True)
            self.second, self.head = nn.LSTM(width, width, batch_first=True, bidirectional=True), nn.Linear(2 * width, 1)

        def forward(self, x):
            _, (last, _) = self.second(self.first(self.tokens(x))[0])
            return self.head(F.dropout(torch.cat([last[0], last[1]], -1), 0.5))

    if model == "gpt":
        return Gpt()
    if model == "lstm":
        return Classifier()
    if model == "mlp":
        return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10))
    if model == "mnist":
        return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                             nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10))
    layers, width = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for outside, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers.append(Block(width, outside, stride))
        width = outside
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def torch_optimizer(model, parameters):
    """What the train block of the example says."""
    from torch import optim
    if model == "gpt":
        return optim.AdamW(parameters, 3e-5, betas=(0.9, 0.95), weight_decay=0.1)
    if model == "mlp":
        return optim.RMSprop(parameters, 1e-3)
    if model == "resnet":
        return optim.SGD(parameters, 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return optim.Adam(parameters, 1e-3)


def run_torch(model, batch, steps, threads):
    import time
    import torch
    torch.set_num_threads(threads)
    network = torch_model(model)
    optimizer = torch_optimizer(model, network.parameters())
    x, y = (torch.from_numpy(array).long() if array.dtype.kind == "i" else torch.from_numpy(array) for array in data(model, batch))
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous()
    for step in range(2 * steps):
        if step == steps:
            start = time.perf_counter()
        optimizer.zero_grad()
        output = network(x)
        if y.is_floating_point():
            torch.nn.functional.binary_cross_entropy_with_logits(output, y).backward()
        else:
            torch.nn.functional.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1)).backward()
        if model == "gpt":
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    print((time.perf_counter() - start) / steps * 1e3)


def run_keras(model, batch, steps, threads):
    import time
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    import keras
    import tensorflow
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    layers = keras.layers
    if model == "mnist":
        body = [keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu"), layers.Flatten(), layers.Dense(64, activation="relu")]
    else:
        body = [keras.Input((784,)), layers.Dense(512, activation="relu"), layers.Dropout(0.2), layers.Dense(512, activation="relu"),
                layers.Dropout(0.2)]
    network = keras.Sequential([*body, layers.Dense(10, activation="softmax")])
    network.compile(optimizer="rmsprop" if model == "mlp" else "adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = data(model, batch * steps)
    network.fit(x, y, batch_size=batch, epochs=1, verbose=0)
    start = time.perf_counter()
    network.fit(x, y, batch_size=batch, epochs=2, verbose=0)
    print((time.perf_counter() - start) / (2 * steps) * 1e3)


def pinned(threads):
    if threads > len(CORES):
        sys.exit(f"training.py: {threads} threads, but {len(CORES)} cores are allowed")
    return ["taskset", "-c", ",".join(map(str, CORES[:threads]))]


def run_mlc(program, folder, model, batch, steps, threads):
    """Two epochs more take so much longer: loading, validation of the data and the first steps do not count."""
    import time

    def seconds(epochs):
        start = time.perf_counter()
        subprocess.run([*pinned(threads), program, "--data", os.path.join(folder, f"{model}-{batch}.npz"), "--batch", str(batch),
                        "--epochs", str(epochs), "--threads", str(threads), "--verbose", "0"], check=True)
        return time.perf_counter() - start

    return (seconds(3) - seconds(1)) / (2 * steps) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="mnist,mlp,resnet,gpt,lstm")
    parser.add_argument("--peers", default="torch")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--worker", nargs=3, metavar=("PEER", "MODEL", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peer, model, batch = options.worker
        return {"torch": run_torch, "keras": run_keras}[peer](model, int(batch), options.steps, options.threads)
    import numpy as np
    print("| model | batch | mlc ms | " + " | ".join(f"{peer} ms | {peer} / mlc" for peer in options.peers.split(",")) + " |")
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models.split(","):
            program = os.path.join(folder, model)
            subprocess.run([OPT, os.path.join(ROOT, "docs", "examples", EXAMPLES[model] + ".mlc"), "--emit=exe", "-o", program], check=True)
            for batch in BATCHES[model]:
                x, y = data(model, batch * options.steps)
                np.savez(os.path.join(folder, f"{model}-{batch}.npz"), x=x, y=y)
                times = {}
                for _ in range(options.rounds):
                    times.setdefault("mlc", []).append(run_mlc(program, folder, model, batch, options.steps, options.threads))
                    for peer in options.peers.split(","):
                        if peer == "keras" and model not in ("mnist", "mlp"):
                            continue
                        done = subprocess.run([*pinned(options.threads), options.python, __file__, "--steps", str(options.steps), "--threads",
                                               str(options.threads), "--worker", peer, model, str(batch)], check=True, capture_output=True, text=True)
                        times.setdefault(peer, []).append(float(re.findall(r"[0-9.]+", done.stdout)[-1]))
                own = statistics.median(times["mlc"])
                cells = [f"{statistics.median(times[peer]):.2f} | {statistics.median(times[peer]) / own:.2f}" if peer in times else " | "
                         for peer in options.peers.split(",")]
                print(f"| {model} | {batch} | {own:.2f} | " + " | ".join(cells) + " |", flush=True)


main()
