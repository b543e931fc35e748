//===- Explanation.h - which parts of an input a prediction comes from --------------------------------- -*- C++
//-*-===//
//
// Of models that were compiled with --with-gradient:
//   saliency              |dy/dx|                                                (Simonyan, Vedaldi, Zisserman 2014)
//   integrated_gradients  (x - x') * integral of dy/dx on the way from x' to x   (Sundararajan, Taly, Yan 2017)
// where y is one element of an output, the target, and x' the baseline. The integral is Gauss-Legendre's sum; the
// convergence delta, sum of the attributions - (f(x) - f(x')), says how good it is.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_RUNTIME_SERVE_EXPLANATION_H
#define MLC_RUNTIME_SERVE_EXPLANATION_H

#include "runtime/serve/Version.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace mlc::serve {

enum class ExplanationMethod { saliency, integratedGradients };

/// "saliency" or "integrated_gradients"; throws Error INVALID_ARGUMENT.
ExplanationMethod parseExplanationMethod(const std::string &name);

struct ExplanationRequest final {
  std::vector<Tensor> inputs; ///< as of a Request; their data belongs to the caller until the answer is given
  ExplanationMethod method = ExplanationMethod::integratedGradients;
  std::string output;            ///< the one that is explained; empty for the first of floats
  std::vector<int64_t> targets;  ///< element of each sample's output, one for all or one a sample; empty: the largest
  std::vector<Tensor> baselines; ///< by name of an input, of its sizes or of one sample's; zeros for inputs without one
  int steps = 50;                ///< points of the integral, 1 to 1000
  Clock::time_point deadline = Clock::time_point::max();
};

struct Explanation final {
  std::vector<Tensor> attributions;            ///< one an input of floats, of its name, type and sizes
  std::vector<double> convergenceDelta;        ///< one a sample; empty for saliency
  std::vector<int64_t> targets;                ///< one a sample
  std::vector<std::vector<std::byte>> storage; ///< the attributions' data
};

/// Explains the predictions of a version; waits for the runs that it takes. Throws Error: UNIMPLEMENTED where the
/// version has no gradients or an input's type is neither f32 nor f64, INVALID_ARGUMENT for what does not fit the
/// model.
Explanation explain(Version &version, const ExplanationRequest &request);

/// Explains on a thread of its own, one after the other, so that nobody who serves requests waits for many runs.
class Explainer final {
public:
  Explainer();
  ~Explainer();
  /// `done` gets the attributions under the names of the inputs, then "convergence_delta" (f64[N], where there is one)
  /// and "target" (i64[N]). It is called on the explainer's thread and keeps alive what the request points at. Throws
  /// Error UNAVAILABLE where too many wait.
  void submit(std::shared_ptr<Version> version, ExplanationRequest request, Completion done);

private:
  struct Task final {
    std::shared_ptr<Version> version;
    ExplanationRequest request;
    Completion done;
  };
  void work();
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Task> tasks;
  bool stopping = false;
  std::thread worker;
};

/// What the parameters of a request of the Open Inference Protocol ask of an explanation.
struct ExplanationParameters final {
  std::string method;                   ///< "explain"; empty for a prediction
  std::string output;                   ///< "explain_output"
  std::optional<int64_t> target, steps; ///< "explain_target", "explain_steps"
};

/// Runs a request, or explains it where its parameters say so. Throws Error as Version::infer and Explainer::submit do;
/// UNIMPLEMENTED where there is no explainer.
void inferOrExplain(const std::shared_ptr<Version> &version, Request request, const ExplanationParameters &parameters,
                    Explainer *explainer, Completion done);

} // namespace mlc::serve

#endif
