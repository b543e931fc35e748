//===- Library.h - a compiled model in the server's process ------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_LIBRARY_H
#define MLC_RUNTIME_SERVE_LIBRARY_H

#include "runtime/serve/Tensor.h"

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

namespace mlc::serve {

/// A loaded library and its contexts. A context works with a fixed number of threads and serves one run at a time, so
/// they are kept by that number and lent; results do not depend on it. Thread-safe.
class Library final {
public:
  /// Loads `path`; throws Error FAILED_PRECONDITION where it is not a library of ours, or of another version.
  explicit Library(const std::string &path);
  ~Library();
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;

  const mlc_api &api() const { return *description; }
  const Signature &signature() const { return itsSignature; }
  /// The model's gradients, where it was compiled with them; else null.
  Library *gradient() const { return itsGradient.get(); }

  /// A context that is lent; goes back at the end of its life.
  class Context final {
  public:
    Context(Context &&other) noexcept;
    Context &operator=(Context &&) = delete;
    ~Context();

    /// Runs the model on inputs in its order. The outputs belong to the context until the next run or its return.
    /// Throws Error of the model's status.
    void run(std::span<const Tensor> inputs, std::vector<Tensor> &outputs);

  private:
    friend class Library;
    Context(Library &owner, int threads, mlc_model *model) : owner(&owner), threads(threads), model(model) {}
    Library *owner;
    int threads;
    mlc_model *model;
  };

  /// A context of `threads` threads; throws Error (RESOURCE_EXHAUSTED where memory or threads are).
  Context lend(int threads);

private:
  explicit Library(const mlc_api *description);
  struct Image;
  std::shared_ptr<Image> image; // null for gradients, which live in the model's
  const mlc_api *description = nullptr;
  Signature itsSignature;
  std::unique_ptr<Library> itsGradient;
  std::mutex mutex;
  std::map<int, std::vector<mlc_model *>> idle; // by number of threads; the last is lent first: its memory is cached
};

} // namespace mlc::serve

#endif
