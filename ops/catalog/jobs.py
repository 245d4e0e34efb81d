"""Whether the jobs of the catalogue agree with themselves: schedules, time zones, deadlines; and that no field is said in vain."""

from ops.catalog import cron
from ops.catalog.entries import Entries
from ops.catalog.values import seconds

MIGRATIONS_SAY = ("schedule", "timeZone", "deadline", "resources")  # of the migrations, ops/manifests/migration.py says these


def check(entries: Entries) -> None:
    """Note every contradiction in the entries of jobs."""
    for path, schedule in entries.each("jobs.*.schedule", str):
        if wrong := cron.problem(schedule):
            entries.problem(path, f"{schedule!r} {wrong}")
    for path, zone in entries.each("jobs.*.timeZone", str):
        if entries.absent((*path[:-1], "schedule")):
            entries.problem(path, "a time zone without a schedule changes nothing: add a schedule, or take it out")
        elif not _known(zone):
            entries.problem(path, f"unknown time zone {zone!r}; expected one such as Etc/UTC or Europe/Berlin")
    for path, deadline in entries.each("jobs.*.deadline", str):
        if seconds(deadline) is None:
            entries.problem(path, f"{deadline!r} must be a duration such as 15m or 2h")
    job = entries.values.get(("database", "job"))
    for key in MIGRATIONS_SAY if isinstance(job, str) else ():
        path = ("jobs", str(job), key)
        if path in entries.lines:
            entries.problem(
                path,
                "the database's migrations run with each deploy that changes them, and are what they are in every platform: take it out",
            )


def _known(zone: str) -> bool:
    """Whether the time zone database has a zone. A machine without that database cannot say, and leaves it to the API server."""
    import zoneinfo  # a few milliseconds that most starts do not need

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return not zoneinfo.available_timezones()
    return True
