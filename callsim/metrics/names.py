"""Every metric's name with its type, labels, unit.

Names follow Prometheus' rules: base units, the unit last, `_total` after a counter. Values of labels are
names of the plan or come from short lists; telephone numbers never are labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WINDOWS = {
    "5m": 300.0,
    "30m": 1800.0,
    "1h": 3600.0,
    "2h": 7200.0,
    "6h": 21600.0,
    "1d": 86400.0,
    "3d": 259200.0,
}
"""Windows of the burn rate, in seconds."""
MONTH = "month"
"""Value of the label `window` for the calendar month in the plan's time zone."""

_TIMES = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 15.0, 20.0, 30.0, 60.0)
_ROUND_TRIPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
_SCORES = (1.5, 2.0, 2.5, 2.8, 3.1, 3.4, 3.6, 3.8, 4.0, 4.2, 4.4)
_LEG = ("test", "over", "location")


@dataclass(frozen=True)
class Metric:
    """One metric; `buckets` are the upper bounds of a histogram's."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    """`seconds`, `ratio`; empty for counts, flags and scores."""
    buckets: tuple[float, ...] = ()


PROBE_SUCCESS = Metric("callsim_probe_success", "gauge", "Whether the last probe passed: 1 or 0.", _LEG)
LAST_PROBE = Metric(
    "callsim_last_probe_timestamp_seconds", "gauge", "When the last probe ended.", _LEG, "seconds"
)
CALLS = Metric(
    "callsim_calls_total",
    "counter",
    "INVITEs by their final SIP status; none: our own process lost the call.",
    ("carrier", "sip_status"),
)
POST_DIAL_DELAY = Metric(
    "callsim_post_dial_delay_seconds",
    "histogram",
    "From INVITE to ringing, of calls that were answered (RFC 6076, 4.3.1).",
    ("carrier",),
    "seconds",
    _TIMES,
)
SETUP = Metric(
    "callsim_setup_seconds",
    "histogram",
    "From INVITE to the 200, of calls that were answered.",
    ("carrier",),
    "seconds",
    _TIMES,
)
MOS = Metric(
    "callsim_mos",
    "histogram",
    "Mean opinion score of calls by the E-model (ITU-T G.107), 1 to 5.",
    ("carrier",),
    buckets=_SCORES,
)
LAST_MOS = Metric("callsim_last_mos", "gauge", "Mean opinion score of the last probe that was heard.", _LEG)
PACKET_LOSS = Metric(
    "callsim_packet_loss_ratio",
    "gauge",
    "Share of the packets to us that were lost or late, in the last probe that was heard.",
    _LEG,
    "ratio",
)
PING = Metric(
    "callsim_ping_seconds",
    "histogram",
    "From OPTIONS to its answer.",
    ("carrier", "trunk"),
    "seconds",
    _ROUND_TRIPS,
)
PINGS_UNANSWERED = Metric(
    "callsim_pings_unanswered_total", "counter", "OPTIONS without an answer in time.", ("carrier", "trunk")
)
TRUNK_UP = Metric(
    "callsim_trunk_up", "gauge", "Whether the router believes the trunk up: 1 or 0.", ("carrier", "trunk")
)
CARRIER_UP = Metric(
    "callsim_carrier_up", "gauge", "Whether the router believes a trunk of the carrier up.", ("carrier",)
)
MISSED = Metric("callsim_probes_missed_total", "counter", "Slots without a probe, by reason.", ("reason",))
AVAILABILITY = Metric(
    "callsim_sla_availability_ratio",
    "gauge",
    "Share of the known time in which the service was up; NaN while nothing is known.",
    ("window",),
    "ratio",
)
TARGET = Metric("callsim_sla_target_ratio", "gauge", "Availability that the plan promises.", (), "ratio")
BUDGET_REMAINING = Metric(
    "callsim_error_budget_remaining_ratio",
    "gauge",
    "Share of this month's error budget that is left; below 0 the promise is broken.",
    (),
    "ratio",
)
BURN_RATE = Metric(
    "callsim_error_budget_burn_rate",
    "gauge",
    "Unavailability over the allowed one; 1 uses up the budget exactly by the month's end.",
    ("window",),
)
RELOAD_OK = Metric(
    "callsim_config_last_reload_successful", "gauge", "Whether the plan could be read last time: 1 or 0."
)
RELOAD_AT = Metric(
    "callsim_config_last_reload_timestamp_seconds",
    "gauge",
    "When the plan that holds was read.",
    (),
    "seconds",
)
SPOOLED = Metric(
    "callsim_store_spooled_entries", "gauge", "Records that wait until the store can be written again."
)
STORE_OK = Metric("callsim_store_writable", "gauge", "Whether records are written where they belong: 1 or 0.")
GUARD_USED = Metric(
    "callsim_guard_used_ratio", "gauge", "Share of a cap of the guard that is used.", ("cap",), "ratio"
)
ALERTS = Metric(
    "callsim_alerts_total",
    "counter",
    "Messages by what became of them: delivered, or given_up.",
    ("channel", "outcome"),
)
CHANNEL_UP = Metric(
    "callsim_alert_channel_up",
    "gauge",
    "Whether messages go over the channel: 1 or 0.",
    ("channel",),
)
BUILD_INFO = Metric("callsim_build_info", "gauge", "1, with what runs here.", ("version", "plan", "location"))

METRICS = (
    PROBE_SUCCESS,
    LAST_PROBE,
    CALLS,
    POST_DIAL_DELAY,
    SETUP,
    MOS,
    LAST_MOS,
    PACKET_LOSS,
    PING,
    PINGS_UNANSWERED,
    TRUNK_UP,
    CARRIER_UP,
    MISSED,
    AVAILABILITY,
    TARGET,
    BUDGET_REMAINING,
    BURN_RATE,
    RELOAD_OK,
    RELOAD_AT,
    SPOOLED,
    STORE_OK,
    GUARD_USED,
    ALERTS,
    CHANNEL_UP,
    BUILD_INFO,
)
