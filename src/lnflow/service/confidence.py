"""How sure the causes are where they had to be told from facts (Core Lightning): as the collector counted it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from lnflow.advice.documents import AnalyzeDocument
from lnflow.nodes.cln.live import ATTRIBUTED, CONFIDENCE


def with_confidence(document: AnalyzeDocument, counters: Mapping[str, int]) -> AnalyzeDocument:
    """Return the document with the mean confidence of each cause, over all that was attributed live.

    A cause that was never told live keeps what it has: 1 on LND, whose enums say it, else null.
    """
    failures = [
        structs.replace(row, confidence=round(counters[CONFIDENCE + row.cause] / (100 * number), 2))
        if (number := counters.get(ATTRIBUTED + row.cause, 0))
        else row
        for row in document.failures
    ]
    return structs.replace(document, failures=failures)
