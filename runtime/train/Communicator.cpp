//===- Communicator.cpp - the processes of a data-parallel run ---------------------------------------------------===//
//
// Open MPI (4.x and 5.x: libmpi.so.40) is loaded when mpirun started the process, so an executable does not depend on
// it. Of its ABI this needs these functions and the addresses of two objects, MPI_COMM_WORLD and MPI_BYTE.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Communicator.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace mlc::train {

namespace {

constexpr const char *kLibrary = "libmpi.so.40";

template <typename T> T symbol(void *library, const char *name) {
  void *address = dlsym(library, name);
  if (!address)
    throw InputError(std::string(kLibrary) + ": expected Open MPI, but it has no " + name);
  return reinterpret_cast<T>(address);
}

} // namespace

bool Communicator::isFirst() {
  const char *rank = std::getenv("OMPI_COMM_WORLD_RANK");
  return !rank || std::strcmp(rank, "0") == 0;
}

Communicator::Communicator() {
  if (!std::getenv("OMPI_COMM_WORLD_SIZE"))
    return;
  // Global, since its plugins look for its symbols.
  void *library = dlopen(kLibrary, RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    throw InputError(std::string("cannot load ") + kLibrary +
                     ", which runs under mpirun need (Debian: libopenmpi3): " + dlerror());
  auto init = symbol<int (*)(int *, char ***, int, int *)>(library, "MPI_Init_thread");
  auto rankOf = symbol<int (*)(void *, int *)>(library, "MPI_Comm_rank");
  auto sizeOf = symbol<int (*)(void *, int *)>(library, "MPI_Comm_size");
  allgather = symbol<decltype(allgather)>(library, "MPI_Allgather");
  allgatherv = symbol<decltype(allgatherv)>(library, "MPI_Allgatherv");
  iallgather = symbol<Begin>(library, "MPI_Iallgather");
  ialltoall = symbol<Begin>(library, "MPI_Ialltoall");
  test = symbol<decltype(test)>(library, "MPI_Test");
  abortAll = symbol<decltype(abortAll)>(library, "MPI_Abort");
  world = symbol<void *>(library, "ompi_mpi_comm_world");
  byte = symbol<void *>(library, "ompi_mpi_byte");
  int provided = 0;
  constexpr int kSerialized = 2; // MPI_THREAD_SERIALIZED
  check(init(nullptr, nullptr, kSerialized, &provided), "MPI_Init_thread");
  isThreaded = provided >= kSerialized;
  finalize = symbol<decltype(finalize)>(library, "MPI_Finalize");
  check(rankOf(world, &number), "MPI_Comm_rank");
  check(sizeOf(world, &count), "MPI_Comm_size");
}

Communicator::~Communicator() {
  if (finalize)
    finalize();
}

void Communicator::check(int code, const char *what) {
  if (code != 0)
    throw InputError(std::string(what) + " failed with code " + std::to_string(code));
}

void Communicator::wait(void *request, const std::atomic<bool> &ends) {
  for (int isDone = 0; !isDone;) {
    check(test(&request, &isDone, /*MPI_STATUS_IGNORE=*/nullptr), "MPI_Test");
    if (isDone)
      return;
    if (ends)
      throw InputError("the exchange with other processes was given up");
    // What waits here shares its processor with what computes.
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

void Communicator::run(Begin begin, const char *name, const float *from, int64_t elements, float *to,
                       const std::atomic<bool> &ends) {
  int bytes = static_cast<int>(elements * static_cast<int64_t>(sizeof(float)));
  if (!finalize) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  void *request = nullptr;
  check(begin(from, bytes, byte, to, bytes, byte, world, &request), name);
  wait(request, ends);
}

void Communicator::gather(const float *from, int64_t elements, float *to, const std::atomic<bool> &ends) {
  run(iallgather, "MPI_Iallgather", from, elements, to, ends);
}

void Communicator::exchange(const float *from, int64_t elements, float *to, const std::atomic<bool> &ends) {
  run(ialltoall, "MPI_Ialltoall", from, elements, to, ends);
}

std::vector<std::string> Communicator::gather(const std::string &text) {
  if (!finalize)
    return {text};
  int bytes = static_cast<int>(text.size());
  std::vector<int> sizes(static_cast<size_t>(count)), places(sizes.size(), 0);
  check(allgather(&bytes, sizeof bytes, byte, sizes.data(), sizeof bytes, byte, world), "MPI_Allgather");
  std::partial_sum(sizes.begin(), sizes.end() - 1, places.begin() + 1);
  std::string all(static_cast<size_t>(std::accumulate(sizes.begin(), sizes.end(), int64_t(0))), '\0');
  check(allgatherv(text.data(), bytes, byte, all.data(), sizes.data(), places.data(), byte, world), "MPI_Allgatherv");
  std::vector<std::string> texts;
  for (size_t i = 0; i < sizes.size(); ++i)
    texts.push_back(all.substr(static_cast<size_t>(places[i]), static_cast<size_t>(sizes[i])));
  return texts;
}

void Communicator::abort(int code) {
  if (finalize)
    abortAll(world, code);
}

} // namespace mlc::train
