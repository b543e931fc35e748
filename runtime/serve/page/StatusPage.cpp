//===- StatusPage.cpp - a page that shows what is served ---------------------------------------------------------===//
#include "runtime/serve/page/StatusPage.h"

#include "runtime/serve/Metrics.h"
#include "runtime/serve/page/PageFiles.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mlc::serve {

using nlohmann::json;

namespace {

/// Nothing from elsewhere, nothing in line, in nobody's frame.
constexpr char securityPolicy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                                  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct File final {
  std::string_view path, type, content;
};
const File files[] = {{"/", "text/html; charset=utf-8", page::indexHtml},
                      {"/page.css", "text/css; charset=utf-8", page::pageCss},
                      {"/page.js", "text/javascript; charset=utf-8", page::pageJs}};

json tensorsJson(const std::vector<TensorInfo> &infos, const std::vector<std::string> &symbols) {
  json tensors = json::array();
  for (const TensorInfo &info : infos) {
    json sizes = json::array();
    for (size_t axis = 0; axis < info.sizes.size(); ++axis) {
      if (info.sizes[axis] >= 0)
        sizes.push_back(info.sizes[axis]);
      else
        sizes.push_back(info.symbols[axis] >= 0 ? symbols[info.symbols[axis]] : "?");
    }
    tensors.push_back({{"name", info.name}, {"datatype", openInferenceName(info.dtype)}, {"sizes", sizes}});
  }
  return tensors;
}

/// Nothing for a model without versions, or one that has been taken out meanwhile.
std::vector<VersionStatus> statusesOf(const Registry &registry, const std::string &model) {
  try {
    return registry.statuses(model);
  } catch (const Error &) {
    return {};
  }
}
std::map<std::string, int64_t> labelsOf(const Registry &registry, const std::string &model) {
  try {
    return registry.labels(model);
  } catch (const Error &) {
    return {};
  }
}

double micros(std::chrono::nanoseconds time) { return double(time.count()) / 1000; }

/// What a loaded version adds to its line.
void describe(json &entry, const Version &version) {
  Statistics sums = version.statistics();
  entry["inputs"] = tensorsJson(version.signature().inputs, version.signature().symbols);
  entry["outputs"] = tensorsJson(version.signature().outputs, version.signature().symbols);
  entry["classes"] = version.labels().size();
  entry["waiting"] = version.waiting();
  entry["batching"] = version.policy().batching;
  entry["created"] = version.manifest().created;
  entry["source"] = version.manifest().source;
  entry["commit"] = version.manifest().commit;
  entry["inferences"] = sums.inferences;
  entry["executions"] = sums.executions;
  entry["success"] = sums.success.count;
  entry["fail"] = sums.fail.count;
  entry["success_us"] = micros(sums.success.time);
  entry["queue_us"] = micros(sums.queue.time);
  entry["infer_us"] = micros(sums.infer.time);
}

} // namespace

bool StatusPage::handles(std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  return path == "/status.json" ||
         std::any_of(std::begin(files), std::end(files), [&](const File &file) { return file.path == path; });
}

void StatusPage::operator()(const std::shared_ptr<const http::Request> &request, const http::Respond &respond) const {
  if (request->method != "GET")
    return respond(http::errorResponse(405, "Method Not Allowed"));
  http::Response response;
  response.headers = {{"Content-Security-Policy", securityPolicy},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-store"}};
  if (request->path() == "/status.json") {
    response.body = statusJson();
  } else {
    const File *file = std::find_if(std::begin(files), std::end(files),
                                    [&](const File &file) { return file.path == request->path(); });
    response.type = file->type;
    response.body = file->content;
  }
  respond(std::move(response));
}

std::string StatusPage::statusJson() const {
  const Registry &registry = services.registry;
  json models = json::array();
  for (const std::string &name : registry.models()) {
    json versions = json::array();
    std::vector<std::shared_ptr<Version>> available = registry.available(name);
    for (const VersionStatus &status : statusesOf(registry, name)) {
      json entry = {{"version", std::to_string(status.number)},
                    {"state", tensorflow::serving::ModelVersionStatus::State_Name(static_cast<int>(status.state))},
                    {"error", status.status.message}};
      for (const std::shared_ptr<Version> &version : available)
        if (version->number == status.number)
          describe(entry, *version);
      versions.push_back(std::move(entry));
    }
    Metrics::Latencies latencies = services.telemetry.metrics().latencies(name);
    models.push_back({{"name", name},
                      {"labels", labelsOf(registry, name)},
                      {"versions", std::move(versions)},
                      {"latency", {{"bounds_us", latencies.bounds}, {"counts", latencies.counts}}}});
  }
  json body = {{"server", "mlc-serve"},
               {"version", MLC_SERVE_VERSION},
               {"ready", services.ready()},
               {"uptime_s", std::chrono::duration<double>(Clock::now() - start).count()},
               {"models", std::move(models)}};
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace mlc::serve
