//===- InferStream.cpp - Triton's stream of inferences ------------------------------------------------------------===//
#include "runtime/serve/grpc/InferStream.h"

#include "runtime/serve/grpc/InferenceService.h"

namespace mlc::serve {

void InferStream::listen(RpcQueue &queue, Service &service) {
  std::shared_ptr<InferStream> rpc(new InferStream(queue, service));
  rpc->self = rpc;
  rpc->context.AsyncNotifyWhenDone(&rpc->doneEvent);
  service.RequestModelStreamInfer(&rpc->context, &rpc->stream, &queue.events(), &queue.events(), &rpc->arriveEvent);
}

void InferStream::onArrival(bool ok) {
  if (!ok) { // the server stops; there is no call
    self = nullptr;
    return;
  }
  listen(itsQueue, service);
  try {
    arrived(inference::GRPCInferenceService::service_full_name(), "ModelStreamInfer", false);
  } catch (...) {
    call.status = currentExceptionStatus();
    itsQueue.services().telemetry.finished(call);
    std::lock_guard lock(mutex);
    finishing = true;
    stream.Finish(toGrpcStatus(call.status), &finishEvent);
    return;
  }
  std::lock_guard lock(mutex);
  proceed();
}

/// Starts what can be done next. With the mutex held.
void InferStream::proceed() {
  if (finishing)
    return;
  if (!reading && !lastRead && open < mostOpen) {
    reading = true;
    incoming = std::make_shared<Exchange>();
    stream.Read(&incoming->request, &readEvent);
  }
  if (!writing && !answers.empty()) {
    writing = true;
    stream.Write(answers.front()->answer, &writeEvent);
  }
  if (lastRead && open == 0 && !reading && !writing) {
    finishing = true;
    stream.Finish(grpc::Status::OK, &finishEvent);
  }
}

void InferStream::onRead(bool ok) {
  std::shared_ptr<Exchange> exchange;
  {
    std::lock_guard lock(mutex);
    reading = false;
    if (ok) {
      exchange = std::move(incoming);
      exchange->call = call;
      exchange->call.start = Clock::now();
      ++open;
    } else {
      lastRead = true;
    }
    proceed(); // the next request is read while this one runs
  }
  if (exchange)
    serve(exchange);
}

void InferStream::serve(const std::shared_ptr<Exchange> &exchange) {
  try {
    exchange->call.requestBytes = exchange->request.ByteSizeLong();
    infer(
        itsQueue.services(),
        {&exchange->request, exchange->answer.mutable_infer_response(), &exchange->call, &exchange->storage},
        [this](Request &request) { limit(request); },
        [self = shared_from_this(), exchange](const Status &status) { self->answer(exchange, status); });
  } catch (...) {
    answer(exchange, currentExceptionStatus());
  }
}

void InferStream::answer(const std::shared_ptr<Exchange> &exchange, const Status &status) {
  Call &ended = exchange->call;
  inference::ModelInferResponse &response = *exchange->answer.mutable_infer_response();
  if (!status.ok()) {
    response.Clear();
    response.set_model_name(exchange->request.model_name());
    response.set_model_version(exchange->request.model_version());
    response.set_id(exchange->request.id());
    exchange->answer.set_error_message(toGrpcStatus(status).error_message());
  }
  const auto &parameters = exchange->request.parameters();
  if (auto it = parameters.find("triton_enable_empty_final_response");
      it != parameters.end() && it->second.bool_param()) // each answer is its request's last one
    (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
  ended.status = status;
  ended.responseBytes = exchange->answer.ByteSizeLong();
  itsQueue.services().telemetry.finished(ended);
  std::lock_guard lock(mutex);
  if (broken)
    --open;
  else
    answers.push_back(exchange);
  proceed();
}

void InferStream::onWrite(bool ok) {
  std::lock_guard lock(mutex);
  writing = false;
  if (!ok) { // the client has gone: nobody reads what is left
    open -= static_cast<int>(answers.size());
    answers.clear();
    broken = true;
  } else {
    answers.pop_front();
    --open;
  }
  proceed();
}

void InferStream::onFinish(bool) { end(finished); }

void InferStream::onDone(bool) {
  *gone = context.IsCancelled();
  end(done);
}

/// After both events that end a stream it goes, unless an answer is just being given.
void InferStream::end(bool &event) {
  std::shared_ptr<InferStream> last;
  std::lock_guard lock(mutex);
  event = true;
  if (finished && done)
    last = std::move(self);
}

} // namespace mlc::serve
