"""Our own payments out of ListPayments, by index, so that each is read once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from lnflow.nodes.lnd import records
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.port import PaymentPage

PAYMENTS_A_PAGE = 1000

AskPage = Callable[[pb.ListPaymentsRequest], Awaitable[pb.ListPaymentsResponse]]


async def payments_after(ask: AskPage, index: int, pubkey: str) -> AsyncGenerator[PaymentPage, None]:
    """Yield pages of the payments with a higher index; `pubkey` is ours, to know those that came back.

    Payments still under way are asked for too: a page's `through` stops before the first of them, so that the
    next reading begins there and its end is not missed.
    """
    through, all_ended = index, True
    while True:
        page = await ask(
            pb.ListPaymentsRequest(
                index_offset=index,
                max_payments=PAYMENTS_A_PAGE,  # 0 would mean everything before LND 0.20
                include_incomplete=True,
            )
        )
        for payment in page.payments:
            all_ended = all_ended and payment.status in (pb.Payment.SUCCEEDED, pb.Payment.FAILED)
            if all_ended:
                through = payment.payment_index
        yield PaymentPage(
            tuple(
                part
                for payment in page.payments
                for receiver, part in records.arrived_parts(payment)
                if receiver == pubkey
            ),
            through,
        )
        if len(page.payments) < PAYMENTS_A_PAGE:
            return
        index = page.last_index_offset
