/* The C API of a compiled model: what programs, tools and servers call.
 *
 * A compiled model `mnist_cnn` exports, in its generated header, typed functions (mnist_cnn_create, _run, _destroy) and
 * one generic way, `mlc_api`, that describes the model and runs it by position. The generated header holds a copy of
 * this file, so it needs no other one.
 *
 * Threads: a model object is a context, for one call at a time; different objects, of the same or of other models, run
 * concurrently. Errors: every function that can fail returns an mlc_status; no exceptions, no exit, no output.
 */
#ifndef MLC_RUNTIME_H
#define MLC_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Why a call failed. The numbers are those of gRPC. */
typedef enum mlc_code {
  MLC_OK = 0,
  MLC_INVALID_ARGUMENT = 3,    /**< an input has a wrong rank, size, type or value, or an output buffer does not fit */
  MLC_NOT_FOUND = 5,           /**< a file of weights is missing */
  MLC_RESOURCE_EXHAUSTED = 8,  /**< memory or threads ran out */
  MLC_FAILED_PRECONDITION = 9, /**< library and program disagree about the version of the API, or weights do not fit */
  MLC_INTERNAL = 13            /**< a bug of mlc */
} mlc_code;

/** The result of a call. `message` is never NULL, is empty for MLC_OK, and stays valid until the thread's next call. */
typedef struct mlc_status {
  int32_t code;
  const char *message;
} mlc_status;

/** How a model is set up; zero-initialise it, then set `struct_size` and what you need. */
typedef struct mlc_options {
  uint32_t struct_size;     /**< sizeof(mlc_options) */
  int32_t threads;          /**< threads of a run, the calling one included; 0 for one */
  const char *weights_path; /**< file of external weights; NULL for the one beside the library */
} mlc_options;

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

/** A tensor in memory: dense, row-major. */
typedef struct mlc_tensor {
  void *data;           /**< elements; for an output, NULL asks the model for a buffer of its own */
  const int64_t *sizes; /**< `rank` sizes; of an output, set by the run */
  uint64_t bytes;       /**< of an output with `data`, its capacity before and its size after a run; else unused */
  uint32_t rank;        /**< of an output, set by the run */
  uint32_t dtype;       /**< an mlc_dtype; of an output, set by the run */
} mlc_tensor;

/** A size that is known only at run time. */
#define MLC_DYNAMIC_SIZE ((int64_t)-1)

/** One input or output of a model. */
typedef struct mlc_tensor_info {
  const char *name;       /**< the name in the source model, UTF-8 */
  const int64_t *sizes;   /**< `rank` sizes; MLC_DYNAMIC_SIZE where known only at run time */
  const int32_t *symbols; /**< `rank` indices into the symbols of the model, -1 where a size has no symbol */
  uint32_t dtype;         /**< an mlc_dtype */
  uint32_t rank;
} mlc_tensor_info;

/** A context of a model: its workspace and options. */
typedef struct mlc_model mlc_model;

/** One step of a model's code: a kernel or a copy, for one node of the source model or for several that it fuses. */
typedef struct mlc_node_info {
  const char *name; /**< names of the nodes in the source model, joined by '+' */
  const char *kind; /**< contract, elementwise, reduction, fill, copy or loop */
  /** Arithmetic operations of a call. Where they depend on sizes of a run: of the last profiled run; 0 before it, or
   *  where not known. */
  uint64_t flops;
  uint64_t bytes; /**< bytes of its operands, each read or written once; the same */
} mlc_node_info;

/** What a node took. */
typedef struct mlc_node_time {
  uint64_t calls;
  uint64_t nanoseconds;
} mlc_node_time;

/** What the runs of a context took since profiling started. Changes with each run. */
typedef struct mlc_profile {
  const mlc_node_info *nodes; /**< `num_nodes` nodes, in the order of the code */
  const mlc_node_time *times; /**< `num_nodes` times */
  uint32_t num_nodes;         /**< 0 for a model that was compiled without optimisation */
  uint32_t reserved;
  uint64_t runs;
  uint64_t nanoseconds; /**< of all runs, what lies between the nodes included */
} mlc_profile;

/** Version of mlc_api; a library of another version cannot be used. */
#define MLC_API_VERSION 3

/** The generic way to use a model. Constant data of the library. */
typedef struct mlc_api mlc_api;
struct mlc_api {
  uint32_t version;     /**< MLC_API_VERSION of the library */
  uint32_t struct_size; /**< sizeof(mlc_api) of the library */
  const char *name;     /**< the C identifier of the model */
  const char *metadata; /**< a JSON object: format, producer, opset, target, properties of the source model */
  const mlc_tensor_info *inputs;
  const mlc_tensor_info *outputs;
  const char *const *symbols; /**< names of the symbolic sizes, in the order they first appear in the inputs */
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_symbols;
  uint32_t reserved;
  /** Makes a context; `options` may be NULL. */
  mlc_status (*create)(const mlc_options *options, mlc_model **model);
  /** Runs the model on `num_inputs` inputs and fills `num_outputs` outputs. Buffers that the model gave out stay valid
   *  until the next run or destroy. They may be inputs of the next run; a buffer that
   *  the caller gives for an output must not overlap an input, since outputs are written while inputs are read. */
  mlc_status (*run)(mlc_model *model, const mlc_tensor *inputs, mlc_tensor *outputs);
  /** Frees a context; NULL is ignored. */
  void (*destroy)(mlc_model *model);
  /** Makes the runs that follow measure their nodes, from zero; allocates what they need. `profile` is theirs to fill
   *  and valid until destroy; read it between runs. */
  mlc_status (*profile_start)(mlc_model *model, const mlc_profile **profile);
  /** Ends the measuring; the profile stays as it is. */
  void (*profile_stop)(mlc_model *model);
  /** The gradients of the model, as a model of their own with contexts of its own: it takes the inputs, then a
   * cotangent `cotangent/NAME` of each output of floats, and gives `gradient/NAME` of each input of floats. NULL unless
   * the model was compiled with --with-gradient. */
  const mlc_api *gradient;
};

/** The one symbol that tools look up in a shared library: `const mlc_api *mlc_library_api(void)`. */
#define MLC_LIBRARY_API_SYMBOL "mlc_library_api"

#ifdef __cplusplus
}
#endif
#endif
