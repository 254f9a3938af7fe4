"""Every setting of the server, with its default and range."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ServerOptions(BaseModel):
    """How the page is served. The defaults are our own choices.

    Attributes:
        host: the address to listen on. Another than this machine's own (loopback) can be reached by others.
        port: the port; the next free one is taken where it is in use and was not set on purpose; 0 takes any free one.
        allowed_hosts: further names under which the page may be opened, without port: of a name server, or of a proxy,
            through which others reach even a loopback address.
        token: what a browser must know, at least 16 characters. None: a new one a start where others can reach the
            server (see `host` and `allowed_hosts`), else nothing.
        view_fps: live pictures a second, for people; memory looks at `media.fps`.
        view_side_px: live pictures whose longer side is greater are scaled down to it.
        jpeg_quality: of all pictures on the page, 1 to 95.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=8765, ge=0, le=65_535)
    allowed_hosts: tuple[str, ...] = ()
    token: SecretStr | None = Field(default=None, min_length=16)
    view_fps: float = Field(default=8.0, gt=0, le=60, allow_inf_nan=False)
    view_side_px: int = Field(default=960, ge=64, le=8192)
    jpeg_quality: int = Field(default=80, ge=1, le=95)
