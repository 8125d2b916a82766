"""A name server on loopback, with records that a test may change while it runs."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"


class NameServer(asyncio.DatagramProtocol):
    """Answers from `records`, (name, type) to (ttl, values); a name that no record has does not exist.

    `codes` has response codes for names, or None for silence. `asked` is what was asked, in order. Values are
    answered as they are listed, not shuffled as dnspython would.
    """

    def __init__(self, records=(), codes=()):
        self.records = dict(records)
        self.codes = dict(codes)
        self.asked = []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))
        return self

    async def __aexit__(self, *_):
        self.transport.close()

    @property
    def address(self):
        return f"{HOST}:{self.transport.get_extra_info('sockname')[1]}"

    def datagram_received(self, data, peer):
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip("."), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.codes and self.codes[name] is None:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.codes:
            response.set_rcode(self.codes[name])
        elif not any(name == known for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        while (name, "CNAME") in self.records:
            (name,) = self._answer(response, name, "CNAME")
        if (name, kind) in self.records:
            self._answer(response, name, kind)
        self.transport.sendto(response.to_wire(want_shuffle=False), peer)

    def _answer(self, response, name, kind):
        ttl, values = self.records[name, kind]
        absolute = [f"{value}." if kind == "CNAME" else value for value in values]
        response.answer.append(dns.rrset.from_text_list(f"{name}.", ttl, "IN", kind, absolute))
        return values


def srv(*records, ttl=60):
    """SRV records out of (priority, weight, port, host)."""
    return ttl, [f"{priority} {weight} {port} {host}." for priority, weight, port, host in records]
