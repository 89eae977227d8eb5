"""The training task of `bench_engine.py` in the peer libraries, on one core and in float32.

The task: lanes (independent networks) of one fully connected net `widths`, sigmoid in every layer
and a bias per layer; E = 1/2 sum over outputs of (t - psi)^2, averaged over a batch; plain SGD, or
Adam with betas 0.9 and 0.999 and epsilon 1e-8. Lanes are seeds x rates, seeds outermost: each lane
has its own initial weights and rate, and the lanes of one seed share one order of the examples.
Only whole batches are used: the ragged end of an epoch is dropped. The peers for one network
(`jax_single`, `torch_eager`, `sklearn_mlp`) train lane 0 alone.

Needs the optional dependencies `bpsweep[peers]`.
"""

# The thread limits only count when set before the imports.
import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false "
    "intra_op_parallelism_threads=1"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import functools
import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

torch.set_num_threads(1)
Array = NDArray[Any]
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
JAX_VARIANTS = (("flat", 1), ("nested", 1), ("map", 1))


@dataclass(frozen=True)
class Task:
    """What every peer is given; float32 throughout."""

    widths: Sequence[int]  # features, ..., outputs
    optimizer: str  # "sgd" or "adam"
    b: int  # batch size
    X: Array  # (N, features)
    T: Array  # (N, outputs), one-hot
    orders: Array  # (seeds, epochs, N): the examples in the order they are met
    initial: list[Array]  # [W1, B1, W2, B2, ...]: W (lanes, in, out), B (lanes, 1, out)
    rates: Array  # (rates,)
    updates: int | None = None  # stop early; by default all whole batches in `orders`

    @property
    def lane_rates(self) -> Array:
        """The rate of each lane."""
        return np.tile(self.rates, len(self.orders)).astype(np.float32)

    @property
    def rows(self) -> Array:
        """The orders cut to whole batches: (seeds, updates, b)."""
        seeds, _, n = self.orders.shape
        rows = self.orders[:, :, : n - n % self.b].reshape(seeds, -1, self.b)
        return rows[:, : self.updates]


@dataclass
class Run:
    """What one timed training gave."""

    seconds: float  # training alone
    seconds_compile: float  # ahead of time, 0 where nothing is compiled
    weights: list[Array]  # as `initial`, after training
    lanes: int
    updates: int  # per lane
    variant: str = ""

    @property
    def microseconds(self) -> float:
        """Microseconds per network and update."""
        return 1e6 * self.seconds / (self.lanes * self.updates)


def _numpy_gradient(weights: list[Array], x: Array, t: Array) -> list[Array]:
    """Gradient of the mean error of one batch, one network."""
    acts, grads = [x], list[Array]()
    for w, bias in zip(weights[::2], weights[1::2], strict=True):
        acts.append(1 / (1 + np.exp(-(acts[-1] @ w + bias))))
    delta = (acts[-1] - t) * acts[-1] * (1 - acts[-1]) / len(x)
    for layer in reversed(range(len(weights) // 2)):
        a = acts[layer]
        grads[:0] = [a.T @ delta, delta.sum(0, keepdims=True)]
        delta = (delta @ weights[2 * layer].T) * a * (1 - a)
    return grads


def numpy_loop(task: Task) -> list[Array]:
    """Train every lane in float64, one by one, to check the peers: the final weights."""
    X, T = task.X.astype(float), task.T.astype(float)
    final = [a.astype(float) for a in task.initial]
    for lane, rate in enumerate(task.lane_rates.astype(float)):
        weights = [a[lane] for a in final]  # views: the updates below are in place
        first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
        for k, batch in enumerate(task.rows[lane // len(task.rates)], 1):
            grads = _numpy_gradient(weights, X[batch], T[batch])
            for w, g, m, v in zip(weights, grads, first, second, strict=True):
                m += (1 - BETA1) * (g - m)
                v += (1 - BETA2) * (g * g - v)
                adam = (m / (1 - BETA1**k)) / (np.sqrt(v / (1 - BETA2**k)) + EPS)
                w -= rate * (g if task.optimizer == "sgd" else adam)
    return final


def _jax_error(weights: list[jax.Array], x: jax.Array, t: jax.Array) -> jax.Array:
    """Mean error of one network on one batch."""
    for w, bias in zip(weights[::2], weights[1::2], strict=True):
        x = jax.nn.sigmoid(x @ w + bias)
    return 0.5 * jnp.sum((x - t) ** 2) / len(x)


def _jax_train(kind: str, unroll: int, weights: Any, rate: Any, rows: Any, X: Any, T: Any) -> Any:
    """Train one network through lax.scan over its batches `rows` (updates, b)."""

    def update(carry: Any, step: Any) -> Any:
        k, batch = step
        x, t = (a.at[batch].get(mode="promise_in_bounds") for a in (X, T))
        weights, *moments = carry
        grads = jax.grad(_jax_error)(weights, x, t)
        if kind == "sgd":
            return (jax.tree.map(lambda w, g: w - rate * g, weights, grads),), None
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], grads)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], grads)
        length, scale = rate / (1 - BETA1**k), 1 / jnp.sqrt(1 - BETA2**k)
        moves = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) * scale + EPS), first, second)
        weights = jax.tree.map(lambda w, move: w - length * move, weights, moves)
        return (weights, first, second), None

    steps = (jnp.arange(1, len(rows) + 1, dtype=jnp.float32), rows)
    start = (weights, *[jax.tree.map(jnp.zeros_like, weights)] * (0 if kind == "sgd" else 2))
    return jax.lax.scan(update, start, steps, unroll=unroll)[0][0]


def _jax_compiled(
    function: Any, arguments: tuple[Any, ...]
) -> tuple[float, Callable[[], tuple[float, Any]]]:
    """(seconds of the compilation, a function that runs it and returns (seconds, result))."""
    arguments = jax.block_until_ready(jax.device_put(arguments))
    start = time.process_time()
    compiled = jax.jit(function).lower(*arguments).compile()
    seconds_compile = time.process_time() - start

    def run() -> tuple[float, Any]:
        start = time.process_time()
        result = jax.block_until_ready(compiled(*arguments))
        return time.process_time() - start, result

    run()  # The first run allocates.
    return seconds_compile, run


def jax_vmap(task: Task, *, variant: tuple[str, int] = ("flat", 1)) -> Callable[[], Run]:
    """Compile all lanes to one program, which each call runs.

    `variant` is (layout, unroll of lax.scan). Layout "flat" is one vmap over the lanes; "nested" a
    vmap over the rates, which share the batch, inside a vmap over the seeds; "map" trains the lanes
    in turn by lax.map.
    """
    layout, unroll = variant
    rows, rates, weights = task.rows.astype(np.int32), task.lane_rates, task.initial
    network = functools.partial(_jax_train, task.optimizer, unroll)
    train: Any = jax.vmap(network, in_axes=(0, 0, 0, None, None))
    if layout == "nested":
        shape = (len(rows), len(task.rates))
        rates, weights = rates.reshape(shape), [w.reshape(*shape, *w.shape[1:]) for w in weights]
        inner = jax.vmap(network, in_axes=(0, 0, None, None, None))
        train = jax.vmap(inner, in_axes=(0, 0, 0, None, None))
    else:
        rows = rows.repeat(len(task.rates), axis=0)
        turns: Any = lambda *a: jax.lax.map(lambda lane: network(*lane, *a[3:]), a[:3])  # noqa: E731
        train = turns if layout == "map" else train
    compiling, compiled = _jax_compiled(train, (weights, rates, rows, task.X, task.T))

    def run() -> Run:
        seconds, final = compiled()
        final = [np.asarray(w).reshape(a.shape) for w, a in zip(final, task.initial, strict=True)]
        return Run(seconds, compiling, final, len(task.lane_rates), rows.shape[1], layout)

    return run


def jax_single(task: Task) -> Run:
    """Lane 0 alone: jit and lax.scan."""
    rows = task.rows[0].astype(np.int32)
    arguments = ([a[0] for a in task.initial], task.lane_rates[0], rows, task.X, task.T)
    compiling, compiled = _jax_compiled(functools.partial(_jax_train, task.optimizer, 1), arguments)
    seconds, final = compiled()
    return Run(seconds, compiling, [np.asarray(w)[None] for w in final], 1, len(rows))


def torch_eager(task: Task, *, fused: bool = False) -> Run:
    """Lane 0 alone: nn.Sequential, autograd and torch.optim, in the usual loop."""
    layers = [torch.nn.Linear(*pair) for pair in itertools.pairwise(task.widths)]
    net = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.Sigmoid())))
    with torch.no_grad():
        for parameter, a in zip(net.parameters(), task.initial, strict=True):
            parameter.copy_(torch.tensor(a[0].T).reshape(parameter.shape))
    kind: Any = torch.optim.SGD if task.optimizer == "sgd" else torch.optim.Adam
    optim = kind(net.parameters(), lr=float(task.rates[0]), fused=fused)
    x, t, rows = (torch.tensor(a) for a in (task.X, task.T, task.rows[0]))
    start = time.process_time()
    for batch in rows:
        optim.zero_grad()
        error = torch.nn.functional.mse_loss(net(x[batch]), t[batch], reduction="sum")
        (error * (0.5 / task.b)).backward()
        optim.step()
    seconds = time.process_time() - start
    trained = zip(net.parameters(), task.initial, strict=True)
    final = [p.detach().numpy().T.reshape(1, *a.shape[1:]) for p, a in trained]
    return Run(seconds, 0.0, final, 1, len(rows), "fused" if fused else "")


def _flat(arrays: list[torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """One flat copy of the arrays, and contiguous views of it in their shapes."""
    flat = torch.cat([a.reshape(-1) for a in arrays])
    parts = torch.split(flat, [a.numel() for a in arrays])
    return flat, [part.view(a.shape) for part, a in zip(parts, arrays, strict=True)]


def _torch_adam(weights: list[torch.Tensor], rate: torch.Tensor) -> tuple[Any, ...]:
    """Set up the textbook update on one flat tensor of all lanes: weights, gradients, step(k)."""
    (flat, views), (grads, grad_views) = _flat(weights), _flat([0 * w for w in weights])
    inverse = 1 / _flat([rate.expand_as(w) for w in weights])[0]
    eps, first, second, scratch = EPS * inverse, 0 * flat, 0 * flat, 0 * flat

    def step(k: int) -> None:
        first.lerp_(grads, 1 - BETA1)
        second.mul_(BETA2).addcmul_(grads, grads, value=1 - BETA2)
        torch.sqrt(second, out=scratch)
        torch.addcmul(eps, scratch, inverse, value=(1 - BETA2**k) ** -0.5, out=scratch)
        flat.addcdiv_(first, scratch, value=-1 / (1 - BETA1**k))

    return views, grad_views, step


def torch_bmm(task: Task) -> Run:
    """All lanes in lockstep: batched products, gradients by hand, updates in place."""
    with torch.no_grad():
        return _torch_bmm(task)


def _torch_bmm(task: Task) -> Run:
    lanes, b, slope = len(task.lane_rates), task.b, torch.ops.aten.sigmoid_backward
    rows = task.rows.repeat(len(task.rates), axis=0).swapaxes(0, 1)
    steps = torch.tensor(rows.reshape(-1, lanes * b))
    x, t, rate = (torch.tensor(a) for a in (task.X, task.T, task.lane_rates[:, None, None]))
    weights, adam = [torch.tensor(a) for a in task.initial], task.optimizer == "adam"
    factor = torch.full_like(rate, 1 / b) if adam else -rate / b  # sgd: deltas carry the step
    if adam:
        weights, grads, adam_step = _torch_adam(weights, rate)
    start = time.process_time()
    for k, step in enumerate(steps, 1):
        acts = [x.index_select(0, step).view(lanes, b, -1)]
        for w, bias in zip(weights[::2], weights[1::2], strict=True):
            acts.append(torch.baddbmm(bias, acts[-1], w).sigmoid_())
        error = (acts[-1] - t.index_select(0, step).view(lanes, b, -1)).mul_(factor)
        delta = slope(error, acts[-1])
        for i in range(len(weights) - 2, -1, -2):
            this, a = delta, acts[i // 2]
            if i:
                delta = slope(torch.bmm(this, weights[i].transpose(1, 2)), a)
            if adam:
                torch.bmm(a.transpose(1, 2), this, out=grads[i])
                torch.sum(this, 1, keepdim=True, out=grads[i + 1])
            else:
                weights[i].baddbmm_(a.transpose(1, 2), this)
                weights[i + 1].add_(this if b == 1 else this.sum(1, keepdim=True))
        if adam:
            adam_step(k)
    seconds, final = time.process_time() - start, [w.numpy() for w in weights]
    return Run(seconds, 0.0, final, lanes, len(steps))


def sklearn_mlp(task: Task) -> Run:
    """Lane 0 alone, with scikit-learn's own start, order and log loss: its time alone compares.

    One-hot targets give sigmoid outputs; it trains whole epochs of the whole batches of the rows.
    """
    n = len(task.X) - len(task.X) % task.b
    epochs = max(1, task.rows.shape[1] // (n // task.b))
    model = MLPClassifier(
        tuple(task.widths[1:-1]), activation="logistic", solver=task.optimizer, alpha=0.0,
        batch_size=task.b, learning_rate_init=float(task.rates[0]), max_iter=epochs, momentum=0.0,
        nesterovs_momentum=False, tol=0.0, n_iter_no_change=epochs + 1, random_state=0,
    )  # fmt: skip
    with threadpool_limits(1), warnings.catch_warnings(action="ignore"):
        start = time.process_time()
        model.fit(task.X[:n], task.T[:n].astype(int))
    return Run(time.process_time() - start, 0.0, [], 1, model.n_iter_ * (n // task.b))


def make_task(
    X: Array, labels: Array, widths: Sequence[int], optimizer: str, b: int, updates: int
) -> Task:
    """Return the task on some data: 5 seeds x 6 rates, as many epochs as the updates need."""
    n, rng = len(X), np.random.default_rng(0)
    epochs = -(-updates * b // (n - n % b))
    orders = np.array([[rng.permutation(n) for _ in range(epochs)] for _ in range(5)])
    rates = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3])
    initial: list[Array] = []
    for i, o in itertools.pairwise(widths):
        initial += [rng.normal(0, i**-0.5, (30, i, o)), rng.normal(0, 0.1, (30, 1, o))]
    one_hot: Array = np.eye(widths[-1])[labels]
    X, T, *initial = (np.asarray(a, np.float32) for a in (X, one_hot, *initial))
    return Task(widths, optimizer, b, X, T, orders, initial, rates, updates)


def versions() -> str:
    """Return the versions of the peers."""
    modules = (np, jax, torch, sklearn)
    return ", ".join(f"{module.__name__} {module.__version__}" for module in modules)


def check(X: Array, labels: Array) -> None:
    """Fail unless JAX and PyTorch end where the float64 loop does, after 5 updates."""
    for optimizer, b in itertools.product(("sgd", "adam"), (1, 8)):
        task = make_task(X, labels, (X.shape[1], 32, 10), optimizer, b, updates=5)
        runs = {f"jax_vmap {v}": jax_vmap(task, variant=v)() for v in JAX_VARIANTS}
        runs |= {f.__name__: f(task) for f in (torch_bmm, torch_eager, jax_single)}
        truth = numpy_loop(task)
        for (name, run), layer in itertools.product(runs.items(), range(len(truth))):
            got, want = run.weights[layer], truth[layer]
            np.testing.assert_allclose(got, want[: len(got)], 1e-3, 1e-4, err_msg=name)
