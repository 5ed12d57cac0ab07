"""What the records of InsightFace's models share: their license."""

from __future__ import annotations

from facelign.types.specs import License


def researched(training_data: str) -> License:
    """Return the license of models that InsightFace gives away for research only."""
    return License.closed(
        "MIT (InsightFace)",
        "non-commercial research only (InsightFace)",
        training_data,
        "InsightFace's README: its models are for non-commercial research purposes only.",
    )
