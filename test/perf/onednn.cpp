// The peer oneDNN: one matrix product or one convolution, in a process that answers how long it takes.
//
// usage: onednn matmul f32|bf16|int8 M N K
//        onednn conv any|plain CIN H W COUT K STRIDE PAD GROUPS
//
// Prints `ready IMPLEMENTATION`, then answers each line `SECONDS` on standard input with {"median_ms": …, "min_ms": …,
// "runs": …}. Weights are constant: they are reordered once, before anything is timed, into the format that oneDNN asks
// for. The other sides of a matmul are row-major, as ours are. Those of a convolution are in oneDNN's own format
// (`any`; what it gives inside a network) or NCHW (`plain`; what a network's first caller has). bf16 gives bf16; int8
// is u8 x s8 and gives s32. Builds with oneDNN 2 and 3.
#include <dnnl.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using dnnl::memory;
using Type = memory::data_type;
using Tag = memory::format_tag;

struct Call final {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
  std::string implementation;
};

/// Fills plain memory with numbers that are random and never zero.
void fill(memory &target) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> magnitude(0.05f, 1.0f);
  auto signedValue = [&] { return magnitude(random) * (random() & 1 ? 1.0f : -1.0f); };
  void *data = target.get_data_handle();
  const auto desc = target.get_desc();
#if DNNL_VERSION_MAJOR >= 3
  const Type type = desc.get_data_type();
#else
  const Type type = desc.data_type();
#endif
  const size_t bytes = desc.get_size();
  if (type == Type::f32) {
    std::generate_n(static_cast<float *>(data), bytes / 4, signedValue);
  } else if (type == Type::bf16) {
    std::generate_n(static_cast<uint16_t *>(data), bytes / 2, [&] {
      const float value = signedValue();
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      return uint16_t(bits >> 16);
    });
  } else {
    std::generate_n(static_cast<uint8_t *>(data), bytes, [&] { return uint8_t(1 + random() % 255); });
  }
}

/// Random memory of a plain layout, brought into `wanted`.
memory operand(dnnl::engine &engine, dnnl::stream &stream, const memory::desc &plain, const memory::desc &wanted) {
  memory source(plain, engine);
  fill(source);
  if (plain == wanted)
    return source;
  memory target(wanted, engine);
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return target;
}

Call matmul(dnnl::engine &engine, dnnl::stream &stream, const std::string &kind, const std::vector<long> &size) {
  const Type lhs = kind == "f32" ? Type::f32 : kind == "bf16" ? Type::bf16 : Type::u8;
  const Type rhs = kind == "int8" ? Type::s8 : lhs, out = kind == "int8" ? Type::s32 : lhs;
  const long m = size.at(0), n = size.at(1), k = size.at(2);
  const memory::desc a({m, k}, lhs, Tag::ab), b({k, n}, rhs, Tag::ab), any({k, n}, rhs, Tag::any),
      c({m, n}, out, Tag::ab);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc desc(engine, a, any, c);
#else
  const dnnl::matmul::primitive_desc desc({a, any, c}, engine);
#endif
  return {dnnl::matmul(desc),
          {{DNNL_ARG_SRC, operand(engine, stream, a, desc.src_desc())},
           {DNNL_ARG_WEIGHTS, operand(engine, stream, b, desc.weights_desc())},
           {DNNL_ARG_DST, memory(desc.dst_desc(), engine)}},
          desc.impl_info_str()};
}

Call convolution(dnnl::engine &engine, dnnl::stream &stream, const std::string &layout, const std::vector<long> &size) {
  const long cin = size.at(0), h = size.at(1), w = size.at(2), cout = size.at(3), kernel = size.at(4),
             stride = size.at(5);
  const long pad = size.at(6), groups = size.at(7);
  const memory::dims in{1, cin, h, w};
  const memory::dims out{1, cout, (h + 2 * pad - kernel) / stride + 1, (w + 2 * pad - kernel) / stride + 1};
  const memory::dims filter = groups == 1 ? memory::dims{cout, cin, kernel, kernel}
                                          : memory::dims{groups, cout / groups, cin / groups, kernel, kernel};
  const Tag data = layout == "any" ? Tag::any : Tag::nchw;
  const memory::desc x(in, Type::f32, data), f(filter, Type::f32, Tag::any), y(out, Type::f32, data);
  const memory::desc plainX(in, Type::f32, Tag::nchw), plainF(filter, Type::f32, groups == 1 ? Tag::oihw : Tag::goihw);
  const memory::dims strides{stride, stride}, padding{pad, pad};
  const auto mode = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_auto;
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::convolution_forward::primitive_desc desc(engine, mode, algorithm, x, f, y, strides, padding, padding);
#else
  const dnnl::convolution_forward::primitive_desc desc({mode, algorithm, x, f, y, strides, padding, padding}, engine);
#endif
  return {dnnl::convolution_forward(desc),
          {{DNNL_ARG_SRC, operand(engine, stream, plainX, desc.src_desc())},
           {DNNL_ARG_WEIGHTS, operand(engine, stream, plainF, desc.weights_desc())},
           {DNNL_ARG_DST, memory(desc.dst_desc(), engine)}},
          desc.impl_info_str()};
}

double milliseconds() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void measure(Call &call, dnnl::stream &stream, double seconds) {
  auto run = [&] {
    call.primitive.execute(stream, call.arguments);
    stream.wait();
  };
  // A tenth of the time warms caches, clock and threads up again after the other engines' turns.
  for (const double end = milliseconds() + seconds * 100; milliseconds() < end;)
    run();
  std::vector<double> times;
  for (const double end = milliseconds() + seconds * 1000; times.size() < 3 || milliseconds() < end;) {
    const double start = milliseconds();
    run();
    times.push_back(milliseconds() - start);
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"median_ms\": %.6f, \"min_ms\": %.6f, \"runs\": %zu}\n", times[times.size() / 2], times[0],
              times.size());
  std::fflush(stdout);
}

} // namespace

int main(int argc, char **argv) try {
  if (argc < 4) {
    std::fputs("usage: onednn matmul f32|bf16|int8 M N K, or onednn conv any|plain CIN H W COUT K STRIDE PAD GROUPS\n",
               stderr);
    return 2;
  }
  std::vector<long> size;
  for (int i = 3; i < argc; ++i)
    size.push_back(std::stol(argv[i]));
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  Call call = argv[1] == std::string("matmul") ? matmul(engine, stream, argv[2], size)
                                               : convolution(engine, stream, argv[2], size);
  std::printf("ready %s\n", call.implementation.c_str());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);)
    measure(call, stream, std::stod(line));
  return 0;
} catch (const std::exception &error) {
  std::printf("failed: %s\n", error.what());
  return 1;
}
