// A lane: its weights and state in panels, the forward and the backward pass over some examples.
// Letters are the paper's: W, psi, delta; phi is psi behind the bias unit's 1.

#define SLICE 96 // examples that pass at once, so that what they fill stays in the cache

typedef struct {
  long inputs, outputs; // inputs with the bias unit
  long padded, row;     // outputs in blocks, and the distance of two examples
  int activation;
  long at;               // where its weights begin in the lane's
  REAL *transposed;      // of the weights, without the bias unit's
  REAL *net, *psi, *delta; // example by output; `net` is `psi` where it isn't needed later
  bits *mask;              // all ones for outputs, 0 for padding, where psi and delta stay 0
} Layer;

typedef struct {
  const Network *network;
  long size;               // of the weights, padding included
  REAL *W, *G, *state[2];  // G: the gradient
  REAL *W_before, *state_before[2];
  Layer *layers;
  char *memory, *next;
} Lane;

INLINE long padded_to_block(long n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

INLINE REAL *take(Lane *lane, long count) {
  REAL *taken = (REAL *)lane->next;
  lane->next += padded_to_block(count) * sizeof(REAL);
  return taken;
}

// Numbers that `layer` and the lane need, all set to 0; returns whether there was memory for them.
OWN int open_lane(Lane *lane, const Network *network, long rows, long slots, long backups) {
  *lane = (Lane){.network = network};
  long count = network->layers, total = 0;
  lane->layers = calloc(count, sizeof(Layer));
  if (!lane->layers) return 0;
  for (long l = 0; l < count; l++) {
    Layer *layer = lane->layers + l;
    layer->inputs = network->widths[l] + 1;
    layer->outputs = network->widths[l + 1];
    layer->padded = padded_to_block(layer->outputs);
    layer->row = layer->padded + BLOCK;
    layer->activation = network->activations[l];
    layer->at = lane->size;
    lane->size += layer->inputs * layer->padded;
    total += 3 * (rows * layer->row + BLOCK) + layer->padded;
    if (l) total += layer->outputs * lane->layers[l - 1].padded;
  }
  total += (2 + slots + backups) * lane->size;
  lane->memory = calloc(total + BLOCK, sizeof(REAL));
  if (!lane->memory) return free(lane->layers), 0;
  lane->next = (char *)(((uintptr_t)lane->memory + 63) / 64 * 64);
  lane->W = take(lane, lane->size);
  lane->G = take(lane, lane->size);
  for (long s = 0; s < slots; s++) lane->state[s] = take(lane, lane->size);
  if (backups) lane->W_before = take(lane, lane->size);
  for (long s = 0; s < slots && backups; s++) lane->state_before[s] = take(lane, lane->size);
  for (long l = 0; l < count; l++) {
    Layer *layer = lane->layers + l;
    layer->psi = take(lane, rows * layer->row + BLOCK) + BLOCK;
    for (long r = 0; r < rows; r++) layer->psi[r * layer->row - 1] = 1;
    layer->delta = take(lane, rows * layer->row);
    int apart = layer->activation == GELU || l == count - 1;
    layer->net = apart ? take(lane, rows * layer->row) : layer->psi;
    if (l) layer->transposed = take(lane, layer->outputs * lane->layers[l - 1].padded);
    layer->mask = (bits *)take(lane, layer->padded);
    for (long c = 0; c < layer->outputs; c++) ((WORD *)layer->mask)[c] = -1;
  }
  return 1;
}

OWN void close_lane(Lane *lane) {
  free(lane->memory);
  free(lane->layers);
}

// Copy an array of a lane's parameters into panels, or back. What another lane left in the padding
// is cleared: it may not be finite.
OWN void convert(const Lane *lane, REAL *flat, REAL *panels, int back) {
  if (!back) memset(panels, 0, lane->size * sizeof(REAL));
  for (long l = 0; l < lane->network->layers; l++) {
    const Layer *layer = lane->layers + l;
    long inputs = layer->inputs, outputs = layer->outputs;
    int narrow = lane->network->narrow[l];
    for (long c = 0; c < outputs; c += PANEL) {
      long width = panel_width(c, layer->padded), used = outputs - c < width ? outputs - c : width;
      REAL *panel = panels + layer->at + panel_at(c, inputs);
      for (long i = 0; i < inputs; i++, panel += width)
        if (narrow)
          for (long o = 0; o < used; o++) {
            REAL *number = flat + (c + o) * inputs + i;
            if (back) *number = panel[o];
            else panel[o] = *number;
          }
        else if (back) memcpy(flat + i * outputs + c, panel, used * sizeof(REAL));
        else memcpy(panel, flat + i * outputs + c, used * sizeof(REAL));
    }
    flat += inputs * outputs;
  }
}

OWN void transpose(const Layer *layer, const REAL *W, long units) {
  long inputs = layer->inputs - 1, outputs = layer->outputs;
  for (long i = 0; i < inputs; i += PANEL) {
    long width = panel_width(i, units), used = inputs - i < width ? inputs - i : width;
    REAL *to = layer->transposed + panel_at(i, outputs);
    for (long o = 0; o < outputs; o++, to += width) {
      long step = panel_width(o, layer->padded);
      const REAL *from = W + panel_at(o, layer->inputs) + (i + 1) * step + o % PANEL;
      for (long c = 0; c < used; c++) to[c] = from[c * step];
      for (long c = used; c < width; c++) to[c] = 0;
    }
  }
}

INLINE REAL largest_of(const Layer *layer, const REAL *net) {
  REAL largest = net[0];
  for (long o = 1; o < layer->outputs; o++) largest = net[o] > largest ? net[o] : largest;
  return largest;
}

// exp(net - largest) / sum, over the outputs of one example
INLINE void softmax(const Layer *layer, const REAL *net, REAL *psi) {
  REAL block[BLOCK] __attribute__((aligned(64))) = {0}, largest = largest_of(layer, net);
  for (long c = 0; c < layer->padded; c += V) {
    vec e = (vec)((bits)exponential(LOAD(net + c) - largest) & layer->mask[c / V]);
    STORE(psi + c, e);
    STORE(block + c % BLOCK, LOAD(block + c % BLOCK) + e);
  }
  REAL total = sum_block(block);
  for (long c = 0; c < layer->padded; c += V) STORE(psi + c, LOAD(psi + c) / total);
}

#define EACH(KIND, WORK)                                                                          \
  case KIND:                                                                                      \
    for (long r = 0; r < rows; r++)                                                               \
      for (long v = 0, c = r * layer->row; v < layer->padded; v += V, c += V) WORK(KIND);         \
    break;
#define EVERY_ACTIVATION(WORK)                                                                    \
  EACH(SIGMOID, WORK) EACH(TANH, WORK) EACH(RELU, WORK) EACH(LEAKY_RELU, WORK) EACH(GELU, WORK)   \
  EACH(IDENTITY, WORK)

// psi = f(net) (paper, section 1)
OWN void activate(const Layer *layer, long rows) {
  const REAL *net = layer->net;
  REAL *psi = layer->psi;
#define WORK(KIND)                                                                                \
  STORE(psi + c, (vec)((bits)activation(KIND, LOAD(net + c)) & layer->mask[v / V]))
  switch (layer->activation) {
    EVERY_ACTIVATION(WORK)
    default:
      for (long r = 0; r < rows; r++)
        softmax(layer, net + r * layer->row, psi + r * layer->row);
  }
#undef WORK
}

// delta = dE/dpsi o dpsi/dnet (paper, sections 2.2 and 2.5), dE/dpsi being in delta before
OWN void differentiate(const Layer *layer, long rows) {
  const REAL *net = layer->net, *psi = layer->psi;
  REAL *delta = layer->delta;
#define WORK(KIND) STORE(delta + c, LOAD(delta + c) * slope(KIND, LOAD(net + c), LOAD(psi + c)))
  switch (layer->activation) { EVERY_ACTIVATION(WORK) }
#undef WORK
}

OWN void forward(const Lane *lane, const REAL *phi, long row, long rows) {
  for (long l = 0; l < lane->network->layers; l++) {
    const Layer *layer = lane->layers + l;
    product(rows, layer->padded, layer->inputs, phi, row, lane->W + layer->at, layer->net,
            layer->row);
    activate(layer, rows);
    phi = layer->psi - 1;
    row = layer->row;
  }
}

// Every layer's delta, after `forward`; an example's loss counts `weight` times.
OWN void backward(const Lane *lane, const REAL *t, REAL weight, long rows) {
  const Layer *layer = lane->layers + lane->network->layers - 1;
  for (long r = 0; r < rows; r++, t += layer->outputs)
    for (long c = 0; c < layer->padded; c += V) {
      vec error = (LOAD(layer->psi + r * layer->row + c) - LOAD(t + c)) * weight;
      STORE(layer->delta + r * layer->row + c, (vec)((bits)error & layer->mask[c / V]));
    }
  if (lane->network->loss == SQUARED_ERROR) differentiate(layer, rows);
  for (; layer > lane->layers; layer--) {
    const Layer *below = layer - 1;
    product(rows, below->padded, layer->outputs, layer->delta, layer->row, layer->transposed,
            below->delta, below->row);
    differentiate(below, rows);
  }
}

INLINE void transpose_all(const Lane *lane) {
  for (long l = 1; l < lane->network->layers; l++)
    transpose(lane->layers + l, lane->W + lane->layers[l].at, lane->layers[l - 1].padded);
}

// dE/dW = phi' delta of every layer (paper, section 2.3) over a slice's rows
INLINE void gradients(const Lane *lane, const REAL *phi, long row, long rows, Use use) {
  for (long l = 0; l < lane->network->layers; l++) {
    const Layer *layer = lane->layers + l;
    gradient(layer->inputs, layer->padded, rows, phi, row, layer->delta, layer->row,
             lane->G + layer->at, lane->W + layer->at, use);
    phi = layer->psi - 1;
    row = layer->row;
  }
}
