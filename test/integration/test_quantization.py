"""Products of 8-bit integers and of bf16 on several processors, against NumPy and against -O0."""
import glob
import itertools
import os
import shutil
import unittest

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from onnx.reference import ReferenceEvaluator

from support import OPT, ROOT, ToolTest, model, value, weights

DTYPES = {np.uint8: T.UINT8, np.int8: T.INT8}
# Without dot products, by pairs of 16 bits in vectors of 128, 256 and 512 bits, and by granules of four.
PROCESSORS = {"x86-64-v2": "sse4_2", "haswell": "avx2", "skylake-avx512": "avx512bw", "cascadelake": "avx512_vnni", "native": "sse2"}
with open("/proc/cpuinfo") as cpuinfo:
    FLAGS = set(next((line.split(":")[1].split() for line in cpuinfo if line.startswith("flags")), []))


def runs(options):
    """Whether this machine has the instructions; code for others is compiled, and not run."""
    return all(PROCESSORS[option.partition("=")[2]] in FLAGS for option in options if option.startswith("--mcpu="))


def integers(rng, dtype, shape):
    """All values, the extremes often."""
    info = np.iinfo(dtype)
    array = rng.integers(info.min, info.max + 1, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([info.min, info.max], shape), array).astype(dtype)


class Products:
    """A model of many products, its inputs, and what they should give."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inputs, self.outputs, self.constants, self.feeds, self.expected = [], [], [], [], {}, {}

    def input(self, array):
        name = f"x{len(self.feeds)}"
        self.feeds[name] = array
        self.inputs.append(value(name, array.shape, DTYPES[array.dtype.type]))
        return name

    def constant(self, array):
        name = f"w{len(self.constants)}"
        self.constants.append(weights(name, array))
        return name

    def output(self, node, expected):
        name = f"y{len(self.expected)}"
        self.nodes.append(h.make_node(*node[:2], [name], **(node[2] if len(node) > 2 else {})))
        self.outputs.append(value(name, expected.shape, DTYPES.get(expected.dtype.type, T.INT32)))
        self.expected[name] = expected

    def matmul(self, m, k, n, left, right, zero_points, constant=True):
        x, w = integers(self.rng, left, (m, k)), integers(self.rng, right, (k, n))
        inputs = [self.input(x), self.constant(w) if constant else self.input(w)]
        xz, wz = np.array(0, left), np.array(0, right)
        if zero_points:
            xz, wz = integers(self.rng, left, ()), integers(self.rng, right, (n,))
            inputs += [self.constant(xz), self.constant(wz)]
        self.output(("MatMulInteger", inputs), (x.astype(np.int32) - xz) @ (w.astype(np.int32) - wz))

    def conv(self, channels, filters, kernel, left, right, zero_points, **attributes):
        groups = attributes.get("group", 1)
        x, w = integers(self.rng, left, (2, channels, 9, 7)), integers(self.rng, right, (filters, channels // groups, kernel, kernel))
        inputs = [self.input(x), self.constant(w)]
        xz, wz = np.array(0, left), np.array(0, right)
        if zero_points:
            # u8 weights around 128 are what ONNX Runtime writes.
            xz, wz = integers(self.rng, left, ()), np.array(128 if right == np.uint8 else 0, right)
            inputs += [self.constant(xz), self.constant(wz)]
        centred = [(a.astype(np.float64) - z) for a, z in ((x, xz), (w, wz))]
        reference = model([h.make_node("Conv", ["x", "w"], ["y"], **attributes)],
                          [value("x", centred[0].shape, T.DOUBLE), value("w", centred[1].shape, T.DOUBLE)], [value("y", None, T.DOUBLE)])
        expected, = ReferenceEvaluator(reference).run(None, dict(zip("xw", centred)))
        self.output(("ConvInteger", inputs, attributes), expected.astype(np.int32))

    def build(self):
        return model(self.nodes, self.inputs, self.outputs, self.constants, opset=17)


class Integers(ToolTest):
    def check(self, products):
        onnx.save(products.build(), self.path("m.onnx"))
        for options in (("-O0",), *(("-O3", f"--mcpu={name}") for name in PROCESSORS)):
            with self.subTest(options=options):
                library = self.compile(self.path("m.onnx"), *options)
                if not runs(options):
                    self.skipTest("this processor has not the instructions")
                results = self.run_model(library, products.feeds)
                for name, expected in products.expected.items():
                    np.testing.assert_array_equal(results[name], expected, f"{options} {name}")

    def test_matmul_integer(self):
        products = Products(1)
        for size in ((1, 4, 16), (5, 7, 33), (3, 129, 61), (37, 64, 128), (2, 2, 40), (1, 300, 257)):
            for left, right, zero_points in itertools.product(DTYPES, DTYPES, (False, True)):
                products.matmul(*size, left, right, zero_points)
        products.matmul(8, 16, 24, np.uint8, np.int8, True, constant=False)
        for left, right in itertools.product(DTYPES, DTYPES):
            products.matmul(7, 15, 24, left, right, False, constant=False)  # packed in the run, where there are dot products
            products.matmul(1, 16, 40, left, right, False, constant=False)
        self.check(products)

    def test_conv_integer(self):
        products = Products(2)
        for left, right, zero_points in itertools.product(DTYPES, DTYPES, (False, True)):
            products.conv(3, 8, 3, left, right, zero_points, pads=[1, 1, 1, 1])
            products.conv(16, 20, 1, left, right, zero_points)
            products.conv(8, 12, 3, left, right, zero_points, strides=[2, 2], pads=[0, 1, 1, 0], group=2)
            products.conv(8, 8, 3, left, right, zero_points, group=8, pads=[1, 1, 1, 1])
            products.conv(1, 5, 3, left, right, zero_points)
        self.check(products)


class Bf16(ToolTest):
    def test_matmul(self):
        """Lengths that are no multiple of two, and infinities that must not reach a neighbour through the padding."""
        import ml_dtypes
        rng = np.random.default_rng(3)
        nodes, inputs, outputs, constants, expected, feeds = [], [], [], [], {}, {}
        for i, (m, k, n) in enumerate(((1, 1, 16), (1, 300, 257), (5, 7, 33), (37, 61, 129), (16, 64, 48))):
            x, w = (rng.standard_normal(shape).astype(ml_dtypes.bfloat16) for shape in ((m, k), (k, n)))
            if i == 2:
                x[2, 0] = np.inf
            feeds[f"x{i}"] = x.astype(np.float32)
            inputs.append(value(f"x{i}", (m, k)))
            constants.append(h.make_tensor(f"w{i}", T.BFLOAT16, w.shape, w.tobytes(), raw=True))
            nodes += [h.make_node("Cast", [f"x{i}"], [f"h{i}"], to=T.BFLOAT16), h.make_node("MatMul", [f"h{i}", f"w{i}"], [f"z{i}"]),
                      h.make_node("Cast", [f"z{i}"], [f"y{i}"], to=T.FLOAT)]
            outputs.append(value(f"y{i}", (m, n)))
            with np.errstate(invalid="ignore"):
                expected[f"y{i}"] = x.astype(np.float64) @ w.astype(np.float64)
        onnx.save(model(nodes, inputs, outputs, constants), self.path("m.onnx"))
        for options in (("-O0",), ("-O3", "--mcpu=haswell"), ("-O3",)):
            with self.subTest(options=options):
                results = self.run_model(self.compile(self.path("m.onnx"), *options), feeds)
                for name, wanted in expected.items():
                    np.testing.assert_allclose(results[name], wanted, rtol=2.0 ** -7, atol=2e-2, err_msg=f"{options} {name}")


def quantize(x, scale, zero):
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)


@unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64"), "needs gcc-aarch64-linux-gnu and qemu-user (tools/setup.sh test)")
class AArch64(ToolTest):
    """udot, sdot and bfdot under emulation; a processor without them takes other code."""

    TYPES = {np.dtype(np.uint8): "uint8_t", np.dtype(np.int8): "int8_t", np.dtype(np.int32): "int32_t", np.dtype(np.float32): "float"}

    def run_emulated(self, made, processor, feeds, results):
        """The outputs of `made`, whose types and sizes are those of `results`."""
        onnx.save(made, self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "libm.so")  # for the header
        self.call(OPT, "m.onnx", "-o", "m.o", "--mtriple=aarch64-linux-gnu", f"--mcpu={processor}")
        lines = ["#include <stdio.h>", '#include "m.h"']
        for name, array in feeds.items():
            numbers = ",".join(map(str, array.ravel()))
            lines.append(f"static const {self.TYPES[array.dtype]} {name}[] = {{{numbers}}};")
        lines += [f"static {self.TYPES[array.dtype]} {name}[{array.size}];" for name, array in results.items()]
        lines += ["int main(void) {", "  m *model;", "  mlc_status status = m_create(NULL, &model);",
                  f"  if (status.code == MLC_OK) status = m_run(model, {', '.join([*feeds, *results])});",
                  "  if (status.code != MLC_OK) return puts(status.message), 1;", "  m_destroy(model);"]
        for name, array in results.items():
            lines.append(f'  for (int i = 0; i < {array.size}; ++i) printf("%.9g\\n", (double){name}[i]);')
        with open(self.path("main.c"), "w") as file:
            file.write("\n".join([*lines, "  return 0;", "}"]))
        runtime = sorted(glob.glob(os.path.join(ROOT, "runtime", "core", "*.c")))
        self.call("aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-I.", f"-I{ROOT}", f"-I{ROOT}/include", "main.c", *runtime, "m.o", "-lm", "-lpthread", "-o", "program")
        out, _ = self.call("qemu-aarch64", "-cpu", "max", "-L", "/usr/aarch64-linux-gnu", "./program")
        numbers, found = iter(out.split()), {}
        for name, array in results.items():
            found[name] = np.array([float(next(numbers)) for _ in range(array.size)]).reshape(array.shape)
        return found

    def test_integers(self):
        products = Products(6)
        for left, right in itertools.product(DTYPES, DTYPES):
            products.matmul(5, 30, 21, left, right, True)
            products.matmul(5, 16, 24, left, right, False, constant=False)
            products.conv(3, 8, 3, left, right, True, pads=[1, 1, 1, 1])
        for processor in ("neoverse-n1", "cortex-a72"):
            found = self.run_emulated(products.build(), processor, products.feeds, products.expected)
            for name, expected in products.expected.items():
                np.testing.assert_array_equal(found[name], expected, f"{processor} {name}")
        for processor, instruction in (("neoverse-n1", "sdot"), ("neoverse-n1", "udot")):
            self.call(OPT, "m.onnx", "-o", "m.s", "--emit=asm", "--mtriple=aarch64-linux-gnu", f"--mcpu={processor}")
            with open(self.path("m.s")) as file:
                self.assertIn(instruction, file.read())

    def test_bf16(self):
        import ml_dtypes
        rng = np.random.default_rng(7)
        x, w = (rng.standard_normal(shape).astype(ml_dtypes.bfloat16) for shape in ((5, 31), (31, 21)))
        nodes = [h.make_node("Cast", ["x"], ["h"], to=T.BFLOAT16), h.make_node("MatMul", ["h", "w"], ["z"]), h.make_node("Cast", ["z"], ["y"], to=T.FLOAT)]
        made = model(nodes, [value("x", (5, 31))], [value("y", (5, 21))], [h.make_tensor("w", T.BFLOAT16, w.shape, w.tobytes(), raw=True)])
        expected = x.astype(np.float32) @ w.astype(np.float32)
        for processor in ("neoverse-v1", "neoverse-n1"):
            found = self.run_emulated(made, processor, {"x": x.astype(np.float32)}, {"y": expected})
            np.testing.assert_allclose(found["y"], expected, rtol=2.0 ** -7, atol=2e-2)
        self.call(OPT, "m.onnx", "-o", "m.s", "--emit=asm", "--mtriple=aarch64-linux-gnu", "--mcpu=neoverse-v1")
        with open(self.path("m.s")) as file:
            self.assertIn("bfdot", file.read())


class StaticallyQuantized(ToolTest):
    """A model as ONNX Runtime's quantizer writes it: dequantize, compute, quantize around every operator."""

    def network(self):
        rng = np.random.default_rng(4)
        nodes, constants = [], []

        def constant(name, array):
            constants.append(weights(name, array))
            return name

        def quantized(name, scale, zero):
            constant(name + "_s", np.float32(scale))
            constant(name + "_z", np.uint8(zero))
            nodes.append(h.make_node("QuantizeLinear", [name, name + "_s", name + "_z"], [name + "_q"]))
            nodes.append(h.make_node("DequantizeLinear", [name + "_q", name + "_s", name + "_z"], [name + "_d"]))
            return name + "_d"

        def weight(name, shape, axis):
            channels = shape[axis]
            constant(name + "_q", integers(rng, np.int8, shape))
            constant(name + "_s", rng.uniform(1e-3, 1e-2, channels).astype(np.float32))
            constant(name + "_z", np.zeros(channels, np.int8))
            nodes.append(h.make_node("DequantizeLinear", [name + "_q", name + "_s", name + "_z"], [name], axis=axis))
            return name

        def bias(name, scale, channels):
            constant(name + "_q", rng.integers(-1000, 1000, channels).astype(np.int32))
            constant(name + "_s", np.full(channels, scale, np.float32))
            constant(name + "_z", np.zeros(channels, np.int32))
            nodes.append(h.make_node("DequantizeLinear", [name + "_q", name + "_s", name + "_z"], [name], axis=0))
            return name

        x = quantized("x", 0.02, 113)
        nodes.append(h.make_node("Conv", [x, weight("w1", (72, 3, 3, 3), 0), bias("b1", 1e-4, 72)], ["c1"], pads=[1, 1, 1, 1]))
        nodes.append(h.make_node("Relu", ["c1"], ["r1"]))
        c = quantized("r1", 0.05, 0)
        nodes.append(h.make_node("Conv", [c, weight("w2", (72, 72, 1, 1), 0), bias("b2", 1e-4, 72)], ["c2"]))
        nodes.append(h.make_node("Add", [quantized("c2", 0.2, 120), c], ["a"]))
        nodes.append(h.make_node("MaxPool", [quantized("a", 0.25, 100)], ["p"], kernel_shape=[2, 2], strides=[2, 2]))
        constant("p_s", np.float32(0.25)), constant("p_z", np.uint8(100))
        nodes.append(h.make_node("QuantizeLinear", ["p", "p_s", "p_z"], ["p_q"]))
        nodes.append(h.make_node("DequantizeLinear", ["p_q", "p_s", "p_z"], ["p_d"]))
        nodes.append(h.make_node("Flatten", ["p_d"], ["f"]))
        nodes.append(h.make_node("Gemm", ["f", weight("w3", (10, 72 * 16), 0)], ["g"], transB=1))
        nodes.append(h.make_node("Identity", [quantized("g", 4.0, 128)], ["y"]))
        return model(nodes, [value("x", (1, 3, 8, 8))], [value("y", (1, 10))], constants, opset=21), rng.standard_normal((1, 3, 8, 8)).astype(np.float32)

    def test_integers_agree_with_floats_up_to_a_quantum(self):
        made, x = self.network()
        onnx.save(made, self.path("m.onnx"))
        expected, = ReferenceEvaluator(made).run(None, {"x": x})
        for options in (("-O0",), ("-O3", "--exact"), *(("-O3", f"--mcpu={name}") for name in PROCESSORS)):
            with self.subTest(options=options):
                library = self.compile(self.path("m.onnx"), *options)
                if not runs(options):
                    self.skipTest("this processor has not the instructions")
                result = self.run_model(library, {"x": x})["y"]
                np.testing.assert_allclose(result, expected, atol=4.001, rtol=0)
                self.assertGreaterEqual(np.mean(np.isclose(result, expected)), 0.8)

    def test_contractions_are_of_bytes_and_nothing_is_dequantized_in_memory(self):
        onnx.save(self.network()[0], self.path("m.onnx"))
        out, _ = self.call(OPT, "m.onnx", "--compile-to=linalg", "-o", "-")
        contractions = [line for line in out.splitlines() if "kernel.contract" in line]
        self.assertEqual(len(contractions), 3)
        for line in contractions:
            self.assertRegex(line, r"ins\(%\w+, %\w+ : tensor<[0-9x]*xi8>, tensor<[0-9x]*xi8>\)")
        self.assertNotIn("tensor<1x8x8x72xf32>", out)

    def test_operators_of_onnx_runtime(self):
        rng = np.random.default_rng(5)
        a, b = (rng.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8) for _ in range(2))
        constants = [weights(name, array) for name, array in (
            ("s", np.float32(0.5)), ("t", np.float32(0.25)), ("u", np.float32(2)), ("z", np.uint8(3)), ("one", np.uint8(128)),
            ("w", integers(rng, np.int8, (6, 8))), ("wz", np.int8(0)), ("bias", rng.integers(-99, 99, 6).astype(np.int32)))]
        first, second = (a - 3.0) * 0.5, (b - 128.0) * 0.25
        m = integers(rng, np.uint8, (4, 8))
        w, bias = (nh.to_array(c) for c in constants[5::2])
        product = ((m - 3.0) @ w.T.astype(np.float64) + bias) * 0.5 * 0.25
        expected = {"add": quantize(first + second, 2, 128), "mul": quantize(first * second, 2, 128),
                    "pool": quantize(first.mean((2, 3), keepdims=True), 0.25, 128), "gemm": quantize(product, 2, 128), "sums": product}
        nodes = [h.make_node(op, inputs, [name], domain="com.microsoft", **attributes) for op, inputs, name, attributes in (
            ("QLinearAdd", ["a", "s", "z", "b", "t", "one", "u", "one"], "add", {}),
            ("QLinearMul", ["a", "s", "z", "b", "t", "one", "u", "one"], "mul", {}),
            ("QLinearGlobalAveragePool", ["a", "s", "z", "t", "one"], "pool", {}),
            ("QGemm", ["m", "s", "z", "w", "t", "wz", "bias", "u", "one"], "gemm", {"transB": 1}),
            ("QGemm", ["m", "s", "z", "w", "t", "wz", "bias"], "sums", {"transB": 1}))]
        made = model(nodes, [value("a", a.shape, T.UINT8), value("b", b.shape, T.UINT8), value("m", m.shape, T.UINT8)],
                     [value(name, array.shape, T.FLOAT if name == "sums" else T.UINT8) for name, array in expected.items()], constants)
        made.opset_import.append(h.make_opsetid("com.microsoft", 1))
        onnx.save(made, self.path("m.onnx"))
        for level in ("-O0", "-O3"):
            results = self.run_model(self.compile(self.path("m.onnx"), level), {"a": a, "b": b, "m": m})
            for name, wanted in expected.items():
                np.testing.assert_allclose(results[name].astype(np.float64), wanted, atol=1 if name == "pool" else 1e-5, err_msg=f"{level} {name}")


if __name__ == "__main__":
    unittest.main()
