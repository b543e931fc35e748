//===- ProtosTest.cpp - numbers and types of the protocols' messages ----------------------------------------------===//
//
// Our .proto files are written by hand, so what is on the wire is held here, message by message; test/serving/test_wire
// compares the same with the clients' own descriptors where their packages are installed.
//
//===--------------------------------------------------------------------------------------------------------------===//
#include "inference.pb.h"
#include "tensorflow_serving.pb.h"

#include <gtest/gtest.h>

#include <span>

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

/// "string", "ModelSpec", "[int64]", "<string,TensorProto>".
std::string typeOf(const FieldDescriptor &field) {
  auto single = [](const FieldDescriptor &one) -> std::string {
    if (one.message_type())
      return one.message_type()->name();
    if (one.enum_type())
      return one.enum_type()->name();
    return one.type_name();
  };
  if (field.is_map())
    return "<" + single(*field.message_type()->map_key()) + "," + single(*field.message_type()->map_value()) + ">";
  return field.is_repeated() ? "[" + single(field) + "]" : single(field);
}

struct Expected final {
  const char *message, *fields;
};

const Expected tensorFlow[] = {
    {"tensorflow.TensorProto",
     "dtype=1:DataType tensor_shape=2:TensorShapeProto version_number=3:int32 tensor_content=4:bytes "
     "float_val=5:[float] "
     "double_val=6:[double] int_val=7:[int32] string_val=8:[bytes] scomplex_val=9:[float] int64_val=10:[int64] "
     "bool_val=11:[bool] dcomplex_val=12:[double] half_val=13:[int32] uint32_val=16:[uint32] uint64_val=17:[uint64] "
     "float8_val=18:bytes"},
    {"tensorflow.TensorShapeProto", "dim=2:[Dim] unknown_rank=3:bool"},
    {"tensorflow.TensorShapeProto.Dim", "size=1:int64 name=2:string"},
    {"tensorflow.TensorInfo", "name=1:string dtype=2:DataType tensor_shape=3:TensorShapeProto"},
    {"tensorflow.SignatureDef", "inputs=1:<string,TensorInfo> outputs=2:<string,TensorInfo> method_name=3:string "
                                "defaults=4:<string,TensorProto>"},
    {"tensorflow.Example", "features=1:Features"},
    {"tensorflow.Features", "feature=1:<string,Feature>"},
    {"tensorflow.Feature", "bytes_list=1:BytesList float_list=2:FloatList int64_list=3:Int64List"},
    {"tensorflow.BytesList", "value=1:[bytes]"},
    {"tensorflow.FloatList", "value=1:[float]"},
    {"tensorflow.Int64List", "value=1:[int64]"},
    {"tensorflow.serving.ModelSpec",
     "name=1:string version=2:Int64Value version_label=4:string signature_name=3:string"},
    {"tensorflow.serving.PredictRequest",
     "model_spec=1:ModelSpec inputs=2:<string,TensorProto> output_filter=3:[string]"},
    {"tensorflow.serving.PredictResponse", "outputs=1:<string,TensorProto> model_spec=2:ModelSpec"},
    {"tensorflow.serving.GetModelMetadataRequest", "model_spec=1:ModelSpec metadata_field=2:[string]"},
    {"tensorflow.serving.GetModelMetadataResponse", "model_spec=1:ModelSpec metadata=2:<string,Any>"},
    {"tensorflow.serving.SignatureDefMap", "signature_def=1:<string,SignatureDef>"},
    {"tensorflow.serving.ClassificationRequest", "model_spec=1:ModelSpec input=2:Input"},
    {"tensorflow.serving.RegressionRequest", "model_spec=1:ModelSpec input=2:Input"},
    {"tensorflow.serving.Input", "example_list=1:ExampleList example_list_with_context=2:ExampleListWithContext"},
    {"tensorflow.serving.ExampleList", "examples=1:[Example]"},
    {"tensorflow.serving.ExampleListWithContext", "examples=1:[Example] context=2:Example"},
    {"tensorflow.serving.ClassificationResponse", "result=1:ClassificationResult model_spec=2:ModelSpec"},
    {"tensorflow.serving.ClassificationResult", "classifications=1:[Classifications]"},
    {"tensorflow.serving.Classifications", "classes=1:[Class]"},
    {"tensorflow.serving.Class", "label=1:string score=2:float"},
    {"tensorflow.serving.RegressionResponse", "result=1:RegressionResult model_spec=2:ModelSpec"},
    {"tensorflow.serving.RegressionResult", "regressions=1:[Regression]"},
    {"tensorflow.serving.Regression", "value=1:float"},
    {"tensorflow.serving.MultiInferenceRequest", "tasks=1:[InferenceTask] input=2:Input"},
    {"tensorflow.serving.InferenceTask", "model_spec=1:ModelSpec method_name=2:string"},
    {"tensorflow.serving.MultiInferenceResponse", "results=1:[InferenceResult]"},
    {"tensorflow.serving.InferenceResult",
     "model_spec=1:ModelSpec classification_result=2:ClassificationResult regression_result=3:RegressionResult"},
    {"tensorflow.serving.GetModelStatusRequest", "model_spec=1:ModelSpec"},
    {"tensorflow.serving.GetModelStatusResponse", "model_version_status=1:[ModelVersionStatus]"},
    {"tensorflow.serving.ModelVersionStatus", "version=1:int64 state=2:State status=3:StatusProto"},
    {"tensorflow.serving.StatusProto", "error_code=1:int32 error_message=2:string"},
    {"tensorflow.serving.ReloadConfigRequest", "config=1:ModelServerConfig metric_names=2:[string]"},
    {"tensorflow.serving.ReloadConfigResponse", "status=1:StatusProto metric=2:[Metric]"},
    {"tensorflow.serving.Metric", "name=1:string int64_value_increase=2:int64"},
    {"tensorflow.serving.ModelServerConfig", "model_config_list=1:ModelConfigList custom_model_config=2:Any"},
    {"tensorflow.serving.ModelConfigList", "config=1:[ModelConfig]"},
    {"tensorflow.serving.ModelConfig",
     "name=1:string base_path=2:string model_type=3:int32 model_platform=4:string logging_config=6:LoggingConfig "
     "model_version_policy=7:ServableVersionPolicy version_labels=8:<string,int64>"},
    {"tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy",
     "latest=100:Latest all=101:All specific=102:Specific"},
    {"tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.Latest", "num_versions=1:uint32"},
    {"tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy.Specific", "versions=1:[int64]"},
    {"tensorflow.serving.SSLConfig",
     "server_key=1:string server_cert=2:string custom_ca=3:string client_verify=4:bool"},
    {"tensorflow.serving.BatchingParameters",
     "max_batch_size=1:Int64Value batch_timeout_micros=2:Int64Value max_enqueued_batches=3:Int64Value "
     "num_batch_threads=4:Int64Value thread_pool_name=5:StringValue allowed_batch_sizes=6:[int64] "
     "pad_variable_length_inputs=7:bool enable_large_batch_splitting=8:BoolValue "
     "max_execution_batch_size=9:Int64Value"},
    {"tensorflow.serving.PredictionLog",
     "log_metadata=1:LogMetadata classify_log=2:ClassifyLog regress_log=3:RegressLog "
     "multi_inference_log=4:MultiInferenceLog predict_log=6:PredictLog"},
    {"tensorflow.serving.PredictLog", "request=1:PredictRequest response=2:PredictResponse"}};

const Expected openInference[] = {
    {"inference.ServerLiveResponse", "live=1:bool"},
    {"inference.ServerReadyResponse", "ready=1:bool"},
    {"inference.ModelReadyRequest", "name=1:string version=2:string"},
    {"inference.ModelReadyResponse", "ready=1:bool"},
    {"inference.ServerMetadataResponse", "name=1:string version=2:string extensions=3:[string]"},
    {"inference.ModelMetadataRequest", "name=1:string version=2:string"},
    {"inference.ModelMetadataResponse",
     "name=1:string versions=2:[string] platform=3:string inputs=4:[TensorMetadata] outputs=5:[TensorMetadata] "
     "properties=6:<string,string>"},
    {"inference.ModelMetadataResponse.TensorMetadata", "name=1:string datatype=2:string shape=3:[int64]"},
    {"inference.ModelInferRequest",
     "model_name=1:string model_version=2:string id=3:string parameters=4:<string,InferParameter> "
     "inputs=5:[InferInputTensor] outputs=6:[InferRequestedOutputTensor] raw_input_contents=7:[bytes]"},
    {"inference.ModelInferRequest.InferInputTensor",
     "name=1:string datatype=2:string shape=3:[int64] parameters=4:<string,InferParameter> "
     "contents=5:InferTensorContents"},
    {"inference.ModelInferRequest.InferRequestedOutputTensor", "name=1:string parameters=2:<string,InferParameter>"},
    {"inference.ModelInferResponse",
     "model_name=1:string model_version=2:string id=3:string parameters=4:<string,InferParameter> "
     "outputs=5:[InferOutputTensor] raw_output_contents=6:[bytes]"},
    {"inference.ModelInferResponse.InferOutputTensor",
     "name=1:string datatype=2:string shape=3:[int64] parameters=4:<string,InferParameter> "
     "contents=5:InferTensorContents"},
    {"inference.InferParameter",
     "bool_param=1:bool int64_param=2:int64 string_param=3:string double_param=4:double uint64_param=5:uint64"},
    {"inference.InferTensorContents",
     "bool_contents=1:[bool] int_contents=2:[int32] int64_contents=3:[int64] uint_contents=4:[uint32] "
     "uint64_contents=5:[uint64] fp32_contents=6:[float] fp64_contents=7:[double] bytes_contents=8:[bytes]"},
    {"inference.RepositoryIndexRequest", "repository_name=1:string ready=2:bool"},
    {"inference.RepositoryIndexResponse", "models=1:[ModelIndex]"},
    {"inference.RepositoryIndexResponse.ModelIndex", "name=1:string version=2:string state=3:string reason=4:string"},
    {"inference.RepositoryModelLoadRequest",
     "repository_name=1:string model_name=2:string parameters=3:<string,ModelRepositoryParameter>"},
    {"inference.RepositoryModelUnloadRequest",
     "repository_name=1:string model_name=2:string parameters=3:<string,ModelRepositoryParameter>"},
    {"inference.TraceSettingRequest", "settings=1:<string,SettingValue> model_name=2:string"},
    {"inference.TraceSettingResponse", "settings=1:<string,SettingValue>"},
    {"inference.LogSettingsRequest", "settings=1:<string,SettingValue>"},
    {"inference.LogSettingsResponse", "settings=1:<string,SettingValue>"},
    {"inference.LogSettingsRequest.SettingValue", "bool_param=1:bool uint32_param=2:uint32 string_param=3:string"}};

void check(std::span<const Expected> messages) {
  // Refer to the files, so that they are linked.
  tensorflow::serving::PredictionLog::descriptor();
  inference::ModelInferRequest::descriptor();
  for (const Expected &expected : messages) {
    const Descriptor *message =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(expected.message);
    ASSERT_TRUE(message) << expected.message;
    std::string fields;
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor &field = *message->field(i);
      fields += (i ? " " : "") + field.name() + "=" + std::to_string(field.number()) + ":" + typeOf(field);
      bool isNumber = field.is_repeated() && !field.message_type() && field.type() != FieldDescriptor::TYPE_STRING &&
                      field.type() != FieldDescriptor::TYPE_BYTES;
      EXPECT_TRUE(!isNumber || field.is_packed()) << field.full_name();
    }
    EXPECT_EQ(fields, expected.fields) << expected.message;
  }
}

TEST(Protos, HaveTensorFlowServingsNumbers) { check(tensorFlow); }

TEST(Protos, HaveTheOpenInferenceProtocolsNumbers) { check(openInference); }

/// "FIRST0 SECOND1"
std::string valuesOf(const google::protobuf::EnumDescriptor &type, size_t prefix) {
  std::string text;
  for (int i = 0; i < type.value_count(); ++i)
    text += (i ? " " : "") + type.value(i)->name().substr(prefix) + "=" + std::to_string(type.value(i)->number());
  return text;
}

TEST(Protos, HaveTheNumbersOfTypesAndStates) {
  EXPECT_EQ(valuesOf(*tensorflow::DataType_descriptor(), 3),
            "INVALID=0 FLOAT=1 DOUBLE=2 INT32=3 UINT8=4 INT16=5 INT8=6 STRING=7 COMPLEX64=8 INT64=9 BOOL=10 QINT8=11 "
            "QUINT8=12 QINT32=13 BFLOAT16=14 QINT16=15 QUINT16=16 UINT16=17 COMPLEX128=18 HALF=19 RESOURCE=20 "
            "VARIANT=21 UINT32=22 UINT64=23 FLOAT8_E5M2=24 FLOAT8_E4M3FN=25 FLOAT8_E4M3FNUZ=26 FLOAT8_E4M3B11FNUZ=27 "
            "FLOAT8_E5M2FNUZ=28 INT4=29 UINT4=30 INT2=31 UINT2=32 FLOAT4_E2M1FN=33");
  EXPECT_EQ(valuesOf(*tensorflow::serving::ModelVersionStatus::State_descriptor(), 0),
            "UNKNOWN=0 START=10 LOADING=20 AVAILABLE=30 UNLOADING=40 END=50");
}

TEST(Protos, HaveTheServicesOfTheProjects) {
  auto methods = [](const char *name) {
    const google::protobuf::ServiceDescriptor *service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    std::string text;
    for (int i = 0; service && i < service->method_count(); ++i)
      text += (i ? " " : "") + service->method(i)->name() + (service->method(i)->client_streaming() ? "*" : "");
    return text;
  };
  EXPECT_EQ(methods("tensorflow.serving.PredictionService"),
            "Classify Regress Predict MultiInference GetModelMetadata");
  EXPECT_EQ(methods("tensorflow.serving.ModelService"), "GetModelStatus HandleReloadConfigRequest");
  EXPECT_EQ(methods("inference.GRPCInferenceService"),
            "ServerLive ServerReady ModelReady ServerMetadata ModelMetadata ModelInfer ModelStreamInfer* ModelConfig "
            "ModelStatistics RepositoryIndex RepositoryModelLoad RepositoryModelUnload SystemSharedMemoryStatus "
            "SystemSharedMemoryRegister SystemSharedMemoryUnregister CudaSharedMemoryStatus CudaSharedMemoryRegister "
            "CudaSharedMemoryUnregister TraceSetting LogSettings");
}

} // namespace
