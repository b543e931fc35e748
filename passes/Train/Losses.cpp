//===- Losses.cpp - loss functions as graph ops -------------------------------------------------------------------===//
#include "passes/Train/Losses.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace mlc {

namespace {

/// What probabilities are kept away from 0 and 1 by, as in Keras.
constexpr double kEpsilon = 1e-7;

struct LossBuilder final {
  graph::GraphBuilder &g;
  Config loss;
  Value prediction, label;

  Value number(double value) { return g.scalarLike(prediction, value); }
  int64_t lastAxis() { return g.rank(prediction) - 1; }
  Value sumOfLast(Value x) { return g.reduce(graph::ReduceKind::sum, x, {lastAxis()}, /*keepDims=*/false); }
  Value square(Value x) { return g.mul(x, x); }
  Value difference() { return g.sub(prediction, label); }
  Value absolute(Value x) { return g.make<graph::AbsOp>(x); }
  Value atLeast(Value x, double limit) { return g.maximum(x, number(limit)); }
  Value clipped(Value x) { return g.minimum(atLeast(x, kEpsilon), number(1 - kEpsilon)); }

  /// The logarithms of the predicted probabilities.
  Value logProbabilities() {
    if (loss.flag("from_logits") || loss.text("kind") == "softmax_cross_entropy")
      return g.make<graph::SoftmaxOp>(prediction, lastAxis(), /*log=*/true);
    if (auto softmax = prediction.getDefiningOp<graph::SoftmaxOp>();
        softmax && !softmax.getLog() && static_cast<int64_t>(softmax.getAxis()) == lastAxis())
      return g.make<graph::SoftmaxOp>(softmax.getInput(), lastAxis(), /*log=*/true);
    Value sum = g.reduce(graph::ReduceKind::sum, prediction, {lastAxis()}, /*keepDims=*/true);
    return g.log(clipped(g.div(prediction, sum)));
  }

  Value categorical() {
    Value target = label;
    if (double smoothing = loss.number("label_smoothing", 0)) {
      Value classes = g.fromSize(g.shape(prediction).back(), g.element(prediction));
      target = g.add(g.mul(target, number(1 - smoothing)), g.div(number(smoothing), classes));
    }
    return g.make<graph::NegOp>(sumOfLast(g.mul(target, logProbabilities())));
  }

  /// The logarithm at the label's class, by a comparison with each class, which is differentiated without a scatter.
  Value sparse() {
    Value logs = logProbabilities();
    Value classes = g.iota(0, {g.shape(prediction).back()}, g.element(label));
    Value isClass = g.compare(graph::CompareDirection::eq, g.unsqueeze(label, {g.rank(label)}), classes);
    return g.make<graph::NegOp>(sumOfLast(g.select(isClass, logs, number(0))));
  }

  Value binary() {
    Value target = label, logits;
    if (double smoothing = loss.number("label_smoothing", 0))
      target = g.add(g.mul(target, number(1 - smoothing)), number(smoothing / 2));
    if (loss.flag("from_logits") || loss.text("kind") == "sigmoid_cross_entropy")
      logits = prediction;
    else if (auto sigmoid = prediction.getDefiningOp<graph::SigmoidOp>())
      logits = sigmoid.getInput();
    if (logits) {
      // max(x, 0) - x y + log(1 + exp(-|x|))
      Value tail = g.make<graph::Log1POp>(g.exp(g.make<graph::NegOp>(absolute(logits))));
      return g.add(g.sub(atLeast(logits, 0), g.mul(logits, target)), tail);
    }
    Value p = clipped(prediction);
    Value positive = g.mul(target, g.log(p));
    Value negative = g.mul(g.sub(number(1), target), g.log(g.sub(number(1), p)));
    return g.make<graph::NegOp>(g.add(positive, negative));
  }

  Value huber() {
    double delta = loss.number("delta", 1);
    Value error = difference(), size = absolute(error);
    Value quadratic = g.mul(square(error), number(0.5));
    Value linear = g.mul(g.sub(size, number(0.5 * delta)), number(delta));
    return g.select(g.compare(graph::CompareDirection::le, size, number(delta)), quadratic, linear);
  }

  /// log(cosh(x)) = |x| + log(1 + exp(-2 |x|)) - log 2
  Value logCosh() {
    Value size = absolute(difference());
    Value tail = g.make<graph::Log1POp>(g.exp(g.mul(size, number(-2))));
    return g.sub(g.add(size, tail), number(std::log(2.0)));
  }

  Value klDivergence() {
    Value p = g.minimum(atLeast(label, kEpsilon), number(1)), q = g.minimum(atLeast(prediction, kEpsilon), number(1));
    return sumOfLast(g.mul(p, g.log(g.div(p, q))));
  }

  /// Labels of 0 and 1 count as -1 and 1.
  Value hinge() {
    Value isZero = g.compare(graph::CompareDirection::eq, label, number(0));
    Value sign = g.select(isZero, number(-1), label);
    return atLeast(g.sub(number(1), g.mul(sign, prediction)), 0);
  }

  Value unit(Value x) {
    Value norm = g.reduce(graph::ReduceKind::sum, square(x), {lastAxis()}, /*keepDims=*/true);
    return g.div(x, g.sqrt(atLeast(norm, kEpsilon * kEpsilon)));
  }

  Value build() {
    StringRef kind = loss.text("kind");
    using Builder = Value (LossBuilder::*)();
    Builder builder = llvm::StringSwitch<Builder>(kind)
                          .Cases({"categorical_crossentropy", "softmax_cross_entropy"}, &LossBuilder::categorical)
                          .Case("sparse_categorical_crossentropy", &LossBuilder::sparse)
                          .Cases({"binary_crossentropy", "sigmoid_cross_entropy"}, &LossBuilder::binary)
                          .Case("huber", &LossBuilder::huber)
                          .Case("log_cosh", &LossBuilder::logCosh)
                          .Case("kl_divergence", &LossBuilder::klDivergence)
                          .Case("hinge", &LossBuilder::hinge)
                          .Default(nullptr);
    if (builder)
      return (this->*builder)();
    if (kind == "mse")
      return square(difference());
    if (kind == "mae")
      return absolute(difference());
    if (kind == "mape")
      return g.mul(absolute(g.div(difference(), atLeast(absolute(label), kEpsilon))), number(100));
    if (kind == "poisson")
      return g.sub(prediction, g.mul(label, g.log(g.add(prediction, number(kEpsilon)))));
    if (kind == "squared_hinge")
      return square(hinge());
    if (kind == "cosine_similarity")
      return g.make<graph::NegOp>(sumOfLast(g.mul(unit(label), unit(prediction))));
    return nullptr;
  }
};

} // namespace

RankedTensorType getLabelType(Config loss, RankedTensorType prediction) {
  if (loss.text("kind") != "sparse_categorical_crossentropy")
    return prediction;
  return RankedTensorType::get(prediction.getShape().drop_back(), IntegerType::get(prediction.getContext(), 32));
}

DictionaryAttr describeLabel(StringRef name, StringRef loss, RankedTensorType prediction) {
  Builder b(prediction.getContext());
  bool isSparse = loss == "sparse_categorical_crossentropy",
       isOneHot = loss == "categorical_crossentropy" || loss == "softmax_cross_entropy" || loss == "kl_divergence";
  StringRef form = isSparse ? "classes" : isOneHot ? "one_hot" : "values";
  SmallVector<NamedAttribute> label{b.getNamedAttr("name", b.getStringAttr(name)),
                                    b.getNamedAttr("form", b.getStringAttr(form))};
  if ((isSparse || isOneHot) && prediction.getRank() && !prediction.isDynamicDim(prediction.getRank() - 1))
    label.push_back(b.getNamedAttr("classes", b.getI64IntegerAttr(prediction.getShape().back())));
  return b.getDictionaryAttr(label);
}

Value buildLoss(graph::GraphBuilder &g, Config loss, Value prediction, Value label) {
  Value each = LossBuilder{g, loss, prediction, label}.build();
  if (!each)
    return nullptr;
  each = g.cast(each, g.b.getF32Type());
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, g.rank(each)));
  Value count = g.fromSize(g.sizes.product(g.shape(each)), g.element(each));
  return g.div(g.reduce(graph::ReduceKind::sum, each, axes, /*keepDims=*/false), count);
}

} // namespace mlc
