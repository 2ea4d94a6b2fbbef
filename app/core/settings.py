"""The configuration: environment variables, checked once at start."""

import base64
import binascii
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LIMIT = r"^[1-9]\d{0,6}/(second|minute|hour|day)$"


class Settings(BaseSettings):
    """Every setting, named as its environment variable in upper case."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore")

    sentinel_env: Literal["development", "production"] = "production"
    base_url: str
    secret_key: SecretStr
    platform_base_url: str | None = None
    platform_secret_key: SecretStr | None = None
    master_key: SecretStr
    key_pepper: SecretStr
    key_pepper_previous: SecretStr | None = None

    database_url: SecretStr
    database_owner_url: SecretStr | None = None
    database_worker_url: SecretStr | None = None
    database_platform_url: SecretStr | None = None
    database_direct_url: SecretStr | None = None
    database_pool_size: int = 8

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    neo4j_uri: str | None = None
    neo4j_user: str = "neo4j"
    neo4j_password: SecretStr = SecretStr("")
    neo4j_database: str | None = None

    smtp_url: SecretStr | None = None
    mail_from: str | None = None
    staff_mail: str | None = None
    local_mail_dir: Path | None = None
    rate_limit_storage_url: SecretStr | None = None
    # While the store is away. memory: each process counts by itself, so that a limit is at most as many times as wide
    # as there are processes, and the service goes on; allow: nothing is limited; refuse: 503 for what is counted.
    rate_limit_on_store_failure: Literal["memory", "allow", "refuse"] = "memory"
    # For each client address, whoever it says it is.
    rate_limit_sign_in: str = Field(default="30/minute", pattern=LIMIT)
    rate_limit_reset: str = Field(default="20/hour", pattern=LIMIT)
    rate_limit_sign_up: str = Field(default="20/hour", pattern=LIMIT)
    web_concurrency: int = 1
    trusted_proxies: str = ""
    metrics_token: SecretStr | None = None
    demonstration: bool = False
    demonstration_targets: str = ""
    outbound_allowed: str = ""
    # A provider that everybody may sign in through: all four, or none.
    platform_oidc_issuer: str | None = None
    platform_oidc_client_id: str | None = None
    platform_oidc_client_secret: SecretStr | None = None
    platform_oidc_name: str | None = None
    dns_resolvers: str = ""
    scans_stopped: bool = False
    log_level: str = "INFO"
    worker_poll_cap: int = Field(default=100, ge=1)
    relay_poll_seconds: float = Field(default=1.0, gt=0)

    @field_validator("base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("BASE_URL begins with http:// or https://")
        return value.rstrip("/")

    @field_validator("master_key", "key_pepper", "key_pepper_previous")
    @classmethod
    def _thirty_two_bytes(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            raw = base64.b64decode(value.get_secret_value(), validate=True)
        except binascii.Error as error:
            raise ValueError("must be base64") from error
        if len(raw) != 32:
            raise ValueError("must be 32 bytes in base64")
        return value

    @model_validator(mode="after")
    def _complete_in_production(self) -> "Settings":
        if self.sentinel_env == "production":
            if self.demonstration:
                raise ValueError("DEMONSTRATION is for make run alone")
            if self.smtp_url is None:
                raise ValueError("SMTP_URL must be set")
        own = ("issuer", "client_id", "client_secret", "name")
        if len({bool(getattr(self, f"platform_oidc_{part}")) for part in own}) > 1:
            raise ValueError("PLATFORM_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET and _NAME belong together")
        if self.local_mail_dir is not None and not self.demonstration:
            raise ValueError("LOCAL_MAIL_DIR is for make run alone")
        if self.web_concurrency > 1 and self.rate_limit_storage_url is None:
            raise ValueError("RATE_LIMIT_STORAGE_URL must be set where WEB_CONCURRENCY is above 1")
        return self

    @property
    def master(self) -> bytes:
        """The key that wraps the tenants' data keys."""
        return base64.b64decode(self.master_key.get_secret_value())

    @property
    def peppers(self) -> list[bytes]:
        """The keys under which credentials may be hashed, the present one first."""
        given = (self.key_pepper, self.key_pepper_previous)
        return [base64.b64decode(pepper.get_secret_value()) for pepper in given if pepper is not None]

    @property
    def host(self) -> str:
        """The host (with port, if any) of BASE_URL."""
        return self.base_url.split("://", 1)[1].split("/", 1)[0]

    @property
    def allowed_targets(self) -> frozenset[str]:
        """Exact `address:port` pairs that outbound traffic may reach although they are not global."""
        both = f"{self.demonstration_targets},{self.outbound_allowed}"
        return frozenset(part.strip() for part in both.split(",") if part.strip())

    @property
    def resolvers(self) -> tuple[str, ...]:
        """Resolvers as `address` or `address:port`; empty for the system's."""
        return tuple(part.strip() for part in self.dns_resolvers.split(",") if part.strip())


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process. Raises pydantic.ValidationError that names what is missing."""
    return Settings()  # type: ignore[call-arg]
