"""The forms that texts of `platform.yaml` have: a pattern, and what it asks for in the words of a message."""

from typing import Final

NAME = r"^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$"  # a DNS label (RFC 1123) that leaves room for suffixes
VARIABLE = r"^[A-Z][A-Z0-9_]*$"
PATH = r"^(?!/)(?!.*(^|/)\.\.(/|$)).+$"
ABSOLUTE = "^/"
PREFIX = r"^/[a-z0-9/-]*[a-z0-9]$"
IMAGE = r"^([^\s:@/]+(:[0-9]+)?/)?[^\s:@]+:[^\s:@/]+(@sha256:[0-9a-f]{64})?$"
IDENTIFIER = r"^[a-z_][a-z0-9_]*$"
HTTPS = "^https://"
DOMAIN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$"
REGISTRY = r"^[a-z0-9.-]+(:[0-9]+)?$"
REPOSITORY = r"^[a-z0-9._/-]+$"
NODES = r"^[a-z0-9]+(/[a-z0-9]+){1,2}$"
CPU = r"^[1-9][0-9]*m?$"
MEMORY = r"^[1-9][0-9]*(Mi|Gi)$"
WAY = r"^/([a-z0-9/-]*[a-z0-9])?$"
TOPIC = r"^[A-Za-z0-9._-]{1,200}$"
BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
FORMS: Final = {
    TOPIC: "a name of letters, digits and . _ -",
    BUCKET: "a name of 3 to 63 lower-case letters, digits, . and -, as S3 takes it",
    NAME: "a name of lower-case letters, digits and -, a letter first, 50 characters at most",
    VARIABLE: "a name of upper-case letters, digits and _, a letter first",
    PATH: "a path from the checkout's root, without .. and without / at its beginning",
    ABSOLUTE: "a path with / at its beginning",
    PREFIX: "a path such as /users: lower-case letters, digits, - and /, a letter or digit last",
    IMAGE: "an image with its version: NAME:TAG, or NAME:TAG@sha256:DIGEST",
    IDENTIFIER: "lower-case letters, digits and _, no digit first",
    HTTPS: "an address that begins with https://",
    DOMAIN: "a host name in lower case, such as app.example.com, or HOST:PORT",
    REGISTRY: "a host in lower case, or HOST:PORT, without https://",
    REPOSITORY: "a path of lower-case letters, digits and . _ - /",
    CPU: "a number of processors, or of thousandths of one such as 250m",
    MEMORY: "a whole number of Mi or Gi, such as 512Mi",
    WAY: "a path of lower-case letters, digits, - and /, such as / or /api",
    NODES: "OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64",
}
"""What a pattern asks for, in the words of a message."""
