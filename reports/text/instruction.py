"""The answer in words: what to use, what it costs, how sure it is, and what would make it surer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.recommend import Analysis, Answer
from reports.schema import (
    FEWEST_TO_SHOW,
    capitalised,
    lowered,
    plural,
    rate,
    seconds,
    significant,
    sizes,
)
from reports.schema.formats import faster
from reports.stats.non_inferiority import UNDECIDED, WORSE, Shortfall
from reports.text.finished import finished_evidence, finished_headline

HIGH, MODERATE, LOW = "high", "moderate", "low"  # how sure an answer is


def headline(analysis: Analysis) -> str:
    """Return the answer as an instruction, or that there is none."""
    if analysis.recommended is not None:
        return f"Use {with_rate(analysis.answer)}."
    if analysis.study.finished:
        return finished_headline(analysis)
    return "No batch size can be recommended yet."


def with_rate(answer: Answer) -> str:
    """Return the batch size to use with its learning rate; it has one."""
    return size_and_rate(answer.batch_size or 0, answer.learning_rate)


def size_and_rate(batch_size: int, learning_rate: float | None) -> str:
    """Return a batch size with its learning rate."""
    size = f"batch size {batch_size}"
    if learning_rate is None or math.isnan(learning_rate):
        return size
    return f"{size} with learning rate {rate(learning_rate)}"


def tuned(analysis: Analysis, batch_size: int) -> str:
    """Return a batch size with the learning rate that was selected there."""
    return size_and_rate(batch_size, float(analysis.row(batch_size)["learning_rate"]))


def evidence(analysis: Analysis) -> str:
    """Return what the batch size to use attains and costs, or why none is named."""
    answer = analysis.answer
    if answer.batch_size is None and analysis.study.finished:
        return finished_evidence(analysis)
    if answer.reference is None:
        return _nothing_to_rank(analysis)
    if answer.batch_size is None:
        so_far = f" So far, {tuned(analysis, analysis.best)} did best on the tuning seeds"
        return answer.reason + ("" if analysis.unlearned else f"{so_far} ({attained(analysis)}).")
    used = answer.shortfall(answer.batch_size)
    if used.batch_size == answer.reference:
        return f"It did best on the tuning seeds{_and_time(analysis)} ({attained(analysis)})."
    value = analysis.measure.text(analysis.row(answer.batch_size)["metric"])
    # An interval without a width says nothing.
    measure, (low, high) = analysis.measure, used.interval
    exact = measure.signed(-low) == measure.signed(-high)
    span = "" if exact else f", 95% CI {measure.signed_span(-high, -low)}"
    gap = f"{measure.change(-used.mean)}{span}, {plural(used.seeds, 'seed')}"
    return f"It {_trains(analysis)}with {_loss(analysis, used)} ({value}; difference {gap})."


def _nothing_to_rank(analysis: Analysis) -> str:
    counts = analysis.counts
    if counts.run == 0:
        return "No trial has run yet."
    if counts.ok == 0:
        return f"None of the {plural(counts.run, 'trial')} has a result."
    return "No batch size has a learning rate with a result for every seed."


def attained(analysis: Analysis) -> str:
    """Return what the reference attains, with its interval and number of seeds."""
    row, measure = analysis.row(analysis.best), analysis.measure
    low, high = row["metric_low"], row["metric_high"]
    parts = [
        f"{analysis.metric} {measure.text(row['metric'])}",
        "" if math.isnan(low) or low == high else f"95% CI {measure.span(low, high)}",
        plural(int(row["seeds"]), "seed"),
    ]
    return ", ".join(filter(None, parts))


def _and_time(analysis: Analysis) -> str:
    duration = analysis.row(analysis.best)["seconds_to_train"]
    if math.isnan(duration):
        return ""
    if len(analysis.timed) == len(analysis.measured) > 1 and len(analysis.answer.compared) == 1:
        return f" and trains fastest, in {seconds(duration)}"
    return f" and trains in {seconds(duration)}"


def _trains(analysis: Analysis) -> str:
    """How long it takes and how much faster than the reference that is, to follow "it"."""
    used, reference = (
        analysis.row(size or 0)["seconds_to_train"]
        for size in (analysis.answer.batch_size, analysis.answer.reference)
    )
    if math.isnan(used):
        return "trains "
    compared = f", {faster(reference / used)} than batch size {analysis.answer.reference},"
    return f"trains in {seconds(used)}{'' if math.isnan(reference) else compared} "


def _loss(analysis: Analysis, used: Shortfall) -> str:
    low, high = used.interval
    if analysis.measure.lower_is_better:
        higher = "higher" if used.mean > 0 else "lower"
        by = "not measurably" if low <= 0 <= high else analysis.measure.gap(used.mean)
        return f"a {analysis.metric} that is {by} {higher}"
    if low <= 0 <= high:
        return f"no measurable loss of {analysis.metric}"
    gap = f"{analysis.measure.gap(used.mean)} of {analysis.metric}"
    return f"a loss of {gap}" if used.mean > 0 else f"a gain of {gap}"


def margin_text(analysis: Analysis) -> str:
    """Return the loss that is accepted, such as "1 point"."""
    margin = analysis.margin
    if not analysis.measure.points:
        relative = analysis.measure.lower_is_better or not analysis.plan.task
        return significant(margin) if relative else rate(margin)
    return f"{rate(round(100 * margin, 6))} point{'' if margin == 0.01 else 's'}"  # noqa: PLR2004


def near_optimal_sentence(analysis: Analysis) -> str:
    """Return which batch sizes are shown to be near-optimal; "" if the reference alone is."""
    answer = analysis.answer
    near = [size for size in answer.near_optimal if size != answer.reference]
    if answer.batch_size is None or not near:
        return ""
    are = "are" if len(near) > 1 else "is"
    return (
        f"Batch {sizes(near, analysis.tried)} {are} shown to lose at most {margin_text(analysis)} "
        f"compared with batch size {answer.reference}, the best on the tuning seeds "
        f"({attained(analysis)})."
    )


def price_sentence(analysis: Analysis) -> str:
    """Return what going faster than the batch size to use costs; "" if nothing is faster."""
    following = analysis.answer.next
    if analysis.answer.batch_size is None or following is None:
        return ""
    measure, ratio = analysis.measure, speed_ratio(analysis, following)
    trains = "" if math.isnan(ratio) else f"trains {faster(ratio)} and "
    loses = measure.becomes(-following.mean)
    bound = f" (loss of at most {measure.gap(following.upper)})"
    size = capitalised(tuned(analysis, following.batch_size))
    most = "" if math.isinf(following.upper) else bound
    more = analysis.answer.more_seeds
    verdict = f"undecided; about {plural(more, 'more seed')} would decide" if more else "undecided"
    if following.verdict == WORSE:
        verdict = f"shown to lose more than {margin_text(analysis)}"
    return f"{size} {trains}{loses}{most}: {verdict}."


def speed_ratio(analysis: Analysis, following: Shortfall) -> float:
    """Return how many times as fast as the batch size to use another trains; NaN if unknown."""
    used, other = (
        analysis.row(size)["seconds_to_train"]
        for size in (analysis.answer.batch_size or 0, following.batch_size)
    )
    return float(used / other)


def target_sentence(analysis: Analysis) -> str:
    """Return which batch size reaches a target soonest, or why none does; "" without a target."""
    target = analysis.target
    if analysis.reference is None or (analysis.study.finished and analysis.scaling.main is None):
        return ""
    if target.batch_size is None:
        return f"For {target.sought}, no batch size can be named: {lowered(target.reason)}"
    others = [size for size in target.near_optimal if size != target.batch_size]
    verb = "needs" if len(others) == 1 else "need"
    also = f" Batch {sizes(others, analysis.tried)} {verb} at most 10% longer." if others else ""
    time = seconds_to_target(analysis)
    needs = "" if math.isnan(time) else f" It needs {seconds(time)}."
    predicted = [
        f"the {each.source} predicts {span(each.interval.low, each.interval.high)}"
        f"{' (rough estimate)' if each.weakness else ''}"
        for each in target.estimates
        if each.interval is not None
    ]
    models = f" {capitalised(' and '.join(predicted))}." if predicted else ""
    return f"For {target.sought}, use {with_rate(target)}.{needs}{also}{models}"


def seconds_to_target(analysis: Analysis) -> float:
    """Return the median time to the target at the batch size named for it; NaN if unknown."""
    record = analysis.scaling.main
    if record is None or analysis.target.batch_size is None:
        return math.nan
    rows = record.batch_sizes
    return float(rows.loc[rows["batch_size"] == analysis.target.batch_size, "seconds"].iloc[0])


def span(low: float, high: float) -> str:
    """Return a range of batch sizes, such as "16 to 64"."""
    first, last = f"{low:.0f}", f"{high:.0f}"
    return first if first == last else f"{first} to {last}"


def confidence(analysis: Analysis) -> tuple[str, str]:
    """Return how sure the answer is, `HIGH`, `MODERATE` or `LOW`, and the reason as a sentence."""
    answer, timing = analysis.answer, analysis.timing
    if answer.batch_size is None:
        return LOW, evidence(analysis)
    disturbed = timing["contended"].any() or timing["unsteady"].any()
    texts = (
        "It is the only batch size with results." * (len(analysis.measured) == 1),
        edge_sentence(analysis),
        "Update times have not been measured." * analysis.timed.empty,
        "Other programs disturbed the benchmark." * bool(disturbed),
        undecided_sentence(analysis),
    )
    doubts = [text for text in texts if text]
    if doubts:
        return (MODERATE if len(doubts) == 1 else LOW), " ".join(doubts)
    used = answer.shortfall(answer.batch_size)
    seeds = plural(analysis.judged["seed"].nunique(), "fresh seed")
    if used.batch_size != answer.reference:
        most = analysis.measure.gap(max(used.upper, 0.0))
        return HIGH, f"It loses at most {most}, with 95% confidence by {seeds}."
    if answer.next is None:
        return HIGH, "It did best on the tuning seeds, and none tried trains faster."
    return HIGH, f"The next faster batch size is shown to be worse by {seeds}."


def edge_sentence(analysis: Analysis) -> str:
    """Return in what the answer is at the edge of what was tried; "" if in nothing."""
    size = analysis.recommended
    if size is None:
        return ""
    row = analysis.row(size)
    if row["at_edge"]:
        rates = analysis.cells.loc[analysis.cells["batch_size"] == size, "learning_rate"]
        end = "largest" if row["learning_rate"] == rates.max() else "smallest"
        return (
            f"Learning rate {rate(row['learning_rate'])} is the {end} tried at batch size {size}; "
            "one beyond may be better."
        )
    if size == analysis.tried[-1] < analysis.most_items and len(analysis.tried) > 1:
        return f"Batch size {size} is the largest tried; larger ones may be faster."
    return ""


def undecided_sentence(analysis: Analysis) -> str:
    """Return which faster batch size may be near-optimal, too; "" if none may."""
    following = analysis.answer.next
    if analysis.recommended is None or following is None or following.verdict != UNDECIDED:
        return ""
    ratio = speed_ratio(analysis, following)
    gain = "" if math.isnan(ratio) else f", {faster(ratio)},"
    return (
        f"Whether batch size {following.batch_size}{gain} is near-optimal too is undecided after "
        f"{plural(following.seeds, 'seed')}."
    )


@dataclass(frozen=True)
class Remedy:
    """What would make the answer surer or better."""

    kind: str  # "time", "seeds", "larger" or "rates"
    text: str
    amount: int = 0  # seeds to add, or the batch size to try


def surer(analysis: Analysis) -> list[Remedy]:
    """Return what would make the answer surer or better, the most important first."""
    if analysis.study.finished:
        return []
    answer, largest, edge = analysis.answer, analysis.tried[-1], edge_sentence(analysis)
    remedies, missing = [], _missing_seeds(analysis)
    if missing:
        text = f"Add {plural(missing, 'fresh seed')} (`confirmation_seeds`)."
        remedies.append(Remedy("seeds", text, missing))
    if analysis.timed.empty:
        text = "Measure update times (`bpsweep time`): the fastest size is not known yet."
        remedies.append(Remedy("time", text))
    if undecided_sentence(analysis) and answer.next is not None and answer.more_seeds:
        more = plural(answer.more_seeds, "fresh seed")
        text = f"Add {more} to decide on batch size {answer.next.batch_size}."
        remedies.append(Remedy("seeds", text, answer.more_seeds))
    if edge and analysis.row(analysis.recommended or 0)["at_edge"]:
        remedies.append(Remedy("rates", edge))
    elif edge:
        remedies.append(Remedy("larger", edge, min(2 * largest, analysis.most_items)))
    return remedies


def _missing_seeds(analysis: Analysis) -> int:
    """Fresh seeds without which no size can be named."""
    if analysis.recommended is not None or analysis.reference is None or analysis.unlearned:
        return 0
    fresh = analysis.judged["seed"].nunique() if analysis.part == "test" else 0
    return max(FEWEST_TO_SHOW - fresh, 0) * (1 if analysis.judged_apart or not fresh else 2)


def answer_texts(analysis: Analysis) -> dict[str, str]:
    """Return the answer by kinds of statements, most important first."""
    return {
        "recommendation": f"{headline(analysis)} {evidence(analysis)}",
        "range": f"{near_optimal_sentence(analysis)} {price_sentence(analysis)}".strip(),
        "goal": target_sentence(analysis),
    }


def answer_lines(analysis: Analysis) -> list[str]:
    """Return the answer in at most four lines, most important first."""
    return [*filter(None, (*answer_texts(analysis).values(), confidence_line(analysis)))]


def confidence_line(analysis: Analysis) -> str:
    """Return how sure the answer is and why, for page and terminal; "" without an answer."""
    level, reason = confidence(analysis)
    return "" if analysis.recommended is None else f"Confidence: {level}. {reason}"
