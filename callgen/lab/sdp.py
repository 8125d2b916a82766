"""Offers of audio, answered with one codec (RFC 3264)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Address = tuple[str, int]

STATIC = {0: ("PCMU", 8000), 3: ("GSM", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 18: ("G729", 8000)}
"""Payload types that need no rtpmap (RFC 3551, 6)."""
EVENTS = "TELEPHONE-EVENT"
PACKET_TIMES = {"ILBC": 0.030, "G723": 0.030}
"""Seconds of speech in a packet, where that is not 20 ms (RFC 3952, 3551)."""
HELD = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class Codec:
    """A payload type that was offered."""

    number: int
    name: str
    """In capitals."""
    clock_rate: int
    described: str
    """Its rtpmap and fmtp lines as they came."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The audio of an offer."""

    rtp: Address
    rtcp: Address
    codecs: tuple[Codec, ...]
    """As the caller prefers them."""
    events: Codec | None
    """Digits (RFC 4733)."""
    packet_time: float | None
    """Seconds of speech in a packet, if it says so."""
    direction: str
    media: tuple[str, ...]
    """What follows `m=` for each medium."""
    audio: int
    """Which of the media it is."""


def read(body: str) -> Offer | None:
    """Read an offer; None where it has no audio over plain RTP to an IPv4 address."""
    session, *parts = re.split(r"^m=", body.replace("\r\n", "\n"), flags=re.MULTILINE)
    media = tuple(part.partition("\n")[0] for part in parts)
    found = next((n for n, m in enumerate(media) if re.match(r"audio [1-9][0-9]{0,4} RTP/AVPF? ", m)), None)
    if found is None or any(len(medium.split()) < 4 for medium in media):
        return None
    part = parts[found]
    port, _, *numbers = media[found].split()[1:]
    host = re.search(r"^c=IN IP4 ([0-9.]+)", part, re.MULTILINE) or re.search(
        r"^c=IN IP4 ([0-9.]+)", session, re.MULTILINE
    )
    codecs = [codec for number in numbers if (codec := _codec(part, number)) is not None]
    if host is None or not codecs:
        return None
    rtcp = re.search(r"^a=rtcp:([0-9]{1,5})(?: IN IP4 ([0-9.]+))?", part, re.MULTILINE)
    rtp = (host[1], int(port))
    reports = (rtcp[2] or host[1], int(rtcp[1])) if rtcp else (host[1], int(port) + 1)
    if not (_reachable(rtp) and _reachable(reports)):
        return None
    time = re.search(r"^a=ptime:([0-9]{1,3})", part, re.MULTILINE)
    way = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", part, re.MULTILINE)
    return Offer(
        rtp=rtp,
        rtcp=reports,
        codecs=tuple(codec for codec in codecs if codec.name != EVENTS),
        events=next((codec for codec in codecs if codec.name == EVENTS), None),
        packet_time=int(time[1]) / 1000.0 if time and int(time[1]) else None,
        direction=way[1] if way else "sendrecv",
        media=media,
        audio=found,
    )


def _reachable(address: Address) -> bool:
    host, port = address
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return 0 < port < 65536


def _codec(part: str, number: str) -> Codec | None:
    if not re.fullmatch(r"[0-9]{1,3}", number):
        return None
    lines = re.findall(rf"^a=(?:rtpmap|fmtp):{number} .*$", part, re.MULTILINE)
    mapped = next((re.search(r" ([^/\s]+)/([0-9]{4,6})\b", line) for line in lines if "rtpmap" in line), None)
    if mapped is None:
        known = STATIC.get(int(number))
        return Codec(int(number), *known, described="") if known else None
    return Codec(int(number), mapped[1].upper(), int(mapped[2]), "".join(f"{line}\r\n" for line in lines))


def answer(offer: Offer, codec: Codec, host: str, rtp: int, rtcp: int) -> str:
    """Accept one codec, with digits, at the ports of ours; other media are refused with port 0."""
    taken = [codec, *([offer.events] if offer.events else [])]
    text = f"v=0\r\no=lab 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    for number, medium in enumerate(offer.media):
        kind, _, protocol, *formats = medium.split()
        if number != offer.audio:
            text += f"m={kind} 0 {protocol} {' '.join(formats)}\r\n"
            continue
        text += f"m={kind} {rtp} {protocol} {' '.join(str(one.number) for one in taken)}\r\n"
        text += f"a=rtcp:{rtcp} IN IP4 {host}\r\n" + "".join(one.described for one in taken)
        text += f"a={HELD.get(offer.direction, 'sendrecv')}\r\n"
    return text
