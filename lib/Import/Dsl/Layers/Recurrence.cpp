//===- Recurrence.cpp - lstm, gru, rnn ---------------------------------------------------------------------------===//
//
// The products of all steps with the input are one matmul in front, biases included; a step (graph.scan) adds the
// product with the state and computes the gates. Gates stand side by side in the weights, in Keras's order.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Train/TrainDialect.h"
#include "lib/Import/Dsl/Elaborator.h"

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// One layer: its weights, and the walk along the steps.
class Recurrent final {
public:
  Recurrent(Call &n, int64_t gates) : n(n), gates(gates), units(n.integer("units")) {
    x = n.real("x");
    n.expectRank(x, 3, "[N, T, features]");
    int64_t in = n.knownSize(x, 2, "features"), width = gates * units;
    mlir::Value kernel = n.weight("kernel", {in, width}, "init", n.element(x));
    recurrent = n.weight("recurrent_kernel", {units, width}, "recurrent_init", n.element(x));
    products = n.addBias(n.make<MatMulOp>(n.transpose(x, {1, 0, 2}), kernel), width); // step by step
  }

  /// h @ recurrent_kernel
  mlir::Value product(mlir::Value h) { return n.make<MatMulOp>(h, recurrent); }
  /// Gate `i` of a row of gates.
  mlir::Value gate(mlir::Value row, int64_t i) {
    return n.sliceAxis(row, 1, n.constantSize(i * units), n.constantSize(units));
  }
  mlir::Value activation(mlir::Value x) { return n.activated(x, "activation"); }
  mlir::Value recurrentActivation(mlir::Value x) { return n.activated(x, "recurrent_activation"); }

  /// Walks with `count` states, of which the first is the output, through the steps: the new states from the old ones
  /// and the products of a step.
  Datum walk(size_t count, llvm::function_ref<Values(mlir::ValueRange, mlir::Value)> step) {
    mlir::Value zeros = n.expand(n.scalar(n.element(x), 0), {n.shape(x)[0], n.constantSize(units)});
    Values states = n.scan(Values(count, zeros), products, n.flag("reverse"),
                           [&](mlir::ValueRange states, mlir::ValueRange slices) {
                             Values next = step(states, slices[0]);
                             refuseTraining(next[0].getParentBlock());
                             next.push_back(next[0]);
                             return next;
                           });
    mlir::Value outputs = states.pop_back_val();
    List results{n.flag("return_sequences") ? n.transpose(outputs, {1, 0, 2}) : states[0]};
    if (!n.flag("return_state"))
      return results[0];
    for (mlir::Value state : states)
      results.push_back(state);
    return makeList(std::move(results));
  }

  /// What a layer such as dropout does while it trains is not said for a step of many.
  void refuseTraining(mlir::Block *body) {
    for (mlir::Operation &op : *body)
      if (isa<train::TrainDialect>(op.getDialect()))
        n.fail("unsupported activation with '" + op.getName().stripDialect() + "', which trains differently",
               "activation");
  }

  Call &n;
  const int64_t gates, units;
  mlir::Value x, recurrent, products;
};

/// c = f * c + i * g, h = o * activation(c); gates i, f, g, o.
Datum lstm(Call &n) {
  Recurrent layer(n, 4);
  double forget = n.number("forget_bias");
  return layer.walk(2, [&](mlir::ValueRange states, mlir::Value row) -> Values {
    mlir::Value all = n.add(row, layer.product(states[0])), f = layer.gate(all, 1);
    if (forget != 0)
      f = n.add(f, n.scalarLike(f, forget));
    mlir::Value kept = n.mul(layer.recurrentActivation(f), states[1]);
    mlir::Value made = n.mul(layer.recurrentActivation(layer.gate(all, 0)), layer.activation(layer.gate(all, 2)));
    mlir::Value c = n.add(kept, made);
    return {n.mul(layer.recurrentActivation(layer.gate(all, 3)), layer.activation(c)), c};
  });
}

/// h = z * h + (1 - z) * activation(x + r * (h @ U + b)); gates z, r, candidate.
Datum gru(Call &n) {
  Recurrent layer(n, 3);
  return layer.walk(1, [&](mlir::ValueRange states, mlir::Value row) -> Values {
    mlir::Value h = states[0], inner = n.addBias(layer.product(h), 3 * layer.units, "recurrent_bias");
    mlir::Value z = layer.recurrentActivation(n.add(layer.gate(row, 0), layer.gate(inner, 0)));
    mlir::Value r = layer.recurrentActivation(n.add(layer.gate(row, 1), layer.gate(inner, 1)));
    mlir::Value candidate = layer.activation(n.add(layer.gate(row, 2), n.mul(r, layer.gate(inner, 2))));
    return {n.add(candidate, n.mul(z, n.sub(h, candidate)))};
  });
}

/// h = activation(x + h @ U)
Datum rnn(Call &n) {
  Recurrent layer(n, 1);
  return layer.walk(1, [&](mlir::ValueRange states, mlir::Value row) -> Values {
    return {layer.activation(n.add(row, layer.product(states[0])))};
  });
}

/// The layer forwards and, with weights of its own, backwards.
Datum bidirectional(Call &n) {
  std::shared_ptr<Layer> layer = n.value("layer").layer();
  if (!layer || !layer->builtin || !layer->given.count("units") || layer->given.count("name") ||
      !llvm::is_contained({"lstm", "gru", "rnn"}, layer->builtin->name))
    n.fail("expected a layer such as lstm(units=64)", "layer");
  Values results;
  for (bool reverse : {false, true}) {
    auto direction = std::make_shared<Layer>(*layer);
    direction->path = n.path + (reverse ? ".backward" : ".forward");
    Bindings given = layer->given;
    given["x"] = {n.value("x"), n.range};
    given["reverse"] = {Datum(reverse), n.range};
    Datum result = n.elaborator.apply(direction, std::move(given), n.range);
    if (!result.tensor())
      n.fail("expected a layer of one result", "layer");
    results.push_back(result.tensor());
  }
  if (n.text("merge") == "sum")
    return n.add(results[0], results[1]);
  return n.concat(results, n.rank(results[0]) - 1);
}

} // namespace

void addRecurrence(Builtins &all) {
  all.family("Recurrence");
  std::string rest = ", activation: function = tanh, init: initializer = glorot_uniform, "
                     "recurrent_init: initializer = orthogonal, bias: initializer|bool|none = zeros, "
                     "return_sequences: bool = false, return_state: bool = false, reverse: bool = false)";
  all.add("lstm(x: tensor, units: count, recurrent_activation: function = sigmoid, forget_bias: number = 1" + rest,
          "Long short-term memory along x [N, T, features]: the last output [N, units], with "
          "`return_sequences` all of them at "
          "the places of their inputs; with `return_state` also the last states. Weights `kernel`, `recurrent_kernel`, "
          "`bias`, with "
          "the gates input, forget, candidate, output side by side; `forget_bias` is added to the second.",
          lstm, true);
  all.add("gru(x: tensor, units: count, recurrent_activation: function = sigmoid" + rest,
          "A gated recurrent unit, whose reset gate acts behind the product; gates update, reset, candidate, and a "
          "`recurrent_bias`.",
          gru, true);
  all.add("rnn(x: tensor, units: count" + rest,
          "activation(x @ kernel + bias + state @ recurrent_kernel), step by step.", rnn, true);
  all.add("bidirectional(x: tensor, layer: function, merge: concat|sum = concat)",
          "A recurrent layer, as in `bidirectional(x, lstm(units=64))`, in both directions; weights under `forward` "
          "and `backward`.",
          bidirectional, true);
}

} // namespace mlc::dsl
