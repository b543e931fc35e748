//===- MonitoringRest.cpp - the pages that Prometheus reads ------------------------------------------------------===//
#include "runtime/serve/rest/MonitoringRest.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/Metrics.h"

#include <iterator>

namespace mlc::serve {

bool MonitoringRest::handles(std::string_view target) const {
  std::string_view path = target.substr(0, target.find('?'));
  return path == "/metrics" || (!tensorFlowPath.empty() && path == tensorFlowPath);
}

void MonitoringRest::operator()(const std::shared_ptr<const http::Request> &request,
                                const http::Respond &respond) const {
  if (request->method != "GET")
    return respond(http::errorResponse(405, "Method Not Allowed"));
  bool all = request->path() == "/metrics";
  if (!all && request->target != tensorFlowPath)
    return respond(http::errorResponse(400, "Unexpected path: " + request->target + ". Should be " + tensorFlowPath));
  std::vector<prometheus::MetricFamily> families = services.telemetry.metrics().tensorFlow(services.registry);
  if (all) {
    std::vector<prometheus::MetricFamily> triton = services.telemetry.metrics().triton(services.registry);
    families.insert(families.end(), std::make_move_iterator(triton.begin()), std::make_move_iterator(triton.end()));
    if (const AccessLog *log = services.telemetry.accessLog()) {
      prometheus::MetricFamily dropped{"mlc_access_log_dropped_lines_total",
                                       "Lines of the access log that were lost because its file was too slow",
                                       prometheus::MetricType::Counter,
                                       {}};
      dropped.metric.emplace_back().counter.value = double(log->dropped());
      families.push_back(std::move(dropped));
    }
  }
  http::Response response;
  response.type = all ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain";
  response.body = metricsText(families);
  respond(std::move(response));
}

} // namespace mlc::serve
