"""The `import` document from the importer's reports."""

from __future__ import annotations

from collections.abc import Sequence

from lnflow.advice.documents import ImportDocument, ImportedFile, ImportTotals, Rejection
from lnflow.ingest.importer import FileReport


def import_document(reports: Sequence[FileReport], took_s: float) -> ImportDocument:
    rows_read = sum(r.rows_read for r in reports)
    return ImportDocument(
        files=[
            ImportedFile(
                path=r.path,
                kind=r.kind,
                rows_read=r.rows_read,
                new=r.new,
                known=r.known,
                rejected=r.rejected,
                rejections=[Rejection(line=x.line or None, element=x.element, reason=x.reason) for x in r.rejections],
            )
            for r in reports
        ],
        totals=ImportTotals(
            rows_read=rows_read,
            new=sum(r.new for r in reports),
            known=sum(r.known for r in reports),
            rejected=sum(r.rejected for r in reports),
        ),
        rows_per_s=round(rows_read / took_s, 1) if rows_read and took_s > 0 else None,
    )
