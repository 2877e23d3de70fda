"""The reasons to doubt an off-policy estimate of the cost, as results hold them (`offline_doubt`)."""

LARGEST_OOD = 2.0
"""Twice the data's own: an OOD score is the models' disagreement along the policy's states over that on the data. The
factor is ours."""

DOUBTS = {
    "contradicted": "the data contradict the learned dynamics",
    "short": "the predicted episodes are shorter than those of the data",
    "far": "the predicted states leave the data",
}
