"""An image's part of the workspace: what its projects need, to the letter, and nothing of the others."""

import json

import pytest
import yaml

from ops.images import pnpm

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


def cut(projects: tuple[str, ...], lock: str = LOCK, workspace: str = WORKSPACE, manifest: str = MANIFEST) -> dict[str, str]:
    texts = {pnpm.LOCK: lock, pnpm.WORKSPACE: workspace, pnpm.MANIFEST: manifest}
    return {entry.path: entry.text or "" for entry in pnpm.cut(texts, projects)}


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
