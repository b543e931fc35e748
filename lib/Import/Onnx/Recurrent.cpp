//===- Recurrent.cpp - LSTM, GRU, RNN
//------------------------------------------------------------------------------===//
//
// The products of all steps with the input are one matmul before the loop, biases included; a step (graph.scan) adds
// the product with the hidden state and computes the gates. A direction is a scan of its own: the reverse one walks
// from the end, and in the steps behind the end of a shorter sequence the state stays and the output is zero, which is
// the same as starting at the sequence's own end.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Activations.h"
#include "lib/Import/Onnx/NodeImporter.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// An activation of a gate with the numbers that belong to it.
struct Activation final {
  std::string name;
  double alpha, beta;
};

/// The activations that the operators know, in lower case, with the numbers that they take and their defaults.
struct ActivationKind final {
  StringRef name;
  bool takesAlpha, takesBeta;
  double alpha, beta;
};
constexpr ActivationKind kActivations[] = {
    {"affine", true, true, 1, 0},           {"relu", false, false, 0, 0},          {"leakyrelu", true, false, 0.01, 0},
    {"thresholdedrelu", true, false, 1, 0}, {"tanh", false, false, 0, 0},          {"scaledtanh", true, true, 1, 1},
    {"sigmoid", false, false, 0, 0},        {"hardsigmoid", true, true, 0.2, 0.5}, {"elu", true, false, 1, 0},
    {"softsign", false, false, 0, 0},       {"softplus", false, false, 0, 0}};

/// One LSTM, GRU or RNN node: what the three have in common.
class Recurrent final {
public:
  /// `gates` blocks of weights; `defaults` are the activations of one direction.
  Recurrent(NodeImporter &n, int64_t gates, ArrayRef<StringRef> defaults) : n(n), gates(gates) {
    batchFirst = n.opset >= 14 && n.intAttr("layout", 0);
    n.ignoreAttr("output_sequence"); // of opset 1: outputs are there where they are asked for
    readDirection();
    readActivations(defaults);
    if (std::optional<double> threshold = n.optionalFloat("clip")) {
      n.require(*threshold > 0, "expected a positive clip, but got " + std::to_string(*threshold));
      clip = *threshold;
    }
    x = n.input(0);
    w = n.input(1);
    r = n.input(2);
    n.require(n.rank(x) == 3 && n.rank(w) == 3 && n.rank(r) == 3, "expected X, W and R of rank 3");
    n.require(n.isFloat(x), "expected floats");
    std::optional<int64_t> size = n.optionalInt("hidden_size");
    int64_t known = n.type(r).getDimSize(2);
    if (!size && ShapedType::isDynamic(known))
      n.unsupported("the hidden size is known only at run time", "give the node the attribute hidden_size",
                    "hidden_size");
    hidden = size.value_or(known);
    n.require(hidden > 0 && hidden < (int64_t(1) << 24), "expected a positive hidden_size, but got " + Twine(hidden));
    if (batchFirst)
      x = n.transpose(x, {1, 0, 2});
    Shape shape = n.shape(x);
    steps = shape[0];
    batch = shape[1];
    features = shape[2];
    if (Value lengths = n.optionalInput(4))
      active = activeSteps(lengths);
  }

  /// The products of the inputs of all steps, with the biases: [steps, batch, gates · hidden].
  Value project(int64_t direction, Value bias) {
    Value weights = matrix(w, direction, gates * hidden, features);
    Value products = n.make<MatMulOp>(x, n.transpose(weights, {1, 0}));
    return bias ? n.add(products, bias) : products;
  }

  /// The transposed weights of the hidden state: [hidden, gates · hidden].
  Value recurrence(int64_t direction) {
    return n.transpose(matrix(r, direction, gates * hidden, n.constantSize(hidden)), {1, 0});
  }

  /// The biases of the inputs and of the hidden state, [gates · hidden] each; null where there are none.
  std::pair<Value, Value> biases(int64_t direction) {
    Value all = n.optionalInput(3);
    if (!all)
      return {};
    n.require(n.rank(all) == 2, "expected B of rank 2");
    Value both = matrix(all, direction, 2, n.constantSize(gates * hidden));
    return {row(both, 0), row(both, 1)};
  }

  /// Row `i` of a matrix.
  Value row(Value rows, int64_t i) {
    Value one = n.sliceAxis(rows, 0, n.constantSize(i), n.constantSize(1));
    return n.reshape(one, n.shape(rows)[1]);
  }

  /// The state before the first step, [batch, hidden]; zeros where the input is missing.
  Value initial(unsigned input, int64_t direction) {
    Value state = n.optionalInput(input);
    if (!state)
      return n.expand(n.scalarLike(x, 0), {batch, n.constantSize(hidden)});
    n.require(n.rank(state) == 3, "expected initial states of rank 3");
    Value one = n.sliceAxis(state, batchFirst ? 1 : 0, n.constantSize(direction), n.constantSize(1));
    return n.reshape(one, {batch, n.constantSize(hidden)});
  }

  /// Columns [start, start + count) of the last axis.
  Value columns(Value values, int64_t start, int64_t count) {
    return n.sliceAxis(values, n.rank(values) - 1, n.constantSize(start), n.constantSize(count));
  }
  /// Block `gate` of the columns.
  Value gate(Value values, int64_t gate) { return columns(values, gate * hidden, hidden); }

  /// Activation `which` of a direction, behind the clip.
  Value activate(int64_t direction, size_t which, Value value) {
    if (clip)
      value = n.minimum(n.maximum(value, n.scalarLike(value, -*clip)), n.scalarLike(value, *clip));
    return activateUnclipped(direction, which, value);
  }
  Value activateUnclipped(int64_t direction, size_t which, Value value) {
    const Activation &f = activations[direction * (activations.size() / directions) + which];
    Value alpha = n.scalarLike(value, f.alpha), beta = n.scalarLike(value, f.beta);
    if (f.name == "affine")
      return n.add(n.mul(alpha, value), beta);
    if (f.name == "relu")
      return relu(n, value);
    if (f.name == "leakyrelu")
      return leaky(n, value, alpha);
    if (f.name == "thresholdedrelu")
      return n.select(n.compare(CompareDirection::gt, value, alpha), value, n.scalarLike(value, 0));
    if (f.name == "tanh")
      return n.make<TanhOp>(value);
    if (f.name == "scaledtanh")
      return n.mul(alpha, n.make<TanhOp>(n.mul(beta, value)));
    if (f.name == "sigmoid")
      return n.make<SigmoidOp>(value);
    if (f.name == "hardsigmoid")
      return hardSigmoid(n, value, f.alpha, f.beta);
    if (f.name == "elu")
      return elu(n, value, f.alpha);
    return f.name == "softsign" ? softsign(n, value) : softplus(n, value);
  }

  /// A step: from the projected inputs and the states, the new states, the hidden one first.
  using Step = llvm::function_ref<Values(Value projected, ValueRange states)>;

  /// Walks one direction; the results are kept for `outputs`.
  void walk(int64_t direction, Value projected, ValueRange inits, Step step) {
    Values inputs{projected};
    if (active)
      inputs.push_back(active);
    bool reverse = startsReversed || direction == 1;
    Values results = n.scan(inits, inputs, reverse, [&](ValueRange states, ValueRange slices) {
      Values next = step(slices[0], states);
      Value output = next[0];
      if (active) {
        output = n.select(slices[1], output, n.scalarLike(output, 0));
        for (auto [now, before] : llvm::zip(next, states))
          now = n.select(slices[1], now, before);
      }
      next.push_back(output);
      return next;
    });
    walked.push_back(std::move(results));
  }

  /// Y, then the last states: what the node gives.
  Values outputs() {
    Values all{together(walked[0].size() - 1, batchFirst ? 2 : 1)};
    if (batchFirst)
      all[0] = n.transpose(all[0], {1, 0, 2, 3}); // [steps, batch, directions, hidden] before
    for (size_t state = 0; state + 1 < walked[0].size(); ++state)
      all.push_back(together(state, batchFirst ? 1 : 0));
    return all;
  }

  Value matrix(Value stack, int64_t direction, int64_t rows, Size columns) {
    Value one = n.sliceAxis(stack, 0, n.constantSize(direction), n.constantSize(1));
    return n.reshape(one, {n.constantSize(rows), columns});
  }

  NodeImporter &n;
  int64_t gates, hidden = 0, directions = 1;

private:
  void readDirection() {
    std::string direction = n.stringAttr("direction", "forward");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
      n.fail("expected forward, reverse or bidirectional, but got '" + direction + "'", "direction");
    directions = direction == "bidirectional" ? 2 : 1;
    startsReversed = direction == "reverse";
  }

  /// Numbers go to the activations that take one, in order.
  void readActivations(ArrayRef<StringRef> defaults) {
    std::vector<std::string> names;
    for (int64_t direction = 0; direction < directions; ++direction)
      names.insert(names.end(), defaults.begin(), defaults.end());
    if (auto given = n.stringsAttr("activations"); given && !given->empty()) {
      if (given->size() != names.size())
        n.fail("expected " + Twine(names.size()) + " activations, but got " + Twine(given->size()), "activations");
      names = *given;
    }
    auto alphas = n.floatsAttr("activation_alpha").value_or(std::vector<double>()),
         betas = n.floatsAttr("activation_beta").value_or(std::vector<double>());
    size_t alpha = 0, beta = 0;
    for (const std::string &name : names) {
      std::string lower = StringRef(name).lower();
      const auto *kind = llvm::find_if(kActivations, [&](const ActivationKind &kind) { return kind.name == lower; });
      if (kind == std::end(kActivations))
        n.unsupported("unsupported activation '" + name + "'", "", "activations");
      Activation activation{lower, kind->alpha, kind->beta};
      if (kind->takesAlpha && alpha < alphas.size())
        activation.alpha = alphas[alpha++];
      if (kind->takesBeta && beta < betas.size())
        activation.beta = betas[beta++];
      activations.push_back(std::move(activation));
    }
  }

  /// Which steps of which sequences are before their end: [steps, batch, 1].
  Value activeSteps(Value lengths) {
    n.require(n.rank(lengths) == 1, "expected sequence_lens of rank 1");
    Size one = n.constantSize(1);
    if (std::optional<Ints> known = n.knownInts(lengths); known && getConstant(steps))
      if (llvm::all_of(*known, [&](int64_t length) { return length >= *getConstant(steps); }))
        return nullptr; // all of full length
    Value places = n.iota(0, {steps, one, one}, n.element(lengths));
    return n.compare(CompareDirection::lt, places, n.reshape(lengths, {one, batch, one}));
  }

  /// Result `result` of all directions, along a new axis.
  Value together(size_t result, int64_t axis) {
    Values parts;
    for (const Values &direction : walked)
      parts.push_back(n.unsqueeze(direction[result], axis));
    return parts.size() == 1 ? parts[0] : n.concat(parts, axis);
  }

  Value x, w, r;
  /// Which steps change the state; null where all do.
  Value active;
  Size steps, batch, features;
  bool batchFirst = false, startsReversed = false;
  std::optional<double> clip;
  SmallVector<Activation> activations;
  SmallVector<Values> walked;
};

/// The sum of two biases, where there are any.
Value sumOf(NodeImporter &n, std::pair<Value, Value> biases) {
  return biases.first ? n.add(biases.first, biases.second) : Value();
}

/// H = f(X W' + H R' + b)
Values rnn(NodeImporter &n) {
  Recurrent net(n, 1, {"Tanh"});
  for (int64_t d = 0; d < net.directions; ++d) {
    Value recurrence = net.recurrence(d), projected = net.project(d, sumOf(n, net.biases(d)));
    net.walk(d, projected, net.initial(5, d), [&](Value x, ValueRange states) {
      return Values{net.activate(d, 0, n.add(n.make<MatMulOp>(states[0], recurrence), x))};
    });
  }
  return net.outputs();
}

/// z, r = f(X W' + H R' + b), n = g(X W' + (r H) R' + b), H = (1 - z) n + z H; with linear_before_reset the reset gate
/// multiplies the product with the hidden state instead.
Values gru(NodeImporter &n) {
  Recurrent net(n, 3, {"Sigmoid", "Tanh"});
  bool linearFirst = n.opset >= 3 && n.intAttr("linear_before_reset", 0);
  int64_t hidden = net.hidden;
  for (int64_t d = 0; d < net.directions; ++d) {
    auto [inputBias, hiddenBias] = net.biases(d);
    Value bias, candidateBias;
    if (inputBias) {
      // The candidate's bias of the hidden state is inside of the reset, or added with all others.
      candidateBias = linearFirst ? net.gate(hiddenBias, 2) : Value();
      Value outside = linearFirst ? n.concat({net.columns(hiddenBias, 0, 2 * hidden),
                                              n.expand(n.scalarLike(hiddenBias, 0), n.constantSize(hidden))},
                                             0)
                                  : hiddenBias;
      bias = n.add(inputBias, outside);
    }
    Value all = net.recurrence(d), projected = net.project(d, bias);
    Value gateWeights = linearFirst ? all : net.columns(all, 0, 2 * hidden),
          candidateWeights = linearFirst ? Value() : net.gate(all, 2);
    net.walk(d, projected, net.initial(5, d), [&](Value x, ValueRange states) {
      Value h = states[0], products = n.make<MatMulOp>(h, gateWeights), candidate = net.gate(x, 2), z, r;
      if (linearFirst) {
        z = n.add(net.gate(x, 0), net.gate(products, 0));
        r = n.add(net.gate(x, 1), net.gate(products, 1));
      } else {
        Value sums = n.add(products, net.columns(x, 0, 2 * hidden));
        z = net.gate(sums, 0);
        r = net.gate(sums, 1);
      }
      z = net.activate(d, 0, z);
      r = net.activate(d, 0, r);
      if (linearFirst) {
        Value product = net.gate(products, 2);
        if (candidateBias)
          product = n.add(product, candidateBias);
        candidate = n.add(candidate, n.mul(r, product));
      } else {
        candidate = n.add(n.make<MatMulOp>(n.mul(r, h), candidateWeights), candidate);
      }
      candidate = net.activate(d, 1, candidate);
      Value keep = n.mul(z, h), take = n.mul(n.sub(n.scalarLike(z, 1), z), candidate);
      return Values{n.add(take, keep)};
    });
  }
  return net.outputs();
}

/// i, f, o = f(X W' + H R' + p C + b), c = g(X W' + H R' + b), C = f C + i c, H = o h(C); o sees the new C. The clip is
/// of the gates and the candidate, not of C before h, as in ONNX Runtime; the specification can be read either way.
Values lstm(NodeImporter &n) {
  Recurrent net(n, 4, {"Sigmoid", "Tanh", "Tanh"});
  bool couples = n.intAttr("input_forget", 0);
  Value allPeepholes = n.optionalInput(7);
  for (int64_t d = 0; d < net.directions; ++d) {
    Value recurrence = net.recurrence(d), projected = net.project(d, sumOf(n, net.biases(d))), peepholes;
    if (allPeepholes) {
      n.require(n.rank(allPeepholes) == 2, "expected P of rank 2");
      peepholes = net.matrix(allPeepholes, d, 3, n.constantSize(net.hidden));
    }
    auto peek = [&](Value sum, int64_t which, Value cell) {
      return peepholes ? n.add(sum, n.mul(net.row(peepholes, which), cell)) : sum;
    };
    net.walk(d, projected, {net.initial(5, d), net.initial(6, d)}, [&](Value x, ValueRange states) {
      Value cell = states[1], sums = n.add(n.make<MatMulOp>(states[0], recurrence), x);
      Value i = net.activate(d, 0, peek(net.gate(sums, 0), 0, cell));
      Value f = couples ? n.sub(n.scalarLike(i, 1), i) : net.activate(d, 0, peek(net.gate(sums, 2), 2, cell));
      Value c = net.activate(d, 1, net.gate(sums, 3));
      Value next = n.add(n.mul(f, cell), n.mul(i, c));
      Value o = net.activate(d, 0, peek(net.gate(sums, 1), 1, next));
      return Values{n.mul(o, net.activateUnclipped(d, 2, next)), next};
    });
  }
  return net.outputs();
}

} // namespace

void registerRecurrent(Registry &r) {
  r.add("RNN", 1, rnn);
  r.add("GRU", 1, gru);
  r.add("LSTM", 1, lstm);
}

} // namespace mlc::onnximport
