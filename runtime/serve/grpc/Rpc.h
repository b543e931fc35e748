//===- Rpc.h - calls of gRPC, from their arrival to their answer --------------------------------------- -*- C++
//-*-===//
// A server has one completion queue, at which its threads take turns; the thread that takes a call off it also runs the
// model where threads are free, so that a short call changes threads nowhere. gRPC's callback API would do the same on
// threads of its own, but their number is fixed at half the processors: with all of them in a model, nobody would read
// what a batch could take along. Nobody waits here: calls that have to wait do so in the model's queue.
#ifndef MLC_RUNTIME_SERVE_GRPC_RPC_H
#define MLC_RUNTIME_SERVE_GRPC_RPC_H

#include "runtime/serve/BackgroundThread.h"
#include "runtime/serve/EventThreads.h"
#include "runtime/serve/Services.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace mlc::serve {

/// What the completion queue tells of.
class RpcEvent {
public:
  virtual void happened(bool ok) = 0;

protected:
  ~RpcEvent() = default;
};

/// An event that is a method of its owner.
template <typename Owner, void (Owner::*method)(bool)> class RpcEventOf final : public RpcEvent {
public:
  explicit RpcEventOf(Owner *owner) : owner(owner) {}
  void happened(bool ok) override { (owner->*method)(ok); }

private:
  Owner *owner;
};

/// Whether the value of a client's `authorization` lets it in.
using Admit = std::function<bool(std::string_view authorization)>;

/// The completion queue of a server, the threads that wait on it, and those calls that exist.
class RpcQueue final {
public:
  /// `admit` may be null: everyone may do everything.
  RpcQueue(const Services &services, Admit admit, std::unique_ptr<grpc::ServerCompletionQueue> events);
  ~RpcQueue();
  RpcQueue(const RpcQueue &) = delete;
  RpcQueue &operator=(const RpcQueue &) = delete;

  void start(int threads);
  /// Waits until the last call has ended, and ends the threads. The server must have been shut down.
  void stop();

  grpc::ServerCompletionQueue &events() { return *itsEvents; }
  const Services &services() const { return itsServices; }
  bool admits(const grpc::ServerContext &context) const;

  /// Runs what takes long, such as loading a model, on a thread apart, one after the other.
  void later(std::function<void()> work) { background.post(std::move(work)); }

  /// Calls say when they begin and cease to exist.
  void born();
  void died();

private:
  bool wait();
  bool poll();

  const Services itsServices;
  const Admit admit;
  std::unique_ptr<grpc::ServerCompletionQueue> itsEvents;
  std::optional<EventThreads> threads;
  std::mutex mutex;
  std::condition_variable changed;
  int64_t calls = 0;
  bool stopped = false;
  BackgroundThread background;
};

/// A status as gRPC sends it: a message beyond 1,024 bytes is cut, as TensorFlow Serving does.
grpc::Status toGrpcStatus(const Status &status);

/// A call as its handler sees it, whatever its messages are.
class Rpc {
public:
  Rpc(const Rpc &) = delete;
  Rpc &operator=(const Rpc &) = delete;

  Call call;                                   ///< what telemetry will be told
  std::vector<std::vector<std::byte>> storage; ///< data of inputs that had to be converted

  RpcQueue &queue() const { return itsQueue; }
  /// Gives a request the client's deadline, and has it know when the client has gone.
  void limit(Request &request) const;

protected:
  explicit Rpc(RpcQueue &queue);
  ~Rpc();

  /// Fills in what is known of the call on its arrival, and says in the answer how to find it again. Throws Error
  /// UNAUTHENTICATED.
  void arrived(const char *service, const char *api, bool open);

  RpcQueue &itsQueue;
  grpc::ServerContext context;
  const std::shared_ptr<std::atomic<bool>> gone = std::make_shared<std::atomic<bool>>(false);
};

/// A method of one message in and one out.
template <typename In, typename Out> class UnaryRpc final : public Rpc {
public:
  struct Method final {
    const char *service, *api;
    bool open; ///< whether it needs no token
    std::function<void(grpc::ServerContext *, In *, grpc::ServerAsyncResponseWriter<Out> *,
                       grpc::ServerCompletionQueue *, void *)>
        accept;
    std::function<void(UnaryRpc &)> handle; ///< has `finish` called once, or throws
  };

  In request;
  Out response;

  /// Sends the answer, from any thread; the call may be gone afterwards.
  void finish(const Status &status) {
    call.status = status;
    if (status.ok())
      call.responseBytes = response.ByteSizeLong();
    Call ended = std::move(call);
    if (status.ok())
      responder.Finish(response, grpc::Status::OK, &finishEvent);
    else
      responder.FinishWithError(toGrpcStatus(status), &finishEvent);
    itsQueue.services().telemetry.finished(ended);
    release();
  }

  /// Waits for a call of this method; it then waits for the next one.
  static void listen(RpcQueue &queue, std::shared_ptr<const Method> method) {
    auto *rpc = new UnaryRpc(queue, std::move(method));
    rpc->method->accept(&rpc->context, &rpc->request, &rpc->responder, &queue.events(), &rpc->arriveEvent);
  }

private:
  UnaryRpc(RpcQueue &queue, std::shared_ptr<const Method> method) : Rpc(queue), method(std::move(method)) {
    context.AsyncNotifyWhenDone(&doneEvent);
  }

  void onArrival(bool ok) {
    if (!ok) { // the server stops; there is no call
      delete this;
      return;
    }
    listen(itsQueue, method);
    try {
      call.requestBytes = request.ByteSizeLong();
      if (call.requestBytes >= longMessage)
        EventThreads::handOn();
      arrived(method->service, method->api, method->open);
      method->handle(*this);
    } catch (...) {
      finish(currentExceptionStatus());
    }
  }
  void onDone(bool) {
    *gone = context.IsCancelled();
    release();
  }
  void onFinish(bool) { release(); }

  void release() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete this;
  }

  const std::shared_ptr<const Method> method;
  grpc::ServerAsyncResponseWriter<Out> responder{&context};
  std::atomic<int> references{3}; // of the two events that end a call, and of `finish`
  RpcEventOf<UnaryRpc, &UnaryRpc::onArrival> arriveEvent{this};
  RpcEventOf<UnaryRpc, &UnaryRpc::onDone> doneEvent{this};
  RpcEventOf<UnaryRpc, &UnaryRpc::onFinish> finishEvent{this};
};

/// How many calls of a method are waited for at a time.
constexpr int rpcsWaitedFor = 4;

/// Serves a unary method: `accept` is the service's Request… member.
template <typename Service, typename Base, typename In, typename Out, typename Handler>
void serveUnary(RpcQueue &queue, typename Service::AsyncService &async, const char *api,
                void (Base::*accept)(grpc::ServerContext *, In *, grpc::ServerAsyncResponseWriter<Out> *,
                                     grpc::CompletionQueue *, grpc::ServerCompletionQueue *, void *),
                Handler handle, bool open = false) {
  auto method = std::make_shared<typename UnaryRpc<In, Out>::Method>();
  method->service = Service::service_full_name();
  method->api = api;
  method->open = open;
  method->accept = [&async, accept](grpc::ServerContext *context, In *request,
                                    grpc::ServerAsyncResponseWriter<Out> *responder,
                                    grpc::ServerCompletionQueue *events,
                                    void *tag) { (async.*accept)(context, request, responder, events, events, tag); };
  method->handle = std::move(handle);
  for (int i = 0; i < rpcsWaitedFor; ++i)
    UnaryRpc<In, Out>::listen(queue, method);
}

} // namespace mlc::serve

#endif
