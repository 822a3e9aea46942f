"""What applications send is what verification proves: the same request for every kind, apart from the
question and the limits of the probe. Nothing is sent.
"""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.streaming import KEY, Network, asking, collected, environ_of, model_at, streamed
from support.streams import RECORDED

from reconciler.core.endpoints import endpoint_of
from reconciler.core.prompt import Inputs, Prompt, prompt_of
from reconciler.kinds import built_in
from reconciler.kinds import names as kind_names
from reconciler.protocols.exchange import LARGEST_BODY, Verdict
from reconciler.protocols.generating import limit_of, proving_parameters, proving_prompt
from reconciler.protocols.generation import Piece
from reconciler.protocols.registry import protocol
from reconciler.protocols.working import LARGEST_REPLY


def places():
    """A model for each endpoint of each kind."""
    for name in kind_names():
        for endpoint in built_in(name).endpoints:
            pattern = endpoint.match[0] if endpoint.match else "some-model-1"
            model = pattern.lstrip("*").replace("*", "-1").lower()
            if endpoint_of(built_in(name), model, endpoint.mode) == endpoint:
                yield name, endpoint.mode, model


PLACES = tuple(places())
WRITING = {"chat", "completion"}
# Nobody minds these, and every kind that does not take one leaves it out.
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0.1, 0.9),
        "top_p": st.floats(0.1, 0.9),
        "top_k": st.integers(1, 40),
        "stop_sequences": st.just(["END"]),
        "seed": st.integers(1, 99),
        "max_new_tokens": st.integers(20, 99),
        "repetition_penalty": st.floats(1.1, 1.5),
        "response_format": st.sampled_from(["text", "json_object"]),
        "extra": st.sampled_from([{"user": "me"}, {"options": {"x": 1}}, {"stream_options": {"y": True}}]),
    },
)
TEMPLATE = {"system_prompt": "Be brief.", "query_prefix": "Question:"}


def refusing(request):
    """Tokens are given, and everything else is refused, so that nothing more is asked."""
    return {"access_token": KEY, "expires_in": 60} if request.form else Verdict("unreachable", "no network")


def sent(case, act):
    network = Network(refusing)
    asking(network, act, environ=environ_of(case.kind))
    return network.questions


def asked(case, prompt, inputs=None):
    """The request that an application's call becomes."""
    given = {} if inputs is None else {"inputs": inputs}
    (question,) = sent(case, lambda client: client.generate(case, prompt, **given))
    return question


def streaming(case, prompt):
    """The request that an application's stream becomes; `None` where there is none."""
    questions = sent(case, lambda client: collected(client.stream(case, prompt)))
    return questions[0] if questions else None


def probed(case):
    """The request that the probe becomes."""

    async def verify(client):
        async with client._call() as run:
            return await protocol(case.kind.protocol).verify(case, run)

    (question,) = sent(case, verify)
    return question


def is_of(case, shape):
    endpoint = endpoint_of(case.kind, case.address.model_id, case.mode)
    return (endpoint.shape or endpoint.mode) == shape


@given(place=st.sampled_from(PLACES), parameters=PARAMETERS, has_template=st.booleans())
def test_applications_send_what_the_probe_proves(place, parameters, has_template):
    name, mode, model = place
    template = TEMPLATE if has_template and mode in WRITING else None
    case = model_at(name, model, mode=mode, parameters=parameters, template=template)
    proof = probed(case)
    # The probe's own question, and its own limit where there was none, make it the same to the byte.
    same = replace(case, parameters=proving_parameters(case))
    inputs = Inputs(sound=b"RIFF") if is_of(case, "transcription") else Inputs()
    question = asked(same, proving_prompt(case), inputs)
    assert question.limit == LARGEST_REPLY
    assert proof.limit == LARGEST_BODY
    if inputs.sound or is_of(case, "image"):
        # The sound is another one, and the picture of the probe the smallest.
        varied = {"body": None, "content_type": "", "limit": 0}
        assert replace(question, **varied) == replace(proof, **varied)
    else:
        assert replace(question, limit=proof.limit) == proof


@given(place=st.sampled_from([one for one in PLACES if one[1] in WRITING]), parameters=PARAMETERS)
def test_nothing_but_the_limit_of_the_probe_is_added(place, parameters):
    name, mode, model = place
    parameters = {key: value for key, value in parameters.items() if key != "max_new_tokens"}
    case = model_at(name, model, mode=mode, parameters=parameters)
    question, proof = asked(case, proving_prompt(case)), probed(case)
    leaves = (set(_leaves(json.loads(one.body))) for one in (question, proof))
    ours, probes = leaves
    assert question.url == proof.url
    assert {path for path, _ in ours ^ probes} <= {
        path for path, _ in probes if limit_of({path.rpartition(".")[2]: 1})
    }


def _leaves(found, above=""):
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in items:
        yield from (
            _leaves(value, f"{above}.{key}")
            if isinstance(value, (dict, list))
            else [(f"{above}.{key}", value)]
        )


@given(place=st.sampled_from([one for one in PLACES if one[1] in WRITING]), parameters=PARAMETERS)
def test_a_stream_is_asked_for_as_a_whole_answer_is(place, parameters):
    name, mode, model = place
    case = model_at(name, model, mode=mode, parameters=parameters)
    prompt = prompt_of(TEMPLATE, "What is 2+2?", "Numbers")
    whole, bits = asked(case, prompt), streaming(case, prompt)
    ours, theirs = json.loads(bits.body), json.loads(whole.body)
    for one in (ours, theirs):
        one.pop("stream", None)
        one.pop("stream_options", None)
    assert ours == theirs
    assert (bits.secrets, bits.addresses, bits.signer) == (whole.secrets, whole.addresses, whole.signer)


@pytest.mark.parametrize("name", RECORDED)
def test_a_stream_is_asked_for_in_the_words_of_its_provider(name):
    recorded = RECORDED[name]
    case = model_at(recorded.kind, recorded.model, mode=recorded.mode)
    question = streaming(case, Prompt("ping"))
    body = json.loads(question.body)
    assert question.url.endswith(recorded.path)
    assert {key: body.get(key) for key in ("stream", "stream_options") if key in body} == recorded.asked


def test_what_somebody_wants_of_a_stream_besides_stays():
    case = model_at(
        "openai", "gpt-4o", parameters={"extra": {"stream_options": {"include_obfuscation": False}}}
    )
    wanted = json.loads(streaming(case, Prompt("ping")).body)["stream_options"]
    assert wanted == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize("name", RECORDED)
def test_a_client_tells_the_pieces_as_they_come(name):
    recorded = RECORDED[name]
    case = model_at(recorded.kind, recorded.model, mode=recorded.mode)

    def reply(request):
        tokens = {"access_token": KEY, "expires_in": 60}
        return tokens if request.form else streamed(recorded.body, content_type=recorded.content_type)

    pieces = asking(
        Network(reply),
        lambda client: collected(client.stream(case, Prompt("ping"))),
        environ=environ_of(case.kind),
    )
    assert all(isinstance(one, Piece) for one in pieces)
    assert "".join(one.text for one in pieces) == recorded.text
    assert next(one.model for one in [*pieces, Piece()] if one.model or one == Piece()) == recorded.named


# What is given besides a prompt


@pytest.mark.parametrize(
    ("kind", "model", "mode", "told"),
    [
        pytest.param("openai", "text-embedding-3-small", "embedding", {"input": ["a", "b"]}, id="openai"),
        pytest.param("cohere", "embed-v4.0", "embedding", {"texts": ["a", "b"]}, id="cohere"),
        pytest.param("ollama", "nomic", "embedding", {"input": ["a", "b"]}, id="ollama"),
        pytest.param("watsonx", "slate", "embedding", {"inputs": ["a", "b"]}, id="watsonx"),
        pytest.param(
            *(
                "vertex",
                "text-embedding-005",
                "embedding",
                {"instances": [{"content": "a"}, {"content": "b"}]},
            ),
            id="vertex",
        ),
        pytest.param("bedrock", "cohere.embed-v3", "embedding", {"texts": ["a", "b"]}, id="bedrock"),
        pytest.param("cohere", "rerank-v3", "rerank", {"query": "q", "documents": ["a", "b"]}, id="ranks"),
        pytest.param("vllm", "x", "rerank", {"query": "q", "documents": ["a", "b"]}, id="ranks of vLLM"),
        pytest.param(
            *("watsonx", "x", "rerank", {"query": "q", "inputs": [{"text": "a"}, {"text": "b"}]}),
            id="ranks of watsonx",
        ),
        pytest.param("openai", "omni-moderation", "moderation", {"input": ["a", "b"]}, id="judgements"),
    ],
)
def test_several_texts_are_one_request(kind, model, mode, told):
    case = model_at(kind, model, mode=mode)
    body = json.loads(asked(case, Prompt("q"), Inputs(texts=("a", "b"))).body)
    assert {key: body[key] for key in told} == told


def test_several_texts_have_a_path_of_their_own_at_gemini():
    case = model_at("gemini", "gemini-embedding-001", mode="embedding")
    question = asked(case, Prompt(""), Inputs(texts=("a", "b")))
    assert question.url.endswith("/v1beta/models/gemini-embedding-001:batchEmbedContents")
    assert json.loads(question.body)["requests"] == [
        {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}} for text in "ab"
    ]


def test_a_recording_is_sent_under_its_name():
    case = model_at("openai", "whisper-1", mode="audio")
    body = asked(case, Prompt(""), Inputs(sound=b"ID3-canary", sound_name='a"b.mp3')).body
    assert b'filename="a%22b.mp3"\r\nContent-Type: audio/mpeg\r\n\r\nID3-canary\r\n' in body
