"""python-hl7 as an independent second opinion on the sample messages, where it is known to be right."""

from pathlib import Path

import hl7
import pytest

from dhos_connector_api.hl7v2.read import read

SAMPLES = sorted((Path(__file__).parent.parent / "samples").glob("*.hl7"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_both_see_the_same_fields(path: Path) -> None:
    message = read(path.read_bytes())
    other = hl7.parse("\r".join(message.lines))
    assert [segment.name for segment in message.segments()] == [str(segment[0]) for segment in other]
    compared = 0
    for ours, theirs in zip(message.segments(), other, strict=True):
        for field in range(1, len(theirs)):
            assert ours.raw(field) == str(theirs[field]), f"{ours.name}-{field}"
            if ours.name != "MSH" and ours.raw(field):
                compared += _same_components(ours.repeated(field), theirs[field], message.delimiters.escape)
    assert compared >= 5


def _same_components(ours: list, theirs: hl7.Field, escape: str) -> int:  # type: ignore[type-arg]
    """Compare down to the components; python-hl7's unescaping is not trusted, so escaped text is left out."""
    compared = 0
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        components = list(other) if isinstance(other, hl7.Repetition) else [other]
        for number, component in enumerate(components, 1):
            if one.raw != '""' and escape not in str(component) and not isinstance(component[:1], list):
                parts = component if isinstance(component, hl7.Component) else [component]
                assert [one.value(number, at) for at in range(1, len(parts) + 1)] == [
                    str(part) for part in parts
                ]
                compared += 1
    return compared
