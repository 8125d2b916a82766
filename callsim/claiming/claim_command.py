"""The command `claim`: what can be claimed, and the folder that shows it."""

from __future__ import annotations

import time
from pathlib import Path

from callsim.claiming.claim import Standing
from callsim.claiming.folder import check_place, put
from callsim.claiming.objections import objections
from callsim.claiming.pack import files_of, folder_name, share_by_csv
from callsim.claiming.reckoning import Asked, claim_of, question_of
from callsim.claiming.telling import terminal
from callsim.claiming.written import outages_csv, to_json
from callsim.exits import Exit
from callsim.store_command import opened
from callsim.terminal import answer_width, say
from callsim.writing import check_target, write_json

CLAIMS = Path("claims")
"""Where folders go that are not named."""


def claim(
    asked: Asked, store: str | None, out: Path | None, json: str | None, now: float | None = None
) -> Exit:
    """Work out a claim, write its folder, print the answer.

    MET where it is certain what can be claimed, which may be nothing; INCONCLUSIVE where only the longest
    outages would give a credit, or no rule of credits can be judged. Without `out` a folder is written where
    there is something to claim on.
    """
    check_target(json)
    question = question_of(asked, time.time() if now is None else now)
    target = out or CLAIMS / folder_name(question)
    check_place(target)
    with opened(store) as open_store:
        made = claim_of(open_store, question, asked)
        found = objections(made)
        files = None
        if out is not None or made.grounded:
            files = files_of(open_store, made, found)
    if files is not None:
        put(target, files)
    if json != "-":
        folder = None if files is None else target
        say(terminal(made, found, folder, 0 if files is None else len(files) + 1, answer_width()))
    if json is not None:
        write_json(json, to_json(made, found, share_by_csv(made, outages_csv(made)), {}))
    certain = made.standing in (Standing.PROVEN, Standing.NOTHING)
    return Exit.MET if certain else Exit.INCONCLUSIVE
