//===- Version.cpp - a version of a model that is loaded ---------------------------------------------------------===//
#include "runtime/serve/Version.h"

#include "runtime/serve/BatchingFiles.h"
#include "runtime/serve/WarmUp.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <set>

namespace mlc::serve {

namespace {

std::string names(const std::set<std::string> &set) {
  std::string text;
  for (const std::string &name : set)
    text += (text.empty() ? "" : ",") + name;
  return "{" + text + "}";
}

/// The error for inputs that are not those of the signature, in TensorFlow Serving's words.
Error inputsDiffer(const std::vector<Tensor> &inputs, const Signature &signature) {
  std::set<std::string> sent, wanted, extra, missing;
  for (const Tensor &input : inputs)
    sent.insert(input.name);
  for (const TensorInfo &info : signature.inputs)
    wanted.insert(info.name);
  std::set_difference(sent.begin(), sent.end(), wanted.begin(), wanted.end(), std::inserter(extra, extra.end()));
  std::set_difference(wanted.begin(), wanted.end(), sent.begin(), sent.end(), std::inserter(missing, missing.end()));
  return Error(Code::invalidArgument, "input size does not match signature: " + std::to_string(inputs.size()) +
                                          "!=" + std::to_string(wanted.size()) + " len(" + names(wanted) +
                                          "). Sent extra: " + names(extra) +
                                          ". Missing but required: " + names(missing) + ".");
}

/// The inputs in the order of the signature, each with the type and sizes that it says.
std::vector<Tensor> arrange(std::vector<Tensor> inputs, const Signature &signature) {
  if (inputs.size() != signature.inputs.size())
    throw inputsDiffer(inputs, signature);
  std::vector<Tensor> ordered(inputs.size());
  std::vector<int64_t> symbols(signature.symbols.size(), -1);
  for (size_t i = 0; i < ordered.size(); ++i) {
    const TensorInfo &info = signature.inputs[i];
    auto it = std::find_if(inputs.begin(), inputs.end(), [&](const Tensor &input) { return input.name == info.name; });
    if (it == inputs.end())
      throw inputsDiffer(inputs, signature);
    Tensor input = *it;
    auto fail = [&](const std::string &expected, const std::string &got) {
      return Error(Code::invalidArgument, "input '" + info.name + "': expected " + expected + ", but got " + got);
    };
    if (input.dtype != info.dtype)
      throw fail(tensorFlowShortName(info.dtype), tensorFlowShortName(input.dtype));
    if (input.sizes.size() != info.sizes.size())
      throw fail("sizes " + sizesText(info.sizes), sizesText(input.sizes));
    for (size_t axis = 0; axis < info.sizes.size(); ++axis) {
      int64_t size = input.sizes[axis], expected = info.sizes[axis];
      if (int32_t symbol = info.symbols[axis]; expected < 0 && symbol >= 0) {
        expected = symbols[symbol];
        symbols[symbol] = size;
      }
      if (size < 0 || (expected >= 0 && size != expected))
        throw fail("size " + (expected < 0 ? "of at least 0" : std::to_string(expected)) + " in axis " +
                       std::to_string(axis) + " of " + sizesText(info.sizes),
                   sizesText(input.sizes));
    }
    size_t bytes = elementCount(input.sizes) * elementSize(input.dtype);
    if (input.bytes != bytes)
      throw fail(std::to_string(bytes) + " bytes for sizes " + sizesText(input.sizes), std::to_string(input.bytes));
    ordered[i] = std::move(input);
  }
  return ordered;
}

/// Indices of the outputs that are wanted.
std::vector<size_t> choose(const std::vector<std::string> &wanted, const Signature &signature) {
  std::vector<size_t> chosen;
  for (const std::string &name : wanted) {
    auto it = std::find_if(signature.outputs.begin(), signature.outputs.end(),
                           [&](const TensorInfo &info) { return info.name == name; });
    if (it == signature.outputs.end())
      throw Error(Code::invalidArgument, "output tensor alias not found in signature: " + name);
    size_t index = it - signature.outputs.begin();
    if (std::find(chosen.begin(), chosen.end(), index) != chosen.end())
      throw Error(Code::invalidArgument, "duplicate output tensor alias: " + name);
    chosen.push_back(index);
  }
  return chosen;
}

/// The policy without batches where samples of several requests cannot be one run.
QueuePolicy policyFor(const Library &library, QueuePolicy policy) {
  policy.batching = policy.batching && library.signature().batchable();
  return policy;
}

} // namespace

Version::Version(const std::string &model, int64_t number, const std::string &folder, Manifest manifest,
                 const QueuePolicy &policy, Scheduler &scheduler)
    : model(model), number(number), folder(folder), itsManifest(std::move(manifest)),
      library(folder + "/" + itsManifest.library), queue(scheduler, library, policyFor(library, policy)) {
  if (library.gradient())
    gradientQueue = std::make_unique<Queue>(scheduler, *library.gradient(), QueuePolicy{});
  std::ifstream file(folder + "/labels.txt");
  for (std::string line; std::getline(file, line);)
    itsLabels.push_back(line);
}

std::shared_ptr<Version> Version::load(const std::string &model, int64_t number, const std::string &folder,
                                       const LoadOptions &options, Scheduler &scheduler) {
  Manifest manifest = Manifest::read(folder);
  manifest.verify(folder);
  return load(model, number, folder, std::move(manifest), options, scheduler);
}

std::shared_ptr<Version> Version::load(const std::string &model, int64_t number, const std::string &folder,
                                       Manifest manifest, const LoadOptions &options, Scheduler &scheduler) {
  QueuePolicy policy = options.queue;
  if (options.perModelBatching)
    policy = policyBeside(folder, policy, options.log).value_or(policy);
  std::shared_ptr<Version> version(new Version(model, number, folder, std::move(manifest), policy, scheduler));
  if (policy.batching && !version->policy().batching && options.log)
    options.log("model " + model + ", version " + std::to_string(number) +
                ": requests run one by one, because axis 0 of its inputs and outputs is not one symbolic size");
  if (options.warmUp)
    if (std::optional<WarmUpReport> report = serve::warmUp(*version, options.warmUpIterations)) {
      if (options.warmedUp)
        options.warmedUp(folder, *report);
      if (!report->status.ok())
        throw Error(report->status);
    }
  checkGolden(*version);
  return version;
}

void Version::infer(Request request, Completion done) {
  infer({library.signature(), queue}, std::move(request), std::move(done));
}

void Version::infer(Runnable runnable, Request request, Completion done) {
  const Signature &signature = runnable.signature;
  std::vector<size_t> chosen = choose(request.outputs, signature);
  std::vector<Tensor> inputs = arrange(std::move(request.inputs), signature);
  int64_t rows = inputs.empty() || inputs.front().sizes.empty() ? 1 : inputs.front().sizes[0];
  // The version outlives its requests.
  auto finish = [self = shared_from_this(), chosen = std::move(chosen),
                 done = std::move(done)](const Status &status, std::span<const Tensor> outputs, const Timing &timing) {
    if (!status.ok() || chosen.empty())
      return done(status, outputs, timing);
    std::vector<Tensor> wanted;
    for (size_t index : chosen)
      wanted.push_back(outputs[index]);
    done(status, wanted, timing);
  };
  runnable.queue.submit(std::move(inputs), rows, request, std::move(finish));
}

std::vector<Tensor> Version::inferNow(Request request, std::vector<std::vector<std::byte>> &storage) {
  return inferNow({library.signature(), queue}, std::move(request), storage);
}

std::vector<Tensor> Version::gradientNow(Request request, std::vector<std::vector<std::byte>> &storage) {
  if (!gradientQueue)
    throw Error(Code::unimplemented, "model '" + model + "' has no gradients; compile it with --with-gradient");
  return inferNow({library.gradient()->signature(), *gradientQueue}, std::move(request), storage);
}

std::vector<Tensor> Version::inferNow(Runnable runnable, Request request,
                                      std::vector<std::vector<std::byte>> &storage) {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  Status status;
  std::vector<Tensor> outputs;
  infer(runnable, std::move(request), [&](const Status &how, std::span<const Tensor> results, const Timing &) {
    std::lock_guard lock(mutex);
    status = how;
    outputs.assign(results.begin(), results.end());
    for (Tensor &output : outputs) {
      auto data = static_cast<const std::byte *>(output.data);
      storage.emplace_back(data, data + output.bytes);
      output.data = storage.back().data();
    }
    done = true;
    ended.notify_one();
  });
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return done; });
  if (!status.ok())
    throw Error(status);
  return outputs;
}

} // namespace mlc::serve
