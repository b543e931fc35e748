"""The cases of recurrence: graph.scan by itself, and what LSTM, GRU and RNN of ONNX become.

Importing this adds them to cases.CASES. Nodes are imported by mlc-opt when their functions are written, and all their outputs
are part of the result.
"""
import os
import re
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import helper as h

from cases import RNG, apart, case, tensor

TYPES = {"float64": onnx.TensorProto.DOUBLE, "int32": onnx.TensorProto.INT32}


def scan(variant, inputs, body, shape, note="", dynamic=False, **kwargs):
    """`body` has {x0}, {x1} … for the types of the inputs and {y} for that of %y."""
    names = {f"x{i}": tensor(x.shape, dynamic) for i, x in enumerate(inputs)}
    names.update({f"s{i}": tensor(x.shape[1:], dynamic) for i, x in enumerate(inputs)}, y=tensor(shape, dynamic))
    text = re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], m[0]), body)
    case("scan", variant + (", dynamic" if dynamic else ""), inputs, text, shape, note, dynamic=dynamic, **kwargs)


# -- graph.scan -------------------------------------------------------------------------------------------------------
WEIGHTED = """%last, %z = graph.scan inits(%x1 : {x1}) inputs(%x0 : {x0}) captures(%x2 : {x2})DIRECTION {
^bb0(%sum: {s0}, %slice: {s0}, %weight: {x2}):
%a = graph.mul %sum, %weight : ({s0}, {x2}) -> {s0}
%b = graph.add %a, %slice : ({s0}, {s0}) -> {s0}
%c = graph.sin %b : ({s0}) -> {s0}
graph.yield %c, %a : {s0}, {s0}
} -> {x1}, {x0}"""
# The result's type is where run.py looks for it: on the line that defines %y.
SECOND_LINE = "\n%y = graph.mul %z, %z : ({y}, {y}) -> {y}"
for reverse in ("", " reverse"):
    for steps, rest, dynamic in ((3, (4,), False), (1, (2, 2), False), (4, (3,), True)):
        scan("weighted" + reverse.replace(" ", ", "), [apart((steps, *rest)), apart(rest), apart(rest)],
             WEIGHTED.replace("DIRECTION", reverse) + SECOND_LINE, (steps, *rest), "another scan, in the other direction", dynamic=dynamic)

CELL = """%last, %all = graph.scan inits(%x1 : {x1}) inputs(%x0 : {x0}) captures(%x2, %x3 : {x2}, {x3})DIRECTION {
^bb0(%h: {x1}, %slice: {s0}, %w: {x2}, %b: {x3}):
%p = graph.matmul %h, %w : ({x1}, {x2}) -> {x1}
%q = graph.matmul %slice, %w : ({s0}, {x2}) -> {x1}
%sum = graph.add %p, %q : ({x1}, {x1}) -> {x1}
%s = graph.add %sum, %b : ({x1}, {x3}) -> {x1}
%new = graph.tanh %s : ({x1}) -> {x1}
graph.yield %new, %new : {x1}, {x1}
} -> {x1}, {x0}
%z = graph.mul %all, %last : ({x0}, {x1}) -> {x0}
%y = graph.add %z, %x0 : ({x0}, {x0}) -> {y}"""
for reverse in ("", " reverse"):
    for steps, n, m, dynamic in ((3, 2, 3, False), (1, 1, 2, False), (0, 2, 2, False), (4, 2, 3, True), (0, 1, 2, True)):
        scan("products with a matrix" + reverse.replace(" ", ", "), [apart((steps, n, m)), apart((n, m)), apart((m, m)), apart((m,))],
             CELL.replace("DIRECTION", reverse), (steps, n, m), "of the matrix by one product behind the last step", dynamic=dynamic)

# The last state alone, of two states that exchange; a third is an integer.
EXCHANGE = """%n = graph.constant dense<1> : tensor<i64>
%z0, %z1, %count = graph.scan inits(%x0, %x1, %n : {x0}, {x0}, tensor<i64>) inputs(%i0 : MASK) captures(%n : tensor<i64>) {
^bb0(%a: {x0}, %b: {x0}, %k: tensor<i64>, %m: SLICE, %one: tensor<i64>):
%c = graph.mul %a, %b : ({x0}, {x0}) -> {x0}
%d = graph.select %m, %c, %a : (SLICE, {x0}, {x0}) -> {x0}
%next = graph.add %k, %one : (tensor<i64>, tensor<i64>) -> tensor<i64>
graph.yield %b, %d, %next : {x0}, {x0}, tensor<i64>
} -> {x0}, {x0}, tensor<i64>
%y = graph.sub %z0, %z1 : ({x0}, {x0}) -> {y}"""
for steps, n, dynamic in ((3, 2, False), (4, 3, False), (5, 2, True)):
    mask = RNG.random((steps, n)) < 0.6
    scan("states alone", [apart((n,)), apart((n,))], EXCHANGE.replace("MASK", tensor(mask.shape, dynamic, "i1")).replace("SLICE", tensor((n,), dynamic, "i1")),
         (n,), "", others=[mask], dynamic=dynamic)

NESTED = """%last, %z = graph.scan inits(%x1 : {x1}) inputs(%x0 : {x0}) captures(%x2 : {x2}) {
^bb0(%s: {x1}, %slice: {s0}, %w: {x2}):
%i, %o = graph.scan inits(%s : {x1}) inputs(%slice : {s0}) captures(%w : {x2}) reverse {
^bb0(%old: {x1}, %row: {x1}, %v: {x2}):
%a = graph.matmul %old, %v : ({x1}, {x2}) -> {x1}
%b = graph.mul %a, %row : ({x1}, {x1}) -> {x1}
%c = graph.tanh %b : ({x1}) -> {x1}
graph.yield %c, %a : {x1}, {x1}
} -> {x1}, {s0}
%d = graph.sigmoid %i : ({x1}) -> {x1}
graph.yield %d, %o : {x1}, {s0}
} -> {x1}, {x0}"""
for outer, inner, n, m in ((2, 3, 2, 2), (3, 1, 1, 3), (2, 2, 2, 3)):
    scan("a scan in a step", [apart((outer, inner, n, m)), apart((n, m)), apart((m, m))], NESTED + SECOND_LINE, (outer, inner, n, m))

BRANCH = """%last, %z = graph.scan inits(%x1 : {x1}) inputs(%x0, %i0 : {x0}, MASK) {
^bb0(%s: {x1}, %slice: {s0}, %m: tensor<i1>):
%c = tensor.extract %m[] : tensor<i1>
%a = scf.if %c -> {x1} {
%d = graph.mul %s, %slice : ({x1}, {s0}) -> {x1}
scf.yield %d : {x1}
} else {
%e = graph.sin %slice : ({s0}) -> {x1}
scf.yield %e : {x1}
}
graph.yield %a, %a : {x1}, {x1}
} -> {x1}, {x0}""" + SECOND_LINE
for steps, n in ((3, 2), (4, 3), (2, 1)):
    scan("a branch in a step", [apart((steps, n)), apart((n,))], BRANCH.replace("MASK", f"tensor<{steps}xi1>"), (steps, n), others=[np.arange(steps) % 2 == 0])

SECOND = CELL.replace("DIRECTION", "").replace("%y = graph.add %z, %x0", "%f = graph.add %z, %x0").replace("-> {y}", "-> {x0}") + """
%l0 = graph.reduce sum %f {axes = array<i64: 0, 1, 2>} : ({x0}) -> tensor<f64>
%y = train.gradient %l0 wrt %x2 : (tensor<f64>, {x2}) -> {x2}"""
for steps, n, m in ((2, 2, 2), (3, 1, 3), (1, 2, 3)):
    scan("the second derivative", [apart((steps, n, m)), apart((n, m)), apart((m, m)), apart((m,))], SECOND, (m, m), "scans both")


# -- LSTM, GRU and RNN ------------------------------------------------------------------------------------------------
def imported(node, arrays, dynamic, results):
    """What a node becomes: its ops, with %x0, %i0 … for the inputs, and %y."""
    names = [f"N{i}" for i in range(len(arrays))]
    shapes = [[f"{'TN'[axis]}" if dynamic and i == 0 and axis < 2 else size for axis, size in enumerate(a.shape)] for i, a in enumerate(arrays)]
    graph = h.make_graph([node], "g", [h.make_tensor_value_info(name, TYPES[str(a.dtype)], s) for name, a, s in zip(names, arrays, shapes)],
                         [h.make_empty_tensor_value_info(name) for name in node.output])
    with tempfile.TemporaryDirectory(prefix="mlc-gradients-") as folder:
        path = os.path.join(folder, "node.onnx")
        onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 21)], ir_version=10), path)
        from run import OPT
        done = subprocess.run([OPT, path, "--compile-to=import", "-o", "-"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    body = re.search(r"func\.func .*?\{\n(    .*?)\n    return ([^\n:]*) : ([^\n]*)\n", done.stdout, re.S)
    lines, values, types = body[1], body[2].split(", "), body[3].split(", ")
    reals = iter(range(len(arrays)))
    others = iter(range(len(arrays)))
    for i, array in enumerate(arrays):
        name = f"x{next(reals)}" if array.dtype == np.float64 else f"i{next(others)}"
        lines = re.sub(rf"%arg{i}\b", "%" + name, lines)
        values = [re.sub(rf"%arg{i}\b", "%" + name, value) for value in values]
    if dynamic:
        return lines + f"\n%y = graph.neg {values[0]} : ({types[0]}) -> {types[0]}"
    flat = []
    for i, (value, kind, shape) in enumerate(zip(values, types, results)):
        flat.append(f"tensor<{int(np.prod(shape))}xf64>")
        lines += f"\n%flat{i} = graph.reshape {value} to [{int(np.prod(shape))}] : {kind} -> {flat[-1]}"
    total = sum(int(np.prod(shape)) for shape in results)
    return (lines + f"\n%y = graph.concat {', '.join(f'%flat{i}' for i in range(len(flat)))} {{axis = 0 : i64}} : ({', '.join(flat)}) -> tensor<{total}xf64>")


GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
SIZES = ((3, 2, 2, 3), (1, 1, 3, 2), (4, 3, 1, 2))  # steps, batch, features, hidden


def net(op, variant, direction="forward", lengths=False, peepholes=False, dynamic=False, **attributes):
    count = 2 if direction == "bidirectional" else 1
    for steps, batch, features, hidden in SIZES:
        draw = lambda *shape: RNG.uniform(-0.8, 0.8, shape)
        arrays = [draw(steps, batch, features), draw(count, GATES[op] * hidden, features), draw(count, GATES[op] * hidden, hidden),
                  draw(count, 2 * GATES[op] * hidden)]
        names = ["N0", "N1", "N2", "N3"]
        others = []
        if lengths:
            others = [np.array([1 + i % steps for i in range(batch)], np.int32)]
        # The optional inputs in the order of the operator.
        for wanted, make in ((lengths, lambda: others[0]), (True, lambda: draw(count, batch, hidden)), (op == "LSTM", lambda: draw(count, batch, hidden)),
                             (peepholes, lambda: draw(count, 3 * hidden))):
            names.append(f"N{len(arrays)}" if wanted else "")
            if wanted:
                arrays.append(make())
        while not names[-1]:
            names.pop()
        results = [(steps, count, batch, hidden)] + [(count, batch, hidden)] * (2 if op == "LSTM" else 1)
        node = h.make_node(op, names, [f"O{i}" for i in range(len(results))], direction=direction, hidden_size=hidden, **attributes)
        shape = results[0] if dynamic else (sum(int(np.prod(r)) for r in results),)
        reals = [a for a in arrays if a.dtype == np.float64]
        kinds = None
        if dynamic:
            kinds = [f"tensor<?x?x{features}xf64>"] + [tensor(a.shape) for a in reals[1:]]
        case(op, variant, reals, lambda node=node, arrays=arrays, results=results: imported(node, arrays, dynamic, results), shape, "of ONNX",
             others=others, kinds=kinds)


for direction in ("forward", "reverse", "bidirectional"):
    for op in GATES:
        net(op, direction, direction)
for op in GATES:
    net(op, "sequence_lens, both directions", "bidirectional", lengths=True)
    net(op, "clip", clip=0.4)
    net(op, "steps and batch unknown", dynamic=True)
net("LSTM", "peepholes", peepholes=True)
net("LSTM", "peepholes, input_forget, reverse", "reverse", peepholes=True, input_forget=1)
net("GRU", "linear_before_reset", linear_before_reset=1)
net("GRU", "linear_before_reset, sequence_lens, reverse", "reverse", lengths=True, linear_before_reset=1)
net("LSTM", "other activations", activations=["HardSigmoid", "Softsign", "Elu"])
