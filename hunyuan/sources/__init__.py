"""How an input image becomes a URL that the gateway can fetch: an ordered chain of ways, in the user's order.

`remembered` (the result's own URL), `s3` and `http` (the user's own store or service), `data` (inside the request).
"""

from .chain import SourceChain
from .ports import SourceDiagnosis

__all__ = ["SourceChain", "SourceDiagnosis"]
