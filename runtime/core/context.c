/* Contexts: create, run, destroy, and what generated code calls during a run. */
#include "runtime/core/context.h"
#include "runtime/core/memory.h"

#include <stdlib.h>
#include <string.h>

uint64_t mlc_dtype_bytes(uint32_t dtype) {
  switch (dtype) {
  case MLC_U8:
  case MLC_I8:
  case MLC_BOOL:
    return 1;
  case MLC_U16:
  case MLC_I16:
  case MLC_F16:
  case MLC_BF16:
    return 2;
  case MLC_F32:
  case MLC_I32:
  case MLC_U32:
    return 4;
  default:
    return 8;
  }
}

/* A context; its weights are at `state`, or the model's own where that is NULL. */
static mlc_status create(const mlc_model_info *info, const mlc_options *options, void *state, mlc_model *sibling,
                         mlc_model **result) {
  *result = NULL;
  if (info->abi_version != MLC_ABI_VERSION || info->struct_size != sizeof(mlc_model_info))
    return mlc_status_make(MLC_FAILED_PRECONDITION, "the model was compiled for another version of the runtime");
  if (options && options->struct_size != sizeof(mlc_options))
    return mlc_status_make(MLC_FAILED_PRECONDITION,
                           "%s: expected mlc_options of %zu bytes, but got %u (set struct_size)", info->api->name,
                           sizeof(mlc_options), options->struct_size);
  if (options && options->threads < 0)
    return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: expected threads of at least 0, but got %d", info->api->name,
                           options->threads);
  const mlc_api *api = info->api;
  size_t sizes = 0;
  for (uint32_t i = 0; i < api->num_inputs; ++i)
    sizes += api->inputs[i].rank;
  mlc_model *model = calloc(1, sizeof *model);
  if (!model)
    return mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: out of memory", api->name);
  model->info = info;
  model->arena = mlc_aligned_alloc(info->arena_bytes);
  model->outputs = calloc(api->num_outputs + 1, sizeof *model->outputs);
  model->input_data = calloc(api->num_inputs + 1, sizeof *model->input_data);
  model->input_sizes = calloc(api->num_inputs + 1, sizeof *model->input_sizes);
  model->typed_sizes = calloc(sizes + 1, sizeof *model->typed_sizes);
  model->symbols = calloc(api->num_symbols + 1, sizeof *model->symbols);
  int failed = !model->arena || !model->outputs || !model->input_data || !model->input_sizes || !model->typed_sizes ||
               !model->symbols;
  for (uint32_t i = 0; !failed && i < api->num_outputs; ++i) {
    model->outputs[i].sizes = calloc(api->outputs[i].rank + 1, sizeof(int64_t));
    failed = !model->outputs[i].sizes;
  }
  mlc_status status = failed  ? mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: cannot allocate %llu bytes of workspace",
                                                api->name, (unsigned long long)info->arena_bytes)
                      : state ? mlc_status_ok()
                              : mlc_weights_open(model, options ? options->weights_path : NULL);
  if (state)
    model->weights = state;
  if (sibling) {
    model->threads = sibling->threads;
    model->borrowed = 1;
  } else if (status.code == MLC_OK && options && options->threads > 1) {
    model->threads = mlc_threads_create(options->threads - 1);
    if (!model->threads)
      status = mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: cannot start %d threads", api->name, options->threads - 1);
  }
  if (status.code != MLC_OK) {
    mlc_rt_destroy(model);
    return status;
  }
  *result = model;
  return status;
}

mlc_status mlc_rt_create(const mlc_model_info *info, const mlc_options *options, mlc_model **model) {
  return create(info, options, NULL, NULL, model);
}

mlc_status mlc_rt_create_stateful(const mlc_model_info *info, const mlc_options *options, void *state,
                                  mlc_model *sibling, mlc_model **model) {
  return create(info, options, state, sibling, model);
}

void mlc_rt_destroy(mlc_model *model) {
  if (!model)
    return;
  for (uint32_t i = 0; model->outputs && i < model->info->api->num_outputs; ++i) {
    free(model->outputs[i].sizes);
    free(model->outputs[i].own);
    free(model->outputs[i].spare);
  }
  if (!model->borrowed)
    mlc_threads_destroy(model->threads);
  mlc_weights_close(model);
  mlc_pool_destroy(&model->pool);
  free(model->arena);
  free(model->outputs);
  free(model->input_data);
  free(model->input_sizes);
  free(model->typed_sizes);
  free(model->symbols);
  free(model->nodes);
  free(model->times);
  free(model);
}

/* Checks input `i` against its signature and binds the symbols that it shows first. */
static mlc_status bind_input(mlc_model *model, uint32_t i, const int64_t *sizes) {
  const mlc_api *api = model->info->api;
  const mlc_tensor_info *info = &api->inputs[i];
  for (uint32_t axis = 0; axis < info->rank; ++axis) {
    int32_t symbol = info->symbols[axis];
    if (sizes[axis] < 0)
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s': axis %u has the negative size %lld", api->name,
                             info->name, axis, (long long)sizes[axis]);
    if (info->sizes[axis] != MLC_DYNAMIC_SIZE && sizes[axis] != info->sizes[axis])
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s': expected size %lld in axis %u, but got %lld",
                             api->name, info->name, (long long)info->sizes[axis], axis, (long long)sizes[axis]);
    if (info->sizes[axis] != MLC_DYNAMIC_SIZE || symbol < 0)
      continue;
    if (model->symbols[symbol] < 0)
      model->symbols[symbol] = sizes[axis];
    else if (model->symbols[symbol] != sizes[axis])
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s': expected size %s = %lld in axis %u, but got %lld",
                             api->name, info->name, api->symbols[symbol], (long long)model->symbols[symbol], axis,
                             (long long)sizes[axis]);
  }
  return mlc_status_ok();
}

static mlc_status execute(mlc_model *model) {
  mlc_frame frame = {model->input_data,
                     model->input_sizes,
                     model->weights,
                     model->arena,
                     model,
                     model->profiling ? model->times : NULL,
                     model->listener};
  model->status = mlc_status_ok();
  model->started = model->marked = model->profiling ? mlc_now() : 0;
  if (setjmp(model->escape) == 0)
    model->info->entry(&frame);
  if (model->profiling) {
    ++model->profile.runs;
    model->profile.nanoseconds += mlc_now() - model->started;
  }
  mlc_pool_give_all(&model->pool);
  return model->status;
}

void mlc_rt_listen(mlc_model *model, const mlc_listener *listener) { model->listener = listener; }

void mlc_rt_ready(mlc_frame *frame, uint64_t offset) { frame->listener->ready(frame->listener->user, offset); }

/* `data`, but NULL for a buffer that an earlier run gave out: that one is ours to replace. */
static void *callers_buffer(const mlc_output *output, void *data) {
  return data == output->own || data == output->spare ? NULL : data;
}

mlc_status mlc_rt_run(mlc_model *model, const mlc_tensor *inputs, mlc_tensor *outputs) {
  const mlc_api *api = model->info->api;
  for (uint32_t i = 0; i < api->num_symbols; ++i)
    model->symbols[i] = -1;
  for (uint32_t i = 0; i < api->num_inputs; ++i) {
    const mlc_tensor_info *info = &api->inputs[i];
    if (inputs[i].dtype != info->dtype)
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s': expected element type %u, but got %u", api->name,
                             info->name, info->dtype, inputs[i].dtype);
    if (inputs[i].rank != info->rank)
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s': expected rank %u, but got %u", api->name,
                             info->name, info->rank, inputs[i].rank);
    uint64_t count = 1;
    for (uint32_t axis = 0; axis < info->rank; ++axis)
      count = inputs[i].sizes[axis] == 0 ? 0 : count;
    if (!inputs[i].data && count)
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s' has no data", api->name, info->name);
    mlc_status status = bind_input(model, i, inputs[i].sizes);
    if (status.code != MLC_OK)
      return status;
    model->input_data[i] = inputs[i].data;
    model->input_sizes[i] = inputs[i].sizes;
  }
  for (uint32_t i = 0; i < api->num_outputs; ++i) {
    model->outputs[i].tensor = &outputs[i];
    model->outputs[i].data = callers_buffer(&model->outputs[i], outputs[i].data);
    model->outputs[i].capacity = outputs[i].bytes;
  }
  return execute(model);
}

static int has_fixed_sizes(const mlc_tensor_info *info) {
  for (uint32_t axis = 0; axis < info->rank; ++axis)
    if (info->sizes[axis] == MLC_DYNAMIC_SIZE && info->symbols[axis] < 0)
      return 0;
  return 1;
}

mlc_status mlc_rt_run_typed(mlc_model *model, const void *const *inputs, const int64_t *symbols, void *const *outputs) {
  const mlc_api *api = model->info->api;
  for (uint32_t i = 0; i < api->num_symbols; ++i) {
    if (symbols[i] < 0)
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: expected a size that is not negative for %s, but got %lld",
                             api->name, api->symbols[i], (long long)symbols[i]);
    model->symbols[i] = symbols[i];
  }
  int64_t *next = model->typed_sizes;
  for (uint32_t i = 0; i < api->num_inputs; ++i) {
    const mlc_tensor_info *info = &api->inputs[i];
    int64_t empty = 0;
    model->input_sizes[i] = next;
    model->input_data[i] = inputs[i];
    for (uint32_t axis = 0; axis < info->rank; ++axis, ++next) {
      *next = info->sizes[axis] == MLC_DYNAMIC_SIZE ? symbols[info->symbols[axis]] : info->sizes[axis];
      empty |= *next == 0;
    }
    if (!inputs[i] && !empty)
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: input '%s' has no data", api->name, info->name);
  }
  for (uint32_t i = 0; i < api->num_outputs; ++i) {
    mlc_output *output = &model->outputs[i];
    if (!outputs[i])
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: output '%s' has no buffer", api->name, api->outputs[i].name);
    if (has_fixed_sizes(&api->outputs[i])) {
      output->tensor = NULL;
      output->data = outputs[i];
      output->capacity = UINT64_MAX;
    } else {
      output->tensor = outputs[i];
      output->data = callers_buffer(output, output->tensor->data);
      output->capacity = output->tensor->bytes;
    }
  }
  return execute(model);
}

/* Leaves the run. */
static _Noreturn void escape(mlc_model *model, mlc_status status) {
  model->status = status;
  longjmp(model->escape, 1);
}

void mlc_rt_fail(mlc_frame *frame, const char *message) {
  mlc_model *model = frame->context;
  escape(model, mlc_status_make(MLC_INVALID_ARGUMENT, "%s: %s", model->info->api->name, message));
}

/* The input of the run that overlaps `bytes` bytes from `data`, or -1. */
static int64_t overlapping_input(const mlc_model *model, const void *data, uint64_t bytes) {
  const mlc_api *api = model->info->api;
  for (uint32_t i = 0; i < api->num_inputs; ++i) {
    uint64_t size = mlc_dtype_bytes(api->inputs[i].dtype);
    for (uint32_t axis = 0; axis < api->inputs[i].rank; ++axis)
      size *= (uint64_t)model->input_sizes[i][axis];
    uintptr_t begin = (uintptr_t)model->input_data[i], other = (uintptr_t)data;
    if (begin < other + bytes && other < begin + size)
      return i;
  }
  return -1;
}

/* The model's own buffer for an output. Kernels write outputs while inputs are still read, so where the caller passes
 * the last run's output as an input (a state), two buffers take turns. */
static void *own_buffer(mlc_model *model, mlc_output *output, const mlc_tensor_info *info, uint64_t bytes) {
  if (output->own && overlapping_input(model, output->own, output->own_bytes) >= 0) {
    void *own = output->own;
    uint64_t own_bytes = output->own_bytes;
    output->own = output->spare;
    output->own_bytes = output->spare_bytes;
    output->spare = own;
    output->spare_bytes = own_bytes;
  }
  if (!output->own || output->own_bytes < bytes) {
    free(output->own);
    output->own_bytes = 0;
    output->own = mlc_aligned_alloc(bytes);
    if (!output->own)
      escape(model, mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: cannot allocate %llu bytes for output '%s'",
                                    model->info->api->name, (unsigned long long)bytes, info->name));
    output->own_bytes = bytes;
  }
  return output->own;
}

void *mlc_rt_output(mlc_frame *frame, uint32_t index, const int64_t *sizes) {
  mlc_model *model = frame->context;
  const mlc_api *api = model->info->api;
  const mlc_tensor_info *info = &api->outputs[index];
  mlc_output *output = &model->outputs[index];
  uint64_t bytes = mlc_dtype_bytes(info->dtype);
  for (uint32_t axis = 0; axis < info->rank; ++axis) {
    int64_t expected = info->symbols[axis] >= 0 ? model->symbols[info->symbols[axis]] : info->sizes[axis];
    if (expected != MLC_DYNAMIC_SIZE && sizes[axis] != expected)
      escape(model, mlc_status_make(MLC_INVALID_ARGUMENT,
                                    "%s: output '%s': expected size %lld in axis %u, but the model computed %lld",
                                    api->name, info->name, (long long)expected, axis, (long long)sizes[axis]));
    output->sizes[axis] = sizes[axis];
    if (sizes[axis] < 0 || __builtin_mul_overflow(bytes, (uint64_t)sizes[axis], &bytes))
      escape(model, mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: output '%s' is too large", api->name, info->name));
  }
  void *data = output->data;
  if (data && output->capacity < bytes)
    escape(model,
           mlc_status_make(MLC_INVALID_ARGUMENT, "%s: output '%s': expected a buffer of %llu bytes, but got %llu",
                           api->name, info->name, (unsigned long long)bytes, (unsigned long long)output->capacity));
  if (!data) {
    data = own_buffer(model, output, info, bytes);
  } else {
    int64_t input = overlapping_input(model, data, bytes);
    if (input >= 0)
      escape(model, mlc_status_make(MLC_INVALID_ARGUMENT, "%s: the buffer of output '%s' overlaps input '%s'",
                                    api->name, info->name, api->inputs[input].name));
  }
  if (output->tensor) {
    output->tensor->data = data;
    output->tensor->sizes = output->sizes;
    output->tensor->bytes = bytes;
    output->tensor->rank = info->rank;
    output->tensor->dtype = info->dtype;
  }
  return data;
}

void *mlc_rt_alloc(mlc_frame *frame, uint64_t bytes) {
  mlc_model *model = frame->context;
  void *buffer = mlc_pool_take(&model->pool, bytes);
  if (!buffer)
    escape(model, mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: cannot allocate %llu bytes", model->info->api->name,
                                  (unsigned long long)bytes));
  return buffer;
}

void mlc_rt_free(mlc_frame *frame, void *buffer) { mlc_pool_give(&frame->context->pool, buffer); }
