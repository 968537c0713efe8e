"""Whether SGLang has room: in its share for weights and cache, and outside of it to run in."""

from __future__ import annotations

from llmdeploy.memory.model import Question, Rank, Verdict
from llmdeploy.memory.sizes import size
from llmdeploy.memory.verdict import error_gib, judge


def judged(question: Question, left: float, margin: float, ranks: list[Rank]) -> tuple[Verdict, str | None]:
    """What runs outside the share must find room there; it is estimated, so that too little is TIGHT.

    A share of SGLang's own, and one of a card that others have parts of, have their reserve for it already.
    """
    card, vendor = question.card.memory_gib, question.card.vendor
    verdict = judge(margin, card, vendor)
    running = max(rank.activation_gib + rank.cuda_graphs_gib for rank in ranks)
    error = 0.0 if question.card_fraction is None else error_gib(card, vendor)
    if verdict is not Verdict.FITS or left >= running + error:
        return verdict, None
    if left < running:
        more = size(running - left)
        return (
            Verdict.TIGHT,
            f"outside: activations and graphs need {more} more than mem_fraction_static leaves",
        )
    return (
        Verdict.TIGHT,
        f"outside: activations and graphs take {size(running)} of the {size(left)} that mem_fraction_static leaves; this estimate may be wrong by {size(error)}",
    )


def no_table(left: float, table: float) -> str:
    """Say that the table of requests alone, which is no estimate, is more than stands outside the share."""
    return f"outside: the table of the tokens of running requests takes {size(table)}, and mem_fraction_static leaves {size(left)}"


def nothing_left(
    question: Question, batch_tokens: int, graph_batch: int, share: float, ranks: list[Rank]
) -> str:
    """Say what takes all that weights and cache could have: what a run needs, or what SGLang holds back for it."""
    card, stated = question.card.memory_gib, question.card_fraction
    if stated is None:
        back = size((1 - share) * card)
        graphs = f" and graphs of {graph_batch} requests" if graph_batch else ""
        return f"reserve: SGLang holds back {back} to run steps of {batch_tokens} tokens{graphs}, and {size(card)} are there"
    takes = size(max(map(outside, ranks)))
    return f"reserve: activations, graphs and CUDA take {takes}, and {stated:g} of the card is {size(stated * card)}"


def outside(rank: Rank) -> float:
    """Return what a rank takes beside weights and cache."""
    return rank.activation_gib + rank.nontorch_gib + rank.cuda_graphs_gib
