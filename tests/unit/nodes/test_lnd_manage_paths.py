"""The allow-list: what moves money or changes anything cannot be reached, whatever is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.errors import ConfigurationError
from lnflow.nodes.lnd_manage.client import LndManageClient

KEY = "02" + "ab" * 32


@pytest.mark.parametrize(
    "path",
    [
        "/api/payments/pay-payment-request/lnbc1",
        f"/api/payments/top-up/{KEY}/amount/1000",
        f"/api/payments/to/{KEY}/amount/1000",
        "/api/status/reset-graph-cache",
        "/api/channel/1x2x3/details/../../payments/pay-payment-request/x",
        "/api/channel/1x2x3/details?x=/api/payments",
        "/api/channel/1x2x3/details\n",
        "//elsewhere/api/warnings",
        "/legacy/open-channels/pretty",
    ],
)
async def test_other_paths_are_refused_before_anything_is_sent(path: str) -> None:
    async with LndManageClient("http://127.0.0.1:1") as manage:
        with pytest.raises(PermissionError):
            await manage.get(path)


@given(st.text(max_size=60))
async def test_no_path_below_payments_is_allowed(rest: str) -> None:
    async with LndManageClient("http://127.0.0.1:1") as manage:
        with pytest.raises(PermissionError):
            await manage.get(f"/api/payments/{rest}")


@pytest.mark.parametrize("url", ["localhost:8081", "ftp://localhost", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write http"):
        LndManageClient(url)
