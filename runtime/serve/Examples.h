//===- Examples.h - Classify and Regress: samples by the names of their features ----------------------- -*- C++
//-*-===//
// A model takes tensors, and Classify and Regress bring Examples: sets of named features. Each input of the model is
// the feature of its name, with one row an example; how the outputs are read as classes or values is said below. gRPC
// and REST both use this. Costs a copy of the features.
#ifndef MLC_RUNTIME_SERVE_EXAMPLES_H
#define MLC_RUNTIME_SERVE_EXAMPLES_H

#include "runtime/serve/Tensor.h"
#include "tensorflow_serving.pb.h"

#include <span>
#include <string>
#include <vector>

namespace mlc::serve {

/// Inputs of a model made of examples.
struct ExampleInputs final {
  int64_t examples = 0;
  std::vector<Tensor> tensors;
  std::vector<std::vector<std::byte>> storage; ///< the tensors' data
};

/// The features of the examples as inputs; what an example lacks comes from the context. Floats and integers become the
/// input's type where they fit it; bytes are the elements of a UINT8 or INT8 input. Features that are no inputs are
/// ignored. Throws Error INVALID_ARGUMENT where a feature is missing or is of another type or length,
/// FAILED_PRECONDITION where an input has no axis for the examples.
ExampleInputs toInputs(const tensorflow::serving::Input &input, const Signature &signature);

/// The outputs that Classify needs: scores (floats, [N, C]) and classes (integers, [N, C]). They are those of these
/// names, else the only output, which is one or the other by its type. Throws Error FAILED_PRECONDITION.
std::vector<std::string> classifyOutputs(const Signature &signature);
/// The output that Regress needs: floats, [N] or [N, 1]. It is that of the name "outputs", else the only one. Throws
/// Error FAILED_PRECONDITION.
std::string regressOutput(const Signature &signature);

/// The outputs of a run as classes. A class is named by the line of `labels` that it has the number of; by its number
/// where there is no such line. Its number is what the classes say, else its place among the scores. Throws Error
/// where the outputs have other sizes than the examples ask for.
tensorflow::serving::ClassificationResult toClasses(std::span<const Tensor> outputs, int64_t examples,
                                                    const std::vector<std::string> &labels);
/// The outputs of a run as values; throws Error likewise.
tensorflow::serving::RegressionResult toValues(std::span<const Tensor> outputs, int64_t examples);

} // namespace mlc::serve

#endif
