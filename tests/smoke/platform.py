"""What must work after every deploy, asked of the running platform: through the gateway, and in the stores behind it.

Everything is made under a name that no one else has, and removed at the end.
"""

import threading
import time
import uuid
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from ops.cluster.smoke import Reach

SERVICE = "api-gateway"
PASSWORD = "correct-horse-battery-staple"
SECONDS = 20.0
SLOW = 120.0  # requests a second: the limit of 100, and what the burst adds over half a minute
DATABASE = "nextai_agent"

_COUNT = """
import os
from pymilvus import MilvusClient
client = MilvusClient(uri="http://%s:%s" % (os.environ["MILVUS_HOST"], os.environ.get("MILVUS_PORT") or "19530"))
names = [name for name in client.list_collections() if name.startswith("memories")]
found = [client.query(name, filter='user_id == "USER"', output_fields=["id"], consistency_level="Strong") for name in names]
print(sum(map(len, found)))
"""


def check_health(reach: "Reach") -> None:
    """The gateway answers."""
    answer = httpx.get(f"{reach.address}/health", timeout=SECONDS)
    _expect(answer, 200)
    assert answer.json()["service"] == SERVICE, answer.text


def check_ready(reach: "Reach") -> None:
    """The gateway reaches PostgreSQL and Redis."""
    answer = httpx.get(f"{reach.address}/health/ready", timeout=SECONDS)
    _expect(answer, 200)
    assert {"postgres": "ok", "redis": "ok"}.items() <= answer.json()["checks"].items(), answer.text


def check_service(reach: "Reach") -> None:
    """web reaches the gateway through its Service."""
    script = "fetch(process.env.API_GATEWAY_URL + '/health').then(async r => console.log(r.status, await r.text()))"
    answer = reach.run("web", ["node", "-e", script])
    assert answer.startswith("200 "), answer


def check_unknown_route(reach: "Reach") -> None:
    """An unknown route is answered with 404."""
    _expect(httpx.get(f"{reach.address}/api/no-such-route", timeout=SECONDS), 404)


def check_unauthenticated(reach: "Reach") -> None:
    """Nobody gets at memories without signing in."""
    answer = httpx.get(f"{reach.address}/api/memories", timeout=SECONDS)
    _expect(answer, 401)
    forged = httpx.get(f"{reach.address}/api/memories", headers={"X-User-Id": str(uuid.uuid4())}, timeout=SECONDS)
    _expect(forged, 401)


def check_sign_up(reach: "Reach") -> None:
    """A person signs up."""
    for who in ("one", "two"):
        reach.notes[f"{who}.email"] = f"smoke-{uuid.uuid4().hex}@nextai-agent.invalid"
        body = {"email": reach.notes[f"{who}.email"], "password": PASSWORD, "name": "Smoke Check"}
        answer = _expect(httpx.post(f"{reach.address}/api/auth/sign-up", json=body, timeout=SECONDS), 201)
        reach.notes[f"{who}.id"] = answer.json()["user"]["id"]
        reach.notes[f"{who}.token"] = answer.json()["accessToken"]


def check_row(reach: "Reach") -> None:
    """The person is a row in PostgreSQL."""
    found = _sql(reach, f"select id from users where email = '{reach.notes['one.email']}'")
    assert found.strip() == reach.notes["one.id"], f"the table has {found.strip() or 'no such row'}"


def check_sign_in(reach: "Reach") -> None:
    """The person signs in; a wrong password is refused."""
    url = f"{reach.address}/api/auth/sign-in"
    answer = httpx.post(url, json={"email": reach.notes["one.email"], "password": PASSWORD}, timeout=SECONDS)
    _expect(answer, 200)
    reach.notes["one.token"] = answer.json()["accessToken"]
    wrong = httpx.post(url, json={"email": reach.notes["one.email"], "password": "not-the-password"}, timeout=SECONDS)
    _expect(wrong, 401)


def check_me(reach: "Reach") -> None:
    """The token says who the person is."""
    answer = _expect(httpx.get(f"{reach.address}/api/users/me", headers=_as(reach, "one"), timeout=SECONDS), 200)
    assert answer.json()["id"] == reach.notes["one.id"], answer.text


def check_memory_is_found(reach: "Reach") -> None:
    """A memory is stored and found again by what it is about."""
    body = {"text": "The spare key lies under the blue flower pot."}
    stored = _expect(httpx.post(f"{reach.address}/api/memories", json=body, headers=_as(reach, "one"), timeout=SECONDS), 201)
    reach.notes["memory"] = stored.json()["id"]
    found = _search(reach, "one")
    assert reach.notes["memory"] in found, f"the search found {found or 'nothing'}"


def check_memory_is_private(reach: "Reach") -> None:
    """Another person does not find it."""
    found = _search(reach, "two")
    assert found == [], f"the search found {found}"
    removed = httpx.delete(f"{reach.address}/api/memories/{reach.notes['memory']}", headers=_as(reach, "two"), timeout=SECONDS)
    _expect(removed, 404)


def check_vector(reach: "Reach") -> None:
    """The memory is one vector in Milvus."""
    uuid.UUID(reach.notes["one.id"])
    # Through standard input: the pod's shell, if it had one, would never see it.
    count = reach.run("memory-service", ["python", "-"], _COUNT.replace("USER", reach.notes["one.id"]))
    assert count.strip() == "1", f"Milvus has {count.strip()}"


def check_rate_limit(reach: "Reach") -> None:
    """A client's requests are counted in Redis, and one that asks too often is told to wait."""
    headers = _as(reach, "two")
    seen: set[int] = set()
    counted = threading.Event()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=SECONDS, headers=headers) as client:
            for _ in range(400):
                if over.is_set():
                    return
                answer = client.get(f"{reach.address}/api/no-such-route")
                seen.add(answer.status_code)
                if int(answer.headers["RateLimit-Remaining"]) < int(answer.headers["RateLimit-Limit"]) - 1:
                    counted.set()
                if answer.status_code == 429:
                    over.set()

    begin = time.monotonic()
    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    # A machine that cannot ask faster than the limit fills up again is never told to wait; its requests are counted all the same.
    rate = 3200 / (time.monotonic() - begin)
    assert over.is_set() or (counted.is_set() and rate < SLOW), f"{rate:.0f} requests a second were answered with {sorted(seen)}"
    keys = reach.run("redis", ["sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli --raw --scan --pattern "api-gateway:rate:*"'])
    assert keys.strip(), "Redis has no key of the rate limit"


def clean_up(reach: "Reach") -> None:
    """Remove the memory and the accounts. The limit refills meanwhile, so the deletion may have to be asked for again."""
    if "memory" in reach.notes:
        for _ in range(50):
            url = f"{reach.address}/api/memories/{reach.notes['memory']}"
            answer = httpx.delete(url, headers=_as(reach, "one"), timeout=SECONDS)
            if answer.status_code != 429:
                break
    emails = [reach.notes[f"{who}.email"] for who in ("one", "two") if f"{who}.email" in reach.notes]
    if emails:
        names = ", ".join(f"'{email}'" for email in emails)
        _sql(reach, f"delete from users where email in ({names})")


def _sql(reach: "Reach", statement: str) -> str:
    argv = ["psql", "--username=nextai", f"--dbname={DATABASE}", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
    return reach.run("postgres", argv, statement)


def _search(reach: "Reach", who: str) -> list[str]:
    query = {"q": "where is the spare key", "limit": "5"}
    answer = httpx.get(f"{reach.address}/api/memories/search", params=query, headers=_as(reach, who), timeout=SECONDS)
    return [item["id"] for item in _expect(answer, 200).json()["items"]]


def _as(reach: "Reach", who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {reach.notes[f'{who}.token']}"}


def _expect(answer: httpx.Response, status: int) -> httpx.Response:
    assert answer.status_code == status, (
        f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}"
    )
    return answer
