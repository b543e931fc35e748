"""The functions whose gradients are checked: every differentiable op in several variants.

A case is a few lines of MLIR that compute %y from the differentiated inputs %x0, %x1 … and from others %i0 … . Sizes are
static, or with `dynamic` all unknown, or `symbols`: one name an axis, so that equal names are equal sizes.
"""
import dataclasses
import itertools

import numpy as np

RNG = np.random.default_rng(20)


@dataclasses.dataclass
class Case:
    op: str
    variant: str
    inputs: list          # of differentiated arrays
    lines: str            # or what gives them
    shape: tuple          # of the result
    note: str = ""
    others: list = dataclasses.field(default_factory=list)
    dynamic: bool = False
    symbols: list = None  # per input a list of names
    expected: list = None  # at a kink: the gradients of the sum of %y, by the conventions of docs/Autodiff.md
    bound: float = 1e-6
    kinds: list = None     # the types of the differentiated inputs, where a part of their sizes is unknown


CASES = []


def tensor(shape, dynamic=False, element="f64"):
    return "tensor<" + "".join(("?" if dynamic else str(s)) + "x" for s in shape) + element + ">"


def apart(shape, low=-2.0, high=2.0):
    """Distinct values with gaps that are large against the steps of a difference quotient, and far from 0."""
    count = int(np.prod(shape))
    values = low + (high - low) * (RNG.permutation(count) + 0.5 + RNG.uniform(-0.2, 0.2, count)) / count
    values = np.where(np.abs(values) < 0.02, 0.02, values)
    return values.reshape(shape)


def positive(shape):
    return apart(shape, 0.3, 2.0)


def case(op, variant, inputs, lines, shape, note="", **kwargs):
    CASES.append(Case(op, variant, inputs, lines, tuple(shape), note, **kwargs))


def types(arrays, dynamic):
    names = {"float64": "f64", "int64": "i64", "int32": "i32", "bool": "i1", "int8": "i8"}
    return ", ".join(tensor(a.shape, dynamic, names[str(a.dtype)]) for a in arrays)


def simple(op, arrays, attributes, shape, variant, note="", others=(), mnemonic=None, order=None, **kwargs):
    """One op whose operands are the inputs, then the others; `order` names them where they stand otherwise."""
    dynamic = kwargs.get("dynamic", False) or kwargs.get("symbols") is not None
    operands = order or [f"%x{i}" for i in range(len(arrays))] + [f"%i{i}" for i in range(len(others))]
    by_name = {f"%x{i}": a for i, a in enumerate(arrays)} | {f"%i{i}": a for i, a in enumerate(others)}
    listed = types([by_name[name] for name in operands], dynamic)
    text = f"%y = graph.{mnemonic or op} {', '.join(operands)} {attributes} : ({listed}) -> {tensor(shape, dynamic)}"
    case(op, variant, arrays, text, shape, note, others=list(others), **kwargs)


def ints(values):
    return "array<i64: " + ", ".join(map(str, values)) + ">" if values else "array<i64>"


# -- Element-wise -----------------------------------------------------------------------------------------------------
UNARY = {
    "abs": (-2, 2, "0 at 0"), "neg": (-2, 2, ""), "sqrt": (0.3, 2, "infinite at 0"), "exp": (-2, 2, ""), "log": (0.3, 2, ""),
    "log1p": (-0.5, 2, ""), "sin": (-2, 2, ""), "cos": (-2, 2, ""), "tan": (-1, 1, ""), "asin": (-0.8, 0.8, ""), "acos": (-0.8, 0.8, ""),
    "atan": (-2, 2, ""), "sinh": (-2, 2, ""), "cosh": (-2, 2, ""), "tanh": (-2, 2, ""), "asinh": (-2, 2, ""), "acosh": (1.3, 3, ""),
    "atanh": (-0.7, 0.7, ""), "erf": (-2, 2, ""), "sigmoid": (-2, 2, ""), "sign": (-2, 2, "0 everywhere"), "ceil": (-2.2, 2.3, "0 everywhere"),
    "floor": (-2.2, 2.3, "0 everywhere"), "round": (-2.2, 2.3, "0 everywhere"),
}
for name, (low, high, note) in UNARY.items():
    for shape, dynamic in (((7,), False), ((2, 3, 4), False), ((3, 5), True)):
        simple(name, [apart(shape, low, high)], "", shape, "dynamic" if dynamic else "static", note, dynamic=dynamic)

BINARY = {
    "add": (apart, apart, ""), "sub": (apart, apart, ""), "mul": (apart, apart, ""), "div": (apart, positive, ""),
    "pow": (positive, apart, "of the base 0 where the exponent is 0; of the exponent NaN where the base is negative"),
    "max": (apart, apart, "equal operands get half each; one that meets a constant gets 0"),
    "min": (apart, apart, "equal operands get half each; one that meets a constant gets 0"),
    "mod": (lambda s: apart(s, -3.0, 3.1), positive, "of the divisor: minus the rounded quotient"),
}
for name, (left, right, note) in BINARY.items():
    for lhs, rhs, shape, kind in (((3, 4), (3, 4), (3, 4), "static"), ((2, 3, 4), (4,), (2, 3, 4), "broadcast"),
                                  ((3, 1), (1, 4), (3, 4), "both broadcast"), ((3, 4), (1, 4), (3, 4), "dynamic"), ((3, 4), (3, 4), (3, 4), "symbols")):
        simple(name, [left(lhs), right(rhs)], "", shape, kind, note, dynamic=kind == "dynamic",
               symbols=[["N", "M"], ["N", "M"]] if kind == "symbols" else None)
simple("mod", [apart((5, 3), -3, 3.1), positive((5, 3))], "{truncated}", (5, 3), "truncated", "of the divisor: minus the rounded quotient")
case("max", "against a constant (relu)", [apart((4, 5))],
     "%z = graph.constant dense<0.0> : tensor<f64>\n%y = graph.max %x0, %z : (tensor<4x5xf64>, tensor<f64>) -> tensor<4x5xf64>", (4, 5), "0 at 0")
case("pow", "square", [apart((4, 5))],
     "%z = graph.constant dense<2.0> : tensor<f64>\n%y = graph.pow %x0, %z : (tensor<4x5xf64>, tensor<f64>) -> tensor<4x5xf64>", (4, 5))
for lhs, rhs, shape, kind in (((3, 4), (3, 4), (3, 4), "static"), ((4,), (2, 3, 4), (2, 3, 4), "broadcast"), ((3, 4), (3, 1), (3, 4), "dynamic")):
    simple("select", [apart(lhs), apart(rhs)], "", shape, kind, "the condition has none", others=[RNG.random(shape) < 0.5],
           order=["%i0", "%x0", "%x1"], dynamic=kind == "dynamic")
for shape, dynamic in (((4,), False), ((2, 3), False), ((3, 2), True)):
    t, u = tensor(shape, dynamic), tensor(shape, dynamic, "f32")
    case("cast", "to f32 and back" + (", dynamic" if dynamic else ""), [np.round(apart(shape) * 64) / 64],  # exact in f32, steps included
         f"%a = graph.cast %x0 {{element = f32}} : ({t}) -> {u}\n%y = graph.cast %a {{element = f64}} : ({u}) -> {t}", shape,
         "to an integer: none", dynamic=dynamic)
for shape, dynamic in (((4,), False), ((2, 3), False), ((3, 2), True)):
    q = RNG.integers(-100, 100, shape).astype(np.int8)
    simple("dequantize", [apart(())], "", shape, "dynamic" if dynamic else "static", "of the scale", others=[q, np.int8(3)], order=["%i0", "%x0", "%i1"],
           dynamic=dynamic)

# -- Movement ---------------------------------------------------------------------------------------------------------
for a, b in (((2, 6), (3, 4)), ((4, 3), (12,)), ((5,), (1, 5, 1))):
    case("reshape", "static", [apart(a)], f"%y = graph.reshape %x0 to [{', '.join(map(str, b))}] : {tensor(a)} -> {tensor(b)}", b)
case("reshape", "dynamic", [apart((2, 6))],
     "%k = arith.constant 0 : index\n%n = tensor.dim %x0, %k : tensor<?x?xf64>\n%y = graph.reshape %x0 to [3, 2, %n] : tensor<?x?xf64> -> tensor<3x2x?xf64>",
     (3, 2, 2), dynamic=True)
for a, b in (((3, 1), (3, 4)), ((4,), (2, 3, 4)), ((1, 1), (2, 5))):
    case("expand", "static", [apart(a)], f"%y = graph.expand %x0 to [{', '.join(map(str, b))}] : {tensor(a)} -> {tensor(b)}", b)
case("expand", "dynamic", [apart((1, 4))],
     "%k = arith.constant 1 : index\n%n = tensor.dim %x0, %k : tensor<?x?xf64>\n%y = graph.expand %x0 to [%n, %n] : tensor<?x?xf64> -> tensor<?x?xf64>",
     (4, 4), dynamic=True)
for a, p, dynamic in (((2, 3), (1, 0), False), ((2, 3, 4), (2, 0, 1), False), ((2, 3, 2, 2), (0, 3, 1, 2), True)):
    simple("transpose", [apart(a)], f"{{permutation = {ints(p)}}}", [a[i] for i in p], "dynamic" if dynamic else "static", dynamic=dynamic)
for a, b, axis, dynamic in (((2,), (3,), 0, False), ((2, 3), (2, 1), 1, False), ((3, 2, 2), (1, 2, 2), 0, True)):
    shape = list(a)
    shape[axis] += b[axis]
    simple("concat", [apart(a), apart(b)], f"{{axis = {axis} : i64}}", shape, "dynamic" if dynamic else "static", dynamic=dynamic)
for a, offsets, sizes, steps in (((8,), (1,), (3,), (2,)), ((5, 6), (4, 0), (5, 2), (-1, 3)), ((4, 7), (1, 6), (2, 3), (1, -2)), ((6, 2), (1, 0), (4, 2), (1, 1))):
    case("slice", f"steps {list(steps)}", [apart(a)],
         f"%y = graph.slice %x0 offsets {list(offsets)} sizes {list(sizes)} steps {list(steps)} : {tensor(a)} -> {tensor(sizes)}", sizes)
case("slice", "dynamic, steps [2, -1]", [apart((6, 3))],
     "%k = arith.constant 1 : index\n%two = arith.constant 2 : index\n%n = tensor.dim %x0, %k : tensor<?x?xf64>\n"
     "%y = graph.slice %x0 offsets [1, %two] sizes [%n, %n] steps [2, -1] : tensor<?x?xf64> -> tensor<?x?xf64>", (3, 3), dynamic=True)
for mode, dynamic, (a, low, high) in itertools.product(("constant", "reflect", "edge", "wrap"), (False, True), (((4,), (2,), (1,)), ((3, 4), (1, 0), (2, 3)))):
    if dynamic and len(a) == 1:
        continue
    shape = [s + l + u for s, l, u in zip(a, low, high)]
    fill = ", %x1" if mode == "constant" else ""
    scalar = ", tensor<f64>" if mode == "constant" else ""
    case("pad", mode + (", dynamic" if dynamic else ""), [apart(a)] + ([apart(())] if fill else []),
         f"%y = graph.pad {mode} %x0{fill} low {list(low)} high {list(high)} : {tensor(a, dynamic)}{scalar} -> {tensor(shape, dynamic)}", shape,
         "also of the value that fills" if fill else "", dynamic=dynamic)
case("pad", "constant, cropping", [apart((5, 4)), apart(())],
     "%y = graph.pad constant %x0, %x1 low [-1, 2] high [1, -2] : tensor<5x4xf64>, tensor<f64> -> tensor<5x4xf64>", (5, 4), "also of the value that fills")

# -- Indexing ---------------------------------------------------------------------------------------------------------
for a, i, axis, dynamic in (((5, 3), (4,), 0, False), ((2, 5), (2, 3), 1, False), ((2, 4, 3), (5,), 1, False), ((5, 3), (2, 2), 0, True)):
    shape = a[:axis] + i + a[axis + 1:]
    simple("gather", [apart(a)], f"{{axis = {axis} : i64}}", shape, "dynamic" if dynamic else f"axis {axis}", "repeated indices are summed in their order",
           others=[RNG.integers(-a[axis], a[axis], i)], dynamic=dynamic)
for a, i, axis, dynamic in (((5,), (4,), 0, False), ((2, 5), (2, 3), 1, False), ((4, 3), (2, 3), 0, True)):
    simple("gather_elements", [apart(a)], f"{{axis = {axis} : i64}}", i, "dynamic" if dynamic else f"axis {axis}",
           others=[RNG.integers(0, a[axis], i)], dynamic=dynamic)
for a, i, shape, batch, high in (((5, 3), (4, 1), (4, 3), 0, 5), ((3, 4, 2), (2, 2, 2), (2, 2, 2), 0, 3), ((2, 3, 4), (2, 5, 1), (2, 5, 4), 1, 3)):
    simple("gather_nd", [apart(a)], f"{{batch_dims = {batch} : i64}}", shape, f"batch_dims {batch}", others=[RNG.integers(0, high, i)])
SCATTER_NOTES = {"none": "of updates of one place the last gets it", "add": "", "mul": "updates must not be 0", "max": "equal extrema share evenly",
                 "min": "equal extrema share evenly"}
for kind, note in SCATTER_NOTES.items():
    attribute = {"none": 0, "add": 1, "mul": 2, "max": 3, "min": 4}[kind]
    for a, u, axis, dynamic in (((5,), (4,), 0, False), ((4, 3), (3, 3), 0, False), ((2, 5), (2, 4), 1, True)):
        simple("scatter_elements", [positive(a), positive(u)], f"{{axis = {axis} : i64, kind = {attribute} : i32}}", a, kind + (", dynamic" if dynamic else ""), note,
               others=[RNG.integers(0, a[axis] - 2, u)], order=["%x0", "%i0", "%x1"], dynamic=dynamic)
    for a, i, u in (((5,), (4, 1), (4,)), ((4, 3), (5, 1), (5, 3)), ((3, 4), (6, 2), (6,))):
        simple("scatter_nd", [positive(a), positive(u)], f"{{kind = {attribute} : i32}}", a, kind, note, others=[RNG.integers(0, 3, i)], order=["%x0", "%i0", "%x1"])

# -- Contractions -----------------------------------------------------------------------------------------------------
for a, b, shape, kind in (((3, 4), (4, 2), (3, 2), "static"), ((2, 3, 4), (4, 2), (2, 3, 2), "one matrix for a batch"), ((2, 3, 4), (2, 4, 2), (2, 3, 2), "batch"),
                          ((2, 1, 3, 2), (2, 2, 4), (2, 2, 3, 4), "broadcast batch"), ((3, 2), (2, 2, 4), (2, 3, 4), "one lhs for a batch"),
                          ((2, 3, 4), (4, 2), (2, 3, 2), "dynamic")):
    simple("matmul", [apart(a), apart(b)], "", shape, kind, dynamic=kind == "dynamic")


def slid(x, k, s, d, low, high):
    return max((x + low + high - (k - 1) * d - 1) // s + 1, 0)


def conv(variant, x, w, strides, pads, dilations, groups=1, last=False, dynamic=False):
    spatial = len(strides)
    space = [slid(x[2 + i], w[2 + i], strides[i], dilations[i], pads[i], pads[spatial + i]) for i in range(spatial)]
    y = [x[0], w[0], *space]
    if last:
        x, y = [x[0], *x[2:], x[1]], [y[0], *y[2:], y[1]]
    attributes = (f"{{strides = {ints(strides)}, pads = {ints(pads)}, dilations = {ints(dilations)}, groups = {groups} : i64"
                  + (", channels_last" if last else "") + "}")
    text = f"%y = graph.conv %x0, %x1 {attributes} : ({tensor(x, dynamic)}, {tensor(w)}) -> {tensor(y, dynamic)}"
    case("conv", variant + (", channels last" if last else "") + (", dynamic" if dynamic else ""), [apart(x), apart(w)],
         text, y, dynamic=dynamic)


for last in (False, True):
    conv("1 axis", (2, 3, 7), (4, 3, 3), (1,), (1, 1), (1,), last=last)
    conv("padded", (1, 2, 5, 4), (3, 2, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), last=last)
    conv("1×1", (2, 3, 3, 2), (4, 3, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), last=last)
    conv("strides that do not divide", (1, 2, 6, 5), (3, 2, 3, 2), (2, 3), (1, 0, 1, 0), (1, 1), last=last)
    conv("dilations", (1, 2, 7, 6), (2, 2, 3, 2), (1, 1), (1, 0, 2, 1), (2, 3), last=last)
    conv("strides and dilations", (1, 1, 9, 8), (2, 1, 2, 3), (2, 3), (1, 1, 0, 2), (2, 2), last=last)
    conv("groups", (1, 4, 4, 4), (6, 2, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), groups=2, last=last)
    conv("groups and strides", (1, 4, 5, 4), (4, 2, 2, 2), (2, 2), (0, 0, 1, 0), (1, 1), groups=2, last=last)
    conv("depthwise", (1, 4, 4, 4), (4, 1, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), groups=4, last=last)
    conv("depthwise and strides", (1, 3, 5, 5), (3, 1, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), groups=3, last=last)
    conv("negative pads", (1, 2, 6, 6), (2, 2, 2, 2), (1, 1), (-1, 0, 0, -1), (1, 1), last=last)
    conv("padded", (1, 2, 5, 4), (3, 2, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), last=last, dynamic=True)
    conv("strides that do not divide", (1, 2, 6, 5), (3, 2, 3, 2), (2, 3), (1, 0, 1, 0), (1, 1), last=last, dynamic=True)
    conv("3 axes", (1, 2, 3, 3, 3), (2, 2, 2, 2, 2), (1, 1, 1), (0, 0, 1, 0, 1, 0), (1, 1, 1), last=last)


def conv_transpose(variant, x, w, strides, pads, dilations, extra, groups=1):
    spatial = len(strides)
    y = [x[0], w[1] * groups]
    for i in range(spatial):
        y.append((x[2 + i] - 1) * strides[i] + (w[2 + i] - 1) * dilations[i] + 1 + extra[i] - pads[i] - pads[spatial + i])
    simple("conv_transpose", [apart(x), apart(w)], f"{{strides = {ints(strides)}, pads = {ints(pads)}, dilations = {ints(dilations)}, "
           f"output_padding = {ints(extra)}, groups = {groups} : i64}}", y, variant)


conv_transpose("1 axis", (2, 2, 4), (2, 3, 3), (1,), (0, 0), (1,), (0,))
conv_transpose("strides", (1, 2, 3, 3), (2, 2, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), (1, 1))
conv_transpose("groups and dilations", (1, 4, 3, 2), (4, 1, 2, 2), (2, 1), (0, 1, 0, 0), (2, 1), (0, 0), groups=2)

# -- Windows ----------------------------------------------------------------------------------------------------------
POOL_NOTES = {"max": "the first maximum gets it", "sum": "", "average": ""}


def pool(kind, variant, x, kernel, strides, pads, dilations=None, last=False, ceil=False, include=False, dynamic=False):
    n = len(kernel)
    dilations = dilations or (1,) * n
    space = []
    for i in range(n):
        room = x[2 + i] + pads[i] + pads[n + i] - (kernel[i] - 1) * dilations[i] - 1
        count = room // strides[i] + 1
        if ceil:
            count = min(-(-room // strides[i]) + 1, -(-(x[2 + i] + pads[i]) // strides[i]))
        space.append(max(count, 0))
    y = [*x[:2], *space]
    if last:
        x, y = [x[0], *x[2:], x[1]], [y[0], *y[2:], y[1]]
    flags = "".join(f", {name}" for name, on in (("ceil_mode", ceil), ("count_include_pad", include), ("channels_last", last)) if on)
    simple("pool", [apart(x)], f"{{kernel = {ints(kernel)}, strides = {ints(strides)}, pads = {ints(pads)}, dilations = {ints(dilations)}{flags}}}",
           y, f"{kind}, {variant}" + (", channels last" if last else "") + (", dynamic" if dynamic else ""), POOL_NOTES[kind], mnemonic=f"pool {kind}",
           dynamic=dynamic)


for kind in POOL_NOTES:
    for last in (False, True):
        pool(kind, "2×2", (1, 2, 4, 6), (2, 2), (2, 2), (0, 0, 0, 0), last=last)
        pool(kind, "2×2 of odd sizes", (1, 2, 5, 7), (2, 2), (2, 2), (0, 0, 0, 0), last=last)
        pool(kind, "3×3, strides 2, padded", (1, 2, 6, 5), (3, 3), (2, 2), (1, 1, 1, 1), last=last)
        pool(kind, "3×2, strides 1", (2, 1, 4, 4), (3, 2), (1, 1), (1, 0, 0, 1), last=last)
        pool(kind, "ceil_mode", (1, 1, 6, 7), (3, 3), (2, 3), (0, 1, 1, 0), ceil=True, last=last)
        pool(kind, "dilations", (1, 2, 6, 5), (2, 2), (1, 2), (1, 0, 0, 1), dilations=(2, 3), last=last)
        pool(kind, "gaps", (1, 2, 7), (2,), (3,), (0, 0), last=last)
        pool(kind, "2×2, padded", (1, 2, 4, 5), (2, 2), (2, 2), (1, 1, 0, 1), last=last, dynamic=True)
for last in (False, True):
    pool("average", "padding counts", (1, 1, 5, 4), (3, 3), (2, 1), (1, 1, 1, 1), include=True, last=last)
    pool("average", "padding counts, ceil_mode", (1, 1, 6, 4), (3, 3), (2, 2), (1, 1, 1, 1), include=True, ceil=True, last=last)
for column, dynamic in ((False, False), (True, False), (True, True)):
    x, y = (1, 2, 5, 4), (1, 2, 2, 3)
    t, u = tensor(x, dynamic), tensor(y, dynamic)
    case("max_pool_with_indices", ("column_major" if column else "row-major") + (", dynamic" if dynamic else ""), [apart(x)],
         f"%y, %p = graph.max_pool_with_indices %x0 {{kernel = {ints((3, 2))}, strides = {ints((2, 1))}, pads = {ints((0,) * 4)}, dilations = {ints((1, 1))}"
         f"{', column_major' if column else ''}}} : ({t}) -> ({u}, {tensor(y, dynamic, 'i64')})", y, "the first maximum gets it", dynamic=dynamic)

# -- Reductions -------------------------------------------------------------------------------------------------------
REDUCE_NOTES = {"sum": "", "prod": "zeros are no problem: nothing is divided", "max": "equal extrema share evenly", "min": "equal extrema share evenly"}
for kind, note in REDUCE_NOTES.items():
    for a, axes, keep, dynamic in (((5,), (0,), False, False), ((2, 3, 4), (1,), True, False), ((2, 3, 4), (0, 2), False, False), ((3, 4), (1,), False, True)):
        shape = [1 if i in axes else s for i, s in enumerate(a) if keep or i not in axes]
        simple("reduce", [apart(a)], f"{{axes = {ints(axes)}{', keep_dims' if keep else ''}}}", shape, f"{kind}, axes {list(axes)}" + (", dynamic" if dynamic else ""), note,
               mnemonic=f"reduce {kind}", dynamic=dynamic)
zeros = apart((3, 4))
zeros[0, 1] = zeros[1, 0] = zeros[1, 3] = 0
simple("reduce", [zeros], "{axes = array<i64: 1>}", (3,), "prod with zeros", REDUCE_NOTES["prod"], mnemonic="reduce prod")
for kind in ("sum", "max", "min"):
    for a, mask, dynamic in (((3, 4), (True, False), False), ((2, 3, 2), (False, True, True), False), ((3, 4), (False, True), True)):
        shape = [1 if m else s for m, s in zip(mask, a)]
        t = tensor(a, dynamic)
        case("reduce_by_mask", kind + (", dynamic" if dynamic else ""), [apart(a)],
             f"%y = graph.reduce_by_mask {kind} %x0, %i0 : ({t}, {tensor((len(a),), False, 'i1')}) -> {tensor(shape, True)}", shape, REDUCE_NOTES[kind],
             others=[np.array(mask)], dynamic=dynamic)
for kind, log in (("softmax", False), ("log-softmax", True)):
    for a, axis, dynamic in (((5,), 0, False), ((2, 3, 4), 1, False), ((3, 4), 1, False), ((2, 5), 1, True)):
        simple("softmax", [apart(a)], f"{{axis = {axis} : i64{', log' if log else ''}}}", a, ("log, " if log else "") + f"axis {axis}" + (", dynamic" if dynamic else ""),
               dynamic=dynamic)
for uncentered in (False, True):
    for a, axis, dynamic in (((6,), 0, False), ((3, 5), 1, False), ((2, 2, 3), 1, False), ((2, 5), 1, True)):
        simple("normalize", [apart(a)], f"{{axis = {axis} : i64, epsilon = 1.0e-3 : f64{', uncentered' if uncentered else ''}}}", a,
               ("uncentered, " if uncentered else "") + f"axis {axis}" + (", dynamic" if dynamic else ""), dynamic=dynamic)
for a, dynamic in (((4, 3), False), ((2, 3, 2, 2), False), ((2, 3, 4), True)):
    simple("batch_norm", [apart(a), apart((3,)), apart((3,)), apart((3,)), positive((3,))], "{epsilon = 1.0e-3 : f64}", a, "dynamic" if dynamic else "static",
           "of the statistics too", dynamic=dynamic)
for kind in ("sum", "prod"):
    for (a, axis), (exclusive, reverse), dynamic in zip((((5,), 0), ((3, 4), 1), ((2, 3, 2), 1), ((3, 4), 0)),
                                                        ((False, False), (True, False), (False, True), (True, True)), (False, False, False, True)):
        x = apart(a)
        if kind == "prod":
            x[(1,) * len(a)] = 0
        flags = (", exclusive" if exclusive else "") + (", reverse" if reverse else "")
        simple("cumulate", [x], f"{{axis = {axis} : i64{flags}}}", a, kind + flags + (", dynamic" if dynamic else ""),
               "with a zero; memory quadratic in the axis" if kind == "prod" else "", mnemonic=f"cumulate {kind}", dynamic=dynamic)
for a, axis, k, dynamic, smallest in (((6,), 0, 3, False, False), ((3, 5), 1, 2, False, True), ((4, 3), 0, 2, True, False)):
    shape = list(a)
    shape[axis] = k
    case("top_k", ("smallest" if smallest else "largest") + (", dynamic" if dynamic else ""), [apart(a)],
         f"%y, %p = graph.top_k %x0 k [{k}] {{axis = {axis} : i64{', smallest' if smallest else ''}}} : {tensor(a, dynamic)} -> {tensor(shape, dynamic)}, "
         f"{tensor(shape, dynamic, 'i64')}", shape, "where the values came from", dynamic=dynamic)


def resize(mode, variant, a, b, coordinates="half_pixel", flags="", dynamic=False):
    scales = ", ".join(repr(float(t) / s) for s, t in zip(a, b))
    case("resize", f"{mode}, {variant}", [apart(a)],
         f"%s = graph.constant dense<[{scales}]> : tensor<{len(a)}xf64>\n%q = graph.constant dense<> : tensor<0xf64>\n"
         f"%y = graph.resize {mode} %x0, %s, %q to [{', '.join(map(str, b))}] coordinates {coordinates} nearest round_prefer_floor "
         f"{{cubic_coefficient = -7.5e-1 : f64, extrapolation = 0.0 : f64{flags}}} : ({tensor(a, dynamic)}, tensor<{len(a)}xf64>, tensor<0xf64>) -> {tensor(b)}", b,
         dynamic=dynamic)


for mode in ("nearest", "linear", "cubic"):
    resize(mode, "up", (1, 2, 3, 4), (1, 2, 6, 8))
    resize(mode, "down, asymmetric", (1, 1, 6, 5), (1, 1, 4, 3), "asymmetric")
    resize(mode, "align_corners", (1, 1, 4, 3), (1, 1, 7, 5), "align_corners")
    resize(mode, "dynamic", (1, 2, 3, 4), (1, 2, 6, 8), dynamic=True)
resize("linear", "antialias", (1, 1, 6, 8), (1, 1, 3, 4), flags=", antialias")
resize("cubic", "exclude_outside", (1, 1, 4, 4), (1, 1, 7, 6), flags=", exclude_outside")

# -- Gradients of gradients, and branches -----------------------------------------------------------------------------
for x, dy, kernel, strides, pads, groups, last in (((2, 3, 7), (2, 4, 4), (3,), (2,), (1, 1), 1, False),
                                                   ((1, 4, 5, 4), (1, 6, 4, 4), (2, 3), (1, 1), (0, 1, 0, 1), 2, False),
                                                   ((1, 5, 5, 3), (1, 3, 3, 3), (3, 3), (2, 2), (1, 1, 1, 1), 3, True)):
    channel = -1 if last else 1
    simple("conv_filter_gradient", [apart(x), apart(dy)],
           f"{{kernel = {ints(kernel)}, strides = {ints(strides)}, pads = {ints(pads)}, dilations = {ints((1,) * len(kernel))}, groups = {groups} : i64"
           + (", channels_last}" if last else "}"), [dy[channel], x[channel] // groups, *kernel],
           f"groups {groups}" + (", channels last" if last else ""), "of both operands")
for kind, x, y, attributes in (("max", (1, 2, 6), (1, 2, 3), "kernel = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>"),
                               ("max", (1, 5, 4, 2), (1, 3, 2, 2), "kernel = array<i64: 3, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 0, 1, 0>, channels_last"),
                               ("sum", (1, 2, 5), (1, 2, 3), "kernel = array<i64: 3>, strides = array<i64: 1>, pads = array<i64: 0, 0>"),
                               ("sum", (1, 5, 4, 1), (1, 3, 2, 1), "kernel = array<i64: 2, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, channels_last")):
    spatial = len(x) - 2
    pooled = (f"%p = graph.pool max %i0 {{dilations = {ints((1,) * spatial)}, {attributes}}} : ({tensor(x)}) -> {tensor(y)}\n" if kind == "max" else "")
    operands, listed = ("%i0, %x0, %p", f"{tensor(x)}, {tensor(y)}, {tensor(y)}") if kind == "max" else ("%i0, %x0", f"{tensor(x)}, {tensor(y)}")
    case("pool_gradient", kind, [apart(y)], pooled + f"%y = graph.pool_gradient {kind} {operands} {{{attributes}}} : ({listed}) -> {tensor(x)}", x,
         "of the cotangent", others=[apart(x)])
SECOND = {
    "elementwise and matmul": ((3, 3), "%a = graph.matmul %x0, %x0 : ({t}, {t}) -> {t}\n%b = graph.tanh %a : ({t}) -> {t}\n"
                                       "%m = graph.reduce sum %b {{axes = array<i64: 0, 1>}} : ({t}) -> tensor<f64>"),
    "softmax and normalize": ((2, 4), "%a = graph.normalize %x0 {{axis = 1 : i64, epsilon = 1.0e-3 : f64}} : ({t}) -> {t}\n"
                                      "%b = graph.softmax %a {{axis = 1 : i64}} : ({t}) -> {t}\n%c = graph.mul %b, %b : ({t}, {t}) -> {t}\n"
                                      "%m = graph.reduce sum %c {{axes = array<i64: 0, 1>}} : ({t}) -> tensor<f64>"),
    "pool and exp": ((1, 2, 6), "%a = graph.exp %x0 : ({t}) -> {t}\n%b = graph.pool max %a {{kernel = array<i64: 2>, strides = array<i64: 2>, "
                                "pads = array<i64: 0, 0>, dilations = array<i64: 1>}} : ({t}) -> tensor<1x2x3xf64>\n"
                                "%c = graph.mul %b, %b : (tensor<1x2x3xf64>, tensor<1x2x3xf64>) -> tensor<1x2x3xf64>\n"
                                "%m = graph.reduce sum %c {{axes = array<i64: 0, 1, 2>}} : (tensor<1x2x3xf64>) -> tensor<f64>"),
}
for variant, (shape, text) in SECOND.items():
    t = tensor(shape)
    case("train.gradient", variant, [apart(shape)], text.format(t=t) + f"\n%y = train.gradient %m wrt %x0 : (tensor<f64>, {t}) -> {t}", shape, "the second derivative")
for taken in (False, True):
    case("scf.if", "taken" if taken else "not taken", [apart((3,)), apart((3,))],
         "%c = tensor.extract %i0[] : tensor<i1>\n%y = scf.if %c -> tensor<3xf64> {\n%a = graph.mul %x0, %x1 : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>\n"
         "scf.yield %a : tensor<3xf64>\n} else {\n%d = graph.sin %x0 : (tensor<3xf64>) -> tensor<3xf64>\nscf.yield %d : tensor<3xf64>\n}", (3,),
         others=[np.array(taken)])
case("tensor.cast", "to unknown sizes", [apart((3, 2))], "%a = tensor.cast %x0 : tensor<3x2xf64> to tensor<?x2xf64>\n%y = graph.exp %a : (tensor<?x2xf64>) -> tensor<?x2xf64>", (3, 2))

# -- Conventions where there is no derivative -------------------------------------------------------------------------
KINK = "convention at a kink"


def kink(op, point, others, attributes, shape, expected, note, **kwargs):
    simple(op, [np.array(x, float) for x in point], attributes, shape, KINK, note, others=others, expected=[np.array(x, float) for x in expected], **kwargs)


kink("abs", [[0, 1, -2]], [], "", (3,), [[0, 1, -1]], "0 at 0")
kink("max", [[1, 2, 3], [1, 3, 2]], [], "", (3,), [[0.5, 0, 1], [0.5, 1, 0]], "half each")
kink("min", [[1, 2, 3], [1, 3, 2]], [], "", (3,), [[0.5, 1, 0], [0.5, 0, 1]], "half each")
case("max", KINK + " (relu)", [np.array([0, 1, -1.0])],
     "%z = graph.constant dense<0.0> : tensor<f64>\n%y = graph.max %x0, %z : (tensor<3xf64>, tensor<f64>) -> tensor<3xf64>", (3,), "0 at 0",
     expected=[np.array([0, 1, 0.0])])
kink("pow", [[2, 3, 0], [0, 0, 2]], [], "", (3,), [[0, 0, 0], [np.log(2), np.log(3), 0]], "of the base 0 where the exponent is 0; of the exponent 0 where the base is 0")
kink("reduce", [[[1, 3, 3], [2, 2, 2]]], [], "{axes = array<i64: 1>}", (2,), [[[0, 0.5, 0.5], [1 / 3] * 3]], "an even share each", mnemonic="reduce max")
kink("reduce", [[[0, 2, 0], [0, 3, 4]]], [], "{axes = array<i64: 1>}", (2,), [[[0, 0, 0], [12, 0, 0]]], "products of the others", mnemonic="reduce prod")
for kernel, stride, expected in ((2, 2, [1, 0, 0, 1]), (3, 1, [1, 0, 0, 1])):
    kink("pool", [[[[5, 5, 1, 7]]]], [], f"{{kernel = array<i64: {kernel}>, strides = array<i64: {stride}>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}}",
         (1, 1, 2), [[[expected]]], "the first maximum gets all", mnemonic="pool max")
kink("scatter_elements", [[1, 2, 3], [5, 6]], [np.array([1, 1])], "{axis = 0 : i64}", (3,), [[1, 0, 1], [0, 1]], "the last update gets it", order=["%x0", "%i0", "%x1"])
kink("scatter_elements", [[6, 2, 3], [6, 6]], [np.array([0, 1])], "{axis = 0 : i64, kind = 3 : i32}", (3,), [[0.5, 0, 1], [0.5, 1]], "an even share each",
     order=["%x0", "%i0", "%x1"])
