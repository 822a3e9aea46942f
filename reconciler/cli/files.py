"""The verbs that need the files only: no database, no network."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler import report
from reconciler.cli import calls, options, status, streams
from reconciler.source.writing import write_new

EXAMPLE: Mapping[str, str] = {
    "openai.yaml": """\
version: 1

providers:
  openai:
    kind: openai
    description: OpenAI
    # A reference, never the key itself: the key is read from the environment when it is used.
    credentials:
      api_key: env:OPENAI_API_KEY
    parameters: balanced
    prompt_template: assistant
    models:
      gpt-4o-mini: {}
      gpt-4o:
        parameters: {extends: balanced, temperature: 0.2}
""",
    "shared.yaml": """\
version: 1

parameters:
  balanced:
    description: For everyday questions
    temperature: 0.7
    max_new_tokens: 500

templates:
  assistant:
    description: A plain assistant
    system_prompt: You are a helpful AI assistant.
    query_prefix: "Question:"
    answer_prefix: "Answer:"
""",
}


def init(
    directory: options.Directory = options.DEFAULT_DIRECTORY, output: options.PlainOutput = "text"
) -> int:
    """Write a small working directory of YAML to start from.

    Two files, one provider with two models. Nothing that exists is overwritten.
    """
    write_new(directory, EXAMPLE)
    names = sorted(EXAMPLE)
    written = [f"Wrote {directory / name}" for name in names]
    streams.answer(
        output,
        text=lambda: "\n".join((*written, f"Next: reconciler validate {directory}")),
        json=lambda: report.json.document({"directory": str(directory), "files": names}),
    )
    return status.DONE


def validate(
    directory: options.Directory = options.DEFAULT_DIRECTORY, output: options.Output = "text"
) -> int:
    """Check the files and report every problem in them.

    Needs no database and no network. Each problem has its file, line and column, what is wrong and what to
    write instead.
    """
    from reconciler import wiring

    desired = wiring.load(directory)
    found, counts, place = desired.problems, desired.counts, str(directory)
    streams.answer(
        output,
        text=lambda: report.text.validation(found, counts, place, streams.answer_style()),
        json=lambda: report.json.validation(found, counts),
        markdown=lambda: report.markdown.validation(found, counts, place),
    )
    return status.of_validation(found)


def render(
    directory: options.Directory = options.DEFAULT_DIRECTORY, output: options.PlainOutput = "text"
) -> int:
    """Print the desired state with everything resolved.

    Inherited values and defaults are filled in, as they would be stored.
    """
    from reconciler import wiring

    rendered = wiring.rendered(calls.load(directory, output))
    streams.answer(
        output,
        text=lambda: "\n".join(report.block.lines(rendered)),
        json=lambda: report.json.document(rendered),
    )
    return status.DONE


def schema(output: options.PlainOutput = "text") -> int:
    """Print the JSON Schema of the file format.

    Editors that know it complete and check the files while they are written.
    """
    from reconciler import wiring

    described = wiring.json_schema()
    streams.answer(
        output, text=lambda: report.json.pretty(described), json=lambda: report.json.pretty(described)
    )
    return status.DONE
