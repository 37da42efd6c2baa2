"""The committed messages are what our proto subset generates, and the subset is LND's."""

from __future__ import annotations

from pathlib import Path

from lnflow.nodes.lnd.failures import FailureDetail, WireFailure
from lnflow.nodes.lnd.wire import generate, methods
from lnflow.nodes.lnd.wire import lnd_pb2 as pb


def test_the_committed_files_are_what_the_proto_generates(tmp_path: Path) -> None:
    generate.generate(tmp_path)
    for name in generate.GENERATED:
        committed = (generate.HERE / name).read_text()
        assert (tmp_path / name).read_text() == committed, f"run {generate.__file__}"


def test_our_package_name_is_our_own() -> None:
    """LND's names would clash with any other program in the process that loads LND's protos."""
    assert pb.DESCRIPTOR.package == "lnflow.lnd.wire.v1"


def test_the_enums_of_the_cause_table_are_those_of_the_wire() -> None:
    assert {member.name: member.value for member in FailureDetail} == dict(pb.FailureDetail.items())
    assert {member.name: member.value for member in WireFailure} == dict(pb.Failure.FailureCode.items())


def test_what_changes_the_node_is_not_among_the_methods_we_read_with() -> None:
    changing = {
        methods.UPDATE_CHANNEL_POLICY,
        methods.UPDATE_CHAN_STATUS,
        methods.ADD_INVOICE,
        methods.SEND_PAYMENT_V2,
        methods.SEND_TO_ROUTE_V2,
    }
    assert not changing & methods.READ_METHODS
