// Optimizers: from the gradient G and the state to new weights, as `optim/_optimizers.py` has them,
// where their sources stand.

typedef struct {
  const REAL *settings; // SETTINGS numbers
  REAL rate, length, floor, total; // total: the weights of a batch's examples, 1 for their mean
} Step;

INLINE int is_plain(const REAL *settings) {
  return settings[L2] == 0 && settings[WEIGHT_DECAY] == 0 && settings[CLIP_NORM] == (REAL)INFINITY;
}

// Scale the whole gradient down to `clip_norm` where it is longer.
OWN void clip(const Lane *lane, REAL limit) {
  REAL norm = root_of(sum_squares(lane->G, lane->size));
  if (!(norm > limit)) return;
  REAL factor = limit / norm;
  for (long i = 0; i < lane->size; i += V) STORE(lane->G + i, LOAD(lane->G + i) * factor);
}

// An average whose gradients have become 0 would decay into subnormal numbers and stay there, and
// many processors are slow at them. Adding and taking away a number that dwarfs them makes them 0.
OWN void clear_traces(const Lane *lane, long slots) {
  for (long s = 0; s < slots; s++)
    for (long i = 0; i < lane->size; i += V)
      STORE(lane->state[s] + i, (LOAD(lane->state[s] + i) + GUARD) - GUARD);
}

INLINE vec adam(vec g, REAL *m, REAL *v, const Step *step) {
  vec first = LOAD(m) * step->settings[MEMORY] + g;
  vec second = LOAD(v) * step->settings[BETA2] + g * g;
  STORE(m, first);
  STORE(v, second);
  return first / (root(second) + step->floor);
}

// The step of some weights; g: their gradient
INLINE vec direction(const int optimizer, vec g, REAL *m, REAL *v, const Step *step) {
  const REAL *settings = step->settings;
  vec next;
  switch (optimizer) {
    case SGD: return g * step->rate;
    case MOMENTUM:
    case NESTEROV:
      next = LOAD(m) * settings[MEMORY] + g;
      STORE(m, next);
      if (optimizer == NESTEROV) next = g + next * settings[MEMORY];
      return next * step->rate;
    case ADAGRAD:
      next = LOAD(m) + g * g;
      STORE(m, next);
      return g / (root(next) + settings[EPSILON]) * step->rate;
    case RMSPROP:
      next = LOAD(m) * settings[MEMORY] + g * g * ((REAL)1 - settings[MEMORY]);
      STORE(m, next);
      return g / (root(next) + settings[EPSILON]) * step->rate;
    default: return adam(g, m, v, step) * (step->rate * step->length);
  }
}

// Change the weights from the i-th on, whose gradient is g.
INLINE void change(const int optimizer, const Lane *lane, long i, vec g, const Step *step) {
  REAL l2 = step->settings[L2] * step->total, decay = step->settings[WEIGHT_DECAY] * step->rate;
  vec w = LOAD(lane->W + i);
  vec by = direction(optimizer, g + w * l2, lane->state[0] + i, lane->state[1] + i, step);
  STORE(lane->W + i, w - (by + w * decay));
}

#define EVERY_OPTIMIZER(STEPS)                                                                    \
  STEPS(SGD) STEPS(MOMENTUM) STEPS(NESTEROV) STEPS(ADAGRAD) STEPS(RMSPROP) STEPS(ADAM)

// What is the same for every number
OWN void step_each(const Lane *lane, long optimizer, const Step *step) {
#define STEPS(KIND)                                                                               \
  case KIND:                                                                                      \
    for (long i = 0; i < lane->size; i += V) change(KIND, lane, i, LOAD(lane->G + i), step);      \
    break;
  switch (optimizer) { EVERY_OPTIMIZER(STEPS) }
#undef STEPS
}

INLINE void step_rows(const int optimizer, const Lane *lane, const Layer *layer, const REAL *phi,
                      const Step *step) {
  for (long c = 0; c < layer->padded; c += PANEL) {
    long width = panel_width(c, layer->padded), at = layer->at + panel_at(c, layer->inputs);
    for (long i = 0; i < layer->inputs; i++, at += width)
      for (long v = 0; v < width; v += V)
        change(optimizer, lane, at + v, phi[i] * LOAD(layer->delta + c + v), step);
  }
}

// The same for a layer and a single example: its gradient, phi' delta, is written nowhere.
OWN void step_of_one(const Lane *lane, const Layer *layer, const REAL *phi, long optimizer,
                     const Step *step) {
#define STEPS(KIND)                                                                               \
  case KIND: step_rows(KIND, lane, layer, phi, step); break;
  switch (optimizer) { EVERY_OPTIMIZER(STEPS) }
#undef STEPS
}

// rate * trust |W| / (|u| + decay |W|), or the rate where a norm is 0
INLINE REAL trusted(REAL rate, REAL trust, REAL weights, REAL length, REAL decay) {
  if (!(weights > 0 && length > 0)) return rate;
  return trust * weights / (length + decay * weights) * rate;
}

// LARS and LAMB scale the step of each layer by the length of its weights.
OWN void step_layers(const Lane *lane, long optimizer, const Step *step) {
  const REAL *settings = step->settings;
  REAL l2 = settings[L2] * step->total, decay = settings[WEIGHT_DECAY];
  for (long l = 0; l < lane->network->layers; l++) {
    long at = lane->layers[l].at, size = lane->layers[l].inputs * lane->layers[l].padded;
    REAL *W = lane->W + at, *G = lane->G + at, *m = lane->state[0] + at;
    for (long i = 0; i < size; i += V) {
      vec g = LOAD(G + i) + LOAD(W + i) * l2;
      if (optimizer == LAMB)
        g = adam(g, m + i, lane->state[1] + at + i, step) * step->length + LOAD(W + i) * decay;
      STORE(G + i, g);
    }
    REAL weights = root_of(sum_squares(W, size)), length = root_of(sum_squares(G, size));
    if (optimizer == LAMB) {
      REAL rate = trusted(step->rate, 1, weights, length, 0);
      for (long i = 0; i < size; i += V) STORE(W + i, LOAD(W + i) - LOAD(G + i) * rate);
      continue;
    }
    REAL rate = trusted(step->rate, settings[TRUST], weights, length, decay);
    for (long i = 0; i < size; i += V) {
      vec w = LOAD(W + i);
      vec next = LOAD(m + i) * settings[MEMORY] + (LOAD(G + i) + w * decay) * rate;
      STORE(m + i, next);
      STORE(W + i, w - next);
    }
  }
}

OWN void descend(const Lane *lane, long optimizer, const Step *step) {
  if (step->settings[CLIP_NORM] < (REAL)INFINITY) clip(lane, step->settings[CLIP_NORM]);
  if (optimizer == LARS || optimizer == LAMB) step_layers(lane, optimizer, step);
  else step_each(lane, optimizer, step);
}
