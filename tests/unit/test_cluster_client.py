"""The API server's answers, as the client takes them: a small server that says what a table tells it to."""

import pytest

from ops.cluster.client import warnings_of


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "policy/v1beta1 is deprecated"'], ["policy/v1beta1 is deprecated"]),
        (['299 - "one", 299 - "two"', '299 kube "three"'], ["one", "two", "three"]),
        (['299 - "a \\"quoted\\" word, and a \\\\"'], ['a "quoted" word, and a \\']),
        (['299 - "dated" "Sat, 25 Aug 2012 23:34:45 GMT"'], ["dated"]),
        (["299 - no quotes", "nonsense"], []),
    ],
)
def test_each_warning_of_the_api_server_is_read(headers: list[str], texts: list[str]) -> None:
    assert warnings_of(headers) == texts
