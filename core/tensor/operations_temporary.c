#include <math.h>
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
Tensor *t_square(Tensor *x) { return t_mul(x, x); }
Tensor *t_mean(Tensor *x, int axis, bool keep) { return t_scale(t_sum(x, axis, keep), 1.0 / (double)x->shape[axis]); }
Tensor *t_add_scalar(Tensor *x, double t) { return t_add(x, t_full(x->type, 0, NULL, t)); }
static int sample_one(Random *random, int variant, Tensor **inputs)
{ (void)variant; inputs[0] = sample_leaf(random, 1, 2, SHAPE(3, 4)); return 1; }
static void backward_rs(const Node *node, Tensor *gradient, Tensor **gradients)
{ Tensor *r = t_rsqrt(node->inputs[0]); gradients[0] = t_scale(t_mul(gradient, t_mul(r, t_mul(r, r))), -.5); }
static Tensor *app(Tensor **i, int v) { (void)v; return t_rsqrt(i[0]); }
const OperationDef operation_rs = { .component = {.name = "zz", .summary = "x"}, .backward = backward_rs, .variants = 1, .inputs = sample_one, .apply = app };
Tensor *t_rsqrt(Tensor *x) { Tensor *r = t_like(x); for (int64_t i = 0; i < x->count; i++) tensor_set(r, i, 1 / sqrt(tensor_value(x, i)));
 op_record(&operation_rs, r, 1, &x, NULL, 0); return r; }
