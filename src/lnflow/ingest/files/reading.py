"""One saved file from beginning to end: what it is, and its items in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from lnflow.domain.errors import InputError
from lnflow.ingest.files import csv_rows, lines
from lnflow.ingest.files.conversions import Conversion, check_storable, conversion
from lnflow.ingest.files.items import Chunk, FileItem, Rejected
from lnflow.ingest.files.recognise import HEAD_BYTES, FileKind, recognise
from lnflow.ingest.files.source import Source
from lnflow.ingest.files.walk import ListingEnd, Row, listings, rows
from lnflow.ingest.files.window import JsonWindow
from lnflow.nodes.lnd.events import DecodeCounts
from lnflow.nodes.lnd.json_events import decode_event_line, decode_event_lines

CHUNK_ROWS = 1_000  # more at once is slower: the objects no longer fit the processor's cache
_NOTHING_TO_READ = frozenset({FileKind.CLN_PAYMENTS, FileKind.NO_CHANNELS})


class Reading:
    """A recognised source, to be read once.

    `kind` is known at once.  `counts` says, after reading, how many HTLC events were own payments or of
    kinds that this version does not know.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.counts = DecodeCounts()
        self._recognised = recognise(source.peek(HEAD_BYTES))
        self._batch = _Batch()

    @property
    def kind(self) -> FileKind:
        return self._recognised.kind

    def chunks(self) -> Iterator[Chunk]:
        """Yield everything in file order.  Bad input of any sort becomes a `Rejected`, never an exception."""
        reason = self._recognised.reason
        if reason is not None:
            self._batch.rejected.append(Rejected(1, self.source.failure or reason))
        elif self.kind not in _NOTHING_TO_READ:
            for _ in self._steps():
                if self._batch.rows >= CHUNK_ROWS:
                    yield self._batch.take()
            if self.source.failure is not None:
                self._batch.rejected.append(Rejected(self._batch.last_line, self.source.failure))
        if not self._batch.is_empty():
            yield self._batch.take()

    def _steps(self) -> Iterator[None]:
        """Put what is read into the batch, stopping after every row or block."""
        if self.kind in (FileKind.CSV_FORWARDS, FileKind.CSV_CLN_FORWARDS):
            return self._csv_rows()
        if self.kind is FileKind.HTLC_EVENTS and self._recognised.by_line:
            return self._event_lines()
        return self._json_values()

    def _event_lines(self) -> Iterator[None]:
        for block in lines.blocks(self.source.read):
            if isinstance(block, Rejected):
                self._batch.reject(block)
            elif not self._take_event_block(block):
                self._take_event_lines(block)
            yield

    def _take_event_block(self, block: lines.Block) -> bool:
        """Decode a block at once; False if one of its lines needs a look of its own."""
        counts = structs.replace(self.counts)
        try:
            if not block.data.isascii():
                block.data.decode()
            events = decode_event_lines(block.data, counts)
        except (InputError, UnicodeDecodeError):
            return False
        count = len(events)
        if count != block.line_breaks + (not block.data.endswith(b"\n")):
            return False  # blank lines: the numbers would not fit
        self.counts = counts
        numbers = range(block.first_line, block.first_line + count)
        items: list[FileItem] = [event for event in events if event is not None]
        if len(items) == count:
            self._batch.add_run(items, numbers)
        else:
            kept = [number for number, event in zip(numbers, events, strict=True) if event is not None]
            self._batch.add_many(items, kept, count)
        self._batch.last_line = block.first_line + count - 1
        return True

    def _take_event_lines(self, block: lines.Block) -> None:
        for number, text in enumerate(block.data.split(b"\n"), block.first_line):
            line = text.strip(b" \t\r\x1e")
            if not line:
                continue
            try:
                if not line.isascii():
                    line.decode()
                event = decode_event_line(line, self.counts)
            except UnicodeDecodeError:
                self._batch.reject(Rejected(number, "not valid UTF-8"))
            except InputError as error:
                self._batch.reject(Rejected(number, str(error)))
            else:
                self._batch.add(() if event is None else (event,), number)
            self._batch.last_line = number

    def _json_values(self) -> Iterator[None]:
        window = JsonWindow(self.source.read, by_line=self._recognised.by_line)
        names = self._recognised.list_names
        convert = conversion(self.kind, self.counts)
        for step in listings(window, names) if names else rows(window):
            match step:
                case Rejected():
                    self._batch.reject(step)
                    convert.reject()
                case Row():
                    self._take_row(convert, step)
                case ListingEnd():
                    self._take_end(convert, step)
            self._batch.last_line = step.line
            yield

    def _take_row(self, convert: Conversion, row: Row) -> None:
        try:
            items = list(convert.row(row))
            for item in items:
                check_storable(item)
        except (InputError, ValueError, RecursionError) as error:
            self._batch.reject(Rejected(row.line, str(error), row.element))
            convert.reject()
        else:
            self._batch.add(items, row.element or row.line)

    def _take_end(self, convert: Conversion, end: ListingEnd) -> None:
        try:
            items = list(convert.end(end))
            for item in items:
                check_storable(item)
        except (InputError, ValueError) as error:
            self._batch.reject(Rejected(end.line, str(error)))
        else:
            self._batch.add(items, end.line, rows=0)

    def _csv_rows(self) -> Iterator[None]:
        header: csv_rows.Header | None = None
        for block in lines.blocks(self.source.read):
            if isinstance(block, Rejected):
                self._batch.reject(block)
                continue
            for number, line in enumerate(block.data.split(b"\n"), block.first_line):
                if not line or line.isspace():
                    continue
                if header is None:
                    header = csv_rows.header_of(line.decode(errors="replace"))
                else:
                    self._take_csv_line(header, line, number)
                self._batch.last_line = number
                yield

    def _take_csv_line(self, header: csv_rows.Header, line: bytes, number: int) -> None:
        try:
            item = csv_rows.item_of_line(header, line.decode().rstrip("\r"))
            check_storable(item)
        except UnicodeDecodeError:
            self._batch.reject(Rejected(number, "not valid UTF-8"))
        except (InputError, ValueError) as error:
            self._batch.reject(Rejected(number, str(error)))
        else:
            self._batch.add((item,), number)


class _Batch:
    """The chunk that is being filled."""

    def __init__(self) -> None:
        self.last_line = 1
        self._clear()

    def _clear(self) -> None:
        self.items: list[FileItem] = []
        self.rejected: list[Rejected] = []
        self.rows = 0
        self._positions: list[int] = []
        self._run = range(0)  # what stands alone, while all came line after line

    def add(self, items: Iterable[FileItem], position: int, *, rows: int = 1) -> None:
        if self._run:
            self._end_run()
        for item in items:
            self.items.append(item)
            self._positions.append(position)
        self.rows += rows

    def add_many(self, items: list[FileItem], positions: Iterable[int], rows: int) -> None:
        self._end_run()
        self.items += items
        self._positions.extend(positions)
        self.rows += rows

    def add_run(self, items: list[FileItem], positions: range) -> None:
        """Add rows that each gave one item."""
        if self._positions or (self._run and self._run.stop != positions.start):
            self.add_many(items, positions, len(positions))
            return
        self._run = range(self._run.start, positions.stop) if self._run else positions
        self.items += items
        self.rows += len(positions)

    def _end_run(self) -> None:
        self._positions.extend(self._run)
        self._run = range(0)

    def reject(self, rejected: Rejected) -> None:
        self.rejected.append(rejected)
        self.rows += 1

    def is_empty(self) -> bool:
        return not (self.rows or self.items or self.rejected)

    def take(self) -> Chunk:
        chunk = Chunk(self.items, self._run or self._positions, self.rejected, self.rows)
        self._clear()
        return chunk


def read(source: Source) -> Reading:
    """Recognise a source and make it ready to be read."""
    return Reading(source)
