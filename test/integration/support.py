"""What the integration tests share: paths, running the tools, making models."""
import json
import os
import struct
import subprocess
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("MLC_BIN", os.path.join(ROOT, "build", "release", "bin"))
os.environ.setdefault("MLC_CACHE_DIR", os.path.join(ROOT, "build", "test-cache"))  # not the user's
OPT, RUN = os.path.join(BIN, "mlc-opt"), os.path.join(BIN, "mlc-run")


class ToolTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mlc-test-")
        self.addCleanup(self._folder.cleanup)
        self.folder = self._folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def call(self, *command, code=0, **kwargs):
        """Runs a command in the folder; checks its exit code; returns (stdout, stderr)."""
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=self.folder, timeout=300, **kwargs)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def compile(self, model, *options, library="libm.so"):
        """Compiles a ModelProto or a path; returns the library's path."""
        if not isinstance(model, str):
            onnx.save(model, self.path("model.onnx"))
            model = self.path("model.onnx")
        self.call(OPT, model, "-o", self.path(library), *options)
        return self.path(library)

    def run_model(self, library, feeds, *options):
        """Runs a library on arrays by name; returns the outputs by name."""
        arguments = []
        for i, (name, array) in enumerate(feeds.items()):
            np.save(self.path(f"in{i}.npy"), array)
            arguments += ["--input", f"{name}={self.path(f'in{i}.npy')}"]
        self.call(RUN, library, *arguments, "--output-dir", self.path("out"), *options)
        names = [o["name"] for o in json.loads(self.call(RUN, library, "--signature")[0])["outputs"]]
        return {name: np.load(os.path.join(self.folder, "out", name + ".npy")) for name in names}


def model(nodes, inputs, outputs, initializers=(), opset=17, functions=(), **kwargs):
    graph = h.make_graph(nodes, "g", inputs, outputs, list(initializers))
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset)] + [h.make_opsetid(f.domain, 1) for f in functions],
                        functions=list(functions), ir_version=10, **kwargs)


def value(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def weights(name, array):
    return nh.from_array(np.asarray(array), name)


def read_safetensors(path):
    """The arrays of a file by name."""
    types = {"F32": np.float32, "I64": np.int64, "I32": np.int32, "F64": np.float64}
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[t["data_offsets"][0]:t["data_offsets"][1]], types[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}


def mlp(batch="N"):
    """x[N, 4] -> relu(x w + b)[N, 3]"""
    rng = np.random.default_rng(0)
    w, b = rng.standard_normal((4, 8)).astype(np.float32), rng.standard_normal(8).astype(np.float32)
    v = rng.standard_normal((8, 3)).astype(np.float32)
    made = model([h.make_node("MatMul", ["x", "w"], ["a"]), h.make_node("Add", ["a", "b"], ["c"]), h.make_node("Relu", ["c"], ["d"]),
                  h.make_node("MatMul", ["d", "v"], ["y"])],
                 [value("x", [batch, 4])], [value("y", [batch, 3])], [weights("w", w), weights("b", b), weights("v", v)])
    return made, lambda x: np.maximum(x @ w + b, 0) @ v
