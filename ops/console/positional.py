"""`invoke build web api-gateway`: Invoke has no list of positional arguments, so names after a verb become its flag."""

from collections.abc import Collection, Mapping, Sequence


def spread(arguments: Sequence[str], flags: Mapping[str, str], verbs: Collection[str]) -> list[str]:
    """The command line with each bare word that directly follows a verb of `flags` as that verb's flag.

    `verbs` are the words that begin another verb: `invoke build web deploy` stays two verbs.
    """
    result: list[str] = []
    flag: str | None = None
    for word in arguments:
        if flag and not word.startswith("-") and word not in verbs:
            result += [flag, word]
            continue
        flag = flags.get(word)
        result.append(word)
    return result
