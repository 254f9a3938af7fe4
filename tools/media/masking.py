"""Masking of credentials in names, traces and messages."""

from __future__ import annotations

import re

# The first form allows "/", "?" and "#" in a password, since people forget to percent-encode, but not a port number.
_USERINFO = re.compile(r"(?<=://)(?:[^\s/?#@:]*:(?!\d+[/?#])[^\s]*@|[^\s/?#]*@)")
_SECRET = re.compile(
    r"(?i)(?<![a-z])((?:user(?:name)?|usr|login|password|passwd|passphrase|pass|pwd|psw|token|access[_-]?token|auth(?:orization)?"
    r"|api[_-]?key|key|secret|sig|signature|session)=)[^&;\s#'\"]*"
)


def mask_credentials(text: str) -> str:
    """Replace user and password of every URL in a text, and secrets such as `password=`, by `***`.

    Works on single URLs and on messages that contain some. When in doubt it masks too much.
    """
    return _SECRET.sub(r"\1***", _USERINFO.sub("***@", text))
