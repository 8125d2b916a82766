"""What the simulator says of an episode."""

from __future__ import annotations

from callsim.drill.outcomes import Account, Fate
from callsim.drill.stretch import Episode
from sim import Tables, play_given


def predict(tables: Tables, episode: Episode) -> Account:
    """Play an episode in simulated time, and say how each call fares."""
    played = play_given(
        tables,
        episode.faults,
        episode.calls,
        # Calls that begin late have to end.
        episode.length + 120.0,
        episode.ping_phase,
        episode.seed,
        episode.drained,
    )
    calls = played.calls
    sounds = {round(at, 6): sound for at, sound in played.sounds.items()}
    rows = {round(at, 6): row for row, at in enumerate(calls.offered.tolist())}
    fates = []
    for call in episode.calls:
        row = rows[round(call.at, 6)]
        trunk = int(calls.trunk[row])
        connected = trunk >= 0
        sound = sounds.get(round(float(calls.set_up[row]), 6)) if connected else None
        fates.append(
            Fate(
                at=call.at,
                trunk=trunk if connected else None,
                status=int(calls.status[row]),
                attempts=int(calls.attempts[row]),
                delay=float(calls.delay[row]) if connected else None,
                dropped=bool(calls.dropped[row]),
                mos=None if sound is None else sound.mos,
                one_way=None if sound is None else sound.one_way,
            )
        )
    beliefs = tuple(belief for belief in played.beliefs if belief.at <= episode.length)
    starts = tuple((fault.start, fault.end) for fault in episode.faults)
    return Account(tuple(fates), beliefs, starts)
