"""`column IN (…)` with the whole list as one parameter, so that the statement is the same however long the list is.

A parameter for each item is a new statement for each length, which SQLAlchemy and the driver take apart anew each time:
for a hundred items that costs more than the database needs to answer.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[Collection[str]]):
    """Texts as one value: an array on Postgres, a JSON array on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return postgresql.ARRAY(sa.Text) if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: Collection[str] | None, dialect: sa.Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))


class Among(FunctionElement[bool]):
    """Whether a column holds one of the texts that are given as the parameter `name`."""

    type = sa.Boolean()
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[str], name: str) -> None:
        super().__init__(column, sa.bindparam(name, type_=_Texts()))

    def self_group(self, against: Any = None) -> Among:
        """As it is: on SQLite, which knows no booleans, it would else be compared with 1, past every index."""
        return self


@compiles(Among, "postgresql")
def _any_of_an_array(element: Among, compiler: Any, **more: Any) -> str:
    column, texts = (compiler.process(part, **more) for part in element.clauses)
    return f"{column} = ANY ({texts})"


@compiles(Among, "sqlite")
def _one_of_a_json_array(element: Among, compiler: Any, **more: Any) -> str:
    column, texts = (compiler.process(part, **more) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608  # a column and a parameter, no value
