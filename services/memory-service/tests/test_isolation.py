"""Whatever is stored or asked, nobody sees another's memories."""

from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_service.store import MemoryStore, _filter

hostile = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.sampled_from(
        [
            '" or user_id != "',
            '" or 1 == 1 or user_id == "',
            "' or true or '",
            'x"] or id != "',
            "\\",
            '\\"',
            "{user}",
            "*",
            "id like '%'",
            "user_id in []",
            '"; delete',
        ]
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(mine=st.lists(hostile, min_size=1, max_size=2), theirs=st.lists(hostile, min_size=1, max_size=2), query=hostile)
def test_a_user_sees_all_of_their_own_and_nothing_of_anothers(store: MemoryStore, mine: list[str], theirs: list[str], query: str) -> None:
    me, they = uuid4(), uuid4()
    own = {store.add(me, text).id for text in mine}
    others = {store.add(they, text).id for text in theirs}
    assert {memory.id for memory in store.page(me, 100).memories} == own
    assert {memory.id for memory in store.page(they, 100).memories} == others
    for text in (query, *mine, *theirs):
        assert {found.memory.id for found in store.search(me, text, 50)} <= own
    assert not any(store.remove(me, memory) for memory in others)
    assert {memory.id for memory in store.page(they, 100).memories} == others


class _Hostile(UUID):
    """A UUID whose text is not what it should be."""

    def __str__(self) -> str:
        return '" or user_id != "'


def test_a_filter_has_nothing_but_hexadecimal_digits_in_its_strings() -> None:
    me = uuid4()
    assert _filter(me) == f'user_id == "{me}"'
    assert _filter(_Hostile(int=me.int), [_Hostile(int=me.int)]) == f'user_id == "{me}" and id in ["{me}"]'
