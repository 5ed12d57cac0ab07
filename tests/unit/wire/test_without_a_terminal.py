"""What a service does: options in, records out, and nothing of the command line is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from facelign.models import catalog
from facelign.recognition.presets import preset

SERVICE = """
import json, sys
from pathlib import Path
from facelign.recognition.options import EnrollOptions, IdentifyOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.threshold_rule import rule
from facelign.types.policies import FacePolicy
from facelign.wire import records
from facelign.wire.options import ChainFlags, FaceFlags, NamingFlags, VerifyFlags

photo, place = map(Path, sys.argv[1:])
recognizer = ChainFlags(workers=1).recognizer()
naming = NamingFlags(IdentifyOptions(top_k=1, min_height=20), threshold="0.5")
options = naming.chosen(recognizer, place, FaceFlags().policy(FacePolicy.BEST), source="asked")
with PhotoGallery(place, recognizer, create=True) as gallery:
    (done,) = gallery.enroll("Eileen", photo, EnrollOptions(consent="by letter"))
    named = records.identify_record(gallery.identify(photo, options))
same = VerifyFlags(threshold="0.4")
limit = rule(recognizer, same.threshold).threshold(same.fmr)
verified = recognizer.compare(photo, photo, threshold=limit)
answer = [records.enroll_record(done), named, verified.decision.is_match]
loaded = [name for name in sys.modules if name.split(".")[0] in ("typer", "rich", "click")]
loaded += [name for name in sys.modules if name.startswith("facelign.cli")]
print(json.dumps([*answer, loaded]))
"""


@pytest.mark.weights
def test_a_service_goes_from_options_to_records(pulled, portrait, tmp_path: Path):
    from facelign.imaging.write import write

    pulled(*(catalog.default().spec(task, model) for task, model in preset("default").models))
    photo = tmp_path / "eileen.png"
    write(photo, portrait.pixels)
    words = [sys.executable, "-c", SERVICE, str(photo), str(tmp_path / "g.db")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    enrolled, named, same, loaded = json.loads(done.stdout)
    assert (enrolled["enrolled"], enrolled["person"], same) == (True, "Eileen", True)
    (face,) = named["faces"]
    assert (face["person"], len(face["candidates"])) == ("Eileen", 1)
    assert named["search"]["note"] == "asked"
    assert loaded == []
