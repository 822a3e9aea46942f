"""Provider kinds as data: a YAML file for each of ours, the shape of a user's own, how both become values.

Importing this is light; the YAML parser and pydantic are loaded by what needs them.
"""

from reconciler.kinds.catalogue import built_in, digest, names
from reconciler.kinds.specs import from_document, from_spec, to_spec

__all__ = ["built_in", "digest", "from_document", "from_spec", "names", "to_spec"]
