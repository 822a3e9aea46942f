"""Registering and changing prompt templates by themselves; each single call is a batch of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.requests import PromptTemplateCreate, PromptTemplateUpdate
from reconciler.core.wishes import Wish, changed_template, new_template, switched
from reconciler.runtime.answering import in_order
from reconciler.runtime.asking import Reader, Values
from reconciler.runtime.reading import read_templates
from reconciler.runtime.responses import PromptTemplateResponse
from reconciler.runtime.writing import Writing, Written
from reconciler.store.session import Connection


class Templates(Writing):
    """The part of the service that registers and changes prompt templates."""

    def register_prompt_template(self, template: PromptTemplateCreate | Values) -> PromptTemplateResponse:
        """Store a template under its name, or replace what is stored there for everybody who uses it.

        Raises:
            RegistrationError: A text holds a key, or a model of another provider uses it.
            NotFoundError: It is for a provider that is not registered.
            OwnershipError: Files own the template, and it would change.
            StoreUnavailableError: PostgreSQL did not answer.

        >>> service.register_prompt_template(PromptTemplateCreate(name="qa", query_prefix="Q:")).query_prefix
        'Q:'
        """
        return self.register_prompt_templates([template])[0]

    def register_prompt_templates(
        self, templates: Iterable[PromptTemplateCreate | Values]
    ) -> tuple[PromptTemplateResponse, ...]:
        """Store several templates, all of them or none; the answers are in the order given."""
        reader = Reader()
        wishes = [new_template(one) for one in reader.each(PromptTemplateCreate, templates)]
        return self._change_templates(wishes, reader)

    def update_prompt_template(
        self, name: str, updates: PromptTemplateUpdate | Values
    ) -> PromptTemplateResponse:
        """Change a stored template: the fields that are given, `None` removing one.

        Raises:
            NotFoundError: There is no such template, or it is for a provider that is not registered.
            RegistrationError: A text holds a key, or a model of another provider uses it.
            OwnershipError: Files own the template.

        >>> service.update_prompt_template("rag", {"answer_prefix": "Answer:"}).answer_prefix
        'Answer:'
        """
        return self.update_prompt_templates({name: updates})[0]

    def update_prompt_templates(
        self, updates: Mapping[str, PromptTemplateUpdate | Values]
    ) -> tuple[PromptTemplateResponse, ...]:
        """Change several templates by name, all of them or none; the answers are in that order."""
        reader, wishes = Reader(), []
        for name, given in updates.items():
            asked = reader.one(PromptTemplateUpdate, given, of=f"template:{name}")
            if asked is not None:
                wishes.append(changed_template(name, asked))
        return self._change_templates(wishes, reader)

    def deactivate_prompt_template(self, name: str) -> PromptTemplateResponse:
        """Switch a template off that no active model uses.

        Raises:
            NotFoundError: There is no such template.
            StatusError: An active model uses it (`in-use`).
            OwnershipError: Files own it.

        >>> _ = service.register_prompt_template({"name": "qa", "query_prefix": "Q:"})
        >>> service.deactivate_prompt_template("qa").is_active
        False
        """
        return self.deactivate_prompt_templates([name])[0]

    def deactivate_prompt_templates(self, names: Iterable[str]) -> tuple[PromptTemplateResponse, ...]:
        """Switch several templates off, all of them or none."""
        return self._switch_templates(names, active=False)

    def reactivate_prompt_template(self, name: str) -> PromptTemplateResponse:
        """Switch a template on again.

        Raises:
            NotFoundError: There is no such template.
            OwnershipError: Files own it.

        >>> service.reactivate_prompt_template("rag").is_active
        True
        """
        return self.reactivate_prompt_templates([name])[0]

    def reactivate_prompt_templates(self, names: Iterable[str]) -> tuple[PromptTemplateResponse, ...]:
        """Switch several templates on again, all of them or none."""
        return self._switch_templates(names, active=True)

    def _switch_templates(self, names: Iterable[str], *, active: bool) -> tuple[PromptTemplateResponse, ...]:
        wishes = [switched(Address("template", name), active=active) for name in dict.fromkeys(names)]
        return self._change_templates(wishes, Reader())

    def _change_templates(self, wishes: Sequence[Wish], reader: Reader) -> tuple[PromptTemplateResponse, ...]:
        addresses = [wish.address for wish in wishes]

        def answer(connection: Connection, written: Written) -> tuple[PromptTemplateResponse, ...]:
            rows = read_templates(connection, names=[address.key for address in addresses])
            return in_order(addresses, {Address("template", row.name): row for row in rows}, written.notices)

        return self._write(lambda _: (wishes, ()), answer, faults=reader.faults)
