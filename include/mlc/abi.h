/* The contract between generated code and the runtime: the only file that the compiler and the runtime share.
 *
 * A compiled model is one `mlc_model_info` (constant data), one entry function and a blob of weights. The runtime owns
 * memory and threads; generated code owns arithmetic. Structs are versioned by MLC_ABI_VERSION and size-asserted, so
 * that a library and a tool that disagree say so instead of crashing. C11 and C++17.
 */
#ifndef MLC_ABI_H
#define MLC_ABI_H

#include "mlc/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Changes whenever a struct or a function below changes its meaning. */
#define MLC_ABI_VERSION 5

/** Who wants to know when a run is done with a state of a training program. */
typedef struct mlc_listener {
  /** Called on the thread that runs, in the same order in every run. Must not throw, nor run the program. `offset` is
   *  that of the state. */
  void (*ready)(void *user, uint64_t offset);
  void *user;
} mlc_listener;

/** What one run hands to generated code. `context` belongs to the runtime. */
typedef struct mlc_frame {
  const void *const *inputs;         /**< one pointer an input, to dense row-major elements */
  const int64_t *const *input_sizes; /**< one array of sizes an input */
  const void *weights;               /**< aligned to 64 bytes; of a training program its state, which entries write */
  uint8_t *arena;                    /**< mlc_model_info.arena_bytes, aligned to 64 bytes */
  mlc_model *context;
  mlc_node_time *profile;       /**< one entry a node, for mlc_rt_mark; NULL unless the run is profiled */
  const mlc_listener *listener; /**< for mlc_rt_ready; NULL where nobody listens */
} mlc_frame;

/** All that is known of a compiled model before it runs. Constant data of the library; never freed. */
typedef struct mlc_model_info {
  uint32_t abi_version;     /**< MLC_ABI_VERSION of the compiler */
  uint32_t struct_size;     /**< sizeof(mlc_model_info) of the compiler */
  const mlc_api *api;       /**< what the outside sees of the model */
  uint64_t arena_bytes;     /**< workspace of one run, planned at compile time */
  const void *weights;      /**< the weights inside the library, or NULL when they are in a file or there are none */
  uint64_t weights_bytes;   /**< size of the weights, wherever they are */
  const char *weights_file; /**< file name of external weights, relative to the library's folder, or NULL */
  void (*entry)(mlc_frame *frame); /**< computes all outputs; reports errors through mlc_rt_fail */
  const mlc_node_info *nodes;      /**< what `entry` does between its calls of mlc_rt_mark; NULL for none */
  uint32_t num_nodes;
  uint32_t reserved;
} mlc_model_info;

/** What a state of a training program is for. */
typedef enum mlc_state_role {
  MLC_STATE_PARAMETER = 0, /**< a weight that is trained */
  MLC_STATE_FROZEN = 1,    /**< a weight that is not */
  MLC_STATE_STATISTIC = 2, /**< a running mean or variance of a batch normalization */
  MLC_STATE_OPTIMIZER = 3, /**< what an optimizer keeps of the past */
  MLC_STATE_AVERAGE = 4,   /**< the moving average of a parameter, which evaluation and export use */
  MLC_STATE_GRADIENT = 5   /**< the sum of gradients since the last update; zeros between updates */
} mlc_state_role;

/** A tensor that lives from one step to the next. */
typedef struct mlc_state_info {
  const char *name;        /**< of a weight its own; otherwise `<slot>/<weight>`, as "adam_m/dense.kernel" */
  const int64_t *sizes;    /**< `rank` sizes */
  uint64_t offset;         /**< from the begin of the state in bytes, a multiple of 64 */
  const void *data;        /**< its bytes before the first step, or NULL */
  const char *initializer; /**< where there are none: a JSON object with "kind" and its numbers; NULL for zeros */
  uint32_t dtype;          /**< an mlc_dtype */
  uint32_t rank;
  uint32_t role; /**< an mlc_state_role */
  uint32_t reserved;
} mlc_state_info;

/** A training program. Constant data of the executable. The entries work on one state that the runtime owns; each is an
 * ordinary model, whose inputs and outputs have names: the model's own, then those said here. */
typedef struct mlc_train_info {
  uint32_t abi_version; /**< MLC_ABI_VERSION of the compiler */
  uint32_t struct_size; /**< sizeof(mlc_train_info) of the compiler */
  const char *name;     /**< of the model */
  const char *
      config; /**< a JSON object: loss, optimizer, schedule, metrics, batch, epochs …, as docs/Training.md lists them */
  const mlc_model_info *step;      /**< inputs…, label, learning_rate (f32), iteration (i64), seed (i64) -> loss (f32),
                                      outputs…; updates the state */
  const mlc_model_info *gradients; /**< inputs…, label, weight (f32), iteration, seed -> loss, outputs…; adds the
                                      gradients of weight * loss */
  const mlc_model_info
      *apply; /**< learning_rate, iteration -> nothing; updates by the summed gradients, and makes them zero */
  const mlc_model_info *evaluate; /**< inputs…, label -> loss, outputs… */
  const mlc_model_info *predict;  /**< inputs… -> outputs… */
  const mlc_state_info *states;
  uint64_t state_bytes;
  const void *onnx; /**< the model for inference as a serialized ModelProto without its weights, or NULL */
  uint64_t onnx_bytes;
  const char *onnx_reason; /**< why there is no ONNX model, where there is none */
  uint32_t num_states;
  uint32_t reserved;
} mlc_train_info;

/** A loop of a parallel region. */
typedef struct mlc_step {
  void (*body)(void *captures, int64_t begin, int64_t end); /**< computes a range; must not fail */
  void *captures;
  int64_t count; /**< of the iterations, which are independent */
  int64_t grain; /**< each range is at least so long */
  int32_t node;  /**< where the time of the step goes when the run is profiled, or -1 */
  int32_t waits; /**< whether all steps before it must be done when it starts */
  int64_t parts; /**< of the runtime */
} mlc_step;

#if defined(__cplusplus)
#define MLC_STATIC_ASSERT static_assert
#else
#define MLC_STATIC_ASSERT _Static_assert
#endif
MLC_STATIC_ASSERT(sizeof(mlc_tensor) == 32, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_tensor_info) == 32, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_node_info) == 32, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_node_time) == 16, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_profile) == 40, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_api) == 112, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_model_info) == 72, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_frame) == 56, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_state_info) == 56, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_train_info) == 112, "ABI");
MLC_STATIC_ASSERT(sizeof(mlc_step) == 48, "ABI");

/* -- Called by the functions that a library exports. Hidden symbols, linked statically into every library. ----------
 */

/** mlc_api.create of the model `info`. */
mlc_status mlc_rt_create(const mlc_model_info *info, const mlc_options *options, mlc_model **model);

/** mlc_api.create of a model that was compiled for several processors: `levels` are the same model for x86-64-v2, -v3
 *  and -v4 (with AVX512-VNNI); the best that this processor has is taken, or the one that the environment variable
 *  MLC_CPU_LEVEL (v2, v3, v4) names. MLC_FAILED_PRECONDITION where the processor does not have it. */
mlc_status mlc_rt_create_multi(const mlc_model_info *const *levels, const mlc_options *options, mlc_model **model);

/** A context of an entry of a training program on `state`, the caller's, aligned to 64 bytes. Contexts of one program
 * run one at a time; with `sibling` they share its threads, and it is destroyed last. */
mlc_status mlc_rt_create_stateful(const mlc_model_info *info, const mlc_options *options, void *state,
                                  mlc_model *sibling, mlc_model **model);

/** The runs of a stateful context that follow tell `listener`, the caller's, when they are done with a state. Only
 * @gradients says so, and only of gradients; NULL ends it. */
void mlc_rt_listen(mlc_model *model, const mlc_listener *listener);

/** The main function of a training executable; the exit code is 0 when done, 1 where the input is at fault, 2 for
 * usage, 70 for a bug. */
int mlc_train_main(const mlc_train_info *info, int argc, char **argv);

/** mlc_api.run and mlc_api.destroy. */
mlc_status mlc_rt_run(mlc_model *model, const mlc_tensor *inputs, mlc_tensor *outputs);
void mlc_rt_destroy(mlc_model *model);

/** mlc_api.profile_start and mlc_api.profile_stop. */
mlc_status mlc_rt_profile_start(mlc_model *model, const mlc_profile **profile);
void mlc_rt_profile_stop(mlc_model *model);

/** The typed run: one pointer an input, the value of each symbol, one pointer an output. An output whose sizes all are
 *  static or symbols is a buffer of that size; any other is an mlc_tensor. */
mlc_status mlc_rt_run_typed(mlc_model *model, const void *const *inputs, const int64_t *symbols, void *const *outputs);

/* -- Called by generated code during a run. ---------------------------------------------------------------------------
 */

/** The buffer for output `index` of `sizes` (as many as its rank). Does not return if the caller's buffer does not fit.
 */
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

/** Runs `count` steps on the threads of the context, so that the ranges of each cover [0, step.count) once; returns
 * when all are done. The threads are woken once, however many steps there are. Must not nest. In a run that is profiled
 *  each step ends before the next one starts, and is marked. Only from the thread that called the entry. */
void mlc_rt_parallel(mlc_frame *frame, mlc_step *steps, int64_t count);

/** Adds the time since the last mark, or since the start of the run, to node `node`. Only from the thread that called
 *  the entry, and only where frame->profile is not NULL. */
void mlc_rt_mark(mlc_frame *frame, uint32_t node);

/** Says what a call of node `node` does in this run, where that is known only now: arithmetic operations, and bytes of
 *  operands; 0 for what is not known. Only where frame->profile is not NULL. */
void mlc_rt_work(mlc_frame *frame, uint32_t node, uint64_t flops, uint64_t bytes);

/** Tells the listener that the rest of the run does not touch the state at `offset`. Only from the thread that called
 * the entry, and only where frame->listener is not NULL. */
void mlc_rt_ready(mlc_frame *frame, uint64_t offset);

#ifdef __cplusplus
}
#endif
#endif
