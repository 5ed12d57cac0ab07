"""From candidates to a name, or the reason why there is none: pure, without photos and galleries.

A face is named when its best candidate reaches the threshold of the search. A photo, a track and a
request all end here, and so does what the laboratory measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facelign.compare import thresholds
from facelign.errors import NoCalibration, Remedy
from facelign.recognition.options import IdentifyOptions, LiveOptions
from facelign.types.calibrations import Calibration
from facelign.types.decisions import CandidateList, SearchThreshold
from facelign.types.embeddings import same_space
from facelign.types.liveness import LiveAnswer
from facelign.types.policies import LiveMode, TemplateMode

#: how the reason begins of a face that is too small to be named
TOO_SMALL = "too small"


def limit_of(
    options: IdentifyOptions,
    calibration: Calibration | None,
    space_id: str,
    size: tuple[int, int],
) -> SearchThreshold | None:
    """Return the threshold of a search among ``size`` = (people, templates); None among none.

    Raises NoCalibration, and SpaceMismatch for a calibration of another space.
    """
    people, templates = size
    if options.threshold is not None or not templates:
        return options.threshold
    known = options.calibration or calibration
    if known is None:
        raise NoCalibration(
            f"Space '{space_id}' is uncalibrated: no threshold has evidence.", Remedy.THRESHOLD
        )
    same_space(space_id, known.space, f"calibration '{known.id}'")
    # A mean is one comparison a person, the best template one a template.
    compared = templates if options.mode is TemplateMode.BEST else people
    return thresholds.search_threshold(known, compared, options.fpir)


def decide(
    searched: CandidateList,
    limit: SearchThreshold | None,
    options: IdentifyOptions,
    height: float | None = None,
    *,
    unaligned: str = "",
    suggested: str | None = None,
) -> CandidateList:
    """Return the answer for one face: its candidates, and a name or the reason why there is none.

    searched: what the gallery found, undecided. height: of the face, px of the file, or None where
    nobody measured it (then it is not too small). unaligned: why it has no vector, or "".
    suggested: whom a classifier names; it counts only where that person reaches the limit.
    """
    found = searched.candidates
    chosen = next((c for c in found if suggested is None or c.person == suggested), None)
    person, reason = None, ""
    if unaligned:
        reason = f"the face cannot be aligned: {unaligned}"
    elif height is not None and height < options.min_height:
        reason = f"{TOO_SMALL}: {height:.0f} px of {options.min_height:.0f} px needed"
    elif chosen is None or limit is None:
        reason = "nobody is enrolled" if not searched.gallery_size else "no candidate"
    elif chosen.score < limit.threshold.score:
        reason = "below the threshold"
    else:
        person = chosen.person
    listed = tuple(c for c in found if c.rank <= options.top_k or c.person == suggested)
    margin = found[0].score - found[1].score if len(found) > 1 else None
    return replace(
        searched, candidates=listed, person=person, reason=reason, threshold=limit, margin=margin
    )


def living(
    answer: CandidateList, live: LiveAnswer | None, options: LiveOptions | None
) -> CandidateList:
    """Return the answer for a face without its name where a living one is required and this is not.

    live: whether it is one, or None where nobody looked.
    """
    if options is None or options.liveness != LiveMode.REQUIRE or answer.person is None:
        return answer
    told = LiveAnswer.not_checked("nobody looked") if live is None else live
    refusal = told.refusal
    return replace(answer, person=None, reason=refusal) if refusal else answer


def one_name_each(answers: Sequence[CandidateList]) -> list[CandidateList]:
    """Return the answers of one photo so that no person stands twice: the best score keeps it."""
    scores = [a.candidates[0].score if a.candidates else float("-inf") for a in answers]
    best: dict[str, int] = {}
    for place in np.argsort(-np.array(scores), kind="stable"):
        person = answers[place].person
        if person is not None:
            best.setdefault(person, int(place))
    result = []
    for place, answer in enumerate(answers):
        if answer.person is not None and best[answer.person] != place:
            reason = f"another face of this photo is more like {answer.person}"
            answer = replace(answer, person=None, reason=reason)
        result.append(answer)
    return result
