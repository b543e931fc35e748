//===- WarmUpTest.cpp - recorded requests and golden outputs -----------------------------------------------------===//
#include "ModelFolder.h"

#include "runtime/serve/WarmUp.h"
#include "runtime/train/Safetensors.h"
#include "runtime/train/TfRecord.h"
#include "tensorflow_serving.pb.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace mlc::serve;
using namespace mlc::serve::test;
using tensorflow::serving::PredictionLog;

namespace {

const char *recordsName = "assets.extra/tf_serving_warmup_requests";

/// Predict with `values` as one row of the input `name`.
std::string predict(std::vector<float> values, const std::string &name = "x") {
  PredictionLog log;
  tensorflow::TensorProto &tensor = (*log.mutable_predict_log()->mutable_request()->mutable_inputs())[name];
  tensor.set_dtype(tensorflow::DT_FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(1);
  tensor.mutable_tensor_shape()->add_dim()->set_size(static_cast<int64_t>(values.size()));
  tensor.mutable_float_val()->Add(values.begin(), values.end());
  return mlc::train::tfRecord(log.SerializeAsString());
}

class WarmUpTest : public testing::Test {
protected:
  std::shared_ptr<Version> load(const std::map<std::string, std::string> &files, LoadOptions options = {}) {
    writeVersion(folder.path("1"), "half_plus_two", files);
    return Version::load("m", 1, folder.path("1"), options, scheduler);
  }
  void expectError(Code code, const std::string &message, const std::map<std::string, std::string> &files) {
    try {
      load(files);
      FAIL() << "expected an error: " << message;
    } catch (const Error &error) {
      EXPECT_EQ(error.code, code) << error.what();
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
  /// A file of golden outputs for the input 1, 2 of a model that answers with `outputs`.
  std::string golden(const std::vector<float> &outputs, const std::string &tolerance = "",
                     const std::string &outputName = "outputs/y") {
    auto array = [](const std::vector<float> &values) {
      auto made = mlc::train::Array::make(MLC_F32, {1, static_cast<int64_t>(values.size())});
      std::memcpy(made.mutableData(), values.data(), values.size() * sizeof(float));
      return made;
    };
    std::map<std::string, std::string> metadata;
    if (!tolerance.empty())
      metadata = {{"rtol", "0"}, {"atol", tolerance}};
    std::string path = folder.path("golden.safetensors");
    mlc::train::writeSafetensors(path, {{"inputs/x", array({1, 2})}, {outputName, array(outputs)}}, metadata);
    return readFile(path);
  }

  TemporaryFolder folder;
  Scheduler scheduler{1};
};

TEST_F(WarmUpTest, RunsRecordedRequests) {
  PredictionLog classify;
  auto *examples = classify.mutable_classify_log()->mutable_request()->mutable_input()->mutable_example_list();
  (*examples->add_examples()->mutable_features()->mutable_feature())["x"].mutable_float_list()->add_value(1);
  PredictionLog regress;
  *regress.mutable_regress_log()->mutable_request()->mutable_input() = classify.classify_log().request().input();
  std::string records = predict({1, 2}) + predict({3}) + mlc::train::tfRecord(classify.SerializeAsString()) +
                        mlc::train::tfRecord(regress.SerializeAsString());
  EXPECT_EQ(load({{recordsName, records}})->statistics().inferences, 4u);
  LoadOptions options;
  options.warmUpIterations = 3;
  EXPECT_EQ(load({{recordsName, records}}, options)->statistics().inferences, 12u);
  options.warmUp = false;
  EXPECT_EQ(load({{recordsName, records}}, options)->statistics().inferences, 0u);
  EXPECT_EQ(load({})->statistics().inferences, 0u);
}

TEST_F(WarmUpTest, FailsWithTheRecord) {
  expectError(Code::invalidArgument, "warm-up request 1 failed: input size does not match signature",
              {{recordsName, predict({1}) + predict({1}, "other")}});
  expectError(Code::invalidArgument, "warm-up request 0 failed: fake: a value is out of range",
              {{recordsName, predict({-12345})}});
  expectError(Code::unimplemented, "Unsupported log_type for warmup",
              {{recordsName, mlc::train::tfRecord(PredictionLog().SerializeAsString())}});
}

TEST_F(WarmUpTest, TakesAThousandRecordsAndNoMore) {
  std::string record = predict({1}), records;
  for (int i = 0; i < 1000; ++i)
    records += record;
  EXPECT_EQ(load({{recordsName, records}})->statistics().inferences, 1000u);
  expectError(Code::invalidArgument, "Number of warmup records exceeds the maximum of 1000",
              {{recordsName, records + record}});
}

TEST_F(WarmUpTest, FindsDamagedRecords) {
  const std::string record = predict({1});
  auto with = [&](size_t at, char value) {
    std::string records = record + record;
    records[at] = value;
    return records;
  };
  expectError(Code::dataLoss, "the record at byte " + std::to_string(record.size()) + " has a damaged length",
              {{recordsName, with(record.size() + 7, '\x7f')}});
  expectError(Code::dataLoss, "the record at byte 0 has damaged data", {{recordsName, with(13, '\x7f')}});
  for (size_t cut : {size_t(1), size_t(11), size_t(12), record.size() - 5, record.size() - 1})
    expectError(Code::dataLoss, "the record at byte " + std::to_string(record.size()) + " is cut off",
                {{recordsName, record + record.substr(0, cut)}});
  expectError(Code::dataLoss, "record 0 is not a PredictionLog", {{recordsName, mlc::train::tfRecord("\x32\x7f")}});
}

TEST_F(WarmUpTest, ComparesGoldenOutputs) {
  auto file = [&](const std::string &text) {
    return std::map<std::string, std::string>{{"assets.extra/golden/a.safetensors", text}};
  };
  load(file(golden({2.5f, 3.0f})));
  load(file(golden({2.50001f, 3.0f})));
  load(file(golden({2.0f, 3.0f}, "0.5")));
  load({{"assets.extra/golden/notes.txt", "not one"}});
  expectError(Code::failedPrecondition,
              "golden outputs differ: a.safetensors: element 1 of output 'y': expected 3.100000, but got 3.000000",
              file(golden({2.5f, 3.1f})));
  expectError(Code::failedPrecondition, "element 0 of output 'y'", file(golden({2.50001f, 3.0f}, "1e-7")));
  expectError(Code::failedPrecondition, "element 0 of output 'y': expected nan", file(golden({NAN, 3.0f})));
  expectError(Code::failedPrecondition, "the sizes of output 'y': expected [1,3], but got [1,2]",
              file(golden({2.5f, 3, 3})));
  expectError(Code::invalidArgument, "output tensor alias not found", file(golden({2.5f, 3}, "", "outputs/z")));
  expectError(Code::dataLoss, "expected tensors named inputs/… and outputs/…, but got 'y'",
              file(golden({2.5f, 3}, "", "y")));
  expectError(Code::dataLoss, "expected at least one tensor named outputs/…", file(golden({2.5f, 3}, "", "inputs/y")));
  expectError(Code::dataLoss, "expected a number of at least 0 for 'atol', but got 'much'",
              file(golden({2.5f, 3}, "much")));
  expectError(Code::dataLoss, "a.safetensors: ", file("damaged"));
}

} // namespace
