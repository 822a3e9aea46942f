"""What is sent to generate, whole, at Anthropic, watsonx, Gemini, Vertex AI, Bedrock, Cohere and Ollama, with
parameters and a template; and what their answers say. Nothing is sent.
"""

import json

import pytest

from reconciler.core.prompt import Prompt, prompt_of
from reconciler.core.provider_kind import Endpoint, ProviderKind
from reconciler.core.wire import wired
from reconciler.kinds import built_in
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Reply, Work
from reconciler.protocols.shapes import anthropic, bedrock, cohere, formats, gemini, ollama, watsonx

TEMPLATE = {"system_prompt": "Be brief.", "query_prefix": "Question:", "answer_prefix": "Answer:"}
ASKED = "Question: ping\n\nAnswer:"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}]
PARAMETERS = {"max_new_tokens": 16, "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"]}
PROJECT = {"project_id": "a-project"}
SHAPES = {
    "anthropic": (anthropic.SHAPES, anthropic.WIRES),
    "bedrock": (bedrock.SHAPES, bedrock.WIRES),
    "cohere": (cohere.SHAPES, cohere.WIRES),
    "gemini": (gemini.SHAPES, gemini.WIRES),
    "ollama": (ollama.SHAPES, ollama.WIRES),
    "vertex": (gemini.SHAPES_OF_VERTEX, gemini.WIRES),
    "watsonx": (watsonx.SHAPES, watsonx.WIRES),
}


def composed(kind, shape, model, parameters=(), *, mode="chat", prompt=None, plain=None, bare=False):
    """A request; of a kind of that protocol without a table where it is `bare`."""
    shapes, wires = SHAPES[kind]
    spec = ProviderKind(name="mine", protocol=kind, built_in=False) if bare else built_in(kind)
    work = Work(
        kind=spec,
        model_id=model,
        mode=mode,
        endpoint=Endpoint(mode, "/the/path/{model}", query={"version": "1"}),
        prompt=prompt or prompt_of(TEMPLATE, "ping"),
        wired=wired(spec, model_id=model, mode=mode, parameters=dict(parameters), defaults=wires),
        plain=plain or {},
    )
    return shapes[shape].compose(work)


GOOGLE_CONTENTS = {
    "contents": [{"role": "user", "parts": [{"text": ASKED}]}],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
}
CHATS = [
    pytest.param(
        ("anthropic", "chat", "claude-3-haiku-20240307"),
        {**PARAMETERS, "top_k": 5},
        {
            "model": "claude-3-haiku-20240307",
            "max_tokens": 16,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 5,
            "stop_sequences": ["END"],
            "system": "Be brief.",
            "messages": [{"role": "user", "content": ASKED}],
        },
        id="anthropic",
    ),
    pytest.param(
        ("anthropic", "chat", "claude-opus-5"),
        {"reasoning_effort": "low", "temperature": 0.5},
        {
            "model": "claude-opus-5",
            "max_tokens": 4096,
            "output_config": {"effort": "low"},
            "system": "Be brief.",
            "messages": [{"role": "user", "content": ASKED}],
        },
        id="anthropic, without a limit, and without what newer models refuse",
    ),
    pytest.param(
        ("vertex", "anthropic", "claude-3-5-haiku"),
        PARAMETERS,
        {
            "anthropic_version": "vertex-2023-10-16",
            "max_tokens": 16,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop_sequences": ["END"],
            "system": "Be brief.",
            "messages": [{"role": "user", "content": ASKED}],
        },
        id="anthropic on vertex",
    ),
    pytest.param(
        ("gemini", "chat", "gemini-2.5-pro"),
        {**PARAMETERS, "top_k": 5, "seed": 7, "logprobs": 3, "response_format": "json_object"},
        {
            **GOOGLE_CONTENTS,
            "generationConfig": {
                "maxOutputTokens": 16,
                "temperature": 0.5,
                "topP": 0.9,
                "topK": 5,
                "stopSequences": ["END"],
                "seed": 7,
                "responseLogprobs": True,
                "logprobs": 3,
                "responseMimeType": "application/json",
            },
        },
        id="gemini",
    ),
    pytest.param(
        ("vertex", "chat", "gemini-3-pro"),
        {"max_new_tokens": 256, "reasoning_effort": "low"},
        {
            **GOOGLE_CONTENTS,
            "generationConfig": {"maxOutputTokens": 256, "thinkingConfig": {"thinkingLevel": "low"}},
        },
        id="vertex",
    ),
    pytest.param(("vertex", "chat", "gemini-2.5-pro"), {}, GOOGLE_CONTENTS, id="vertex, nothing set"),
    pytest.param(
        ("bedrock", "chat", "us.amazon.nova-lite-v1:0"),
        {**PARAMETERS, "extra": {"additionalModelRequestFields": {"topK": 5}}},
        {
            "messages": [{"role": "user", "content": [{"text": ASKED}]}],
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"maxTokens": 16, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
            "additionalModelRequestFields": {"topK": 5},
        },
        id="bedrock",
    ),
    pytest.param(
        ("cohere", "chat", "command-r"),
        {**PARAMETERS, "top_k": 5, "logprobs": 1, "response_format": "json_object"},
        {
            "model": "command-r",
            "messages": MESSAGES,
            "max_tokens": 16,
            "temperature": 0.5,
            "p": 0.9,
            "k": 5,
            "stop_sequences": ["END"],
            "logprobs": True,
            "response_format": {"type": "json_object"},
            "stream": False,
        },
        id="cohere",
    ),
    pytest.param(
        ("ollama", "chat", "llama3:latest"),
        {**PARAMETERS, "seed": 7, "repetition_penalty": 1.1, "response_format": "json_object"},
        {
            "model": "llama3:latest",
            "messages": MESSAGES,
            "stream": False,
            "format": "json",
            "options": {
                "num_predict": 16,
                "temperature": 0.5,
                "top_p": 0.9,
                "stop": ["END"],
                "seed": 7,
                "repeat_penalty": 1.1,
            },
        },
        id="ollama",
    ),
    pytest.param(
        ("ollama", "chat", "gpt-oss:20b"),
        {"reasoning_effort": "low", "response_format": "text"},
        {"model": "gpt-oss:20b", "messages": MESSAGES, "stream": False, "think": "low"},
        id="ollama, thinking, in plain text",
    ),
    pytest.param(
        ("ollama", "completion", "llama3"),
        {"max_new_tokens": 16},
        {
            "model": "llama3",
            "prompt": ASKED,
            "system": "Be brief.",
            "stream": False,
            "options": {"num_predict": 16},
        },
        id="ollama, completion",
    ),
]


@pytest.mark.parametrize(("asked", "parameters", "body"), CHATS)
def test_a_request_is_whole(asked, parameters, body):
    call = composed(*asked, parameters)
    assert call.body == body
    assert (call.path, call.query) == ("/the/path/{model}", {"version": "1"})
    assert json.loads(json.dumps(call.body)) == body


@pytest.mark.parametrize(("asked", "parameters", "body"), CHATS)
def test_a_kind_without_a_table_uses_its_protocols_names(asked, parameters, body):
    named = {name: value for name, value in parameters.items() if name != "extra"}
    if asked[2] == "claude-opus-5":
        # Which models refuse it is known by the table alone.
        named.pop("temperature")
    wanted = {name: value for name, value in body.items() if name != "additionalModelRequestFields"}
    if asked[1] != "anthropic":
        assert composed(*asked, named, bare=True).body == wanted


def watsonx_asked(shape, model="granite-3-8b", *, parameters=PARAMETERS, mode="chat", **more):
    return composed("watsonx", shape, model, parameters, mode=mode, plain=PROJECT, **more)


OF_WATSONX_CHAT = {
    "model_id": "granite-3-8b",
    "project_id": "a-project",
    "messages": MESSAGES,
    "max_tokens": 16,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["END"],
    "seed": 7,
    "logprobs": True,
    "top_logprobs": 2,
    "response_format": {"type": "json_object"},
}
OF_WATSONX_TEXT = {
    "model_id": "granite-13b",
    "project_id": "a-project",
    "input": f"Be brief.\n\n{ASKED}",
    "parameters": {
        "decoding_method": "greedy",
        "max_new_tokens": 16,
        "min_new_tokens": 0,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "random_seed": 7,
        "return_options": {"generated_tokens": True, "token_logprobs": True, "top_n_tokens": 2},
    },
}
BOTH = {**PARAMETERS, "seed": 7, "logprobs": 2}
TEXT = {**BOTH, "decoding_method": "greedy", "min_new_tokens": 0}


@pytest.mark.parametrize("bare", [False, True])
def test_watsonx_chats_under_the_names_of_chat_whatever_the_table_is_for(bare):
    parameters = {**BOTH, "response_format": "json_object"}
    for mode in ("chat", "completion")[: 2 if bare else 1]:
        call = watsonx_asked("chat", parameters=parameters, mode=mode, bare=bare)
        assert call.body == OF_WATSONX_CHAT


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_watsonx_generates_under_the_names_of_generation_whatever_the_table_is_for(bare, mode):
    call = watsonx_asked("completion", "granite-13b", parameters=TEXT, mode=mode, bare=bare)
    assert call.body == OF_WATSONX_TEXT


def test_a_name_that_was_moved_is_known_to_be_ours():
    flat = watsonx_asked("chat", parameters=TEXT, mode="completion")
    assert flat.body["max_tokens"] == 16
    assert flat.renamed == {
        "max_tokens": "max_new_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "stop": "stop_sequences",
        "seed": "seed",
        "top_logprobs": "logprobs",
        "logprobs": "logprobs",
    }
    # What text chat has no name for is sent all the same: it is refused there, and not by silence.
    assert flat.body["parameters"] == {"min_new_tokens": 0, "decoding_method": "greedy"}
    nested = watsonx_asked("completion", parameters=PARAMETERS, mode="chat")
    assert nested.renamed["parameters.max_new_tokens"] == "max_new_tokens"
    assert set(nested.body["parameters"]) == {"max_new_tokens", "temperature", "top_p", "stop_sequences"}


def test_what_a_file_passes_on_to_watsonx_stays_where_it_is():
    extra = {"time_limit": 1000, "parameters": {"truncate_input_tokens": 5}}
    chat = watsonx_asked("chat", parameters={"max_new_tokens": 16, "extra": extra})
    assert (chat.body["time_limit"], chat.body["parameters"]) == (1000, {"truncate_input_tokens": 5})
    text = watsonx_asked(
        "completion", "granite-13b", parameters={"max_new_tokens": 16, "extra": extra}, mode="completion"
    )
    assert text.body["parameters"] == {"max_new_tokens": 16, "truncate_input_tokens": 5}


@pytest.mark.parametrize(
    ("plain", "payer"),
    [
        ({"project_id": "p"}, {"project_id": "p"}),
        ({"space_id": "s"}, {"space_id": "s"}),
        ({"project_id": "p", "space_id": "s"}, {"project_id": "p"}),
        ({"region": "x"}, {}),
    ],
)
@pytest.mark.parametrize("shape", watsonx.SHAPES)
def test_watsonx_is_told_who_pays(shape, plain, payer):
    body = composed("watsonx", shape, "granite-3-8b", plain=plain).body
    assert {name: body[name] for name in ("project_id", "space_id") if name in body} == payer
    assert body["model_id"] == "granite-3-8b"


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (("gemini", "embedding", "gemini-embedding-001"), {"content": {"parts": [{"text": "ping"}]}}),
        (("vertex", "embedding", "text-embedding-005"), {"instances": [{"content": "ping"}]}),
        (
            ("watsonx", "embedding", "ibm/slate-30m"),
            {"model_id": "ibm/slate-30m", "project_id": "a-project", "inputs": ["ping"]},
        ),
        (
            ("watsonx", "rerank", "cross-encoder/ms"),
            {
                "model_id": "cross-encoder/ms",
                "project_id": "a-project",
                "query": "ping",
                "inputs": [{"text": "ping"}],
            },
        ),
        (
            ("cohere", "embedding", "embed-v4.0"),
            {
                "model": "embed-v4.0",
                "texts": ["ping"],
                "input_type": "search_query",
                "embedding_types": ["float"],
            },
        ),
        (
            ("cohere", "rerank", "rerank-v3.5"),
            {"model": "rerank-v3.5", "query": "ping", "documents": ["ping"]},
        ),
        (("bedrock", "embedding", "amazon.titan-embed-text-v2:0"), {"inputText": "ping"}),
        (
            ("bedrock", "embedding", "us.cohere.embed-english-v3"),
            {"input_type": "search_query", "texts": ["ping"]},
        ),
        (("ollama", "embedding", "nomic-embed-text"), {"model": "nomic-embed-text", "input": "ping"}),
    ],
)
def test_what_generates_no_text_takes_no_parameters_but_what_is_passed_on(asked, body):
    told = {"mode": asked[1], "prompt": Prompt("ping", "Be brief."), "plain": PROJECT}
    assert composed(*asked, **told).body == body
    extra = {**PARAMETERS, "extra": {"dimensions": 256}}
    assert composed(*asked, extra, **told).body == {**body, "dimensions": 256}


def test_another_use_of_an_embedding_can_be_passed_on():
    extra = {"extra": {"input_type": "search_document"}}
    for kind, model in (("cohere", "embed-v4.0"), ("bedrock", "cohere.embed-v4:0")):
        call = composed(kind, "embedding", model, extra, mode="embedding")
        assert call.body["input_type"] == "search_document"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("amazon.titan-embed-text-v1", "titan"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0", "titan"),
        ("cohere.embed-multilingual-v3", "cohere"),
        ("us.cohere.embed-v4:0", "cohere"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", None),
        ("twelvelabs.marengo-embed-2-7-v1:0", None),
        ("not-amazon.titan-embed-text", None),
    ],
)
def test_the_families_that_embed_at_bedrock_are_known_by_name(model, family):
    assert bedrock.embedding_family(model) == family


SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
OPENAI_SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("text", (False, None)),
        ("json_object", (True, None)),
        ({"type": "json_object"}, (True, None)),
        ({"type": "text"}, (False, None)),
        (OPENAI_SCHEMA, (True, SCHEMA)),
        ({"type": "json_object", "schema": SCHEMA}, (True, SCHEMA)),
        (SCHEMA, (True, SCHEMA)),
    ],
)
def test_a_format_is_understood_however_it_is_worded(wanted, expected):
    assert formats.format_of(wanted) == expected


@pytest.mark.parametrize("wanted", [OPENAI_SCHEMA, SCHEMA])
def test_a_schema_stands_where_each_provider_wants_it(wanted):
    parameters = {"response_format": wanted}
    config = composed("gemini", "chat", "gemini-2.5-pro", parameters, bare=True).body["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseSchema": SCHEMA}
    assert composed("ollama", "chat", "llama3", parameters, bare=True).body["format"] == SCHEMA
    assert composed("cohere", "chat", "command-r", parameters, bare=True).body["response_format"] == wanted


def test_without_a_template_there_is_no_system_prompt():
    for kind, (shapes, _) in SHAPES.items():
        for shape in shapes:
            body = composed(kind, shape, "m", prompt=Prompt("ping"), bare=True).body
            assert "system" not in json.dumps(body), (kind, shape)
            assert "ping" in json.dumps(body), (kind, shape)


def test_nothing_that_is_passed_on_replaces_what_is_asked():
    ours = {"contents": "x", "instances": "x", "texts": "x", "query": "x", "input": "x", "prompt": "x"}
    ours |= {
        "inputs": "x",
        "stream": True,
        "documents": "x",
        "model_id": "x",
        "inputText": "x",
        "content": "x",
    }
    for kind, (shapes, _) in SHAPES.items():
        for shape in shapes:
            plain = composed(kind, shape, "m", plain=PROJECT, bare=True).body
            body = composed(kind, shape, "m", {"extra": ours}, plain=PROJECT, bare=True).body
            assert {name: body[name] for name in plain} == plain, (kind, shape)


# Answers

CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-4-20250514",
    "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "pong"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
GEMINI = {
    "candidates": [
        {
            "content": {"parts": [{"text": "hm", "thought": True}, {"text": "po"}, {"text": "ng"}]},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 1},
    "modelVersion": "gemini-2.5-pro",
}
SPENT = {
    "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}],
    "usageMetadata": {"promptTokenCount": 9, "thoughtsTokenCount": 16},
    "modelVersion": "gemini-2.5-pro",
}
GENERATED = {
    "model_id": "granite-13b",
    "model_version": "2.1.0",
    "created_at": "2026-01-01T00:00:00Z",
    "results": [
        {
            "generated_text": "pong",
            "generated_token_count": 3,
            "input_token_count": 9,
            "stop_reason": "max_tokens",
        }
    ],
}
CHOSEN = {
    "model_id": "granite-3-8b",
    "model": "granite-3-8b",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "pong"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12},
    "metrics": {"latencyMs": 84},
}
REASONED = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
COHERE = {
    "id": "c",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "pong"}]},
    "usage": {
        "billed_units": {"input_tokens": 2, "output_tokens": 3},
        "tokens": {"input_tokens": 9, "output_tokens": 3},
    },
}
OLLAMA = {
    "model": "llama3",
    "message": {"role": "assistant", "content": "pong"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 9,
    "eval_count": 3,
}
VECTOR = [0.1, 0.2]


@pytest.mark.parametrize(
    ("kind", "shape", "document", "expected"),
    [
        ("anthropic", "chat", CLAUDE, Reply("pong", "claude-sonnet-4-20250514", "end_turn", 9, 3)),
        (
            "anthropic",
            "chat",
            {**CLAUDE, "content": [], "stop_reason": "max_tokens"},
            Reply("", "claude-sonnet-4-20250514", "max_tokens", 9, 3),
        ),
        ("vertex", "anthropic", CLAUDE, Reply("pong", "claude-sonnet-4-20250514", "end_turn", 9, 3)),
        ("gemini", "chat", GEMINI, Reply("pong", "gemini-2.5-pro", "STOP", 9, 3)),
        ("gemini", "chat", SPENT, Reply("", "gemini-2.5-pro", "MAX_TOKENS", 9, 16)),
        ("vertex", "chat", GEMINI, Reply("pong", "gemini-2.5-pro", "STOP", 9, 3)),
        ("gemini", "embedding", {"embedding": {"values": VECTOR}}, Reply(values=[VECTOR])),
        ("gemini", "embedding", {"embeddings": [{"values": VECTOR}] * 2}, Reply(values=[VECTOR] * 2)),
        (
            "vertex",
            "embedding",
            {"predictions": [{"embeddings": {"values": VECTOR, "statistics": {"token_count": 1}}}]},
            Reply(input_tokens=1, values=[VECTOR]),
        ),
        ("watsonx", "chat", CHOSEN, Reply("pong", "granite-3-8b", "stop", 9, 3)),
        (
            "watsonx",
            "chat",
            {**CHOSEN, "choices": [{"message": {"role": "assistant"}, "finish_reason": "length"}]},
            Reply("", "granite-3-8b", "length", 9, 3),
        ),
        ("watsonx", "completion", GENERATED, Reply("pong", "granite-13b", "max_tokens", 9, 3)),
        (
            "watsonx",
            "embedding",
            {"model_id": "slate", "results": [{"embedding": VECTOR}], "input_token_count": 3},
            Reply(model="slate", input_tokens=3, values=[VECTOR]),
        ),
        (
            "watsonx",
            "rerank",
            {"model_id": "ms", "results": [{"index": 0, "score": -2.5}], "input_token_count": 3},
            Reply(model="ms", input_tokens=3, values=[(0, -2.5)]),
        ),
        ("bedrock", "chat", CONVERSED, Reply("pong", None, "end_turn", 9, 3)),
        (
            "bedrock",
            "chat",
            {"output": {"message": {"content": [REASONED]}}, "stopReason": "max_tokens"},
            Reply("", None, "max_tokens"),
        ),
        (
            *("bedrock", "embedding", {"embedding": VECTOR, "inputTextTokenCount": 2}),
            Reply(input_tokens=2, values=[VECTOR]),
        ),
        ("bedrock", "embedding", {"embeddings": [VECTOR] * 2}, Reply(values=[VECTOR] * 2)),
        ("bedrock", "embedding", {"embeddings": {"float": [VECTOR]}}, Reply(values=[VECTOR])),
        ("cohere", "chat", COHERE, Reply("pong", None, "COMPLETE", 9, 3)),
        (
            "cohere",
            "chat",
            {**COHERE, "usage": {"billed_units": {"input_tokens": 2, "output_tokens": 3}}},
            Reply("pong", None, "COMPLETE", 2, 3),
        ),
        (
            "cohere",
            "chat",
            {"message": {"content": [{"type": "thinking", "thinking": "hm"}]}, "finish_reason": "MAX_TOKENS"},
            Reply("", None, "MAX_TOKENS"),
        ),
        (
            "cohere",
            "embedding",
            {"embeddings": {"float": [VECTOR]}, "meta": {"billed_units": {"input_tokens": 2}}},
            Reply(input_tokens=2, values=[VECTOR]),
        ),
        ("cohere", "rerank", {"results": [{"index": 0, "relevance_score": 0.9}]}, Reply(values=[(0, 0.9)])),
        ("ollama", "chat", OLLAMA, Reply("pong", "llama3", "stop", 9, 3)),
        (
            "ollama",
            "chat",
            {**OLLAMA, "message": {"content": "", "thinking": "hm"}, "done_reason": "length"},
            Reply("", "llama3", "length", 9, 3),
        ),
        (
            "ollama",
            "completion",
            {"model": "llama3", "response": "pong", "done_reason": "stop"},
            Reply("pong", "llama3", "stop"),
        ),
        (
            "ollama",
            "embedding",
            {"model": "nomic", "embeddings": [VECTOR], "prompt_eval_count": 2},
            Reply(model="nomic", input_tokens=2, values=[VECTOR]),
        ),
    ],
)
def test_an_answer_says_its_text_its_model_and_its_cost(kind, shape, document, expected):
    assert said(kind, shape, document) == expected
    named = said(kind, shape, document, Endpoint("chat", "/x", model_at=""))
    assert named == expected._replace(model=None)


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, "pong", 7, {"choices": []}, {"candidates": []}, {"content": "pong"}),
        *({"results": []}, {"results": [{}]}, {"results": [7]}, {"message": "pong"}, {"output": {}}),
        *({"embedding": []}, {"embeddings": []}, {"embeddings": {}}, {"embeddings": [[]]}),
        *({"predictions": [{}]}, {"embedding": {"values": []}}, {"embedding": ["x"]}),
        *({"candidates": ["x"]}, {"output": {"message": "x"}}, {"choices": [{"message": "x"}]}),
        {"response": None},
    ],
    ids=json.dumps,
)
def test_what_has_not_the_shape_is_no_answer(document):
    for kind, (shapes, _) in SHAPES.items():
        for shape in shapes:
            assert said(kind, shape, document) is None, (kind, shape)


def said(kind, shape, document, endpoint=None):
    shapes, _ = SHAPES[kind]
    given = Answer(200, body=json.dumps(document).encode())
    return shapes[shape].read(given, endpoint or Endpoint("chat", "/x"))
