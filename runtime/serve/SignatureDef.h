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

/// Inputs and outputs with their sizes, -1 where they are known only at run time; Predict is the method.
tensorflow::SignatureDef toSignatureDef(const Signature &signature);

/// The answer to GetModelMetadata for a version.
tensorflow::serving::GetModelMetadataResponse toModelMetadata(const Version &version);

/// The answer to GetModelStatus.
tensorflow::serving::GetModelStatusResponse toModelStatus(const std::vector<VersionStatus> &statuses);

} // namespace mlc::serve

#endif
