//===- ExamplesJson.h - TensorFlow Serving's Classify and Regress as JSON ----------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REST_EXAMPLESJSON_H
#define MLC_RUNTIME_SERVE_REST_EXAMPLESJSON_H

#include "runtime/serve/Tensor.h"
#include "tensorflow_serving.pb.h"

#include <string>

namespace mlc::serve {

/// Reads {"examples": [{feature: value or list}, ...]} with an optional "context". A model of one input takes examples
/// of one feature under any name. `verb` is for messages. Throws Error INVALID_ARGUMENT.
tensorflow::serving::Input readExamplesBody(const std::string &text, const Signature &signature,
                                            const std::string &verb);

/// {"results": [[["label", score], ...], ...]}
std::string writeClasses(const tensorflow::serving::ClassificationResult &result);
/// {"results": [value, ...]}
std::string writeValues(const tensorflow::serving::RegressionResult &result);

} // namespace mlc::serve

#endif
