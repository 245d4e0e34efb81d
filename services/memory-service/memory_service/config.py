"""What the environment says, as values."""

from dataclasses import dataclass

from nextai_service_kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Config:
    """`milvus` is the address of Milvus, as a URL."""

    milvus: str


def load(settings: Settings) -> Config:
    """Take this service's own values from the checked environment."""
    host = settings.text("MILVUS_HOST")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"  # IPv6
    return Config(milvus=f"http://{host}:{settings.number('MILVUS_PORT')}")
