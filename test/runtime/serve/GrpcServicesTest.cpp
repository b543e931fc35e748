//===- GrpcServicesTest.cpp - each call of the services, over a channel within the process ------------------------===//
#include "ServedModels.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/grpc/InferTensor.h"
#include "runtime/serve/grpc/Server.h"
#include "runtime/serve/grpc/TensorProto.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstring>

using namespace mlc::serve;
using namespace mlc::serve::test;
namespace tfs = tensorflow::serving;

namespace {

template <typename Message> Message parse(const std::string &text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

class GrpcServices : public testing::Test {
protected:
  GrpcServices() {
    GrpcOptions options;
    options.listenTcp = false;
    options.socketPath = models.folder.path("socket");
    server = std::make_unique<GrpcServer>(models.services, options);
    auto channel = server->inProcessChannel();
    prediction = tfs::PredictionService::NewStub(channel);
    model = tfs::ModelService::NewStub(channel);
    inference = inference::GRPCInferenceService::NewStub(channel);
  }

  /// Makes a call of `stub` with a request as text; an error becomes "CODE: message".
  template <typename Out, typename In, typename Stub>
  std::string call(Stub &stub, grpc::Status (Stub::*method)(grpc::ClientContext *, const In &, Out *),
                   const std::string &text, Out *answer = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    Out response;
    grpc::Status status = (stub.*method)(&context, parse<In>(text), &response);
    if (answer)
      *answer = response;
    return status.ok() ? response.ShortDebugString()
                       : std::string(codeName(static_cast<Code>(status.error_code()))) + ": " + status.error_message();
  }
  std::string predict(const std::string &text) {
    return call(*prediction, &tfs::PredictionService::Stub::Predict, text);
  }
  std::string infer(const std::string &text) {
    return call(*inference, &inference::GRPCInferenceService::Stub::ModelInfer, text);
  }

  ServedModels models;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<tfs::PredictionService::Stub> prediction;
  std::unique_ptr<tfs::ModelService::Stub> model;
  std::unique_ptr<inference::GRPCInferenceService::Stub> inference;
};

/// An input `x` of Predict.
std::string tensor(const std::string &values, const std::string &sizes = "dim { size: 1 } dim { size: 2 }",
                   const std::string &type = "DT_FLOAT") {
  return " inputs { key: 'x' value { dtype: " + type + " tensor_shape { " + sizes + " } " + values + " } }";
}
const std::string twoValues = tensor("float_val: [2, 4]");

// -- TensorFlow Serving
// ------------------------------------------------------------------------------------------------

TEST_F(GrpcServices, PredictAnswersTypedValuesAndTheSpec) {
  EXPECT_EQ(
      predict("model_spec { name: 'half' }" + twoValues),
      "outputs { key: \"y\" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } dim { size: 2 } } float_val: 4 "
      "float_val: 5 } } model_spec { name: \"half\" version { value: 2 } signature_name: \"serving_default\" }");
}

TEST_F(GrpcServices, PredictTakesVersionsLabelsAndTheSignature) {
  for (const char *spec : {"version { value: 1 }", "version_label: 'stable'"})
    EXPECT_NE(
        predict("model_spec { name: 'half' signature_name: 'serving_default' " + std::string(spec) + " }" + twoValues)
            .find("float_val: 3 float_val: 4"),
        std::string::npos);
  EXPECT_EQ(predict("model_spec { name: 'half' signature_name: 'other' }" + twoValues),
            "FAILED_PRECONDITION: Serving signature key \"other\" not found.");
  EXPECT_EQ(predict("model_spec { name: 'half' version_label: 'canary' }" + twoValues),
            "INVALID_ARGUMENT: Unrecognized servable version label: canary");
  EXPECT_EQ(predict("model_spec { name: 'nothing' }" + twoValues),
            "NOT_FOUND: Servable not found for request: Latest(nothing)");
  EXPECT_EQ(predict("model_spec { name: 'half' version { value: 9 } }" + twoValues),
            "NOT_FOUND: Servable not found for request: Specific(half, 9)");
  EXPECT_EQ(predict(twoValues), "INVALID_ARGUMENT: Missing ModelSpec");
}

TEST_F(GrpcServices, PredictChecksInputsAndFilters) {
  const std::string half = "model_spec { name: 'half' }";
  EXPECT_EQ(predict(half), "INVALID_ARGUMENT: input size does not match signature: 0!=1 len({x}). Sent extra: {}. "
                           "Missing but required: {x}.");
  EXPECT_EQ(predict(half + " inputs { key: 'z' value { dtype: DT_FLOAT } }"),
            "INVALID_ARGUMENT: input size does not match signature: 1!=1 len({x}). Sent extra: {z}. Missing but "
            "required: {x}.");
  EXPECT_EQ(predict(half + tensor("int_val: [1, 2]", "dim { size: 1 } dim { size: 2 }", "DT_INT32")),
            "INVALID_ARGUMENT: input 'x': expected float, but got int32");
  EXPECT_EQ(predict(half + tensor("float_val: 1", "dim { size: 1 }")),
            "INVALID_ARGUMENT: input 'x': expected sizes [-1,-1], but got [1]");
  EXPECT_EQ(predict(half + twoValues + " output_filter: 'nope'"),
            "INVALID_ARGUMENT: output tensor alias not found in signature: nope");
  EXPECT_EQ(predict(half + twoValues + " output_filter: ['y', 'y']"),
            "INVALID_ARGUMENT: duplicate output tensor alias: y");
  EXPECT_NE(predict(half + twoValues + " output_filter: 'y'").find("float_val: 4"), std::string::npos);
  EXPECT_EQ(predict("model_spec { name: 'classes' }" + tensor("float_val: [-12345, 1]")),
            "INVALID_ARGUMENT: fake: a value is out of range");
}

std::string features(const std::string &lists) { return " input { example_list { " + lists + " } }"; }
std::string example(const std::string &values) {
  return "examples { features { feature { key: 'x' value { float_list { value: " + values + " } } } } }";
}

TEST_F(GrpcServices, ClassifyNamesClasses) {
  auto classify = [&](const std::string &text) {
    return call(*prediction, &tfs::PredictionService::Stub::Classify, text);
  };
  EXPECT_EQ(classify("model_spec { name: 'classes' }" + features(example("[0.5, 0.25, 0.125]"))),
            "result { classifications { classes { label: \"cat\" score: 0.5 } classes { label: \"dog\" score: 0.25 } "
            "classes { label: \"emu\" score: 0.125 } } } model_spec { name: \"classes\" version { value: 7 } "
            "signature_name: \"serving_default\" }");
  EXPECT_EQ(classify("model_spec { name: 'classes' }"), "INVALID_ARGUMENT: Input is empty.");
  EXPECT_EQ(classify(features(example("[1]"))), "INVALID_ARGUMENT: Missing ModelSpec");
  EXPECT_EQ(classify("model_spec { name: 'classes' }" + features("examples {}")),
            "INVALID_ARGUMENT: example 0: feature 'x' (data type: float) is required but could not be found");
}

TEST_F(GrpcServices, RegressGivesAValueAnExample) {
  auto regress = [&](const std::string &text) {
    return call(*prediction, &tfs::PredictionService::Stub::Regress, text);
  };
  EXPECT_EQ(regress("model_spec { name: 'half' }" + features(example("[2]") + example("[4]"))),
            "result { regressions { value: 4 } regressions { value: 5 } } model_spec { name: \"half\" version { value: "
            "2 } signature_name: \"serving_default\" }");
  EXPECT_EQ(regress("model_spec { name: 'half' }" + features(example("[2, 3]"))),
            "FAILED_PRECONDITION: output 'y': expected one value an example, but got sizes [1,2]");
}

TEST_F(GrpcServices, MultiInferenceRunsOnceForAllTasks) {
  auto multi = [&](const std::string &text) {
    return call(*prediction, &tfs::PredictionService::Stub::MultiInference, text);
  };
  const std::string classify = "tasks { model_spec { name: 'half' } method_name: 'tensorflow/serving/classify' } ",
                    regress = "tasks { model_spec { name: 'half' } method_name: 'tensorflow/serving/regress' } ",
                    spec = "model_spec { name: \"half\" version { value: 2 } signature_name: \"serving_default\" } ",
                    input = features(example("[2]"));
  EXPECT_EQ(multi(classify + regress + input),
            "results { " + spec +
                "classification_result { classifications { classes { label: \"0\" score: 4 } } } } "
                "results { " +
                spec + "regression_result { regressions { value: 4 } } }");
  EXPECT_EQ(models.registry.find({"half", 2, {}})->statistics().executions, 1u);
  EXPECT_EQ(multi(input), "INVALID_ARGUMENT: Inference request contains no tasks");
  EXPECT_EQ(multi(regress + regress + input), "INVALID_ARGUMENT: Duplicate evaluation of signature: serving_default");
  EXPECT_EQ(multi("tasks { model_spec { name: 'half' } method_name: 'tensorflow/serving/predict' }" + input),
            "UNIMPLEMENTED: Unsupported signature method_name: tensorflow/serving/predict");
  EXPECT_EQ(multi(regress + "tasks { model_spec { name: 'slow' } method_name: 'tensorflow/serving/classify' }" + input),
            "INVALID_ARGUMENT: All ModelSpecs in a MultiInferenceRequest must access the same model name");
}

TEST_F(GrpcServices, MetadataHasTheSignature) {
  auto metadata = [&](const std::string &text, tfs::GetModelMetadataResponse *response = nullptr) {
    return call(*prediction, &tfs::PredictionService::Stub::GetModelMetadata, text, response);
  };
  tfs::GetModelMetadataResponse response;
  metadata("model_spec { name: 'half' } metadata_field: 'signature_def'", &response);
  EXPECT_EQ(response.model_spec().ShortDebugString(), "name: \"half\" version { value: 2 }");
  ASSERT_TRUE(response.metadata().contains("signature_def"));
  const auto &any = response.metadata().at("signature_def");
  EXPECT_EQ(any.type_url(), "type.googleapis.com/tensorflow.serving.SignatureDefMap");
  tfs::SignatureDefMap map;
  ASSERT_TRUE(any.UnpackTo(&map));
  EXPECT_EQ(
      map.signature_def().at("serving_default").ShortDebugString(),
      "inputs { key: \"x\" value { name: \"x:0\" dtype: DT_FLOAT tensor_shape { dim { size: -1 } dim { size: -1 } "
      "} } } outputs { key: \"y\" value { name: \"y:0\" dtype: DT_FLOAT tensor_shape { dim { size: -1 } dim { "
      "size: -1 } } } } method_name: \"tensorflow/serving/predict\"");
  EXPECT_EQ(metadata("model_spec { name: 'half' }"),
            "INVALID_ARGUMENT: GetModelMetadataRequest must specify at least one metadata_field");
  EXPECT_EQ(metadata("model_spec { name: 'half' } metadata_field: 'other'"),
            "INVALID_ARGUMENT: Metadata field other is not supported");
  EXPECT_EQ(metadata("metadata_field: 'signature_def'"), "INVALID_ARGUMENT: Missing ModelSpec");
  EXPECT_EQ(metadata("model_spec { name: 'no' } metadata_field: 'signature_def'"),
            "NOT_FOUND: Servable not found for request: Latest(no)");
}

TEST_F(GrpcServices, StatusListsVersionsAndIgnoresLabels) {
  auto status = [&](const std::string &text) { return call(*model, &tfs::ModelService::Stub::GetModelStatus, text); };
  const std::string one = "model_version_status { version: 1 state: AVAILABLE status { } }",
                    two = "model_version_status { version: 2 state: AVAILABLE status { } }";
  EXPECT_EQ(status("model_spec { name: 'half' }"), two + " " + one);
  EXPECT_EQ(status("model_spec { name: 'half' version_label: 'stable' }"), two + " " + one);
  EXPECT_EQ(status("model_spec { name: 'half' version { value: 1 } }"), one);
  EXPECT_EQ(status("model_spec { name: 'half' version { value: 5 } }"),
            "NOT_FOUND: Could not find version 5 of model half");
  EXPECT_EQ(status("model_spec { name: 'no' }"), "NOT_FOUND: Could not find any versions of model no");
  EXPECT_EQ(status(""), "INVALID_ARGUMENT: Missing ModelSpec");
}

/// A reload with one model, and what follows it in the request.
std::string reloadOf(const std::string &name, const std::string &base, const std::string &rest = "") {
  return "config { model_config_list { config { name: '" + name + "' base_path: '" + base +
         "' model_platform: 'mlc' } } } " + rest;
}

TEST_F(GrpcServices, ReloadReplacesTheConfigurationOrKeepsIt) {
  auto reload = [&](const std::string &name, const std::string &base) {
    return call(*model, &tfs::ModelService::Stub::HandleReloadConfigRequest, reloadOf(name, base));
  };
  EXPECT_EQ(reload("late", "relative").substr(0, 17), "INVALID_ARGUMENT:");
  EXPECT_NE(predict("model_spec { name: 'half' }" + twoValues).find("float_val: 4"), std::string::npos);
  EXPECT_EQ(reload("late", models.folder.path("half")), "status { }");
  EXPECT_NE(predict("model_spec { name: 'late' }" + twoValues).find("float_val: 4"), std::string::npos);
  EXPECT_EQ(predict("model_spec { name: 'half' }" + twoValues).substr(0, 10), "NOT_FOUND:");
}

TEST_F(GrpcServices, ReloadSaysByHowMuchMetricsIncreased) {
  predict("model_spec { name: 'half' }" + twoValues);
  tfs::ReloadConfigResponse response;
  call(*model, &tfs::ModelService::Stub::HandleReloadConfigRequest,
       reloadOf("half", models.folder.path("half"),
                "metric_names: ['/tensorflow/serving/request_count', 'nv_inference_count', '/none']"),
       &response);
  ASSERT_EQ(response.metric_size(), 3);
  EXPECT_EQ(response.metric(0).name(), "/tensorflow/serving/request_count");
  EXPECT_TRUE(response.metric(0).has_int64_value_increase());
  EXPECT_EQ(response.metric(0).int64_value_increase(), 0); // nothing was asked meanwhile
  EXPECT_EQ(response.metric(2).int64_value_increase(), 0);
  // A configuration of another kind, and none.
  EXPECT_EQ(call(*model, &tfs::ModelService::Stub::HandleReloadConfigRequest, ""),
            "INVALID_ARGUMENT: ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
            "is currently supported");
  EXPECT_EQ(call(*model, &tfs::ModelService::Stub::HandleReloadConfigRequest, "config { custom_model_config { } }")
                .substr(0, 17),
            "INVALID_ARGUMENT:");
}

TEST_F(GrpcServices, ReloadCountsTheWarmUpOfNewModels) {
  writeVersion(models.folder.path("warm/1"), "half_plus_two", {{warmUpName, warmUpRecords(3)}});
  tfs::ReloadConfigResponse response;
  call(*model, &tfs::ModelService::Stub::HandleReloadConfigRequest,
       reloadOf("warm", models.folder.path("warm"),
                "metric_names: '/tensorflow/serving/model_warmup_latency' "
                "metric_names: '/tensorflow/serving/model_warmup_records_read'"),
       &response);
  ASSERT_EQ(response.metric_size(), 2);
  EXPECT_EQ(response.metric(0).int64_value_increase(), 1);
  EXPECT_EQ(response.metric(1).int64_value_increase(), 3);
}

TEST_F(GrpcServices, PredictIgnoresFieldsThatItDoesNotKnow) {
  // 5 to 7 are predict_streamed_options, client_id and request_options of newer clients.
  auto request = parse<tfs::PredictRequest>("model_spec { name: 'half' }" + twoValues);
  auto &unknown = *request.GetReflection()->MutableUnknownFields(&request);
  unknown.AddLengthDelimited(5, std::string("\x08\x01", 2));
  unknown.AddLengthDelimited(6, "me");
  unknown.AddLengthDelimited(7, "");
  grpc::ClientContext context;
  tfs::PredictResponse response;
  ASSERT_TRUE(prediction->Predict(&context, request, &response).ok());
  EXPECT_EQ(response.outputs().at("y").float_val(0), 4);
}

TEST(GrpcMethodNames, AreCheckedWhereItIsAskedFor) {
  ServedModels models;
  models.services.checksMethodNames = true;
  GrpcOptions options;
  options.listenTcp = false;
  options.socketPath = models.folder.path("socket");
  GrpcServer server(models.services, options);
  auto stub = tfs::PredictionService::NewStub(server.inProcessChannel());
  auto refusal = [](const grpc::Status &status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  std::string spec = "model_spec { name: 'half' }", input = features(example("[2]"));
  grpc::ClientContext first, second, third, fourth;
  tfs::ClassificationResponse classes;
  EXPECT_EQ(refusal(stub->Classify(&first, parse<tfs::ClassificationRequest>(spec + input), &classes)),
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/predict");
  tfs::RegressionResponse values;
  EXPECT_EQ(refusal(stub->Regress(&second, parse<tfs::RegressionRequest>(spec + input), &values)),
            "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
            "tensorflow/serving/predict");
  tfs::MultiInferenceResponse both;
  refusal(stub->MultiInference(
      &third,
      parse<tfs::MultiInferenceRequest>("tasks { " + spec + " method_name: 'tensorflow/serving/regress' }" + input),
      &both));
  tfs::PredictResponse prediction;
  EXPECT_TRUE(stub->Predict(&fourth, parse<tfs::PredictRequest>(spec + twoValues), &prediction).ok());
}

// -- The Open Inference Protocol
// ---------------------------------------------------------------------------------------

/// A request of ModelInfer to `half`, with its contents.
std::string inferRequest(const std::string &contents, const std::string &more = "") {
  return "model_name: 'half' " + more + " inputs { name: 'x' datatype: 'FP32' shape: [1, 2] " + contents + " }";
}
const std::string inferTwo = inferRequest("contents { fp32_contents: [2, 4] }");
/// 2 and 4, and 4 and 5, as bytes.
const std::string rawTwo = "\\000\\000\\000@\\000\\000\\200@", rawAnswer = "\\000\\000\\200@\\000\\000\\240@";

TEST_F(GrpcServices, InferTakesContentsAndRawContentsAndAnswersRaw) {
  const std::string answer =
      "outputs { name: \"y\" datatype: \"FP32\" shape: 1 shape: 2 } raw_output_contents: \"" + rawAnswer + "\"";
  EXPECT_EQ(infer(inferTwo), "model_name: \"half\" model_version: \"2\" " + answer);
  EXPECT_EQ(infer(inferRequest("", "id: 'seven'") + " raw_input_contents: '" + rawTwo + "'"),
            "model_name: \"half\" model_version: \"2\" id: \"seven\" " + answer);
  EXPECT_NE(
      infer(inferRequest("contents { fp32_contents: [2, 4] }", "model_version: '1'")).find("model_version: \"1\""),
      std::string::npos);
  EXPECT_NE(infer(inferTwo + " outputs { name: 'y' }").find(rawAnswer), std::string::npos);
}

TEST_F(GrpcServices, InferRefusesWhatDoesNotFit) {
  EXPECT_EQ(infer("model_name: 'no'"), "NOT_FOUND: Request for unknown model: 'no' is not found");
  EXPECT_EQ(infer(inferRequest("", "model_version: '9'")),
            "NOT_FOUND: Request for unknown model: 'half' version 9 is not found");
  EXPECT_EQ(infer(inferRequest("", "model_version: '99999999999999999999'")),
            "INVALID_ARGUMENT: failed to get model version from specified version string '99999999999999999999'");
  EXPECT_EQ(infer(inferRequest("contents { fp32_contents: [2, 4] }") + " raw_input_contents: '" + rawTwo + "'"),
            "INVALID_ARGUMENT: input 'x': expected either contents or raw_input_contents, but got both");
  EXPECT_EQ(infer(inferRequest("") + " raw_input_contents: 'abc'"),
            "INVALID_ARGUMENT: input 'x': expected 8 bytes for sizes [1,2], but got 3");
  EXPECT_EQ(infer(inferRequest("") + " raw_input_contents: ['', '']"),
            "INVALID_ARGUMENT: expected raw_input_contents for each of 1 inputs, but got 2");
  EXPECT_EQ(infer(inferRequest("contents { fp32_contents: 2 }")),
            "INVALID_ARGUMENT: input 'x': expected 2 elements of FP32 for sizes [1,2], but got 1");
  EXPECT_EQ(infer(inferRequest("contents { fp32_contents: [2, 4] int_contents: 1 }")),
            "INVALID_ARGUMENT: input 'x': expected 2 elements of FP32 for sizes [1,2], but got others as well");
  EXPECT_EQ(infer("model_name: 'half' inputs { name: 'x' datatype: 'FP33' shape: 1 }").substr(0, 17),
            "INVALID_ARGUMENT:");
  EXPECT_EQ(infer("model_name: 'half' inputs { name: 'x' datatype: 'FP32' shape: [-1, 2] }").substr(0, 17),
            "INVALID_ARGUMENT:");
  EXPECT_EQ(
      infer("model_name: 'half' inputs { name: 'x' datatype: 'FP32' shape: [4294967296, 4294967296] }").substr(0, 17),
      "INVALID_ARGUMENT:");
  EXPECT_EQ(infer("model_name: 'half' inputs { name: 'z' datatype: 'FP32' shape: 0 }").substr(0, 17),
            "INVALID_ARGUMENT:");
  EXPECT_EQ(infer(inferTwo + " outputs { name: 'nope' }"),
            "INVALID_ARGUMENT: output tensor alias not found in signature: nope");
  EXPECT_EQ(infer("model_name: 'empty'").substr(0, 10), "NOT_FOUND:");
}

TEST_F(GrpcServices, InferReadsTritonsParameters) {
  auto with = [&](const std::string &name, const std::string &value) {
    return infer(inferTwo + " parameters { key: '" + name + "' value { " + value + " } }");
  };
  EXPECT_NE(with("priority", "uint64_param: 1").find(rawAnswer), std::string::npos);
  EXPECT_NE(with("timeout", "int64_param: 1000000").find(rawAnswer), std::string::npos);
  EXPECT_NE(with("mine", "string_param: 'x'").find(rawAnswer), std::string::npos);
  EXPECT_NE(with("sequence_id", "int64_param: 0").find(rawAnswer), std::string::npos);
  EXPECT_EQ(with("sequence_id", "int64_param: 4"),
            "UNIMPLEMENTED: unsupported parameter 'sequence_id'; models keep no state between requests");
  EXPECT_EQ(with("priority", "string_param: 'high'"),
            "INVALID_ARGUMENT: parameter 'priority': expected an integer of at least 0, but got string_param: "
            "\"high\"");
  EXPECT_EQ(infer(inferTwo + " outputs { name: 'y' parameters { key: 'shared_memory_region' value {} } }"),
            "UNIMPLEMENTED: tensor 'y': unsupported parameter 'shared_memory_region'; its elements come in the "
            "response");
}

TEST_F(GrpcServices, InferClassifies) {
  inference::ModelInferResponse response;
  call(*inference, &inference::GRPCInferenceService::Stub::ModelInfer,
       "model_name: 'classes' inputs { name: 'x' datatype: 'FP32' shape: [1, 3] contents { fp32_contents: [0.25, 0.5, "
       "0.125] } } outputs { name: 'y' parameters { key: 'classification' value { int64_param: 2 } } }",
       &response);
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_EQ(response.outputs(0).shape(1), 2);
  std::string bytes = response.raw_output_contents(0);
  uint32_t length;
  ASSERT_GT(bytes.size(), 8u);
  std::memcpy(&length, bytes.data(), 4);
  EXPECT_TRUE(bytes.substr(4, length).ends_with(":1:dog")) << bytes.substr(4, length);
}

TEST_F(GrpcServices, AnswersWhatTheServerAndItsModelsAre) {
  using Stub = inference::GRPCInferenceService::Stub;
  EXPECT_EQ(call(*inference, &Stub::ServerLive, ""), "live: true");
  EXPECT_EQ(call(*inference, &Stub::ServerReady, ""), ""); // `empty` has no version
  inference::ServerMetadataResponse server;
  call(*inference, &Stub::ServerMetadata, "", &server);
  EXPECT_EQ(server.name(), "mlc-serve");
  EXPECT_FALSE(server.version().empty());
  EXPECT_EQ(std::vector<std::string>(server.extensions().begin(), server.extensions().end()),
            (std::vector<std::string>{"binary_tensor_data", "classification", "parameters", "schedule_policy",
                                      "statistics", "model_repository", "model_configuration", "logging"}));

  EXPECT_EQ(call(*inference, &Stub::ModelReady, "name: 'half'"), "ready: true");
  EXPECT_EQ(call(*inference, &Stub::ModelReady, "name: 'half' version: '1'"), "ready: true");
  for (const char *other : {"name: 'half' version: '9'", "name: 'no'", "name: 'empty'"})
    EXPECT_EQ(call(*inference, &Stub::ModelReady, other), "") << other;

  inference::ModelMetadataResponse metadata;
  call(*inference, &Stub::ModelMetadata, "name: 'half'", &metadata);
  EXPECT_EQ(metadata.properties().at("compiler"), "mlc test");
  metadata.clear_properties();
  EXPECT_EQ(metadata.ShortDebugString(),
            "name: \"half\" versions: \"1\" versions: \"2\" platform: \"mlc\" inputs { name: \"x\" datatype: \"FP32\" "
            "shape: -1 shape: -1 } outputs { name: \"y\" datatype: \"FP32\" shape: -1 shape: -1 }");
  EXPECT_EQ(call(*inference, &Stub::ModelMetadata, "name: 'no'"),
            "NOT_FOUND: Request for unknown model: 'no' is not found");

  inference::ModelConfigResponse config;
  call(*inference, &Stub::ModelConfig, "name: 'half'", &config);
  EXPECT_EQ(
      config.config().ShortDebugString(),
      "name: \"half\" platform: \"mlc\" version_policy { all { } } input { name: \"x\" data_type: TYPE_FP32 dims: "
      "-1 dims: -1 } output { name: \"y\" data_type: TYPE_FP32 dims: -1 dims: -1 } instance_group { name: "
      "\"half\" count: 1 kind: KIND_CPU } default_model_filename: \"libmodel.so\" backend: \"mlc\"");
}

TEST_F(GrpcServices, StatisticsCountRuns) {
  using Stub = inference::GRPCInferenceService::Stub;
  infer(inferTwo);
  infer("model_name: 'half' inputs { name: 'x' datatype: 'FP32' shape: [3, 1] contents { fp32_contents: [1, 2, 3] } }");
  inference::ModelStatisticsResponse all, one;
  call(*inference, &Stub::ModelStatistics, "name: 'half' version: '2'", &one);
  ASSERT_EQ(one.model_stats_size(), 1);
  const auto &statistics = one.model_stats(0);
  EXPECT_EQ(statistics.version(), "2");
  EXPECT_EQ(statistics.inference_count(), 4u);
  EXPECT_EQ(statistics.execution_count(), 2u);
  EXPECT_GT(statistics.last_inference(), 1'700'000'000'000u);
  EXPECT_EQ(statistics.inference_stats().success().count(), 2u);
  EXPECT_GT(statistics.inference_stats().success().ns(), 0u);
  ASSERT_EQ(statistics.batch_stats_size(), 2);
  EXPECT_EQ(statistics.batch_stats(1).batch_size(), 3u);
  EXPECT_EQ(statistics.batch_stats(1).compute_infer().count(), 1u);
  call(*inference, &Stub::ModelStatistics, "name: 'half'", &all);
  EXPECT_EQ(all.model_stats_size(), 2);
  call(*inference, &Stub::ModelStatistics, "", &all);
  EXPECT_EQ(all.model_stats_size(), 4);
  EXPECT_EQ(call(*inference, &Stub::ModelStatistics, "name: 'no'"),
            "NOT_FOUND: Request for unknown model: 'no' is not found");
}

TEST_F(GrpcServices, TheRepositoryIsListedLoadedAndUnloaded) {
  using Stub = inference::GRPCInferenceService::Stub;
  auto index = [&](const std::string &text) { return call(*inference, &Stub::RepositoryIndex, text); };
  const std::string all = index("");
  EXPECT_NE(all.find("models { name: \"half\" version: \"2\" state: \"READY\" }"), std::string::npos) << all;
  EXPECT_NE(all.find("models { name: \"empty\" }"), std::string::npos) << all;
  EXPECT_EQ(index("ready: true").find("empty"), std::string::npos);
  EXPECT_EQ(index("repository_name: 'other'").substr(0, 14), "UNIMPLEMENTED:");
  EXPECT_EQ(call(*inference, &Stub::RepositoryModelUnload, "model_name: 'slow'"), "");
  EXPECT_NE(index("").find("models { name: \"slow\" version: \"1\" state: \"UNAVAILABLE\" reason: \"unloaded\" }"),
            std::string::npos)
      << index("");
  EXPECT_EQ(call(*inference, &Stub::ModelReady, "name: 'slow'"), "");
  EXPECT_EQ(call(*inference, &Stub::RepositoryModelLoad, "model_name: 'slow'"), "");
  EXPECT_EQ(call(*inference, &Stub::ModelReady, "name: 'slow'"), "ready: true");
  EXPECT_EQ(call(*inference, &Stub::RepositoryModelLoad, "model_name: 'no'").substr(0, 10), "NOT_FOUND:");
  EXPECT_EQ(call(*inference, &Stub::RepositoryModelLoad,
                 "model_name: 'half' parameters { key: 'config' value { string_param: '{}' } }")
                .substr(0, 14),
            "UNIMPLEMENTED:");
}

TEST_F(GrpcServices, ThereIsNoSharedMemory) {
  using Stub = inference::GRPCInferenceService::Stub;
  EXPECT_EQ(call(*inference, &Stub::SystemSharedMemoryStatus, ""), "");
  EXPECT_EQ(call(*inference, &Stub::CudaSharedMemoryStatus, ""), "");
  EXPECT_EQ(call(*inference, &Stub::SystemSharedMemoryUnregister, ""), "");
  EXPECT_EQ(call(*inference, &Stub::CudaSharedMemoryUnregister, ""), "");
  for (const std::string &answer : {call(*inference, &Stub::SystemSharedMemoryRegister, "name: 'r'"),
                                    call(*inference, &Stub::CudaSharedMemoryRegister, "name: 'r'")})
    EXPECT_EQ(answer.substr(0, 14), "UNIMPLEMENTED:");
}

TEST_F(GrpcServices, TraceSettingsAreFixed) {
  auto trace = [&](const std::string &text, inference::TraceSettingResponse *response = nullptr) {
    return call(*inference, &inference::GRPCInferenceService::Stub::TraceSetting, text, response);
  };
  inference::TraceSettingResponse all, ofModel;
  trace("", &all);
  EXPECT_EQ(all.settings().at("trace_level").value(0), "OFF");
  EXPECT_EQ(all.settings().at("trace_mode").value(0), "triton");
  EXPECT_EQ(all.settings_size(), 6);
  trace(
      "model_name: 'half' settings { key: 'trace_level' value { value: 'OFF' } } settings { key: 'trace_rate' value { "
      "} }",
      &ofModel); // what holds anyway, and the default
  EXPECT_EQ(ofModel.settings_size(), 6);
  EXPECT_EQ(trace("settings { key: 'trace_level' value { value: 'TIMESTAMPS' } }").substr(0, 54),
            "UNIMPLEMENTED: unsupported trace setting 'trace_level'");
  EXPECT_EQ(trace("settings { key: 'other' value { } }").substr(0, 48),
            "UNIMPLEMENTED: unsupported trace setting 'other'");
  EXPECT_EQ(trace("model_name: 'no'"), "NOT_FOUND: Request for unknown model: 'no' is not found");
}

TEST(GrpcLogSettings, SwitchTheAccessLog) {
  TemporaryFolder folder;
  TelemetryOptions telemetry;
  telemetry.accessLog = folder.path("log");
  ServedModels models(telemetry);
  GrpcOptions options;
  options.listenTcp = false;
  options.socketPath = folder.path("socket");
  GrpcServer server(models.services, options);
  auto stub = inference::GRPCInferenceService::NewStub(server.inProcessChannel());
  auto set = [&](const std::string &text, inference::LogSettingsResponse &response) {
    grpc::ClientContext context;
    return stub->LogSettings(&context, parse<inference::LogSettingsRequest>(text), &response);
  };
  inference::LogSettingsResponse settings;
  ASSERT_TRUE(set("", settings).ok());
  EXPECT_EQ(settings.settings().at("log_file").string_param(), folder.path("log"));
  EXPECT_EQ(settings.settings().at("log_format").string_param(), "default");
  EXPECT_TRUE(settings.settings().at("log_verbose_level").has_uint32_param());
  for (const char *name : {"log_info", "log_warning", "log_error"})
    EXPECT_TRUE(settings.settings().at(name).bool_param()) << name;
  ASSERT_TRUE(
      set("settings { key: 'log_info' value { bool_param: false } } settings { key: 'log_verbose_level' value { "
          "uint32_param: 0 } }",
          settings)
          .ok());
  EXPECT_FALSE(settings.settings().at("log_info").bool_param());
  EXPECT_FALSE(models.telemetry.accessLog()->successes);
  EXPECT_TRUE(models.telemetry.accessLog()->serverErrors);
  // Nothing changes where something is wrong.
  for (const char *wrong : {"settings { key: 'log_info' value { uint32_param: 1 } }",
                            "settings { key: 'log_verbose_level' value { uint32_param: 1 } }",
                            "settings { key: 'log_file' value { string_param: '/other' } }",
                            "settings { key: 'other' value { bool_param: true } }"}) {
    grpc::Status status =
        set(std::string("settings { key: 'log_error' value { bool_param: false } }") + wrong, settings);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << wrong;
    EXPECT_EQ(status.error_message().substr(0, 24), "unsupported log setting ");
  }
  EXPECT_TRUE(models.telemetry.accessLog()->serverErrors);
}

TEST_F(GrpcServices, AStreamAnswersInTheOrderOfCompletionAndKeepsIds) {
  grpc::ClientContext context;
  auto stream = inference->ModelStreamInfer(&context);
  const std::string slow = "model_name: 'slow' id: 'slow' inputs { name: 'x' datatype: 'FP32' shape: [1, 1] contents { "
                           "fp32_contents: 1 } }";
  for (const std::string &text :
       {slow, "id: 'bad' model_name: 'no'" + std::string(),
        inferRequest("contents { fp32_contents: [2, 4] }",
                     "id: 'good' parameters { key: 'triton_enable_empty_final_response' value { bool_param: true } }")})
    ASSERT_TRUE(stream->Write(parse<inference::ModelInferRequest>(text)));
  stream->WritesDone();
  std::map<std::string, inference::ModelStreamInferResponse> answers;
  std::vector<std::string> order;
  inference::ModelStreamInferResponse answer;
  while (stream->Read(&answer)) {
    order.push_back(answer.infer_response().id());
    answers[order.back()] = answer;
  }
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(order.size(), 3u);
  EXPECT_NE(order[0], "slow"); // the others did not wait for it
  EXPECT_EQ(answers["bad"].error_message(), "Request for unknown model: 'no' is not found");
  EXPECT_EQ(answers["good"].error_message(), "");
  EXPECT_EQ(answers["good"].infer_response().raw_output_contents_size(), 1);
  EXPECT_TRUE(answers["good"].infer_response().parameters().at("triton_final_response").bool_param());
  EXPECT_EQ(answers["slow"].infer_response().model_name(), "slow");
}

TEST_F(GrpcServices, AStreamTakesMoreRequestsThanItKeepsOpen) {
  grpc::ClientContext context;
  auto stream = inference->ModelStreamInfer(&context);
  std::thread writer([&] {
    auto request = parse<inference::ModelInferRequest>(inferTwo);
    for (int i = 0; i < 500; ++i) {
      request.set_id(std::to_string(i));
      ASSERT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  inference::ModelStreamInferResponse answer;
  int count = 0;
  for (; stream->Read(&answer); ++count)
    EXPECT_EQ(answer.error_message(), "");
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(count, 500);
}

TEST_F(GrpcServices, AStreamThatIsCancelledLeavesNothing) {
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    auto stream = inference->ModelStreamInfer(&context);
    for (int j = 0; j < 5; ++j)
      stream->Write(parse<inference::ModelInferRequest>(inferTwo));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_NE(infer(inferTwo).find(rawAnswer), std::string::npos);
}

// -- Tensors
// -------------------------------------------------------------------------------------------------------------

template <typename T> std::vector<T> values(const Tensor &tensor) {
  std::vector<T> all(tensor.bytes / sizeof(T));
  std::memcpy(all.data(), tensor.data, tensor.bytes);
  return all;
}

Tensor decode(const std::string &text, std::vector<std::vector<std::byte>> &storage) {
  static tensorflow::TensorProto proto; // the data lies in it
  proto = parse<tensorflow::TensorProto>(text);
  return fromTensorProto("x", proto, storage);
}

std::string decodeError(const std::string &text) {
  std::vector<std::vector<std::byte>> storage;
  try {
    decode(text, storage);
  } catch (const Error &error) {
    EXPECT_EQ(error.code, Code::invalidArgument);
    return error.what();
  }
  return "";
}

TEST(TensorProto, UsesDenseDataWhereItLies) {
  std::vector<std::vector<std::byte>> storage;
  EXPECT_EQ(values<float>(decode("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1, 2]", storage)),
            (std::vector<float>{1, 2}));
  EXPECT_EQ(values<int64_t>(decode("dtype: DT_INT64 tensor_shape { dim { size: 2 } } int64_val: [1, -2]", storage)),
            (std::vector<int64_t>{1, -2}));
  EXPECT_EQ(values<int32_t>(decode("dtype: DT_INT32 tensor_shape { dim { size: 1 } } tensor_content: '\\001\\000\\000"
                                   "\\000'",
                                   storage)),
            std::vector<int32_t>{1});
  EXPECT_EQ(values<char>(decode("dtype: DT_BOOL tensor_shape { dim { size: 2 } } bool_val: [true, false]", storage)),
            (std::vector<char>{1, 0}));
  EXPECT_TRUE(storage.empty());
}

TEST(TensorProto, ConvertsNarrowElementsAndRepeatsTheLastOne) {
  std::vector<std::vector<std::byte>> storage;
  EXPECT_EQ(values<int8_t>(decode("dtype: DT_INT8 tensor_shape { dim { size: 3 } } int_val: [-1, 7]", storage)),
            (std::vector<int8_t>{-1, 7, 7}));
  EXPECT_EQ(
      values<uint16_t>(decode("dtype: DT_HALF tensor_shape { dim { size: 2 } } half_val: [15360, 49152]", storage)),
      (std::vector<uint16_t>{0x3c00, 0xc000}));
  EXPECT_EQ(values<uint16_t>(decode("dtype: DT_BFLOAT16 tensor_shape { dim { size: 1 } } half_val: 16256", storage)),
            std::vector<uint16_t>{0x3f80});
  EXPECT_EQ(values<double>(decode("dtype: DT_DOUBLE tensor_shape { dim { size: 3 } } double_val: 1.5", storage)),
            (std::vector<double>{1.5, 1.5, 1.5}));
  EXPECT_EQ(values<uint8_t>(decode("dtype: DT_UINT8 tensor_shape { dim { size: 2 } }", storage)),
            (std::vector<uint8_t>{0, 0}));
  EXPECT_EQ(values<float>(decode("dtype: DT_FLOAT tensor_shape { } float_val: 3", storage)), std::vector<float>{3});
}

TEST(TensorProto, RefusesWhatIsNoTensor) {
  EXPECT_EQ(decodeError("dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: [1, 2]"),
            "input 'x': expected at most 1 elements for sizes [1], but got 2");
  EXPECT_EQ(decodeError("dtype: DT_FLOAT tensor_shape { dim { size: 1 } } tensor_content: 'ab'"),
            "input 'x': expected 4 bytes of tensor_content for sizes [1], but got 2");
  EXPECT_EQ(decodeError("dtype: DT_FLOAT tensor_shape { unknown_rank: true }"),
            "input 'x': expected a tensor with sizes, but got one of unknown rank");
  EXPECT_EQ(decodeError("dtype: DT_FLOAT tensor_shape { dim { size: 1 } } int_val: 1"),
            "input 'x': expected the list of float elements, but got another one");
  EXPECT_EQ(decodeError("dtype: DT_FLOAT tensor_shape { dim { size: 1073741824 } } float_val: 1"),
            "input 'x': expected 1073741824 elements for sizes [1073741824], but got 1, which are repeated only up to "
            "67108864 bytes");
  EXPECT_NE(decodeError("dtype: DT_FLOAT tensor_shape { dim { size: -1 } }"), "");
  EXPECT_NE(decodeError("dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: 'a'"), "");
  EXPECT_NE(decodeError("dtype: DT_COMPLEX64"), "");
}

TEST(TensorProto, GoesBothWaysForEachType) {
  for (mlc_dtype dtype : {MLC_F32, MLC_F64, MLC_I8, MLC_I16, MLC_I32, MLC_I64, MLC_U8, MLC_U16, MLC_U32, MLC_U64,
                          MLC_F16, MLC_BF16, MLC_BOOL})
    for (bool asContent : {false, true}) {
      std::vector<unsigned char> data(3 * elementSize(dtype), 1);
      if (dtype != MLC_BOOL)
        data.back() = 0xc1; // negative where there is a sign
      Tensor tensor{"y", dtype, {3, 1}, data.data(), data.size()};
      tensorflow::TensorProto proto;
      toTensorProto(tensor, asContent, proto);
      EXPECT_EQ(proto.tensor_content().size(), asContent ? data.size() : 0);
      std::vector<std::vector<std::byte>> storage;
      Tensor back = fromTensorProto("y", proto, storage);
      EXPECT_EQ(back.dtype, dtype);
      EXPECT_EQ(back.sizes, tensor.sizes);
      EXPECT_EQ(values<unsigned char>(back), data) << tensorFlowName(dtype);
    }
}

TEST(InferTensor, ReadsTheListOfEachType) {
  auto decode = [](const std::string &text) {
    static inference::ModelInferRequest request;
    request = parse<inference::ModelInferRequest>("inputs { name: 'x' shape: [2] " + text + " }");
    static std::vector<std::vector<std::byte>> storage;
    return fromInferRequest(request, storage).at(0);
  };
  EXPECT_EQ(values<int8_t>(decode("datatype: 'INT8' contents { int_contents: [-1, 2] }")),
            (std::vector<int8_t>{-1, 2}));
  EXPECT_EQ(values<uint16_t>(decode("datatype: 'UINT16' contents { uint_contents: [1, 65535] }")),
            (std::vector<uint16_t>{1, 65535}));
  EXPECT_EQ(values<uint64_t>(decode("datatype: 'UINT64' contents { uint64_contents: [1, 2] }")),
            (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(values<double>(decode("datatype: 'FP64' contents { fp64_contents: [1, 2] }")), (std::vector<double>{1, 2}));
  EXPECT_EQ(values<char>(decode("datatype: 'BOOL' contents { bool_contents: [true, false] }")),
            (std::vector<char>{1, 0}));
  for (const char *bad :
       {"datatype: 'UINT8' contents { uint_contents: [1, 256] }", "datatype: 'FP16' contents { fp32_contents: [1, 2] }",
        "datatype: 'BYTES' contents { bytes_contents: ['a', 'b'] }"})
    EXPECT_THROW(decode(bad), Error) << bad;
}

} // namespace
