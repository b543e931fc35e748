//===- WarmUp.cpp - what a version has to do before it serves ----------------------------------------------------===//
#include "runtime/serve/WarmUp.h"

#include "runtime/serve/Examples.h"
#include "runtime/serve/grpc/TensorProto.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Safetensors.h"
#include "runtime/train/TfRecord.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

namespace mlc::serve {

using tensorflow::serving::PredictionLog;

namespace {

constexpr int maxRecords = 1000;

Request predictRequest(const tensorflow::serving::PredictRequest &predict,
                       std::vector<std::vector<std::byte>> &storage) {
  Request request;
  for (const auto &[name, tensor] : predict.inputs())
    request.inputs.push_back(fromTensorProto(name, tensor, storage));
  request.outputs.assign(predict.output_filter().begin(), predict.output_filter().end());
  return request;
}

void run(Version &version, const PredictionLog &log) {
  std::vector<std::vector<std::byte>> inputs, outputs;
  auto runExamples = [&](const tensorflow::serving::Input &input) {
    ExampleInputs examples = toInputs(input, version.signature());
    Request request;
    request.inputs = examples.tensors;
    version.inferNow(std::move(request), outputs);
  };
  switch (log.log_type_case()) {
  case PredictionLog::kPredictLog:
    version.inferNow(predictRequest(log.predict_log().request(), inputs), outputs);
    return;
  case PredictionLog::kClassifyLog:
    return runExamples(log.classify_log().request().input());
  case PredictionLog::kRegressLog:
    return runExamples(log.regress_log().request().input());
  case PredictionLog::kMultiInferenceLog:
    return runExamples(log.multi_inference_log().request().input());
  case PredictionLog::LOG_TYPE_NOT_SET:
    break;
  }
  throw Error(Code::unimplemented, "Unsupported log_type for warmup; predict_log, classify_log, regress_log and "
                                   "multi_inference_log are supported");
}

/// The value of an element; integers beyond 2^53 are compared as doubles, too.
double element(const Tensor &tensor, int64_t index) {
  auto data = static_cast<const char *>(tensor.data) + index * elementSize(tensor.dtype);
  double value;
  train::convertElements(tensor.dtype, data, MLC_F64, &value, 1);
  return value;
}

Tensor view(const std::string &name, const train::Array &array) {
  return {name, array.dtype, array.sizes, array.data, array.bytes()};
}

void compare(const std::string &file, const Tensor &expected, const Tensor &got, double relative, double absolute) {
  auto fail = [&](const std::string &what, const std::string &wanted, const std::string &came) {
    return Error(Code::failedPrecondition, "golden outputs differ: " + file + ": " + what + " of output '" +
                                               expected.name + "': expected " + wanted + ", but got " + came);
  };
  if (expected.dtype != got.dtype)
    throw fail("the type", tensorFlowShortName(expected.dtype), tensorFlowShortName(got.dtype));
  if (expected.sizes != got.sizes)
    throw fail("the sizes", sizesText(expected.sizes), sizesText(got.sizes));
  int64_t count = elementCount(expected.sizes);
  for (int64_t i = 0; i < count; ++i) {
    double wanted = element(expected, i), came = element(got, i);
    bool same = wanted == came || (std::isnan(wanted) && std::isnan(came)) ||
                std::abs(wanted - came) <= absolute + relative * std::abs(wanted);
    if (!same)
      throw fail("element " + std::to_string(i), std::to_string(wanted), std::to_string(came));
  }
}

double tolerance(const train::Tensors &file, const char *key, double otherwise, const std::string &path) {
  auto it = file.metadata.find(key);
  if (it == file.metadata.end())
    return otherwise;
  char *end = nullptr;
  double value = std::strtod(it->second.c_str(), &end);
  if (end == it->second.c_str() || *end || !(value >= 0))
    throw Error(Code::dataLoss,
                path + ": expected a number of at least 0 for '" + key + "', but got '" + it->second + "'");
  return value;
}

void checkFile(Version &version, const std::string &path) {
  train::Tensors file = train::readSafetensors(path);
  double relative = tolerance(file, "rtol", 1e-4, path), absolute = tolerance(file, "atol", 1e-5, path);
  constexpr std::string_view inputs = "inputs/", outputs = "outputs/";
  Request request;
  std::vector<Tensor> expected;
  for (const auto &[name, array] : file.arrays) {
    if (name.starts_with(inputs)) {
      request.inputs.push_back(view(name.substr(inputs.size()), array));
    } else if (name.starts_with(outputs)) {
      expected.push_back(view(name.substr(outputs.size()), array));
      request.outputs.push_back(expected.back().name);
    } else {
      throw Error(Code::dataLoss, path + ": expected tensors named inputs/… and outputs/…, but got '" + name + "'");
    }
  }
  if (expected.empty())
    throw Error(Code::dataLoss, path + ": expected at least one tensor named outputs/…");
  std::vector<std::vector<std::byte>> storage;
  std::vector<Tensor> got = version.inferNow(std::move(request), storage);
  for (size_t i = 0; i < expected.size(); ++i)
    compare(std::filesystem::path(path).filename(), expected[i], got[i], relative, absolute);
}

/// Counts the records in `records` as it goes.
void runRecords(Version &version, const std::string &path, int iterations, int &records) {
  train::TfRecordReader reader(path);
  for (std::string data; reader.next(data); ++records) {
    if (records == maxRecords)
      throw Error(Code::invalidArgument,
                  "Number of warmup records exceeds the maximum of " + std::to_string(maxRecords) + ": " + path);
    PredictionLog log;
    if (!log.ParseFromString(data))
      throw Error(Code::dataLoss, path + ": record " + std::to_string(records) + " is not a PredictionLog");
    try {
      for (int i = 0; i < std::max(iterations, 1); ++i)
        run(version, log);
    } catch (const Error &error) {
      throw Error(error.code, "warm-up request " + std::to_string(records) + " failed: " + error.what());
    }
  }
}

} // namespace

std::optional<WarmUpReport> warmUp(Version &version, int iterations) {
  std::string path = version.folder + "/assets.extra/tf_serving_warmup_requests";
  if (!std::filesystem::exists(path))
    return std::nullopt;
  WarmUpReport report;
  Clock::time_point start = Clock::now();
  try {
    runRecords(version, path, iterations, report.records);
  } catch (const train::InputError &error) {
    report.status = {Code::dataLoss, std::string("Failed to read warmup record: ") + error.what()};
  } catch (...) {
    report.status = currentExceptionStatus();
  }
  report.duration = Clock::now() - start;
  return report;
}

void checkGolden(Version &version) {
  std::filesystem::path folder = version.folder + "/assets.extra/golden";
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".safetensors")
      files.push_back(it->path());
  std::sort(files.begin(), files.end());
  for (const std::string &file : files)
    try {
      checkFile(version, file);
    } catch (const train::InputError &problem) {
      throw Error(Code::dataLoss, problem.what());
    }
}

} // namespace mlc::serve
