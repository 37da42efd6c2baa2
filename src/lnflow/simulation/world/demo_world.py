"""The world of `lnflow demo`: a week of a routing node with something of everything to find."""

from __future__ import annotations

from lnflow.simulation.world.spec import (
    Amounts,
    ChannelSpec,
    OwnMove,
    PeerSpec,
    PolicyChange,
    Population,
    Prober,
    WorldSpec,
)

DEMO_SEED = 20

_COFFEE = (Amounts(median_sat=12_000, sigma=1.1), Amounts(median_sat=21_000, weight=0.3))
_SHOPPING = (Amounts(median_sat=40_000, sigma=1.1), Amounts(median_sat=150_000, sigma=0.8, weight=0.25))
_EXCHANGE = (
    Amounts(median_sat=150_000, sigma=1.0),
    Amounts(median_sat=500_000, sigma=0.4, weight=0.2, round_to_sat=100_000),
)


def demo_world() -> WorldSpec:
    """Return twenty peers, thirty channels, seven days.

    Five sinks run dry in different ways, one peer is away for two days, one has a size limit, one became
    dearer on the third day, and one payer will not stop trying 7.5 M sat that never arrive.
    """
    peers = _peers()
    names = [peer.alias for peer in peers]
    return WorldSpec(
        name="demo",
        hours=168.0,
        warmup_hours=24.0,
        peers=peers,
        populations=_populations(names),
        probers=(
            Prober(in_peer=names.index("okra"), out_peer=names.index("bluewallet"), sessions_per_day=4),
            Prober(in_peer=names.index("okra"), out_peer=names.index("kraken"), sessions_per_day=6),
            Prober(in_peer=names.index("acinq"), out_peer=names.index("fulmo"), sessions_per_day=2),
        ),
        moves=_moves(names),
        policy_changes=(
            PolicyChange(at_h=55.0, peer=names.index("walletofsatoshi"), fee_ppm=650),
            PolicyChange(at_h=80.0, peer=names.index("coingate"), fee_ppm=700),
        ),
        gaps_h=((61.2, 63.9),),
        strays_per_day=25.0,
    )


def _peers() -> tuple[PeerSpec, ...]:
    def peer(alias: str, *capacities_m: float, share: float = 0.5, **terms: object) -> PeerSpec:
        channels = tuple(
            ChannelSpec(capacity_sat=int(c * 1_000_000), local_share=share, initiator=i % 2 == 0)
            for i, c in enumerate(capacities_m)
        )
        return PeerSpec(alias=alias, channels=channels, **terms)  # type: ignore[arg-type]  # names of PeerSpec

    return (
        peer("acinq", 20, 10, 10, share=0.35, fee_ppm=60, inbound_fee_ppm=0),
        peer("okra", 12, 6, share=0.3, fee_ppm=50),
        peer("river", 15, 10, share=0.4, fee_ppm=90, inbound_fee_ppm=-30),
        peer("strike", 16, 8, share=0.35, fee_ppm=80),
        peer("bitfinex", 20, 10, share=0.4, fee_ppm=120),
        peer("kraken", 10, 5, share=0.35, fee_ppm=600),
        peer("bluewallet", 6, share=0.3, fee_ppm=450),
        peer("walletofsatoshi", 12, 6, share=0.7, fee_ppm=350),
        peer("loop", 16, share=0.6, fee_ppm=1_100, base_fee_msat=1_000),
        peer("boltz", 8, share=0.5, fee_ppm=900),
        peer("coingate", 9, share=0.4, fee_ppm=300),
        peer("bitrefill", 8, 4, share=0.45, fee_ppm=400),
        peer("fulmo", 4, share=0.15, fee_ppm=500),
        peer("cafe-node", 3, share=0.6, fee_ppm=250, offline_h=((44.0, 93.5),), flaps_per_day=0.5),
        peer("raspi-riverside", 2, share=0.6, fee_ppm=200, flaps_per_day=3.0, flap_minutes=25.0),
        peer("megastore", 9, share=0.8, fee_ppm=380, max_htlc_sat=250_000),
        peer("satoshis-attic", 2, share=0.5, fee_ppm=150),
        peer("lnmarkets", 7, 5, share=0.55, fee_ppm=320),
        peer("voltage", 10, share=0.4, fee_ppm=70, inbound_fee_ppm=-50),
        peer("quiet-node", 5, share=0.9, fee_ppm=100),
    )


def _populations(names: list[str]) -> tuple[Population, ...]:
    def to(source: str, sinks: str, per_day: float, amounts: tuple[Amounts, ...], **habits: object) -> Population:
        return Population(
            in_peer=names.index(source),
            out_peers=tuple(names.index(sink) for sink in sinks.split()),
            per_day=per_day,
            amounts=amounts,
            **habits,  # type: ignore[arg-type]  # names of Population
        )

    whale = (Amounts(median_sat=7_500_000),)
    large = (Amounts(median_sat=700_000, sigma=0.4, round_to_sat=50_000),)
    return (
        to("acinq", "kraken", 30, _EXCHANGE, payers=60, detour=0.4, returns=1),
        to("acinq", "walletofsatoshi", 300, _COFFEE, payers=300),
        to("acinq", "bluewallet", 120, _COFFEE, payers=150, detour=0.35, returns=1),
        to("acinq", "bitrefill", 30, _SHOPPING, payers=60, returns=1),
        to("river", "walletofsatoshi", 60, _SHOPPING, payers=120, detour=0.6),
        to("river", "kraken bitfinex", 15, _EXCHANGE, payers=30, detour=0.4, returns=1),
        to("river", "cafe-node", 45, _SHOPPING, payers=90, detour=0.3, heeds_disabled=0.2),
        to("river", "coingate", 70, _SHOPPING, payers=160, gossip_minutes=900.0, fee_retry=0.3),
        to("strike", "bluewallet", 35, _SHOPPING, payers=80, detour=0.4, returns=1),
        to("strike", "bitrefill", 120, _COFFEE, payers=150),
        to("strike", "loop", 24, _EXCHANGE, payers=15, detour=0.3, returns=2, memory_minutes=20.0),
        to("strike", "megastore", 50, _SHOPPING, payers=70, detour=0.4, heeds_max_htlc=0.1, mpp=False),
        to("bitfinex", "loop boltz", 10, _EXCHANGE, payers=12, detour=0.3, returns=1),
        to("bitfinex", "lnmarkets", 40, _SHOPPING, payers=40, returns=1),
        to("bitfinex", "fulmo", 30, _SHOPPING, payers=40, detour=0.3, returns=1, memory_minutes=30.0),
        to("bitfinex", "acinq", 20, _EXCHANGE, payers=50, detour=0.6),
        to("okra", "lnmarkets", 60, _COFFEE, payers=60, presplit_sat=20_000),
        to("okra", "satoshis-attic", 20, _COFFEE, payers=20),
        to("okra", "raspi-riverside", 60, _COFFEE, payers=60, detour=0.4, heeds_disabled=0.1),
        to("okra", "kraken", 1.5, whale, payers=2, detour=0.0, returns=7, mpp=False,
           memory_minutes=0.0, reach_sat=400_000, reach_sigma=0.6, heeds_max_htlc=0.0),
        to("voltage", "boltz", 6, large, payers=10, detour=0.3, returns=2, memory_minutes=10.0),
        to("voltage", "bluewallet", 40, _COFFEE, payers=60, detour=0.4),
        to("voltage", "megastore", 20, _SHOPPING, payers=40, heeds_max_htlc=0.1),
        to("walletofsatoshi", "acinq", 150, _COFFEE, payers=200, detour=0.7),
        to("walletofsatoshi", "river", 40, _SHOPPING, payers=90, detour=0.7),
        to("kraken", "acinq", 12, _EXCHANGE, payers=20, detour=0.7),
        to("cafe-node", "river", 35, _SHOPPING, payers=60, detour=0.7),
        to("raspi-riverside", "okra", 60, _COFFEE, payers=60, detour=0.7),
        to("satoshis-attic", "okra", 19, _COFFEE, payers=20),
        to("lnmarkets", "bitfinex", 45, _SHOPPING, payers=40, detour=0.6),
        to("boltz", "strike", 8, _EXCHANGE, payers=10, detour=0.6),
        to("bitrefill", "okra", 25, _SHOPPING, payers=30, detour=0.6),
        to("coingate", "voltage", 22, _SHOPPING, payers=30, detour=0.6),
    )  # fmt: skip


def _moves(names: list[str]) -> tuple[OwnMove, ...]:
    def circular(source: str, sink: str, every_h: float, amount_sat: int, first_h: float) -> OwnMove:
        return OwnMove(
            from_peer=names.index(source),
            to_peer=names.index(sink),
            every_h=every_h,
            amount_sat=amount_sat,
            first_h=first_h,
            when_above=0.3,
            when_below=0.5,
        )

    def swap_out(source: str, amount_sat: int) -> OwnMove:
        return OwnMove(
            from_peer=names.index(source),
            every_h=3.0,
            amount_sat=amount_sat,
            first_h=1.5,
            when_above=0.75,
        )

    return (
        circular("acinq", "kraken", 14.0, 2_000_000, 5.0),
        circular("strike", "bluewallet", 22.0, 1_500_000, 9.0),
        circular("bitfinex", "loop", 30.0, 3_000_000, 3.0),
        circular("river", "walletofsatoshi", 8.0, 2_500_000, 7.0),
        circular("strike", "bitrefill", 10.0, 1_500_000, 11.0),
        circular("bitfinex", "boltz", 18.0, 1_500_000, 17.0),
        circular("river", "coingate", 12.0, 1_800_000, 20.0),
        circular("river", "cafe-node", 16.0, 700_000, 6.0),
        circular("strike", "megastore", 6.0, 2_500_000, 2.0),
        circular("acinq", "lnmarkets", 24.0, 1_500_000, 8.0),
        circular("acinq", "raspi-riverside", 24.0, 400_000, 4.0),
        swap_out("acinq", 5_000_000),
        swap_out("river", 4_000_000),
        swap_out("strike", 4_000_000),
        swap_out("bitfinex", 4_000_000),
        swap_out("voltage", 2_000_000),
        swap_out("okra", 3_000_000),
        OwnMove(every_h=31.0, amount_sat=85_000, first_h=13.0, from_peer=names.index("acinq")),
        OwnMove(every_h=37.0, amount_sat=120_000, first_h=15.0, to_peer=names.index("walletofsatoshi")),
    )
