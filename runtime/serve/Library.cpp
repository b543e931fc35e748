//===- Library.cpp - a compiled model in the server's process ----------------------------------------------------===//
#include "runtime/serve/Library.h"

#include "runtime/serve/Error.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
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

/// A file that is loaded. The dynamic linker knows files by the names they were opened with, and gives out the old one
/// where another file has the name now. So each file is opened through a descriptor of its folder: no other file has
/// this name as long as the descriptor is open. It also finds the weights of a folder that has been moved.
struct Library::Image final {
  explicit Image(const std::string &path) {
    size_t slash = path.rfind('/');
    std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
    folder =
        open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
      throw Error(Code::failedPrecondition, "cannot load the library: " + path + ": " + std::strerror(errno));
    handle = dlopen(("/proc/self/fd/" + std::to_string(folder) + "/" + base).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      std::string reason = dlerror();
      close(folder);
      throw Error(Code::failedPrecondition, "cannot load the library: " + path + ": " + reason);
    }
  }
  ~Image() {
    dlclose(handle);
    close(folder);
  }

  /// The image of a file; of a file that is loaded the one that there is, so that it has one name only. Opening and
  /// closing exclude each other, lest the linker knows a file by a name whose descriptor was closed.
  static std::shared_ptr<Image> of(const std::string &path) {
    static std::mutex mutex;
    static std::map<std::pair<dev_t, ino_t>, std::unique_ptr<Image>> images;
    struct stat status;
    if (stat(path.c_str(), &status) != 0)
      throw Error(Code::failedPrecondition, "cannot load the library: " + path + ": " + std::strerror(errno));
    std::pair<dev_t, ino_t> file(status.st_dev, status.st_ino);
    std::lock_guard lock(mutex);
    auto found = images.find(file);
    if (found == images.end())
      found = images.emplace(file, std::make_unique<Image>(path)).first;
    ++found->second->users;
    return {found->second.get(), [file](Image *image) {
              std::lock_guard lock(mutex);
              if (--image->users == 0)
                images.erase(file);
            }};
  }

  int folder;
  void *handle;
  int users = 0;
};

Library::Library(const std::string &path) : image(Image::of(path)) {
  auto find = reinterpret_cast<const mlc_api *(*)()>(dlsym(image->handle, MLC_LIBRARY_API_SYMBOL));
  if (find)
    description = find();
  if (!find || description->version != MLC_API_VERSION || description->struct_size != sizeof(mlc_api)) {
    std::string reason = find ? "expected version " + std::to_string(MLC_API_VERSION) + " of the API, but got " +
                                    std::to_string(description->version)
                              : "not a library compiled by mlc (no symbol " MLC_LIBRARY_API_SYMBOL ")";
    throw Error(Code::failedPrecondition, path + ": " + reason);
  }
  itsSignature = describe(*description);
  if (description->gradient)
    itsGradient.reset(new Library(description->gradient));
}

Library::Library(const mlc_api *description) : description(description), itsSignature(describe(*description)) {}

Library::~Library() {
  itsGradient.reset();
  for (const auto &[threads, models] : idle)
    for (mlc_model *model : models)
      description->destroy(model);
}

Library::Context Library::lend(int threads) {
  {
    std::lock_guard lock(mutex);
    if (std::vector<mlc_model *> &models = idle[threads]; !models.empty()) {
      mlc_model *model = models.back();
      models.pop_back();
      return Context(*this, threads, model);
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
  owner->idle[threads].push_back(model);
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
