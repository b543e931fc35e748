//===- SignatureDef.h - a model's signature in TensorFlow's words -------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_SIGNATUREDEF_H
#define MLC_RUNTIME_SERVE_SIGNATUREDEF_H

#include "runtime/serve/Registry.h"
#include "tensorflow_serving.pb.h"

#include <string>

namespace mlc::serve {

/// The one signature of a compiled model.
constexpr const char *servingDefault = "serving_default";

/// The methods of signatures.
constexpr const char *predictMethod = "tensorflow/serving/predict", *classifyMethod = "tensorflow/serving/classify",
                     *regressMethod = "tensorflow/serving/regress";

/// TensorFlow Serving's check with --enable_signature_method_name_check, which signatures of compiled models pass for
/// Predict alone. Throws Error INVALID_ARGUMENT for Classify and Regress where `checks` says so.
void checkMethodName(bool checks, const std::string &method);

/// Inputs and outputs with their sizes, -1 where they are known only at run time; Predict is the method.
tensorflow::SignatureDef toSignatureDef(const Signature &signature);

/// The answer to GetModelMetadata for a version.
tensorflow::serving::GetModelMetadataResponse toModelMetadata(const Version &version);

/// The answer to GetModelStatus.
tensorflow::serving::GetModelStatusResponse toModelStatus(const std::vector<VersionStatus> &statuses);

} // namespace mlc::serve

#endif
