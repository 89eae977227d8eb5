// What Python calls: training, evaluation and gradient statistics, lane after lane.

#define CLEARING 32 // updates from one look at traces to the next

INLINE long least(long a, long b) { return a < b ? a : b; }

// Inputs and targets from an example on, counted over all seeds
INLINE const REAL *inputs_at(const Lane *lane, const Data *data, long example) {
  return (const REAL *)data->inputs + example * lane->layers[0].inputs;
}
INLINE const REAL *targets_at(const Lane *lane, const Data *data, long example) {
  return (const REAL *)data->targets + example * lane->network->widths[lane->network->layers];
}

// One update over `rows` examples, from one on
OWN void update(const Lane *lane, const Data *data, const Updates *u, long example, long rows,
                const Step *step) {
  long row = lane->layers[0].inputs;
  int plain = u->optimizer == SGD && is_plain(step->settings);
  REAL weight = u->mean ? (REAL)(1.0 / rows) : (REAL)1;
  if (plain) weight *= -step->rate;
  long at_once = u->at_once ? u->at_once : SLICE;
  transpose_all(lane);
  for (long start = 0; start < rows; start += at_once) {
    long count = least(at_once, rows - start);
    const REAL *phi = inputs_at(lane, data, example + start);
    forward(lane, phi, row, count);
    backward(lane, targets_at(lane, data, example + start), weight, count);
    gradients(lane, phi, row, count, (Use){start == 0, plain && start + count == rows});
  }
  if (!plain) descend(lane, u->optimizer, step);
}

// The same for a batch of one
OWN void update_by_one(const Lane *lane, const Data *data, const Updates *u, long example,
                       const Step *step) {
  const REAL *phi = inputs_at(lane, data, example);
  int plain = u->optimizer == SGD && is_plain(step->settings);
  // Those that need the length of the gradient need it whole.
  int whole = u->optimizer == LARS || u->optimizer == LAMB ||
              step->settings[CLIP_NORM] < (REAL)INFINITY;
  // Only batches of one, one after the other, keep the transposed weights up to date.
  if (!plain || u->batch > 1) transpose_all(lane);
  forward(lane, phi, 0, 1);
  backward(lane, targets_at(lane, data, example), plain ? -step->rate : (REAL)1, 1);
  for (long l = 0; l < lane->network->layers; l++) {
    const Layer *layer = lane->layers + l;
    if (plain || whole)
      gradient_of_one(layer->inputs, layer->padded, phi, layer->delta,
                      (plain ? lane->W : lane->G) + layer->at, plain);
    else step_of_one(lane, layer, phi, u->optimizer, step);
    phi = layer->psi - 1;
    if (plain && l) // the transposed weights take the same step
      gradient_of_one(layer->outputs, layer[-1].padded, layer->delta, layer[-1].psi,
                      layer->transposed, 1);
  }
  if (whole) descend(lane, u->optimizer, step);
}

// Make a lane's updates; return the first, from 1, after which its weights were not finite, if
// `dating`; otherwise whether they are at the end.
OWN long train_lane(const Lane *lane, const Data *data, const Updates *u, long seed,
                    long setting, long settings, int dating) {
  Step step = {.settings = (const REAL *)u->settings + setting * SETTINGS};
  transpose_all(lane);
  long number = 0;
  for (long start = 0; start < data->examples; start += u->batch, number++) {
    long rows = least(u->batch, data->examples - start), at = number * settings + setting;
    long example = seed * data->examples + start;
    step.rate = ((const REAL *)u->rates)[at];
    step.total = u->mean ? 1 : rows;
    if (u->lengths) step.length = ((const REAL *)u->lengths)[at];
    if (u->floors) step.floor = ((const REAL *)u->floors)[at];
    if ((u->before + number) % CLEARING == 0) clear_traces(lane, u->slots);
    if (rows == 1) update_by_one(lane, data, u, example, &step);
    else update(lane, data, u, example, rows, &step);
    if (dating && !is_finite(lane->W, lane->size)) return number + 1;
  }
  return !is_finite(lane->W, lane->size);
}

// Train every active lane over the examples in their order. `diverged` (seed, setting) becomes the
// update, from 1, after which a lane's weights were not finite, 0 for none. Returns 0 for too little
// memory.
int train(const Network *network, const Lanes *lanes, const Data *data, const Updates *u,
          int64_t *diverged) {
  Lane lane;
  if (!open_lane(&lane, network, least(SLICE, u->batch), u->slots, 1 + u->slots)) return 0;
  for (long number = 0; number < lanes->seeds * lanes->settings; number++) {
    if (!lanes->active[number]) continue;
    long seed = number / lanes->settings, setting = number % lanes->settings;
    long first = number * network->parameters, bytes = lane.size * sizeof(REAL);
    convert(&lane, (REAL *)lanes->parameters + first, lane.W, 0);
    memcpy(lane.W_before, lane.W, bytes);
    for (long s = 0; s < u->slots; s++) {
      convert(&lane, (REAL *)u->state[s] + first, lane.state[s], 0);
      memcpy(lane.state_before[s], lane.state[s], bytes);
    }
    diverged[number] = train_lane(&lane, data, u, seed, setting, lanes->settings, 0);
    if (diverged[number]) {
      memcpy(lane.W, lane.W_before, bytes);
      for (long s = 0; s < u->slots; s++) memcpy(lane.state[s], lane.state_before[s], bytes);
      diverged[number] = train_lane(&lane, data, u, seed, setting, lanes->settings, 1);
    }
    convert(&lane, (REAL *)lanes->parameters + first, lane.W, 1);
    for (long s = 0; s < u->slots; s++)
      convert(&lane, (REAL *)u->state[s] + first, lane.state[s], 1);
  }
  close_lane(&lane);
  return 1;
}

INLINE REAL sum_outputs(const Layer *layer, const REAL *terms) {
  REAL block[BLOCK] __attribute__((aligned(64))) = {0};
  for (long c = 0; c < layer->padded; c += V) {
    vec term = (vec)((bits)LOAD(terms + c) & layer->mask[c / V]);
    STORE(block + c % BLOCK, LOAD(block + c % BLOCK) + term);
  }
  return sum_block(block);
}

// The loss of an example, the terms being written to delta
INLINE REAL loss_of(const Lane *lane, const Layer *layer, const REAL *t, long r) {
  const REAL *net = layer->net + r * layer->row, *psi = layer->psi + r * layer->row;
  REAL *terms = layer->delta + r * layer->row;
  switch (lane->network->loss) {
    case SQUARED_ERROR: // 1/2 (t - psi)^2
      for (long c = 0; c < layer->padded; c += V) {
        vec error = LOAD(psi + c) - LOAD(t + c);
        STORE(terms + c, error * error);
      }
      return sum_outputs(layer, terms) * (REAL)0.5;
    case CROSS_ENTROPY: { // log sum exp(net - largest) - sum t (net - largest)
      REAL largest = largest_of(layer, net);
      for (long c = 0; c < layer->padded; c += V)
        STORE(terms + c, exponential(LOAD(net + c) - largest));
      REAL total = logarithm(all(sum_outputs(layer, terms)))[0];
      for (long c = 0; c < layer->padded; c += V)
        STORE(terms + c, (LOAD(net + c) - largest) * LOAD(t + c));
      return total - sum_outputs(layer, terms);
    }
    default: // ((net > 0) - t) net + log(1 + exp(-|net|)): no large numbers cancel each other
      for (long c = 0; c < layer->padded; c += V) {
        vec x = LOAD(net + c);
        bits positive = (bits)(x > (REAL)0);
        vec rest = log_of_one_plus(exponential(choose(positive, -x, x)));
        STORE(terms + c, (choose(positive, all(1), all(0)) - LOAD(t + c)) * x + rest);
      }
      return sum_outputs(layer, terms);
  }
}

// The loss (seed, setting, example) and the outputs (seed, setting, example, output) of all lanes.
int evaluate(const Network *network, const Lanes *lanes, const Data *data, double *losses,
             REAL *outputs) {
  Lane lane;
  if (!open_lane(&lane, network, least(SLICE, data->examples), 0, 0)) return 0;
  const Layer *last = lane.layers + network->layers - 1;
  for (long number = 0; number < lanes->seeds * lanes->settings; number++) {
    convert(&lane, (REAL *)lanes->parameters + number * network->parameters, lane.W, 0);
    for (long start = 0; start < data->examples; start += SLICE) {
      long rows = least(SLICE, data->examples - start);
      long example = number / lanes->settings * data->examples + start;
      long at = number * data->examples + start; // where the slice's results begin
      forward(&lane, inputs_at(&lane, data, example), lane.layers[0].inputs, rows);
      for (long r = 0; r < rows; r++) {
        losses[at + r] = loss_of(&lane, last, targets_at(&lane, data, example + r), r);
        memcpy(outputs + (at + r) * last->outputs, last->psi + r * last->row,
               last->outputs * sizeof(REAL));
      }
    }
  }
  close_lane(&lane);
  return 1;
}

// The squared norm of each example's gradient (seed, setting, example) and the sum of the gradients
// (seed, setting, parameter) of all lanes.
int statistics(const Network *network, const Lanes *lanes, const Data *data, double *norms,
               REAL *totals) {
  Lane lane;
  if (!open_lane(&lane, network, least(SLICE, data->examples), 0, 0)) return 0;
  const Layer *last = lane.layers + network->layers - 1;
  long row = lane.layers[0].inputs;
  for (long number = 0; number < lanes->seeds * lanes->settings; number++) {
    convert(&lane, (REAL *)lanes->parameters + number * network->parameters, lane.W, 0);
    transpose_all(&lane);
    for (long start = 0; start < data->examples; start += SLICE) {
      long rows = least(SLICE, data->examples - start);
      long example = number / lanes->settings * data->examples + start;
      const REAL *phi = inputs_at(&lane, data, example);
      forward(&lane, phi, row, rows);
      backward(&lane, targets_at(&lane, data, example), 1, rows);
      gradients(&lane, phi, row, rows, (Use){start == 0, 0});
      for (long r = 0; r < rows; r++) {
        REAL norm = 0, fed = sum_squares(phi + r * row, row);
        for (const Layer *layer = lane.layers; layer <= last; layer++) {
          norm += fed * sum_squares(layer->delta + r * layer->row, layer->padded);
          fed = sum_squares(layer->psi + r * layer->row, layer->outputs) + 1;
        }
        norms[number * data->examples + start + r] = norm;
      }
    }
    convert(&lane, totals + number * network->parameters, lane.G, 1);
  }
  close_lane(&lane);
  return 1;
}

// y = exp(x), log(x), tanh(x), and the activations, for tests of their rounding
void apply(int64_t function, const REAL *x, REAL *y, int64_t n) {
  for (long i = 0; i + V <= n; i += V) {
    vec each = LOAD(x + i);
    switch (function) {
      case -1: each = exponential(each); break;
      case -2: each = logarithm(each); break;
      case SIGMOID: each = activation(SIGMOID, each); break;
      case TANH: each = activation(TANH, each); break;
      case RELU: each = activation(RELU, each); break;
      case LEAKY_RELU: each = activation(LEAKY_RELU, each); break;
      case GELU: each = activation(GELU, each); break;
    }
    STORE(y + i, each);
  }
}

// Whether this processor, and its system, have what the kernel was compiled for: asked of `cpuid`,
// as not every compiler's own question works (zig's has the answer no).
int runs_here(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d, saved, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return 0;
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0)); // the registers that the system keeps
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  unsigned needed = bit_AVX2, kept = 0x6;
#if defined(__AVX512F__)
  needed |= bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL, kept |= 0xe0;
#endif
  return (b & needed) == needed && (saved & kept) == kept;
#else
  return 1;
#endif
}
