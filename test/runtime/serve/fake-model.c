/* A model as mlc-opt makes them, without the compiler: y = SCALE * x + OFFSET on f32[N, D], or x * x with SQUARE; the
 * latter has gradients. For tests of the server,
 * which compile it several times with other numbers. With DELAY_MS a run takes that long; a run whose first value is
 * FAILS_AT fails; GROW_BYTES of memory are touched by create and freed by destroy. BROKEN is of another version,
 * SINGLE takes one row. */
#include "mlc/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef SCALE
#define SCALE 1
#endif
#ifndef OFFSET
#define OFFSET 0
#endif
#ifndef DELAY_MS
#define DELAY_MS 0
#endif
#ifndef FAILS_AT
#define FAILS_AT -12345
#endif
#ifndef GROW_BYTES
#define GROW_BYTES 0
#endif
#ifndef INPUT
#define INPUT "x"
#endif
#ifndef OUTPUT
#define OUTPUT "y"
#endif

struct mlc_model {
  float *output;
  size_t capacity;
  int64_t sizes[2];
  char *memory;
};

#ifdef SINGLE
static const int64_t sizes[] = {1, MLC_DYNAMIC_SIZE};
static const int32_t axes[] = {-1, 1};
#else
static const int64_t sizes[] = {MLC_DYNAMIC_SIZE, MLC_DYNAMIC_SIZE};
static const int32_t axes[] = {0, 1};
#endif
static const char *const symbols[] = {"N", "D"};
static const mlc_tensor_info input = {INPUT, sizes, axes, MLC_F32, 2};
static const mlc_tensor_info output = {OUTPUT, sizes, axes, MLC_F32, 2};
static const mlc_status ok = {MLC_OK, ""};

static mlc_status create(const mlc_options *options, mlc_model **model) {
  *model = calloc(1, sizeof(mlc_model));
  if (GROW_BYTES) {
    (*model)->memory = malloc(GROW_BYTES);
    memset((*model)->memory, 1, GROW_BYTES);
  }
  return ok;
}

static mlc_status run(mlc_model *model, const mlc_tensor *inputs, mlc_tensor *outputs) {
  size_t count = (size_t)(inputs->sizes[0] * inputs->sizes[1]);
  const float *x = inputs->data;
  if (DELAY_MS)
    nanosleep(&(struct timespec){DELAY_MS / 1000, DELAY_MS % 1000 * 1000000L}, NULL);
  for (int64_t row = 0; inputs->sizes[1] > 0 && row < inputs->sizes[0]; ++row) // rows may be many, and empty
    if (x[row * inputs->sizes[1]] == FAILS_AT)
      return (mlc_status){MLC_INVALID_ARGUMENT, "fake: a value is out of range"};
  if (model->capacity < count) {
    free(model->output);
    model->output = malloc(count * sizeof(float));
    model->capacity = count;
  }
  float *y = outputs->data ? outputs->data : model->output;
  for (size_t i = 0; i < count; ++i)
#ifdef SQUARE
    y[i] = x[i] * x[i];
#else
    y[i] = SCALE * x[i] + OFFSET;
#endif
  model->sizes[0] = inputs->sizes[0];
  model->sizes[1] = inputs->sizes[1];
  *outputs = (mlc_tensor){y, model->sizes, count * sizeof(float), 2, MLC_F32};
  return ok;
}

static void destroy(mlc_model *model) {
  if (!model)
    return;
  free(model->output);
  free(model->memory);
  free(model);
}

#ifdef SQUARE
static mlc_status run_gradient(mlc_model *model, const mlc_tensor *inputs, mlc_tensor *outputs) {
  mlc_status status = run(model, inputs, outputs); // for the buffer
  const float *x = inputs[0].data, *cotangent = inputs[1].data;
  float *gradient = outputs->data;
  for (int64_t i = 0; i < inputs->sizes[0] * inputs->sizes[1]; ++i)
    gradient[i] = 2 * x[i] * cotangent[i];
  return status;
}

static const mlc_tensor_info gradient_inputs[] = {{INPUT, sizes, axes, MLC_F32, 2},
                                                  {"cotangent/" OUTPUT, sizes, axes, MLC_F32, 2}};
static const mlc_tensor_info gradient_output = {"gradient/" INPUT, sizes, axes, MLC_F32, 2};
static const mlc_api gradient_api = {.version = MLC_API_VERSION,
                                     .struct_size = sizeof(mlc_api),
                                     .name = "fake_gradient",
                                     .metadata = "{}",
                                     .inputs = gradient_inputs,
                                     .outputs = &gradient_output,
                                     .symbols = symbols,
                                     .num_inputs = 2,
                                     .num_outputs = 1,
                                     .num_symbols = 2,
                                     .create = create,
                                     .run = run_gradient,
                                     .destroy = destroy};
#define GRADIENT .gradient = &gradient_api,
#else
#define GRADIENT
#endif

#ifdef BROKEN
#define VERSION 999
#else
#define VERSION MLC_API_VERSION
#endif

static const mlc_api api = {GRADIENT.version = VERSION,
                            .struct_size = sizeof(mlc_api),
                            .name = "fake",
                            .metadata = "{}",
                            .inputs = &input,
                            .outputs = &output,
                            .symbols = symbols,
                            .num_inputs = 1,
                            .num_outputs = 1,
                            .num_symbols = 2,
                            .create = create,
                            .run = run,
                            .destroy = destroy};

const mlc_api *mlc_library_api(void) { return &api; }
