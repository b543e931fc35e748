/* Profiles: the time of each node of a model. Generated code marks the end of each node; a run that is not profiled
 * pays a load and a branch for it. Memory is taken when profiling starts, never in a run. */
#include "runtime/core/context.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t mlc_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

mlc_status mlc_rt_profile_start(mlc_model *model, const mlc_profile **profile) {
  const mlc_model_info *info = model->info;
  *profile = NULL;
  if (!model->times)
    model->times = calloc((size_t)info->num_nodes + 1, sizeof *model->times);
  if (!model->nodes)
    model->nodes = calloc((size_t)info->num_nodes + 1, sizeof *model->nodes);
  if (!model->times || !model->nodes)
    return mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: out of memory", info->api->name);
  memset(model->times, 0, info->num_nodes * sizeof *model->times);
  if (info->num_nodes)
    memcpy(model->nodes, info->nodes, info->num_nodes * sizeof *model->nodes);
  model->profile = (mlc_profile){model->nodes, model->times, info->num_nodes, 0, 0, 0};
  model->profiling = 1;
  *profile = &model->profile;
  return mlc_status_ok();
}

void mlc_rt_profile_stop(mlc_model *model) { model->profiling = 0; }

void mlc_rt_mark(mlc_frame *frame, uint32_t node) {
  mlc_model *model = frame->context;
  uint64_t now = mlc_now();
  ++frame->profile[node].calls;
  frame->profile[node].nanoseconds += now - model->marked;
  model->marked = now;
}

void mlc_rt_work(mlc_frame *frame, uint32_t node, uint64_t flops, uint64_t bytes) {
  frame->context->nodes[node].flops = flops;
  frame->context->nodes[node].bytes = bytes;
}
