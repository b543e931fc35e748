"""The accuracy of docs/examples/mnist_cnn.mlc on digits that were held out, over several seeds, next to PyTorch and Keras.

usage: accuracy.py [--seeds 5] [--torch PYTHON] [--keras PYTHON]     Pythons that have them; without one it is left out
Everything is the same but the random numbers: net, initializers (Glorot's uniform, biases 0), Adam with Keras's defaults, batches of 32 in random
order, 5 epochs. Prints a table of the accuracy after the last epoch, and the mean with its standard error.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
OPT = os.path.join(ROOT, "build", "release", "bin", "mlc-opt")
EPOCHS, BATCH = 5, 32


def run_torch(folder, seed):
    import torch
    from torch import nn
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    (x, y), (held_out, truth) = ([torch.from_numpy(array) for array in load(folder, name)] for name in ("train", "test"))
    net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10))
    for layer in net:
        if hasattr(layer, "weight"):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, eps=1e-7)
    x, held_out = x.permute(0, 3, 1, 2), held_out.permute(0, 3, 1, 2)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return float((net(held_out).argmax(1) == truth).float().mean())


def run_keras(folder, seed):
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    import keras
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    net = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
                            layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu"),
                            layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    net.fit(*load(folder, "train"), batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return net.evaluate(*load(folder, "test"), verbose=0)[1]


def load(folder, name):
    file = np.load(os.path.join(folder, name + ".npz"))
    return file["image"], file["label"]


def run_mlc(folder, seed):
    subprocess.run([os.path.join(folder, "net"), "--data", "train.npz", "--validation-data", "test.npz", "--batch", str(BATCH), "--epochs",
                    str(EPOCHS), "--seed", str(seed), "--threads", "1", "--verbose", "0", "--log", f"log{seed}.jsonl"], check=True, cwd=folder)
    with open(os.path.join(folder, f"log{seed}.jsonl")) as file:
        return json.loads(file.readlines()[-1])["val_accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--torch")
    parser.add_argument("--keras")
    parser.add_argument("--worker", nargs=3, metavar=("PEER", "FOLDER", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peer, folder, seed = options.worker
        return print({"torch": run_torch, "keras": run_keras}[peer](folder, int(seed)))
    with tempfile.TemporaryDirectory() as folder:
        examples = os.path.join(ROOT, "docs", "examples")
        subprocess.run([sys.executable, os.path.join(examples, "mnist", "digits.py"), "train.npz", "test.npz"], check=True, cwd=folder)
        subprocess.run([OPT, os.path.join(examples, "mnist_cnn.mlc"), "--emit=exe", "-o", os.path.join(folder, "net")], check=True)
        print("| | " + " | ".join(f"seed {seed}" for seed in range(options.seeds)) + " | mean |\n|---|" + "---|" * (options.seeds + 1))
        for name, python in (("mlc", sys.executable), ("PyTorch", options.torch), ("Keras", options.keras)):
            if not python:
                continue
            results = []
            for seed in range(options.seeds):
                if name == "mlc":
                    results.append(run_mlc(folder, seed))
                else:
                    worker = [python, __file__, "--worker", {"PyTorch": "torch", "Keras": "keras"}[name], folder, str(seed)]
                    results.append(float(subprocess.run(worker, check=True, capture_output=True, text=True).stdout.split()[-1]))
            error = np.std(results, ddof=1) / len(results) ** 0.5 if len(results) > 1 else 0
            print(f"| {name} | " + " | ".join(f"{result:.3f}" for result in results) + f" | {np.mean(results):.4f} ± {error:.4f} |", flush=True)


main()
