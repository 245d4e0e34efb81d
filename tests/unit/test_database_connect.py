"""A connection string that cannot be used is told by its cause, and nothing of its password."""

import pytest

from ops.database.connect import parts
from ops.errors import UsageError
from ops.secret import Secret


def refused(dsn: str) -> UsageError:
    with pytest.raises(UsageError) as refusal:
        parts(Secret(dsn))
    assert "hunter2" not in f"{refusal.value.cause} {refusal.value.remedy}"
    return refusal.value


@pytest.mark.parametrize("parameter", ["schema", "pgbouncer", "connection_limit"])
def test_a_parameter_of_another_library_is_named(parameter: str) -> None:
    refusal = refused(f"postgresql://nextai:hunter2@127.0.0.1:1/x?sslmode=prefer&{parameter}=1")
    assert refusal.cause == f"its parameter {parameter} is none that PostgreSQL knows"


def test_what_may_be_of_the_password_is_not_named() -> None:
    assert (
        refused("postgresql://nextai:pass?hunter2=1@127.0.0.1:1/x?sslmode=prefer&y=%").cause == "it is not a PostgreSQL connection string"
    )
    assert refused("postgresql://127.0.0.1/x?hunter2").cause == "it is not a PostgreSQL connection string"


def test_the_form_is_shown_as_it_is_written() -> None:
    """It must not look like an address with a password in it, which the terminal's output would lose."""
    remedy = refused("mysql://nextai:hunter2@127.0.0.1:1/x").remedy
    assert "postgresql://" in remedy and "***" not in remedy
