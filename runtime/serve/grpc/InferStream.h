//===- InferStream.h - Triton's stream of inferences -------------------------------------------------- -*- C++ -*-===//
// A client sends requests without waiting for answers; these come in the order in which they are done, each with the id
// of its request. What fails is said in its answer and does not end the stream. So that a client that does not read
// cannot fill the memory, no more is read while `mostOpen` requests have not been answered.
#ifndef MLC_RUNTIME_SERVE_GRPC_INFERSTREAM_H
#define MLC_RUNTIME_SERVE_GRPC_INFERSTREAM_H

#include "inference.grpc.pb.h"
#include "runtime/serve/grpc/Rpc.h"

namespace mlc::serve {

class InferStream final : public Rpc, public std::enable_shared_from_this<InferStream> {
public:
  using Service = inference::GRPCInferenceService::AsyncService;

  /// Waits for a stream; it then waits for the next one.
  static void listen(RpcQueue &queue, Service &service);

  ~InferStream() = default;

private:
  static constexpr int mostOpen = 64;

  /// A request of the stream, its answer, and what telemetry is told of it.
  struct Exchange final {
    inference::ModelInferRequest request;
    inference::ModelStreamInferResponse answer;
    Call call;
    std::vector<std::vector<std::byte>> storage;
  };

  InferStream(RpcQueue &queue, Service &service) : Rpc(queue), service(service) {}

  void onArrival(bool ok);
  void onRead(bool ok);
  void onWrite(bool ok);
  void onFinish(bool ok);
  void onDone(bool ok);
  void serve(const std::shared_ptr<Exchange> &exchange);
  void answer(const std::shared_ptr<Exchange> &exchange, const Status &status);
  void proceed();
  void end(bool &event);

  Service &service;
  grpc::ServerAsyncReaderWriter<inference::ModelStreamInferResponse, inference::ModelInferRequest> stream{&context};
  RpcEventOf<InferStream, &InferStream::onArrival> arriveEvent{this};
  RpcEventOf<InferStream, &InferStream::onRead> readEvent{this};
  RpcEventOf<InferStream, &InferStream::onWrite> writeEvent{this};
  RpcEventOf<InferStream, &InferStream::onFinish> finishEvent{this};
  RpcEventOf<InferStream, &InferStream::onDone> doneEvent{this};

  std::mutex mutex;
  std::shared_ptr<InferStream> self;  // until gRPC has no event left for it
  std::shared_ptr<Exchange> incoming; // what is being read
  std::deque<std::shared_ptr<Exchange>> answers;
  int open = 0; // requests that have been read and whose answers have not been written
  bool reading = false, writing = false, lastRead = false, broken = false, finishing = false, finished = false,
       done = false;
};

} // namespace mlc::serve

#endif
