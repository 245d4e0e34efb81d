"""The key: every input is in it, and nothing else is."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ops.images.key import blob, key
from ops.images.model import Base, InputFile, Inputs

# Names that git can hold and that have broken hash functions before: spaces, line ends, quotes, bytes that are not UTF-8.
names = st.text(st.sampled_from("ab /\n\t\"\\'ü\udcff,[]0"), min_size=1, max_size=6)
texts = st.text(st.sampled_from("ab=\n$ {}"), max_size=5)
digests = st.sampled_from([f"sha256:{digit * 64}" for digit in "0123"])
entries = st.builds(InputFile, names, st.sampled_from(["100644", "100755", "120000"]), st.sampled_from([d * 40 for d in "abc"]))
bases = st.builds(Base, st.just("node:24"), digests, st.just("node:24"))
inputs = st.builds(
    Inputs,
    dockerfile=st.just("Dockerfile"),
    recipe=texts,
    platform=st.sampled_from(["linux/amd64", "linux/arm64"]),
    arguments=st.dictionaries(texts, texts, max_size=3),
    bases=st.dictionaries(st.sampled_from(["A", "B"]), bases, max_size=2),
    entries=st.lists(entries, max_size=4, unique_by=lambda entry: entry.path).map(tuple),
)


def meaning(value: Inputs) -> object:
    """What the image can see of its inputs."""
    files = frozenset((entry.path, entry.mode, entry.content) for entry in value.entries)
    based = {name: base.digest for name, base in value.bases.items()}
    return value.recipe, value.platform, dict(value.arguments), based, files


@given(inputs, inputs)
def test_two_keys_are_equal_exactly_when_the_inputs_mean_the_same(one: Inputs, other: Inputs) -> None:
    assert (key(one) == key(other)) == (meaning(one) == meaning(other))


@given(inputs, st.randoms(use_true_random=False))
def test_the_order_of_files_and_arguments_does_not_matter(value: Inputs, random: Random) -> None:
    files = list(value.entries)
    random.shuffle(files)
    arguments = dict(sorted(value.arguments.items(), reverse=True))
    assert key(replace(value, entries=tuple(files), arguments=arguments)) == key(value)


@given(inputs.filter(lambda value: value.entries), st.data())
def test_one_changed_file_changes_the_key(value: Inputs, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(value.entries) - 1))
    old = value.entries[at]
    new = data.draw(
        st.sampled_from(
            [
                old._replace(path=old.path + "x"),
                old._replace(path="moved/" + old.path),
                old._replace(content="d" * 40),
                old._replace(mode="100755" if old.mode != "100755" else "100644"),
            ]
        )
    )
    changed = (*value.entries[:at], new, *value.entries[at + 1 :])
    assert key(replace(value, entries=changed)) != key(value)
    assert key(replace(value, entries=(*value.entries[:at], *value.entries[at + 1 :]))) != key(value)


def test_two_files_that_swap_their_contents_change_the_key() -> None:
    value = Inputs("Dockerfile", "FROM x", "linux/amd64", {}, {}, (InputFile("a", "100644", "a" * 40), InputFile("b", "100644", "b" * 40)))
    assert key(replace(value, entries=(InputFile("a", "100644", "b" * 40), InputFile("b", "100644", "a" * 40)))) != key(value)


def test_a_base_under_another_tag_is_the_same_base() -> None:
    base = Base("node:24", "sha256:" + "0" * 64, "node:24@sha256:" + "0" * 64)
    value = Inputs("Dockerfile", "FROM x", "linux/amd64", {}, {"NODE_IMAGE": base}, ())
    assert key(replace(value, bases={"NODE_IMAGE": replace(base, reference="node:24.1", name="node:24.1")})) == key(value)
    assert key(replace(value, bases={"NODE_IMAGE": replace(base, digest="sha256:" + "1" * 64)})) != key(value)


def test_a_blob_id_is_gits_own() -> None:
    assert blob(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"  # git-scm.com/book, Git Objects
    assert blob(b"", 64) == "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"  # `git hash-object` in a SHA-256 repository
