//===- TensorJson.h - TensorFlow Serving's predictions as JSON ---------------------------------------- -*- C++ -*-===//
// Numbers are read straight into the buffers that the model gets, in one pass over the text; memory for them is at most
// four times the text. Lists may be 64 deep.
#ifndef MLC_RUNTIME_SERVE_REST_TENSORJSON_H
#define MLC_RUNTIME_SERVE_REST_TENSORJSON_H

#include "runtime/serve/Explanation.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mlc::serve {

/// What the body of a prediction says.
struct PredictBody final {
  bool rows = false; ///< "instances": a sample after the other; else "inputs": an input after the other
  std::vector<Tensor> inputs;
  std::vector<std::shared_ptr<void>> storage; ///< the inputs' data
  ExplanationRequest explanation;             ///< without its inputs; of PredictForm::explain
};

/// How a body is written.
enum class PredictForm {
  tensorFlow,
  explain, ///< with "method", "output", "targets", "steps" and "baselines" of an explanation
  mlflow   ///< "dataframe_records" is another word for "instances", and "dataframe_split" another form of it
};

/// Reads the body of a prediction, for a model of this signature. Types and lists are checked, sizes are not. Throws
/// Error: INVALID_ARGUMENT, and UNIMPLEMENTED for inputs of a type that JSON numbers do not become.
PredictBody readPredictBody(const std::string &text, const Signature &signature,
                            PredictForm form = PredictForm::tensorFlow);

/// The answer: {"predictions": [row, ...]}, or {"outputs": ...}, the name of an only output left out. Throws Error
/// INVALID_ARGUMENT where outputs are no rows. A client of MLflow gets "predictions" in both, that of an explanation
/// "explanations".
std::string writePredictions(std::span<const Tensor> outputs, bool rows, PredictForm form = PredictForm::tensorFlow);

} // namespace mlc::serve

#endif
