//===- Optimizers.cpp - what an optimizer does to a parameter -----------------------------------------------------===//
//
// All of it is element-wise but for norms, so that an update is one loop over parameter, gradient and slots, in place.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Train/Optimizers.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace mlc {

FailureOr<SmallVector<OptimizerSlot>> getOptimizerSlots(Config optimizer) {
  StringRef kind = optimizer.text("kind");
  using Slots = SmallVector<OptimizerSlot>;
  bool hasMomentum = optimizer.number("momentum", 0) != 0;
  if (kind == "sgd")
    return hasMomentum ? Slots{{"sgd_momentum"}} : Slots{};
  if (kind == "rmsprop") {
    Slots slots{{"rmsprop_velocity"}};
    if (hasMomentum)
      slots.push_back({"rmsprop_momentum"});
    if (optimizer.flag("centered"))
      slots.push_back({"rmsprop_average"});
    return slots;
  }
  if (kind == "adagrad")
    return Slots{{"adagrad_accumulator", optimizer.number("initial_accumulator_value", 0.1)}};
  if (kind == "adadelta")
    return Slots{{"adadelta_gradient"}, {"adadelta_delta"}};
  if (kind == "adam" || kind == "adamw") {
    Slots slots{{"adam_m"}, {"adam_v"}};
    if (optimizer.flag("amsgrad"))
      slots.push_back({"adam_v_max"});
    return slots;
  }
  if (kind == "lion")
    return Slots{{"lion_m"}};
  if (kind == "lamb")
    return Slots{{"lamb_m"}, {"lamb_v"}};
  return failure();
}

namespace {

Value sumOfSquares(graph::GraphBuilder &g, Value x) {
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, g.rank(x)));
  return g.reduce(graph::ReduceKind::sum, g.mul(x, x), axes, /*keepDims=*/false);
}

struct UpdateBuilder final {
  graph::GraphBuilder &g;
  Config optimizer;
  const OptimizerStep &step;
  Value parameter, gradient;
  MutableArrayRef<Value> slots;

  Value number(double value) { return g.scalarLike(parameter, value); }
  Value times(Value x, double factor) { return g.mul(x, number(factor)); }
  Value square(Value x) { return g.mul(x, x); }
  Value rate() { return g.cast(step.learningRate, g.element(parameter)); }
  Value scaled(Value x) { return g.mul(rate(), x); }
  double option(StringRef key, double otherwise) { return optimizer.number(key, otherwise); }

  /// decay * x + (1 - decay) * y
  Value average(double decay, Value x, Value y) { return g.add(times(x, decay), times(y, 1 - decay)); }

  /// 1 - beta^t with t = iteration + 1, in f64: for a beta close to 1 the difference is all there is.
  Value correction(double beta) {
    Type f64 = g.b.getF64Type();
    Value t = g.add(g.cast(step.iteration, f64), g.scalar(f64, 1));
    return g.sub(g.scalar(f64, 1), g.make<graph::PowOp>(g.scalar(f64, beta), t));
  }

  Value sgd() {
    double momentum = option("momentum", 0);
    if (momentum == 0)
      return g.sub(parameter, scaled(gradient));
    slots[0] = g.sub(times(slots[0], momentum), scaled(gradient));
    if (optimizer.flag("nesterov"))
      return g.add(parameter, g.sub(times(slots[0], momentum), scaled(gradient)));
    return g.add(parameter, slots[0]);
  }

  Value rmsprop() {
    double rho = option("rho", 0.9), momentum = option("momentum", 0);
    Value velocity = slots[0] = average(rho, slots[0], square(gradient));
    if (optimizer.flag("centered")) {
      Value &mean = slots.back();
      mean = average(rho, mean, gradient);
      velocity = g.sub(velocity, square(mean));
    }
    Value root = g.sqrt(g.add(velocity, number(option("epsilon", 1e-7))));
    Value delta = g.div(scaled(gradient), root);
    if (momentum != 0)
      delta = slots[1] = g.add(times(slots[1], momentum), delta);
    return g.sub(parameter, delta);
  }

  Value adagrad() {
    slots[0] = g.add(slots[0], square(gradient));
    Value root = g.sqrt(g.add(slots[0], number(option("epsilon", 1e-7))));
    return g.sub(parameter, g.div(scaled(gradient), root));
  }

  Value adadelta() {
    double rho = option("rho", 0.95), epsilon = option("epsilon", 1e-7);
    auto root = [&](Value x) { return g.sqrt(g.add(x, number(epsilon))); };
    slots[0] = average(rho, slots[0], square(gradient));
    Value delta = g.div(g.mul(root(slots[1]), gradient), root(slots[0]));
    slots[1] = average(rho, slots[1], square(delta));
    return g.sub(parameter, scaled(delta));
  }

  Value adam() {
    double beta1 = option("beta1", 0.9), beta2 = option("beta2", 0.999);
    slots[0] = average(beta1, slots[0], gradient);
    Value velocity = slots[1] = average(beta2, slots[1], square(gradient));
    if (optimizer.flag("amsgrad"))
      velocity = slots[2] = g.maximum(slots[2], velocity);
    Value factor = g.cast(g.div(g.sqrt(correction(beta2)), correction(beta1)), g.element(parameter));
    Value root = g.add(g.sqrt(velocity), number(option("epsilon", 1e-7)));
    return g.sub(parameter, g.div(g.mul(g.mul(rate(), factor), slots[0]), root));
  }

  Value lion() {
    double beta1 = option("beta1", 0.9), beta2 = option("beta2", 0.99);
    Value direction = g.make<graph::SignOp>(average(beta1, slots[0], gradient));
    slots[0] = average(beta2, slots[0], gradient);
    return g.sub(parameter, scaled(direction));
  }

  Value norm(Value x) { return g.sqrt(sumOfSquares(g, x)); }

  Value lamb() {
    double beta1 = option("beta1", 0.9), beta2 = option("beta2", 0.999);
    slots[0] = average(beta1, slots[0], gradient);
    slots[1] = average(beta2, slots[1], square(gradient));
    Type element = g.element(parameter);
    Value mean = g.div(slots[0], g.cast(correction(beta1), element));
    Value velocity = g.div(slots[1], g.cast(correction(beta2), element));
    Value direction = g.div(mean, g.add(g.sqrt(velocity), number(option("epsilon", 1e-7))));
    Value size = norm(parameter), reach = norm(direction), zero = number(0), one = number(1);
    auto isPositive = [&](Value x) { return g.compare(graph::CompareDirection::gt, x, zero); };
    Value ratio = g.select(isPositive(reach), g.div(size, reach), one);
    ratio = g.select(isPositive(size), ratio, one);
    return g.sub(parameter, g.mul(g.mul(rate(), ratio), direction));
  }

  Value build() {
    StringRef kind = optimizer.text("kind");
    if (double decay = option("weight_decay", kind == "adamw" ? 0.004 : 0))
      parameter = g.sub(parameter, g.mul(times(rate(), decay), parameter));
    using Builder = Value (UpdateBuilder::*)();
    Builder builder = llvm::StringSwitch<Builder>(kind)
                          .Case("sgd", &UpdateBuilder::sgd)
                          .Case("rmsprop", &UpdateBuilder::rmsprop)
                          .Case("adagrad", &UpdateBuilder::adagrad)
                          .Case("adadelta", &UpdateBuilder::adadelta)
                          .Cases({"adam", "adamw"}, &UpdateBuilder::adam)
                          .Case("lion", &UpdateBuilder::lion)
                          .Case("lamb", &UpdateBuilder::lamb);
    return (this->*builder)();
  }
};

/// min(1, limit / norm)
Value clippingFactor(graph::GraphBuilder &g, Value squares, double limit) {
  Value norm = g.sqrt(g.maximum(squares, g.scalarLike(squares, 1e-30)));
  return g.minimum(g.div(g.scalarLike(norm, limit), norm), g.scalarLike(norm, 1));
}

} // namespace

Value buildUpdate(graph::GraphBuilder &g, Config optimizer, const OptimizerStep &step, Value parameter, Value gradient,
                  MutableArrayRef<Value> slots) {
  return UpdateBuilder{g, optimizer, step, parameter, gradient, slots}.build();
}

void buildClipping(graph::GraphBuilder &g, Config clip, MutableArrayRef<Value> gradients) {
  if (!clip || gradients.empty())
    return;
  StringRef kind = clip.text("kind");
  double limit = clip.number("limit", 1);
  if (kind == "global_norm") {
    Value squares;
    for (Value gradient : gradients) {
      Value own = g.cast(sumOfSquares(g, gradient), g.b.getF32Type());
      squares = squares ? g.add(squares, own) : own;
    }
    Value factor = clippingFactor(g, squares, limit);
    for (Value &gradient : gradients)
      gradient = g.mul(gradient, g.cast(factor, g.element(gradient)));
    return;
  }
  for (Value &gradient : gradients)
    gradient = kind == "norm"
                   ? g.mul(gradient, clippingFactor(g, sumOfSquares(g, gradient), limit))
                   : g.minimum(g.maximum(gradient, g.scalarLike(gradient, -limit)), g.scalarLike(gradient, limit));
}

} // namespace mlc
