//===- Version.h - a version of a model that is loaded ------------------------------------------------ -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_VERSION_H
#define MLC_RUNTIME_SERVE_VERSION_H

#include "runtime/serve/Log.h"
#include "runtime/serve/Manifest.h"
#include "runtime/serve/Scheduler.h"

#include <memory>
#include <string>

namespace mlc::serve {

/// How the recorded requests of a version ran.
struct WarmUpReport final {
  Status status;
  int records = 0; ///< that were read
  std::chrono::nanoseconds duration{0};
};

/// How versions of a model are loaded.
struct LoadOptions final {
  QueuePolicy queue;             ///< where the folder has no batching_params.pbtxt or config.pbtxt of its own
  bool perModelBatching = false; ///< whether such a file is read
  bool warmUp = true;
  int warmUpIterations = 1;
  Log log; ///< of warnings; may be null
  /// Told of each warm-up, also of one that failed, on the thread that loads; may be null.
  std::function<void(const std::string &folder, const WarmUpReport &report)> warmedUp = nullptr;
};

/// A loaded version: whoever holds a pointer to it can run it, also when it has been taken out of service meanwhile.
/// Thread-safe.
class Version final : public std::enable_shared_from_this<Version> {
public:
  /// Verifies the folder's manifest, loads the library, runs the warm-up records and compares golden outputs. Throws
  /// Error with the reason where the version cannot be served.
  static std::shared_ptr<Version> load(const std::string &model, int64_t number, const std::string &folder,
                                       const LoadOptions &options, Scheduler &scheduler);
  /// The same for a folder whose manifest was verified.
  static std::shared_ptr<Version> load(const std::string &model, int64_t number, const std::string &folder,
                                       Manifest manifest, const LoadOptions &options, Scheduler &scheduler);

  const std::string model;
  const int64_t number;
  const std::string folder;

  const Manifest &manifest() const { return itsManifest; }
  const Signature &signature() const { return library.signature(); }
  /// Names of classes, one a line of labels.txt; empty where there is none.
  const std::vector<std::string> &labels() const { return itsLabels; }
  /// Of its queue; batching only where the model can be batched.
  const QueuePolicy &policy() const { return queue.policy(); }
  Statistics statistics() const { return queue.statistics(); }
  size_t waiting() const { return queue.waiting(); }

  /// Checks a request against the signature and has it run. Throws Error (INVALID_ARGUMENT: names, types, sizes;
  /// UNAVAILABLE: the queue is full); then `done` is not called.
  void infer(Request request, Completion done);

  /// `infer`, but waits. The outputs' data is in `storage`.
  std::vector<Tensor> inferNow(Request request, std::vector<std::vector<std::byte>> &storage);

  /// The model's gradients by its inputs, as a model that is run like this one: further inputs `cotangent/OUTPUT`,
  /// outputs `gradient/INPUT`. Throws Error UNIMPLEMENTED where the model was compiled without them.
  std::vector<Tensor> gradientNow(Request request, std::vector<std::vector<std::byte>> &storage);
  bool hasGradient() const { return library.gradient(); }

private:
  Version(const std::string &model, int64_t number, const std::string &folder, Manifest manifest,
          const QueuePolicy &policy, Scheduler &scheduler);

  Manifest itsManifest;
  std::vector<std::string> itsLabels;
  /// A model, or its gradients, and where requests for it wait.
  struct Runnable final {
    const Signature &signature;
    Queue &queue;
  };
  void infer(Runnable runnable, Request request, Completion done);
  std::vector<Tensor> inferNow(Runnable runnable, Request request, std::vector<std::vector<std::byte>> &storage);

  Library library;
  Queue queue;
  std::unique_ptr<Queue> gradientQueue;
};

} // namespace mlc::serve

#endif
