"""Decide what to build: pure, given the facts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ops.catalog.model import Catalog, Image
from ops.errors import UsageError
from ops.guess import did_you_mean
from ops.images import dockerfile
from ops.images import facts as images_facts
from ops.images.disk import shown
from ops.images.facts import ImageFacts
from ops.images.key import key
from ops.images.model import TAG_LENGTH, BuildEngine, BuildPlan, Inputs, Planned
from ops.images.recipe import arguments, check
from ops.images.record import Known, explain, recall


def plan(catalog: Catalog, names: Iterable[str], engine: BuildEngine, *, push: bool = False) -> BuildPlan:
    """What `build` will do for these images (all of them when `names` is empty), and what is there already.

    `push`: the images are looked for in the registry, and built into it; else in the engine.
    Raises `UsageError` for an unknown name, `Failure` when the registry, the engine or git does not answer.
    """
    images = select(catalog, names)
    facts = images_facts.look(catalog, images, engine)
    keyed = {image.name: _inputs(image, facts) for image in images}
    keys = {name: key(inputs) for name, inputs in keyed.items()}
    references = {name: f"{engine.registry}/{catalog.prefix}/{name}:{own[:TAG_LENGTH]}" for name, own in keys.items()}
    present = images_facts.present(list(references.values()), engine, push=push)
    decided = decide(catalog, keyed, references, present, push=push, known=lambda name: recall(catalog.root, name), keys=keys)
    return replace(decided, notes=tuple(ignored(catalog.root, keyed.values())))


def select(catalog: Catalog, names: Iterable[str]) -> tuple[Image, ...]:
    """The images of these names, each once, in the catalogue's order; all of them when there are no names."""
    wanted = set(names)
    if unknown := sorted(wanted - catalog.images.keys()):
        words = ", ".join(f"{name}{did_you_mean(name, catalog.images)}" for name in unknown)
        raise UsageError("choosing what to build", f"unknown: {words}", f"One or more of: {', '.join(catalog.images)}.")
    return tuple(image for name, image in catalog.images.items() if not wanted or name in wanted)


def decide(
    catalog: Catalog,
    keyed: Mapping[str, Inputs],
    references: Mapping[str, str],
    present: Mapping[str, str | None],
    *,
    push: bool,
    known: Callable[[str], Known | None],
    keys: Mapping[str, str] | None = None,
) -> BuildPlan:
    """The plan that follows from the inputs, and from the digest that is there under each reference. `keys`: where they are known."""
    images = []
    for name, inputs in keyed.items():
        own, digest = keys[name] if keys else key(inputs), present[references[name]]
        reasons = () if digest else explain(known(name), inputs, own)
        images.append(Planned(name, own, references[name], "present" if digest else "build", inputs, digest, reasons))
    return BuildPlan(catalog.root, push, tuple(images))


def ignored(root: Path, inputs: Iterable[Inputs]) -> Iterator[str]:
    """A line for each `.dockerignore`, since it has no effect."""
    seen: set[str] = set()
    for each in inputs:
        paths = {entry.path for entry in each.entries}
        own = (path for path in (".dockerignore", f"{each.dockerfile}.dockerignore") if path not in paths and (root / path).exists())
        seen.update(own, (path for path in paths if path.endswith("/.dockerignore")))
    for path in sorted(seen):
        yield f"{shown(path)} has no effect: what git ignores, and tests, stay out of an image, and nothing else does (.gitignore)."


def _inputs(image: Image, facts: ImageFacts) -> Inputs:
    recipe = facts.recipes[image.dockerfile]
    check(image, recipe)
    if wrong := [entry.path for entry in facts.entries[image.name] if not entry.path.isascii() and not _is_utf8(entry.path)]:
        remedy = "Rename it, or have git ignore it: the builder takes names in UTF-8 alone."
        raise UsageError("listing what goes into the images", f"{image.name}: the name of {shown(wrong[0])} is not UTF-8", remedy)
    used = dockerfile.arguments(recipe)
    return Inputs(
        dockerfile=image.dockerfile,
        recipe=recipe.bare(),
        platform=facts.platform,
        # Only what the Dockerfile asks for: a port that it does not name changes no image.
        arguments={name: value for name, value in arguments(image).items() if name in used},
        bases={name: facts.bases[base] for name, base in image.stack.bases.items() if name in used},
        entries=facts.entries[image.name],
    )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
