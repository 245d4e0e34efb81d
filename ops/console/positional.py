"""`invoke build web api-gateway`: Invoke has no list of positional arguments, so names after a verb become its flag."""

from collections.abc import Collection, Mapping, Sequence


def spread(arguments: Sequence[str], flags: Mapping[str, str], verbs: Collection[str]) -> list[str]:
    """The command line with each bare word after a verb of `flags` as that verb's flag, also behind its other flags.

    `verbs` are the words that begin another verb: `invoke build web deploy` stays two verbs. The other flags of a verb of
    `flags` must be switches: a value behind one could not be told from a name. A flag of `flags` that has no value gets an
    empty one, which is wrong usage: Invoke would pass by a list's flag without a value.
    """
    result: list[str] = []
    flag: str | None = None
    for word, following in zip(arguments, [*arguments[1:], "-"], strict=False):
        if word in verbs:
            flag = flags.get(word)
        elif flag and word in (flag, flag[1:3]) and following.startswith("-"):
            result.append(f"{flag}=")
            continue
        elif flag and not word.startswith("-") and result[-1] not in (flag, flag[1:3]):
            result.append(flag)
        result.append(word)
    return result
