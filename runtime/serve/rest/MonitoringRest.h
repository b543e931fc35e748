//===- MonitoringRest.h - the pages that Prometheus reads ---------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_REST_MONITORINGREST_H
#define MLC_RUNTIME_SERVE_REST_MONITORINGREST_H

#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"

namespace mlc::serve {

/// An http::Handler: `/metrics` has everything, and the path of a MonitoringConfig file (monitoringPath in Metrics.h;
/// empty for none) TensorFlow Serving's metrics, which refuses queries as TensorFlow Serving does. Thread-safe.
class MonitoringRest final {
public:
  MonitoringRest(Services &services, std::string tensorFlowPath)
      : services(services), tensorFlowPath(std::move(tensorFlowPath)) {}

  bool handles(std::string_view target) const;
  void operator()(const std::shared_ptr<const http::Request> &request, const http::Respond &respond) const;

private:
  Services &services;
  const std::string tensorFlowPath;
};

} // namespace mlc::serve

#endif
