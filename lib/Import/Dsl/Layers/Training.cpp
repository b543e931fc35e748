//===- Training.cpp - what a train block may say -----------------------------------------------------------------===//
//
// Tables alone: the names, arguments and defaults are Keras's. lib/Import/Dsl/TrainBlock.cpp reads them.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Dsl/Builtins.h"

namespace mlc::dsl {

void addTraining(Builtins &all) {
  // The group `train` has one member, whose parameters are the keys of the block.
  all.addMember("train",
                "settings(loss: loss, optimizer: optimizer, schedule: schedule|none = none, metrics: metrics = [], "
                "batch: count = 32, epochs: count = 1, shuffle: bool = true, seed: natural = 0, "
                "validation_split: rate = 0, accumulate: count = 1, clip: clip|none = none, ema: ema|none = none, "
                "early_stopping: early_stopping|none = none, label: string = \"label\", "
                "precision: f32|bf16 = f32, "
                "preprocess: steps = [])");

  for (const char *loss :
       {"categorical_crossentropy(label_smoothing: rate = 0, from_logits: bool = false)",
        "sparse_categorical_crossentropy(from_logits: bool = false)",
        "softmax_cross_entropy(label_smoothing: rate = 0)",
        "binary_crossentropy(label_smoothing: rate = 0, from_logits: bool = false)",
        "sigmoid_cross_entropy(label_smoothing: rate = 0)", "mse()", "mae()", "mape()", "huber(delta: positive = 1)",
        "log_cosh()", "kl_divergence()", "poisson()", "hinge()", "squared_hinge()", "cosine_similarity()"})
    all.addMember("loss", loss);

  for (const char *optimizer :
       {"sgd(learning_rate: positive = 0.01, momentum: rate = 0, nesterov: bool = false, weight_decay: number = 0)",
        "rmsprop(learning_rate: positive = 0.001, rho: rate = 0.9, momentum: rate = 0, epsilon: positive = 1e-7, "
        "centered: bool = false, weight_decay: number = 0)",
        "adagrad(learning_rate: positive = 0.001, initial_accumulator_value: number = 0.1, epsilon: positive = 1e-7, "
        "weight_decay: number = 0)",
        "adadelta(learning_rate: positive = 0.001, rho: rate = 0.95, epsilon: positive = 1e-7, weight_decay: number = "
        "0)",
        "adam(learning_rate: positive = 0.001, beta1: rate = 0.9, beta2: rate = 0.999, epsilon: positive = 1e-7, "
        "weight_decay: number = 0, amsgrad: bool = false)",
        "adamw(learning_rate: positive = 0.001, beta1: rate = 0.9, beta2: rate = 0.999, epsilon: positive = 1e-7, "
        "weight_decay: number = 0.004, amsgrad: bool = false)",
        "lion(learning_rate: positive = 0.001, beta1: rate = 0.9, beta2: rate = 0.99, weight_decay: number = 0)",
        "lamb(learning_rate: positive = 0.001, beta1: rate = 0.9, beta2: rate = 0.999, epsilon: positive = 1e-7, "
        "weight_decay: number = 0)"})
    all.addMember("optimizer", optimizer);

  for (const char *schedule :
       {"constant()", "exponential(decay_steps: count, decay_rate: positive, staircase: bool = false)",
        "piecewise(boundaries: integers, values: numbers)",
        "polynomial(decay_steps: count, end_learning_rate: positive = 0.0001, power: positive = 1, cycle: bool = "
        "false)",
        "inverse_time(decay_steps: count, decay_rate: positive, staircase: bool = false)",
        "cosine(decay_steps: count, alpha: fraction = 0, warmup_steps: natural = 0, warmup_target: positive|none = "
        "none)",
        "cosine_restarts(first_decay_steps: count, t_mul: positive = 2, m_mul: positive = 1, alpha: fraction = 0)",
        "one_cycle(max_learning_rate: positive, total_steps: count, pct_start: fraction = 0.3, "
        "div_factor: positive = 25, final_div_factor: positive = 10000, anneal: cos|linear = cos)",
        "reduce_on_plateau(monitor: val_loss|loss|string = val_loss, factor: rate = 0.1, patience: natural = 10, "
        "min_delta: number = 0.0001, cooldown: natural = 0, min_learning_rate: number = 0, mode: auto|min|max = auto)"})
    all.addMember("schedule", schedule);

  for (const char *metric :
       {"accuracy()", "binary_accuracy(threshold: fraction = 0.5)", "top_k(k: count = 5)",
        "precision(average: micro|macro|binary = macro)", "recall(average: micro|macro|binary = macro)",
        "f1(average: micro|macro|binary = macro)", "auc()", "mse()", "mae()", "r2()", "confusion_matrix()"})
    all.addMember("metric", metric);

  all.addMember("clip", "value(limit: positive)");
  all.addMember("clip", "norm(limit: positive)");
  all.addMember("clip", "global_norm(limit: positive)");

  all.addMember("ema", "ema(decay: rate = 0.99)");

  all.addMember(
      "early_stopping",
      "early_stopping(monitor: val_loss|loss|string = val_loss, patience: natural = 0, min_delta: number = 0, "
      "mode: auto|min|max = auto, baseline: number|none = none, restore_best_weights: bool = false, "
      "start_from_epoch: natural = 0, check_finite: bool = true, stopping_threshold: number|none = none, "
      "divergence_threshold: number|none = none)");

  for (const char *step : {"scale(factor: number, offset: number = 0, input: string|none = none)",
                           "normalize(mean: number|numbers, std: positive|numbers, input: string|none = none)",
                           "one_hot(classes: count, input: string|none = none)",
                           "random_flip(direction: horizontal|vertical = horizontal, input: string|none = none)",
                           "random_crop(padding: count, input: string|none = none)"})
    all.addMember("step", step);
}

} // namespace mlc::dsl
