"""Saved files → typed items, and domain values → exchange files.

Owns the forms that files have (lines, arrays, concatenated or pretty-printed JSON, CSV; gzip and xz), how
they are recognised by content, and the bounds that keep memory flat and bad input harmless.  What the items
mean to the store, and which of the two ends of a channel is ours, is the importer's business.

    for path in files_below(Path("saved")):          # source.py
        with open_source(path) as source:            # bytes_read / bytes_total tell how far it is
            reading = read(source)                   # reading.py; reading.kind, reading.layout
            for chunk in reading.chunks():           # items.py
                ...                                  # chunk.items, chunk.rejected, chunk.rows
"""
