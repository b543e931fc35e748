//===- SignatureDef.cpp - a model's signature in TensorFlow's words ----------------------------------------------===//
#include "runtime/serve/SignatureDef.h"

namespace mlc::serve {

namespace {

tensorflow::TensorInfo toTensorInfo(const TensorInfo &info) {
  tensorflow::TensorInfo result;
  result.set_name(info.name + ":0");
  result.set_dtype(static_cast<tensorflow::DataType>(tensorFlowType(info.dtype)));
  auto *shape = result.mutable_tensor_shape();
  for (int64_t size : info.sizes)
    shape->add_dim()->set_size(size);
  return result;
}

} // namespace

void checkMethodName(bool checks, const std::string &method) {
  if (checks && method != predictMethod)
    throw Error(Code::invalidArgument, std::string("Expected ") +
                                           (method == classifyMethod ? "classification" : "regression") +
                                           " signature method_name to be " + method + ". Was: " + predictMethod);
}

tensorflow::SignatureDef toSignatureDef(const Signature &signature) {
  tensorflow::SignatureDef result;
  for (const TensorInfo &info : signature.inputs)
    (*result.mutable_inputs())[info.name] = toTensorInfo(info);
  for (const TensorInfo &info : signature.outputs)
    (*result.mutable_outputs())[info.name] = toTensorInfo(info);
  result.set_method_name(predictMethod);
  return result;
}

tensorflow::serving::GetModelMetadataResponse toModelMetadata(const Version &version) {
  tensorflow::serving::SignatureDefMap map;
  (*map.mutable_signature_def())[servingDefault] = toSignatureDef(version.signature());
  tensorflow::serving::GetModelMetadataResponse response;
  response.mutable_model_spec()->set_name(version.model);
  response.mutable_model_spec()->mutable_version()->set_value(version.number);
  (*response.mutable_metadata())["signature_def"].PackFrom(map);
  return response;
}

tensorflow::serving::GetModelStatusResponse toModelStatus(const std::vector<VersionStatus> &statuses) {
  tensorflow::serving::GetModelStatusResponse response;
  for (const VersionStatus &version : statuses) {
    auto *one = response.add_model_version_status();
    one->set_version(version.number);
    one->set_state(static_cast<tensorflow::serving::ModelVersionStatus::State>(version.state));
    one->mutable_status()->set_error_code(static_cast<int>(version.status.code));
    one->mutable_status()->set_error_message(version.status.message);
  }
  return response;
}

} // namespace mlc::serve
