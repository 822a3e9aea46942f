"""Streams become pieces: as providers send them, cut into bytes anywhere, broken off, and sent by somebody
who means no good. Nothing is sent.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.streams import (
    BEDROCK,
    CHAT,
    CLAUDE,
    DONE,
    OLLAMA,
    RECORDED,
    aws,
    chunk,
    lines,
    message,
    said,
    sse,
)

from reconciler.core.endpoints import endpoint_of
from reconciler.kinds import built_in
from reconciler.protocols.classify import Finding
from reconciler.protocols.framing import LARGEST_EVENT, Malformed, decoder
from reconciler.protocols.generating import shape_name
from reconciler.protocols.generation import Event, Piece
from reconciler.protocols.kind_rules import rules_of
from reconciler.protocols.midway import Reader
from reconciler.protocols.registry import protocol

names = pytest.mark.parametrize("name", RECORDED)


def reader(recorded):
    kind = built_in(recorded.kind)
    spoken = protocol(kind.protocol)
    endpoint = endpoint_of(kind, recorded.model, recorded.mode)
    streaming = spoken.shapes[shape_name(endpoint)].stream
    return Reader(streaming, endpoint, rules=rules_of(kind, spoken.rules), dialect=spoken.dialect)


def read(name, *chunks):
    """Everything that a stream says, the empty pieces left out."""
    reading = reader(RECORDED[name])
    found = [one for part in chunks for one in reading.feed(part)]
    found += [] if any(isinstance(one, Finding) for one in found) else reading.end()
    return [one for one in found if one != Piece()]


def whole(pieces):
    """What pieces say together."""
    counts = [(one.input_tokens, one.output_tokens) for one in pieces]
    return (
        "".join(one.text for one in pieces),
        next((one.model for one in pieces if one.model), None),
        next((one.finish_reason for one in pieces if one.finish_reason), None),
        tuple(
            next((one for one in reversed(column) if one is not None), None)
            for column in zip(*counts, strict=True)
        ),
    )


@names
def test_a_stream_says_its_text_its_model_and_its_cost(name):
    recorded = RECORDED[name]
    pieces = read(name, recorded.body)
    assert whole(pieces) == (recorded.text, recorded.named, recorded.finish, recorded.counts)
    assert [one.text for one in pieces if one.text] == ["po", "ng ✓"]


@given(name=st.sampled_from(sorted(RECORDED)), cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_it_does_not_matter_where_the_bytes_are_cut(name, cuts):
    body = RECORDED[name].body
    places = sorted({min(cut, len(body)) for cut in cuts})
    chunks = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    assert read(name, *chunks) == read(name, body)


@names
def test_a_byte_at_a_time_is_as_good_as_all_at_once(name):
    body = RECORDED[name].body
    assert read(name, *(body[place : place + 1] for place in range(len(body)))) == read(name, body)


@given(name=st.sampled_from(sorted(RECORDED)), share=st.floats(0, 1))
def test_a_stream_that_breaks_off_says_so_unless_the_answer_was_all_there(name, share):
    body = RECORDED[name].body
    pieces = read(name, body[: int(len(body) * share)])
    is_whole = any(isinstance(one, Piece) and one.finish_reason for one in pieces)
    broke = isinstance(pieces[-1], Finding) if pieces else False
    if broke:
        assert pieces[-1].outcome == "bad_response"
        assert all(isinstance(one, Piece) for one in pieces[:-1])
    # A half event after a whole answer may still be called broken; a half answer is never called whole.
    assert broke or is_whole


def test_the_mark_of_the_end_alone_makes_an_answer_whole():
    assert read("openai", sse(said("pong"), DONE)) == [Piece("pong", "gpt-4o-2024-08-06")]
    assert read("openai", sse(said("pong")))[-1].outcome == "bad_response"
    assert read("openai", sse(said("pong", finish_reason="stop")))[-1].finish_reason == "stop"
    assert read("openai", b"")[-1].complaint.message == "its answer broke off before its end"


def test_what_comes_after_the_end_is_not_read():
    assert read("openai", CHAT + sse({"error": {"message": "late"}})) == read("openai", CHAT)
    assert read("ollama", OLLAMA + b"garbage\n") == read("ollama", OLLAMA)
    assert read("anthropic", CLAUDE + CLAUDE) == read("anthropic", CLAUDE)


# Errors after a success has begun

BEGUN = sse(said("po"))


@pytest.mark.parametrize(
    ("name", "body", "outcome", "code"),
    [
        pytest.param(
            *("openai", BEGUN + sse({"error": {"message": "Oops", "type": "server_error", "code": None}})),
            *("overloaded", "server_error"),
            id="openai: the server",
        ),
        pytest.param(
            *("openai", BEGUN + sse({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})),
            *("rate_limited", "rate_limit_exceeded"),
            id="openai: the rate",
        ),
        pytest.param(
            *(
                "openai",
                BEGUN
                + sse(
                    {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
                ),
            ),
            *("quota_exhausted", "insufficient_quota"),
            id="openai: the quota",
        ),
        pytest.param(
            "openai",
            BEGUN + sse({"error": {"message": "a strange thing"}}),
            *("bad_response", ""),
            id="openai: nobody knows what",
        ),
        pytest.param(
            *(
                "openrouter",
                BEGUN + sse(chunk(choice={"error": {"code": 502, "message": "died"}, "delta": {}})),
            ),
            *("overloaded", "502"),
            id="openrouter: in the choice",
        ),
        pytest.param(
            *("openai responses", sse({"type": "error", "code": "server_error", "message": "x"})),
            *("overloaded", "server_error"),
            id="responses: an event of its own",
        ),
        pytest.param(
            "openai responses",
            sse(
                {
                    "type": "response.failed",
                    "response": {"error": {"code": "rate_limit_exceeded", "message": "x"}},
                }
            ),
            *("rate_limited", "rate_limit_exceeded"),
            id="responses: it failed",
        ),
        pytest.param(
            "anthropic",
            sse(("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})),
            *("overloaded", "overloaded_error"),
            id="anthropic",
        ),
        pytest.param(
            "gemini",
            sse({"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}),
            *("rate_limited", "RESOURCE_EXHAUSTED"),
            id="gemini",
        ),
        pytest.param(
            "gemini", sse([{"error": {"code": 503, "message": "x"}}]), "overloaded", "503", id="in a list"
        ),
        pytest.param(
            "cohere",
            sse({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "it went wrong"}}),
            *("bad_response", ""),
            id="cohere",
        ),
        pytest.param(
            "watsonx",
            sse(("error", {"errors": [{"code": "token_quota_reached", "message": "x"}], "status_code": 429})),
            *("quota_exhausted", "token_quota_reached"),
            id="watsonx",
        ),
        pytest.param(
            "watsonx", b"event: error\ndata: out of luck\n\n", "bad_response", "", id="an error in words"
        ),
        pytest.param(
            "ollama", lines({"error": "model runner has stopped"}), "bad_response", "", id="ollama: in words"
        ),
        pytest.param(
            "bedrock",
            message({"message": "slow"}, exception_type="throttlingException", message_type="exception"),
            *("rate_limited", "throttlingException"),
            id="bedrock: throttled",
        ),
        pytest.param(
            "bedrock",
            message(b"", error_code="internalServerException", error_message="x", message_type="error"),
            *("overloaded", "internalServerException"),
            id="bedrock: broken",
        ),
    ],
)
def test_an_error_in_a_stream_comes_after_the_pieces_and_means_what_it_would_have_meant(
    name, body, outcome, code
):
    *pieces, finding = read(name, body)
    assert isinstance(finding, Finding)
    assert all(isinstance(one, Piece) for one in pieces)
    complaint = finding.complaint
    assert (finding.outcome, complaint.code or complaint.type) == (outcome, code)


# Streams of somebody who means no good


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param("openai", b"data: {" + b"x" * 100 + b"\n\n", id="no JSON"),
        pytest.param("openai", b"data: \xff\xfe\n\n", id="no text"),
        pytest.param("openai", b"data: " + b"[" * 100_000 + b"\n\n", id="nested"),
        pytest.param("openai", b"data: " + b"x" * (LARGEST_EVENT + 1), id="an endless line"),
        pytest.param("openai", b": " + b"x" * (2 * LARGEST_EVENT), id="an endless comment"),
        pytest.param("openai", b"data: xxxxxxxxxx\n" * 100_000, id="an endless event"),
        pytest.param("ollama", b'{"message": "' + b"x" * LARGEST_EVENT, id="an endless document"),
        pytest.param("ollama", b"pong\n", id="a line of words"),
        pytest.param("bedrock", b"\x7f\xff\xff\xff" * 4, id="an endless message"),
        pytest.param("bedrock", b"\x00" * 16, id="a message of nothing"),
        pytest.param("bedrock", BEDROCK[:-1] + b"\x00", id="a changed message"),
        pytest.param("bedrock", b"HTTP/1.1 200 OK\r\n\r\n" * 9, id="no messages"),
        pytest.param("bedrock", BEDROCK[:40], id="half a message"),
        pytest.param("bedrock", message(b"pong", event_type="contentBlockDelta"), id="a message in words"),
    ],
)
def test_what_is_no_stream_is_a_bad_response(name, body):
    *pieces, finding = read(name, body)
    assert isinstance(finding, Finding)
    assert finding.outcome == "bad_response"
    assert all(isinstance(one, Piece) for one in pieces)


@pytest.mark.parametrize("framing", ["sse", "lines", "aws"])
def test_an_event_is_held_no_longer_than_its_limit(framing):
    reading = decoder(framing)
    # A message of AWS's says its length, which must be within the limit.
    chunk = b"\x00\x0f\xff\xff" + b"x" * 4092
    found = [one for _ in range(257) for one in reading.feed(chunk)]
    assert [type(one) for one in found][:1] == [Malformed]


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "content",
                        "error",
                        "type",
                        "usage",
                        "response",
                        "message",
                        "candidates",
                        "results",
                        "data",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    name=st.sampled_from(sorted(set(RECORDED) - {"bedrock"})),
)
def test_no_document_breaks_a_reader(name, document):
    body = (
        lines(document)
        if name.startswith("ollama")
        else sse(
            json.loads(json.dumps(document)) if not isinstance(document, (str, tuple)) else {"x": document}
        )
    )
    assert all(isinstance(one, (Piece, Finding)) for one in read(name, body))


@given(
    document=st.dictionaries(
        st.sampled_from(["delta", "usage", "stopReason"]),
        st.none() | st.integers() | st.lists(st.none()) | st.text(),
    ),
    event=st.sampled_from(["contentBlockDelta", "messageStop", "metadata", "other"]),
)
def test_no_message_breaks_a_reader(document, event):
    assert all(isinstance(one, (Piece, Finding)) for one in read("bedrock", aws((event, document))))


@pytest.mark.parametrize(
    ("body", "events"),
    [
        pytest.param(b"\xef\xbb\xbfdata: 1\n\n", [Event("", 1)], id="a mark at the beginning"),
        pytest.param(b"data: [1,\ndata: 2]\n\n", [Event("", [1, 2])], id="several lines"),
        pytest.param(
            b"event: x\nid: 7\nretry: 9\ndata: 1\n\n", [Event("x", 1)], id="fields that do not matter"
        ),
        pytest.param(b"event: x\n\ndata: 1\n\n", [Event("", 1)], id="a name without an event"),
        pytest.param(b": ping\n\n\n\n", [], id="nothing but life"),
        pytest.param(b"data: 1", [Event("", 1)], id="no end"),
        pytest.param(b"data: 1\r\n\r\ndata: 2\r\n\r\n", [Event("", 1), Event("", 2)], id="lines of the web"),
        pytest.param(b"data:  [DONE] \n\n", [Event("", "[DONE]")], id="the mark of the end"),
    ],
)
def test_server_sent_events_are_told_apart(body, events):
    reading = decoder("sse")
    assert [*reading.feed(body), *reading.end()] == events
