"""What the table classes share: their base, PostgreSQL's own names of constraints, and columns that recur."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Double, FetchedValue, Index, MetaData, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Unset is NULL in a column, never JSON's own null.
JSON = JSONB(none_as_null=True)
BY_CODE_POINT = Text(collation="C")

Name = Annotated[str, mapped_column(String(255))]
LongName = Annotated[str, mapped_column(String(512), unique=True)]
Key = Annotated[str, mapped_column(BY_CODE_POINT)]
Labels = Annotated[dict[str, str], mapped_column(JSON, server_default=text("'{}'"))]
Items = Annotated[list[Any], mapped_column(JSON, server_default=text("'[]'"))]
TrueByDefault = Annotated[bool, mapped_column(server_default=text("TRUE"))]
FalseByDefault = Annotated[bool, mapped_column(server_default=text("FALSE"))]
Count = Annotated[int, mapped_column(server_default=text("0"))]
Total = Annotated[int, mapped_column(BigInteger, server_default=text("0"))]
Generation = Annotated[int, mapped_column(BigInteger, server_default=text("0"))]
Made = Annotated[datetime, mapped_column(server_default=func.now())]
# A trigger sets it where the statement does not.
Touched = Annotated[datetime, mapped_column(server_default=func.now(), server_onupdate=FetchedValue())]


class Base(DeclarativeBase):
    """What all tables share: PostgreSQL's own names of constraints, and its types.

    >>> Base.metadata.naming_convention["pk"]
    '%(table_name)s_pkey'
    """

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy's own name, read once
        str: Text(),
        float: Double(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSON,
        dict[str, int]: JSON,
        dict[str, str]: JSON,
        list[str]: JSON,
    }


def newer_than(table: str) -> Index:
    """The index for readers who ask for what is newer than they are; it costs writers next to nothing."""
    return Index(
        f"{table}_generation_idx",
        "generation",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 8},
    )
