//===- Request.h - what every protocol asks of a model ------------------------------------------------ -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REQUEST_H
#define MLC_RUNTIME_SERVE_REQUEST_H

#include "runtime/serve/Error.h"
#include "runtime/serve/Tensor.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mlc::serve {

using Clock = std::chrono::steady_clock;

/// One inference. The data of its inputs belongs to the caller until the completion has been called.
struct Request final {
  std::vector<Tensor> inputs;       ///< by name, in any order
  std::vector<std::string> outputs; ///< names of the outputs that are wanted, in this order; empty for all
  Clock::time_point deadline = Clock::time_point::max(); ///< fails with DEADLINE_EXCEEDED if it has not started by then
  uint32_t priority = 0; ///< 1 is the highest; 0 for the model's default. Of meaning where the model has levels
  std::shared_ptr<const std::atomic<bool>> cancelled; ///< becomes true when the client has gone; may be null
};

/// What an inference took.
struct Timing final {
  std::chrono::nanoseconds queue{0}; ///< from its arrival to the start of its batch
  std::chrono::nanoseconds input{0}; ///< putting the batch together
  std::chrono::nanoseconds infer{0}; ///< the model's run
  int64_t batch = 0;                 ///< samples of the run that it was part of
};

/// Called once, on any thread. The outputs are valid only during the call: copy what is needed. Must not throw.
using Completion = std::function<void(const Status &status, std::span<const Tensor> outputs, const Timing &timing)>;

} // namespace mlc::serve

#endif
