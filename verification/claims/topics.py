"""All claims, by id, in the order of the papers."""

from verification.claims import compared, critics, gaussian, iterations, projection, proposition, safe_dql, theorem
from verification.claims.claim import Claim

TOPICS = {
    "Gaussian policies and diffusion": gaussian,
    "Gradient manipulation": projection,
    "Proposition 3.1": proposition,
    "One iteration": iterations,
    "Theorem 3.1": theorem,
    "Objectives and critics": critics,
    "Safe-DQL": safe_dql,
    "Compared methods": compared,
}
CLAIMS: dict[str, Claim] = {claim.id: claim for topic in TOPICS.values() for claim in topic.CLAIMS}
if len(CLAIMS) != sum(len(topic.CLAIMS) for topic in TOPICS.values()):
    raise ValueError("two claims share an id")


def topic_of(claim_id: str) -> str:
    return next(name for name, topic in TOPICS.items() if any(claim.id == claim_id for claim in topic.CLAIMS))
