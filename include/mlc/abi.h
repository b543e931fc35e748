/* The contract between generated code and the runtime: the only file that the compiler and the runtime share.
 *
 * A compiled model is one `mlc_model_info` (constant data), one entry function and a blob of weights. The runtime owns
 * memory and threads; generated code owns arithmetic. Every struct is versioned by MLC_ABI_VERSION and size-asserted,
 * so a library and a tool that disagree say so instead of crashing. C11 and C++17; no other mlc header is needed.
 */
#ifndef MLC_ABI_H
#define MLC_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Changes whenever a struct or a function below changes its meaning. */
#define MLC_ABI_VERSION 1

/** A size that is known only at run time. */
#define MLC_DYNAMIC_SIZE ((int64_t)-1)

/** Element types, numbered as ONNX's TensorProto.DataType. Booleans are one byte, 0 or 1. */
typedef enum mlc_dtype {
  MLC_F32 = 1,
  MLC_U8 = 2,
  MLC_I8 = 3,
  MLC_U16 = 4,
  MLC_I16 = 5,
  MLC_I32 = 6,
  MLC_I64 = 7,
  MLC_BOOL = 9,
  MLC_F16 = 10,
  MLC_F64 = 11,
  MLC_U32 = 12,
  MLC_U64 = 13,
  MLC_BF16 = 16
} mlc_dtype;

/** One input or output of a model. */
typedef struct mlc_tensor_info {
  const char *name;       /**< the name in the source model, UTF-8 */
  const int64_t *sizes;   /**< `rank` sizes; MLC_DYNAMIC_SIZE where known only at run time */
  const int32_t *symbols; /**< `rank` indices into mlc_model_info.symbols, -1 where a size has no symbol */
  uint32_t dtype;         /**< an mlc_dtype */
  uint32_t rank;
} mlc_tensor_info;

struct mlc_frame;

/** All that is known of a compiled model before it runs. Constant data of the library; never freed. */
typedef struct mlc_model_info {
  uint32_t abi_version; /**< MLC_ABI_VERSION of the compiler */
  uint32_t struct_size; /**< sizeof(mlc_model_info) of the compiler */
  const char *name;     /**< the C identifier its functions are named after */
  const mlc_tensor_info *inputs;
  const mlc_tensor_info *outputs;
  const char *const *symbols; /**< names of the symbolic sizes, in the order they first appear in the inputs */
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_symbols;
  uint32_t reserved;
  const char *metadata;      /**< a JSON object: producer, opset, target and the source's own key/value pairs */
  uint64_t arena_bytes;      /**< workspace of one run, aligned to 64 bytes, planned at compile time */
  const void *weights;       /**< the weights inside the library, or NULL when they are in a file or there are none */
  uint64_t weights_bytes;    /**< size of the weights, wherever they are */
  const char *weights_file;  /**< file name of external weights, relative to the library's folder, or NULL */
  void (*entry)(struct mlc_frame *frame); /**< computes all outputs; reports errors through mlc_rt_fail */
} mlc_model_info;

/** What one run hands to generated code. `context` and what follows it belong to the runtime. */
typedef struct mlc_frame {
  const void *const *inputs;         /**< one pointer an input, to dense row-major elements */
  const int64_t *const *input_sizes; /**< one array of sizes an input */
  const void *weights;               /**< aligned to 64 bytes */
  uint8_t *arena;                    /**< mlc_model_info.arena_bytes, aligned to 64 bytes */
  void *context;
} mlc_frame;

#if defined(__cplusplus)
static_assert(sizeof(mlc_tensor_info) == 32, "ABI");
static_assert(sizeof(mlc_model_info) == 104, "ABI");
static_assert(sizeof(mlc_frame) == 40, "ABI");
#else
_Static_assert(sizeof(mlc_tensor_info) == 32, "ABI");
_Static_assert(sizeof(mlc_model_info) == 104, "ABI");
_Static_assert(sizeof(mlc_frame) == 40, "ABI");
#endif

/* -- Functions of the runtime that generated code calls. Hidden symbols, linked statically into every library. --- */

/** The buffer for output `index` of `sizes` (as many as its rank). Does not return if the caller's buffer has other
 *  sizes or is too small; allocates where the caller left the buffer to the library. */
void *mlc_rt_output(mlc_frame *frame, uint32_t index, const int64_t *sizes);

/** `bytes` of workspace aligned to 64 for buffers whose size is known only at run time; from the context's pool, so a
 *  second run with the same sizes allocates nothing. Never NULL: ends the run when memory is exhausted. */
void *mlc_rt_alloc(mlc_frame *frame, uint64_t bytes);

/** Returns a buffer of mlc_rt_alloc to the pool. What is not returned comes back when the run ends. */
void mlc_rt_free(mlc_frame *frame, void *buffer);

/** Ends the run with MLC_INVALID_ARGUMENT and a copy of `message`. Only from the thread that called the entry. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void mlc_rt_fail(mlc_frame *frame, const char *message);

/** Calls `body(captures, begin, end)` so that the ranges cover [0, count) once, on the threads of the context. Ranges
 *  are blocks of at least `grain`. The order is unspecified; returns when all are done. Must not nest. */
void mlc_rt_parallel_for(mlc_frame *frame, void (*body)(void *captures, int64_t begin, int64_t end), void *captures,
                         int64_t count, int64_t grain);

#ifdef __cplusplus
}
#endif
#endif
