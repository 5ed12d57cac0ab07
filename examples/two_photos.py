"""Do two photos show the same person?

python examples/two_photos.py portrait.jpg again.jpg
"""

import sys

import facelign


def main(a: str, b: str) -> None:
    decision = facelign.Recognizer().verify(a, b)
    answer = "the same person" if decision.is_match else "different people"
    print(f"{answer}: score {decision.score:.3f}, threshold {decision.threshold.score:.3f}")
    print(f"the threshold: {decision.threshold.source}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
