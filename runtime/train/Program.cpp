//===- Program.cpp - the compiled entries of a training program --------------------------------------------------===//
#include "runtime/train/Program.h"
#include "runtime/profile/ProfileTable.h"
#include "runtime/train/InputError.h"

#include <stdexcept>

namespace mlc::train {

namespace {

/// Bad data is the user's (a wrong size that only a run sees), the rest is not.
void check(mlc_status status) {
  if (status.code == MLC_OK)
    return;
  if (status.code == MLC_INVALID_ARGUMENT || status.code == MLC_RESOURCE_EXHAUSTED)
    throw InputError(status.message);
  throw std::logic_error(status.message);
}

template <typename T> mlc_tensor scalar(T &value, mlc_dtype dtype) {
  static const int64_t none = 0;
  return {&value, &none, sizeof value, 0, static_cast<uint32_t>(dtype)};
}

mlc_tensor tensorOf(const Array &array) {
  return {const_cast<char *>(array.data), array.sizes.data(), array.bytes(), static_cast<uint32_t>(array.sizes.size()),
          static_cast<uint32_t>(array.dtype)};
}

Signature signatureOf(const mlc_train_info &info) {
  Signature signature;
  const mlc_api &predict = *info.predict->api, &evaluate = *info.evaluate->api;
  signature.inputs.assign(predict.inputs, predict.inputs + predict.num_inputs);
  if (evaluate.num_inputs != predict.num_inputs + 1)
    throw std::logic_error("expected evaluate to take the inputs and a label");
  signature.label = evaluate.inputs[predict.num_inputs];
  Json label = objectOf(Json::parse(info.config), "label");
  signature.labelName = valueOf<std::string>(label, "name", signature.label.name);
  std::string form = valueOf<std::string>(label, "form", "values");
  signature.form = form == "classes" ? LabelForm::Classes : form == "one_hot" ? LabelForm::OneHot : LabelForm::Values;
  int64_t last = signature.label.rank ? signature.label.sizes[signature.label.rank - 1] : 0;
  signature.classes = valueOf<int64_t>(label, "classes", signature.form == LabelForm::OneHot ? last : 2);
  for (const mlc_tensor_info &input : signature.inputs)
    if (input.rank == 0)
      throw std::logic_error(std::string("the input '") + input.name + "' has no axis of samples");
  return signature;
}

} // namespace

Program::Program(const mlc_train_info &info, State &state, int threads) : info(info), takes(signatureOf(info)) {
  mlc_options options = {sizeof(mlc_options), threads, nullptr};
  for (const mlc_model_info *entry : {info.step, info.gradients, info.apply, info.evaluate, info.predict}) {
    mlc_model *context = nullptr;
    check(mlc_rt_create_stateful(entry, &options, state.memory(), contexts.empty() ? nullptr : contexts[0], &context));
    contexts.push_back(context);
  }
}

Program::~Program() {
  while (!contexts.empty()) { // the first owns the threads of all
    mlc_rt_destroy(contexts.back());
    contexts.pop_back();
  }
}

int64_t Program::fixedSamples() const {
  return takes.inputs.empty() ? 0 : std::max<int64_t>(0, takes.inputs[0].sizes[0]);
}

Result Program::run(const mlc_model_info *entry, mlc_model *context, const Batch *batch, bool hasLabel,
                    const std::vector<mlc_tensor> &scalars, bool hasLoss) {
  std::vector<mlc_tensor> inputs, outputs(entry->api->num_outputs);
  if (batch)
    for (const Array &array : batch->inputs)
      inputs.push_back(tensorOf(array));
  if (hasLabel)
    inputs.push_back(tensorOf(batch->label));
  inputs.insert(inputs.end(), scalars.begin(), scalars.end());
  if (inputs.size() != entry->api->num_inputs)
    throw std::logic_error(std::string("expected ") + entry->api->name + " to take " + std::to_string(inputs.size()) +
                           " inputs, but it takes " + std::to_string(entry->api->num_inputs));
  check(mlc_rt_run(context, inputs.data(), outputs.data()));
  Result result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (i == 0 && hasLoss) {
      result.loss = *static_cast<const float *>(outputs[0].data);
      continue;
    }
    Array array;
    array.dtype = static_cast<mlc_dtype>(outputs[i].dtype);
    array.sizes.assign(outputs[i].sizes, outputs[i].sizes + outputs[i].rank);
    array.data = static_cast<const char *>(outputs[i].data);
    result.outputs.push_back(std::move(array));
  }
  return result;
}

Result Program::step(const Batch &batch, float learningRate, int64_t iteration, int64_t seed) {
  return run(info.step, contexts[0], &batch, true,
             {scalar(learningRate, MLC_F32), scalar(iteration, MLC_I64), scalar(seed, MLC_I64)}, true);
}

Result Program::gradients(const Batch &batch, float weight, int64_t iteration, int64_t seed,
                          const mlc_listener *listener) {
  mlc_rt_listen(contexts[1], listener);
  return run(info.gradients, contexts[1], &batch, true,
             {scalar(weight, MLC_F32), scalar(iteration, MLC_I64), scalar(seed, MLC_I64)}, true);
}

void Program::apply(float learningRate, int64_t iteration) {
  run(info.apply, contexts[2], nullptr, false, {scalar(learningRate, MLC_F32), scalar(iteration, MLC_I64)}, false);
}

Result Program::evaluate(const Batch &batch) { return run(info.evaluate, contexts[3], &batch, true, {}, true); }

Result Program::predict(const Batch &batch) { return run(info.predict, contexts[4], &batch, false, {}, false); }

void Program::startProfile() {
  profiles.clear();
  for (mlc_model *context : contexts) {
    const mlc_profile *profile = nullptr;
    check(mlc_rt_profile_start(context, &profile));
    if (profiles.empty() && profile->num_nodes == 0)
      throw UsageError("--profile: the program has nothing to profile: it was compiled with -O0");
    profiles.push_back(profile);
  }
}

std::string Program::profile(int threads, bool asJson) const {
  static const char *const names[] = {"step", "gradients", "apply", "evaluate", "predict"};
  MachinePeak peak = measurePeak(threads);
  std::string text;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (size_t i = 0; i < profiles.size(); ++i) {
    if (profiles[i]->runs == 0)
      continue;
    if (asJson)
      json[names[i]] = profileToJson(*profiles[i], peak, threads);
    else
      text += std::string(names[i]) + ":\n" + profileToTable(*profiles[i], peak, threads);
  }
  return asJson ? json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n" : text;
}

Batch sliceOf(const Batch &batch, int64_t begin, int64_t end) {
  auto slice = [&](const Array &array) {
    Array part = array;
    if (!array.data)
      return part;
    part.sizes[0] = end - begin;
    part.data += static_cast<uint64_t>(begin) * (array.bytes() / static_cast<uint64_t>(array.sizes[0]));
    return part;
  };
  Batch part;
  part.samples = end - begin;
  part.label = slice(batch.label);
  for (const Array &input : batch.inputs)
    part.inputs.push_back(slice(input));
  return part;
}

} // namespace mlc::train
