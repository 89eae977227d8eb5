// What Python hands over, as compiled.py declares it too. Arrays are contiguous, and lanes lead.

#include <stddef.h>
#include <stdint.h>

enum { SIGMOID, TANH, RELU, LEAKY_RELU, GELU, IDENTITY, SOFTMAX };
enum { SQUARED_ERROR, CROSS_ENTROPY, BINARY_CROSS_ENTROPY };
enum { SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, LARS, LAMB };
enum { L2, WEIGHT_DECAY, CLIP_NORM, MEMORY, BETA2, EPSILON, TRUST, SETTINGS };

typedef struct {
  int64_t layers;             // of weights
  int64_t loss;
  const int64_t *widths;      // units: of the inputs, of each layer
  const int64_t *activations; // of each layer
  const int64_t *narrow;      // whether its weights lie column by column in `parameters`
  int64_t parameters;         // of a lane
} Network;

typedef struct {
  int64_t seeds, settings;
  const uint8_t *active; // of each lane; others are left as they are
  void *parameters;      // (seed, setting, parameter)
} Lanes;

typedef struct {
  const void *inputs;  // (seed, example, 1 + features), the bias unit's 1 first
  const void *targets; // (seed, example, outputs), and readable for 64 bytes beyond its end
  int64_t examples;    // of each seed
} Data;

typedef struct {
  int64_t optimizer, slots;
  void *state[2];       // (seed, setting, parameter) each
  int64_t batch, mean;  // examples of an update, the last may have fewer; whether losses are averaged
  int64_t at_once;      // examples that pass through the network together; 0 for as many as is best
  int64_t before;       // updates made so far
  const void *settings; // (setting, SETTINGS)
  const void *rates;    // (update, setting), schedule included
  const void *lengths, *floors; // (update, setting) of Adam's direction; see `stepper.py`
} Updates;
