"""Changing platform.yaml as a person would: one entry more, and every other byte as it was."""

import yaml

from ops.errors import UsageError


def with_entry(text: str, section: str, entry: str) -> str:
    """The text with an entry (lines, indented by two) behind the last one of a top-level section.

    Raises `UsageError` where the section is not a block with an entry in it: then nobody can say where the new one belongs.
    """
    document = yaml.compose(text, Loader=yaml.CSafeLoader)
    pairs = document.value if isinstance(document, yaml.MappingNode) else []
    node = next((value for key, value in pairs if key.value == section), None)
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise UsageError(f"adding to {section}", f"platform.yaml has no block `{section}:` with entries", "Add the entry by hand.")
    lines = text.splitlines(keepends=True)
    last = _last(node)
    return "".join([*lines[: last + 1], entry, *lines[last + 1 :]])


def _last(node: yaml.Node) -> int:
    """The line, from 0, on which a node's last scalar or bracket ends: a block's own end is behind the comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last(node.value[-1])
    assert node.end_mark is not None
    return int(node.end_mark.line)
