"""lnd-manageJ: optional enrichment over REST, by an allow-list of its harmless GETs.

Some of its GETs move money (`/api/payments/pay-payment-request/…`, `…/top-up/…`) or reset caches; they cannot
be reached from here.
"""
