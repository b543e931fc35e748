//===- Rpc.cpp - calls of gRPC, from their arrival to their answer ------------------------------------------------===//
#include "runtime/serve/grpc/Rpc.h"

#include <cctype>

namespace mlc::serve {

namespace {

std::string_view metadata(const grpc::ServerContext &context, const char *key) {
  auto it = context.client_metadata().find(key);
  return it == context.client_metadata().end() ? std::string_view()
                                               : std::string_view(it->second.data(), it->second.size());
}

/// "ipv4:127.0.0.1:51234" -> "127.0.0.1:51234", "ipv6:%5B::1%5D:51234" -> "[::1]:51234".
std::string plainPeer(std::string peer) {
  if (peer.starts_with("ipv4:") || peer.starts_with("ipv6:"))
    peer.erase(0, 5);
  for (auto [escape, character] : {std::pair("%5B", '['), std::pair("%5D", ']')})
    if (size_t at = peer.find(escape); at != std::string::npos)
      peer.replace(at, 3, 1, character);
  return peer;
}

} // namespace

grpc::Status toGrpcStatus(const Status &status) {
  constexpr size_t most = 1024;
  std::string message = status.message;
  if (message.size() > most) {
    size_t end = most;
    while (end > most - 4 && (message[end] & 0xc0) == 0x80) // not within a character of UTF-8
      --end;
    message.resize(end);
    message += "...TRUNCATED";
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code), message);
}

RpcQueue::RpcQueue(const Services &services, Admit admit, std::unique_ptr<grpc::ServerCompletionQueue> events)
    : itsServices(services), admit(std::move(admit)), itsEvents(std::move(events)) {}

RpcQueue::~RpcQueue() { stop(); }

void RpcQueue::start(int count) {
  threads.emplace([this] { return wait(); }, [this] { return poll(); }, count);
}

bool RpcQueue::wait() {
  void *tag;
  bool ok;
  if (!itsEvents->Next(&tag, &ok))
    return false;
  static_cast<RpcEvent *>(tag)->happened(ok);
  return true;
}

bool RpcQueue::poll() {
  void *tag;
  bool ok;
  if (itsEvents->AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC)) != grpc::CompletionQueue::GOT_EVENT)
    return false;
  static_cast<RpcEvent *>(tag)->happened(ok);
  return true;
}

void RpcQueue::stop() {
  {
    std::unique_lock lock(mutex);
    if (stopped)
      return;
    changed.wait(lock, [this] { return calls == 0; });
    stopped = true;
  }
  itsEvents->Shutdown();
  if (!threads) // the server never started
    while (wait()) {
    }
  threads.reset();
}

bool RpcQueue::admits(const grpc::ServerContext &context) const {
  return !admit || admit(metadata(context, "authorization"));
}

void RpcQueue::born() {
  std::lock_guard lock(mutex);
  ++calls;
}

void RpcQueue::died() {
  std::lock_guard lock(mutex);
  if (--calls == 0)
    changed.notify_all();
}

Rpc::Rpc(RpcQueue &queue) : itsQueue(queue) { queue.born(); }

Rpc::~Rpc() { itsQueue.died(); }

void Rpc::arrived(const char *service, const char *api, bool open) {
  call.start = Clock::now();
  call.entrypoint = "GRPC";
  call.api = api;
  call.method = "POST";
  call.path = std::string("/") + service + "/" + api;
  call.peer = plainPeer(context.peer());
  call.traceParent = metadata(context, "traceparent");
  call.requestId = metadata(context, "x-request-id");
  for (const auto &[name, value] : answerHeaders(call)) {
    std::string key = name;
    for (char &character : key)
      character = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
    context.AddInitialMetadata(key, value);
  }
  if (!open && !itsQueue.admits(context))
    throw Error(Code::unauthenticated, "expected the metadata 'authorization: Bearer TOKEN' with a known token");
}

void Rpc::limit(Request &request) const {
  std::chrono::system_clock::time_point deadline = context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max())
    request.deadline = Clock::now() + (deadline - std::chrono::system_clock::now());
  request.cancelled = gone;
}

} // namespace mlc::serve
