"""The catalogue: everything that the posture scanner can name, each with weight, CWE, remedy and source."""

from collections.abc import Mapping

from app.scanners.posture.rules.exchanges import EXCHANGE_RULES
from app.scanners.posture.rules.handshakes import TLS_RULES
from app.scanners.posture.rules.headers import HEADER_RULES
from app.scanners.posture.rules.kinds import Rule, by_id

ALL_RULES: Mapping[str, Rule] = by_id(*TLS_RULES.values(), *HEADER_RULES.values(), *EXCHANGE_RULES.values())

__all__ = ["ALL_RULES", "Rule"]
