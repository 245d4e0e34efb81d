"""Jobs of the catalogue: what their schedules may be, and that no field is accepted in vain."""

from pathlib import Path

import pytest

from ops import catalog
from ops.catalog import cron
from tests.unit.small_catalogue import GOOD, checkout, mistakes

JOB = "  j: {stack: go, path: a, namespace: n}\n"


def with_job(more: str) -> str:
    assert JOB in GOOD
    return GOOD.replace(JOB, f"{JOB}  k: {{stack: go, path: b, namespace: n, {more}}}\n")


def test_a_job_has_a_schedule_a_time_zone_a_deadline_and_resources_of_its_own(tmp_path: Path) -> None:
    text = with_job("schedule: '*/15 3 * * MON-FRI', timeZone: Europe/Berlin, deadline: 2h, resources: {limits: {memory: 2Gi}}")
    job = catalog.load(checkout(tmp_path, text)).jobs["k"]
    assert (job.schedule, job.time_zone, job.deadline) == ("*/15 3 * * MON-FRI", "Europe/Berlin", "2h")
    assert job.resources.limits == {"cpu": "1", "memory": "2Gi"}


def test_what_a_job_does_not_say_has_a_default_that_is_said(tmp_path: Path) -> None:
    loaded = catalog.load(checkout(tmp_path, with_job("needs: [db]")))
    assert (loaded.jobs["k"].schedule, loaded.jobs["k"].time_zone, loaded.jobs["k"].deadline) == (None, "Etc/UTC", "1h")
    assert list(loaded.other_jobs) == ["k"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("schedule: '* * * *'", "jobs.k.schedule: '* * * *' has 4 fields, not five"),
        ("schedule: '60 * * * *'", "jobs.k.schedule: '60 * * * *' has the minute '60': expected 0 to 59"),
        ("schedule: '0 0 31 2 *'", "never comes: no such month has such a day"),
        ("schedule: '@daily'", "has 1 fields, not five"),
        ("schedule: 7", "jobs.k.schedule: expected text, not '7' (put it in quotes)"),
        ("schedule: '0 3 * * *', timeZone: Europe/Berlim", "jobs.k.timeZone: unknown time zone 'Europe/Berlim'"),
        ("timeZone: Europe/Berlin", "jobs.k.timeZone: a time zone without a schedule changes nothing"),
        ("deadline: soon", "jobs.k.deadline: 'soon' must be a duration such as 15m or 2h"),
        ("resources: {requests: {memory: 1Gi}}", "k requests 1Gi of memory, more than its limit of 512Mi"),
    ],
)
def test_a_wrong_job_is_told_with_its_line(tmp_path: Path, more: str, told: str) -> None:
    found = mistakes(tmp_path, with_job(more))
    assert found.startswith("platform.yaml:11: ") and told in found and "\n" not in found


@pytest.mark.parametrize("more", ["schedule: '0 3 * * *'", "deadline: 1h", "resources: {limits: {cpu: '2'}}"])
def test_what_the_migrations_manifest_says_is_not_said_in_vain(tmp_path: Path, more: str) -> None:
    found = mistakes(tmp_path, GOOD.replace(JOB, JOB.replace("namespace: n}", f"namespace: n, {more}}}")))
    assert "the database's migrations run with each deploy that changes them" in found and found.startswith("platform.yaml:10: jobs.j.")


@pytest.mark.parametrize(
    "schedule",
    ["* * * * *", "0 3 * * *", "*/15 0-6/2 1,15 jan-JUN mon,FRI", "5/10 * ? * *", "0 0 29 2 *", "0 0 31 2 sun", "59 23 31 12 6"],
)
def test_what_a_cronjob_takes_is_taken(schedule: str) -> None:
    assert cron.problem(schedule) == ""


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "0 3 * * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 7", "*/0 * * * *", "5-1 * * * *", "1, * * * *"),
        *("-1 * * * *", "a * * * *", "* * * * L", "* * * * mon#2", "* * 30 feb *", "/5 * * * *", "1- * * * *", "TZ=UTC 0 3 * * *"),
    ],
)
def test_what_a_cronjob_refuses_is_refused_here(schedule: str) -> None:
    assert cron.problem(schedule)
