"""Wrong words on the command line, a reader that leaves, a full disk, no home folder: one clear error, the right exit code."""

import importlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.catalog import load
from ops.cluster.planfile import VERSION as PLAN_VERSION
from ops.cluster.rollback import goal_of
from ops.cluster.target import Target
from ops.command import Command, environment
from ops.console import output as console_output
from ops.console.positional import spread
from ops.console.verb import guarded, verb
from ops.errors import Failure, UsageError
from ops.folders import cache
from ops.kube import client, connect, errors
from ops.kube.objects import Object
from ops.manifests.render import fingerprint
from ops.release.facts import reason
from ops.verbs import checkout
from ops.verbs import deploy as cluster
from ops.verbs.database_address import database_address
from tests.unit.command_line import arguments, invoke

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("deploy", "--env is missing"),
        ("status --env locla", "there is no environment locla (did you mean local?)"),
        ("deploy --env stagin", "there is no environment stagin (did you mean staging?)"),
        ("migrate --env locl", "there is no environment locl (did you mean local?)"),
        ("logs use-service --env local", "no service, job or store has that name (did you mean user-service?)"),
        ("staus", "there is no verb staus (did you mean status?)"),
        ("help", "there is no verb help\n"),
        ("status local", "an environment is named by its flag: status --env local"),
        ("status --envv local", "status has no flag --envv (did you mean --env?)"),
        ("build --puhs", "build has no flag --puhs (did you mean --push?)"),
        ("logs --servce web --env local", "logs has no flag --servce (did you mean --service?)"),
        ("logs --folow --env local", "logs has no flag --folow (did you mean --follow?)"),
        ("scale web two --env staging", "there is no verb two, and scale takes no further word"),
        ("build wbe", "unknown: wbe (did you mean web?)"),
        ("release", "--bump is missing"),
        ("scale web --env staging", "--replicas is missing"),
        ("scale web --env staging --replicas many", "--replicas: expected a whole number, not 'many'"),
        ("logs web --env staging --tail many", "expected a whole number, not 'many'"),
        ("logs web --env staging --tail=-3", "-3 is no number of lines"),
        ("scale web --env staging --replicas=-1", "-1 to -1 is no range of replicas"),
        ("rollback --env staging --to=-1", "-1 is not the number of a record"),
        ("logs", "logs needs a word, SERVICE: a service, job or store"),
        ("migrate.generate", "migrate.generate needs a word, NAME: what it does"),
        ("logs web --env", "--env needs a value"),
        ("no-such-verb", "there is no verb no-such-verb"),
        ("build --no-such-flag", "build has no flag --no-such-flag"),
        ("--help no-such-verb", "there is no verb no-such-verb"),
        ("--list no-such-collection", "no-such-collection"),
        ("release --bump huge", "huge"),
        ("plan --env nowhere", "nowhere"),
        ("up --engine podman", "podman"),
        ("deploy --env staging --plan= --yes", "--plan needs a value"),
        ("build --service", "--service needs a value"),
        ("build -s --dry-run", "--service needs a value"),
        ("build -- web", "no verb takes arguments after `--`: web"),
    ],
)
def test_wrong_usage_is_told_in_three_parts_with_exit_code_2(words: str, cause: str) -> None:
    done = invoke(*words.split())
    assert done.returncode == 2, done
    first, second, *_, last = done.stderr.splitlines()
    assert first.startswith("error: ") and second.startswith(" cause: ") and last.startswith("  next: ")
    assert cause in f"{second}\n" and done.stdout == ""


def test_the_help_that_a_wrong_usage_names_is_there() -> None:
    for words in ("migrate.baseline", "migrate.generate", "status --envv local", "deploy"):
        named = re.search(r"`invoke (--help [\w.]+)`", invoke(*words.split()).stderr)
        assert named and invoke(*named[1].split()).returncode == 0, words


def test_invoke_alone_lists_the_verbs() -> None:
    done = invoke()
    assert done.returncode == 0 and "--no-dedupe" not in done.stdout
    assert "testbed.up" in done.stdout and "`invoke --help VERB` explains one." in done.stdout


@pytest.mark.parametrize("words", ["--list", "--help deploy", "status --env local"])
def test_a_reader_that_leaves_gets_no_complaint(words: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as `| head -0` has it
    argv = (sys.executable, "-m", "invoke", *words.split())
    done = subprocess.run(
        argv, check=False, cwd=ROOT, env={**os.environ, "NEXTAI_STATE": str(tmp_path)}, stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_work_goes_on_when_its_reader_leaves() -> None:
    program = (
        "from ops import console\n"
        "from ops.console.verb import guarded\n"
        "import sys\n"
        "def work():\n"
        "    console.say('one'); console.say('two'); print('all done', console.has_reader(), file=sys.stderr); return 4\n"
        "sys.exit(guarded(work))\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run((sys.executable, "-c", program), check=False, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (4, "all done False\n")


def output(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A shell's redirections, of which `invoke` is "$@"."""
    argv = ("sh", "-c", f'"$0" -m invoke {command}', sys.executable)
    return subprocess.run(argv, check=False, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)


@pytest.mark.parametrize("words", ["--list", "--help plan", "sync --check", "migrate.check --json"])
def test_an_output_that_is_full_is_told_and_no_success(words: str) -> None:
    done = output(f"{words} >/dev/full")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: writing the output\n cause: No space left on device\n  next: Send standard output" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--list >&-", 0),
        ("sync --check >&-", 0),
        ("sync --check <&- >&- 2>&-", 0),
        ("plan --env nowhere 2>&-", 2),
        ("plan --env nowhere 2>/dev/full", 2),
        ("plan --env nowhere --json >/dev/full", 2),
    ],
)
def test_a_stream_that_is_closed_or_full_does_not_change_the_exit_code(words: str, code: int) -> None:
    done = output(words)
    assert done.returncode == code and "Traceback" not in done.stderr


def test_a_letter_that_the_terminal_has_not_is_no_defect() -> None:
    done = output("--help build", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "") and r"[SERVICE \u2026]" in done.stdout


@pytest.mark.parametrize(("env", "variables"), [("ü", {"PYTHONIOENCODING": "ascii"}), (os.fsdecode(b"\xff"), {"LC_ALL": "C.UTF-8"})])
def test_a_document_is_json_whatever_it_holds(env: str, variables: dict[str, str]) -> None:
    done = output(f"plan --env {env} --json", **variables)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["cause"] == f"there is no environment {env}"


def test_who_wants_no_colour_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console_output._coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not console_output._coloured()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not console_output._coloured()


def test_a_pipe_that_breaks_elsewhere_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise BrokenPipeError(32, "Broken pipe", "/run/docker.sock")

    assert guarded(work, "running `invoke build`") == 1
    assert capsys.readouterr().err.startswith("error: running `invoke build`\n cause: /run/docker.sock Broken pipe")


def test_names_may_stand_behind_switches_and_other_verbs_stay_verbs() -> None:
    flags, verbs = {"build": "--service"}, {"build", "deploy"}
    line = ["build", "--push", "web", "-e", "api", "deploy", "--env", "staging"]
    assert spread(line, flags, verbs) == ["build", "--push", "--service", "web", "-e", "--service", "api", "deploy", "--env", "staging"]
    assert spread(["build", "-s", "web", "--service", "api"], flags, verbs) == ["build", "-s", "web", "--service", "api"]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "small" / "cache"))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0 if Path(path) == tmp_path else 2**40))

    def work() -> int:
        raise OSError(28, "No space left on device")

    assert guarded(work) == 1
    assert f"The disk is full: free some space in {tmp_path}/small/cache, or" in capsys.readouterr().err

    def fetch() -> int:
        raise Failure("fetching pnpm", "`npm` exited 1", "Check that the npm registry is reachable.")

    assert guarded(fetch) == 1
    told = f"  next: The disk is full, which may be the cause: free some space in {tmp_path}/small/cache.\n       Check that the npm"
    assert told in capsys.readouterr().err


def test_without_a_home_folder_doctor_still_tells_the_rest() -> None:
    done = invoke("doctor", HOME="/proc/nope")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cluster of production" in done.stdout and re.search(
        r"cache folder, state folder\b.*: Set NEXTAI_STATE and NEXTAI_CACHE", done.stdout
    )


@pytest.mark.parametrize("words", ["build --dry-run", "up --engine embedded --detach", "testbed.env"])
def test_without_a_home_folder_the_variable_that_helps_is_named(words: str) -> None:
    done = invoke(*words.split(), HOME="/proc/nope")
    assert done.returncode == 1
    assert "/proc/nope" in done.stderr and "  next: Set NEXTAI_" in done.stderr


def test_a_folder_of_an_unknown_user_spoils_nothing_else_of_doctor() -> None:
    done = invoke("doctor", NEXTAI_STATE="~nobody-of-this-name/state")
    assert done.returncode == 1 and done.stderr == "" and "defect" not in done.stdout
    assert re.search(r"state folder\b.*: Set NEXTAI_STATE", done.stdout) and "cluster of production" in done.stdout


def test_threads_may_ask_for_the_cache_folder_at_the_same_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    touch = Path.touch

    def beaten(path: Path) -> None:
        touch(path)
        path.unlink()  # by the other thread, whose probe has the same name

    monkeypatch.setattr(Path, "touch", beaten)
    assert cache() == tmp_path


def test_a_plan_file_that_is_no_plan_is_wrong_usage(tmp_path: Path) -> None:
    for text in ("[1]", "nonsense", '{"version": 0}'):
        (tmp_path / "plan").write_text(text)
        with pytest.raises(UsageError):
            cluster._read(str(tmp_path / "plan"))


@pytest.mark.parametrize(
    "edit",
    [
        {"origin": {}},
        {"origin": {"kind": "deploy", "environment": "staging", "made_at": "x", "surprise": 1}},
        {"steps": [{"phase": "never", "action": "create"}]},
        {"steps": [{"phase": "prune", "action": "explode"}]},
    ],
)
def test_a_plan_file_of_another_shape_is_wrong_usage(edit: dict[str, object], tmp_path: Path) -> None:
    whole: Object = {"version": PLAN_VERSION, "kind": "plan", "origin": {"kind": "deploy", "environment": "staging", "made_at": "x"}}

    def write(document: Object) -> None:
        (tmp_path / "plan").write_text(json.dumps({**document, "fingerprint": fingerprint(document)}))

    write(whole)
    assert cluster._read(str(tmp_path / "plan")).origin.environment == "staging"
    write({**whole, **json.loads(json.dumps(edit))})
    with pytest.raises(UsageError, match="not as this version writes it"):
        cluster._read(str(tmp_path / "plan"))


def test_a_silent_cluster_is_told_in_plain_words() -> None:
    class Nested(Exception):
        reason: str

    for words, plain in (
        ("HTTPSConnection(host='a', port=6): Failed to establish a new connection", "Failed to establish a new connection"),
        ("<urllib3.connection.HTTPSConnection object at 0x7f00>: Name unknown", "Name unknown"),
        ("Remote end closed connection", "Remote end closed connection"),
    ):
        error = Nested()
        error.reason = words
        assert errors.reason_of(error) == plain


def test_of_gits_words_the_reason_is_told() -> None:
    gone = "stderr: 'fatal: '/x' does not appear to be a git repository\nfatal: Could not read.\n\nPlease make sure\nand it exists.'"
    assert reason(gone) == "'/x' does not appear to be a git repository"
    assert reason("stderr: 'ssh: no route\n'") == "ssh: no route"
    assert reason("") == ""


def test_every_verb_checks_what_invoke_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    from invoke.context import Context
    from invoke.exceptions import Exit as Leave

    seen: list[tuple[str, int]] = []

    @verb(to="where to", count="how many")
    def move(_: Context, to: str, count: int) -> int | None:
        seen.append((to, count))
        raise Failure("moving", "stuck", "Push.")

    for options, code in (({"to": "a", "count": "3"}, 1), ({"to": None, "count": "3"}, 2), ({"to": "a", "count": "3.5"}, 2)):
        with pytest.raises(Leave) as left:
            move(Context(), **options)
        assert left.value.code == code
    assert seen == [("a", 3)]
    assert "--to is missing (where to)" in capsys.readouterr().err


def test_a_question_that_nobody_can_answer_is_told() -> None:
    done = invoke("down", "--volumes", NEXTAI_STATE="/proc/nope/state")
    assert done.returncode == 3
    assert "there is no terminal to ask on: Remove all data of the platform on this machine (/proc/nope/state)?" in done.stderr


def test_down_gives_machines_one_document(tmp_path: Path) -> None:
    done = invoke("down", "--json", NEXTAI_STATE=str(tmp_path))
    assert json.loads(done.stdout) == {"version": 1, "stopped": None, "volumesRemoved": False}


def _target(tmp_path: Path, cluster: str, user: str, server: str = "https://127.0.0.1:1") -> Target:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\n"
        f"clusters: [{{name: c, cluster: {{server: '{server}'{cluster}}}}}]\n"
        f"users: [{{name: u, user: {user}}}]\n"
        "contexts: [{name: nextai-testbed, context: {cluster: c, user: u}}]\n"
    )
    staging = load().environments["staging"]
    return Target(staging, kubeconfig, "nextai-testbed", server, rehearsal=True)


@pytest.mark.parametrize(
    ("cluster", "user", "cause", "remedy"),
    [
        ("", "{token: hunter2}", "does not answer: Failed to establish a new connection", "VPN"),
        ("", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin}}", "no-such-plugin (`exec`", "exec"),
        ("", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false'}}", "it exited 1, and said nothing", "log in"),
        (", certificate-authority: /nope.pem", "{token: hunter2}", "/nope.pem", "kubeconfig"),
        ("", '{token: "hunter2\\nhunter2"}', "its token has a line end in it", "Log in"),
        ("", '{token: "hunter2☃"}', "a letter outside ASCII", "Log in"),
        ("", "{auth-provider: {name: gcp}}", "which kubectl gave up in 1.26", "exec"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_told_with_its_context(
    cluster: str, user: str, cause: str, remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Failure) as told, connect.connect(_target(tmp_path, cluster, user)):
        pass
    assert "context nextai-testbed" in told.value.doing
    assert cause in told.value.cause and remedy in told.value.remedy
    assert "hunter2" not in str(told.value) and capsys.readouterr().err == ""


def test_a_user_that_is_no_mapping_is_told_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its user u is not as a kubeconfig has them"), connect.connect(_target(tmp_path, "", "text")):
        pass


@pytest.fixture
def answering() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server that answers each GET with what lies at its path, or with `*`; and what lies there."""
    answers: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path, answers.get("*", b""))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + self.path.startswith("/short")))
            self.end_headers()
            answers["token"] = self.headers.get("Authorization", "").encode()  # before the answer, after which it is looked at
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(b"<html>", "no JSON"), (b"[1]", "not as a Kubernetes"), (b"", "not as a Kubernetes"), (b"{}", "not as a Kubernetes")],
)
def test_what_is_no_api_server_is_not_taken_for_an_empty_cluster(
    answering: tuple[str, dict[str, bytes]], answer: bytes, cause: str, tmp_path: Path
) -> None:
    server, answers = answering
    answers["*"] = answer
    with pytest.raises(Failure, match=cause), connect.connect(_target(tmp_path, "", "{}", server)):
        pass


def test_an_answer_that_is_cut_or_no_json_is_told_and_no_defect(answering: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    server, answers = answering
    answers |= {"/version": b'{"gitVersion": "v1.33.0"}', "*": b"<html>"}
    with connect.connect(_target(tmp_path, "", "{}", server)) as connected:
        with pytest.raises(Failure, match="no JSON"):
            connected.request("GET", "/api")
        with pytest.raises(Failure, match="does not answer"):
            connected.request("GET", "/short")


def test_a_token_from_a_file_is_sent_without_its_line_end(answering: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    server, answers = answering
    answers["*"] = b'{"gitVersion": "v1.33.0"}'
    (tmp_path / "token").write_text("hunter2\n")
    with connect.connect(_target(tmp_path, "", f"{{tokenFile: {tmp_path}/token}}", server)) as cluster:
        for _ in range(2):  # the client reads the file again for each request
            answers["token"] = b""
            cluster.ping()
            assert answers["token"] == b"Bearer hunter2"


def test_a_credential_program_that_waits_has_a_time_of_its_own_and_does_not_keep_the_process(tmp_path: Path) -> None:
    plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['20'], interactiveMode: IfAvailable}}"
    file = _target(tmp_path, "", plugin).kubeconfig
    program = (
        "from pathlib import Path\n"
        "from ops.catalog import load\n"
        "from ops.kube import connect\n"
        "from ops.cluster.target import Target\n"
        "from ops.errors import Failure\n"
        "connect.CREDENTIALS_SECONDS = 0.1\n"
        f"target = Target(load().environments['staging'], Path({str(file)!r}), 'nextai-testbed', 'https://127.0.0.1:1')\n"
        "try:\n"
        "    with connect.connect(target): pass\n"
        "except Failure as failure: print(failure.doing, failure.cause, sep=': ')\n"
    )
    done = subprocess.run((sys.executable, "-c", program), check=False, cwd=ROOT, capture_output=True, text=True, timeout=15)
    *_, told = done.stdout.splitlines()
    assert told.startswith("asking for the credentials of context nextai-testbed: the program that its user names under `exec`")


def test_a_cluster_need_not_wait_for_a_kustomize_that_must_first_be_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.import_module("ops.tools.find"), "here", lambda _: None)
    monkeypatch.setattr("ops.verbs.checkout.build", lambda _: pytest.fail("kustomize was asked for"))
    monkeypatch.setattr("ops.verbs.build.planned", lambda *_, **__: None)
    asked = checkout.begin_reading(load(), _target(tmp_path, "", "{}"))
    assert asked.overlay is None
    assert asked.state.result().commit


def test_a_migration_of_this_machine_is_none_of_the_testbeds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bed = _target(tmp_path, "", "{}")
    monkeypatch.setattr("ops.verbs.target.running_testbed", lambda _: bed)
    with pytest.raises(UsageError, match="it is this machine, and not a cluster"), database_address(load(), "local", testbed=True):
        pass


def test_going_back_to_no_record_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no such record"):
        goal_of((), 99)


def test_a_cluster_that_is_not_trusted_is_not_called_silent(tmp_path: Path) -> None:
    failure = errors.unreachable(_target(tmp_path, "", "{}"), "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    assert "not trusted" in failure.cause and "certificate authority" in failure.remedy


def test_who_came_without_credentials_is_told_so() -> None:
    body: Object = {"message": 'forbidden: User "system:anonymous" cannot get path "/api"'}
    assert "no credentials" in client.ApiError(403, body, "GET /api").remedy
    assert "rights" in client.ApiError(403, {"message": "forbidden"}, "GET /api").remedy


def test_programs_keep_their_caches_elsewhere_when_the_home_folder_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "GOPATH", "npm_config_cache"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    command = Command(("go", "build"), "building")
    assert "GOPATH" not in environment(command)
    monkeypatch.setenv("HOME", "/proc/nope")
    monkeypatch.setenv("GOPATH", "/mine")
    found = environment(command)
    assert found["XDG_CACHE_HOME"] == str(tmp_path / "cache" / "home" / "cache") and found["GOPATH"] == "/mine"


def test_an_environment_that_was_left_out_is_asked_for_by_those_that_there_are() -> None:
    required = {name for name, found in arguments().items() for a in found if a.name == "env" and a.default is None}
    assert required == {"status", "logs", "scale", "shell", "connect", "psql", "deploy", "plan", "rollback", "history"}
    for name in required:
        words = {"logs": "logs web", "scale": "scale web --replicas 2", "shell": "shell web", "connect": "connect redis"}.get(name, name)
        first = "local, development, " if name in ("status", "logs", "connect", "psql") else "development, "
        assert f"next: Name one of: {first}" in invoke(*words.split()).stderr, name


def test_the_help_of_a_verb_shows_what_needs_no_flag() -> None:
    for name, found in arguments().items():
        positional = [argument.name or "" for argument in found if argument.positional]
        if positional:
            shown = invoke("--help", name).stdout
            assert shown.startswith(f"Usage: invoke {name} {' '.join(p.upper() for p in positional)} [--options]"), shown
            assert all(f"  {p.upper()} " in shown.partition("Options:")[0] for p in positional)


def test_every_argument_of_every_verb_has_its_help() -> None:
    missing = [f"{name} --{argument.name}" for name, found in arguments().items() for argument in found if not argument.help]
    assert not missing
