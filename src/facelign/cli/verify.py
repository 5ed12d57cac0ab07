"""``facelign verify``: do two photos show the same person?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.flags import command, only, without
from facelign.cli.output import answer
from facelign.cli.pictures import pair, spare
from facelign.errors import ConfigError
from facelign.recognition.options import LiveOptions
from facelign.types.policies import FacePolicy
from facelign.wire import records
from facelign.wire.options import ChainFlags, FaceFlags, OutputFlags, VerifyFlags

A = Annotated[str, typer.Argument(help="A photo.", show_default=False)]
B = Annotated[str, typer.Argument(help="Another photo.", show_default=False)]


@command
def verify(
    a: A,
    b: B,
    output: Annotated[OutputFlags, only("json", "draw")],
    at: VerifyFlags,
    which: FaceFlags,
    live: LiveOptions,
    chain: Annotated[ChainFlags, without("workers")],
    context: typer.Context,
) -> int:
    """Compare two photos: exit 0 for the same person, 1 for different people."""
    from facelign.compare.scores import distance

    policy = which.policy(FacePolicy.LARGEST)
    if at.fusion is not None:
        _nothing_else(context)
        return _fused(at.fusion, a, b, policy, output)
    recognizer = building.recognizer(chain)
    rule = building.rule(recognizer, at.threshold)
    limit = rule.threshold(at.fmr)
    photos = [building.path_of(text) for text in (a, b)]
    if output.draw is not None:
        spare([output.draw], photos)
    result = recognizer.compare(
        *photos, threshold=limit, policy=policy, calibration=rule.record, live=live
    )
    record = records.verify_record(result, distance(limit.score, recognizer.space.metric))
    check = recognizer.live_check(live)
    if check is not None:
        record["liveness"] = records.liveness_record(check)
    if output.draw is not None:
        pair(output.draw, result)
    answer(record, *_lines(record, policy, alike=result.decision.is_match), json=output.json)
    building.tell_live(check, json=output.json)
    return Exit.DONE if result.same else Exit.NO


#: what may be said beside an ensemble, which brings everything else
_BESIDE = frozenset({"a", "b", "json", "face", "largest", "fusion"})


def _nothing_else(context: typer.Context) -> None:
    """Raise ConfigError for options that an ensemble would not obey."""
    said = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in _BESIDE and _typed(context, parameter.name or "")
    ]
    if said:
        raise ConfigError(
            f"--fusion brings its own models and threshold, and {', '.join(said)} would change "
            "nothing.",
            "Leave it out." if len(said) == 1 else "Leave them out.",
        )


def _typed(context: typer.Context, name: str) -> bool:
    """Say whether an option was typed; a file of settings may say what suits other commands."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def _lines(record: records.Record, policy: FacePolicy, *, alike: bool) -> Iterator[str]:
    same = "same person" if alike else "different people"
    if alike and not record["same"]:
        same = "not said to be the same person"
    distance = f"{record['metric']} distance {record['distance']:.3f}"
    yield f"{same}: score {record['score']:.3f} ({distance})"
    limit = record["threshold"]
    yield f"    threshold {limit['score']:.3f}: {limit['source']}"
    if record.get("reason"):
        yield f"    {record['reason']}"
    for name in ("a", "b"):
        face = record[f"face_{name}"]
        if "live" in face:
            yield f"    {record[name]}: {building.live_told(face['live'])}"
        if face["faces"] > 1:
            number = f"face {face['face'] + 1} of {face['faces']}"
            yield f"    {record[name]}: {number} was compared ({policy})"


def _fused(file: Path, a: str, b: str, policy: FacePolicy, output: OutputFlags) -> int:
    """Compare two photos by a fitted ensemble, which brings its models and its threshold."""
    from facelign.recognition.fused import Ensemble

    photo_a, photo_b = building.path_of(a), building.path_of(b)
    decision = Ensemble.load(file).verify(photo_a, photo_b, policy=policy)
    limit = decision.threshold
    record = {
        "a": photo_a,
        "b": photo_b,
        "same": decision.is_match,
        "score": decision.score,
        "rule": decision.rule,
        "scores": dict(decision.scores),
        "threshold": records.some(limit, "score", "fmr", "source"),
    }
    same = "same person" if decision.is_match else "different people"
    parts = ", ".join(f"{name} {value:.3f}" for name, value in decision.scores.items())
    answer(
        record,
        f"{same}: {decision.rule} {decision.score:.3f} ({parts})",
        f"    threshold {limit.score:.3f}: {limit.source}",
        json=output.json,
    )
    return Exit.DONE if decision.is_match else Exit.NO
