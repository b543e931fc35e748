"""Tensors as files: .npy, with bfloat16 as two raw bytes, as mlc-run reads and writes it."""
import json
import os
import re

import ml_dtypes
import numpy as np


def file_name(name):
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", name) + ".npy"


def save(path, array):
    np.save(path, array.view(np.dtype("V2")) if array.dtype == ml_dtypes.bfloat16 else array)


def load(path):
    array = np.load(path)
    return array.view(ml_dtypes.bfloat16) if array.dtype == np.dtype("V2") else array


def save_inputs(folder, inputs):
    """Writes name -> array for load_inputs."""
    os.makedirs(folder, exist_ok=True)
    index = {name: file_name(name) for name in inputs}
    for name, array in inputs.items():
        save(os.path.join(folder, index[name]), array)
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump(index, file)
    return [f"{name}={os.path.join(folder, file)}" for name, file in index.items()]


def load_inputs(folder):
    with open(os.path.join(folder, "index.json")) as file:
        return {name: load(os.path.join(folder, file_name)) for name, file_name in json.load(file).items()}
