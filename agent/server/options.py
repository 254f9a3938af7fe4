"""Settings of the server, with defaults and ranges."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ServerOptions(BaseModel):
    """Settings of the server.

    Attributes:
        host: the address to listen on; others can reach any address but loopback.
        port: the port; if the default is in use, the next free one is taken; 0 takes any free one.
        allowed_hosts: additional host names, without port, under which the page may be opened: DNS names, or those of a
            proxy, through which others reach even a loopback address.
        token: the token that a browser must know, at least 16 characters. None: a new token per start if others can
            reach the server (see `host` and `allowed_hosts`), else no token.
        view_fps: live pictures per second on the page; memory samples at `media.fps`.
        view_side_px: maximum longer side of live pictures; larger ones are scaled down.
        jpeg_quality: JPEG quality of all pictures on the page, 1 to 95.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=8765, ge=0, le=65_535)
    allowed_hosts: tuple[str, ...] = ()
    token: SecretStr | None = Field(default=None, min_length=16)
    view_fps: float = Field(default=8.0, gt=0, le=60, allow_inf_nan=False)
    view_side_px: int = Field(default=960, ge=64, le=8192)
    jpeg_quality: int = Field(default=80, ge=1, le=95)
