"""An image's part of the workspace: what its projects need, to the letter, and nothing of the others."""

import json
from collections.abc import Mapping

import pytest
import yaml

from ops.catalog.model import Image, Stack
from ops.images import pnpm
from ops.images.dockerfile import Dockerfile, read

LOCK = """\
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

catalogs:
  default:
    '@tools/lint':
      specifier: 2.0.0
      version: 2.0.0
    shared:
      specifier: ^1.0.0
      version: 1.0.0

importers:

  .:
    devDependencies:
      '@tools/lint':
        specifier: 'catalog:'
        version: 2.0.0

  packages/kit:
    dependencies:
      deep:
        specifier: ^3.0.0
        version: 3.0.0

  services/a:
    dependencies:
      '@x/kit':
        specifier: workspace:*
        version: link:../../packages/kit
      alias:
        specifier: npm:real@^4.0.0
        version: real@4.0.0
      shared:
        specifier: 'catalog:'
        version: 1.0.0(peer@5.0.0)
    devDependencies:
      peer:
        specifier: 5.0.0
        version: 5.0.0

  services/b:
    dependencies:
      lonely:
        specifier: ^1.0.0
        version: 1.0.0

packages:

  '@tools/lint@2.0.0':
    resolution: {integrity: sha512-lint==}

  '@x/leaf@1.0.0':
    resolution: {integrity: sha512-leaf==}

  deep@3.0.0:
    resolution: {integrity: sha512-deep==}

  lonely@1.0.0:
    resolution: {integrity: sha512-lonely==}

  maybe@1.0.0:
    resolution: {integrity: sha512-maybe==}
    os: [darwin]

  peer@5.0.0:
    resolution: {integrity: sha512-peer==}

  real@4.0.0:
    resolution: {integrity: sha512-real==}
    engines: {node: '>=18'}

  shared@1.0.0:
    resolution: {integrity: sha512-shared==}
    peerDependencies:
      peer: '*'

snapshots:

  '@tools/lint@2.0.0': {}

  '@x/leaf@1.0.0': {}

  deep@3.0.0:
    dependencies:
      renamed: '@x/leaf@1.0.0'
    optionalDependencies:
      maybe: 1.0.0
    transitivePeerDependencies:
      - supports-color

  lonely@1.0.0: {}

  maybe@1.0.0:
    optional: true

  peer@5.0.0: {}

  real@4.0.0: {}

  shared@1.0.0(peer@5.0.0):
    dependencies:
      peer: 5.0.0
"""
WORKSPACE = """\
packages: [services/*, packages/*]
# a comment
catalog: {"@tools/lint": 2.0.0, shared: ^1.0.0}
allowBuilds: {esbuild: false}
"""
MANIFEST = json.dumps(
    {"name": "root", "packageManager": "pnpm@12.21.0", "scripts": {"lint": "lint"}, "devDependencies": {"@tools/lint": "catalog:"}}
)
A = ("services/a", "packages/kit")


PRODUCTION = read("FROM scratch\nRUN pnpm fetch --prod && pnpm --offline install --store-dir=/s --prod\n")


def image(projects: tuple[str, ...]) -> Image:
    return Image("app", Stack("node", "Dockerfile", {}, (), 1001, ()), projects[0], "Dockerfile", "n", packages=projects[1:])


def cut(
    projects: tuple[str, ...],
    lock: str = LOCK,
    workspace: str = WORKSPACE,
    manifest: str = MANIFEST,
    recipe: Dockerfile | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    texts = {pnpm.LOCK: lock, pnpm.WORKSPACE: workspace, pnpm.MANIFEST: manifest}
    texts |= {f"{project}/{pnpm.MANIFEST}": "{}" for project in projects} | {**(more or {})}
    return pnpm.parts(image(projects), texts.get, recipe)[0]


def test_only_what_is_reached_stays_through_links_aliases_peers_and_optional_packages() -> None:
    part = yaml.safe_load(cut(A)[pnpm.LOCK])
    assert sorted(part["importers"]) == [".", "packages/kit", "services/a"]
    assert sorted(part["snapshots"]) == [
        "@x/leaf@1.0.0",
        "deep@3.0.0",
        "maybe@1.0.0",
        "peer@5.0.0",
        "real@4.0.0",
        "shared@1.0.0(peer@5.0.0)",
    ]
    assert sorted(part["packages"]) == ["@x/leaf@1.0.0", "deep@3.0.0", "maybe@1.0.0", "peer@5.0.0", "real@4.0.0", "shared@1.0.0"]
    assert part["catalogs"] == {"default": {"shared": {"specifier": "^1.0.0", "version": "1.0.0"}}}


def test_what_stays_is_as_it_was() -> None:
    whole, part = yaml.safe_load(LOCK), yaml.safe_load(cut(A)[pnpm.LOCK])
    for section in ("packages", "snapshots"):
        assert all(part[section][name] == whole[section][name] for name in part[section])
    assert {name: part["importers"][name] for name in A} == {name: whole["importers"][name] for name in A}
    assert (part["lockfileVersion"], part["settings"]) == (whole["lockfileVersion"], whole["settings"])


def test_another_services_dependency_changes_nothing_here() -> None:
    changed = LOCK.replace("lonely@1.0.0", "lonely@1.0.1").replace(
        "specifier: ^1.0.0\n        version: 1.0.0", "specifier: ^1.0.1\n        version: 1.0.1"
    )
    assert changed != LOCK
    assert cut(A, changed) == cut(A)
    assert cut(("services/b",), changed) != cut(("services/b",))


def test_the_roots_tools_change_nothing() -> None:
    changed = LOCK.replace("@tools/lint@2.0.0", "@tools/lint@2.0.1").replace(": 2.0.0", ": 2.0.1")
    assert cut(A, changed, WORKSPACE.replace("2.0.0", "2.0.1")) == cut(A)


def test_comments_and_scripts_change_nothing_but_pnpm_and_its_settings_do() -> None:
    assert cut(A, workspace=WORKSPACE.replace("a comment", "another")) == cut(A)
    assert cut(A, manifest=MANIFEST.replace("lint --x", "lint").replace('"lint": "lint"', '"lint": "other"')) == cut(A)
    assert cut(A, manifest=MANIFEST.replace("12.21.0", "12.21.1")) != cut(A)
    assert cut(A, workspace=WORKSPACE.replace("false", "true")) != cut(A)


@pytest.mark.parametrize("name", ["deep@3.0.0", "'@x/leaf@1.0.0'", "shared@1.0.0", "real@4.0.0", "maybe@1.0.0"])
def test_anything_that_is_reached_changes_the_part(name: str) -> None:
    at = LOCK.index(f"  {name}:\n    resolution: {{integrity: sha512-") + len(f"  {name}:\n    resolution: {{integrity: sha512-")
    assert cut(A, LOCK[:at] + "X" + LOCK[at:]) != cut(A)


def test_a_link_to_a_project_that_is_not_declared_is_named() -> None:
    with pytest.raises(pnpm.UnlistedError, match="services/a depends on packages/kit"):
        cut(("services/a",))


@pytest.mark.parametrize(
    "lock", [LOCK.replace("'9.0'", "'10.0'"), LOCK.replace("  deep@3.0.0:\n    dependencies", "  deep@3.0.0_x:\n    dependencies")]
)
def test_a_lock_file_that_is_not_understood_stays_whole(lock: str) -> None:
    assert cut(A, lock)[pnpm.LOCK] == lock


def test_without_development_dependencies_only_what_runs_stays() -> None:
    manifest = json.dumps({"devDependencies": {"peer": "5.0.0"}, "scripts": {"build": "x", "test": "y"}})
    part = cut(A, recipe=PRODUCTION, more={"services/a/package.json": manifest})
    lock = yaml.safe_load(part[pnpm.LOCK])
    assert "devDependencies" not in lock["importers"]["services/a"]
    assert sorted(lock["importers"]["services/a"]["dependencies"]) == ["@x/kit", "alias", "shared"]
    assert "peer@5.0.0" in lock["packages"]  # shared needs it too
    assert json.loads(part["services/a/package.json"]) == {"scripts": {"build": "x"}}
    whole = cut(A, more={"services/a/package.json": manifest})
    assert json.loads(whole["services/a/package.json"])["devDependencies"] == {"peer": "5.0.0"}
    assert yaml.safe_load(whole[pnpm.LOCK])["importers"]["services/a"]["devDependencies"]


def test_a_project_with_development_dependencies_alone_is_an_empty_mapping() -> None:
    lock = LOCK.replace("  services/b:\n    dependencies:", "  services/b:\n    devDependencies:")
    part = cut(("services/b",), lock, recipe=PRODUCTION)[pnpm.LOCK]
    assert yaml.safe_load(part)["importers"] == {".": {}, "services/b": {}}
    assert "lonely" not in part
    other = lock.replace("sha512-lonely==", "sha512-other==")
    assert cut(("services/b",), other, recipe=PRODUCTION)[pnpm.LOCK] == part


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("RUN pnpm fetch --prod --store-dir=/s\nRUN pnpm install --prod && pnpm run build", True),
        ("RUN pnpm fetch --prod\nRUN pnpm install --offline && pnpm run build --prod", False),
        ("RUN <<E\npnpm --filter=x install -P\nE", True),
        ("RUN pnpm \\\n  # all of them\n  install", False),
        ("RUN npm install --global pnpm", False),
    ],
)
def test_what_is_installed_is_read_from_the_dockerfile(recipe: str, expected: bool) -> None:
    assert pnpm.production(read(f"FROM scratch\n{recipe}\n")) is expected


def test_scripts_for_people_go_and_those_that_a_build_names_stay() -> None:
    scripts = {
        **{"build": "pnpm run generate && tool", "generate": "g", "pregenerate": "p", "test": "t", "test:unit": "u", "lint": "l"},
        **{"typecheck": "c", "prepare": "r", "start": "s", "dev": "d"},
    }
    assert list(pnpm._scripts(scripts, [])) == ["build", "generate", "pregenerate", "prepare"]
    assert list(pnpm._scripts(scripts, ["pnpm --filter=./x run test:unit"])) == ["build", "generate", "pregenerate", "test:unit", "prepare"]


HASH = "ec7fa98dd7f52243e22ad4ca7c8b23875c83dc80204be5578a9a4abae94cae63"
PATCHED = (
    LOCK.replace("importers:", f"patchedDependencies:\n  '@x/leaf@1.0.0': {HASH}\n  lonely: {HASH[::-1]}\n\nimporters:", 1)
    .replace("renamed: '@x/leaf@1.0.0'", f"renamed: '@x/leaf@1.0.0(patch_hash={HASH})'")
    .replace("  '@x/leaf@1.0.0': {}", f"  '@x/leaf@1.0.0(patch_hash={HASH})': {{}}")
    .replace("version: 1.0.0\n\npackages:", f"version: 1.0.0(patch_hash={HASH[::-1]})\n\npackages:")
    .replace("  lonely@1.0.0: {}", f"  lonely@1.0.0(patch_hash={HASH[::-1]}): {{}}")
)
PATCHES = WORKSPACE + "patchedDependencies:\n  '@x/leaf@1.0.0': patches/@x__leaf.patch\n  lonely: ./other/lonely.patch\n"


@pytest.mark.parametrize(
    ("projects", "name", "file"),
    [
        (A, "@x/leaf@1.0.0", "patches/@x__leaf.patch"),
        (("services/b",), "lonely", "other/lonely.patch"),
        (("packages/kit",), "@x/leaf@1.0.0", "patches/@x__leaf.patch"),
    ],
)
def test_a_patch_goes_where_the_patched_package_goes(projects: tuple[str, ...], name: str, file: str) -> None:
    texts = {
        pnpm.LOCK: PATCHED,
        pnpm.WORKSPACE: PATCHES,
        pnpm.MANIFEST: MANIFEST,
        **{f"{project}/package.json": "{}" for project in projects},
    }
    part, files = pnpm.parts(image(projects), texts.get, None)
    assert files == (file,)
    assert list(yaml.safe_load(part[pnpm.LOCK])["patchedDependencies"]) == [name]
    assert list(json.loads(part[pnpm.WORKSPACE])["patchedDependencies"]) == [name]


def test_who_has_no_patched_package_knows_of_no_patch() -> None:
    lock = PATCHED.replace("renamed: '@x/leaf", "renamed: 'peer@5.0.0' #").replace(
        "      renamed: 'peer@5.0.0' #@1.0.0", "      renamed: 'peer@5.0.0' #"
    )
    lock = "\n".join(line.partition(" #")[0] for line in lock.splitlines()) + "\n"
    texts = {pnpm.LOCK: lock, pnpm.WORKSPACE: PATCHES, pnpm.MANIFEST: MANIFEST, **{f"{project}/package.json": "{}" for project in A}}
    part, files = pnpm.parts(image(A), texts.get, None)
    assert files == ()
    assert "patch" not in part[pnpm.LOCK] + part[pnpm.WORKSPACE]


def test_hooks_go_into_every_image_of_the_workspace() -> None:
    texts = {pnpm.LOCK: LOCK, pnpm.WORKSPACE: WORKSPACE, pnpm.MANIFEST: MANIFEST, "services/b/package.json": "{}", ".pnpmfile.cjs": "x"}
    assert pnpm.parts(image(("services/b",)), texts.get, None)[1] == (".pnpmfile.cjs",)
    texts[pnpm.WORKSPACE] += "pnpmfile: [hooks/one.cjs, ./hooks/two.cjs]\n"
    assert pnpm.parts(image(("services/b",)), texts.get, None)[1] == ("hooks/one.cjs", "hooks/two.cjs")
