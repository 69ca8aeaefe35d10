"""One long list in a JSON body, element by element."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec.bodies import MOST_COLLECTIONS, MOST_VALUES
from dhos_connector_api.spec.long_list import MOST_MEMBERS, ListBody

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(
    st.lists(VALUES, min_size=1),
    st.dictionaries(st.text().filter(lambda name: name not in {"events", "z"}), VALUES, max_size=90),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
)
def test_it_gives_what_a_json_reader_gives(
    events: list[Any], others: dict[str, Any], ascii_only: bool, indent: int | str | None
) -> None:
    body = {**others, "events": events, "z": others}
    raw = json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    found = ListBody(raw, "events", 10_000)
    assert len(found) == len(events)
    assert [json.loads(each) for each in found] == events


def test_a_byte_order_mark_before_the_list_is_skipped() -> None:
    assert list(ListBody(b'\xef\xbb\xbf{"events": [{"a": 1.0}]}', "events", 10)) == [b'{"a": 1.0}']


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"null", b"[]", b"{", b"{}", b'{"events"', b'{"events":', b'{"events":[', b'{"events":[}',
        b'{"events":[1', b'{"events":[1,', b'{"events":[1,]}', b'{"events":[1]', b'{"events":[1],}',
        b'{"events":[1]} x', b'{"events":[1]}{}', b'{"events":[1 2]}', b'{"events":1}', b'{"events":null}',
        b'{"events":[1],"events":[2]}', b'{"events":["\xff"]}', b'{"events":[\xef\xbb\xbf]}', b'{events:[]}',
        b'{1:[]}', b'{1:2,"events":[1]}', b'{[]:2,"events":[1]}', b'{null:2,"events":[1]}', b'{"events":[]}',
        b'{"events":[1],"x":[1 2]}', b'{"events":[1],"x":{"a" 1}}', b'{"events":[{"a" 1}]}',
        b'{"events":[[}]}', b'{"events":[[1}]}', b'{"events":[{"a":1]]}',
        b'{"x":1}', b'{"events":[01]}', b"{'events':[]}", b'{"a" 1,"events":[]}',
        b'\xef\xbb\xbf{}',
    ],
)  # fmt: skip
def test_what_is_no_such_body_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        ListBody(raw, "events", 10)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_deep_body_is_refused(opening: bytes) -> None:
    for raw in (opening * 300_000, b'{"events":[' + opening * 300_000):
        with pytest.raises(BadInput):
            ListBody(raw, "events", 10)


@given(st.lists(VALUES, min_size=1), st.data())
def test_a_body_that_breaks_off_is_refused(events: list[Any], data: st.DataObject) -> None:
    raw = json.dumps({"events": events}).encode()
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(BadInput):
        ListBody(raw[:cut], "events", 10_000)


def test_more_elements_than_allowed_are_refused() -> None:
    assert len(ListBody(b'{"events":[1,2]}', "events", 2)) == 2
    with pytest.raises(BadInput, match="more than 2 events"):
        ListBody(b'{"events":[1,2,3]}', "events", 2)


@pytest.mark.parametrize("body", [b'{"events":[[%s1]]}', b'{"x":[%s1],"events":[1]}'])
@pytest.mark.parametrize(
    ("value", "most", "why"),
    [
        (b"[],", MOST_COLLECTIONS - 2, "lists and objects"),
        (b"{},", MOST_COLLECTIONS - 2, "lists and objects"),
        (b"1,", MOST_VALUES - 1, "values"),
        (b'",",', MOST_VALUES - 1, "values"),
    ],
)
def test_a_value_that_holds_more_than_it_may_is_refused(
    body: bytes, value: bytes, most: int, why: str
) -> None:
    assert len(ListBody(body % (value * most), "events", 10)) == 1
    with pytest.raises(BadInput, match=why):
        ListBody(body % (value * (most + 2)), "events", 10)


def test_more_members_than_allowed_beside_the_list_are_refused() -> None:
    members = [b'"%d":[],' % number for number in range(MOST_MEMBERS)]
    assert len(ListBody(b'{%s"events":[1]}' % b"".join(members[1:]), "events", 10)) == 1
    with pytest.raises(BadInput, match=f"more than {MOST_MEMBERS} members"):
        ListBody(b'{%s"events":[1]}' % b"".join(members), "events", 10)


@pytest.mark.parametrize("name", [b"", b"x", b"events"])
def test_a_member_given_twice_is_refused(name: bytes) -> None:
    with pytest.raises(BadInput, match="the same name twice"):
        ListBody(b'{"%s":[1],"y":1,"%s":[1],"events":[1]}' % (name, name), "events", 10)


def test_commas_in_texts_are_no_values() -> None:
    assert len(ListBody(b'{"events":["%s"]}' % (b"," * 3 * MOST_VALUES), "events", 10)) == 1


def test_memory_is_that_of_the_text_and_not_of_its_values() -> None:
    event = {"event_code": "OPD", "payload_json": {str(number): number for number in range(60)}}
    raw = json.dumps({"events": [event] * 10_000}).encode()
    tracemalloc.start()
    for _ in ListBody(raw, "events", 10_000):
        pass
    _, streamed = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    json.loads(raw)
    _, at_once = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert streamed < 1.5 * len(raw)
    assert at_once > 3 * len(raw)
