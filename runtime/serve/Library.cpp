//===- Library.cpp - a compiled model in the server's process ----------------------------------------------------===//
#include "runtime/serve/Library.h"

#include "runtime/serve/Error.h"

#include <cstring>
#include <dlfcn.h>
#include <utility>

namespace mlc::serve {

namespace {

void check(mlc_status status) {
  if (status.code != MLC_OK)
    throw Error(static_cast<Code>(status.code), status.message);
}

TensorInfo describe(const mlc_tensor_info &info) {
  return {info.name,
          static_cast<mlc_dtype>(info.dtype),
          {info.sizes, info.sizes + info.rank},
          {info.symbols, info.symbols + info.rank}};
}

Signature describe(const mlc_api &api) {
  Signature signature;
  for (uint32_t i = 0; i < api.num_inputs; ++i)
    signature.inputs.push_back(describe(api.inputs[i]));
  for (uint32_t i = 0; i < api.num_outputs; ++i)
    signature.outputs.push_back(describe(api.outputs[i]));
  signature.symbols.assign(api.symbols, api.symbols + api.num_symbols);
  return signature;
}

} // namespace

Library::Library(const std::string &path) {
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw Error(Code::failedPrecondition, std::string("cannot load the library: ") + dlerror());
  auto find = reinterpret_cast<const mlc_api *(*)()>(dlsym(handle, MLC_LIBRARY_API_SYMBOL));
  if (find)
    description = find();
  if (!find || description->version != MLC_API_VERSION || description->struct_size != sizeof(mlc_api)) {
    std::string reason = find ? "expected version " + std::to_string(MLC_API_VERSION) + " of the API, but got " +
                                    std::to_string(description->version)
                              : "not a library compiled by mlc (no symbol " MLC_LIBRARY_API_SYMBOL ")";
    dlclose(handle);
    throw Error(Code::failedPrecondition, path + ": " + reason);
  }
  itsSignature = describe(*description);
  if (description->gradient)
    itsGradient.reset(new Library(description->gradient));
}

Library::Library(const mlc_api *description) : description(description), itsSignature(describe(*description)) {}

Library::~Library() {
  itsGradient.reset();
  for (auto [threads, model] : idle)
    description->destroy(model);
  if (handle)
    dlclose(handle);
}

Library::Context Library::lend(int threads) {
  {
    std::lock_guard lock(mutex);
    if (auto it = idle.find(threads); it != idle.end()) {
      Context context(*this, threads, it->second);
      idle.erase(it);
      return context;
    }
  }
  mlc_options options = {sizeof(mlc_options), threads, nullptr};
  mlc_model *model = nullptr;
  check(description->create(&options, &model));
  return Context(*this, threads, model);
}

Library::Context::Context(Context &&other) noexcept
    : owner(other.owner), threads(other.threads), model(std::exchange(other.model, nullptr)) {}

Library::Context::~Context() {
  if (!model)
    return;
  std::lock_guard lock(owner->mutex);
  owner->idle.emplace(threads, model);
}

void Library::Context::run(std::span<const Tensor> inputs, std::vector<Tensor> &outputs) {
  const Signature &signature = owner->itsSignature;
  std::vector<mlc_tensor> in(inputs.size()), out(signature.outputs.size());
  // Generated code may use aligned accesses of elements; what came behind an odd header is copied.
  std::vector<std::unique_ptr<std::byte[]>> copies;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor &input = inputs[i];
    const void *data = input.data;
    if (reinterpret_cast<uintptr_t>(data) % elementSize(input.dtype) != 0) {
      copies.push_back(std::make_unique_for_overwrite<std::byte[]>(input.bytes));
      std::memcpy(copies.back().get(), data, input.bytes);
      data = copies.back().get();
    }
    in[i] = {const_cast<void *>(data), input.sizes.data(), input.bytes, static_cast<uint32_t>(input.sizes.size()),
             static_cast<uint32_t>(input.dtype)};
  }
  check(owner->description->run(model, in.data(), out.data()));
  outputs.resize(out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    outputs[i].name = signature.outputs[i].name;
    outputs[i].dtype = static_cast<mlc_dtype>(out[i].dtype);
    outputs[i].sizes.assign(out[i].sizes, out[i].sizes + out[i].rank);
    outputs[i].data = out[i].data;
    outputs[i].bytes = out[i].bytes;
  }
}

} // namespace mlc::serve
